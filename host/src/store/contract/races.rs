//! Many tasks at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use cim_core::append::{Append, AppendError, Appended, Receipt};
use cim_core::subject::StoreTemplate;
use cim_core::version::{ExpectedVersion, Version};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Fixture;
use super::given::{
    commit_any, event, events, exact, history, key, last_version, number, read, template,
};
use crate::store::{EventStore, Query};

const TASKS: u64 = 64;

/// All tasks try each version at the same time: one is committed, the others are told who won.
pub async fn one_of_64_wins_each_version<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    const ROUNDS: u64 = 10;
    let fixture = make(template()).await;
    let mut tasks = JoinSet::new();
    let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).expect("64")));
    for task in 0..TASKS {
        let (store, barrier) = (fixture.store(), Arc::clone(&barrier));
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for round in 0..ROUNDS {
                barrier.wait().await;
                let n = round * TASKS + task;
                let append = Append::new(key("a"), exact(round), [event(n)]);
                answers.push((round, n, store.append(append).await));
            }
            answers
        });
    }
    let answers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let store = &*fixture.store();
    let there = history(store, &key("a")).await;
    assert_eq!(there.len(), usize::try_from(ROUNDS).expect("few"));
    for (round, winner) in (0..ROUNDS).zip(&there) {
        for (_, n, answer) in answers.iter().filter(|(of, ..)| *of == round) {
            match answer {
                Ok(Appended::Committed(receipt)) => {
                    assert_eq!(*n, number(winner), "one wins version {}", round + 1);
                    assert_eq!(
                        (receipt.version, receipt.head),
                        (winner.version, winner.cid)
                    );
                }
                Err(AppendError::Conflict {
                    expected,
                    actual,
                    winners,
                    ..
                }) => {
                    assert_ne!(*n, number(winner));
                    assert_eq!(
                        (*expected, actual.map(Version::get)),
                        (exact(round), Some(round + 1))
                    );
                    assert_eq!(winners[..], *std::slice::from_ref(winner));
                }
                other => panic!("expected a winner or a conflict, found {other:?}"),
            }
        }
    }
}

/// Appends at the head until it succeeds, as a command handler does.
async fn append_at_head(store: &dyn EventStore, n: u64) -> Receipt {
    loop {
        let version = last_version(store, &key("a")).await;
        match store
            .append(Append::new(key("a"), exact(version), [event(n)]))
            .await
        {
            Ok(Appended::Committed(receipt)) => {
                assert_eq!(receipt.version.get(), version + 1);
                return receipt;
            }
            Err(AppendError::Conflict {
                actual, winners, ..
            }) => {
                assert!(actual.map_or(0, Version::get) > version && !winners.is_empty());
            }
            other => panic!("expected a commit or a conflict, found {other:?}"),
        }
    }
}

/// Checks that each receipt is that of its event, and that a history has exactly these events.
async fn check_receipts(store: &dyn EventStore, receipts: Vec<(u64, Receipt)>) {
    let read = read(store, Query::history(key("a")).verified()).await;
    assert_eq!(read.len(), receipts.len());
    let numbers: BTreeSet<_> = receipts.iter().map(|(n, _)| n).collect();
    assert_eq!(numbers.len(), receipts.len(), "each event once");
    for (n, receipt) in receipts {
        let at = usize::try_from(receipt.version.get()).expect("short") - 1;
        assert_eq!(number(&read[at].event), n);
        assert_eq!(
            (receipt.head, receipt.position),
            (read[at].event.cid, read[at].position)
        );
    }
}

/// With `Exact` and retries every task gets in, each at a version of its own.
pub async fn all_of_64_get_in_with_retries<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let store = fixture.store();
        tasks.spawn(async move { (n, append_at_head(&*store, n).await) });
    }
    check_receipts(&*fixture.store(), tasks.join_all().await).await;
}

/// With `Any` every task gets in at once.
pub async fn all_of_64_get_in_with_any<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = fixture.store();
        tasks.spawn(async move {
            let mut receipts = Vec::new();
            for n in task * 5..task * 5 + 5 {
                receipts.push((n, commit_any(&*store, &key("a"), n..=n).await));
            }
            receipts
        });
    }
    let receipts = tasks.join_all().await.into_iter().flatten().collect();
    check_receipts(&*fixture.store(), receipts).await;
}

/// A request that is sent several times at once is committed once; all hear of the same place.
pub async fn one_of_16_equal_appends_is_committed<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    for (round, expected) in (0..20).zip(
        [ExpectedVersion::Any, ExpectedVersion::NoStream]
            .iter()
            .cycle(),
    ) {
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (store, n) = (fixture.store(), round * 3);
            let key = key(&format!("a{round}"));
            let append = Append::new(key, *expected, events(n..=n + 2));
            tasks.spawn(async move { store.append(append).await.expect("nothing is stale") });
        }
        let answers = tasks.join_all().await;
        let receipt = answers[0].receipt();
        let committed = answers
            .iter()
            .filter(|answer| matches!(answer, Appended::Committed(_)));
        assert_eq!(committed.count(), 1);
        assert!(
            answers.iter().all(|answer| answer.receipt() == receipt),
            "{answers:?}"
        );
    }
}

/// Appends over the same aggregates, named in different orders, exclude each other whole.
pub async fn one_of_16_overlapping_append_many_wins_each_round<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    for round in 0..10 {
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let store = fixture.store();
            let first = (round * 16 + task) * 3;
            let mut parts: Vec<_> = ["a", "b", "c"]
                .into_iter()
                .zip(first..)
                .map(|(id, n)| Append::new(key(id), exact(round), [event(n)]))
                .collect();
            parts.rotate_left(usize::from((task % 3) as u8));
            tasks.spawn(async move { store.append_many(parts).await });
        }
        let answers = tasks.join_all().await;
        let mut won = 0;
        for answer in answers {
            match answer {
                Ok(_) => won += 1,
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => panic!("expected a conflict, found {error:?}"),
            }
        }
        assert_eq!(won, 1);
        let store = &*fixture.store();
        let mut last = Vec::new();
        for id in ["a", "b", "c"] {
            let mut there = history(store, &key(id)).await;
            assert_eq!(there.len() as u64, round + 1);
            last.extend(there.pop().map(|last| number(&last) / 3));
        }
        assert!(
            last.iter().all(|append| *append == last[0]),
            "all parts are of one append"
        );
    }
}

/// Writers on two handles do not see each other but for the store.
pub async fn two_handles_make_one_history<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let handles = [fixture.store(), fixture.open_again().await];
    let mut tasks = JoinSet::new();
    for (task, store) in (0..8).zip(handles.iter().cycle()) {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut receipts = Vec::new();
            for n in task * 10..task * 10 + 10 {
                let receipt = if n % 2 == 0 {
                    append_at_head(&*store, n).await
                } else {
                    commit_any(&*store, &key("a"), n..=n).await
                };
                receipts.push((n, receipt));
            }
            receipts
        });
    }
    let receipts: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    check_receipts(&*handles[0], receipts.clone()).await;
    check_receipts(&*handles[1], receipts).await;
}
