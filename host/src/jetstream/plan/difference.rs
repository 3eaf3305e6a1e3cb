//! What differs between a stream and its plan, and what a change would cost.
//!
//! What the server takes and refuses was tried on nats-server 2.15.1; `tests/tests/streams.rs`
//! keeps the trials.

use std::collections::BTreeSet;
use std::fmt;

use cim_core::subject::{StoreTemplate, SubjectFilter};
use serde_json::{Value, json};

use super::event_stream::{CREATED_AT, STORE_ID, TEMPLATE};
use crate::jetstream::{Discard, Retention, StreamConfig};

/// A field that differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldChange {
    /// The field, as the server calls it; `metadata.<key>` for an entry of the metadata.
    pub field: String,
    /// What the stream has; null where it has nothing.
    pub found: Value,
    /// What it should have.
    pub wanted: Value,
    /// What the change would cost.
    pub effect: Effect,
}

/// What a change would cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing.
    Safe,
    /// Messages, or a guarantee about them.
    MayLose {
        /// How.
        why: &'static str,
    },
    /// The server refuses it, or it would make a store another one.
    Impossible {
        /// Why.
        why: &'static str,
    },
}

impl Effect {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::MayLose { .. } => "may-lose",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// The reason; none for what costs nothing.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::Safe => None,
            Self::MayLose { why } | Self::Impossible { why } => Some(why),
        }
    }
}

/// What differs, field by field, in the order in which the server lists the fields.
///
/// Of `other` and of the metadata, only what is wanted counts: what the server has beside it stays.
pub fn difference(found: &StreamConfig, wanted: &StreamConfig) -> Vec<FieldChange> {
    let mut changes = Changes {
        found: Vec::new(),
        is_sealed: found.other.get("sealed") == Some(&Value::Bool(true)),
        takes_from_others: ["mirror", "sources"]
            .iter()
            .any(|key| found.other.get(*key).is_some_and(|value| !value.is_null())),
    };
    let other_name = Effect::Impossible {
        why: "a stream keeps its name",
    };
    changes.add("name", &found.name, &wanted.name, other_name);
    changes.subjects(found, wanted);
    let effect = retention(found.retention, wanted.retention);
    changes.add("retention", found.retention, wanted.retention, effect);
    changes.add(
        "storage",
        found.storage,
        wanted.storage,
        Effect::Impossible {
            why: "the server cannot move a stream between disk and memory",
        },
    );
    let fewer = Effect::MayLose {
        why: "fewer servers may fail before messages are lost",
    };
    let effect = or_safe(wanted.num_replicas < found.num_replicas, fewer);
    changes.add(
        "num_replicas",
        found.num_replicas,
        wanted.num_replicas,
        effect,
    );
    let drops = Effect::MayLose {
        why: "when it is full, the oldest messages go",
    };
    let effect = or_safe(wanted.discard == Discard::Old, drops);
    changes.add("discard", found.discard, wanted.discard, effect);
    let older = Effect::MayLose {
        why: "older messages go at once",
    };
    let effect = or_safe(is_lower(found.max_age, wanted.max_age), older);
    changes.add("max_age", found.max_age, wanted.max_age, effect);
    changes.limits(found, wanted);
    let shorter = Effect::MayLose {
        why: "what is sent again after the shorter time is stored twice",
    };
    let (long, short) = (found.duplicate_window, wanted.duplicate_window);
    changes.add(
        "duplicate_window",
        long,
        short,
        or_safe(short < long, shorter),
    );
    changes.switches(found, wanted);
    changes.metadata(found, wanted);
    for (key, value) in &wanted.other {
        let found = found.other.get(key).cloned().unwrap_or_default();
        let unknown = Effect::MayLose {
            why: "what it does is not known here",
        };
        changes.add(key, found, value, unknown);
    }
    changes.found
}

/// The stream with the difference applied: what differs is as wanted, what is not ours stays.
pub(super) fn changed(found: &StreamConfig, wanted: &StreamConfig) -> StreamConfig {
    let mut config = wanted.clone();
    // The server's order is as good, and another one would look like a change.
    if same_set(&found.subjects, &wanted.subjects) {
        config.subjects.clone_from(&found.subjects);
    }
    let same_template = same_template(found, wanted);
    config.metadata = found.metadata.clone();
    for (key, value) in &wanted.metadata {
        if !(same_template && key == TEMPLATE) {
            config.metadata.insert(key.clone(), value.clone());
        }
    }
    config.other = found.other.clone();
    config.other.extend(wanted.other.clone());
    config
}

struct Changes {
    found: Vec<FieldChange>,
    is_sealed: bool,
    takes_from_others: bool,
}

impl Changes {
    fn add(
        &mut self,
        field: &str,
        found: impl serde::Serialize,
        wanted: impl serde::Serialize,
        effect: Effect,
    ) {
        let (found, wanted) = (json!(found), json!(wanted));
        if found == wanted {
            return;
        }
        let effect = if self.is_sealed {
            Effect::Impossible {
                why: "the stream is sealed",
            }
        } else {
            effect
        };
        self.found.push(FieldChange {
            field: field.to_owned(),
            found,
            wanted,
            effect,
        });
    }

