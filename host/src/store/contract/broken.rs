//! What happens when a stored event is altered behind the store's back.

use cim_core::append::{Append, AppendError, Rejection};
use cim_core::id::AggregateKey;
use cim_core::subject::StoreTemplate;
use cim_core::version::{ExpectedVersion, Position};
use futures_util::StreamExt as _;

use super::Fixture;
use super::given::{
    commit_any, event, events, exact, history, key, last_position, last_version, number, read,
    rejection, repeat, template, version,
};
use crate::store::{Delivery, EventStore, InvalidEvent, Query, StoreError};

/// Two aggregates; the last event of `a`, number 3, is altered. Says where it stands.
async fn broken<F: Fixture>(fixture: &F) -> Position {
    let store = &*fixture.store();
    let position = commit_any(store, &key("a"), 1..=3).await.position;
    commit_any(store, &key("b"), 4..=6).await;
    fixture.break_head(&key("a")).await;
    position
}

/// Appends to what must be broken, and says where.
async fn broken_at(store: &dyn EventStore, appends: Vec<Append>) -> (AggregateKey, Position) {
    let before = last_position(store).await;
    match store.append_many(appends).await {
        Err(AppendError::Broken {
            aggregate,
            position,
            why,
        }) => {
            assert!(!why.is_empty());
            assert_eq!(last_position(store).await, before, "nothing is written");
            (aggregate, position)
        }
        other => panic!("expected a broken history, found {other:?}"),
    }
}

pub(super) fn check_invalid(invalid: &InvalidEvent, position: Position) {
    assert_eq!((invalid.position, invalid.code), (position, "wrong-cid"));
    assert_eq!(invalid.aggregate, Some(key("a")));
    assert_eq!(invalid.event, Some(event(3).id));
    assert!(!invalid.why.is_empty());
}

/// Nothing links to an altered event; other aggregates go on.
pub async fn a_broken_head_stops_its_aggregate_alone<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let position = broken(&fixture).await;
    let handles = [fixture.store(), fixture.open_again().await];
    for store in &handles {
        for expected in [ExpectedVersion::Any, exact(3)] {
            let append = Append::new(key("a"), expected, events(10..=10));
            assert_eq!(
                broken_at(&**store, vec![append]).await,
                (key("a"), position)
            );
        }
    }
    commit_any(&*handles[0], &key("b"), 11..=11).await;
    commit_any(&*handles[1], &key("c"), 12..=12).await;
    assert_eq!(history(&*handles[0], &key("b")).await.len(), 4);
}

/// One broken part refuses the whole.
pub async fn append_many_with_a_broken_head_is_refused_whole<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let position = broken(&fixture).await;
    let store = &*fixture.store();
    let ids = ["c", "a", "b"];
    let parts = (10..)
        .zip(ids)
        .map(|(n, id)| Append::new(key(id), ExpectedVersion::Any, [event(n)]));
    assert_eq!(
        broken_at(store, parts.collect()).await,
        (key("a"), position)
    );
    assert_eq!(last_version(store, &key("c")).await, 0);
}

/// Bad input is told before the history is looked at.
pub async fn an_invalid_append_comes_before_a_broken_head<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    broken(&fixture).await;
    let store = &*fixture.store();
    let empty = Append::new(key("a"), ExpectedVersion::Any, []);
    assert_eq!(rejection(store, vec![empty]).await, Rejection::Empty);
}

/// A broken history answers nothing else, not even for what was stored before.
pub async fn a_broken_head_comes_before_a_repeat_and_a_conflict<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let position = broken(&fixture).await;
    let store = &*fixture.store();
    for append in [
        Append::new(key("a"), ExpectedVersion::Any, events(1..=3)),
        Append::new(key("a"), ExpectedVersion::NoStream, events(1..=2)),
        Append::new(key("a"), exact(1), events(9..=9)),
        Append::new(key("a"), ExpectedVersion::Any, events(5..=5)),
    ] {
        assert_eq!(broken_at(store, vec![append]).await, (key("a"), position));
    }
    let untouched = Append::new(key("b"), ExpectedVersion::Any, events(4..=6));
    assert_eq!(repeat(store, untouched).await.version.get(), 3);
}

/// What was good is read, then the stream ends with the fault; unverified, the event is read.
pub async fn a_verified_read_ends_at_an_altered_event<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let position = broken(&fixture).await;
    let store = &*fixture.store();
    let whole = Query::default().verified();
    let from = Query {
        from_version: Some(version(2)),
        ..Query::history(key("a")).verified()
    };
    for (query, good) in [
        (Query::history(key("a")).verified(), 2),
        (from, 1),
        (whole, 2),
    ] {
        let mut stream = store.read(query.clone());
        for _ in 0..good {
            stream
                .next()
                .await
                .expect("an event")
                .expect("it is not altered");
        }
        match stream.next().await {
            Some(Err(StoreError::Invalid(invalid))) => check_invalid(&invalid, position),
            other => panic!("expected the altered event, found {other:?}"),
        }
        assert!(
            stream.next().await.is_none(),
            "the stream has ended: {query:?}"
        );
    }
    let unverified = read(store, Query::history(key("a"))).await;
    assert_eq!(
        unverified
            .iter()
            .map(|read| number(&read.event))
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(unverified.iter().all(|read| read.verified.is_none()));
    assert_eq!(history(store, &key("b")).await.len(), 3);
}

/// It is delivered as what it is, in its place, and the subscription goes on.
pub async fn a_subscription_delivers_an_altered_event_as_invalid<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let position = broken(&fixture).await;
    let store = &*fixture.store();
    let mut deliveries = store.subscribe(None, None);
    let mut seen = Vec::new();
    while let Some(delivery) = deliveries.next().await {
        match delivery.expect("the store answers") {
            Delivery::Event(read) => seen.push(number(&read.event)),
            Delivery::Invalid(invalid) => {
                check_invalid(&invalid, position);
                assert_eq!(seen, [1, 2]);
                seen.push(3);
            }
            Delivery::CaughtUp => break,
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
}
