// The vectors that Rust and JavaScript share.

import { readFileSync } from "node:fs";

/** A file of `tests/vectors`. */
export function vectors(name) {
  const path = new URL(`../../../tests/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The message of a vector. */
export function messageOf({ subject, headers, body_hex }) {
  return { subject, headers, body: fromHex(body_hex) };
}

export function fromHex(hex) {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function toHex(bytes) {
  return Buffer.from(bytes).toString("hex");
}
