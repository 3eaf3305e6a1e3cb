//! What others do on the same server does not change what a store says: mirrors that answer in the
//! stream's place, and messages whose headers nobody can read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_core::append::{Append, AppendError, Appended};
use cim_core::version::ExpectedVersion;
use cim_host::jetstream::JetStreamStore;
use cim_host::store::{Delivery, EventStore, Query, StoreError};
use cim_tests::nats::{
    NatsServer, STREAM, ServerOptions, forgetful_stream, make_store, new_stream, open_store,
};
use cim_tests::program::cim_at_home;
use cim_tests::random::Random;
use cim_tests::rivals::stored;
use cim_tests::work::{event, key};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::json;

/// Longer than the window in which the streams of these tests know message ids again.
const FORGOTTEN: Duration = Duration::from_millis(1500);

/// Beside so many mirrors the stream itself gives few of the answers.
const MIRRORS: usize = 3;

/// How often each mirror has a chance to answer everything.
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_that_have_two_messages() {
    mirrored(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_that_have_all_messages() {
    mirrored(-1).await;
}

/// Mirrors that keep at most so many messages answer for the stream.
async fn mirrored(max_msgs: i64) {
    const HISTORIES: u64 = 4;
    const EACH: u64 = 5;
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let index = |name: &str| folder.path().join(name);
    let store = make_store(&server.url(), &forgetful_stream(1), &index("own")).await;
    let mut random = Random::new(1);
    let (mut appends, mut receipts) = (Vec::new(), Vec::new());
    for _ in 0..EACH {
        for number in 0..HISTORIES {
            let append = Append::new(key(number), ExpectedVersion::Any, [event(&mut random, 10)]);
            receipts.push(*committed(&store, append.clone()).await.receipt());
            appends.push(append);
        }
    }
    let last = HISTORIES * EACH;
    for number in 0..MIRRORS {
        let name = format!("BACKUP-{number}");
        let config = json!({
            "name": name, "storage": "file", "mirror": { "name": STREAM }, "max_msgs": max_msgs,
        });
        let made = server.ask(&format!("$JS.API.STREAM.CREATE.{name}"), &config);
        let made = made.expect("a mirror");
        assert_eq!(
            made["config"]["mirror_direct"], true,
            "the server's own choice"
        );
        wait_until_mirrored(&server, &name, last);
    }
    tokio::time::sleep(FORGOTTEN).await;

    for round in 0..ROUNDS {
        let fresh = open_store(&server.url(), &index(&format!("{round}"))).await;
        for (append, receipt) in appends.iter().zip(&receipts) {
            let repeat = fresh.append(append.clone()).await.expect("an answer");
            assert_eq!(repeat, Appended::AlreadyCommitted(*receipt));
        }
        assert_eq!(fresh.stats().await.expect("an index").events, last);
        assert_eq!(stored(&*fresh).await.len() as u64, last);
        // Each once more where nothing is remembered.
        let plain = open_store(&server.url(), &index(&format!("plain-{round}"))).await;
        assert_eq!(plain.stats().await.expect("an index").events, last);
        for number in 0..HISTORIES {
            let head = plain.head(&key(number)).await.expect("an answer");
            assert_eq!(head.map(|head| head.version.get()), Some(EACH));
            for check in [&fresh, &plain] {
                assert_eq!(history(check, number).await, (EACH, None));
            }
        }
        let none = plain.head(&key(HISTORIES)).await.expect("an answer");
        assert_eq!(none, None);
        assert_eq!(history(&plain, HISTORIES).await, (0, None));
    }
    let url = format!("{}/{STREAM}", server.url());
    let told = cim_at_home(folder.path(), &["verify", "--store", &url]).exits(0);
    assert!(
        told.stdout.contains(&format!("events      {last}")),
        "{}",
        told.stdout
    );
    for number in 0..=HISTORIES {
        let append = Append::new(key(number), ExpectedVersion::Any, [event(&mut random, 10)]);
        committed(&store, append).await;
    }
}

fn wait_until_mirrored(server: &NatsServer, name: &str, last: u64) {
    let started = Instant::now();
    loop {
        let info = server.ask(&format!("$JS.API.STREAM.INFO.{name}"), &json!({}));
        let found = info
            .ok()
            .and_then(|info| info["state"]["last_seq"].as_u64());
        if found == Some(last) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{found:?}");
    }
}

/// Blocks that the server stores. async-nats ends the connection that one of the first five comes
/// on, and takes the others for the status of something else.
const BLOCKS: [&[u8]; 9] = [
    b"NATS/1.0\r\nNote: \xff\r\n\r\n",
    b"NATS/1.0\r\nNote\r\n\r\n",
    b"NATS/1.0\r\nA note: a\r\n\r\n",
    "NATS/1.0\r\nNot\u{e9}: a\r\n\r\n".as_bytes(),
    b"NATS/9.9\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
];

/// Each of them at the end of a history of its own, with sound events before, between and behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_nobody_reads_stop_their_aggregate_alone() {
    const OTHER: u64 = 1000;
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let index = |name: &str| folder.path().join(name);
    let store = make_store(&server.url(), &new_stream(1), &index("own")).await;
    let mut random = Random::new(1);
    let mut append = |number, count: u64| {
        let events: Vec<_> = (0..count).map(|_| event(&mut random, 10)).collect();
        Append::new(key(number), ExpectedVersion::Any, events)
    };
    // More than are read in one go.
    committed(&store, append(OTHER, 300)).await;
    let mut live = store.subscribe(None, None);
    assert_eq!(
        take(&mut live, 301).await,
        (300, vec![]),
        "and that it has caught up"
    );

    let (mut sound, mut broken) = (300, Vec::new());
    for (block, number) in BLOCKS.into_iter().zip(0..) {
        let what = String::from_utf8_lossy(block);
        committed(&store, append(number, 3)).await;
        let subject = format!("{}.placed", key(number));
        let position = server.publish_foreign(&subject, block, "{}");
        broken.push(position);
        let started = Instant::now();
        committed(&store, append(OTHER, 1)).await;
        for store in [&store, &open_store(&server.url(), &index("other")).await] {
            match store.append(append(number, 1)).await {
                Err(AppendError::Broken { position: at, .. }) => {
                    assert_eq!(at.get(), position, "{what}");
                }
                answer => panic!("{what}: {answer:?}"),
            }
            committed(store, append(OTHER, 1)).await;
            assert_eq!(history(store, number).await, (3, Some(position)), "{what}");
        }
        sound += 6;
        for store in [
            &store,
            &open_store(&server.url(), &index(&format!("{number}"))).await,
        ] {
            assert_eq!(
                store.stats().await.expect("an index").events,
                sound,
                "{what}"
            );
        }
        assert_eq!(take(&mut live, 7).await, (6, vec![position]), "{what}");
        println!("{:?} for {what:?}", started.elapsed());
    }
    let mut again = store.subscribe(None, None);
    let delivered = take(&mut again, sound + broken.len() as u64 + 1).await;
    assert_eq!(delivered, (sound, broken.clone()));

    let url = format!("{}/{STREAM}", server.url());
    let cim = |arguments: &[&str]| cim_at_home(folder.path(), arguments);
    let told = cim(&["verify", "--store", &url]).exits(6).stderr;
    assert!(told.contains(&format!("position {}", broken[0])), "{told}");
    for (number, position) in (0..).zip(&broken) {
        let id = format!("order-{number}");
        let told = cim(&[
            "append",
            "order",
            &id,
            "OrderPaid",
            "--data",
            "{}",
            "--store",
            &url,
        ]);
        let told = told.exits(6).stderr;
        assert!(
            told.contains(&format!("is broken at position {position}")),
            "{told}"
        );
        let told = cim(&["verify", "order", &id, "--store", &url])
            .exits(6)
            .stderr;
        assert!(told.contains(&format!("position {position}")), "{told}");
    }
    cim(&[
        "append",
        "order",
        "order-1000",
        "OrderPaid",
        "--data",
        "{}",
        "--store",
        &url,
    ])
    .exits(0);
    let stats = cim(&["stats", "--json", "--store", &url]).exits(0).json();
    assert_eq!(stats["events"], sound + 1);
    cim(&["copy", &url, "sqlite:sound.db"]).exits(6);
    let told = cim(&["copy", "--until-broken", &url, "sqlite:sound.db"]).exits(0);
    assert!(
        told.stdout.contains(&format!("{} left out", broken.len())),
        "{}",
        told.stdout
    );
    let told = cim(&["verify", "--store", "sqlite:sound.db"]).exits(0);
    assert!(
        told.stdout.contains(&format!("events      {}", sound + 1)),
        "{}",
        told.stdout
    );
}

/// Many in a row are passed without a new connection for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_of_them_in_a_row() {
    const MANY: u64 = 400;
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let store = make_store(&server.url(), &new_stream(1), &folder.path().join("own")).await;
    let mut random = Random::new(1);
    let mut append = |number| committed_one(&store, number, event(&mut random, 10));
    append(1).await;
    for _ in 0..MANY {
        server.publish_foreign("local.main.events.order.foreign.placed", BLOCKS[0], "{}");
    }
    append(2).await;
    let started = Instant::now();
    let fresh = open_store(&server.url(), &folder.path().join("fresh")).await;
    assert_eq!(fresh.stats().await.expect("an index").events, 2);
    println!("{MANY} messages that nobody reads: {:?}", started.elapsed());
}

