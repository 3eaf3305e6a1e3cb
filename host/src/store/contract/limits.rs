//! What is refused whatever the histories are, and in which order answers are tried.

use cim_core::append::{Append, MAX_APPEND_EVENTS, Rejection};
use cim_core::id::{Entity, Namespace};
use cim_core::message::{MAX_EVENT_SIZE, event_size};
use cim_core::subject::{StoreTemplate, SubjectTemplate};
use cim_core::version::ExpectedVersion;

use super::Fixture;
use super::given::{
    commit, commit_any, event, events, exact, full_key, key, last_version, rejection, repeat,
    reused, template,
};

const MOST: u64 = MAX_APPEND_EVENTS as u64;

/// 1000 events go into one append, 1001 do not.
pub async fn a_thousand_events_are_the_most<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let too_many = Append::new(key("a"), ExpectedVersion::Any, events(1..=MOST + 1));
    assert_eq!(
        rejection(store, vec![too_many]).await,
        Rejection::TooManyEvents {
            count: MAX_APPEND_EVENTS + 1
        }
    );
    let receipt = commit_any(store, &key("a"), 1..=MOST).await;
    assert_eq!(receipt.version.get(), MOST);
    let again = Append::new(key("a"), ExpectedVersion::Any, events(1..=MOST));
    assert_eq!(repeat(store, again).await, receipt);
}

/// The limit is of all aggregates together.
pub async fn a_thousand_events_in_all_of_append_many<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let parts = |last| {
        vec![
            Append::new(key("a"), ExpectedVersion::NoStream, events(1..=MOST / 2)),
            Append::new(
                key("b"),
                ExpectedVersion::NoStream,
                events(MOST / 2 + 1..=last),
            ),
        ]
    };
    assert_eq!(
        rejection(store, parts(MOST + 1)).await,
        Rejection::TooManyEvents {
            count: MAX_APPEND_EVENTS + 1
        }
    );
    store.append_many(parts(MOST)).await.expect("1000 fit");
    assert_eq!(last_version(store, &key("b")).await, MOST / 2);
}

/// Body and headers together have a limit, which is reached to the byte.
pub async fn an_event_fills_its_size_to_the_byte<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let mut large = event(2);
    large.body = bytes::Bytes::new();
    let headers = event_size(&large);
    large.body = vec![b' '; MAX_EVENT_SIZE - headers + 1].into();
    let with_small = [event(1), large.clone()];
    assert_eq!(
        rejection(
            store,
            vec![Append::new(key("a"), ExpectedVersion::Any, with_small)]
        )
        .await,
        Rejection::EventTooLarge {
            event: large.id,
            size: MAX_EVENT_SIZE + 1
        }
    );
    large.body = vec![b' '; MAX_EVENT_SIZE - headers].into();
    let fits = Append::new(key("a"), ExpectedVersion::Any, [event(1), large]);
    let receipt = commit(store, fits.clone()).await;
    assert_eq!(repeat(store, fits).await, receipt);
}

/// An append without events is a mistake, so is one of several.
pub async fn an_append_has_events<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let empty = Append::new(key("a"), ExpectedVersion::Any, []);
    let full = Append::new(key("b"), ExpectedVersion::Any, events(1..=1));
    for appends in [
        vec![],
        vec![empty.clone()],
        vec![full.clone(), empty.clone()],
        vec![empty, full],
    ] {
        assert_eq!(rejection(store, appends).await, Rejection::Empty);
    }
}

/// Two parts for one aggregate would have to be judged against each other.
pub async fn an_aggregate_stands_once_in_an_append<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let parts = [("a", 1), ("b", 2), ("a", 3)];
    let parts = parts.map(|(id, n)| Append::new(key(id), ExpectedVersion::Any, events(n..=n)));
    assert_eq!(
        rejection(store, parts.to_vec()).await,
        Rejection::AggregateRepeated {
            aggregate: key("a")
        }
    );
}

/// One id twice, in one part or in two.
pub async fn an_event_id_stands_once_in_an_append<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let repeated = Rejection::EventIdRepeated { event: event(1).id };
    let one = Append::new(
        key("a"),
        ExpectedVersion::Any,
        [event(1), event(2), event(1)],
    );
    assert_eq!(rejection(store, vec![one]).await, repeated);
    let parts = ["a", "b"].map(|id| Append::new(key(id), ExpectedVersion::Any, events(1..=1)));
    assert_eq!(rejection(store, parts.to_vec()).await, repeated);
}

/// A store of one namespace and entity takes no others.
pub async fn an_aggregate_fits_the_template<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let namespace = Namespace::new("acme.contract.tests").expect("three tokens");
    let entity = Entity::new("key").expect("a token");
    let layout = SubjectTemplate::infrastructure_compute(&namespace, &entity);
    let fixture = make(StoreTemplate::new(layout).expect("all six fields")).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=1).await;
    for other in ["acme.contract.tests.lock.a", "acme.contract.other.key.a"] {
        for appends in [
            vec![Append::new(
                full_key(other),
                ExpectedVersion::Any,
                events(2..=2),
            )],
            vec![
                Append::new(key("b"), ExpectedVersion::Any, events(2..=2)),
                Append::new(full_key(other), ExpectedVersion::Any, events(3..=3)),
            ],
        ] {
            let why = rejection(store, appends).await;
            assert!(matches!(why, Rejection::Template(_)), "{other}: {why:?}");
        }
    }
    assert_eq!(last_version(store, &key("b")).await, 0);
}

/// A used id can never succeed, a conflict may: the first is told.
pub async fn a_reused_id_comes_before_a_conflict<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=3).await;
    let stale = Append::new(key("a"), exact(1), [event(9), event(3)]);
    assert_eq!(reused(store, stale).await, event(3).id);
}

/// A repeat has its answer although its expectation is stale by now.
pub async fn a_repeat_comes_before_a_conflict<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let append = Append::new(key("a"), ExpectedVersion::NoStream, events(1..=1));
    let receipt = commit(store, append.clone()).await;
    commit_any(store, &key("a"), 2..=3).await;
    assert_eq!(repeat(store, append).await, receipt);
}

/// What is invalid is not looked up.
pub async fn an_invalid_append_comes_before_a_repeat<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=2).await;
    let parts = vec![
        Append::new(key("a"), ExpectedVersion::NoStream, events(1..=2)),
        Append::new(key("b"), ExpectedVersion::Any, []),
    ];
    assert_eq!(rejection(store, parts).await, Rejection::Empty);
    let twice = Append::new(key("a"), exact(9), [event(1), event(1)]);
    assert_eq!(
        rejection(store, vec![twice]).await,
        Rejection::EventIdRepeated { event: event(1).id }
    );
}
