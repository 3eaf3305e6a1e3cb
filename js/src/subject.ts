/** Subjects, their templates and filters, and the operation token at their end. */

import { call } from "./binding.js";

/** The full key of an aggregate. */
export interface AggregateKey {
  /** `organization.unit.domain`. */
  readonly namespace: string;
  readonly entity: string;
  readonly id: string;
}

/** Where the fields of an event stand in its subject, as `cim.toml` and exports write it. */
export interface Template {
  readonly subject: string;
  readonly constants?: Readonly<Partial<Record<Field, string>>>;
}

/** A field that a template may show or hold constant. */
export type Field = "organization" | "unit" | "domain" | "entity" | "id" | "operation";

/** The template that stores have unless told otherwise. */
export const CANONICAL_EVENTS: Template = {
  subject: "{organization}.{unit}.{domain}.{entity}.{id}.{operation}",
  constants: {},
};

/** Builds and reads subjects by a template. */
export class SubjectTemplate {
  readonly #text: string;

  constructor(template: Template = CANONICAL_EVENTS) {
    this.#text = call((wasm) => wasm.checkTemplate(templateText(template)));
  }

  /** Refuses a template whose subjects do not tell the whole key of an aggregate. */
  assertStorable(): void {
    call((wasm) => wasm.checkStoreTemplate(this.#text));
  }

  /** The subject of an aggregate's event. */
  eventSubject(aggregate: AggregateKey, operation: string): string {
    const { namespace, entity, id } = aggregate;
    return call((wasm) => wasm.eventSubject(this.#text, namespace, entity, id, operation));
  }

  /** The subject of a command, or of an event outside a store. */
  commandSubject(namespace: string, entity: string, operation: string): string {
    return call((wasm) => wasm.commandSubject(this.#text, namespace, entity, operation));
  }

  /** The fields that `subject` and the constants tell. */
  parse(subject: string): Partial<Record<Field, string>> {
    return JSON.parse(call((wasm) => wasm.parseSubject(this.#text, subject)));
  }

  toJSON(): Template {
    return JSON.parse(this.#text);
  }
}

/** Refuses a text that is not a subject. */
export function assertSubject(text: string): void {
  call((wasm) => wasm.checkSubject(text));
}

/** Whether `filter` (with `*` and `>`) matches `subject`, as the NATS server has it. */
export function filterMatches(filter: string, subject: string): boolean {
  return call((wasm) => wasm.filterMatches(filter, subject));
}

/** The default operation token of an event's type. */
export function operationOfEvent(eventType: string, entity: string): string {
  return call((wasm) => wasm.operationOfEvent(eventType, entity));
}

/** The default operation token of a command's type. */
export function operationOfCommand(commandType: string, entity: string): string {
  return call((wasm) => wasm.operationOfCommand(commandType, entity));
}

/** @internal */
export function templateText(template: Template | SubjectTemplate): string {
  if (template instanceof SubjectTemplate) return JSON.stringify(template);
  const { subject, constants = {} } = template;
  return JSON.stringify({ subject, constants });
}
