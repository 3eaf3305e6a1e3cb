//! Snapshots in a bucket: their contract, savers that die between parts, and what others may do to
//! the bucket.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::id::AggregateKey;
use cim_core::snapshot::Snapshot;
use cim_core::version::{Head, Version};
use cim_host::clock;
use cim_host::jetstream::{
    JetStreamClient, JetStreamPort as _, JetStreamSnapshots, Purge, StreamConfig, StreamInfo,
};
use cim_host::snapshot::contract::Fixture;
use cim_host::snapshot::{SnapshotStore, SnapshotStoreError};
use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions, connect};
use futures_util::{FutureExt as _, StreamExt as _};
use uuid::Uuid;

cim_host::snapshot_contract_tests!(contract, one_server);

async fn one_server() -> Place {
    static SERVER: OnceLock<NatsServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| NatsServer::start(ServerOptions::default()));
    Place::at(&server.url()).await
}

/// A bucket of its own on a server.
struct Place {
    url: String,
    store_id: Uuid,
    port: Arc<JetStreamClient>,
    snapshots: JetStreamSnapshots,
}

impl Place {
    async fn at(url: &str) -> Self {
        let (port, store_id) = (connect(url).await, clock::store_id());
        Self {
            snapshots: JetStreamSnapshots::new(port.clone(), store_id, 1),
            url: url.to_owned(),
            store_id,
            port,
        }
    }

    fn stream(&self) -> String {
        format!("KV_CIM-SNAPSHOTS-{}", self.store_id)
    }

    fn subject(&self) -> String {
        format!("$KV.CIM-SNAPSHOTS-{}.{}", self.store_id, key())
    }

    async fn info(&self) -> StreamInfo {
        let info = self.port.stream_info(&self.stream()).await;
        info.expect("an answer").expect("a bucket")
    }

    /// A snapshot whose state is so long, or longer.
    fn sealed(&self, number: u64, len: usize) -> Bytes {
        let snapshot = Snapshot {
            store_id: self.store_id,
            aggregate: key(),
            head: Head {
                version: version(number),
                cid: Cid::of_block(&number.to_be_bytes()),
            },
            state_version: 1,
            taken_at: clock::now(),
            state: state(number, len),
        };
        snapshot.seal(&KEY)
    }

    async fn save(&self, number: u64, len: usize) -> Result<(), SnapshotStoreError> {
        let sealed = self.sealed(number, len);
        self.snapshots.save(&key(), version(number), sealed).await
    }

    /// Loads through a connection of its own, and checks as a repository does.
    async fn load(&self) -> Option<Snapshot> {
        let snapshots = self.open_again().await;
        let sealed = snapshots.load(&key()).await.expect("it is loaded")?;
        let snapshot = Snapshot::open(&sealed, &KEY).expect("it was sealed with the key");
        let checked = snapshot.check(self.store_id, &key(), 1);
        checked.expect("it is of this store and aggregate");
        Some(snapshot)
    }
}

impl Fixture for Place {
    fn snapshots(&self) -> Arc<dyn SnapshotStore> {
        Arc::new(self.snapshots.clone())
    }

    async fn open_again(&self) -> Arc<dyn SnapshotStore> {
        let port = connect(&self.url).await;
        Arc::new(JetStreamSnapshots::new(port, self.store_id, 1))
    }
}

/// Savers die at every point of their work, a hundred times: between parts, before the head, before
/// the old parts are deleted. What is loaded then is the snapshot before or the new one, whole; the
/// next saver clears away what they have left.
#[tokio::test]
async fn a_saver_that_dies_between_parts_leaves_the_old_one_or_the_new() {
    let server = NatsServer::start(small_messages());
    let place = Place::at(&server.url()).await;
    // Up to ten parts, and none.
    let len_of = |number: u64| [400_000, 600_000, 1000, 130_000][number as usize % 4];
    let mut last = 1;
    let mut left = u64::MAX;
    let saving = place.save(last, len_of(last)).boxed();
    let saved = polls_at_most(&mut left, saving).await;
    saved.expect("it was not stopped").expect("saved");
    let needed = u64::MAX - left;

    let (mut died_early, mut died_late, mut most_messages) = (0, 0, 0);
    for number in 2..1000 {
        let saving = place.save(number, len_of(number)).boxed();
        let saved = polls_at_most(&mut (1 + number % needed), saving).await;
        let found = place.load().await.expect("one is there");
        let version = found.head.version.get();
        assert!((last..=number).contains(&version), "{version}");
        assert!(
            found.state == state(version, len_of(version)),
            "it is whole"
        );
        match saved {
            Some(saved) => {
                saved.expect("saved");
                assert_eq!(version, number);
            }
            None if version < number => died_early += 1,
            None => died_late += 1,
        }
        most_messages = most_messages.max(place.info().await.state.messages);
        last = version;
        if died_early + died_late == 100 {
            break;
        }
    }
    assert_eq!(died_early + died_late, 100, "{died_early} before the head");
    assert!(
        died_early > 0 && died_late > 0,
        "{died_early} before the head"
    );
    assert!(most_messages > 1 + 10, "parts were left: {most_messages}");
    place.save(1000, 200_000).await.expect("saved");
    assert_eq!(
        place.info().await.state.messages,
        1 + 4,
        "they are cleared away"
    );
    place.save(1001, 1000).await.expect("saved");
    assert_eq!(place.info().await.state.messages, 1);
}

