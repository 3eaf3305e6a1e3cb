use std::collections::BTreeMap;

use cim_plugin::test::{Harness, TestEvent, assert_cuts_agree, history};
use proptest::prelude::*;

use super::Activity;

#[test]
fn counts_types_and_times_between_them() {
    let documents = documents(&[
        ("permit", "p-1", "Made", 1_000),
        ("permit", "p-2", "Made", 2_000),
        ("permit", "p-1", "Paid", 5_000),
        ("permit", "p-2", "Paid", 3_001),
        ("permit", "p-1", "Paid", 5_000),
        ("loan", "p-1", "Made", 9_000),
    ]);
    let lines: Vec<String> = documents
        .iter()
        .map(|((collection, key), document)| format!("{collection} {key} {document}"))
        .collect();
    let found = lines.join("\n").replace("local.main.events.", "~");
    let expected = [
        r#"last ~loan/p-1 {"entity":"~loan","id":"p-1","type":"Made","time_us":9000}"#,
        r#"last ~permit/p-1 {"entity":"~permit","id":"p-1","type":"Paid","time_us":5000}"#,
        r#"last ~permit/p-2 {"entity":"~permit","id":"p-2","type":"Paid","time_us":3001}"#,
        r#"pairs ~permit/Made/Paid {"entity":"~permit","from":"Made","to":"Paid","count":2,"mean_us":2500,"longest_us":4000,"total_us":5001}"#,
        r#"pairs ~permit/Paid/Paid {"entity":"~permit","from":"Paid","to":"Paid","count":1,"mean_us":0,"longest_us":0,"total_us":0}"#,
        r#"types ~loan/Made {"entity":"~loan","type":"Made","events":1,"after":{}}"#,
        r#"types ~permit/Made {"entity":"~permit","type":"Made","events":2,"after":{}}"#,
        r#"types ~permit/Paid {"entity":"~permit","type":"Paid","events":3,"after":{"Made":{"count":2,"total_us":5001,"longest_us":4000},"Paid":{"count":1,"total_us":0,"longest_us":0}}}"#,
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn late_events_have_times_below_zero_and_the_mean_is_rounded_down() {
    let documents = documents(&[
        ("permit", "p-1", "Made", 10_000),
        ("permit", "p-1", "Paid", 9_999),
        ("permit", "p-2", "Made", 10_000),
        ("permit", "p-2", "Paid", 9_998),
    ]);
    let key = (
        "pairs".to_owned(),
        "local.main.events.permit/Made/Paid".to_owned(),
    );
    assert_eq!(
        documents[&key],
        r#"{"entity":"local.main.events.permit","from":"Made","to":"Paid","count":2,"mean_us":-2,"longest_us":-1,"total_us":-3}"#
    );
}

#[test]
fn totals_are_exact_above_64_bits() {
    const LAST_US: u64 = 253_402_300_799_999_999;
    let events: Vec<_> = (0..100)
        .flat_map(|id| {
            let id = format!("p-{id}");
            [(id.clone(), "Made", 0), (id, "Paid", LAST_US)]
        })
        .collect();
    let events: Vec<_> = events
        .iter()
        .map(|(id, event_type, time)| ("permit", id.as_str(), *event_type, *time))
        .collect();
    let key = (
        "pairs".to_owned(),
        "local.main.events.permit/Made/Paid".to_owned(),
    );
    let pair = documents(&events).remove(&key).expect("the pair is there");
    let expected = format!(
        "\"mean_us\":{LAST_US},\"longest_us\":{LAST_US},\"total_us\":{}}}",
        u128::from(LAST_US) * 100
    );
    assert!(pair.ends_with(&expected), "{pair}");
    let events = events
        .iter()
        .map(|(entity, id, event_type, time)| TestEvent::new(entity, id, event_type).at_us(*time));
    assert_cuts_agree::<Activity>(b"", &history(events));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn documents_do_not_depend_on_batches_and_equal_a_plain_count(
        events in prop::collection::vec((0..2usize, 0..4usize, 0..4usize, 0..1_000_000u64), 0..120),
    ) {
        let events: Vec<_> = events
            .into_iter()
            .map(|(entity, id, event_type, time)| {
                (["permit", "a.b.c.loan"][entity], IDS[id], TYPES[event_type], time)
            })
            .collect();
        let recorded = history(events.iter().map(|(entity, id, event_type, time)| {
            TestEvent::new(entity, id, event_type).at_us(*time)
        }));
        assert_cuts_agree::<Activity>(b"", &recorded);

        let found = documents(&events);
        let pairs: BTreeMap<_, _> = found
            .into_iter()
            .filter(|((collection, _), _)| collection == "pairs")
            .map(|((_, key), document)| (key, document))
            .collect();
        prop_assert_eq!(pairs, plain_pairs(&events));
    }
}

/// The documents of `pairs`, counted from whole histories.
fn plain_pairs(events: &[(&str, &str, &str, u64)]) -> BTreeMap<String, String> {
    let mut histories: BTreeMap<(&str, &str), Vec<(&str, i128)>> = BTreeMap::new();
    for (entity, id, event_type, time) in events {
        let history = histories.entry((entity, id)).or_default();
        history.push((event_type, i128::from(*time)));
    }
    let mut times: BTreeMap<(&str, &str, &str), Vec<i128>> = BTreeMap::new();
    for ((entity, _), history) in &histories {
        for pair in history.windows(2) {
            let [(from, start), (to, end)] = pair else {
                unreachable!("windows of two");
            };
            times
                .entry((entity, from, to))
                .or_default()
                .push(end - start);
        }
    }
    let document = |((entity, from, to), times): ((&str, &str, &str), Vec<i128>)| {
        let entity = match entity.contains('.') {
            true => entity.to_owned(),
            false => format!("local.main.events.{entity}"),
        };
        let (count, total) = (times.len(), times.iter().sum::<i128>());
        let mean = (total as f64 / count as f64).floor();
        let longest = times.iter().max().expect("a pair has a time");
        let document = format!(
            r#"{{"entity":"{entity}","from":"{from}","to":"{to}","count":{count},"mean_us":{mean},"longest_us":{longest},"total_us":{total}}}"#
        );
        (format!("{entity}/{from}/{to}"), document)
    };
    times.into_iter().map(document).collect()
}

fn documents(events: &[(&str, &str, &str, u64)]) -> BTreeMap<(String, String), String> {
    let events = events
        .iter()
        .map(|(entity, id, event_type, time)| TestEvent::new(entity, id, event_type).at_us(*time));
    let mut harness = Harness::<Activity>::new(b"");
    harness
        .apply(&history(events))
        .expect("the plugin takes every event");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("documents are text");
    let documents = harness.documents().iter();
    documents
        .map(|(key, document)| (key.clone(), text(document)))
        .collect()
}

const IDS: [&str; 4] = ["p-1", "p-2", "p-3", "p-4"];
const TYPES: [&str; 4] = ["Made", "Paid", "Changed", "Closed"];
