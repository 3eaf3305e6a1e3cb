//! What the cases work with: aggregates and events with fixed ids, and answers taken apart.

use std::ops::RangeInclusive;

use cim_core::append::{Append, AppendError, Appended, Receipt, Rejection};
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::id::{AggregateKey, EventId, EventType};
use cim_core::subject::{StoreTemplate, SubjectTemplate};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, Position, Version};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::store::{EventStore, Query, ReadEvent, StoreError};

/// 2026-11-21T08:00:00Z, from which the times of all events count.
const START: u64 = 1_795_248_000_000_000;

/// The template of most cases: the canonical layout, for any namespace and entity.
pub fn template() -> StoreTemplate {
    StoreTemplate::new(SubjectTemplate::canonical_events()).expect("the canonical layout stores")
}

/// The aggregate `acme.contract.tests.key.<id>`.
pub fn key(id: &str) -> AggregateKey {
    full_key(&format!("acme.contract.tests.key.{id}"))
}

/// The aggregate with this full key.
pub fn full_key(text: &str) -> AggregateKey {
    text.parse().expect("the case gives a valid key")
}

/// The `n`-th event: its id and everything in it depend on `n` alone. It happened `n` seconds
/// after the start; its type goes round `KeyGenerated`, `KeyRotated`, `KeyRevoked`.
pub fn event(n: u64) -> NewEvent {
    let time = time(n);
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&n.to_be_bytes());
    let event_type = ["KeyGenerated", "KeyRotated", "KeyRevoked"][usize::from((n % 3) as u8)];
    NewEvent::json(
        EventId::from_parts(time, entropy),
        &key("any").entity,
        EventType::new(event_type).expect("a valid type"),
        time,
        Text::new("contract").expect("a valid text"),
        format!(r#"{{"n":{n}}}"#),
    )
    .expect("the type is short")
}

/// Events by their numbers.
pub fn events(numbers: RangeInclusive<u64>) -> Vec<NewEvent> {
    numbers.map(event).collect()
}

/// The time of the `n`-th event.
pub fn time(n: u64) -> Timestamp {
    Timestamp::from_micros(START + n * 1_000_000).expect("before the year 10000")
}

/// The expectation of exactly version `n`; of no event for 0.
pub fn exact(n: u64) -> ExpectedVersion {
    Version::new(n).map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact)
}

/// The version `n`.
pub fn version(n: u64) -> Version {
    Version::new(n).expect("versions begin with 1")
}

/// Appends what must be new.
///
/// # Panics
///
/// When it is not committed now.
pub async fn commit(store: &dyn EventStore, append: Append) -> Receipt {
    match store.append(append.clone()).await {
        Ok(Appended::Committed(receipt)) => receipt,
        other => panic!(
            "expected `{}` to be committed, found {other:?}",
            shown(&append)
        ),
    }
}

/// Appends events with `Any` and says where the last one stands.
///
/// # Panics
///
/// When they are not committed now.
pub async fn commit_any(
    store: &dyn EventStore,
    aggregate: &AggregateKey,
    numbers: RangeInclusive<u64>,
) -> Receipt {
    commit(
        store,
        Append::new(aggregate.clone(), ExpectedVersion::Any, events(numbers)),
    )
    .await
}

/// Appends what must be there already.
///
/// # Panics
///
/// When it is not.
pub async fn repeat(store: &dyn EventStore, append: Append) -> Receipt {
    match store.append(append.clone()).await {
        Ok(Appended::AlreadyCommitted(receipt)) => receipt,
        other => panic!(
            "expected `{}` to be there already, found {other:?}",
            shown(&append)
        ),
    }
}

/// Appends what must be refused as bad input, and says why it is.
///
/// # Panics
///
/// When the answer is another one, or something was written.
pub async fn rejection(store: &dyn EventStore, appends: Vec<Append>) -> Rejection {
    let before = last_position(store).await;
    let why = match store.append_many(appends).await {
        Err(AppendError::Rejected { why }) => why,
        other => panic!("expected a rejection, found {other:?}"),
    };
    assert_eq!(
        last_position(store).await,
        before,
        "a rejected append writes nothing"
    );
    why
}

/// Appends events of which one has a used id.
///
/// # Panics
///
/// When they are not refused for that.
pub async fn reused(store: &dyn EventStore, append: Append) -> EventId {
    match rejection(store, vec![append.clone()]).await {
        Rejection::EventIdReused { event } => event,
        other => panic!(
            "expected `{}` to be reused, found {other:?}",
            shown(&append)
        ),
    }
}

/// What a conflict says.
#[derive(Debug)]
pub struct Conflict {
    /// The aggregate.
    pub aggregate: AggregateKey,
    /// What was expected.
    pub expected: ExpectedVersion,
    /// The last version.
    pub actual: Option<u64>,
    /// The events that were first.
    pub winners: Vec<RecordedEvent>,
}

/// Appends what must be in conflict.
///
/// # Panics
///
/// When it is not, or something was written.
pub async fn conflict(store: &dyn EventStore, appends: Vec<Append>) -> Conflict {
    let before = last_position(store).await;
    let conflict = match store.append_many(appends).await {
        Err(AppendError::Conflict {
            aggregate,
            expected,
            actual,
            winners,
        }) => Conflict {
            aggregate,
            expected,
            actual: actual.map(Version::get),
            winners,
        },
        other => panic!("expected a conflict, found {other:?}"),
    };
    assert_eq!(
        last_position(store).await,
        before,
        "a refused append writes nothing"
    );
    conflict
}

/// The last position of a store.
///
/// # Panics
///
/// When the store fails.
pub async fn last_position(store: &dyn EventStore) -> Option<Position> {
    store.last_position().await.expect("the store answers")
}

/// The last version of a history, 0 where there is none.
///
/// # Panics
///
/// When the store fails.
pub async fn last_version(store: &dyn EventStore, aggregate: &AggregateKey) -> u64 {
    let head = store.head(aggregate).await.expect("the store answers");
    head.map_or(0, |head| head.version.get())
}

/// All that a query selects.
///
/// # Panics
///
/// When the store fails, or an event is invalid.
pub async fn read(store: &dyn EventStore, query: Query) -> Vec<ReadEvent> {
    all(store.read(query)).await
}

/// The numbers of the events that a query selects, in its order.
///
/// # Panics
///
/// When the store fails, or an event is invalid.
pub async fn numbers(store: &dyn EventStore, query: Query) -> Vec<u64> {
    read(store, query)
        .await
        .iter()
        .map(|read| number(&read.event))
        .collect()
}

/// A whole history, verified.
///
/// # Panics
///
/// When the store fails, or an event is invalid.
pub async fn history(store: &dyn EventStore, aggregate: &AggregateKey) -> Vec<RecordedEvent> {
    let read = read(store, Query::history(aggregate.clone()).verified()).await;
    read.into_iter().map(|read| read.event).collect()
}

/// All of a stream.
///
/// # Panics
///
/// When it ends with an error.
pub async fn all<T>(stream: BoxStream<'_, Result<T, StoreError>>) -> Vec<T> {
    stream
        .map(|item| item.expect("the store answers"))
        .collect()
        .await
}

/// The number that [`event`] was given.
///
/// # Panics
///
/// When the event was not made by it.
pub fn number(recorded: &RecordedEvent) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *recorded.event.id.as_bytes();
    u64::from_be_bytes([a & 0x3f, b, c, d, e, f, g, h])
}

fn shown(append: &Append) -> String {
    let ids: Vec<_> = append.events.iter().map(|event| event.id).collect();
    format!(
        "{} expecting {}: {ids:?}",
        append.aggregate, append.expected
    )
}
