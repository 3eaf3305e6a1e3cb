//! Questions that nobody answers: they were lost on their way, or went to a replica that hangs. While
//! others answer, a store loses no more than a little time.

use std::sync::Arc;
use std::time::Duration;

use cim_core::append::Append;
use cim_core::version::ExpectedVersion;
use cim_host::jetstream::JetStreamStore;
use cim_tests::nats::{
    Deliveries, NatsCluster, NatsProxy, Place, STREAM, committed, history, make_store, new_stream,
    open_store,
};
use cim_tests::random::Random;
use cim_tests::rivals::stored;
use cim_tests::work::{event, key};

/// The length of a history that is loaded at once, and of one that is read through a consumer.
const SHORT: u64 = 10;
const LONG: u64 = 1000;

/// How often each thing is done: the replica that answers is a matter of chance.
const TIMES: u32 = 3;

/// No round of these tests waits so long.
const LIMIT: Duration = Duration::from_secs(30);

/// A server that was just started takes no note of the consumers that it is to make.
#[tokio::test]
async fn the_making_of_a_consumer_is_lost() {
    let mut place = Place::new(&new_stream(1)).await;
    let proxy = NatsProxy::start(&place.server.address());
    let store = open_store(&proxy.url(), &place.index("store")).await;
    place.append_at_once(&store, 1, LONG).await;
    let read = async || stored(&*store).await.len() as u64;
    let follow = async || Deliveries::of(&store, None).has_all(LONG).await;
    for lost in [1, 3] {
        proxy.lose(".CONSUMER.CREATE.", lost);
        assert_eq!(in_time(read()).await, LONG);
        assert_eq!(proxy.left_to_lose(), 0);
        proxy.lose(".CONSUMER.CREATE.", lost);
        in_time(follow()).await;
        assert_eq!(proxy.left_to_lose(), 0);
    }
}

#[tokio::test]
async fn asking_for_a_history_is_lost() {
    let mut place = Place::new(&new_stream(1)).await;
    let proxy = NatsProxy::start(&place.server.address());
    let made = open_store(&proxy.url(), &place.index("made")).await;
    place.append_at_once(&made, 0, SHORT).await;
    for lost in [1, 3] {
        let store = open_store(&proxy.url(), &place.index(&format!("{lost}"))).await;
        proxy.lose(".DIRECT.GET.", lost);
        assert_eq!(in_time(history(&store, 0)).await, (SHORT, None));
        assert!(proxy.left_to_lose() < lost);
    }
}

/// The one may be the server that places consumers, and the other not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_on_without_either_follower() {
    let cluster = NatsCluster::start(3);
    let folder = tempfile::tempdir().expect("a folder");
    let made = make_store(&cluster.url(), &new_stream(3), &folder.path().join("made")).await;
    let mut random = Random::new(3);
    append(&made, &mut random, 0, SHORT).await;
    append(&made, &mut random, 1, LONG).await;
    let leader = cluster.leader_of(STREAM);
    let url = cluster.server(leader).url();
    let mut events = SHORT + LONG;
    for follower in (0..3).filter(|index| *index != leader) {
        let hangs = cluster.server(follower);
        // One that goes on after it hung may have taken the lead.
        cluster.lead(STREAM, leader);
        let store = open_store(&url, &folder.path().join(format!("{follower}"))).await;
        hangs.suspend();
        for time in 0..TIMES {
            let other = folder.path().join(format!("{follower}-{time}"));
            let goes_on = async {
                let other = open_store(&url, &other).await;
                for store in [&store, &other] {
                    assert_eq!(history(store, 0).await, (SHORT, None));
                    assert_eq!(history(store, 1).await, (LONG, None));
                    assert_eq!(stored(&**store).await.len() as u64, events);
                }
                Deliveries::of(&other, None).has_all(events).await;
                append(&other, &mut random, 2 + events, 1).await;
            };
            in_time(goes_on).await;
            events += 1;
        }
        hangs.resume();
    }
}

async fn in_time<T>(doing: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, doing).await;
    done.expect("it does not wait for what nobody answers")
}

async fn append(store: &Arc<JetStreamStore>, random: &mut Random, to: u64, count: u64) {
    let events: Vec<_> = (0..count).map(|_| event(random, 10)).collect();
    committed(store, Append::new(key(to), ExpectedVersion::Any, events)).await;
}
