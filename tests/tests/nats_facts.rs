//! What the store on NATS rests on: how nats-server answers expectations, repeats and batches
//! (DESIGN 4). A later server that answers otherwise fails here first.
#![allow(clippy::print_stdout, reason = "tests say what they have done")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cim_core::message::Message;
use cim_host::jetstream::{
    Consistency, Get, JetStreamClient, JetStreamError, JetStreamPort as _, PublishAck, StreamConfig,
};
use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions, connect};
use futures_util::future::join_all;

type Answer = Result<PublishAck, JetStreamError>;

/// Wrong last sequence; a duplicate that is under way; wrong last sequence because of one that is
/// under way; a duplicate in a batch.
const STALE: u32 = 10071;
const DUPLICATE_UNDER_WAY: u32 = 10158;
const STALE_UNDER_WAY: u32 = 10164;
const DUPLICATE_IN_BATCH: u32 = 10201;

/// A batch whose beginning the server has not seen.
const INCOMPLETE_BATCH: u32 = 10176;

/// A stream of subjects `f.<aggregate>.<operation>`.
struct Stream(Arc<JetStreamClient>);

impl Stream {
    async fn make(url: &str, replicas: u32, max_age: Duration) -> Self {
        let port = connect(url).await;
        let config = StreamConfig {
            subjects: vec!["f.*.*".to_owned()],
            num_replicas: replicas,
            max_age: u64::try_from(max_age.as_nanos()).expect("short"),
            allow_direct: true,
            allow_atomic: true,
            ..StreamConfig::new("FACTS")
        };
        port.create_stream(&config).await.expect("a stream");
        Self(port)
    }

    async fn publish(&self, message: Message) -> Answer {
        self.0.publish(message).await
    }

    async fn batch(&self, messages: Vec<Message>) -> Answer {
        self.0.publish_batch(messages).await
    }

    async fn last(&self) -> u64 {
        let info = self.0.stream_info("FACTS").await.expect("an answer");
        info.expect("a stream").state.last_seq
    }

    async fn last_of(&self, aggregate: &str) -> u64 {
        let get = Get::Last(format!("f.{aggregate}.>"));
        let found = self.0.get("FACTS", get, Consistency::Leader).await;
        found.expect("an answer").map_or(0, |found| found.sequence)
    }
}

/// A message of an aggregate, with an id.
fn message(aggregate: &str, id: &str) -> Message {
    Message {
        subject: format!("f.{aggregate}.done"),
        headers: vec![("Nats-Msg-Id".to_owned(), id.to_owned())],
        body: "{}".into(),
    }
}

/// The same, expecting a last sequence of the aggregate.
fn expecting(sequence: u64, aggregate: &str, id: &str) -> Message {
    checking(
        sequence,
        &format!("f.{aggregate}.>"),
        message(aggregate, id),
    )
}

fn checking(sequence: u64, filter: &str, mut message: Message) -> Message {
    for (name, value) in [
        ("Nats-Expected-Last-Subject-Sequence", sequence.to_string()),
        (
            "Nats-Expected-Last-Subject-Sequence-Subject",
            filter.to_owned(),
        ),
    ] {
        message.headers.push((name.to_owned(), value));
    }
    message
}

#[track_caller]
fn stored(answer: &Answer, sequence: u64) {
    match answer {
        Ok(ack) if !ack.duplicate => assert_eq!(ack.sequence, sequence),
        other => panic!("expected it to be stored, found {other:?}"),
    }
}

#[track_caller]
fn duplicate(answer: &Answer, sequence: u64) {
    match answer {
        Ok(ack) if ack.duplicate => assert_eq!(ack.sequence, sequence),
        other => panic!("expected a duplicate, found {other:?}"),
    }
}

#[track_caller]
fn refused(answer: &Answer, number: u32) {
    let found = answer.as_ref().map_err(JetStreamError::number);
    assert_eq!(found.err().flatten(), Some(number), "{answer:?}");
}

#[track_caller]
fn refused_one_of(answer: &Answer, numbers: &[u32]) {
    let found = answer.as_ref().map_err(JetStreamError::number);
    let number = found.err().flatten();
    assert!(
        number.is_some_and(|number| numbers.contains(&number)),
        "{answer:?}"
    );
}

