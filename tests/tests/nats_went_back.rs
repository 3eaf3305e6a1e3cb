//! A server comes back without the last events that it had acknowledged, after a power failure or
//! from a copy of its files, and others append in their place. Nothing that was remembered of the
//! lost ones may be told as if it were there, by those who were there before and by those who come.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cim_core::append::{Append, AppendError, Appended, Rejection};
use cim_core::event::NewEvent;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::jetstream::{Discard, JetStreamPort as _, JetStreamStore, StreamConfig};
use cim_host::store::{AggregateSelect, Delivery, EventStore as _, Query, ReadEvent, StoreError};
use cim_tests::nats::{
    NatsServer, STREAM, ServerOptions, connect, make_store, new_stream, open_store,
};
use cim_tests::random::Random;
use cim_tests::rivals::stored;
use cim_tests::work::{event, key};
use futures_util::StreamExt as _;
use tempfile::TempDir;

/// Events 4 and 5 are lost, and a rival appends four others.
#[tokio::test]
async fn what_was_indexed_of_lost_events_is_forgotten() {
    let mut place = Place::new().await;
    let old = place.open("old").await;
    let kept = place.append(&old, 3).await;
    let copy = place.copy();
    let lost = place.append(&old, 2).await;
    old.stats().await.expect("it is indexed");
    assert_eq!(place.history(&old).await.len(), 5);

    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append(&rival, 4).await;
    let all = [&kept[..], &others].concat();

    let new = place.open("old").await;
    assert!(new.has_gone_back());
    for store in [&new, &old] {
        place.has(store, &all, &lost).await;
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

/// The lost event and the rival's stand at the same sequence, so that the server takes what rests
/// on either: a head that is remembered of the lost one would break the history.
#[tokio::test]
async fn no_append_rests_on_a_lost_head() {
    for expected in [ExpectedVersion::Any, exact(3)] {
        let mut place = Place::new().await;
        let old = place.open("old").await;
        place.append(&old, 2).await;
        let copy = place.copy();
        place.append(&old, 1).await;

        place.put_back(&copy);
        let rival = place.open("rival").await;
        place.append(&rival, 1).await;
        let append = Append::new(key(1), expected, vec![place.event()]);
        old.append(append).await.expect("version 3 is the rival's");
        assert_eq!(stored(&*rival).await.len(), 4);
        assert_eq!(place.history(&old).await, place.history(&rival).await);
    }
}

/// The stream is as long as before, so that nothing is missing in the index.
#[tokio::test]
async fn as_many_events_as_before() {
    let mut place = Place::new().await;
    let old = place.open("old").await;
    let kept = place.append(&old, 2).await;
    let copy = place.copy();
    let lost = place.append(&old, 2).await;
    old.stats().await.expect("it is indexed");
    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append(&rival, 2).await;
    let all = [&kept[..], &others].concat();
    place.has(&old, &all, &lost).await;
    let new = place.open("old").await;
    place.has(&new, &all, &lost).await;
}

/// Several share an index: one finds out and makes it again, and the others must not go on with
/// what they remember of its rows.
#[tokio::test]
async fn who_shares_the_index_is_told() {
    let mut place = Place::new().await;
    let sharers = [place.open("old").await, place.open("old").await];
    let kept = place.append(&sharers[0], 3).await;
    let copy = place.copy();
    let lost = place.append_to(&sharers[1], 2, 2).await;
    for store in &sharers {
        store.stats().await.expect("it is indexed");
    }
    place.put_back(&copy);
    let rival = place.open("rival").await;
    let others = place.append_to(&rival, 3, 4).await;
    for store in &sharers {
        place.has_none(store, &lost).await;
        let stats = store.stats().await.expect("counts");
        assert_eq!((stats.events, stats.aggregates), (7, 2));
    }
    // The index gives the lost aggregate's row to another now.
    let mut expected = vec![(key(1), 3), (key(2), 0), (key(3), others.len())];
    assert_eq!(kept.len(), 3);
    for store in sharers.iter().chain(&sharers) {
        place.append_to(store, 2, 1).await;
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

/// How a stream is set up may change while it is open.
#[tokio::test]
async fn a_stream_that_begins_to_drop_events() {
    let mut place = Place::new().await;
    let store = place.open("old").await;
    place.append(&store, 2).await;
    let port = connect(&place.server.url()).await;
    let info = port.stream_info(STREAM).await.expect("an answer");
    let sound = info.expect("a stream").config;
    let drops = StreamConfig {
        discard: Discard::Old,
        max_msgs: 1_000,
        ..sound.clone()
    };
    port.update_stream(&drops).await.expect("it is changed");
    store.stats().await.expect("it can be read");
    let append = Append::new(key(1), ExpectedVersion::Any, vec![place.event()]);
    let error = store.append(append.clone()).await.expect_err("unsafe");
    let AppendError::Rejected {
        why: Rejection::Store { code, .. },
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(code, "stream-drops");
    port.update_stream(&sound).await.expect("it is changed");
    store.append(append).await.expect("it is safe again");
}

/// Who follows a store is told when another takes its place: one that has as many messages, one
/// that has fewer, and none.
#[tokio::test]
async fn a_subscription_does_not_go_on_in_another_store() {
    for there in [Some(6), Some(0), None] {
        let mut place = Place::new().await;
        let store = place.open("old").await;
        place.append(&store, 3).await;
        let mut deliveries = store.subscribe(None, None);
        for _ in 0..3 {
            let delivery = deliveries.next().await.expect("it goes on");
            assert!(matches!(delivery, Ok(Delivery::Event(_))), "{delivery:?}");
        }
        let caught_up = deliveries.next().await.expect("it goes on");
        assert!(matches!(caught_up, Ok(Delivery::CaughtUp)), "{caught_up:?}");

        let client = async_nats::connect(place.server.url()).await;
        let client = async_nats::jetstream::new(client.expect("a server"));
        client.delete_stream(STREAM).await.expect("it is deleted");
        if let Some(count) = there {
            let folder = place.folder.path().join("other");
            let other = make_store(&place.server.url(), &new_stream(1), &folder).await;
            place.append(&other, count).await;
        }
        let next = deliveries.next().await.expect("it tells why");
        let error = next.expect_err("it is another store");
        assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
        assert!(deliveries.next().await.is_none(), "it has ended");
    }
}

/// Who follows a stream that has gone back is told, whether or not it has grown again.
#[tokio::test]
async fn a_subscription_does_not_skip_what_took_the_place_of_lost_events() {
    for rivals in [0, 4] {
        let mut place = Place::new().await;
        let store = place.open("old").await;
        place.append(&store, 3).await;
        let copy = place.copy();
        place.append(&store, 2).await;
        let mut deliveries = store.subscribe(None, None);
        for _ in 0..5 {
            let delivery = deliveries.next().await.expect("it goes on");
            assert!(matches!(delivery, Ok(Delivery::Event(_))), "{delivery:?}");
        }
        let caught_up = deliveries.next().await.expect("it goes on");
        assert!(matches!(caught_up, Ok(Delivery::CaughtUp)), "{caught_up:?}");
        place.put_back(&copy);
        let rival = place.open("rival").await;
        place.append(&rival, rivals).await;
        let next = deliveries.next().await.expect("it tells why");
        let error = next.expect_err("two events are lost");
        assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    }
}

/// A server that comes back with what it had ends no subscription.
#[tokio::test]
async fn a_subscription_goes_on_after_a_restart() {
    let mut place = Place::new().await;
    let store = place.open("old").await;
    place.append(&store, 3).await;
    let mut deliveries = store.subscribe(None, None);
    for _ in 0..4 {
        deliveries.next().await.expect("it goes on").expect("sound");
    }
    place.server.restart();
    place.append(&store, 1).await;
    let next = deliveries.next().await.expect("it goes on").expect("sound");
    assert!(matches!(next, Delivery::Event(_)), "{next:?}");
}

/// As long as less is there than was seen, it cannot be told from a leader that lags.
#[tokio::test]
async fn a_stream_that_is_shorter_is_told() {
    let mut place = Place::new().await;
    let old = place.open("old").await;
    place.append(&old, 3).await;
    let copy = place.copy();
    place.append(&old, 2).await;
    old.stats().await.expect("it is indexed");
    place.put_back(&copy);
    let error = old.stats().await.expect_err("two are lost");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version).expect("from 1"))
}

/// A server with a store in the stream of the events of `order-1` and others, and a folder for
/// copies and for the index of each machine.
struct Place {
    server: NatsServer,
    folder: TempDir,
    random: Random,
}

impl Place {
    async fn new() -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let folder = tempfile::tempdir().expect("a folder");
        make_store(&server.url(), &new_stream(1), &folder.path().join("maker")).await;
        Self {
            server,
            folder,
            random: Random::new(1),
        }
    }

    /// A handle of the machine of this name.
    async fn open(&self, machine: &str) -> Arc<JetStreamStore> {
        open_store(&self.server.url(), &self.folder.path().join(machine)).await
    }

    fn event(&mut self) -> NewEvent {
        event(&mut self.random, 10)
    }

    async fn append(&mut self, store: &JetStreamStore, count: u64) -> Vec<NewEvent> {
        self.append_to(store, 1, count).await
    }

    async fn append_to(&mut self, store: &JetStreamStore, to: u64, count: u64) -> Vec<NewEvent> {
        let mut events = Vec::new();
        for _ in 0..count {
            let event = self.event();
            let append = Append::new(key(to), ExpectedVersion::Any, vec![event.clone()]);
            store.append(append).await.expect("nothing is in the way");
            events.push(event);
        }
        events
    }

    /// Copies what the server has stored.
    fn copy(&mut self) -> PathBuf {
        self.server.stop();
        let copy = self.folder.path().join("copy");
        copy_folder(&self.server.folder().join("data"), &copy);
        self.server.restart();
        copy
    }

    /// Lets the server come back with what a copy has.
    fn put_back(&mut self, copy: &Path) {
        self.server.stop();
        let data = self.server.folder().join("data");
        std::fs::remove_dir_all(&data).expect("it is ours");
        copy_folder(copy, &data);
        self.server.restart();
    }

    async fn history(&self, store: &JetStreamStore) -> Vec<ReadEvent> {
        read(store, Query::history(key(1))).await
    }

    /// Checks that a store knows nothing of these events.
    async fn has_none(&self, store: &JetStreamStore, lost: &[NewEvent]) {
        for lost in lost {
            let by_id = Query {
                event_id: Some(lost.id),
                ..Query::default()
            };
            assert_eq!(read(store, by_id).await, []);
            let by_correlation = Query {
                correlation: Some(lost.correlation),
                ..Query::default()
            };
            assert_eq!(read(store, by_correlation).await, []);
        }
    }

    /// Checks that a store has these events, as one history, and knows nothing of others.
    async fn has(&self, store: &JetStreamStore, all: &[NewEvent], lost: &[NewEvent]) {
        self.has_none(store, lost).await;
        for event in all {
            let by_id = Query {
                event_id: Some(event.id),
                ..Query::default()
            };
            let found = read(store, by_id).await;
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].event.event, *event);
        }
        let found = self.history(store).await;
        let found: Vec<_> = found.into_iter().map(|read| read.event.event).collect();
        assert_eq!(found, all);
        let stats = store.stats().await.expect("counts");
        assert_eq!(stats.events, all.len() as u64);
    }
}

async fn read(store: &JetStreamStore, query: Query) -> Vec<ReadEvent> {
    let mut read = store.read(query);
    let mut events = Vec::new();
    while let Some(event) = read.next().await {
        events.push(event.expect("it can be read"));
    }
    events
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-R").arg(from).arg(to).status();
    assert!(copied.expect("`cp` starts").success());
}
