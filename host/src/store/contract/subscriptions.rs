//! Catch-up and live, without gap or repeat.

use std::time::Duration;

use cim_core::chain::Verified;
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::version::Position;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::task::JoinSet;

use super::Fixture;
use super::given::{commit_any, full_key, key, last_position, number, numbers, read, template};
use crate::store::{Delivery, EventStore, Query, ReadEvent, StoreError};

type Deliveries = BoxStream<'static, Result<Delivery, StoreError>>;

/// The next delivery, which must come soon.
async fn next(deliveries: &mut Deliveries) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), deliveries.next())
        .await
        .expect("something is delivered")
        .expect("a subscription does not end")
        .expect("the store answers")
}

async fn next_event(deliveries: &mut Deliveries) -> ReadEvent {
    match next(deliveries).await {
        Delivery::Event(read) => {
            assert_eq!(read.verified, Some(Verified::Cid));
            read
        }
        other => panic!("expected an event, found {other:?}"),
    }
}

async fn next_numbers(deliveries: &mut Deliveries, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(number(&next_event(deliveries).await.event));
    }
    numbers
}

async fn caught_up(deliveries: &mut Deliveries) {
    let delivery = next(deliveries).await;
    assert!(matches!(delivery, Delivery::CaughtUp), "{delivery:?}");
}

/// Checks that nothing comes for a while.
async fn nothing(deliveries: &mut Deliveries) {
    let waited = tokio::time::timeout(Duration::from_millis(300), deliveries.next()).await;
    assert!(waited.is_err(), "{waited:?}");
}

/// Nothing to catch up with is said, too.
pub async fn an_empty_store_is_caught_up_at_once<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let mut deliveries = store.subscribe(None, None);
    caught_up(&mut deliveries).await;
    nothing(&mut deliveries).await;
    commit_any(store, &key("a"), 1..=2).await;
    assert_eq!(next_numbers(&mut deliveries, 2).await, [1, 2]);
    nothing(&mut deliveries).await;
}

/// The old events, then "caught up" once, then the new ones.
pub async fn what_is_there_comes_before_what_is_new<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for first in [0, 1000, 2000] {
        commit_any(store, &key("a"), first..=first + 999).await;
    }
    let mut deliveries = store.subscribe(None, None);
    assert_eq!(
        next_numbers(&mut deliveries, 3000).await,
        (0..3000).collect::<Vec<_>>()
    );
    caught_up(&mut deliveries).await;
    for n in 3000..3010 {
        let receipt = commit_any(store, &key("b"), n..=n).await;
        let delivered = next_event(&mut deliveries).await;
        assert_eq!(
            (number(&delivered.event), delivered.position),
            (n, receipt.position)
        );
    }
    nothing(&mut deliveries).await;
}

/// A position is exclusive: the checkpoint's own event is not repeated.
pub async fn it_begins_behind_a_position<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let mut positions = Vec::new();
    for n in 0..10 {
        positions.push(commit_any(store, &key("a"), n..=n).await.position);
    }
    let mut deliveries = store.subscribe(Some(positions[6]), None);
    assert_eq!(next_numbers(&mut deliveries, 3).await, [7, 8, 9]);
    caught_up(&mut deliveries).await;
    let mut at_the_end = store.subscribe(last_position(store).await, None);
    caught_up(&mut at_the_end).await;
    commit_any(store, &key("a"), 10..=10).await;
    assert_eq!(next_numbers(&mut deliveries, 1).await, [10]);
    assert_eq!(next_numbers(&mut at_the_end, 1).await, [10]);
}

/// A filter is one of subjects: of aggregates, of operations, or of nothing that is there.
pub async fn it_delivers_what_its_filter_matches<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let keys = ["a.b.c.key.x", "a.b.c.lock.x", "a.b.d.key.x"].map(full_key);
    let write = async |numbers: std::ops::Range<u64>| {
        for n in numbers {
            commit_any(store, &keys[usize::from((n % 3) as u8)], n..=n).await;
        }
    };
    write(0..12).await;
    let mut subscriptions = Vec::new();
    for (filter, old, new) in [
        (
            "a.b.c.>",
            vec![0, 1, 3, 4, 6, 7, 9, 10],
            vec![12, 13, 15, 16],
        ),
        ("*.*.*.lock.*.*", vec![1, 4, 7, 10], vec![13, 16]),
        ("a.b.d.key.x.>", vec![2, 5, 8, 11], vec![14, 17]),
        ("*.*.*.*.*.rotated", vec![1, 4, 7, 10], vec![13, 16]),
        ("a.b.c.key.y.>", vec![], vec![]),
        ("a.b.c.key", vec![], vec![]),
    ] {
        let filter = SubjectFilter::new(filter).expect("a filter");
        let mut deliveries = store.subscribe(None, Some(filter.clone()));
        assert_eq!(
            next_numbers(&mut deliveries, old.len()).await,
            old,
            "{filter}"
        );
        caught_up(&mut deliveries).await;
        subscriptions.push((deliveries, new));
    }
    write(12..18).await;
    for (mut deliveries, new) in subscriptions {
        assert_eq!(next_numbers(&mut deliveries, new.len()).await, new);
        nothing(&mut deliveries).await;
    }
}

