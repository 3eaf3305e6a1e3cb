/** Exports: files that anyone can verify without the store. */

import { type Binding, call } from "./binding.js";

/** Bytes whole or in chunks of any size, such as a stream of a file or of a response's body. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Verifies an export in chunks. */
export class ExportVerifier {
  readonly #inner: InstanceType<Binding["ExportVerifier"]>;

  constructor() {
    this.#inner = call((wasm) => new wasm.ExportVerifier());
  }

  /** Takes the next bytes; a line may be cut anywhere. */
  push(chunk: Uint8Array): void {
    call(() => this.#inner.push(chunk));
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
  if (bytes instanceof Uint8Array) {
    verifier.push(bytes);
  } else {
    for await (const chunk of bytes) verifier.push(chunk);
  }
  return verifier.finish();
}
