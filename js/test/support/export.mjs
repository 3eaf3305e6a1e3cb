// Exports made here, line by line, so that a test can change any of it.

import { blake3 } from "@noble/hashes/blake3.js";
import { CID } from "multiformats/cid";
import * as dagCbor from "@ipld/dag-cbor";

import { blockOf, cidOf, subjectReader } from "../reference.mjs";

const TEMPLATE = { subject: "{organization}.{unit}.{domain}.{entity}.{id}.{operation}", constants: {} };
const HEADER = {
  format: "cim.export/v1",
  store_id: "01934f4a-7c1e-7d3a-9b52-0c4f1e2d3a4b",
  template: TEMPLATE,
  filter: null,
  exported_at: "2026-11-21T08:00:00.000000Z",
};

/** The lines of an export of the events, which have `subject`, `headers` (pairs) and `body` (bytes). */
export function exportLines(events, header = HEADER) {
  const lines = events.map(eventLine);
  return [JSON.stringify(header), ...lines, endLine(lines)];
}

export function bytesOf(lines) {
  return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
}

/** The last line for the lines of events, so that nothing else is wrong with a changed export. */
export function endLine(lines) {
  const hash = blake3.create();
  const aggregates = new Set();
  for (const line of lines) {
    const { subject, headers } = JSON.parse(line);
    hash.update(CID.parse(headers["CIM-Cid"]).bytes);
    aggregates.add(subject.split(".").slice(0, 5).join("."));
  }
  const digest = Buffer.from(hash.digest()).toString("hex");
  return JSON.stringify({ events: lines.length, aggregates: aggregates.size, digest });
}

function eventLine({ subject, headers, body }) {
  const kept = headers.filter(([name]) => /^(CIM-.*|Content-Type|traceparent|tracestate)$/.test(name));
  const pairs = kept.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  let payload;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    payload = `"body":${JSON.stringify(text)}`;
  } catch {
    payload = `"body_base64":${JSON.stringify(Buffer.from(body).toString("base64"))}`;
  }
  return `{"subject":${JSON.stringify(subject)},"headers":{${pairs.join(",")}},${payload}}`;
}

/** `count` events of aggregates with ten events each, as an export's lines. */
export function generated(count) {
  const subjects = subjectReader(TEMPLATE);
  const lines = [];
  let previous;
  for (let at = 0; at < count; at += 1) {
    const version = (at % 10) + 1;
    const id = `0132f2cd-67b4-7594-9116-${at.toString(16).padStart(12, "0")}`;
    const headers = {
      "CIM-Event-Id": id,
      "CIM-Correlation-Id": id,
      "CIM-Event-Type": "ReceiptConfirmed",
      "CIM-Timestamp": `2026-11-21T08:00:00.${String(at % 1_000_000).padStart(6, "0")}Z`,
      "CIM-Source": "cim-import",
      "Content-Type": "application/json",
      "CIM-Schema-Version": "1",
      "CIM-Aggregate-Version": String(version),
    };
    if (version > 1) headers["CIM-Previous-Cid"] = previous;
    const body = JSON.stringify({ at, note: "x".repeat(200), resource: `Resource${at % 21}` });
    const line = { subject: `local.main.events.permit.case-${Math.floor(at / 10)}.receipt-confirmed`, headers, body };
    previous = cidOf(dagCbor.encode(blockOf(line, subjects).block)).toString();
    headers["CIM-Cid"] = previous;
    lines.push(JSON.stringify(line));
  }
  return [JSON.stringify(HEADER), ...lines, endLine(lines)];
}
