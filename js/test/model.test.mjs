// The domains: states and decisions as natively, byte for byte, and what is refused.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Aggregate, CimError, createId, diagramsOf, entities } from "cim-events";
import * as cim from "cim-events";

import { messageOf, optionsOf, run } from "./support/models.mjs";
import { vectors } from "./support/vectors.mjs";

const { lives } = vectors("models");
const [life] = lives;
const register = { type: "RegisterResource", data: { hostname: "db-1", resource_type: "virtual_machine" } };

function refusedWith(code, fields) {
  return (error) => {
    assert.ok(error instanceof CimError, error);
    assert.equal(error.code, code);
    if (fields !== undefined) assert.deepEqual(error.fields, fields);
    return true;
  };
}

/** The first life's aggregate, and its messages. */
function begun(count) {
  const messages = life.steps.flatMap(({ events }) => events.map(messageOf));
  const aggregate = Aggregate.of(life.aggregate.entity);
  for (const message of messages.slice(0, count)) aggregate.push(message);
  return { aggregate, messages };
}

test("the same commands give the same events and states as natively", () => {
  const checks = run(cim, vectors("models"));
  assert.ok(checks.length > 400, `${checks.length}`);
  for (const [what, expected, found] of checks) assert.deepEqual(found, expected, what);
});

test("every entity has vectors and diagrams", () => {
  assert.deepEqual([...new Set(lives.map(({ aggregate }) => aggregate.entity))], entities());
  for (const entity of entities()) {
    const diagrams = diagramsOf(entity);
    assert.notEqual(diagrams.length, 0);
    for (const { title, mermaid } of diagrams) {
      assert.notEqual(title, "");
      assert.match(mermaid, /^stateDiagram-v2\n/);
    }
  }
});

test("before its first event an aggregate is nobody's", () => {
  const aggregate = Aggregate.of("compute");
  assert.deepEqual([aggregate.state, aggregate.version], ["absent", 0]);
  assert.deepEqual([aggregate.head, aggregate.key, aggregate.snapshot()], [null, null, null]);
});

test("ids and times are drawn where none are given", () => {
  const aggregate = Aggregate.of("compute");
  const before = Date.now();
  const [[one], [other]] = [0, 1].map(() => aggregate.decide(register, { source: "test" }));
  assert.notEqual(one.id, other.id);
  assert.notEqual(one.causationId, other.causationId);
  assert.equal(one.correlationId, one.causationId);
  const time = Date.parse(one.timestamp);
  assert.ok(before <= time && time <= Date.now(), one.timestamp);
  assert.equal(Number.parseInt(one.causationId.replaceAll("-", "").slice(0, 12), 16), time);
  assert.equal(aggregate.version, 0);
});

