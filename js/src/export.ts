/** Exports: files that anyone can verify without the store. */

import type { ExportVerifier as Inner } from "../wasm/node/cim_wasm.js";
import { call } from "./binding.js";

/** Bytes whole or in chunks of any size, such as a stream of a file or of a response's body. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** What was verified of an export, or the first thing that is wrong with it. */
export type VerifyReport = (VerifiedExport | RefusedExport) & {
  readonly schema: "cim.verify/v1";
  /** The whole report as the JSON document that `cim verify --export FILE --json` prints. */
  readonly text: string;
};

/** An export in which nothing is wrong. */
export interface VerifiedExport {
  readonly ok: true;
  readonly events: number;
  readonly aggregates: number;
  /** BLAKE3 of all CIDs in the order of the store, in hex. */
  readonly digest: string;
  /** BLAKE3 of all heads, whatever the order of the store; `null` of a filtered export. */
  readonly heads: string | null;
  /** Of a filtered export only `cid`: each event by itself, without its links. */
  readonly verified: "chain" | "cid";
  /** What that does not prove; show it beside. */
  readonly not_proven: string;
  readonly store_id: string;
  readonly filter: string | null;
}

/** An export with something wrong. */
export interface RefusedExport {
  readonly ok: false;
  readonly error: {
    /** The stable code, such as `wrong-cid`. */
    readonly code: string;
    readonly message: string;
    /** Counted from 1. */
    readonly line: number;
    readonly event: string | null;
    readonly aggregate: string | null;
    readonly version: number | null;
  };
}

/** Verifies an export in chunks. */
export class ExportVerifier {
  readonly #inner: Inner;

  constructor() {
    this.#inner = call((wasm) => new wasm.ExportVerifier());
  }

  /** Takes the next bytes; a line may be cut anywhere. `false`: a fault is found, the rest does not matter. */
  push(chunk: Uint8Array): boolean {
    return call(() => this.#inner.push(chunk));
  }

  /** Says what was found; the verifier cannot be used after it. */
  finish(): VerifyReport {
    const text = call(() => this.#inner.finish());
    return { ...JSON.parse(text), text };
  }
}

/** Verifies an export; what is wrong with it is in the report, not thrown. */
export async function verifyExport(bytes: Bytes): Promise<VerifyReport> {
  const verifier = new ExportVerifier();
  for await (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) {
    if (!verifier.push(chunk)) break;
  }
  return verifier.finish();
}
