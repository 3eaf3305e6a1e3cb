//! Events, one by one, against what is known of them.

use std::collections::BTreeMap;
use std::error::Error;

use cim_core::event::RecordedEvent;
use cim_core::id::{Entity, EventId, EventType};
use cim_core::payload::EventError;
use cim_core::upcast::Payload;
use cim_core::version::{Position, SchemaVersion};
use serde_json::Value;

use super::fault::Fault;
use super::known::{Known, KnownEntity, KnownError};

/// The most findings of a check; further ones are counted.
pub const MAX_FINDINGS: usize = 200;

/// The most entities, and kinds of unchecked events, that a check names; others are counted in sums.
const MAX_NAMES: usize = 1_000;

/// The longest path and the longest word of a domain that a finding keeps, in characters.
const MAX_SHOWN: usize = 200;

/// What an event was read as when a fault was found: the type and version that upcasters made of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ReadAs {
    /// The type.
    pub event_type: EventType,
    /// The version of its schema.
    pub schema_version: SchemaVersion,
}

/// A way in which events do not fit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The entity.
    pub entity: Entity,
    /// The type, as it is stored.
    pub event_type: EventType,
    /// The version, as it is stored.
    pub schema_version: SchemaVersion,
    /// What upcasters made of it, where that is what does not fit.
    pub read_as: Option<ReadAs>,
    /// Where in the body: a JSON pointer with `*` for every item of a list and key of a map; empty for
    /// the whole.
    pub path: String,
    /// Why.
    pub fault: Fault,
    /// How many events have it.
    pub events: u64,
    /// The first of them.
    pub first_event: EventId,
    /// Where the first stands.
    pub first_position: Position,
    /// What the domain says of the first, where more is said than the fault.
    pub says: Option<String>,
}

/// Events that could not be checked: a list of schemas says that an upcaster reads them, and has no
/// schema of their version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unchecked {
    /// The entity.
    pub entity: Entity,
    /// The type.
    pub event_type: EventType,
    /// The version.
    pub schema_version: SchemaVersion,
    /// How many there are.
    pub events: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SchemaReport {
    /// How many events there were.
    pub events: u64,
    /// How many of them are of an entity that is known.
    pub known: u64,
    /// How many events there were of each known entity.
    pub entities: Vec<(Entity, u64)>,
    /// How many there were of each entity that is not known; at most 1000 of these.
    pub unknown_entities: Vec<(Entity, u64)>,
    /// Events of known entities that could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// What does not fit, in the order of entity, type, version and path.
    pub findings: Vec<Finding>,
    /// How many times something did not fit that is not among the findings, because they were
    /// [`MAX_FINDINGS`] already.
    pub left_out: u64,
}

impl SchemaReport {
    /// Whether nothing was found that does not fit.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.left_out == 0
    }
}

/// Checks events against what is known of them.
#[derive(Debug)]
pub struct SchemaCheck {
    entities: BTreeMap<Entity, KnownEntity>,
    events: BTreeMap<Entity, u64>,
    unknown: BTreeMap<Entity, u64>,
    unchecked: BTreeMap<(Entity, EventType, SchemaVersion), u64>,
    findings: BTreeMap<Key, First>,
    left_out: u64,
    all: u64,
}

/// Entity, stored type, stored version, what it was read as, path, fault.
type Key = (
    Entity,
    EventType,
    SchemaVersion,
    Option<ReadAs>,
    String,
    Fault,
);

#[derive(Debug)]
struct First {
    event: EventId,
    last: EventId,
    position: Position,
    says: Option<String>,
    events: u64,
}

/// What is wrong with an event at a place, and what the domain says of it.
struct Found {
    read_as: Option<ReadAs>,
    path: String,
    fault: Fault,
    says: Option<String>,
}

impl Found {
    fn whole(fault: Fault) -> Self {
        let (read_as, path, says) = (None, String::new(), None);
        Self {
            read_as,
            path,
            fault,
            says,
        }
    }

    fn saying(fault: Fault, error: &dyn Error) -> Self {
        // The text of the innermost cause tells most.
        let mut cause = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Self {
            says: Some(shortened(&cause.to_string())),
            ..Self::whole(fault)
        }
    }
}

impl SchemaCheck {
    /// Makes ready to check events against what is known.
    ///
    /// # Errors
    ///
    /// [`KnownError`], when a schema is none.
    pub fn new(known: Known) -> Result<Self, KnownError> {
        Ok(Self {
            entities: known.into_entities()?,
            events: BTreeMap::new(),
            unknown: BTreeMap::new(),
            unchecked: BTreeMap::new(),
            findings: BTreeMap::new(),
            left_out: 0,
            all: 0,
        })
    }

