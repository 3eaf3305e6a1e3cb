//! A server comes back without the last events that it had acknowledged, after a power failure or
//! from a copy of its files, and others append in their place. Nothing that was remembered of the
//! lost ones may be told as if it were there, by those who were there before and by those who come.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::{Append, Appended};
use cim_core::event::NewEvent;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::jetstream::JetStreamStore;
use cim_host::store::{AggregateSelect, EventStore as _, Query, ReadEvent, StoreError};
use cim_tests::nats::{
    Cut, FORGOTTEN, NatsProxy, Place, STREAM, forgetful_stream, new_stream, open_store, wait_until,
};
use cim_tests::program::cim_at_home;
use cim_tests::rivals::stored;
use cim_tests::work::key;
use futures_util::StreamExt as _;

/// Events 4 and 5 are lost, and a rival appends four others.
#[tokio::test]
async fn what_was_indexed_of_lost_events_is_forgotten() {
    let mut place = Place::new(&new_stream(1)).await;
    let old = place.open("old").await;
    let kept = place.append(&old, 1, 3).await;
    let copy = place.copy();
    let lost = place.append(&old, 1, 2).await;
    old.stats().await.expect("it is indexed");
    assert_eq!(history(&old).await.len(), 5);

    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append(&rival, 1, 4).await;
    let all = [&kept[..], &others].concat();

    let new = place.open("old").await;
    assert!(new.has_gone_back());
    for store in [&new, &old] {
        has(store, &all, &lost).await;
    }
    assert!(!place.open("old").await.has_gone_back(), "it is made again");
    assert!(!rival.has_gone_back(), "nothing is wrong with its index");

    // What was lost can be appended again: nobody has its ids.
    for (store, lost) in [&new, &old].into_iter().zip(lost) {
        let append = Append::new(key(1), ExpectedVersion::Any, vec![lost]);
        let answer = store.append(append).await.expect("its id is not used");
        assert!(matches!(answer, Appended::Committed(_)), "{answer:?}");
    }
    let stored = stored(&*rival).await;
    assert_eq!(stored.len(), 9);
}

/// Who opens the store first is told, and it is mended for all.
#[tokio::test]
async fn the_command_tells_that_events_are_lost() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("other").await;
    place.append(&store, 1, 3).await;
    let copy = place.copy();
    place.append(&store, 1, 2).await;
    let home = place.index("home");
    fs::create_dir(&home).expect("a folder");
    let url = format!("{}/{STREAM}", place.server.url());
    let told = || {
        let ran = cim_at_home(&home, &["stats", "--store", &url]);
        ran.exits(0).stderr.clone()
    };
    assert_eq!(told(), "");
    place.put_back(&copy);
    let rival = place.open("rival").await;
    place.append(&rival, 1, 4).await;
    let warning = format!(
        "Warning: `{url}` has lost events that were read from it before, and has others in their \
         place. What was remembered of it is made again.\n"
    );
    assert_eq!(told(), warning);
    assert_eq!(told(), "");
}

/// The lost event and the rival's stand at the same sequence, so that the server takes what rests
/// on either: a head that is remembered of the lost one would break the history.
#[tokio::test]
async fn no_append_rests_on_a_lost_head() {
    for expected in [ExpectedVersion::Any, exact(3)] {
        let mut place = Place::new(&new_stream(1)).await;
        let old = place.open("old").await;
        place.append(&old, 1, 2).await;
        let copy = place.copy();
        place.append(&old, 1, 1).await;

        place.put_back(&copy);
        let rival = place.open("rival").await;
        place.append(&rival, 1, 1).await;
        let append = Append::new(key(1), expected, vec![place.event()]);
        old.append(append).await.expect("version 3 is the rival's");
        assert_eq!(stored(&*rival).await.len(), 4);
        assert_eq!(history(&old).await, history(&rival).await);
    }
}

/// The stream is as long as before, so that nothing is missing in the index.
#[tokio::test]
async fn as_many_events_as_before() {
    let mut place = Place::new(&new_stream(1)).await;
    let old = place.open("old").await;
    let kept = place.append(&old, 1, 2).await;
    let copy = place.copy();
    let lost = place.append(&old, 1, 2).await;
    old.stats().await.expect("it is indexed");
    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append(&rival, 1, 2).await;
    let all = [&kept[..], &others].concat();
    has(&old, &all, &lost).await;
    let new = place.open("old").await;
    has(&new, &all, &lost).await;
}

/// Several share an index: one finds out and makes it again, and the others must not go on with
/// what they remember of its rows.
#[tokio::test]
async fn who_shares_the_index_is_told() {
    let mut place = Place::new(&new_stream(1)).await;
    let sharers = [place.open("old").await, place.open("old").await];
    let kept = place.append(&sharers[0], 1, 3).await;
    let copy = place.copy();
    let lost = place.append(&sharers[1], 2, 2).await;
    for store in &sharers {
        store.stats().await.expect("it is indexed");
    }
    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append(&rival, 3, 4).await;
    for store in &sharers {
        has_none(store, &lost).await;
        let stats = store.stats().await.expect("counts");
        assert_eq!((stats.events, stats.aggregates), (7, 2));
    }
    // The index gives the lost aggregate's row to another now.
    let mut expected = vec![(key(1), 3), (key(2), 0), (key(3), others.len())];
    assert_eq!(kept.len(), 3);
    for store in sharers.iter().chain(&sharers) {
        place.append(store, 2, 1).await;
        expected[1].1 += 1;
        let aggregates = store.aggregates(AggregateSelect::default());
        let aggregates: Vec<_> = aggregates
            .map(|entry| entry.expect("it is there"))
            .collect()
            .await;
        let found: Vec<_> = aggregates
            .into_iter()
            .map(|entry| (entry.aggregate, entry.head.version.get() as usize))
            .collect();
        assert_eq!(found, expected);
    }
}