/// A snapshot that is one message costs one request to load.
#[tokio::test]
async fn a_small_snapshot_is_loaded_with_one_request() {
    let place = one_server().await;
    place.save(1, 100_000).await.expect("saved");
    let client = async_nats::connect(&place.url).await.expect("a server");
    let mut asked = client.subscribe("$JS.API.>").await.expect("subscribed");
    client.flush().await.expect("the server knows");
    assert_eq!(place.load().await.expect("there").head.version, version(1));
    // Whatever was asked before comes before this.
    place.info().await;
    let expected = ["DIRECT.GET", "STREAM.INFO"].map(|name| format!("$JS.API.{name}."));
    for expected in expected.map(|name| name + &place.stream()) {
        let of_it = loop {
            let subject = asked.next().await.expect("a request").subject;
            if subject.contains(&place.stream()) {
                break subject;
            }
        };
        assert_eq!(of_it.as_str(), expected);
    }
}

/// A part that is gone is said, and keeps nobody from saving and deleting.
#[tokio::test]
async fn a_part_that_is_missing_is_damage() {
    let place = one_server().await;
    for last in ["deleted", "saved"] {
        place.save(5, 3 * MIB).await.expect("saved");
        let third = Purge {
            filter: Some(format!("{}.*.2", place.subject())),
            before: None,
        };
        let purged = place.port.purge(&place.stream(), third).await;
        assert_eq!(purged.expect("purged"), 1);
        let error = place.snapshots.load(&key()).await.expect_err("damaged");
        assert_eq!(error.code(), "snapshot-damaged");
        assert!(error.to_string().contains("missing"), "{error}");
        match last {
            "deleted" => assert!(place.snapshots.delete(&key()).await.expect("deleted")),
            _ => place.save(6, 3 * MIB).await.expect("saved"),
        }
    }
    assert_eq!(place.load().await.expect("there").head.version, version(6));
    assert_eq!(place.info().await.state.messages, 1 + 4);
}

/// Values that others have put under an aggregate's key are told, and replaced.
#[tokio::test]
async fn a_foreign_value_is_damage() {
    let place = one_server().await;
    place.save(5, 1000).await.expect("saved");
    let client = async_nats::connect(&place.url).await.expect("a server");
    let context = async_nats::jetstream::new(client);
    let foreign = context.publish(place.subject(), "{}".into());
    foreign.await.expect("sent").await.expect("stored");
    let error = place.snapshots.load(&key()).await.expect_err("damaged");
    assert_eq!(error.code(), "snapshot-damaged");
    place.save(3, 1000).await.expect("saved");
    assert_eq!(place.load().await.expect("there").head.version, version(3));
}

/// What `nats kv get` shows is the snapshot, and what `nats kv del` does is what deleting does.
#[tokio::test]
async fn the_bucket_is_one_for_the_tools_of_nats() {
    let place = one_server().await;
    place.save(5, 1000).await.expect("saved");
    let client = async_nats::connect(&place.url).await.expect("a server");
    let context = async_nats::jetstream::new(client);
    let stream = context.get_stream(place.stream()).await.expect("there");
    let subject = place.subject();
    let value = stream.get_last_raw_message_by_subject(&subject);
    let value = value.await.expect("a value").payload;
    let snapshot = Snapshot::open(&value, &KEY).expect("sealed");
    assert_eq!(snapshot.head.version, version(5));

    let marker =
        async_nats::HeaderMap::from_iter([("KV-Operation".parse().expect("a name"), "DEL".into())]);
    let deleting = context.publish_with_headers(place.subject(), marker, Bytes::new());
    deleting.await.expect("sent").await.expect("stored");
    assert_eq!(place.load().await, None);
    assert!(!place.snapshots.delete(&key()).await.expect("an answer"));
    place.save(2, 1000).await.expect("saved");
    assert!(place.snapshots.delete(&key()).await.expect("deleted"));
    let value = stream.get_last_raw_message_by_subject(&subject);
    let value = value.await.expect("a marker");
    let marked = value
        .headers
        .get("KV-Operation")
        .map(|value| value.as_str());
    assert_eq!((marked, &value.payload[..]), (Some("DEL"), &b""[..]));
}

