// What an error tells its catcher.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertSubject, ChainVerifier, CimError, parseHeaders, SubjectTemplate } from "cim-events";

import { messageOf, vectors } from "./support/vectors.mjs";

test("an error has code, message and cause", () => {
  assert.throws(
    () => assertSubject("a.b c"),
    (error) => {
      assert.ok(error instanceof CimError && error instanceof Error);
      assert.equal(error.name, "CimError");
      assert.equal(error.code, "subject-invalid");
      assert.equal(error.message, "`a.b c` is not a subject");
      assert.match(error.cause.message, /`b c` is not a token/);
      return true;
    },
  );
});

test("a chain's error has its facts as fields", () => {
  const [first, second] = vectors("events").events;
  const verifier = ChainVerifier.fromGenesis(first.aggregate);
  assert.equal(verifier.head, null);
  assert.throws(
    () => verifier.push(messageOf(second)),
    ({ code, fields }) => {
      assert.equal(code, "gap");
      assert.equal(fields.version, 2);
      assert.equal(fields.expected, 1);
      return true;
    },
  );
});

test("a head whose version is no version is refused", () => {
  const [{ aggregate, cid }] = vectors("events").events;
  for (const version of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => ChainVerifier.fromHead(aggregate, { version, cid }), { code: "number-invalid" });
  }
});

test("what the types rule out is refused, not guessed", () => {
  assert.throws(() => new SubjectTemplate({ subject: "a", constants: { entity: 1 } }), {
    code: "argument-invalid",
  });
});

test("a header's error names the header", () => {
  const [{ headers }] = vectors("events").events;
  const without = headers.filter(([name]) => name !== "CIM-Source");
  assert.throws(() => parseHeaders("stored-event", "wire", without), {
    code: "header-missing",
    fields: { header: "CIM-Source" },
  });
});
