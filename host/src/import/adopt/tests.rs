//! Streams that are adopted into a store in memory.

use std::sync::Mutex;

use cim_core::headers::{MESSAGE_ID, TIMESTAMP};
use cim_core::message::Message;
use cim_core::subject::StoreTemplate;
use cim_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::message::tests::reader;
use super::*;
use crate::import::export::tests::events;
use crate::import::run::Late;
use crate::memory::MemoryStore;

#[tokio::test]
async fn events_stand_in_the_order_of_the_stream_and_a_grown_one_adds_the_rest() {
    let target = new_store();
    // The second one of `a` happened before the first.
    let all = [
        made(1, "a", 10),
        made(2, "b", 20),
        made(3, "a", 5),
        made(5, "b", 30),
        made(8, "a", 7),
    ];
    let adopted = adopt(&target, &all[..2], Late::Refuse).await;
    assert_eq!(counts(&adopted), "2 events, 2 appended, 0 present");
    let adopted = adopt(&target, &all[..3], Late::Refuse).await;
    assert_eq!(counts(&adopted), "3 events, 1 appended, 2 present");
    let adopted = adopt(&target, &all, Late::Refuse).await;
    assert_eq!(counts(&adopted), "5 events, 2 appended, 3 present");
    let adopted = adopt(&target, &all, Late::Refuse).await;
    assert_eq!(counts(&adopted), "5 events, 0 appended, 5 present");
    assert_eq!(
        read(&target).await,
        ["1 a1", "2 b1", "3 a2", "5 b2", "8 a3"]
    );

    let other = new_store();
    adopt(&other, &all, Late::Refuse).await.expect("adopted");
    assert_eq!(events(&other).await, events(&target).await);
}

#[tokio::test]
async fn a_stream_whose_first_messages_have_expired_goes_on() {
    let target = new_store();
    let all = [made(1, "a", 10), made(2, "a", 20), made(3, "a", 30)];
    adopt(&target, &all[..2], Late::Refuse)
        .await
        .expect("adopted");
    let adopted = adopt(&target, &all[2..], Late::Refuse).await;
    assert_eq!(counts(&adopted), "1 events, 1 appended, 0 present");
    assert_eq!(read(&target).await, ["1 a1", "2 a2", "3 a3"]);
}

#[tokio::test]
async fn a_message_that_says_an_earlier_one_again_is_passed_over() {
    let target = new_store();
    let mut again = made(1, "a", 10);
    again.sequence = 3;
    let all = [made(1, "a", 10), made(2, "a", 20), again];
    let adopted = adopt(&target, &all, Late::Refuse).await.expect("adopted");
    assert_eq!(adopted.repeated, 1);
    assert_eq!((adopted.imported.events, adopted.imported.appended), (2, 2));
    assert_eq!(read(&target).await, ["1 a1", "2 a2"]);

    let mut other = made(1, "a", 10);
    other.sequence = 4;
    other.message.body = "{}".into();
    let all = [made(1, "a", 10), made(2, "a", 20), other];
    refused(
        adopt(&target, &all, Late::Refuse).await,
        "message 4 on `o.u.d.e.a.made`: the event id `01a1fd1e-0000-7000-8000-000000000001` is \
         that of message 1, which says something else",
    );
}

#[tokio::test]
async fn what_would_stand_behind_newer_events_is_refused_unless_it_is_wanted() {
    let target = new_store();
    let all = [made(1, "a", 10), made(2, "a", 20), made(3, "a", 30)];
    adopt(&target, &[all[0].clone(), all[2].clone()], Late::Refuse)
        .await
        .expect("adopted");
    refused(
        adopt(&target, &all, Late::Refuse).await,
        "message 2 on `o.u.d.e.a.made`: the event is new, but older than the last one of \
         `o.u.d.e.a` in the store: expected a time from `1970-01-01T00:00:30.000000Z` on, found \
         `1970-01-01T00:00:20.000000Z`",
    );
    // Not by its time, but by the stream.
    let disordered = [all[0].clone(), made(2, "a", 40), all[2].clone()];
    refused(
        adopt(&target, &disordered, Late::Refuse).await,
        "message 2 on `o.u.d.e.a.made`: the event is new, but the store has a later one of \
         `o.u.d.e.a`: message 3",
    );
    assert_eq!(read(&target).await, ["1 a1", "3 a2"]);
    let adopted = adopt(&target, &all, Late::Append).await;
    assert_eq!(counts(&adopted), "3 events, 1 appended, 2 present");
    assert_eq!(read(&target).await, ["1 a1", "3 a2", "2 a3"]);
    let adopted = adopt(&target, &all, Late::Refuse).await;
    assert_eq!(counts(&adopted), "3 events, 0 appended, 3 present");
}

#[tokio::test]
async fn an_id_that_the_store_has_for_something_else_is_refused() {
    let target = new_store();
    adopt(&target, &[made(1, "a", 10)], Late::Refuse)
        .await
        .expect("adopted");
    let why = "the store has the event id `01a1fd1e-0000-7000-8000-000000000001` already, for \
               something else";
    let other_aggregate = [made(1, "b", 10)];
    refused(
        adopt(&target, &other_aggregate, Late::Refuse).await,
        &format!("message 1 on `o.u.d.e.b.made`: {why}"),
    );
    let mut other_body = made(1, "a", 10);
    other_body.message.body = "{}".into();
    refused(
        adopt(&target, &[made(2, "b", 1), other_body], Late::Append).await,
        &format!("message 1 on `o.u.d.e.a.made`: {why}"),
    );
    assert_eq!(read(&target).await, ["1 a1"]);
}