/// A stream that has the bucket's name and takes something else is left alone.
#[tokio::test]
async fn a_foreign_bucket_is_refused() {
    let place = one_server().await;
    let mut config = StreamConfig::new(place.stream());
    config.subjects = vec![format!("other.{}.>", place.store_id)];
    place.port.create_stream(&config).await.expect("made");
    let error = place.save(1, 1000).await.expect_err("not ours");
    assert_eq!(error.code(), "snapshots-foreign");
}

/// The bucket may be deleted while it is used: it costs one snapshot.
#[tokio::test]
async fn a_bucket_that_is_deleted_is_made_anew() {
    let place = one_server().await;
    place.save(9, 3 * MIB).await.expect("saved");
    let client = async_nats::connect(&place.url).await.expect("a server");
    let context = async_nats::jetstream::new(client);
    context
        .delete_stream(place.stream())
        .await
        .expect("deleted");
    assert_eq!(place.load().await, None);
    assert_eq!(place.snapshots.delete_all().await.expect("an answer"), 0);
    let error = place.save(1, 3 * MIB).await.expect_err("no bucket");
    assert_eq!(error.code(), "snapshots-unreachable");
    place.save(2, 3 * MIB).await.expect("saved");
    assert_eq!(place.load().await.expect("there").head.version, version(2));
}

/// Parts are as large as the server takes.
#[tokio::test]
async fn a_server_that_takes_small_messages_has_more_parts() {
    let server = NatsServer::start(small_messages());
    let place = Place::at(&server.url()).await;
    place.save(1, 3 * MIB).await.expect("saved");
    let found = place.load().await.expect("there");
    assert!(found.state == state(1, 3 * MIB), "it is whole");
    assert!(place.info().await.state.messages > 48);
}

/// Who may not write there is told so, at once.
#[tokio::test]
async fn a_right_that_is_missing_is_said() {
    let users = r#"users: [{ user: "a", password: "a", permissions: {
        publish: { deny: ["$KV.>"] }, subscribe: [">"] } }]"#;
    let server = NatsServer::start(ServerOptions {
        authorization: Some(users.to_owned()),
        ..ServerOptions::default()
    });
    let url = format!("nats://a:a@{}", server.address());
    let place = Place::at(&url).await;
    for len in [1000, 3 * MIB] {
        let error = place.save(1, len).await.expect_err("not allowed");
        assert_eq!(error.code(), "snapshots-not-allowed");
    }
    assert_eq!(place.load().await, None);
}

/// With three replicas a snapshot outlives the loss of the server that leads the bucket.
#[tokio::test]
async fn a_replicated_snapshot_outlives_its_leader() {
    let mut cluster = NatsCluster::start(3);
    let place = Place::at(&cluster.url()).await;
    let replicated = JetStreamSnapshots::new(place.port.clone(), place.store_id, 3);
    for number in 1..=5 {
        let sealed = place.sealed(number, 3 * MIB);
        let saved = replicated.save(&key(), version(number), sealed).await;
        saved.expect("saved");
    }
    assert_eq!(place.info().await.config.num_replicas, 3);
    let leader = cluster.leader_of(&place.stream());
    cluster.kill9(leader);
    cluster.leader_of(&place.stream());
    let found = place.load().await.expect("there");
    assert_eq!(found.head.version, version(5));
    assert!(found.state == state(5, 3 * MIB), "it is whole");
}

/// Polls a future so often and no more: it is dropped at the next point where it would go on. What is
/// left of `polls` was not needed.
async fn polls_at_most<F: Future + Unpin>(polls: &mut u64, mut future: F) -> Option<F::Output> {
    poll_fn(|context| {
        if *polls == 0 {
            return Poll::Ready(None);
        }
        *polls -= 1;
        future.poll_unpin(context).map(Some)
    })
    .await
}

/// A server that takes a sixteenth of what others take in a message.
fn small_messages() -> ServerOptions {
    ServerOptions {
        max_payload: Some(64 << 10),
        ..ServerOptions::default()
    }
}

fn key() -> AggregateKey {
    "acme.lab.lamps.lamp.hall".parse().expect("a key")
}

fn version(number: u64) -> Version {
    Version::new(number).expect("from 1")
}

fn state(number: u64, len: usize) -> Bytes {
    let filler = (0..len).map(|at| b'a' + ((at / 1000 + number as usize) % 26) as u8);
    let filler = String::from_utf8(filler.collect()).expect("letters");
    Bytes::from(format!(r#"{{"number":{number},"filler":"{filler}"}}"#))
}

const KEY: [u8; 32] = [7; 32];

const MIB: usize = 1 << 20;
