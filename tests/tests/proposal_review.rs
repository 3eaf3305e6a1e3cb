//! What a review expects of stores on NATS: what others do, a stream that goes back and a user with
//! few rights lose no event, tell nothing that is not so, and stop nobody for ever.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_core::append::{Append, AppendError, Appended, Rejection};
use cim_core::event::NewEvent;
use cim_core::id::EventType;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::jetstream::{Consistency, Get, JetStreamPort as _, JetStreamStore, StreamConfig};
use cim_host::store::{Delivery, EventStore as _, Query, StoreError};
use cim_tests::nats::{
    Cut, NatsProxy, NatsServer, STREAM, ServerOptions, connect, forgetful_stream, make_store,
    new_stream, open_store,
};
use cim_tests::random::Random;
use cim_tests::rivals::stored;
use cim_tests::work::{event, key};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::json;
use tempfile::TempDir;

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// An append that takes longer has been tried until its deadline.
const AT_ONCE: Duration = Duration::from_secs(4);

/// As of the buckets of NATS: `discard: new` refuses what exceeds the limits of the stream, and the
/// limit of each subject takes the oldest away all the same.
#[tokio::test]
async fn a_limit_for_each_subject_loses_no_acknowledged_event() {
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let config = StreamConfig {
        max_msgs_per_subject: 1,
        ..new_stream(1)
    };
    let store = make_store(&server.url(), &config, folder.path()).await;
    let mut random = Random::new(1);
    let mut acknowledged = 0;
    for _ in 0..8 {
        let append = Append::new(key(1), ExpectedVersion::Any, [event(&mut random, 10)]);
        acknowledged += u64::from(store.append(append).await.is_ok());
    }
    let info = connect(&server.url()).await.stream_info(STREAM).await;
    let info = info.expect("an answer").expect("a stream");
    assert_eq!(info.state.messages, acknowledged);
}

