//! What is read back.

use cim_core::append::Append;
use cim_core::chain::Verified;
use cim_core::event::RecordedEvent;
use cim_core::id::{Entity, EventType, Namespace};
use cim_core::subject::StoreTemplate;
use cim_core::version::{ExpectedVersion, Position};
use uuid::Uuid;

use super::Fixture;
use super::given::{
    all, commit, commit_any, event, full_key, key, last_position, number, numbers, read, template,
    time, version,
};
use super::model::Random;
use crate::store::{AggregateSelect, Check, Direction, EventStore, Query, ReadEvent};

/// The numbers of no events.
const NONE: [u64; 0] = [];

/// Of an empty store everything can be asked.
pub async fn an_empty_store_has_nothing<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    assert_eq!(last_position(store).await, None);
    assert_eq!(
        store.head(&key("a")).await.expect("the store answers"),
        None
    );
    assert!(
        all(store.aggregates(AggregateSelect::default()))
            .await
            .is_empty()
    );
    for query in [
        Query::default(),
        Query::history(key("a")),
        Query::history(key("a")).verified(),
    ] {
        assert!(read(store, query.clone()).await.is_empty());
        let newest_first = Query {
            direction: Direction::Backwards,
            ..query
        };
        assert!(read(store, newest_first).await.is_empty());
    }
    let stats = store.stats().await.expect("the store answers");
    assert_eq!(
        (stats.events, stats.aggregates, stats.last_position),
        (0, 0, None)
    );
    assert_eq!((stats.types, stats.times), (vec![], None));
}

/// The head is that of the last event, at once.
pub async fn heads_and_last_position_follow_the_appends<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for n in 1..=9 {
        let key = key(["a", "b"][usize::from((n % 2) as u8)]);
        let receipt = commit_any(store, &key, n * 3..=n * 3 + n % 3).await;
        let head = store
            .head(&key)
            .await
            .expect("the store answers")
            .expect("events");
        assert_eq!((head.version, head.cid), (receipt.version, receipt.head));
        assert_eq!(last_position(store).await, Some(receipt.position));
    }
    assert_eq!(
        store.head(&key("c")).await.expect("the store answers"),
        None
    );
}

/// Two aggregates, in turns: `a` has 1, 3, 5 …, `b` has 2, 4, 6 …
pub(super) async fn in_turns(store: &dyn EventStore) -> Vec<Position> {
    let mut positions = Vec::new();
    for n in 1..=12 {
        let key = key(["b", "a"][usize::from((n % 2) as u8)]);
        positions.push(commit_any(store, &key, n..=n).await.position);
    }
    positions
}

/// "From version n" has version n, "after position p" has not p.
pub async fn versions_are_inclusive_and_positions_exclusive<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let positions = in_turns(store).await;
    let of_a = || Query::history(key("a"));
    let from = |n| Query {
        from_version: Some(version(n)),
        ..of_a()
    };
    assert_eq!(numbers(store, from(3)).await, [5, 7, 9, 11]);
    assert_eq!(numbers(store, from(6)).await, [11]);
    assert_eq!(numbers(store, from(7)).await, NONE);
    let to = |n| Query {
        to_version: Some(version(n)),
        ..of_a()
    };
    assert_eq!(numbers(store, to(2)).await, [1, 3]);
    assert_eq!(numbers(store, to(99)).await, [1, 3, 5, 7, 9, 11]);
    let one = Query {
        from_version: Some(version(4)),
        ..to(4)
    };
    assert_eq!(numbers(store, one).await, [7]);
    let none = Query {
        from_version: Some(version(5)),
        ..to(4)
    };
    assert_eq!(numbers(store, none).await, NONE);
    let of_both = Query {
        to_version: Some(version(1)),
        ..Query::default()
    };
    assert_eq!(numbers(store, of_both).await, [1, 2]);

    let after = |at: usize| Query {
        after: Some(positions[at]),
        ..Query::default()
    };
    assert_eq!(numbers(store, after(9)).await, [11, 12]);
    assert_eq!(numbers(store, after(11)).await, NONE);
    let newest_first = Query {
        direction: Direction::Backwards,
        ..after(8)
    };
    assert_eq!(numbers(store, newest_first).await, [12, 11, 10]);
    let of_a_after = Query {
        after: Some(positions[6]),
        ..of_a()
    };
    assert_eq!(numbers(store, of_a_after).await, [9, 11]);
}

