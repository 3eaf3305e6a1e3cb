//! What an append answers where nothing is repeated, and what it writes.

use cim_core::append::{Append, MAX_WINNERS, record};
use cim_core::event::TraceContext;
use cim_core::id::{EventType, Operation};
use cim_core::metadata::Metadata;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, MAX_INTEGER, SchemaVersion};

use super::Fixture;
use super::given::{
    commit, commit_any, conflict, event, events, exact, full_key, history, key, last_position,
    last_version, number, numbers, read, template,
};
use crate::store::{EventStore, Query};

/// `Any` and `NoStream` begin a history; `Exact` of a version that is not there does not.
pub async fn a_new_history_begins_at_version_1<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let any = commit(
        store,
        Append::new(key("a"), ExpectedVersion::Any, events(1..=1)),
    )
    .await;
    let none = commit(
        store,
        Append::new(key("b"), ExpectedVersion::NoStream, events(2..=4)),
    )
    .await;
    assert_eq!((any.version.get(), none.version.get()), (1, 3));
    assert!(any.position < none.position);
    let refused = conflict(store, vec![Append::new(key("c"), exact(1), events(5..=5))]).await;
    assert_eq!((refused.actual, refused.expected), (None, exact(1)));
    assert!(refused.winners.is_empty());
    assert_eq!(
        store.head(&key("c")).await.expect("the store answers"),
        None
    );
}

/// `Exact(n)` with the right n is committed; the answer is that of the last event.
pub async fn exact_goes_behind_the_version_that_it_names<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=2).await;
    let receipt = commit(store, Append::new(key("a"), exact(2), events(3..=5))).await;
    let last = history(store, &key("a")).await.pop().expect("five events");
    assert_eq!((receipt.version.get(), receipt.head), (5, last.cid));
    assert_eq!(number(&last), 5);
    assert_eq!(last_position(store).await, Some(receipt.position));
}

/// `Any` never conflicts.
pub async fn any_goes_behind_whatever_is_there<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for n in 1..=5 {
        assert_eq!(commit_any(store, &key("a"), n..=n).await.version.get(), n);
    }
    assert_eq!(
        numbers(store, Query::history(key("a"))).await,
        [1, 2, 3, 4, 5]
    );
}

/// A conflict says what is there: the last version, and the events behind the expected one.
pub async fn a_stale_expectation_is_a_conflict_with_the_winners<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=5).await;
    let there = history(store, &key("a")).await;
    for (expected, winners) in [
        (exact(3), &there[3..]),
        (exact(0), &there[..]),
        (exact(6), &[]),
        (exact(MAX_INTEGER), &[]),
    ] {
        let refused = conflict(store, vec![Append::new(key("a"), expected, events(9..=9))]).await;
        assert_eq!(refused.aggregate, key("a"));
        assert_eq!((refused.expected, refused.actual), (expected, Some(5)));
        assert_eq!(refused.winners, winners, "expecting {expected}");
    }
    assert_eq!(history(store, &key("a")).await, there);
}

/// However many were first, a conflict carries 16 of them, the oldest.
pub async fn a_conflict_shows_at_most_16_winners<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=40).await;
    let refused = conflict(
        store,
        vec![Append::new(key("a"), exact(7), events(90..=90))],
    )
    .await;
    assert_eq!(refused.actual, Some(40));
    assert_eq!(
        refused.winners,
        history(store, &key("a")).await[7..7 + MAX_WINNERS]
    );
}

/// Store order is the order of the appends, and of the events within one.
pub async fn positions_increase_over_all_aggregates<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    assert_eq!(last_position(store).await, None);
    let mut last = None;
    for n in 0..20 {
        let id = ["a", "b", "c"][usize::from((n % 3) as u8)];
        let receipt = commit_any(store, &key(id), 2 * n..=2 * n + 1).await;
        assert!(
            Some(receipt.position) > last,
            "position {} after {last:?}",
            receipt.position
        );
        last = Some(receipt.position);
        assert_eq!(last_position(store).await, last);
    }
    let everything = read(store, Query::default()).await;
    assert!(everything.is_sorted_by(|one, other| one.position < other.position));
    assert_eq!(
        numbers(store, Query::default()).await,
        (0..40).collect::<Vec<_>>()
    );
}

/// `append_many` answers in the order of its parts, and writes them in it.
pub async fn several_aggregates_are_appended_in_one_step<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("b"), 1..=2).await;
    let appends = vec![
        Append::new(key("c"), ExpectedVersion::NoStream, events(3..=5)),
        Append::new(key("b"), exact(2), events(6..=6)),
        Append::new(key("a"), ExpectedVersion::Any, events(7..=8)),
    ];
    let answers = store.append_many(appends).await.expect("nothing is stale");
    let versions: Vec<_> = answers
        .iter()
        .map(|answer| answer.receipt().version.get())
        .collect();
    assert_eq!(versions, [3, 3, 2]);
    assert!(answers.is_sorted_by_key(|answer| answer.receipt().position));
    for (answer, id) in answers.iter().zip(["c", "b", "a"]) {
        let last = read(store, Query::history(key(id)))
            .await
            .pop()
            .expect("events");
        let receipt = answer.receipt();
        assert_eq!(
            (receipt.position, receipt.head),
            (last.position, last.event.cid),
            "{id}"
        );
    }
    assert_eq!(
        numbers(store, Query::default()).await,
        (1..=8).collect::<Vec<_>>()
    );
}

