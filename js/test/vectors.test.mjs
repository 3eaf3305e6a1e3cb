// The vectors that an implementation that is not ours made, through JavaScript.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  assertBlock,
  assertCid,
  assertSubject,
  blockOf,
  ChainVerifier,
  CimError,
  cidFromBytes,
  cidOf,
  cidOfBlock,
  cidToBytes,
  decodeMessage,
  filterMatches,
  operationOfCommand,
  operationOfEvent,
  parseHeaders,
  parseTime,
  SubjectTemplate,
} from "cim-events";

import { fromHex, messageOf, toHex, vectors } from "./support/vectors.mjs";

/** The code of the error that `attempt` throws; `null` if it throws none. */
function codeOf(attempt) {
  try {
    attempt();
    return null;
  } catch (error) {
    assert.ok(error instanceof CimError, error.stack);
    assert.notEqual(error.message, "");
    return error.code;
  }
}

describe("events.json", () => {
  const { template, events, others } = vectors("events");
  const groups = [{ template, events }, ...others];
  const cases = groups.flatMap((group) => group.events.map((event) => ({ template: group.template, event })));

  test("each event has the block and the CID of its vector", () => {
    assert.ok(events.length >= 20);
    for (const { template, event } of cases) {
      const message = messageOf(event);
      assert.equal(toHex(blockOf(message, template)), event.block_hex, event.name);
      assert.equal(cidOf(message, template), event.cid, event.name);
      assert.equal(cidOfBlock(fromHex(event.block_hex)), event.cid, event.name);
      assertBlock(fromHex(event.block_hex));
      assertCid(message, template);
    }
  });

  test("each event is decoded, and its subject built again", () => {
    for (const { template, event } of cases) {
      const { aggregate, operation, headers } = decodeMessage(messageOf(event), template);
      assert.deepEqual(aggregate, event.aggregate, event.name);
      assert.equal(headers.aggregateVersion, event.version, event.name);
      assert.equal(headers.cid, event.cid, event.name);
      assert.equal(headers.previousCid, event.previous, event.name);
      assert.deepEqual(headers, parseHeaders("stored-event", "wire", event.headers), event.name);
      const layout = new SubjectTemplate(template);
      assert.equal(layout.eventSubject(aggregate, operation), event.subject, event.name);
      assert.equal(layout.parse(event.subject).operation, operation, event.name);
    }
  });

  test("metadata is told as spelled", () => {
    for (const { event } of cases) {
      const prefix = "CIM-Meta-";
      const meta = event.headers.filter(([name]) => name.startsWith(prefix));
      const expected = meta.map(([name, value]) => [name.slice(prefix.length), value]).sort();
      const { metadata } = parseHeaders("stored-event", "wire", event.headers);
      assert.deepEqual([...metadata].sort(), expected, event.name);
    }
  });

  test("the events of each aggregate make one chain", () => {
    const verifiers = new Map();
    for (const event of events) {
      const key = JSON.stringify(event.aggregate);
      if (!verifiers.has(key)) {
        verifiers.set(
          key,
          event.starts_from
            ? ChainVerifier.fromHead(event.aggregate, event.starts_from)
            : ChainVerifier.fromGenesis(event.aggregate),
        );
      }
      const verifier = verifiers.get(key);
      const head = { version: event.version, cid: event.cid };
      assert.deepEqual(verifier.push(messageOf(event)), head, event.name);
      assert.deepEqual(verifier.head, head);
    }
    for (const verifier of verifiers.values()) verifier.free();
  });
});

describe("refused.json", () => {
  const { template, vectors: refused } = vectors("refused");
  const { events } = vectors("events");

  const refuse = {
    headers(vector) {
      const message = messageOf(vector);
      const layout = vector.template ?? template;
      if (vector.code === "cid-mismatch") {
        decodeMessage(message, layout);
        assertCid(message, layout);
      } else {
        decodeMessage(message, layout);
      }
    },
    block: ({ block_hex }) => assertBlock(fromHex(block_hex)),
    subject: ({ text }) => assertSubject(text),
    filter: ({ text }) => filterMatches(text, "a"),
    template({ text, constants, use }) {
      const layout = new SubjectTemplate({ subject: text, constants });
      if (use === "store") layout.assertStorable();
    },
    operation: (vector) =>
      (vector.for === "event" ? operationOfEvent : operationOfCommand)(vector.type, vector.entity),
  };

  for (const [kind, attempt] of Object.entries(refuse)) {
    const ofKind = refused.filter((vector) => vector.kind === kind);
    test(`${ofKind.length} of ${kind}`, () => {
      assert.notEqual(ofKind.length, 0);
      for (const vector of ofKind) {
        const expected = vector.code === "cid-mismatch" ? "wrong-cid" : vector.code;
        assert.equal(codeOf(() => attempt(vector)), expected, `${kind}: ${vector.why}`);
      }
    });
  }

  const chains = refused.filter((vector) => vector.kind === "chain");
  test(`${chains.length} of chain`, () => {
    assert.notEqual(chains.length, 0);
    for (const { aggregate, from, events: listed, at, code, why } of chains) {
      const verifier =
        from === null ? ChainVerifier.fromGenesis(aggregate) : ChainVerifier.fromHead(aggregate, from);
      listed.forEach((entry, index) => {
        if (index > at) return;
        const message = messageOf(typeof entry === "number" ? events[entry] : entry);
        const before = verifier.head;
        const found = codeOf(() => verifier.push(message));
        assert.equal(found, index === at ? code : null, `${why}: event ${index}`);
        if (found !== null) assert.deepEqual(verifier.head, before, why);
      });
    }
  });

  test("no kind is left out", () => {
    const kinds = new Set(refused.map(({ kind }) => kind));
    assert.deepEqual([...kinds].sort(), [...Object.keys(refuse), "chain"].sort());
  });
});

test("operations.json", () => {
  for (const { kind, type, entity, operation, error } of vectors("operations").vectors) {
    const operationOf = kind === "event" ? operationOfEvent : operationOfCommand;
    if (error === undefined) assert.equal(operationOf(type, entity), operation, `${type} of ${entity}`);
    else assert.equal(codeOf(() => operationOf(type, entity)), error, `${type} of ${entity}`);
  }
});

test("cids.json", () => {
  for (const { cid, bytes_hex, of_hex, of } of vectors("cids").vectors) {
    assert.equal(toHex(cidToBytes(cid)), bytes_hex, of);
    assert.equal(cidFromBytes(fromHex(bytes_hex)), cid, of);
    if (of_hex !== undefined) assert.equal(cidOfBlock(fromHex(of_hex)), cid, of);
  }
});

test("timestamps.json", () => {
  const { accepted, refused } = vectors("timestamps");
  for (const { input, canonical, micros, offset_missing } of accepted) {
    const expected = { canonical, micros: BigInt(micros), offsetMissing: offset_missing };
    assert.deepEqual(parseTime(input), expected, input);
  }
  for (const { input, code } of refused) assert.equal(codeOf(() => parseTime(input)), code, input);
});

test("filters.json", () => {
  for (const { filter, subject, matches } of vectors("filters").vectors) {
    assert.equal(filterMatches(filter, subject), matches, `${filter} ${subject}`);
  }
});