/// As long as less is there than was seen, it cannot be told from a leader that lags.
#[tokio::test]
async fn a_stream_that_is_shorter_is_told() {
    let mut place = Place::new(&new_stream(1)).await;
    let old = place.open("old").await;
    place.append(&old, 1, 3).await;
    let copy = place.copy();
    place.append(&old, 1, 2).await;
    old.stats().await.expect("it is indexed");
    place.put_back(&copy);
    let error = old.stats().await.expect_err("two are lost");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

/// The event that was indexed last is lost and appended again, at the same sequence and with the
/// same CID, behind another event than before. The index must not take that for what it knows: it
/// would never have the other one, and store a repeat of it a second time.
#[tokio::test]
async fn the_same_event_last_behind_another_one() {
    let mut place = Place::new(&forgetful_stream(1)).await;
    let old = place.open("old").await;
    place.append(&old, 1, 3).await;
    let copy = place.copy();
    let lost = place.append(&old, 2, 1).await;
    let again = place.append(&old, 3, 1).await;
    old.stats().await.expect("it is indexed");
    place.put_back(&copy);
    let rival = place.open("rival").await;
    let other = place.append(&rival, 4, 1).await;
    let append = Append::new(key(3), ExpectedVersion::Any, again);
    rival.append(append).await.expect("it was lost");

    // Else the server would tell of repeats by itself.
    tokio::time::sleep(FORGOTTEN).await;
    for store in [&old, &place.open("old").await] {
        has_none(store, &lost).await;
        for event in &other {
            assert_eq!(read(store, by_id(event)).await.len(), 1);
        }
        let repeat = Append::new(key(4), ExpectedVersion::Any, other.clone());
        let answer = store.append(repeat).await;
        assert!(
            matches!(answer, Ok(Appended::AlreadyCommitted(_))),
            "{answer:?}"
        );
    }
    assert_eq!(stored(&*rival).await.len(), 5);
}

/// An append is judged, and waits for the answer to the batch before its own. Meanwhile the server
/// comes back without the last events, and a rival appends as many: the head that the append rests
/// on is gone, and its sequence is that of the rival's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_waits_for_a_shared_batch_rests_on_a_lost_head() {
    let mut place = Place::new(&new_stream(1)).await;
    let proxy = NatsProxy::start(&place.server.address());
    let old = open_store(&proxy.url(), &place.index("old")).await;
    // 1, 2: order-1; 3, 4: order-2; 5: order-3; lost: 6: order-3; 7, 8: order-1; 9, 10: order-2.
    place.append_at_once(&old, 1, 2).await;
    place.append_at_once(&old, 2, 2).await;
    place.append_at_once(&old, 3, 1).await;
    let copy = place.copy();
    place.append_at_once(&old, 3, 1).await;
    place.append_at_once(&old, 1, 2).await;
    place.append_at_once(&old, 2, 2).await;

    place.server.suspend();
    let mut spawn = |number, count, version| {
        let append = Append::new(key(number), exact(version), place.events(count));
        let store = Arc::clone(&old);
        tokio::spawn(async move { store.append(append).await })
    };
    // Nothing tells from without that an append is judged and waits for the batch before its own.
    let moment = || tokio::time::sleep(Duration::from_millis(50));
    let mut tasks = vec![spawn(1, 2, 4)];
    moment().await;
    tasks.push(spawn(2, 2, 4));
    moment().await;
    proxy.cut_and_go_away(Cut::Message);
    tasks.push(spawn(3, 1, 2));
    wait_until(|| proxy.cuts() == 1).await;

    place.server.kill9();
    place.put_back(&copy);
    let rival = place.open("rival").await;
    place.append(&rival, 4, 3).await;
    place.append_at_once(&rival, 2, 2).await;
    proxy.be_back();
    for task in tasks {
        let _ = task.await.expect("it does not panic");
    }
    for number in 1..=4 {
        read(&rival, Query::history(key(number)).verified()).await;
    }
}

fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version).expect("from 1"))
}

fn by_id(event: &NewEvent) -> Query {
    Query {
        event_id: Some(event.id),
        ..Query::default()
    }
}

async fn history(store: &JetStreamStore) -> Vec<ReadEvent> {
    read(store, Query::history(key(1))).await
}

/// Checks that a store knows nothing of these events.
async fn has_none(store: &JetStreamStore, lost: &[NewEvent]) {
    for lost in lost {
        assert_eq!(read(store, by_id(lost)).await, []);
        let by_correlation = Query {
            correlation: Some(lost.correlation),
            ..Query::default()
        };
        assert_eq!(read(store, by_correlation).await, []);
    }
}

/// Checks that a store has these events, as one history, and knows nothing of others.
async fn has(store: &JetStreamStore, all: &[NewEvent], lost: &[NewEvent]) {
    has_none(store, lost).await;
    for event in all {
        let found = read(store, by_id(event)).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].event.event, *event);
    }
    let found = history(store).await;
    let found: Vec<_> = found.into_iter().map(|read| read.event.event).collect();
    assert_eq!(found, all);
    let stats = store.stats().await.expect("counts");
    assert_eq!(stats.events, all.len() as u64);
}

async fn read(store: &JetStreamStore, query: Query) -> Vec<ReadEvent> {
    let mut read = store.read(query);
    let mut events = Vec::new();
    while let Some(event) = read.next().await {
        events.push(event.expect("it can be read"));
    }
    events
}
