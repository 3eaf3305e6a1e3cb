/** The domains: the state that a history leads to, and the events that a command leads to. */

import type { Aggregate as Inner } from "../wasm/node/cim_wasm.js";
import { call } from "./binding.js";
import { type ChainOptions, type Head, settings } from "./chain.js";
import type { Models } from "./domains.js";
import { headersText, type Message } from "./message.js";
import type { AggregateKey } from "./subject.js";

/** The entities that have a model. */
export type Entity = keyof Models;

/** The commands of an entity. */
export type CommandOf<E extends Entity> = E extends Entity ? Typed<Models[E]["commands"]> : never;

/** The events of an entity, as their schemas are today. */
export type EventOf<E extends Entity> = E extends Entity ? Typed<Models[E]["events"]> : never;

/** The state of an entity's aggregates. */
export type StateOf<E extends Entity> = Models[E]["state"];

/** One of several types by its name, and what it says. */
type Typed<Types> = { readonly [T in keyof Types]: { readonly type: T; readonly data: Types[T] } }[keyof Types];

/** An event that was decided and is not stored. */
export type NewEvent<E extends Entity = Entity> = E extends Entity ? Decided<Models[E]["events"]> : never;

type Decided<Types> = {
  readonly [T in keyof Types]: EventHeaders & {
    readonly eventType: T;
    /** What the body says. */
    readonly data: Types[T];
  };
}[keyof Types];

/** What each new event has, whatever it says. */
export interface EventHeaders {
  /** It follows from the command's id, so that a repeated command makes the same events. */
  readonly id: string;
  readonly correlationId: string;
  /** The command's id. */
  readonly causationId: string;
  readonly operation: string;
  readonly schemaVersion: number;
  readonly timestamp: string;
  readonly source: string;
  readonly contentType: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly traceparent: string | null;
  readonly tracestate: string | null;
  /** The payload, byte for byte as it is to be stored. */
  readonly body: Uint8Array;
}

/** What goes with a command. */
export interface DecideOptions {
  /** The service that decides. */
  readonly source: string;
  /** The command's id, a UUID of version 7; drawn anew by default. */
  readonly id?: string;
  /** When it was given, which is when its events happened; now by default. A text may have microseconds. */
  readonly timestamp?: Date | string;
  /** The conversation that it belongs to; by default it begins one. */
  readonly correlationId?: string;
  /** The event or command that caused it. */
  readonly causationId?: string;
  readonly metadata?: Iterable<readonly [name: string, value: string]>;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Where an id comes from. */
export interface IdOptions {
  /** The time that it tells, in milliseconds; now by default. */
  readonly timestamp?: Date | string;
  /** 10 bytes of chance; the platform's by default. */
  readonly entropy?: Uint8Array;
}

/** A state and its place in the history, to be kept as JSON. It has no seal: keep it where you keep secrets. */
export interface Snapshot<E extends Entity = Entity> {
  readonly aggregate: AggregateKey & { readonly entity: E };
  readonly head: Head;
  /** The version of the state's form; a program with another one refuses the snapshot. */
  readonly stateVersion: number;
  /** The state as JSON, byte for byte. */
  readonly state: string;
}

/** A state machine, drawn. */
export interface Diagram {
  readonly title: string;
  /** A document of Mermaid. */
  readonly mermaid: string;
}

/**
 * One aggregate: its stored events come in, its state is seen, and commands are decided on it.
 *
 * Each event is verified as by a `ChainVerifier`, brought to the schema of today and folded.
 */
export class Aggregate<E extends Entity> {
  readonly #inner: Inner;

  private constructor(inner: Inner) {
    this.#inner = inner;
  }

  /** Expects the history of an aggregate from its first event, which says whose it is. */
  static of<E extends Entity>(entity: E, options: ChainOptions = {}): Aggregate<E> {
    const [template, carrier] = settings(options);
    return new Aggregate(call((wasm) => new wasm.Aggregate(entity, template, carrier)));
  }

  /** Goes on from a snapshot, which is trusted. */
  static restore<E extends Entity>(snapshot: Snapshot<E>, options: ChainOptions = {}): Aggregate<E> {
    const [template, carrier] = settings(options);
    const text = JSON.stringify(snapshot);
    return new Aggregate(call((wasm) => wasm.Aggregate.restore(text, template, carrier)));
  }

  /** Takes the next stored event, or throws what is wrong with it; then nothing is changed. */
  push(message: Message): Head {
    const { subject, headers, body } = message;
    return JSON.parse(call(() => this.#inner.push(subject, headersText(headers), body)));
  }

  /** The state after the last event; a new object each time. */
  get state(): StateOf<E> {
    return JSON.parse(call(() => this.#inner.state));
  }

  /** The version of the last event; 0 before the first. */
  get version(): number {
    return this.head?.version ?? 0;
  }

  /** The last event; `null` before the first. */
  get head(): Head | null {
    return JSON.parse(call(() => this.#inner.head));
  }

  /** Whose history it is; `null` before the first event. */
  get key(): (AggregateKey & { readonly entity: E }) | null {
    return JSON.parse(call(() => this.#inner.key));
  }

  /** What {@link Aggregate.restore} goes on from; `null` before the first event. */
  snapshot(): Snapshot<E> | null {
    return JSON.parse(call(() => this.#inner.snapshot()));
  }

  /**
   * The events that a command leads to: none where there is nothing to do. Nothing is changed; append the
   * events, and push them when they are stored.
   *
   * A refusal of the domain is thrown with its code.
   */
  decide({ type, data }: CommandOf<E>, options: DecideOptions): NewEvent<E>[] {
    const { timestamp = new Date(), id = createId({ timestamp }), metadata = [], ...rest } = options;
    const envelope = { ...rest, id, timestamp: timeText(timestamp), metadata: [...metadata] };
    // What has no JSON is refused by the core, as other data is that is none.
    const payload = JSON.stringify(data) ?? "null";
    const text = call(() => this.#inner.decide(type as string, payload, JSON.stringify(envelope)));
    return (JSON.parse(text) as Raw[]).map((raw) => revive<E>(raw));
  }

  /** Frees the memory of the aggregate, at once instead of with the garbage. */
  free(): void {
    this.#inner.free();
  }
}

/** Draws an id for an event or a command: a UUID of version 7. */
export function createId({ timestamp = new Date(), entropy }: IdOptions = {}): string {
  const bytes = entropy ?? crypto.getRandomValues(new Uint8Array(10));
  return call((wasm) => wasm.createId(timeText(timestamp), bytes));
}

/** The entities that have a model. */
export function entities(): Entity[] {
  return call((wasm) => wasm.entities()) as Entity[];
}

/** The state machines of an entity. */
export function diagramsOf(entity: Entity): Diagram[] {
  return JSON.parse(call((wasm) => wasm.diagramsOf(entity)));
}

function timeText(time: Date | string): string {
  return typeof time === "string" ? time : time.toISOString();
}

type Raw = { readonly metadata: [string, string][]; readonly body: string };

/** Metadata becomes a map, as of headers, and the body bytes. */
function revive<E extends Entity>(raw: Raw): NewEvent<E> {
  const { body, metadata } = raw;
  const made = { ...raw, metadata: new Map(metadata), data: JSON.parse(body), body: new TextEncoder().encode(body) };
  return made as unknown as NewEvent<E>;
}
