//! Reads as streams: what they verify, how they page, and what happens around them.

use cim_core::append::Append;
use cim_core::chain::Verified;
use cim_core::subject::StoreTemplate;
use cim_core::version::ExpectedVersion;
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use super::Fixture;
use super::given::{
    commit_any, events, history, key, number, numbers, read, template, time, version,
};
use super::reads::in_turns;
use crate::store::{AggregateSelect, Direction, Query};

/// Only what was checked is said to be: links where a history is read from its start.
pub async fn a_verified_history_is_verified_as_a_chain<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    in_turns(store).await;
    let of_a = || Query::history(key("a")).verified();
    for (query, mark) in [
        (Query::history(key("a")), None),
        (Query::default(), None),
        (of_a(), Some(Verified::Chain)),
        (
            Query {
                to_version: Some(version(3)),
                ..of_a()
            },
            Some(Verified::Chain),
        ),
        (
            Query {
                from_version: Some(version(1)),
                ..of_a()
            },
            Some(Verified::Chain),
        ),
        (
            Query {
                limit: Some(2),
                ..of_a()
            },
            Some(Verified::Chain),
        ),
        (
            Query {
                from_version: Some(version(2)),
                ..of_a()
            },
            Some(Verified::Cid),
        ),
        (
            Query {
                direction: Direction::Backwards,
                ..of_a()
            },
            Some(Verified::Cid),
        ),
        (
            Query {
                since: Some(time(0)),
                ..of_a()
            },
            Some(Verified::Cid),
        ),
        (
            Query {
                until: Some(time(9)),
                ..of_a()
            },
            Some(Verified::Cid),
        ),
        (Query::default().verified(), Some(Verified::Cid)),
    ] {
        let read = read(store, query.clone()).await;
        assert!(!read.is_empty(), "{query:?}");
        assert!(read.iter().all(|read| read.verified == mark), "{query:?}");
    }
}

/// Reads of more than any page, whole and from each side of where pages may end.
pub async fn long_reads_have_no_seams<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    const COUNT: u64 = 4200;
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for first in (0..COUNT).step_by(600) {
        let part = |id, from, to| Append::new(key(id), ExpectedVersion::Any, events(from..=to));
        let parts = vec![
            part("a", first, first + 299),
            part("b", first + 300, first + 599),
        ];
        store.append_many(parts).await.expect("nothing is stale");
    }
    let all = read(store, Query::default().verified()).await;
    assert_eq!(
        all.iter()
            .map(|read| number(&read.event))
            .collect::<Vec<_>>(),
        (0..COUNT).collect::<Vec<_>>()
    );
    let newest_first = Query {
        direction: Direction::Backwards,
        ..Query::default()
    };
    assert_eq!(
        numbers(store, newest_first.clone()).await,
        (0..COUNT).rev().collect::<Vec<_>>()
    );
    assert_eq!(history(store, &key("a")).await.len() as u64, COUNT / 2);
    for at in [
        0, 99, 100, 127, 128, 255, 256, 499, 500, 511, 512, 999, 1000, 1023, 1024, 4198,
    ] {
        let after = Query {
            after: Some(all[at].position),
            ..Query::default()
        };
        let from = at as u64 + 1;
        assert_eq!(
            numbers(store, after).await,
            (from..COUNT).collect::<Vec<_>>()
        );
        let limit = Query {
            limit: Some(from),
            ..Query::default()
        };
        assert_eq!(numbers(store, limit).await, (0..from).collect::<Vec<_>>());
        let last = Query {
            limit: Some(from),
            ..newest_first.clone()
        };
        assert_eq!(numbers(store, last).await.len() as u64, from);
    }
}

/// While others write, a read gives each history without gaps and each event once.
pub async fn a_read_among_writers_has_no_gaps<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = fixture.store();
        writers.spawn(async move {
            for n in (0..40).map(|n| (writer * 40 + n) * 3) {
                let key = key(["a", "b"][usize::from((n % 2) as u8)]);
                commit_any(&*store, &key, n..=n + 2).await;
            }
        });
    }
    let store = &*fixture.store();
    let mut before = 0;
    loop {
        let done = writers.try_join_next().is_some_and(|ended| {
            ended.expect("a writer's appends are committed");
            writers.is_empty()
        });
        let read = read(store, Query::default()).await;
        assert!(read.len() >= before, "what was read stays");
        before = read.len();
        assert!(read.is_sorted_by(|one, other| one.position < other.position));
        for id in ["a", "b"] {
            let of_one = read.iter().filter(|read| read.event.aggregate == key(id));
            let versions: Vec<_> = of_one.map(|read| read.event.version.get()).collect();
            assert_eq!(
                versions,
                (1..=versions.len() as u64).collect::<Vec<_>>(),
                "{id}"
            );
        }
        history(store, &key("a")).await;
        if done {
            break;
        }
    }
    assert_eq!(before, 4 * 40 * 3);
}

/// Streams are dropped with events left in them, and the store goes on.
pub async fn a_stream_may_be_dropped_half_way<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    for first in [0, 1000, 2000] {
        commit_any(store, &key("a"), first..=first + 999).await;
    }
    for taken in 0..40 {
        let mut stream = store.read(Query::default().verified());
        for n in 0..taken * 3 {
            let read = stream
                .next()
                .await
                .expect("3000 events")
                .expect("they are valid");
            assert_eq!(number(&read.event), n);
        }
        drop(stream);
        drop(store.aggregates(AggregateSelect::default()));
    }
    commit_any(store, &key("a"), 3000..=3000).await;
    assert_eq!(numbers(store, Query::default()).await.len(), 3001);
}

/// A store that was closed is opened again with all that it acknowledged.
pub async fn closing_keeps_what_was_acknowledged<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = fixture.store();
    commit_any(&*store, &key("a"), 1..=500).await;
    let there = history(&*store, &key("a")).await;
    store.close().await.expect("it closes");
    let again = fixture.open_again().await;
    assert_eq!(again.info().store_id, store.info().store_id);
    assert_eq!(history(&*again, &key("a")).await, there);
    commit_any(&*again, &key("a"), 501..=501).await;
    again.close().await.expect("it closes");
}
