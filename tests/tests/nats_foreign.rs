//! What others do on the same server does not change what a store says of its other events: messages
//! whose headers nobody can read, answers that are none, and events that somebody has deleted.

use std::sync::Arc;
use std::time::Instant;

use cim_core::append::{Append, AppendError};
use cim_core::message::Message;
use cim_core::version::ExpectedVersion;
use cim_host::jetstream::{Consistency, Get, JetStreamPort as _, JetStreamStore, StreamConfig};
use cim_host::store::{Delivery, EventStore as _, Query, StoreError};
use cim_tests::nats::{Deliveries, Place, STREAM, at_the_same_time, connect, history, new_stream};
use cim_tests::program::cim_at_home;
use cim_tests::rivals::stored;
use cim_tests::work::key;
use futures_util::StreamExt as _;
use serde_json::json;

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

/// The subject of a message in a history that has no events.
const FOREIGN: &str = "local.main.events.order.foreign.placed";

/// Each of them at the end of a history of its own, with sound events before, between and behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_nobody_reads_stop_their_aggregate_alone() {
    const OTHER: u64 = 1000;
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    // More than are read in one go.
    place.append_at_once(&store, OTHER, 300).await;
    let mut live = Deliveries::of(&store, None);
    assert_eq!(
        take(&mut live, 301).await,
        (300, vec![]),
        "and that it has caught up"
    );

    let (mut sound, mut broken) = (300, Vec::new());
    for (block, number) in BLOCKS.into_iter().zip(0..) {
        let what = String::from_utf8_lossy(block);
        place.append_at_once(&store, number, 3).await;
        let subject = format!("{}.placed", key(number));
        let position = place.server.publish_foreign(&subject, block, "{}");
        broken.push(position);
        let started = Instant::now();
        place.append(&store, OTHER, 1).await;
        for store in [&store, &place.open("other").await] {
            match store.append(place.new_append(number, 1)).await {
                Err(AppendError::Broken { position: at, .. }) => {
                    assert_eq!(at.get(), position, "{what}");
                }
                answer => panic!("{what}: {answer:?}"),
            }
            place.append(store, OTHER, 1).await;
            assert_eq!(history(store, number).await, (3, Some(position)), "{what}");
        }
        sound += 6;
        for store in [&store, &place.open(&format!("{number}")).await] {
            assert_eq!(
                store.stats().await.expect("an index").events,
                sound,
                "{what}"
            );
        }
        assert_eq!(take(&mut live, 7).await, (6, vec![position]), "{what}");
        println!("{:?} for {what:?}", started.elapsed());
    }
    let mut again = Deliveries::of(&store, None);
    let delivered = take(&mut again, sound + broken.len() as u64 + 1).await;
    assert_eq!(delivered, (sound, broken.clone()));

    let url = format!("{}/{STREAM}", place.server.url());
    let cim = |arguments: &[&str]| cim_at_home(place.folder.path(), arguments);
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
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    for _ in 0..MANY {
        place.server.publish_foreign(FOREIGN, BLOCKS[0], "{}");
    }
    place.append(&store, 2, 1).await;
    let started = Instant::now();
    let fresh = place.open("fresh").await;
    assert_eq!(fresh.stats().await.expect("an index").events, 2);
    println!("{MANY} messages that nobody reads: {:?}", started.elapsed());
}

/// The server cuts the last two bytes off a block of headers, whatever they are, and puts its own
/// behind: the first of them becomes a part of what stood last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_headers_that_swallows_what_the_server_adds() {
    for block in [&b"NATS/1.0\r\nA: b"[..], b"NATS/1.0\r\nA: b\r\n xx"] {
        let mut place = Place::new(&new_stream(1)).await;
        let store = place.open("own").await;
        for number in [1, 2] {
            place.append(&store, number, 1).await;
        }
        let foreign = format!("{}.placed", key(1));
        let position = place.server.publish_foreign(&foreign, block, "{}");
        for (store, count) in [(&store, 3), (&place.open("new").await, 4)] {
            match store.append(place.new_append(1, 1)).await {
                Err(AppendError::Broken { position: at, .. }) => assert_eq!(at.get(), position),
                answer => panic!("{answer:?}"),
            }
            place.append(store, 2, 1).await;
            assert_eq!(store.stats().await.expect("counts").events, count);
            let read: Vec<_> = store.read(Query::history(key(1))).collect().await;
            assert!(
                matches!(read[..], [Ok(_), Err(StoreError::Invalid(_))]),
                "{read:?}"
            );
        }
    }
}

/// To look whether it is still there costs no connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_message_that_ends_connections() {
    const COUNT: u64 = 20;
    let mut place = Place::new(&new_stream(1)).await;
    let port = connect(&place.server.url()).await;
    let folder = place.index("own");
    let store = JetStreamStore::open(Arc::clone(&port) as _, STREAM, "nats://test", &folder).await;
    let store = store.expect("the store is there");
    place.server.publish_foreign(FOREIGN, BLOCKS[0], "{}");
    store.stats().await.expect("it is indexed");
    let before = port.connection();
    for number in 0..COUNT {
        let append = Append::new(key(number), ExpectedVersion::NoStream, [place.event()]);
        store.append(append).await.expect("nothing is in the way");
    }
    let lost = port.connection() - before;
    assert!(lost <= 1, "{lost} connections for {COUNT} appends");
}