/// What holds on one replica and on three. `repeated` judges the same id with an expectation that
/// was true the first time.
async fn check(stream: &Stream, repeated: fn(&Answer)) {
    // A stale expectation, alone and anywhere in a batch; of a batch all is stored or nothing.
    stored(&stream.publish(expecting(0, "a", "1")).await, 1);
    refused(&stream.publish(expecting(0, "a", "2")).await, STALE);
    refused(&stream.publish(expecting(7, "a", "2")).await, STALE);
    let batch = |second| {
        vec![
            expecting(0, "b", "3"),
            message("b", "4"),
            expecting(second, "a", "5"),
        ]
    };
    refused(&stream.batch(batch(0)).await, STALE);
    assert_eq!((stream.last().await, stream.last_of("b").await), (1, 0));
    stored(&stream.batch(batch(1)).await, 4);

    // Repeats: of one message, on another aggregate, of a batch, of a part of it.
    repeated(&stream.publish(expecting(0, "a", "1")).await);
    duplicate(&stream.publish(expecting(4, "a", "1")).await, 1);
    duplicate(&stream.publish(expecting(0, "c", "1")).await, 1);
    for repeat in [
        batch(1),
        vec![expecting(3, "b", "4"), message("b", "6")],
        vec![expecting(3, "b", "6"), message("b", "4")],
    ] {
        let answer = stream.batch(repeat).await;
        let number = answer.as_ref().map_err(JetStreamError::number);
        let number = number.expect_err("it is refused").expect("with a number");
        assert!([STALE, DUPLICATE_IN_BATCH].contains(&number), "{answer:?}");
    }
    assert_eq!((stream.last().await, stream.last_of("c").await), (4, 0));

    // A batch may rest on a history that it does not write.
    let resting = |sequence, id| {
        let other = checking(sequence, "f.a.>", message("d", id));
        vec![other, message("e", &format!("{id}-e"))]
    };
    refused(&stream.batch(resting(1, "7")).await, STALE);
    stored(&stream.batch(resting(4, "7")).await, 6);

    // A batch whose beginning is lost is refused, and the rest of it with it.
    let mut late = message("a", "8");
    for (name, value) in [
        ("Nats-Batch-Id", "late"),
        ("Nats-Batch-Sequence", "2"),
        ("Nats-Batch-Commit", "1"),
    ] {
        late.headers.push((name.to_owned(), value.to_owned()));
    }
    refused(&stream.publish(late).await, INCOMPLETE_BATCH);
    assert_eq!(stream.last().await, 6);
    check_rivals(stream).await;
}

