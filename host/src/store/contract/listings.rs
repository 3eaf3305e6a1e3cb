//! What a store says of itself: its aggregates, its counts.

use cim_core::append::Append;
use cim_core::id::{Entity, EventType, Namespace};
use cim_core::subject::StoreTemplate;
use cim_core::version::ExpectedVersion;

use super::Fixture;
use super::given::{all, commit, commit_any, events, full_key, key, read, template, time};
use crate::store::{AggregateEntry, AggregateSelect, Query};

/// Namespace, then entity, then id, each byte for byte; with what the last event says.
pub async fn aggregates_are_listed_in_the_order_of_their_keys<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let texts = [
        "b.c.d.key.x",
        "a.b.c.key.b",
        "a.b.c.key.a",
        "a.b.c.key.a-1",
        "a.b.c.key.a1",
        "a.b.c.key.B",
        "a.b.c.key-1.a",
        "a.b.c.keys.a",
        "a.b.c.Key.a",
        "a.b.c-d.key.a",
        "a.b.c1.key.a",
        "A.b.c.key.a",
        "a.b-b.c.key.a",
    ];
    for (n, text) in (0..).zip(texts) {
        commit_any(store, &full_key(text), n * 2..=n * 2 + n % 2).await;
    }
    let mut keys: Vec<_> = texts.map(full_key).to_vec();
    keys.sort();
    let select = AggregateSelect::default();
    let listed = all(store.aggregates(select.clone())).await;
    assert_eq!(
        listed
            .iter()
            .map(|entry| entry.aggregate.clone())
            .collect::<Vec<_>>(),
        keys
    );
    for entry in &listed {
        let last = read(store, Query::history(entry.aggregate.clone()))
            .await
            .pop()
            .expect("events");
        assert_eq!(
            *entry,
            AggregateEntry {
                aggregate: last.event.aggregate.clone(),
                head: last.event.head(),
                last_time: last.event.event.timestamp,
                last_position: last.position,
            }
        );
    }
    let limited = AggregateSelect {
        limit: Some(4),
        ..select.clone()
    };
    assert_eq!(all(store.aggregates(limited)).await, listed[..4]);
    let of = |namespace: Option<&str>, entity: Option<&str>, limit| AggregateSelect {
        namespace: namespace.map(|text| Namespace::new(text).expect("a namespace")),
        entity: entity.map(|text| Entity::new(text).expect("an entity")),
        limit,
    };
    for (namespace, entity, limit) in [
        (Some("a.b.c"), None, None),
        (None, Some("key"), None),
        (Some("a.b.c"), Some("key"), None),
        (Some("a.b.c"), Some("key"), Some(2)),
        (Some("a.b.none"), None, None),
        (None, Some("key"), Some(0)),
    ] {
        let expected: Vec<_> = listed
            .iter()
            .filter(|entry| namespace.is_none_or(|n| entry.aggregate.namespace.as_str() == n))
            .filter(|entry| entity.is_none_or(|e| entry.aggregate.entity.as_str() == e))
            .take(limit.map_or(usize::MAX, |limit: u64| {
                usize::try_from(limit).expect("small")
            }))
            .cloned()
            .collect();
        assert_eq!(
            all(store.aggregates(of(namespace, entity, limit))).await,
            expected
        );
    }
}

/// Counts, the most frequent type first, and the extremes of time.
pub async fn stats_count_events_aggregates_types_and_times<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let mut given = events(1..=10);
    for (event, name) in given.iter_mut().zip("A B B C C C C B B D".split(' ')) {
        event.event_type = EventType::new(name).expect("a type");
    }
    given[9].event_type = EventType::new("A").expect("a type");
    given[3].timestamp = time(50);
    given[5].timestamp = time(0);
    given[2].event_type = EventType::new("C").expect("a type");
    commit(
        store,
        Append::new(key("a"), ExpectedVersion::Any, given.split_off(4)),
    )
    .await;
    let last = commit(store, Append::new(key("b"), ExpectedVersion::Any, given)).await;
    let stats = store.stats().await.expect("the store answers");
    assert_eq!((stats.events, stats.aggregates), (10, 2));
    let counts = [("C", 5), ("B", 3), ("A", 2)];
    assert_eq!(
        stats.types,
        counts.map(|(name, count)| (name.to_owned(), count))
    );
    assert_eq!(stats.times, Some((time(0), time(50))));
    assert_eq!(stats.last_position, Some(last.position));
}
