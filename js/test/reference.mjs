// A verification of exports that shares no code with ours: DESIGN section 3 in plain JavaScript, with
// `@ipld/dag-cbor`, `multiformats` and `@noble/hashes`. It knows valid exports and says of others which
// line is wrong; it does not check every spelling of every header.

import * as dagCbor from "@ipld/dag-cbor";
import { blake3 } from "@noble/hashes/blake3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { CID } from "multiformats/cid";
import * as digest from "multiformats/hashes/digest";

const BLAKE3 = 0x1e;
const utf8 = new TextEncoder();

/** Verifies an export; throws `{ line, code }` for the first fault. */
export function verifyReference(bytes) {
  const lines = new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
  if (lines.pop() !== "") throw fault(lines.length, "cut");
  const { template, filter } = JSON.parse(lines[0]);
  const subjects = subjectReader(template);
  const heads = new Map();
  const cids = blake3.create();
  for (let at = 1; at < lines.length - 1; at += 1) {
    const line = JSON.parse(lines[at]);
    if (line.headers === undefined) throw fault(at + 1, "cut");
    const { block, cid: named } = blockOf(line, subjects);
    const cid = cidOf(dagCbor.encode(block));
    if (cid.toString() !== named) throw fault(at + 1, "wrong-cid");
    const key = `${block.ns}.${block.agg}.${block.key}`;
    if (filter === null || filter === undefined) checkLink(heads.get(key), block, at + 1);
    heads.set(key, { version: block.seq, cid });
    cids.update(cid.bytes);
  }
  const count = lines.length - 2;
  const end = JSON.parse(lines.at(-1));
  const found = { events: count, aggregates: heads.size, digest: bytesToHex(cids.digest()) };
  for (const [name, value] of Object.entries(found)) {
    if (end[name] !== value) throw fault(lines.length, "end");
  }
  return { ...found, heads };
}

/** The CID of a block. */
export function cidOf(block) {
  return CID.createV1(dagCbor.code, digest.create(BLAKE3, blake3(block)));
}

/** The block of an event of an export, and the CID that it names. */
export function blockOf({ subject, headers, body, body_base64 }, subjects) {
  const fields = subjects(subject);
  const previous = headers["CIM-Previous-Cid"];
  const causation = headers["CIM-Causation-Id"];
  const block = {
    v: 1,
    ns: `${fields.organization}.${fields.unit}.${fields.domain}`,
    agg: fields.entity,
    key: fields.id,
    seq: Number(headers["CIM-Aggregate-Version"]),
    prev: previous === undefined ? null : CID.parse(previous),
    id: uuid(headers["CIM-Event-Id"]),
    cor: uuid(headers["CIM-Correlation-Id"]),
    cau: causation === undefined ? null : uuid(causation),
    type: headers["CIM-Event-Type"],
    tv: Number(headers["CIM-Schema-Version"]),
    op: fields.operation,
    time: micros(headers["CIM-Timestamp"]),
    src: headers["CIM-Source"],
    ct: headers["Content-Type"],
    meta: metadata(headers),
    data: body === undefined ? Buffer.from(body_base64, "base64") : utf8.encode(body),
  };
  return { block, cid: headers["CIM-Cid"] };
}

/** Reads subjects by a template. */
export function subjectReader({ subject: template, constants = {} }) {
  const parts = template.split(".").map((token) => /^\{(.*)\}$/.exec(token)?.[1] ?? null);
  return (subject) => {
    const fields = { ...constants };
    subject.split(".").forEach((token, at) => {
      if (parts[at] !== null) fields[parts[at]] = token;
    });
    return fields;
  };
}

function checkLink(head, block, line) {
  const version = (head?.version ?? 0) + 1;
  if (block.seq < version) throw fault(line, "duplicate");
  if (block.seq > version) throw fault(line, "gap");
  if (String(block.prev) !== String(head?.cid ?? null)) throw fault(line, "broken-link");
}

function uuid(text) {
  return Buffer.from(text.replaceAll("-", ""), "hex");
}

/** Microseconds as a number; those that a number does not hold exactly as a bigint. */
function micros(text) {
  const value = BigInt(Date.parse(`${text.slice(0, 23)}Z`)) * 1000n + BigInt(text.slice(23, 26));
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function metadata(headers) {
  const names = Object.keys(headers).filter((name) => name.startsWith("CIM-Meta-"));
  return Object.fromEntries(names.map((name) => [name.slice("CIM-Meta-".length), headers[name]]));
}

function fault(line, code) {
  return Object.assign(new Error(`line ${line}: ${code}`), { line, code });
}
