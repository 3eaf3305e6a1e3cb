// Which headers a message needs: by its kind, and by where it stands.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseHeaders, SubjectTemplate } from "cim-events";

import { vectors } from "./support/vectors.mjs";

const [{ headers }] = vectors("events").events;
const PLACE = ["CIM-Aggregate-Version", "CIM-Cid", "CIM-Previous-Cid"];

function without(...names) {
  return headers.filter(([name]) => !names.includes(name));
}

test("an event outside a store and a command have no place in a history", () => {
  for (const kind of ["published-event", "command"]) {
    const { aggregateVersion, cid, eventType } = parseHeaders(kind, "wire", without(...PLACE));
    assert.deepEqual([aggregateVersion, cid, eventType], [null, null, "KeyGenerated"]);
  }
  assert.throws(() => parseHeaders("stored-event", "wire", without(...PLACE)), { code: "header-missing" });
});

test("an export has no message id, the wire has one", () => {
  const bare = without("Nats-Msg-Id");
  assert.equal(parseHeaders("stored-event", "export", bare).aggregateVersion, 1);
  assert.throws(() => parseHeaders("stored-event", "wire", bare), { code: "header-missing" });
});

test("headers may be a map, and are not changed", () => {
  assert.deepEqual(
    parseHeaders("stored-event", "wire", new Map(headers)),
    parseHeaders("stored-event", "wire", headers),
  );
});

test("a command's subject is built and read", () => {
  const commands = new SubjectTemplate({
    subject: "{organization}.{unit}.{domain}.{entity}.{operation}",
  });
  const subject = commands.commandSubject("cowboyai.security.keys", "operator", "create");
  assert.equal(subject, "cowboyai.security.keys.operator.create");
  assert.deepEqual(commands.parse(subject), {
    organization: "cowboyai",
    unit: "security",
    domain: "keys",
    entity: "operator",
    operation: "create",
  });
  assert.throws(() => commands.assertStorable(), { code: "template-not-storable" });
});