    fn subjects(&mut self, found: &StreamConfig, wanted: &StreamConfig) {
        if same_set(&found.subjects, &wanted.subjects) {
            return;
        }
        let filters: Vec<SubjectFilter> = wanted
            .subjects
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let is_kept = |subject: &String| {
            wanted.subjects.contains(subject) || filters.iter().any(|filter| filter.covers(subject))
        };
        let effect = if self.takes_from_others {
            Effect::Impossible {
                why: "the stream takes its messages from other streams",
            }
        } else if found.subjects.iter().all(is_kept) {
            Effect::Safe
        } else {
            Effect::MayLose {
                why: "what is published to a subject that no stream takes is lost",
            }
        };
        self.add("subjects", &found.subjects, &wanted.subjects, effect);
    }

    fn limits(&mut self, found: &StreamConfig, wanted: &StreamConfig) {
        let lower = Effect::MayLose {
            why: "what is above the lower limit may go at once",
        };
        for (field, found, wanted) in [
            ("max_msgs", found.max_msgs, wanted.max_msgs),
            (
                "max_msgs_per_subject",
                found.max_msgs_per_subject,
                wanted.max_msgs_per_subject,
            ),
            ("max_bytes", found.max_bytes, wanted.max_bytes),
        ] {
            let (found, wanted) = (found.max(NO_LIMIT), wanted.max(NO_LIMIT));
            let is_lower = wanted != NO_LIMIT && (found == NO_LIMIT || wanted < found);
            self.add(field, found, wanted, or_safe(is_lower, lower));
        }
        self.add(
            "max_msg_size",
            found.max_msg_size,
            wanted.max_msg_size,
            Effect::Safe,
        );
    }

    fn switches(&mut self, found: &StreamConfig, wanted: &StreamConfig) {
        let for_ever = Effect::Impossible {
            why: "the server does not take this promise back",
        };
        let delete = or_safe(found.deny_delete, for_ever);
        self.add("deny_delete", found.deny_delete, wanted.deny_delete, delete);
        let purge = or_safe(found.deny_purge, for_ever);
        self.add("deny_purge", found.deny_purge, wanted.deny_purge, purge);
        let (before, after) = (found.allow_direct, wanted.allow_direct);
        self.add("allow_direct", before, after, Effect::Safe);
        let (before, after) = (found.allow_atomic, wanted.allow_atomic);
        self.add("allow_atomic", before, after, Effect::Safe);
    }

    fn metadata(&mut self, found: &StreamConfig, wanted: &StreamConfig) {
        let same_template = same_template(found, wanted);
        for (key, value) in &wanted.metadata {
            let before = found.metadata.get(key);
            if same_template && key == TEMPLATE {
                continue;
            }
            let effect = match before {
                Some(_) if [STORE_ID, TEMPLATE, CREATED_AT].contains(&key.as_str()) => {
                    Effect::Impossible {
                        why: "it would be another store",
                    }
                }
                _ => Effect::Safe,
            };
            self.add(&format!("metadata.{key}"), before, value, effect);
        }
    }
}

const NO_LIMIT: i64 = -1;

fn or_safe(costs: bool, effect: Effect) -> Effect {
    if costs { effect } else { Effect::Safe }
}

/// Whether a limit of age is stricter; 0 is none.
fn is_lower(found: u64, wanted: u64) -> bool {
    wanted != 0 && (found == 0 || wanted < found)
}

fn retention(found: Retention, wanted: Retention) -> Effect {
    match (found, wanted) {
        (Retention::WorkQueue, _) | (_, Retention::WorkQueue) => Effect::Impossible {
            why: "the server cannot make a work queue of a stream, or end one",
        },
        (_, Retention::Interest) => Effect::MayLose {
            why: "what every consumer has acknowledged goes, and all if there is none",
        },
        (_, Retention::Limits) => Effect::Safe,
    }
}

fn same_set(one: &[String], other: &[String]) -> bool {
    let set = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<_>>();
    set(one) == set(other)
}

/// Whether both have one template, however it is spelled.
fn same_template(found: &StreamConfig, wanted: &StreamConfig) -> bool {
    let read = |config: &StreamConfig| {
        let text = config.metadata.get(TEMPLATE)?;
        serde_json::from_str::<StoreTemplate>(text).ok()
    };
    read(found).is_some_and(|template| Some(template) == read(wanted))
}

impl fmt::Display for FieldChange {
    /// `max_age: 90 days -> 30 days`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Value| shown(&self.field, value);
        let Self {
            field,
            found,
            wanted,
            ..
        } = self;
        write!(f, "{field}: {} -> {}", show(found), show(wanted))
    }
}

/// The value of a field as people read it.
pub(crate) fn shown(field: &str, value: &Value) -> String {
    match value {
        Value::Number(number) if TIMES.contains(&field) => match number.as_u64() {
            Some(0) if field == "max_age" => "no limit".to_owned(),
            Some(nanos) => time(nanos),
            None => number.to_string(),
        },
        Value::Number(number) if number.as_i64() == Some(NO_LIMIT) => "no limit".to_owned(),
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(field, item)).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

/// The fields that count nanoseconds.
const TIMES: [&str; 2] = ["max_age", "duplicate_window"];

/// A time in its largest whole unit.
pub(crate) fn time(nanos: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let units = [
        (24 * 3600 * SECOND, "day"),
        (3600 * SECOND, "hour"),
        (60 * SECOND, "minute"),
        (SECOND, "second"),
        (1_000_000, "millisecond"),
    ];
    for (unit, name) in units {
        if nanos >= unit && nanos.is_multiple_of(unit) {
            let count = nanos / unit;
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {name}{plural}");
        }
    }
    format!("{nanos} ns")
}

#[cfg(test)]
mod tests;
