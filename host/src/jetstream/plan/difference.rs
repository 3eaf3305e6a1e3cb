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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jetstream::Storage;

    /// The change of one field.
    #[track_caller]
    fn one(set: impl FnOnce(&mut StreamConfig, &mut StreamConfig)) -> (String, Effect) {
        let mut found = StreamConfig::new("S");
        found.subjects = vec!["a.*".to_owned(), "b.*".to_owned()];
        let mut wanted = found.clone();
        set(&mut found, &mut wanted);
        let [change] = &difference(&found, &wanted)[..] else {
            panic!("{:?}", difference(&found, &wanted));
        };
        (change.to_string(), change.effect)
    }

    #[track_caller]
    fn check(expect: &str, effect: &str, set: impl FnOnce(&mut StreamConfig, &mut StreamConfig)) {
        let (text, found) = one(set);
        assert_eq!((&*text, found.as_str()), (expect, effect));
        assert_eq!(found.why().is_none(), effect == "safe");
    }

    #[test]
    fn limits_that_shrink_may_lose_messages() {
        const SECOND: u64 = 1_000_000_000;
        const DAY: u64 = 24 * 3600 * SECOND;
        check("max_age: no limit -> 90 days", "may-lose", |_, wanted| {
            wanted.max_age = 90 * DAY;
        });
        check(
            "max_age: 90 days -> 30 days",
            "may-lose",
            |found, wanted| {
                (found.max_age, wanted.max_age) = (90 * DAY, 30 * DAY);
            },
        );
        check("max_age: 1 day -> no limit", "safe", |found, _| {
            found.max_age = DAY;
        });
        check("max_msgs: no limit -> 9", "may-lose", |_, wanted| {
            wanted.max_msgs = 9
        });
        check("max_bytes: 9 -> 10", "safe", |found, wanted| {
            (found.max_bytes, wanted.max_bytes) = (9, 10);
        });
        check("max_bytes: 9 -> no limit", "safe", |found, _| {
            found.max_bytes = 9
        });
        check(
            "max_msgs_per_subject: 9 -> 1",
            "may-lose",
            |found, wanted| {
                (found.max_msgs_per_subject, wanted.max_msgs_per_subject) = (9, 1);
            },
        );
        check("max_msg_size: no limit -> 9", "safe", |_, wanted| {
            wanted.max_msg_size = 9
        });
        check("num_replicas: 3 -> 1", "may-lose", |found, _| {
            found.num_replicas = 3
        });
        check("num_replicas: 1 -> 3", "safe", |_, wanted| {
            wanted.num_replicas = 3
        });
        check(
            "duplicate_window: 2 minutes -> 1 second",
            "may-lose",
            |found, wanted| {
                (found.duplicate_window, wanted.duplicate_window) = (120 * SECOND, SECOND);
            },
        );
        check("discard: new -> old", "may-lose", |found, _| {
            found.discard = Discard::New
        });
        check("discard: old -> new", "safe", |_, wanted| {
            wanted.discard = Discard::New
        });
    }

    #[test]
    fn what_the_server_cannot_change_is_told() {
        check("name: S -> T", "impossible", |_, wanted| {
            wanted.name = "T".to_owned()
        });
        check("storage: file -> memory", "impossible", |_, wanted| {
            wanted.storage = Storage::Memory;
        });
        check(
            "retention: limits -> workqueue",
            "impossible",
            |_, wanted| {
                wanted.retention = Retention::WorkQueue;
            },
        );
        check("retention: limits -> interest", "may-lose", |_, wanted| {
            wanted.retention = Retention::Interest;
        });
        check("retention: interest -> limits", "safe", |found, _| {
            found.retention = Retention::Interest;
        });
        check("deny_delete: true -> false", "impossible", |found, _| {
            found.deny_delete = true;
        });
        check("deny_purge: false -> true", "safe", |_, wanted| {
            wanted.deny_purge = true
        });
        check("max_msgs: no limit -> 9", "impossible", |found, wanted| {
            found.other.insert("sealed".to_owned(), true.into());
            wanted.max_msgs = 9;
        });
    }

    #[test]
    fn subjects_that_are_no_longer_taken_may_lose_messages() {
        let set = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        check("subjects: a.*, b.* -> a.*", "may-lose", |_, wanted| {
            wanted.subjects = set(&["a.*"]);
        });
        check("subjects: a.*, b.* -> *.*, c", "safe", |_, wanted| {
            wanted.subjects = set(&["*.*", "c"]);
        });
        check("subjects: $KV.a.> -> b.*", "may-lose", |found, wanted| {
            (found.subjects, wanted.subjects) = (set(&["$KV.a.>"]), set(&["b.*"]));
        });
        let mut found = StreamConfig::new("S");
        let mut wanted = found.clone();
        (found.subjects, wanted.subjects) = (set(&["a", "b"]), set(&["b", "a"]));
        assert_eq!(difference(&found, &wanted), []);
        assert_eq!(changed(&found, &wanted), found);
    }

    #[test]
    fn what_makes_a_stream_a_store_stays() {
        let metadata = |config: &mut StreamConfig, key: &str, value: &str| {
            config.metadata.insert(key.to_owned(), value.to_owned());
        };
        for key in [STORE_ID, TEMPLATE, CREATED_AT] {
            check(
                &format!("metadata.{key}: a -> b"),
                "impossible",
                |found, wanted| {
                    metadata(found, key, "a");
                    metadata(wanted, key, "b");
                },
            );
        }
        check(
            "metadata.owner: nothing -> keys",
            "safe",
            |found, wanted| {
                metadata(found, "_nats.ver", "2.15.1");
                metadata(wanted, "owner", "keys");
            },
        );
        let mut found = StreamConfig::new("S");
        let mut wanted = found.clone();
        let text = "{\"subject\":\"a.{entity}.{id}.{operation}\",\"constants\":\
                    {\"organization\":\"o\",\"unit\":\"u\",\"domain\":\"d\"}}";
        metadata(&mut found, TEMPLATE, &text.replace(':', " : "));
        metadata(&mut wanted, TEMPLATE, text);
        assert_eq!(difference(&found, &wanted), [], "only the spelling differs");
        assert_eq!(changed(&found, &wanted), found);
    }

    #[test]
    fn unknown_fields_stay_as_the_server_has_them() {
        let mut found = StreamConfig::new("S");
        found.other.insert("compression".to_owned(), "s2".into());
        let wanted = StreamConfig::new("S");
        assert_eq!(difference(&found, &wanted), []);
        assert_eq!(changed(&found, &wanted), found);
    }

    fn config() -> impl Strategy<Value = StreamConfig> {
        let subjects = prop::collection::btree_set("[ab*]\\.[ab>]", 0..3);
        let numbers = (0..4_u64, 0..3_u64, -1..4_i64, -1..4_i64, 1..4_u32);
        let switches = prop::array::uniform4(any::<bool>());
        let policies = (0..3_usize, any::<bool>(), any::<bool>());
        let texts = (
            prop::collection::btree_map("[ab]|cim\\.store_id", "[xy]", 0..3),
            prop::collection::btree_map("compression|sealed", any::<bool>(), 0..2),
        );
        (subjects, numbers, switches, policies, texts).prop_map(
            |(subjects, (age, window, messages, bytes, replicas), switches, policies, texts)| {
                let mut config = StreamConfig::new("S");
                config.subjects = subjects.into_iter().collect();
                (config.max_age, config.duplicate_window) = (age, window);
                (config.max_msgs, config.max_bytes) = (messages, bytes);
                config.num_replicas = replicas;
                [
                    config.deny_delete,
                    config.deny_purge,
                    config.allow_direct,
                    config.allow_atomic,
                ] = switches;
                let (retention, memory, new) = policies;
                config.retention =
                    [Retention::Limits, Retention::Interest, Retention::WorkQueue][retention];
                config.storage = if memory {
                    Storage::Memory
                } else {
                    Storage::File
                };
                config.discard = if new { Discard::New } else { Discard::Old };
                config.metadata = texts.0;
                config.other = texts
                    .1
                    .into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect();
                config
            },
        )
    }

    proptest! {
        #[test]
        fn a_stream_does_not_differ_from_itself(config in config()) {
            prop_assert_eq!(difference(&config, &config), []);
            prop_assert_eq!(changed(&config, &config), config);
        }

        #[test]
        fn applied_the_difference_gives_what_is_wanted(found in config(), wanted in config()) {
            let after = changed(&found, &wanted);
            prop_assert_eq!(difference(&after, &wanted), []);
            prop_assert_eq!(changed(&after, &wanted), after.clone());
            // What was told is all that changes.
            let told = difference(&found, &wanted);
            let really = difference(&found, &after);
            prop_assert_eq!(told, really);
            for (key, value) in &found.other {
                prop_assert!(wanted.other.contains_key(key) || after.other[key] == *value);
            }
        }

        #[test]
        fn what_is_safe_one_way_and_back_is_no_limit(found in config(), wanted in config()) {
            let limits = ["max_age", "max_msgs", "max_bytes", "num_replicas", "duplicate_window"];
            let back = difference(&wanted, &found);
            for there in difference(&found, &wanted) {
                if limits.contains(&&*there.field) && there.effect == Effect::Safe {
                    let field = back.iter().find(|change| change.field == there.field);
                    prop_assert_ne!(field.map(|change| change.effect), Some(Effect::Safe));
                }
            }
        }
    }
}