/// "Since" and "until" have events of that very microsecond.
pub async fn times_are_inclusive<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    in_turns(store).await;
    let between = |since, until| Query {
        since: Some(time(since)),
        until: Some(time(until)),
        ..Query::default()
    };
    assert_eq!(numbers(store, between(4, 6)).await, [4, 5, 6]);
    assert_eq!(numbers(store, between(4, 4)).await, [4]);
    assert_eq!(numbers(store, between(5, 4)).await, NONE);
    let of_a = Query {
        aggregate: Some(key("a")),
        ..between(4, 9)
    };
    assert_eq!(numbers(store, of_a).await, [5, 7, 9]);
    let until = Query {
        until: Some(time(5)),
        ..Query::history(key("a"))
    };
    assert_eq!(numbers(store, until).await, [1, 3, 5]);
    let mut late = event(20);
    late.timestamp = time(2);
    commit(store, Append::new(key("a"), ExpectedVersion::Any, [late])).await;
    let until = Query {
        until: Some(time(2)),
        ..Query::history(key("a"))
    };
    assert_eq!(
        numbers(store, until).await,
        [1, 20],
        "the order is that of versions, not of times"
    );
}

/// Backwards is the same, newest first, and a limit takes from the new end.
pub async fn backwards_begins_with_the_newest<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    in_turns(store).await;
    let newest_first = Query {
        direction: Direction::Backwards,
        ..Query::default()
    };
    assert_eq!(
        numbers(store, newest_first.clone()).await,
        (1..=12).rev().collect::<Vec<_>>()
    );
    let last = Query {
        limit: Some(2),
        ..newest_first.clone()
    };
    assert_eq!(numbers(store, last).await, [12, 11]);
    let of_a = Query {
        aggregate: Some(key("a")),
        ..newest_first
    };
    assert_eq!(numbers(store, of_a.clone()).await, [11, 9, 7, 5, 3, 1]);
    let from = Query {
        from_version: Some(version(5)),
        ..of_a.clone()
    };
    assert_eq!(numbers(store, from).await, [11, 9]);
    let to = Query {
        to_version: Some(version(3)),
        limit: Some(2),
        ..of_a
    };
    assert_eq!(numbers(store, to).await, [5, 3]);
}

/// A conversation runs over aggregates; so does a type. An id is one event.
pub async fn by_correlation_type_and_id<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let conversation = Uuid::from_u128(42);
    for n in 1..=12 {
        let mut event = event(n);
        if n % 4 == 1 {
            event.correlation = conversation;
        }
        let key = key(["b", "a"][usize::from((n % 2) as u8)]);
        commit(store, Append::new(key, ExpectedVersion::Any, [event])).await;
    }
    let correlated = Query {
        correlation: Some(conversation),
        ..Query::default()
    };
    assert_eq!(numbers(store, correlated.clone()).await, [1, 5, 9]);
    let limited = Query {
        limit: Some(2),
        direction: Direction::Backwards,
        ..correlated.clone()
    };
    assert_eq!(numbers(store, limited).await, [9, 5]);
    let of_b = Query {
        aggregate: Some(key("b")),
        ..correlated
    };
    assert_eq!(numbers(store, of_b).await, NONE);
    let alone = Query {
        correlation: Some(*event(6).id.as_uuid()),
        ..Query::default()
    };
    assert_eq!(
        numbers(store, alone).await,
        [6],
        "a root is correlated with itself"
    );

    let typed = |name| Query {
        event_type: EventType::new(name).ok(),
        ..Query::default()
    };
    assert_eq!(numbers(store, typed("KeyRotated")).await, [1, 4, 7, 10]);
    assert_eq!(
        numbers(
            store,
            Query {
                limit: Some(3),
                ..typed("KeyGenerated")
            }
        )
        .await,
        [3, 6, 9]
    );
    assert_eq!(numbers(store, typed("Keyrotated")).await, NONE);
    assert_eq!(numbers(store, typed("Key")).await, NONE);

    let with_id = |n| Query {
        event_id: Some(event(n).id),
        ..Query::default()
    };
    assert_eq!(numbers(store, with_id(7)).await, [7]);
    assert_eq!(numbers(store, with_id(99)).await, NONE);
    let elsewhere = Query {
        aggregate: Some(key("b")),
        ..with_id(7)
    };
    assert_eq!(numbers(store, elsewhere).await, NONE);
}

const KEYS: [&str; 6] = [
    "acme.contract.tests.key.a",
    "acme.contract.tests.key.b",
    "acme.contract.tests.lock.a",
    "acme.contract.tests2.key.a",
    "acme.contract.tests2.lock.c",
    "other.contract.tests.key.a",
];

/// Events over several namespaces and entities, with shared correlations and times.
async fn mixed(store: &dyn EventStore, count: u64) -> Vec<ReadEvent> {
    for n in 0..count {
        let mut event = event(n);
        event.timestamp = time(n * 7 % 40);
        event.correlation = Uuid::from_u128(u128::from(n * 5 % 11));
        let key = full_key(KEYS[usize::from((n * n % 7 % 6) as u8)]);
        commit(store, Append::new(key, ExpectedVersion::Any, [event])).await;
    }
    let all = read(store, Query::default()).await;
    assert_eq!(
        all.iter().map(|e| number(&e.event)).collect::<Vec<_>>(),
        (0..count).collect::<Vec<_>>()
    );
    all
}