/// The event that was indexed last is lost and appended again, at the same sequence and with the
/// same CID, behind another event than before. The index must not take that for what it knows: it
/// would never have the other one, and store a repeat of it a second time.
#[tokio::test]
async fn the_same_event_last_behind_another_one() {
    let mut place = Place::of(&forgetful_stream(1)).await;
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

    tokio::time::sleep(Duration::from_millis(1500)).await;
    for store in [&old, &place.open("old").await] {
        for (event, count) in [(&lost[0], 0), (&other[0], 1)] {
            let query = Query {
                event_id: Some(event.id),
                ..Query::default()
            };
            let found: Vec<_> = store.read(query).collect().await;
            assert_eq!(found.len(), count, "{found:?}");
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

/// Events 4 and 5 are handled and lost; what takes their place must not be skipped.
#[tokio::test]
async fn a_subscription_from_a_checkpoint_skips_nothing() {
    let mut place = Place::of(&new_stream(1)).await;
    let store = place.open("old").await;
    place.append(&store, 1, 3).await;
    let copy = place.copy();
    place.append(&store, 1, 2).await;
    let last = store.last_position().await.expect("an answer");
    let mut deliveries = store.subscribe(last, None);
    is_caught_up(&mut deliveries).await;
    place.put_back(&copy);
    let rival = place.open("rival").await;
    place.append(&rival, 1, 4).await;
    let error = next(&mut deliveries)
        .await
        .expect_err("two events are lost");
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
}

/// Nothing was delivered yet that could tell one stream from the other.
#[tokio::test]
async fn a_subscription_of_an_empty_store_does_not_go_on_in_another() {
    let mut place = Place::of(&new_stream(1)).await;
    place.server.keep_account();
    let store = place.open("old").await;
    let mut deliveries = store.subscribe(None, None);
    is_caught_up(&mut deliveries).await;
    place.delete_stream();
    let folder = place.folder.path().join("other");
    let other = make_store(&place.server.url(), &new_stream(1), &folder).await;
    place.append(&other, 1, 3).await;
    let error = next(&mut deliveries)
        .await
        .expect_err("it is another store");
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
}

/// Who may consume and not ask the leader is told so, or delivered everything: not left to wait.
#[tokio::test]
async fn a_subscriber_that_may_not_ask_the_leader() {
    let place = Place::denied(&format!("$JS.API.STREAM.MSG.GET.{STREAM}")).await;
    let (admin, other) = (place.open_as("admin").await, place.open_as("other").await);
    let mut random = Random::new(1);
    let mut append = async || {
        let append = Append::new(key(1), ExpectedVersion::Any, [event(&mut random, 10)]);
        admin.append(append).await.expect("nothing is in the way");
    };
    append().await;
    let mut deliveries = other.subscribe(None, None);
    assert!(matches!(
        next(&mut deliveries).await,
        Ok(Delivery::Event(_))
    ));
    is_caught_up(&mut deliveries).await;
    let later = tokio::spawn(async move { next(&mut deliveries).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    append().await;
    match later.await.expect("in time") {
        Ok(Delivery::Event(_)) | Err(StoreError::NotAllowed { .. }) => {}
        told => panic!("{told:?}"),
    }
}

/// A refusal names its subject alone, so it is that of all who wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_that_may_not_publish_to_one_subject() {
    let place = Place::denied("local.main.events.order.order-1.*").await;
    let store = place.open_as("other").await;
    let mut random = Random::new(1);
    let appends = (0..4).map(|_| {
        let mut event = event(&mut random, 10);
        event.event_type = EventType::new("OrderPaid").expect("a type");
        event.operation = "paid".parse().expect("an operation");
        Append::new(key(1), ExpectedVersion::Any, [event])
    });
    for (answer, took) in at_the_same_time(&store, appends).await {
        assert_eq!(code(&answer), "stream-not-allowed");
        assert!(took < AT_ONCE, "{took:?}");
    }
}

/// The others of its batch are stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_shared_batch_may_not_publish() {
    let place = Place::denied("local.main.events.order.order-1.*").await;
    let store = place.open_as("other").await;
    let mut random = Random::new(1);
    let appends = (1..5).map(|number| {
        let events = [event(&mut random, 10), event(&mut random, 10)];
        Append::new(key(number), ExpectedVersion::Any, events)
    });
    let mut answers = at_the_same_time(&store, appends).await.into_iter();
    let (first, took) = answers.next().expect("an answer");
    assert_eq!(code(&first), "stream-not-allowed");
    assert!(took < AT_ONCE, "{took:?}");
    for (answer, _) in answers {
        assert!(matches!(answer, Ok(Appended::Committed(_))), "{answer:?}");
    }
}

/// The server cuts the last two bytes off a block of headers, whatever they are, and puts its own
/// behind: the first of them becomes a part of what stood last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_headers_that_swallows_what_the_server_adds() {
    for block in [&b"NATS/1.0\r\nA: b"[..], b"NATS/1.0\r\nA: b\r\n xx"] {
        let mut place = Place::of(&new_stream(1)).await;
        let store = place.open("own").await;
        for number in [1, 2] {
            place.append(&store, number, 1).await;
        }
        let foreign = format!("{}.placed", key(1));
        let position = place.server.publish_foreign(&foreign, block, "{}");
        for (store, count) in [(&store, 3), (&place.open("new").await, 4)] {
            let append = Append::new(key(1), ExpectedVersion::Any, [place.event()]);
            match store.append(append).await {
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
    let place = Place::of(&new_stream(1)).await;
    let port = connect(&place.server.url()).await;
    let folder = place.folder.path().join("own");
    let store = JetStreamStore::open(Arc::clone(&port) as _, STREAM, "nats://test", &folder).await;
    let store = store.expect("the store is there");
    let unreadable = b"NATS/1.0\r\nNote: \xff\r\n\r\n";
    let subject = "local.main.events.order.foreign.placed";
    place.server.publish_foreign(subject, unreadable, "{}");
    store.stats().await.expect("it is indexed");
    let before = port.connection();
    let mut random = Random::new(1);
    for number in 0..COUNT {
        let append = Append::new(
            key(number),
            ExpectedVersion::NoStream,
            [event(&mut random, 10)],
        );
        store.append(append).await.expect("nothing is in the way");
    }
    let lost = port.connection() - before;
    assert!(lost <= 1, "{lost} connections for {COUNT} appends");
}

/// It is told of by a store whose index has the history, as by one that reads it for the first time.
#[tokio::test]
async fn a_foreign_message_before_the_first_event() {
    let mut place = Place::of(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    let port = connect(&place.server.url()).await;
    let first = port
        .get(STREAM, Get::Sequence(1), Consistency::Leader)
        .await;
    let mut message = first.expect("an answer").expect("a message").message;
    message
        .headers
        .retain(|(name, _)| !name.starts_with("Nats-Expected"));
    let config = port
        .stream_info(STREAM)
        .await
        .expect("an answer")
        .expect("a stream")
        .config;
    place.server.keep_account();
    place.delete_stream();
    port.create_stream(&config).await.expect("it is made");
    place
        .server
        .publish_foreign(&message.subject, b"NATS/1.0\r\nA: b\r\n\r\n", "{}");
    port.publish(message).await.expect("it is stored");
    let indexed = place.open("indexed").await;
    indexed.stats().await.expect("it is indexed");
    for store in [&place.open("new").await, &indexed] {
        let mut read = store.read(Query::history(key(1)).verified());
        match read.next().await.expect("it is told of") {
            Err(StoreError::Invalid(invalid)) => assert_eq!(invalid.position.get(), 1),
            read => panic!("{read:?}"),
        }
    }
}

/// An append is judged, and waits for the answer to the batch before its own. Meanwhile the server
/// comes back without the last events, and a rival appends as many: the head that the append rests
/// on is gone, and its sequence is that of the rival's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_waits_for_a_shared_batch_rests_on_a_lost_head() {
    let mut place = Place::of(&new_stream(1)).await;
    let proxy = NatsProxy::start(&place.server.address());
    let old = open_store(&proxy.url(), &place.folder.path().join("old")).await;
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
        let events: Vec<_> = (0..count).map(|_| event(&mut place.random, 10)).collect();
        let expected = ExpectedVersion::Exact(Version::new(version).expect("from 1"));
        let (store, append) = (Arc::clone(&old), Append::new(key(number), expected, events));
        tokio::spawn(async move { store.append(append).await })
    };
    let moment = || tokio::time::sleep(Duration::from_millis(50));
    let mut tasks = vec![spawn(1, 2, 4)];
    moment().await;
    tasks.push(spawn(2, 2, 4));
    moment().await;
    proxy.cut_and_go_away(Cut::Message);
    tasks.push(spawn(3, 1, 2));
    moment().await;
    assert_eq!(proxy.cuts(), 1);

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
        let read: Vec<_> = rival
            .read(Query::history(key(number)).verified())
            .collect()
            .await;
        for read in read {
            read.expect("no history is broken");
        }
    }
}

/// A mirror was made the stream in the place of the one that it was a mirror of.
#[tokio::test]
async fn a_stream_of_another_name_has_the_subjects() {
    let mut place = Place::of(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    let ask = |call: &str, body| place.server.ask(&format!("$JS.API.STREAM.{call}"), &body);
    let mirror = json!({ "name": "COPY", "storage": "file", "mirror": { "name": STREAM } });
    ask("CREATE.COPY", mirror).expect("a mirror");
    let started = Instant::now();
    while ask("INFO.COPY", json!({})).expect("info")["state"]["messages"] != 1 {
        assert!(started.elapsed() < PATIENCE);
    }
    place.delete_stream();
    let config = json!({
        "name": "COPY", "storage": "file", "subjects": ["local.main.events.*.*.*"],
        "allow_direct": true,
    });
    ask("UPDATE.COPY", config).expect("it is changed");
    let append = Append::new(
        key(1),
        ExpectedVersion::Any,
        [event(&mut Random::new(2), 10)],
    );
    let answer = store.append(append).await;
    assert!(answer.is_err(), "this store has no such event: {answer:?}");
}

/// Somebody subscribes to the events and answers whatever can be answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_answers() {
    let mut place = Place::of(&new_stream(1)).await;
    let store = place.open("own").await;
    let client = async_nats::connect(place.server.url())
        .await
        .expect("a server");
    let mut asked = client
        .subscribe("local.main.events.>")
        .await
        .expect("subscribed");
    client.flush().await.expect("sent");
    let answering = tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            if let Some(reply) = message.reply {
                client.publish(reply, "{}".into()).await.expect("sent");
                client.flush().await.expect("sent");
            }
        }
    });
    let appends: Vec<_> = (1..5)
        .map(|number| {
            let events = [place.event(), place.event()];
            Append::new(key(number), ExpectedVersion::Any, events)
        })
        .collect();
    at_the_same_time(&store, appends).await;
    answering.abort();
    place.append_at_once(&store, 9, 2).await;
}