/// Of many with one expectation at the same time, one is stored. Of one message sent many times at
/// the same time, too.
async fn check_rivals(stream: &Stream) {
    let mut numbers = BTreeMap::<_, u32>::new();
    for round in 0..20 {
        for is_same in [false, true] {
            let before = stream.last().await;
            let last = stream.last_of("r").await;
            let id = |rival| match is_same {
                true => format!("same-{round}"),
                false => format!("{round}-{rival}"),
            };
            let one = |rival| stream.publish(expecting(last, "r", &id(rival)));
            let two = |rival| {
                let second = format!("{}-second", id(rival));
                stream.batch(vec![
                    expecting(last, "r", &id(rival)),
                    message("r", &second),
                ])
            };
            let ones = join_all((0..8).map(one));
            let twos = join_all((8..12).map(two));
            let (ones, twos) = tokio::join!(ones, twos);
            let mut winners = 0;
            for answer in ones.iter().chain(&twos) {
                let told = match answer {
                    Ok(ack) if ack.duplicate => "duplicate".to_owned(),
                    Ok(_) => {
                        winners += 1;
                        continue;
                    }
                    Err(error) => error.number().expect("a number").to_string(),
                };
                *numbers.entry((is_same, told)).or_default() += 1;
            }
            let winner = twos.iter().flatten().any(|ack| !ack.duplicate);
            assert_eq!(winners, 1, "{ones:?} {twos:?}");
            assert_eq!(stream.last().await, before + 1 + u64::from(winner));
        }
    }
    println!("losers, with one id or their own: {numbers:?}");
    let known = [
        STALE,
        DUPLICATE_UNDER_WAY,
        STALE_UNDER_WAY,
        DUPLICATE_IN_BATCH,
    ];
    for (_, told) in numbers.keys() {
        let is_known = known.iter().any(|number| *told == number.to_string());
        assert!(is_known || told == "duplicate", "a new answer: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_tells_a_stale_expectation_before_a_duplicate() {
    let server = NatsServer::start(ServerOptions::default());
    let stream = Stream::make(&server.url(), 1, Duration::ZERO).await;
    check(&stream, |answer| refused(answer, STALE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_tell_a_duplicate_before_a_stale_expectation() {
    let cluster = NatsCluster::start(3);
    let stream = Stream::make(&cluster.url(), 3, Duration::ZERO).await;
    check(&stream, |answer| duplicate(answer, 1)).await;
}

/// Why an aggregate has one filter, everywhere: on a replicated stream, what is under way is found by
/// comparing the texts of filters, not what they match.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_filters_for_one_history_let_stale_appends_in() {
    let cluster = NatsCluster::start(3);
    let stream = Stream::make(&cluster.url(), 3, Duration::ZERO).await;
    let (appended, stale) = stale_appends(&stream, ["f.one.>", "f.one.>"]).await;
    println!("one filter: {stale} of {appended} appends were stale");
    assert_eq!(stale, 0);
    let (appended, stale) = stale_appends(&stream, ["f.two.>", "f.two.*"]).await;
    println!("two filters: {stale} of {appended} appends were stale");
    assert!(stale > 0, "one filter for each aggregate is needed no more");
}

/// Writers race for one history, each with one of two filters. Gives how many were acknowledged, and
/// how many of them though the last sequence was not what they expected.
async fn stale_appends(stream: &Stream, filters: [&str; 2]) -> (usize, usize) {
    let aggregate = filters[0].split('.').nth(1).expect("a filter");
    let write = async |writer: usize| {
        let mut written = Vec::new();
        for round in 0..30 {
            let last = stream.last_of(aggregate).await;
            let message = message(aggregate, &format!("{aggregate}-{writer}-{round}"));
            let answer = stream
                .publish(checking(last, filters[writer % 2], message))
                .await;
            match answer {
                Ok(ack) => written.push((ack.sequence, last)),
                answer => refused_one_of(&answer, &[STALE, STALE_UNDER_WAY]),
            }
        }
        written
    };
    let mut written: Vec<_> = join_all((0..24).map(write)).await.concat();
    written.sort_unstable();
    let mut last = 0;
    let mut stale = 0;
    for (sequence, expected) in &written {
        stale += usize::from(*expected != last);
        last = *sequence;
    }
    (written.len(), stale)
}

/// The ids within the duplicate window are known again after a crash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_still_knows_ids() {
    let mut server = NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        ..ServerOptions::default()
    });
    let stream = Stream::make(&server.url(), 1, Duration::ZERO).await;
    stored(&stream.publish(expecting(0, "a", "1")).await, 1);
    stored(
        &stream
            .batch(vec![message("a", "2"), message("a", "3")])
            .await,
        3,
    );
    tokio::task::block_in_place(|| {
        server.kill9();
        server.restart();
    });
    let stream = Stream(connect(&server.url()).await);
    duplicate(&stream.publish(message("a", "1")).await, 1);
    duplicate(&stream.publish(message("a", "3")).await, 3);
    refused(
        &stream
            .batch(vec![message("a", "2"), message("a", "4")])
            .await,
        DUPLICATE_IN_BATCH,
    );
    refused(&stream.publish(expecting(1, "a", "5")).await, STALE);
    stored(&stream.publish(expecting(3, "a", "5")).await, 4);
}

/// Why a stream with an age limit is no store: its histories begin again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_history_is_none() {
    let server = NatsServer::start(ServerOptions::default());
    let stream = Stream::make(&server.url(), 1, Duration::from_secs(1)).await;
    stored(&stream.publish(expecting(0, "a", "1")).await, 1);
    refused(&stream.publish(expecting(0, "a", "2")).await, STALE);
    while stream.last_of("a").await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stored(&stream.publish(expecting(0, "a", "2")).await, 2);
}
