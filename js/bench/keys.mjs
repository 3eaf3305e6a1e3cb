// Keys in Node, wasm against pure JavaScript (npm `@nats-io/nkeys`): the median of interleaved pairs.
// Run: node bench/keys.mjs

import * as nkeys from "@nats-io/nkeys";
import * as cim from "cim-events";

const PAIRS = 7;
const COUNT = 100;

const message = new TextEncoder().encode("a nonce of a server, and some more of it");
const seed = cim.createKey("user");
const account = cim.createKey("account");
const pair = nkeys.fromSeed(seed);
const publicKey = cim.publicKeyOf(seed);
const signature = cim.sign(seed, message);

function timed(run) {
  const start = process.hrtime.bigint();
  for (let count = 0; count < COUNT; count += 1) run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(numbers) {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1];
}

function rate(seconds) {
  return Math.round(COUNT / seconds).toLocaleString("en").padStart(8);
}

function compare(what, wasm, javascript) {
  const pairs = [];
  for (let at = 0; at <= PAIRS; at += 1) {
    const [ours, theirs] = [timed(wasm), timed(javascript)];
    // The first run of each compiles it.
    if (at > 0) pairs.push({ ours, theirs, ratio: theirs / ours });
  }
  const [ours, theirs, ratio] = ["ours", "theirs", "ratio"].map((name) => median(pairs.map((each) => each[name])));
  console.log(`  ${what.padEnd(16)} wasm ${rate(ours)}/s  @nats-io/nkeys ${rate(theirs)}/s  ${ratio.toFixed(1)} times as fast`);
}

console.log(`keys in Node ${process.version}; median of ${PAIRS} interleaved pairs of ${COUNT}`);
compare(
  "key generation",
  () => cim.publicKeyOf(cim.createKey("user")),
  () => nkeys.createUser().getPublicKey(),
);
compare("signing", () => cim.sign(seed, message), () => pair.sign(message));
compare(
  "verification",
  () => cim.verify(publicKey, message, signature),
  () => nkeys.fromPublic(publicKey).verify(message, signature),
);
const tokens = timed(() => cim.createUser({ name: "u", account }));
console.log(`  users with their tokens, checked and signed: ${rate(tokens).trim()}/s`);