test("an id follows from a time and entropy", () => {
  const options = { timestamp: "2026-11-21T08:00:00.123456Z", entropy: new Uint8Array(10).fill(7) };
  const id = createId(options);
  assert.equal(id, createId({ ...options, timestamp: new Date("2026-11-21T09:00:00.123+01:00") }));
  assert.match(id, /^01a1fd1e-8c7b-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.throws(() => createId({ entropy: new Uint8Array(9) }), refusedWith("argument-invalid"));
  assert.throws(() => createId({ timestamp: "soon" }), refusedWith("time-invalid"));
});

test("an event has the conversation, the metadata and the trace of its command", () => {
  const { command } = life.steps[0];
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const options = {
    ...optionsOf(command),
    causationId: "01934f4a-2000-7000-8000-000000002000",
    correlationId: "01934f4a-3000-7000-8000-000000003000",
    metadata: new Map([["Tenant", "blue"]]),
    traceparent,
  };
  const [event] = Aggregate.of("compute").decide(register, options);
  assert.deepEqual([event.correlationId, event.causationId], [options.correlationId, command.id]);
  assert.deepEqual([...event.metadata], [["Tenant", "blue"]]);
  assert.deepEqual([event.traceparent, event.tracestate], [traceparent, null]);
  assert.deepEqual(event.data, { ...register.data, tags: [] });
});

test("an event that does not continue the history changes nothing", () => {
  const { aggregate, messages } = begun(2);
  const before = aggregate.snapshot();
  assert.throws(() => aggregate.push(messages[0]), refusedWith("duplicate"));
  assert.throws(() => aggregate.push(messages[3]), ({ code, fields }) => {
    assert.deepEqual([code, fields.expected, fields.found], ["gap", 3, 4]);
    return true;
  });
  const altered = { ...messages[2], body: messages[2].body.map((byte) => byte ^ 1) };
  assert.throws(() => aggregate.push(altered), refusedWith("wrong-cid"));
  assert.deepEqual(aggregate.snapshot(), before);
  assert.equal(aggregate.push(messages[2]).version, 3);
});

test("an aggregate of another entity is refused", () => {
  const { messages } = begun(0);
  const person = Aggregate.of("person");
  const fields = { expected: "person", found: "compute" };
  assert.throws(() => person.push(messages[0]), refusedWith("wrong-entity", fields));
  assert.equal(person.key, null);
  const known = entities();
  assert.throws(() => Aggregate.of("lamp"), refusedWith("entity-unknown", { entity: "lamp", known }));
  assert.throws(() => diagramsOf("lamp"), refusedWith("entity-unknown"));
});

test("a snapshot of another form is refused", () => {
  const snapshot = begun(3).aggregate.snapshot();
  const restore = (change) => Aggregate.restore({ ...snapshot, ...change });
  assert.deepEqual(restore({}).snapshot(), snapshot);
  assert.throws(() => restore({ stateVersion: snapshot.stateVersion + 1 }), refusedWith("snapshot-state-version"));
  assert.throws(() => restore({ state: "7" }), refusedWith("state-invalid"));
  assert.throws(() => restore({ state: { absent: null } }), refusedWith("argument-invalid"));
  assert.throws(() => restore({ head: { version: 0, cid: snapshot.head.cid } }), refusedWith("number-invalid"));
  assert.throws(() => restore({ aggregate: { ...snapshot.aggregate, entity: "lamp" } }), refusedWith("entity-unknown"));
});

test("what goes with a command is checked as in headers", () => {
  const aggregate = Aggregate.of("compute");
  const refused = (options, code) =>
    assert.throws(() => aggregate.decide(register, { source: "test", ...options }), refusedWith(code));
  refused({ source: "" }, "header-value");
  refused({ source: undefined }, "argument-invalid");
  refused({ id: "7" }, "id-invalid");
  refused({ timestamp: "1969-01-01T00:00:00Z" }, "time-before-1970");
  refused({ correlationId: "7" }, "id-invalid");
  refused({ metadata: [["no name", "v"]] }, "metadata-name");
  refused({ metadata: [["A", "1"], ["a", "2"]] }, "metadata-repeated");
  refused({ metadata: [["A", 1]] }, "argument-invalid");
  for (const data of [undefined, Symbol("none")]) {
    assert.throws(() => aggregate.decide({ ...register, data }, { source: "test" }), refusedWith("command-invalid"));
  }
  const misspelled = { ...register, data: { ...register.data, tag: [] } };
  const fields = { commandType: "RegisterResource" };
  assert.throws(() => aggregate.decide(misspelled, { source: "test" }), (error) => {
    assert.match(error.cause.message, /unknown field `tag`/);
    return refusedWith("command-invalid", fields)(error);
  });
});

test("the README's example runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, example] = readme.split("## Domains")[1].match(/```js\n(.*?)```/s);
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const printed = execFileSync(process.execPath, ["--input-type=module", "--eval", example], { cwd, encoding: "utf8" });
  assert.match(printed, /^ResourceRegistered resourceregistered \{"hostname":"db-1"/);
});