/// All answers, in the order of the appends, and what they took.
async fn at_the_same_time(
    store: &Arc<JetStreamStore>,
    appends: impl IntoIterator<Item = Append>,
) -> Vec<(Result<Appended, AppendError>, Duration)> {
    let tasks: Vec<_> = appends
        .into_iter()
        .map(|append| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let started = Instant::now();
                (store.append(append).await, started.elapsed())
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("it does not panic"));
    }
    answers
}

fn code(answer: &Result<Appended, AppendError>) -> &'static str {
    match answer {
        Ok(_) => "appended",
        Err(AppendError::Rejected {
            why: Rejection::Store { code, .. },
        }) => code,
        Err(error) => error.code(),
    }
}

type Deliveries = BoxStream<'static, Result<Delivery, StoreError>>;

async fn next(deliveries: &mut Deliveries) -> Result<Delivery, StoreError> {
    let next = tokio::time::timeout(PATIENCE, deliveries.next()).await;
    next.expect("in time").expect("it tells why it ends")
}

/// Checks that nothing is left, and waits until the next delivery is waited for.
async fn is_caught_up(deliveries: &mut Deliveries) {
    let caught_up = next(deliveries).await;
    assert!(matches!(caught_up, Ok(Delivery::CaughtUp)), "{caught_up:?}");
    let moment = Duration::from_millis(500);
    let next = tokio::time::timeout(moment, deliveries.next()).await;
    assert!(next.is_err(), "{next:?}");
}