/// Reads `count` events and one "caught up", which must not come before the first `old` ones.
async fn follow(mut deliveries: Deliveries, old: usize, count: usize) -> Vec<(Position, u64)> {
    let mut seen = Vec::new();
    let mut caught_up = false;
    while seen.len() < count || !caught_up {
        match next(&mut deliveries).await {
            Delivery::Event(read) => seen.push((read.position, number(&read.event))),
            Delivery::CaughtUp => {
                assert!(!caught_up, "it is said once");
                assert!(seen.len() >= old, "said after {} of {old}", seen.len());
                caught_up = true;
            }
            Delivery::Invalid(invalid) => panic!("{invalid}"),
        }
    }
    nothing(&mut deliveries).await;
    seen
}

/// That all is delivered which was there at the beginning is said even if there is always more.
pub async fn it_catches_up_while_others_write<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = fixture.store();
    commit_any(&*store, &key("a"), 0..=9).await;
    let mut deliveries = store.subscribe(None, None);
    let mut seen = 0;
    loop {
        match next(&mut deliveries).await {
            Delivery::Event(_) => seen += 1,
            Delivery::CaughtUp => break,
            Delivery::Invalid(invalid) => panic!("{invalid}"),
        }
        assert!(seen <= 20, "it does not catch up");
        commit_any(&*store, &key("b"), 100 + seen..=100 + seen).await;
    }
    assert!(seen >= 10, "said after {seen} of 10");
}

/// Subscribers that come while eight writers write see store order, whole.
pub async fn eight_writers_make_no_gap_and_no_repeat<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let handles = [fixture.store(), fixture.open_again().await];
    commit_any(&*handles[0], &key("old"), 0..=299).await;
    let mut writers = JoinSet::new();
    for (writer, store) in (1..=8).zip(handles.iter().cycle()) {
        let store = store.clone();
        writers.spawn(async move {
            let mut n = writer * 1000;
            for size in [1, 3, 1, 7, 2].repeat(8) {
                let key = key(["a", "b", "c"][usize::from((n % 3) as u8)]);
                commit_any(&*store, &key, n..=n + size - 1).await;
                n += size;
            }
        });
    }
    let count = 300 + 8 * 8 * 14;
    let mut subscribers = JoinSet::new();
    for (wait, store) in (0..4).zip(handles.iter().cycle()) {
        let store = store.clone();
        subscribers.spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait * 10)).await;
            follow(store.subscribe(None, None), 300, count).await
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer's appends are committed");
    }
    let there: Vec<_> = read(&*handles[0], Query::default())
        .await
        .iter()
        .map(|read| (read.position, number(&read.event)))
        .collect();
    assert_eq!(there.len(), count);
    while let Some(seen) = subscribers.join_next().await {
        assert_eq!(seen.expect("a subscriber sees everything"), there);
    }
}

/// Whoever comes back late to a subscription finds everything in it.
pub async fn a_slow_subscriber_loses_nothing<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 0..=0).await;
    let mut deliveries = store.subscribe(None, None);
    assert_eq!(next_numbers(&mut deliveries, 1).await, [0]);
    caught_up(&mut deliveries).await;
    for n in 0..200 {
        commit_any(store, &key("a"), n * 20 + 1..=n * 20 + 20).await;
    }
    assert_eq!(
        next_numbers(&mut deliveries, 4000).await,
        (1..=4000).collect::<Vec<_>>()
    );
    nothing(&mut deliveries).await;
}

/// New events of another handle come without anything happening on this one.
pub async fn an_append_through_another_handle_wakes_it<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let (one, other) = (&*fixture.store(), &*fixture.open_again().await);
    let mut deliveries = one.subscribe(None, None);
    caught_up(&mut deliveries).await;
    for n in 0..5 {
        commit_any(other, &key("a"), n..=n).await;
        let woken = tokio::time::timeout(Duration::from_secs(5), next_event(&mut deliveries));
        assert_eq!(number(&woken.await.expect("it wakes").event), n);
    }
}

/// Subscriptions are dropped before, while and after they catch up; the store goes on.
pub async fn a_subscription_may_be_dropped<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store: &dyn EventStore = &*fixture.store();
    commit_any(store, &key("a"), 0..=999).await;
    for taken in [0, 1, 2, 500, 1000, 1001] {
        let mut deliveries = store.subscribe(None, None);
        for _ in 0..taken {
            next(&mut deliveries).await;
        }
    }
    commit_any(store, &key("a"), 1000..=1000).await;
    assert_eq!(numbers(store, Query::default()).await.len(), 1001);
}