/// One stale part refuses the whole, wherever it stands, and nothing of it is written.
pub async fn one_stale_of_ten_aggregates_refuses_them_all<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let keys: Vec<_> = (0..10).map(|n| key(&format!("a{n}"))).collect();
    for (n, key) in (1..).zip(&keys) {
        commit_any(store, key, n..=n).await;
    }
    for stale in [0, 4, 9] {
        let parts = keys.iter().zip(100..).enumerate().map(|(at, (key, n))| {
            let expected = if at == stale {
                ExpectedVersion::NoStream
            } else {
                exact(1)
            };
            Append::new(key.clone(), expected, events(n..=n))
        });
        let refused = conflict(store, parts.collect()).await;
        assert_eq!(
            (&refused.aggregate, refused.actual),
            (&keys[stale], Some(1))
        );
        assert_eq!(refused.winners, history(store, &keys[stale]).await);
    }
    for key in &keys {
        assert_eq!(last_version(store, key).await, 1, "{key}");
    }
    assert_eq!(
        numbers(store, Query::default()).await,
        (1..=10).collect::<Vec<_>>()
    );
}

/// No field of an event is changed by storing it, at the ends of its range neither.
pub async fn events_are_read_as_they_were_given<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let text = |text: &str| Text::new(text).expect("a valid text");
    let mut full = event(1);
    full.correlation = uuid::Uuid::from_u128(7);
    full.causation = Some(uuid::Uuid::from_u128(u128::MAX));
    full.event_type = EventType::new(&"T".repeat(128)).expect("128 are allowed");
    full.operation = Operation::new("_Renamed-9").expect("a token");
    full.schema_version = SchemaVersion::new(MAX_INTEGER).expect("the largest");
    full.timestamp = Timestamp::MAX;
    full.source = text("größe 🦀 \"'%");
    full.content_type = text("application/octet-stream; x=y");
    full.metadata = Metadata::default();
    for name in ["Tenant", "z", "A-B", "z2"] {
        full.metadata
            .insert(name, text(&format!("{name}: ü\\\"{{}}")))
            .expect("a new name");
    }
    full.trace = Some(Box::new(TraceContext {
        traceparent: Some(text(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )),
        tracestate: Some(text("rojo=00f067aa0ba902b7")),
    }));
    full.body = (0..=255).collect::<Vec<u8>>().into();
    let mut half_traced = event(2);
    half_traced.trace = Some(Box::new(TraceContext {
        traceparent: Some(text("00-1")),
        tracestate: None,
    }));
    let mut least = event(3);
    least.timestamp = Timestamp::default();
    least.body = bytes::Bytes::new();
    let given = vec![full, half_traced, least];
    commit(
        store,
        Append::new(key("a"), ExpectedVersion::NoStream, given.clone()),
    )
    .await;
    let handle = fixture.open_again().await;
    for store in [store, &*handle] {
        let found = history(store, &key("a")).await;
        assert_eq!(
            found
                .iter()
                .map(|read| read.event.clone())
                .collect::<Vec<_>>(),
            given
        );
    }
}

/// The same events get the same CIDs on every store: those that the core gives them.
pub async fn cids_are_those_of_the_core<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let mut receipts = Vec::new();
    for numbers in [1..=1, 2..=30, 31..=33] {
        receipts.push(commit_any(store, &key("a"), numbers).await);
    }
    let ours = record(&key("a"), None, &events(1..=33)).expect("a short history");
    assert_eq!(history(store, &key("a")).await, ours);
    for receipt in receipts {
        let ours = &ours[usize::try_from(receipt.version.get()).expect("short") - 1];
        assert_eq!(receipt.head, ours.cid);
    }
    let head = store.head(&key("a")).await.expect("the store answers");
    assert_eq!(head, ours.last().map(|last| last.head()));
}

/// Keys are compared byte for byte, part by part.
pub async fn keys_that_look_alike_are_different_aggregates<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let keys = [
        "acme.contract.tests.key.a",
        "acme.contract.tests.key.A",
        "acme.contract.tests.Key.a",
        "Acme.contract.tests.key.a",
        "acme.contract.tests.keys.a",
        "acme.contract.test.skey.a",
        "acme.contract.tests.key.a1",
        "acme.contract.tests.key.a-",
        "acme.contract.tests.key._",
        "acme.contract.tests.key.x",
    ];
    for (n, text) in (1..).zip(keys) {
        let first = Append::new(full_key(text), ExpectedVersion::NoStream, events(n..=n));
        commit(store, first).await;
    }
    for (n, text) in (1..).zip(keys) {
        assert_eq!(
            numbers(store, Query::history(full_key(text))).await,
            [n],
            "{text}"
        );
    }
}

/// Two handles on one store see each other's appends, also where they judge.
pub async fn another_handle_goes_on_with_the_history<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let (one, other) = (&*fixture.store(), &*fixture.open_again().await);
    assert_eq!(one.info().store_id, other.info().store_id);
    assert_eq!(one.info().template, other.info().template);
    assert_eq!(one.info().created_at, other.info().created_at);
    for n in 0..6 {
        let (first, second) = if n % 2 == 0 {
            (one, other)
        } else {
            (other, one)
        };
        commit(
            first,
            Append::new(key("a"), exact(n), events(n + 1..=n + 1)),
        )
        .await;
        let stale = vec![Append::new(key("a"), exact(n), events(100..=100))];
        assert_eq!(conflict(second, stale).await.actual, Some(n + 1));
        assert_eq!(last_version(second, &key("a")).await, n + 1);
    }
    assert_eq!(
        history(one, &key("a")).await,
        history(other, &key("a")).await
    );
    let store: &dyn EventStore = other;
    assert_eq!(numbers(store, Query::default()).await, [1, 2, 3, 4, 5, 6]);
}
