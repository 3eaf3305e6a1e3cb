// The vectors of models, run on the package; in Node and in browsers alike.

function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The message of an event. */
export function messageOf({ subject, headers, body_hex }) {
  return { subject, headers, body: fromHex(body_hex) };
}

/** The options of `decide` that a vector's command is. */
export function optionsOf({ id, correlation, causation, timestamp, source, metadata }) {
  const cause = causation === null ? {} : { causationId: causation };
  return { id, correlationId: correlation, ...cause, timestamp, source, metadata };
}

/** What a new event has, for a comparison with its message: headers but for its place, and the body. */
function decided({ id, body, data, metadata, operation, ...rest }) {
  return { ...rest, eventId: id, metadata: [...metadata], body: toHex(body), operation };
}

function stored(cim, message) {
  const { operation, headers } = cim.decodeMessage(message);
  const { aggregateVersion, cid, previousCid, metadata, ...rest } = headers;
  return { ...rest, metadata: [...metadata], body: toHex(message.body), operation };
}

/** Runs all vectors; gives `[what, expected, found]` of each. */
export function run(cim, { template, lives, histories, refused }) {
  const checks = [];
  const check = (what, expected, found) => checks.push([what, expected, found]);
  const sorted = (object) => JSON.stringify(Object.fromEntries(Object.entries(object).sort()));

  for (const [number, { aggregate, steps, head, state, state_version }] of lives.entries()) {
    const { entity } = aggregate;
    const life = cim.Aggregate.of(entity, { template });
    const snapshots = [];
    for (const [step, { command, events, refused: why }] of steps.entries()) {
      const what = `${entity} ${number}, step ${step}`;
      const messages = events.map(messageOf);
      try {
        const made = life.decide(command, optionsOf(command));
        check(`${what}: accepted`, null, why);
        check(what, messages.map((it) => sorted(stored(cim, it))), made.map((it) => sorted(decided(it))));
        for (const { body, data } of made) {
          check(`${what}: data`, JSON.parse(new TextDecoder().decode(body)), data);
        }
      } catch (error) {
        check(`${what}: refused`, why, { code: error.code, message: error.message });
      }
      for (const message of messages) life.push(message);
      snapshots.push([life.snapshot(), step + 1]);
    }
    const end = { aggregate, head, stateVersion: state_version, state };
    check(`${entity} ${number}: end`, end, life.snapshot());
    check(`${entity} ${number}: state`, JSON.parse(state), life.state);
    check(`${entity} ${number}: head`, [head, head.version, aggregate], [life.head, life.version, life.key]);
    life.free();

    // From each state on, through JSON.
    for (const [snapshot, next] of snapshots) {
      if (snapshot === null) continue;
      const resumed = cim.Aggregate.restore(JSON.parse(JSON.stringify(snapshot)), { template });
      for (const { events } of steps.slice(next)) {
        for (const event of events) resumed.push(messageOf(event));
      }
      check(`${entity} ${number}: from ${next}`, end, resumed.snapshot());
      resumed.free();
    }
  }
  for (const { why, aggregate, events, state } of histories) {
    const history = cim.Aggregate.of(aggregate.entity, { template });
    for (const event of events) history.push(messageOf(event));
    check(why, state, history.snapshot().state);
    history.free();
  }
  for (const { entity, commands } of refused) {
    const fresh = cim.Aggregate.of(entity);
    for (const { type, data, code, message } of commands) {
      try {
        fresh.decide({ type, data }, { source: "test" });
        check(`${type} of ${entity}`, code, "accepted");
      } catch (error) {
        check(`${type} of ${entity}`, ["CimError", code, message], [error.name, error.code, error.message]);
      }
    }
    fresh.free();
  }
  return checks;
}