#[tokio::test]
async fn two_types_with_one_operation_are_refused() {
    let mut other = made(2, "b", 20);
    set(&mut other, "CIM-Event-Type", "Built");
    let error = adopt(&new_store(), &[made(1, "a", 10), other], Late::Refuse)
        .await
        .expect_err("a collision");
    assert_eq!(
        error.to_string(),
        "different event types of `e` would have one operation; `Built` and `Made` → `made`"
    );
    assert_eq!(error.code(), "operation-collision");
}

#[tokio::test]
async fn a_stream_that_changes_between_the_readings_is_noticed() {
    let all = [made(1, "a", 10), made(2, "a", 20), made(3, "a", 30)];
    let gone = [all[0].clone(), all[2].clone()];
    let mut altered = all.clone();
    altered[1].message.body = "{}".into();
    for second in [&gone[..], &altered, &all[..1], &[]] {
        let target = new_store();
        let readings = Mutex::new(vec![second.to_vec(), all.to_vec()]);
        let open = |from| {
            let reading = readings.lock().expect("no panic").pop();
            from_sequence(reading.expect("two readings"), from)
        };
        let source = Source {
            stream: "OLD",
            open: &open,
        };
        let checked = check(Some(&target), &reader(), &source, Late::Refuse, &mut |_| {}).await;
        let checked = checked.expect("sound messages");
        let error = store(&target, &reader(), &source, checked, &mut |_, _| {}).await;
        let error = error.expect_err("another stream");
        let sequence = if second.is_empty() { 1 } else { 2 };
        assert_eq!(
            error.to_string(),
            format!(
                "the stream `OLD` changed while it was read: message {sequence} is gone or \
                 another one"
            )
        );
    }
}

#[tokio::test]
async fn of_many_bad_messages_the_first_are_told() {
    let mut all: Vec<_> = (1..=30).map(|number| made(number, "a", 10)).collect();
    for stored in &mut all[..5] {
        stored.message.headers.clear();
    }
    for stored in &mut all[10..] {
        set(stored, TIMESTAMP, "never");
    }
    let error = adopt(&new_store(), &all, Late::Refuse)
        .await
        .expect_err("bad messages");
    assert_eq!(
        error.to_string(),
        "25 of 30 messages of the stream `OLD` cannot be imported"
    );
    let AdoptError::Messages { first, .. } = &error else {
        panic!("{error:?}");
    };
    let told: Vec<_> = first.iter().map(|bad| (bad.sequence, bad.count)).collect();
    let expect: Vec<_> = [(1, 5)]
        .into_iter()
        .chain((11..20).map(|at| (at, 1)))
        .collect();
    assert_eq!(told, expect);
    assert_eq!(
        first[0].to_string(),
        "message 1 on `o.u.d.e.a.made`: no header begins with `CIM-` (5 such messages)"
    );
}

/// Adopts the messages as they are.
async fn adopt(
    target: &MemoryStore,
    messages: &[StoredMessage],
    late: Late,
) -> Result<Adoption, AdoptError> {
    let open = |from| from_sequence(messages.to_vec(), from);
    let source = Source {
        stream: "OLD",
        open: &open,
    };
    let reader = reader();
    let checked = check(Some(target), &reader, &source, late, &mut |_| {}).await?;
    store(target, &reader, &source, checked, &mut |_, _| {}).await
}

fn from_sequence(
    messages: Vec<StoredMessage>,
    from: u64,
) -> BoxStream<'static, Result<StoredMessage, JetStreamError>> {
    let messages = messages.into_iter();
    stream::iter(
        messages
            .filter(move |stored| stored.sequence >= from)
            .map(Ok),
    )
    .boxed()
}

fn new_store() -> MemoryStore {
    MemoryStore::new(StoreTemplate::default())
}

/// The event of this number, `Made` of an aggregate some seconds after 1970.
fn made(number: u64, id: &str, second: u64) -> StoredMessage {
    let time = Timestamp::from_micros(second * 1_000_000).expect("a time");
    let event_id = format!("01a1fd1e-0000-7000-8000-{number:012}");
    let headers = [
        ("CIM-Event-Id", event_id.clone()),
        ("CIM-Correlation-Id", event_id.clone()),
        ("CIM-Event-Type", "Made".to_owned()),
        (TIMESTAMP, time.to_string()),
        ("CIM-Source", "older-service".to_owned()),
        (MESSAGE_ID, event_id),
    ];
    StoredMessage {
        sequence: number,
        stored_at: time,
        message: Message {
            subject: format!("o.u.d.e.{id}.made"),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            body: format!("{{\"number\":{number}}}").into(),
        },
    }
}

fn set(stored: &mut StoredMessage, name: &str, value: &str) {
    let mut headers = stored.message.headers.iter_mut();
    let header = headers.find(|(other, _)| other == name);
    value.clone_into(&mut header.expect("a header of it").1);
}

/// The events in the order of the store: number, aggregate and version.
async fn read(store: &MemoryStore) -> Vec<String> {
    let events = events(store).await;
    let shown = events.iter().map(|recorded| {
        let id = recorded.event.id.to_string();
        let number = id[24..].trim_start_matches('0');
        format!("{number} {}{}", recorded.aggregate.id, recorded.version)
    });
    shown.collect()
}

fn counts(adopted: &Result<Adoption, AdoptError>) -> String {
    let Imported {
        events,
        appended,
        present,
        ..
    } = adopted.as_ref().expect("adopted").imported;
    format!("{events} events, {appended} appended, {present} present")
}

#[track_caller]
fn refused(adopted: Result<Adoption, AdoptError>, expect: &str) {
    let error = adopted.expect_err("bad messages");
    let AdoptError::Messages { first, .. } = error else {
        panic!("{error:?}");
    };
    let told: Vec<_> = first.iter().map(ToString::to_string).collect();
    assert_eq!(told.join("; "), expect);
}
