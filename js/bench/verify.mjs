// Verification of an export, wasm against pure JavaScript over the same bytes: the median of interleaved pairs.
// Run: node bench/verify.mjs [FILE]   (without FILE: 20 000 generated events)

import { readFileSync } from "node:fs";

import { verifyExport } from "cim-events";

import { verifyReference } from "../test/reference.mjs";
import { bytesOf, generated } from "../test/support/export.mjs";

const PAIRS = 7;
const CHUNK = 1 << 20;

const [file] = process.argv.slice(2);
const bytes = file === undefined ? bytesOf(generated(20_000)) : new Uint8Array(readFileSync(file));

async function* chunks() {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

async function timed(verify) {
  const start = process.hrtime.bigint();
  const { events } = await verify();
  return { events, seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1];
}

const wasm = () => verifyExport(chunks());
const javascript = async () => verifyReference(bytes);

// The first run of each compiles it.
await timed(wasm);
const { events } = await timed(javascript);
const pairs = [];
for (let pair = 0; pair < PAIRS; pair += 1) {
  const ours = await timed(wasm);
  const theirs = await timed(javascript);
  if (ours.events !== events || theirs.events !== events) throw new Error("the two disagree on the events");
  pairs.push({ ours: ours.seconds, theirs: theirs.seconds, ratio: theirs.seconds / ours.seconds });
}

const rate = (seconds) => Math.round(events / seconds).toLocaleString("en");
const [ours, theirs, ratio] = ["ours", "theirs", "ratio"].map((name) => median(pairs.map((pair) => pair[name])));
console.log(`verify ${events} events, ${bytes.length} bytes, in Node ${process.version}; median of ${PAIRS} interleaved pairs`);
console.log(`  wasm             ${(ours * 1e3).toFixed(1)} ms  ${rate(ours)} events/s`);
console.log(`  pure JavaScript  ${(theirs * 1e3).toFixed(1)} ms  ${rate(theirs)} events/s`);
console.log(`  wasm is ${ratio.toFixed(1)} times as fast`);
