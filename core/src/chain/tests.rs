//! Histories as they should be, and each of the faults that a verifier names.

use super::verifier::{ChainVerifier, StoreVerifier};
use super::*;
use crate::event::NewEvent;
use crate::id::{Entity, EventType};
use crate::text::Text;
use crate::time::Timestamp;
use crate::version::Head;

/// A sound history of `count` events.
fn history(key: &str, count: usize) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    for at in 0..count {
        let body = format!("{{\"n\":{at}}}");
        let previous = events.last().map(RecordedEvent::head);
        events.push(event(key, previous, body));
    }
    events
}

/// An event that follows `previous`, with the right CID.
fn event(key: &str, previous: Option<Head>, body: String) -> RecordedEvent {
    let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let version = Version::after(previous.as_ref()).expect("a version");
    let mut entropy = [7; 10];
    entropy[9] = version.get() as u8;
    let event = NewEvent::json(
        EventId::from_parts(time, entropy),
        &Entity::new("key").expect("an entity"),
        EventType::new("KeyGenerated").expect("a type"),
        time,
        Text::new("keys-service").expect("a text"),
        body,
    )
    .expect("an operation");
    with_cid(RecordedEvent {
        aggregate: format!("o.u.d.key.{key}").parse().expect("a key"),
        version,
        previous: previous.map(|head| head.cid),
        cid: Cid::ZERO,
        event,
    })
}

fn with_cid(mut event: RecordedEvent) -> RecordedEvent {
    event.cid = cid_of(&event);
    event
}

fn verify(events: &[RecordedEvent]) -> Result<Option<Head>, ChainError> {
    let mut verifier = ChainVerifier::from_genesis(events[0].aggregate.clone());
    events.iter().try_for_each(|event| verifier.push(event))?;
    Ok(verifier.head())
}

#[track_caller]
fn refused(events: &[RecordedEvent], code: &str, at: usize) {
    let error = verify(events).expect_err(code);
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(error.event(), events[at].event.id, "{error}");
    assert_eq!(error.version(), events[at].version);
    assert_eq!(error.aggregate(), &events[at].aggregate);
    assert!(
        error.to_string().contains(&error.event().to_string()),
        "{error}"
    );
}

#[test]
fn a_sound_history_is_verified_from_genesis_and_from_any_head() {
    let events = history("a", 5);
    assert_eq!(verify(&events), Ok(Some(events[4].head())));
    for from in 0..5 {
        let mut verifier =
            ChainVerifier::from_head(events[0].aggregate.clone(), events[from].head());
        for event in &events[from + 1..] {
            verifier.push(event).expect("a sound event");
        }
        assert_eq!(verifier.head(), Some(events[4].head()));
    }
}

#[test]
fn every_fault_has_its_name() {
    let sound = history("a", 5);
    let other = history("b", 5);

    let mut changed = sound.clone();
    changed[2].event.body = "{\"n\":3}".into();
    refused(&changed, "wrong-cid", 2);
    let changed: Vec<_> = changed.into_iter().map(with_cid).collect();
    refused(&changed, "broken-link", 3);

    let foreign = [&sound[..2], &other[2..3]].concat();
    refused(&foreign, "wrong-aggregate", 2);
    let repeated = [&sound[..3], &sound[1..]].concat();
    refused(&repeated, "duplicate", 3);
    let missing = [&sound[..2], &sound[3..]].concat();
    refused(&missing, "gap", 2);
    refused(&sound[1..], "gap", 0);

    let mut linked = sound.clone();
    linked[0].previous = Some(sound[4].cid);
    let linked: Vec<_> = linked.into_iter().map(with_cid).collect();
    refused(&linked, "broken-link", 0);
}

#[test]
fn of_several_faults_the_first_in_order_is_named() {
    let (one, other) = (history("a", 3), history("b", 3));
    let mut worst = other[2].clone();
    worst.previous = Some(other[0].cid);
    refused(
        &[&one[..1], std::slice::from_ref(&worst)].concat(),
        "wrong-cid",
        1,
    );
    refused(
        &[&one[..1], &[with_cid(worst.clone())]].concat(),
        "wrong-aggregate",
        1,
    );
    worst.aggregate = one[0].aggregate.clone();
    refused(&[&one[..1], &[with_cid(worst)]].concat(), "gap", 1);
}

#[test]
fn a_refused_event_changes_nothing() {
    let events = history("a", 4);
    let mut chain = ChainVerifier::from_genesis(events[0].aggregate.clone());
    let mut store = StoreVerifier::new();
    let mut untouched = StoreVerifier::new();
    assert!(store.push(&history("b", 2)[1]).is_err());
    for event in &events {
        let head = chain.head();
        let mut wrong = event.clone();
        wrong.event.source = Text::new("somebody").expect("a text");
        assert!(chain.push(&wrong).is_err());
        assert!(store.push(&wrong).is_err());
        assert_eq!(chain.head(), head);
        chain.push(event).expect("sound");
        store.push(event).expect("sound");
        untouched.push(event).expect("sound");
    }
    assert_eq!(store.finish(), untouched.finish());
}

