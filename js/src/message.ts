/** Messages: an event's headers, its block and its CID. */

import { call } from "./binding.js";
import { type AggregateKey, CANONICAL_EVENTS, type Template, templateText } from "./subject.js";

/** A header's name and value. */
export type Header = readonly [name: string, value: string];

/** What a message is; it decides which headers must be there. */
export type Kind = "stored-event" | "published-event" | "command";

/** Where a message stands: on the wire with `Nats-Msg-Id`, or in an export without. */
export type Carrier = "wire" | "export";

/** An event as a message. */
export interface Message {
  readonly subject: string;
  /** In any order; a name may stand twice, and is then refused. */
  readonly headers: Iterable<Header>;
  /** The payload, exactly as its producer wrote it. */
  readonly body: Uint8Array;
}

/** The headers of a message, read and checked. */
export interface Headers {
  readonly eventId: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly eventType: string;
  readonly timestamp: string;
  readonly source: string;
  readonly contentType: string;
  readonly schemaVersion: number;
  /** Only of a stored event, as are the two CIDs. */
  readonly aggregateVersion: number | null;
  readonly cid: string | null;
  readonly previousCid: string | null;
  readonly metadata: ReadonlyMap<string, string>;
  readonly traceparent: string | null;
  readonly tracestate: string | null;
}

/** A stored event, decoded; its CID is what its message says, unproven. */
export interface RecordedEvent {
  readonly aggregate: AggregateKey;
  readonly operation: string;
  readonly headers: Headers;
}

/** Reads and checks the headers of a message. */
export function parseHeaders(kind: Kind, carrier: Carrier, headers: Iterable<Header>): Headers {
  return reviveHeaders(call((wasm) => wasm.parseHeaders(kind, carrier, headersText(headers))));
}

/** Reads a stored event from its message; whether its CID is right, {@link assertCid} says. */
export function decodeMessage(
  message: Message,
  template: Template = CANONICAL_EVENTS,
  carrier: Carrier = "wire",
): RecordedEvent {
  const text = call((wasm) =>
    wasm.decodeMessage(templateText(template), carrier, message.subject, headersText(message.headers), message.body),
  );
  const { aggregate, operation, headers } = JSON.parse(text);
  return { aggregate, operation, headers: revive(headers) };
}

/** The block of a stored event: the canonical bytes that its CID is the hash of. */
export function blockOf(
  message: Message,
  template: Template = CANONICAL_EVENTS,
  carrier: Carrier = "wire",
): Uint8Array {
  return call((wasm) =>
    wasm.blockOf(templateText(template), carrier, message.subject, headersText(message.headers), message.body),
  );
}

/** The CID that a stored event's content has, whatever its header says. */
export function cidOf(
  message: Message,
  template: Template = CANONICAL_EVENTS,
  carrier: Carrier = "wire",
): string {
  return cidOfBlock(blockOf(message, template, carrier));
}

/** Refuses (`wrong-cid`) a stored event whose content does not have the CID that it names. */
export function assertCid(
  message: Message,
  template: Template = CANONICAL_EVENTS,
  carrier: Carrier = "wire",
): void {
  call((wasm) =>
    wasm.checkCid(templateText(template), carrier, message.subject, headersText(message.headers), message.body),
  );
}

/** The CID of a block's bytes. */
export function cidOfBlock(block: Uint8Array): string {
  return call((wasm) => wasm.cidOfBlock(block));
}

/** Refuses bytes that are not the canonical block of an event. */
export function assertBlock(block: Uint8Array): void {
  call((wasm) => wasm.checkBlock(block));
}

/** The 36 bytes of a CID's text. */
export function cidToBytes(cid: string): Uint8Array {
  return call((wasm) => wasm.cidToBytes(cid));
}

/** The text of a CID's 36 bytes. */
export function cidFromBytes(bytes: Uint8Array): string {
  return call((wasm) => wasm.cidFromBytes(bytes));
}

/** @internal */
export function headersText(headers: Iterable<Header>): string {
  return JSON.stringify([...headers]);
}

function reviveHeaders(text: string): Headers {
  return revive(JSON.parse(text));
}

/** Metadata becomes a map: an object would reorder numeric names and own others. */
function revive(raw: Omit<Headers, "metadata"> & { metadata: [string, string][] }): Headers {
  return { ...raw, metadata: new Map(raw.metadata) };
}
