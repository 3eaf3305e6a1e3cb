/** Times as events know them: microseconds since 1970, UTC. */

import { call } from "./binding.js";

/** A time that was read. */
export interface Time {
  /** RFC 3339, UTC, six fractional digits, `Z`: the spelling of the headers. */
  readonly canonical: string;
  /** Microseconds since 1970. */
  readonly micros: bigint;
  /** Whether the text had no offset and was read as UTC. */
  readonly offsetMissing: boolean;
}

/** Reads a time with any offset and `T` or a space; finer fractions than microseconds are cut off. */
export function parseTime(text: string): Time {
  const { canonical, micros, offsetMissing } = JSON.parse(call((wasm) => wasm.parseTime(text)));
  return { canonical, micros: BigInt(micros), offsetMissing };
}
