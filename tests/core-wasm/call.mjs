// Calls a bare module of the core, which gets nothing to import: `node tests/core-wasm/call.mjs MODULE`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const [, , path] = process.argv;
const { instance } = await WebAssembly.instantiate(await readFile(path), {});
const core = instance.exports;

/** Gives bytes or text to a function of the module and returns its answer. */
function call(name, given) {
  const bytes = typeof given === "string" ? new TextEncoder().encode(given) : given;
  const at = core.input(bytes.length);
  new Uint8Array(core.memory.buffer, at, bytes.length).set(bytes);
  const length = core[name]();
  const answer = new TextDecoder().decode(new Uint8Array(core.memory.buffer, core.output(), length));
  assert(!answer.startsWith("error: "), `${name}: ${answer}`);
  return answer;
}

const vectors = JSON.parse(await readFile(new URL("../vectors/events.json", import.meta.url), "utf8"));
const { template, events } = vectors;

// Every vector has its block and its CID.
const blocks = JSON.parse(call("blocks", JSON.stringify({ template, events })));
assert.deepEqual(
  blocks,
  events.map(({ block_hex, cid }) => ({ block_hex, cid })),
);

// Histories that are whole can be exported, verified and folded.
const nameOf = ({ aggregate: { namespace, entity, id } }) => `${namespace}.${entity}.${id}`;
const cut = new Set(events.filter((event) => "starts_from" in event).map(nameOf));
const whole = events.filter((event) => !cut.has(nameOf(event)));
const file = call("make_export", JSON.stringify({ template, events: whole }));
const report = JSON.parse(call("verify_export", file));
assert.deepEqual([report.ok, report.events, report.verified], [true, whole.length, "chain"]);

const histories = JSON.parse(call("histories", file));
const expected = {};
for (const event of whole) {
  expected[nameOf(event)] = { events: event.version, head: event.cid };
}
assert.deepEqual(histories, expected);

// And one changed byte is found.
const changed = file.replace("ed25519", "ed25518");
assert.notEqual(changed, file);
assert.equal(JSON.parse(call("verify_export", changed)).error.code, "wrong-cid");

// Keys, tokens and creds are the same as natively.
const identity = JSON.parse(await readFile(new URL("../vectors/identity.json", import.meta.url), "utf8"));
const tokens = JSON.parse(call("tokens", JSON.stringify(identity.tokens)));
assert.deepEqual(
  tokens,
  identity.tokens.map(({ token }) => token),
);
const creds = identity.tokens.map(({ creds }) => creds).filter((text) => text !== null);
assert.notEqual(creds.length, 0);
for (const text of creds) assert.equal(call("creds", text), text);

// And so are the domains' decisions and states.
const models = JSON.parse(await readFile(new URL("../vectors/models.json", import.meta.url), "utf8"));
let decided = 0;
for (const { aggregate, steps, state } of models.lives) {
  const commands = steps.map(({ command }) => ({ ...command, data: JSON.stringify(command.data) }));
  const asked = { entity: aggregate.entity, template: models.template, snapshot: null, events: [], commands };
  const found = JSON.parse(call("models", JSON.stringify({ ...asked, aggregate: nameOf({ aggregate }) })));
  const answers = steps.map(({ events, refused }) => refused ?? events);
  assert.deepEqual(found, { state, answers });
  decided += commands.length;
}
assert.notEqual(decided, 0);

console.log(
  `The bare module made ${blocks.length} blocks, verified and folded ${whole.length} events, issued ${tokens.length} tokens, and decided ${decided} commands.`,
);