#[test]
fn a_store_is_verified_whatever_stands_between() {
    let (one, other) = (history("a", 3), history("b", 2));
    let mixed = [&one[0], &other[0], &one[1], &one[2], &other[1]];
    let mut store = StoreVerifier::new();
    for event in mixed {
        store.push(event).expect("sound");
    }
    assert_eq!(store.head(&one[0].aggregate), Some(one[2].head()));
    let summary = store.finish();
    assert_eq!((summary.events, summary.aggregates), (5, 2));

    let bytes: Vec<u8> = mixed
        .iter()
        .flat_map(|event| event.cid.to_bytes())
        .collect();
    assert_eq!(summary.digest, blake3::hash(&bytes).to_string());
    let heads = format!(
        "o.u.d.key.a 3 {}\no.u.d.key.b 2 {}\n",
        one[2].cid, other[1].cid
    );
    assert_eq!(
        summary.heads,
        Some(blake3::hash(heads.as_bytes()).to_string())
    );
}

#[test]
fn the_heads_do_not_depend_on_the_order_of_aggregates() {
    let summary = |histories: [&[RecordedEvent]; 2]| {
        let mut store = StoreVerifier::new();
        histories
            .concat()
            .iter()
            .try_for_each(|event| store.push(event))
            .expect("sound");
        store.finish()
    };
    let (one, other) = (history("a", 2), history("b", 2));
    let (first, second) = (summary([&one, &other]), summary([&other, &one]));
    assert_eq!(first.heads, second.heads);
    assert_ne!(first.digest, second.digest);
}

#[test]
fn where_events_are_left_out_only_cids_are_verified() {
    let events = history("a", 4);
    let mut store = StoreVerifier::cids_only();
    store.push(&events[3]).expect("its CID is right");
    store.push(&events[1]).expect("its CID is right");
    let mut wrong = events[0].clone();
    wrong.cid = events[1].cid;
    assert_eq!(
        store.push(&wrong).map_err(|error| error.code()),
        Err("wrong-cid")
    );
    let summary = store.finish();
    assert_eq!(
        (summary.events, summary.aggregates, summary.heads),
        (2, 1, None)
    );
}

#[test]
fn a_cut_tail_is_not_seen_and_that_is_said() {
    let events = history("a", 5);
    assert_eq!(verify(&events[..3]), Ok(Some(events[2].head())));
    assert!(Verified::Chain.not_proven().contains("cut tail"));
    assert_eq!(Verified::Chain.not_proven(), NOT_PROVEN);
}

#[test]
fn a_single_cid_is_checked_without_a_verifier() {
    let mut event = history("a", 1).remove(0);
    assert_eq!(check_cid(&event), Ok(()));
    event.event.trace = Some(Box::default());
    assert_eq!(check_cid(&event), Ok(()), "the trace context is not hashed");
    event
        .event
        .metadata
        .insert("Tenant", Text::json())
        .expect("a name");
    assert_eq!(
        check_cid(&event).map_err(|error| error.code()),
        Err("wrong-cid")
    );
}

/// The histories of `tests/vectors/refused.json`, read by the blocks of `events.json` alone; those
/// with made events are read where messages are.
#[test]
fn the_vectors_are_refused_as_they_say() {
    let file = |text| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let events = file(include_str!("../../../tests/vectors/events.json"));
    let refused = file(include_str!("../../../tests/vectors/refused.json"));
    let sound: Vec<RecordedEvent> = events["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|vector| {
            let hex = vector["block_hex"].as_str().expect("hex").as_bytes();
            block::decode(&data_encoding::HEXLOWER.decode(hex).expect("hex")).expect("a block")
        })
        .collect();
    let mut count = 0;
    for vector in refused["vectors"].as_array().expect("a list") {
        let Some(places) = vector["events"].as_array() else {
            continue;
        };
        let places: Option<Vec<u64>> = places.iter().map(serde_json::Value::as_u64).collect();
        let Some(places) = places else { continue };
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let part = |name: &str| text(&vector["aggregate"][name]);
        let key = format!("{}.{}.{}", part("namespace"), part("entity"), part("id"));
        let key: AggregateKey = key.parse().expect("a key");
        let mut verifier = match vector["from"].as_object() {
            None => ChainVerifier::from_genesis(key),
            Some(head) => ChainVerifier::from_head(
                key,
                Head {
                    version: head["version"]
                        .as_u64()
                        .and_then(|v| Version::new(v).ok())
                        .expect("v"),
                    cid: text(&head["cid"]).parse().expect("a CID"),
                },
            ),
        };
        let outcome = places.iter().enumerate().find_map(|(at, place)| {
            verifier
                .push(&sound[*place as usize])
                .err()
                .map(|error| (at as u64, error.code()))
        });
        let (at, code) = outcome.expect("a refused history");
        assert_eq!(
            (Some(at), code),
            (vector["at"].as_u64(), &*text(&vector["code"]))
        );
        count += 1;
    }
    assert!(count >= 12, "{count}");
}
