// What the compiler takes and refuses of the domains; nothing of it runs.

import { Aggregate, type CommandOf, type Compute, type EventOf, type NewEvent, type StateOf } from "cim-events";

const resource = Aggregate.of("compute");
const source = "test";

resource.decide({ type: "RegisterResource", data: { hostname: "a", resource_type: "router" } }, { source });
resource.decide({ type: "ClearAccountConcept", data: {} }, { source, metadata: new Map([["Tenant", "blue"]]) });
// @ts-expect-error: there is no such command.
resource.decide({ type: "SellResource", data: {} }, { source });
// @ts-expect-error: it is a command of persons.
resource.decide({ type: "VerifyEmail", data: { email: "a@b.c" } }, { source });
// @ts-expect-error: a field is missing.
resource.decide({ type: "RegisterResource", data: { hostname: "a" } }, { source });
// @ts-expect-error: there is no such field.
resource.decide({ type: "AssignAssetTag", data: { asset_tag: "a", by: "b" } }, { source });
// @ts-expect-error: there is no such kind of thing.
resource.decide({ type: "RegisterResource", data: { hostname: "a", resource_type: "toaster" } }, { source });
// @ts-expect-error: a command has a source.
resource.decide({ type: "ClearAccountConcept", data: {} }, {});
// @ts-expect-error: there is no such entity.
Aggregate.of("lamp");

// The type of an event tells what it says.
function statusOf(event: EventOf<"compute"> | null): Compute.Status | undefined {
  return event?.type === "StatusChanged" ? event.data.to_status : undefined;
}

function hostnameOf(event: NewEvent<"compute">): Compute.Hostname | null {
  return event.eventType === "ResourceRegistered" ? event.data.hostname : null;
}

const state: StateOf<"compute"> = resource.state;
const hostname: string | null = state === "absent" ? null : state.known.hostname;
// @ts-expect-error: nobody changes a state.
if (state !== "absent") state.known.hostname = "b";

const names: readonly string[] = Aggregate.of("person").state.emails.map(({ email }) => email);

// Of no entity in particular, each command goes with its own data.
const command: CommandOf<"compute" | "person"> = { type: "VerifyEmail", data: { email: "a@b.c" } };
// @ts-expect-error: it says what another command says.
const mixed: CommandOf<"compute" | "person"> = { type: "VerifyEmail", data: { asset_tag: "a" } };