/// It is told of by a store whose index has the history, as by one that reads it for the first time.
#[tokio::test]
async fn a_foreign_message_before_the_first_event() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    insert_foreign(&place, 1).await;
    let indexed = place.open("indexed").await;
    indexed.stats().await.expect("it is indexed");
    for store in [&place.open("new").await, &indexed] {
        assert_eq!(history(store, 1).await, (0, Some(1)));
    }
}

/// A message that is no event stands in the middle of a history whose events are far apart. The
/// index finds those without it: the history must not pass for whole on that account, whether the
/// index was there before or is made while it is read.
#[tokio::test]
async fn a_foreign_message_in_a_sparse_history() {
    const OTHERS: u64 = 300;
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    place.append_at_once(&store, 2, OTHERS).await;
    place.append(&store, 1, 1).await;
    insert_foreign(&place, 101).await;

    let indexed = place.open("indexed").await;
    let stats = indexed.stats().await.expect("counts");
    assert_eq!(stats.events, OTHERS + 2);
    for store in [&indexed, &place.open("new").await] {
        assert_eq!(history(store, 1).await, (1, Some(101)));
        // The other history has none.
        assert_eq!(history(store, 2).await, (OTHERS, None));
    }
}

/// Makes the stream anew, with a message in the history of its first one that is no event, at a
/// sequence: nobody can put one between others.
async fn insert_foreign(place: &Place, sequence: u64) {
    let port = connect(&place.server.url()).await;
    let info = port.stream_info(STREAM).await.expect("an answer");
    let info = info.expect("a stream");
    let mut messages = Vec::new();
    for sequence in 1..=info.state.last_seq {
        let get = Get::Sequence(sequence);
        let stored = port.get(STREAM, get, Consistency::Leader).await;
        let mut message = stored.expect("an answer").expect("a message").message;
        message.headers.retain(|(name, _)| {
            !name.starts_with("Nats-Expected") && !name.starts_with("Nats-Batch")
        });
        messages.push(message);
    }
    let foreign = Message {
        headers: vec![("Written-By".to_owned(), "somebody".to_owned())],
        ..messages[0].clone()
    };
    let index = usize::try_from(sequence - 1).expect("few");
    messages.insert(index, foreign);
    place.server.keep_account();
    place.delete_stream();
    port.create_stream(&info.config).await.expect("it is made");
    for message in messages {
        port.publish(message).await.expect("it is stored");
    }
}

/// A reader knows where a history ends before it has read it. It waits for no event that is gone.
#[tokio::test]
async fn a_long_history_whose_last_event_is_deleted_while_it_is_read() {
    // More than are read ahead: the last ones are not on the way yet when the first is here.
    const LONG: u64 = 3000;
    let mut place = Place::new(&unprotected_stream()).await;
    let store = place.open("own").await;
    for _ in 0..LONG / 500 {
        place.append_at_once(&store, 1, 500).await;
    }
    let mut read = store.read(Query::history(key(1)).verified());
    read.next().await.expect("version 1").expect("it is sound");
    delete(&place, LONG);
    place.append(&store, 2, 3).await;
    let rest: Vec<_> = read.collect().await;
    for event in &rest {
        assert!(event.is_ok(), "{event:?}");
    }
    assert_eq!(rest.len() as u64, LONG - 2);
    // What it remembers of the head is of no use either.
    for store in [&store, &place.open("new").await] {
        assert_eq!(history(store, 1).await, (LONG - 1, None));
        assert_eq!(history(store, 2).await, (3, None));
    }
}

/// The stream still ends where its last message was.
#[tokio::test]
async fn a_log_whose_last_event_is_deleted() {
    let mut place = Place::new(&unprotected_stream()).await;
    let store = place.open("own").await;
    place.append_at_once(&store, 1, 300).await;
    place.append(&store, 2, 1).await;
    delete(&place, 301);
    let new = place.open("new").await;
    for store in [&store, &new] {
        assert_eq!(stored(&**store).await.len(), 300);
    }
    assert_eq!(new.stats().await.expect("an index").events, 300);
}

/// A stream of somebody who lets messages be deleted.
fn unprotected_stream() -> StreamConfig {
    StreamConfig {
        deny_delete: false,
        ..new_stream(1)
    }
}

/// Deletes the message at a sequence.
fn delete(place: &Place, sequence: u64) {
    let call = format!("$JS.API.STREAM.MSG.DELETE.{STREAM}");
    let deleted = place.server.ask(&call, &json!({ "seq": sequence }));
    deleted.expect("it is deleted");
}

/// Somebody subscribes to the events and answers whatever can be answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_answers() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    let client = async_nats::connect(place.server.url()).await;
    let client = client.expect("a server");
    let asked = client.subscribe("local.main.events.>").await;
    let mut asked = asked.expect("subscribed");
    client.flush().await.expect("sent");
    let answering = tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            if let Some(reply) = message.reply {
                client.publish(reply, "{}".into()).await.expect("sent");
                client.flush().await.expect("sent");
            }
        }
    });
    let appends: Vec<_> = (1..5).map(|number| place.new_append(number, 2)).collect();
    at_the_same_time(&store, appends).await;
    answering.abort();
    place.append_at_once(&store, 9, 2).await;
}

/// So many deliveries: how many events are among them, and the positions of what is none. They come
/// in order.
async fn take(deliveries: &mut Deliveries, count: u64) -> (u64, Vec<u64>) {
    let (mut events, mut invalid, mut last) = (0, Vec::new(), 0);
    for _ in 0..count {
        let position = match deliveries.next().await.expect("no fault") {
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