/// Namespace and entity select alone and together.
pub async fn by_namespace_and_entity<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for (n, text) in (0..).zip(KEYS) {
        commit_any(store, &full_key(text), n..=n).await;
    }
    let namespace = |text| Query {
        namespace: Namespace::new(text).ok(),
        ..Query::default()
    };
    let entity = |text, query| Query {
        entity: Entity::new(text).ok(),
        ..query
    };
    assert_eq!(
        numbers(store, namespace("acme.contract.tests")).await,
        [0, 1, 2]
    );
    assert_eq!(numbers(store, namespace("acme.contract.none")).await, NONE);
    assert_eq!(
        numbers(store, entity("lock", Query::default())).await,
        [2, 4]
    );
    assert_eq!(
        numbers(store, entity("lock", namespace("acme.contract.tests2"))).await,
        [4]
    );
    let contradiction = entity("lock", Query::history(full_key(KEYS[0])));
    assert_eq!(numbers(store, contradiction).await, NONE);
}

/// A limit is of what comes out, not of what is looked at; zero is nothing.
pub async fn a_limit_counts_what_is_delivered<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    in_turns(store).await;
    let narrow = Query {
        aggregate: Some(key("a")),
        event_type: EventType::new("KeyRotated").ok(),
        limit: Some(2),
        ..Query::default()
    };
    assert_eq!(numbers(store, narrow).await, [1, 7]);
    assert_eq!(
        numbers(
            store,
            Query {
                limit: Some(0),
                ..Query::default()
            }
        )
        .await,
        NONE
    );
    assert_eq!(
        numbers(
            store,
            Query {
                limit: Some(u64::MAX),
                ..Query::default()
            }
        )
        .await
        .len(),
        12
    );
}

/// The meaning of a query, read aloud.
fn expected(query: &Query, all: &[ReadEvent]) -> Vec<ReadEvent> {
    let mut selected: Vec<_> = all
        .iter()
        .filter(|read| {
            let recorded: &RecordedEvent = &read.event;
            let event = &recorded.event;
            query
                .aggregate
                .clone()
                .is_none_or(|wanted| wanted == recorded.aggregate)
                && query
                    .namespace
                    .clone()
                    .is_none_or(|w| w == recorded.aggregate.namespace)
                && query
                    .entity
                    .clone()
                    .is_none_or(|wanted| wanted == recorded.aggregate.entity)
                && query.event_id.is_none_or(|wanted| wanted == event.id)
                && query
                    .event_type
                    .clone()
                    .is_none_or(|wanted| wanted == event.event_type)
                && query
                    .correlation
                    .is_none_or(|wanted| wanted == event.correlation)
                && query.after.is_none_or(|after| read.position > after)
                && query
                    .from_version
                    .is_none_or(|from| recorded.version >= from)
                && query.to_version.is_none_or(|to| recorded.version <= to)
                && query.since.is_none_or(|since| event.timestamp >= since)
                && query.until.is_none_or(|until| event.timestamp <= until)
        })
        .cloned()
        .collect();
    if query.direction == Direction::Backwards {
        selected.reverse();
    }
    if let Some(limit) = query.limit {
        selected.truncate(usize::try_from(limit).expect("small"));
    }
    selected
}

/// Two thousand queries with random conditions select what the conditions say.
pub async fn any_combination_of_conditions<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let there = mixed(store, 120).await;
    let mut random = Random::new(1);
    for at in 0..2000 {
        // Few conditions at a time leave something to select.
        let rare = 2 + at % 5;
        let query = {
            let mut one = |of: u64| (random.below(rare) == 0).then(|| random.below(of));
            let pick = |n: Option<u64>| n.map(|n| &there[usize::try_from(n).expect("small")]);
            Query {
                aggregate: pick(one(120)).map(|read| read.event.aggregate.clone()),
                namespace: pick(one(120)).map(|read| read.event.aggregate.namespace.clone()),
                entity: pick(one(120)).map(|read| read.event.aggregate.entity.clone()),
                event_id: one(3).and(pick(one(120))).map(|read| read.event.event.id),
                event_type: pick(one(120)).map(|read| read.event.event.event_type.clone()),
                correlation: pick(one(120)).map(|read| read.event.event.correlation),
                after: pick(one(120)).map(|read| read.position),
                from_version: one(20).map(|n| version(n + 1)),
                to_version: one(20).map(|n| version(n + 1)),
                since: one(40).map(time),
                until: one(40).map(time),
                limit: one(10),
                direction: one(1).map_or(Direction::Forwards, |_| Direction::Backwards),
                check: one(1).map_or(Check::Nothing, |_| Check::Verify),
            }
        };
        let mark = match query.check {
            Check::Nothing => None,
            Check::Verify if query.is_history() => Some(Verified::Chain),
            Check::Verify => Some(Verified::Cid),
        };
        let mut expected = expected(&query, &there);
        expected.iter_mut().for_each(|read| read.verified = mark);
        assert_eq!(
            read(store, query.clone()).await,
            expected,
            "query {at}: {query:?}"
        );
    }
}
