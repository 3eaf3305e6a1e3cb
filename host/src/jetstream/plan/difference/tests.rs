//! What each change costs, and the laws of differences.

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
