// Runs the bare module of the core without giving it anything: `node call.mjs core_wasm.wasm`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const module = await WebAssembly.compile(readFileSync(process.argv[2]));
assert.deepEqual(WebAssembly.Module.imports(module), []);
const { exports } = await WebAssembly.instantiate(module, {});

/** Calls a function with bytes and gives the document that it answers with. */
function call(name, input) {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const at = exports.input(bytes.length);
  new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
  const length = exports[name]();
  const answer = new Uint8Array(exports.memory.buffer, exports.output(), length);
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(answer));
}

function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
}

const { events } = vectors("events");
for (const { name, block_hex, cid } of events) {
  assert.deepEqual(call("read_block", Buffer.from(block_hex, "hex")), { cid }, name);
}
const blocks = vectors("refused").vectors.filter(({ kind }) => kind === "block");
for (const { block_hex, why } of blocks) {
  assert.ok(call("read_block", Buffer.from(block_hex, "hex")).error, why);
}
const filters = vectors("filters").vectors;
for (const { filter, subject, matches } of filters) {
  assert.deepEqual(call("match_filter", JSON.stringify([filter, subject])), { matches }, `${filter} ${subject}`);
}

const history = {
  aggregate: "cowboyai.security.keys.key.k1",
  type: "KeyRotated",
  times: ["2026-11-21T08:00:00Z", "2026-11-21 09:00:00.5+00:00"],
  body: '{"bits":256}',
};
const trip = call("round_trip", JSON.stringify(history));
assert.equal(trip.events, 2, trip.error);
const report = call("verify_export", trip.export);
assert.equal(report.ok, true, report.error?.message);
assert.equal(report.events, 2);
const forged = call("verify_export", trip.export.replace("256", "257"));
assert.equal(forged.error?.code, "wrong-cid");

console.log(`The bare module agrees with ${events.length} blocks, ${blocks.length} refused ones and ${filters.length} filters.`);