struct Place {
    server: NatsServer,
    folder: TempDir,
    random: Random,
}

impl Place {
    async fn of(stream: &StreamConfig) -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let folder = tempfile::tempdir().expect("a folder");
        make_store(&server.url(), stream, &folder.path().join("maker")).await;
        Self {
            server,
            folder,
            random: Random::new(1),
        }
    }

    /// With a user `admin`, and one, `other`, that may not publish to a subject.
    async fn denied(subject: &str) -> Self {
        let users = format!(
            r#"users: [
              {{ user: "admin", password: "pw" }}
              {{ user: "other", password: "pw", permissions: {{
                  publish: {{ deny: ["{subject}"] }}, subscribe: [">"] }} }}
            ]"#
        );
        let server = NatsServer::start(ServerOptions {
            authorization: Some(users),
            ..ServerOptions::default()
        });
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self {
            server,
            folder,
            random: Random::new(1),
        };
        let maker = place.folder.path().join("maker");
        make_store(&place.url_of("admin"), &new_stream(1), &maker).await;
        place
    }

    fn url_of(&self, user: &str) -> String {
        format!("nats://{user}:pw@{}", self.server.address())
    }

    async fn open_as(&self, user: &str) -> Arc<JetStreamStore> {
        open_store(&self.url_of(user), &self.folder.path().join(user)).await
    }

    async fn open(&self, machine: &str) -> Arc<JetStreamStore> {
        open_store(&self.server.url(), &self.folder.path().join(machine)).await
    }

    fn event(&mut self) -> NewEvent {
        event(&mut self.random, 10)
    }

    async fn append(&mut self, store: &JetStreamStore, to: u64, count: u64) -> Vec<NewEvent> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.extend(self.append_at_once(store, to, 1).await);
        }
        events
    }

    async fn append_at_once(
        &mut self,
        store: &JetStreamStore,
        to: u64,
        count: u64,
    ) -> Vec<NewEvent> {
        let events: Vec<_> = (0..count).map(|_| self.event()).collect();
        let append = Append::new(key(to), ExpectedVersion::Any, events.clone());
        store.append(append).await.expect("nothing is in the way");
        events
    }

    fn delete_stream(&self) {
        let deleted = self
            .server
            .ask(&format!("$JS.API.STREAM.DELETE.{STREAM}"), &json!({}));
        deleted.expect("it is deleted");
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
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-R").arg(from).arg(to).status();
    assert!(copied.expect("`cp` starts").success());
}