    /// Checks the next event.
    pub fn push(&mut self, position: Position, recorded: &RecordedEvent) {
        self.all += 1;
        let entity = &recorded.aggregate.entity;
        let Some(known) = self.entities.get(entity) else {
            count(&mut self.unknown, entity.clone());
            return;
        };
        *self.events.entry(entity.clone()).or_default() += 1;
        let stored = Payload::from(&recorded.event);
        let found = match judge(known, &stored) {
            Judged::Found(found) => found,
            Judged::Unchecked => {
                let key = (entity.clone(), stored.event_type, stored.schema_version);
                count(&mut self.unchecked, key);
                return;
            }
        };
        for next in found {
            let key = (
                entity.clone(),
                stored.event_type.clone(),
                stored.schema_version,
                next.read_as,
                shortened(&next.path),
                next.fault,
            );
            if let Some(first) = self.findings.get_mut(&key) {
                // An upcaster may make several events of one, and each may have the fault.
                first.events += u64::from(first.last != recorded.event.id);
                first.last = recorded.event.id;
            } else if self.findings.len() < MAX_FINDINGS {
                let first = First {
                    event: recorded.event.id,
                    last: recorded.event.id,
                    position,
                    says: next.says,
                    events: 1,
                };
                self.findings.insert(key, first);
            } else {
                self.left_out += 1;
            }
        }
    }

    /// What was found.
    pub fn finish(self) -> SchemaReport {
        let unchecked = self.unchecked.into_iter().map(|(key, events)| Unchecked {
            entity: key.0,
            event_type: key.1,
            schema_version: key.2,
            events,
        });
        let findings = self.findings.into_iter().map(|(key, first)| {
            let (entity, event_type, schema_version, read_as, path, fault) = key;
            Finding {
                entity,
                event_type,
                schema_version,
                read_as,
                path,
                fault,
                events: first.events,
                first_event: first.event,
                first_position: first.position,
                says: first.says,
            }
        });
        SchemaReport {
            events: self.all,
            known: self.events.values().sum(),
            unchecked: unchecked.collect(),
            findings: findings.collect(),
            left_out: self.left_out,
            entities: self.events.into_iter().collect(),
            unknown_entities: self.unknown.into_iter().collect(),
        }
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count += 1;
    } else if counts.len() < MAX_NAMES {
        counts.insert(key, 1);
    }
}

enum Judged {
    Found(Vec<Found>),
    Unchecked,
}

fn judge(known: &KnownEntity, stored: &Payload) -> Judged {
    let of_type = known.types.get(&stored.event_type);
    let schema = of_type.and_then(|it| it.schemas.get(&stored.schema_version));
    if let Some(reader) = &known.reader {
        let upcasters = reader.upcasters();
        if !upcasters.has_step(&stored.event_type, stored.schema_version) {
            return Judged::Found(current(known, stored));
        }
        return Judged::Found(match upcasters.upcast(stored.clone()) {
            Err(error) => vec![Found::saying(Fault::UpcastFailed, &error)],
            Ok(payloads) => payloads
                .iter()
                .flat_map(|payload| {
                    let read_as = ReadAs {
                        event_type: payload.event_type.clone(),
                        schema_version: payload.schema_version,
                    };
                    let found = current(known, payload).into_iter();
                    found.map(move |found| Found {
                        read_as: Some(read_as.clone()),
                        ..found
                    })
                })
                .collect(),
        });
    }
    let has_upcaster = of_type.is_some_and(|it| it.upcasters.contains(&stored.schema_version));
    let latest = of_type.and_then(|it| it.latest());
    let mut found = schema.map_or_else(Vec::new, |_| current(known, stored));
    match latest {
        Some(latest) if stored.schema_version > latest => {
            found.push(Found::whole(Fault::Newer { known: latest }));
        }
        Some(latest) if stored.schema_version < latest && !has_upcaster => {
            let from = stored.schema_version;
            found.push(Found::whole(Fault::UpcasterMissing { from, latest }));
        }
        None if !has_upcaster => found.push(Found::whole(Fault::TypeUnknown)),
        Some(_) | None if schema.is_none() => return Judged::Unchecked,
        Some(_) | None => {}
    }
    Judged::Found(found)
}

/// What is wrong with a payload in the version that it is to have.
fn current(known: &KnownEntity, payload: &Payload) -> Vec<Found> {
    let of_type = known.types.get(&payload.event_type);
    let schema = of_type.and_then(|it| it.schemas.get(&payload.schema_version));
    let says = match known.reader.as_ref().map(|reader| reader.check(payload)) {
        None | Some(Ok(_)) => None,
        Some(Err(EventError::Newer { known, .. })) => {
            return match SchemaVersion::new(known) {
                Ok(known) => vec![Found::whole(Fault::Newer { known })],
                Err(_) => vec![Found::whole(Fault::TypeUnknown)],
            };
        }
        Some(Err(EventError::UpcasterMissing { found: from, .. })) => {
            let latest = of_type.and_then(|it| it.latest()).unwrap_or(from);
            return vec![Found::whole(Fault::UpcasterMissing { from, latest })];
        }
        Some(Err(error @ EventError::Invalid { .. })) => Some(error),
        Some(Err(_)) => return vec![Found::whole(Fault::TypeUnknown)],
    };
    let body: Value = match serde_json::from_slice(&payload.body) {
        Ok(body) => body,
        Err(error) => return vec![Found::saying(Fault::NotJson, &error)],
    };
    let faults = schema.map_or_else(Vec::new, |schema| schema.faults(&body));
    let faults = faults.into_iter().map(|(path, fault)| Found {
        path,
        ..Found::whole(fault)
    });
    let mut found: Vec<Found> = faults.collect();
    if let (true, Some(error)) = (found.is_empty(), says) {
        found.push(Found::saying(Fault::Unreadable, &error));
    }
    found
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