async fn committed_one(store: &JetStreamStore, number: u64, event: cim_core::event::NewEvent) {
    committed(
        store,
        Append::new(key(number), ExpectedVersion::Any, [event]),
    )
    .await;
}

async fn committed(store: &JetStreamStore, append: Append) -> Appended {
    let answer = store.append(append).await.expect("nothing is in the way");
    assert!(matches!(answer, Appended::Committed(_)), "{answer:?}");
    answer
}

/// How many events of a history are read, and the position of the one that ends it.
async fn history(store: &Arc<JetStreamStore>, number: u64) -> (u64, Option<u64>) {
    let mut read = store.read(Query::history(key(number)).verified());
    let mut events = 0;
    while let Some(read) = read.next().await {
        match read {
            Ok(_) => events += 1,
            Err(StoreError::Invalid(invalid)) => return (events, Some(invalid.position.get())),
            Err(error) => panic!("{error:?}"),
        }
    }
    (events, None)
}

/// So many deliveries: how many events are among them, and the positions of what is none. They come
/// in order.
async fn take(
    deliveries: &mut BoxStream<'static, Result<Delivery, StoreError>>,
    count: u64,
) -> (u64, Vec<u64>) {
    let (mut events, mut invalid, mut last) = (0, Vec::new(), 0);
    for _ in 0..count {
        let next = tokio::time::timeout(Duration::from_secs(60), deliveries.next()).await;
        let position = match next.expect("in time").expect("no end").expect("no fault") {
            Delivery::CaughtUp => continue,
            Delivery::Event(read) => {
                events += 1;
                read.position.get()
            }
            Delivery::Invalid(found) => {
                invalid.push(found.position.get());
                found.position.get()
            }
        };
        assert!(position > last, "{position} behind {last}");
        last = position;
    }
    (events, invalid)
}
