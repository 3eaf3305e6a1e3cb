/** The chain of one aggregate: each event is what its CID says and links to the one before. */

import type { ChainVerifier as Inner } from "../wasm/node/cim_wasm.js";
import { call } from "./binding.js";
import { type Carrier, headersText, type Message } from "./message.js";
import { type AggregateKey, CANONICAL_EVENTS, type Template, templateText } from "./subject.js";

/** The last event of a history. */
export interface Head {
  readonly version: number;
  readonly cid: string;
}

/** How the messages of a chain are written. */
export interface ChainOptions {
  readonly template?: Template;
  readonly carrier?: Carrier;
}

/**
 * Verifies the events of one aggregate one by one.
 *
 * What it proved it proved up to the last event it saw: a plain chain cannot tell that a tail was cut off.
 */
export class ChainVerifier {
  readonly #inner: Inner;

  private constructor(inner: Inner) {
    this.#inner = inner;
  }

  /** Verifies from version 1. */
  static fromGenesis(aggregate: AggregateKey, options: ChainOptions = {}): ChainVerifier {
    const { namespace, entity, id } = aggregate;
    const [template, carrier] = settings(options);
    return new ChainVerifier(
      call((wasm) => wasm.ChainVerifier.fromGenesis(namespace, entity, id, template, carrier)),
    );
  }

  /** Verifies what follows a head that is trusted for another reason. */
  static fromHead(aggregate: AggregateKey, head: Head, options: ChainOptions = {}): ChainVerifier {
    const { namespace, entity, id } = aggregate;
    const [template, carrier] = settings(options);
    return new ChainVerifier(
      call((wasm) =>
        wasm.ChainVerifier.fromHead(namespace, entity, id, head.version, head.cid, template, carrier),
      ),
    );
  }

  /** Takes the next event, or throws what is wrong with it; the head stays where it was. */
  push(message: Message): Head {
    const { subject, headers, body } = message;
    return JSON.parse(call(() => this.#inner.push(subject, headersText(headers), body)));
  }

  /** The last event that was verified or trusted; `null` before the first. */
  get head(): Head | null {
    return JSON.parse(call(() => this.#inner.head));
  }

  /** Frees the memory of the verifier, at once instead of with the garbage. */
  free(): void {
    this.#inner.free();
  }
}

/** @internal */
export function settings({ template = CANONICAL_EVENTS, carrier = "wire" }: ChainOptions): [string, Carrier] {
  return [templateText(template), carrier];
}
