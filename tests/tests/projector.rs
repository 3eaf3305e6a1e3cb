//! Projectors on SQLite: killed at any moment, two on one read model, poison, changed handlers.
//!
//! `CIM_PROJECTOR_KILLS` sets how often one is killed (100), `CIM_PROJECTOR_SEED` repeats a run.

#![allow(clippy::print_stdout, reason = "a long test tells what it did")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cim_core::append::{Append, AppendError, Appended};
use cim_core::id::AggregateKey;
use cim_core::projection::machine::{Options, State};
use cim_core::projection::{Change, Descriptor, DocumentKey};
use cim_core::subject::SubjectFilter;
use cim_core::version::{Head, Position};
use cim_host::projector::{
    CallError, HEARTBEAT, Handler, Progress, ProjectionStatus, Projector, ProjectorError,
    ProjectorOptions, Start, Until,
};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_host::store::{
    AggregateEntry, AggregateSelect, Delivery, EventStore, Query, ReadEvent, StoreError, StoreInfo,
    StoreStats,
};
use cim_tests::counting::{self, Counting, Documents, code, counts, documents, fill, name};
use cim_tests::histories::Histories;
use cim_tests::random::Random;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tempfile::TempDir;

/// The events of the large store, and the aggregates that share them.
const EVENTS: u64 = 100_000;
const AGGREGATES: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_the_documents_are_those_of_an_undisturbed_run() {
    let kills = match std::env::var("CIM_PROJECTOR_KILLS") {
        Ok(kills) => kills.parse().expect("CIM_PROJECTOR_KILLS is a number"),
        Err(_) => 100,
    };
    let seed = Random::seed("CIM_PROJECTOR_SEED");
    println!("{kills} kills; CIM_PROJECTOR_SEED={seed} repeats them");
    let mut random = Random::new(seed);
    let (place, large) = Place::with_large_store().await;
    let started = Instant::now();
    // First in a file of its own, then in the store's.
    for path in [place.path("read.db"), place.store.clone()] {
        kill_and_compare(&place, &path, kills / 2, &mut random, &large.documents);
    }
    println!("{:.1} s", started.elapsed().as_secs_f64());
    assert_eq!(Histories::read(&place.store).await.len() as u64, EVENTS);
}

fn kill_and_compare(
    place: &Place,
    read_model: &Path,
    kills: u64,
    random: &mut Random,
    expected: &Documents,
) {
    let (mut killed, mut runs, mut start) = (0, 0, "resume");
    let mut places = std::collections::BTreeSet::new();
    while killed < kills || start == "resume" {
        let batch = random.between(1, 100);
        let mut worker = worker(&place.store, read_model, batch, start);
        if killed < kills {
            // Now and then while it starts, else while it works.
            if random.below(5) > 0 {
                wait_for_first_commit(&mut worker);
            }
            std::thread::sleep(Duration::from_micros(random.below(100_000)));
        }
        // Now and then it is killed while it starts over.
        start = if random.below(25) == 0 && killed + 1 < kills {
            "restart"
        } else {
            "resume"
        };
        if killed < kills && kill(&mut worker) {
            killed += 1;
        } else {
            let status = worker.wait().expect("it was started");
            assert!(status.success(), "the worker failed: {status}");
            let found = documents(&ReadModel::open(read_model).expect("there"));
            assert_eq!(&found.expect("there"), expected, "after {killed} kills");
            runs += 1;
            start = "restart";
        }
        let Some(status) = status(read_model) else {
            continue;
        };
        let position = status.position.map_or(0, Position::get);
        places.insert(position);
        let found = documents(&ReadModel::open(read_model).expect("there"));
        let [by_type, by_aggregate] = counts(&found.expect("there"));
        let told = [status.events, by_type, by_aggregate];
        assert_eq!(told, [position; 3], "an event took effect twice or never");
    }
    println!(
        "{}: {killed} kills, {runs} runs to the end, {} different checkpoints up to {}",
        read_model.display(),
        places.len(),
        places.last().unwrap_or(&0),
    );
    assert!(
        places.len() as u64 > kills / 2,
        "the workers hardly worked: {places:?}"
    );
}

/// Waits until the worker has told that it is at work, or has ended.
fn wait_for_first_commit(worker: &mut Child) {
    let mut output = worker.stdout.take().expect("a pipe");
    let mut told = [0];
    output.read_exact(&mut told).ok();
}

/// Kills the worker; says whether it still ran.
fn kill(worker: &mut Child) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    if worker.try_wait().expect("it was started").is_some() {
        return false;
    }
    worker.kill().expect("it runs or has ended");
    worker.wait().expect("it ends").signal() == Some(9)
}

fn worker(store: &Path, read_model: &Path, batch: u64, start: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_project-worker"))
        .args([store, read_model])
        .args([&batch.to_string(), start])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the worker starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_projectors_on_one_read_model_one_is_fenced_off() {
    let (place, large) = Place::with_large_store().await;
    let gate = Gate::default();
    let (seen, open) = (gate.clone(), gate.clone());
    // The first waits in its third batch until the second has begun.
    let mut batches = 0;
    let first = Counting::default().with_before(move |_| {
        batches += 1;
        if batches == 3 {
            seen.reach();
            seen.pass();
        }
    });
    let first = tokio::spawn(
        place
            .projector(first, ProjectorOptions::default())
            .run(Until::CaughtUp),
    );
    gate.reached().await;
    let second = Counting::default().with_before(move |_| open.open());
    let second = place.run(second).await.expect("it goes on");
    let error = first.await.expect("no panic").expect_err("fenced off");
    let ProjectorError::Fenced { expected, .. } = &error else {
        panic!("another error: {error}");
    };
    assert_eq!(*expected, Position::new(1024).ok());
    let told = error.to_string();
    assert!(
        told.starts_with("another projector took `counting` over, "),
        "{told}"
    );
    assert_eq!(second.events, EVENTS - 1024);
    assert_eq!(place.documents(), large.documents);
    assert_eq!(place.status().error, None, "the row is the second's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_is_parked_and_only_its_aggregate_waits() {
    let (place, large) = Place::with_large_store().await;
    // One event in 10 000, each of another aggregate.
    let is_poison = |position: u64| position % 10_000 == 137 + 2 * (position / 10_000);
    let poison = move |event: &ReadEvent| is_poison(event.position.get());
    let ended = place
        .run(Counting::default().with_poison(poison))
        .await
        .expect("caught up");
    assert_eq!((ended.state, ended.parked_aggregates), (State::Parked, 10));
    assert_eq!(ended.position, Position::new(EVENTS).ok());

    let mut expected = Vec::new();
    let mut stuck = std::collections::HashSet::new();
    let store = SqliteStore::open(&place.store).expect("a store");
    let mut events = store.read(Query::default());
    while let Some(read) = events.next().await {
        let read = read.expect("a sound event");
        let cause = is_poison(read.position.get()).then_some("poison");
        if cause.is_some() {
            stuck.insert(read.event.aggregate.clone());
        }
        if stuck.contains(&read.event.aggregate) {
            let cid = Some(read.event.cid);
            expected.push((
                read.position,
                read.event.aggregate,
                cid,
                cause.map(str::to_owned),
            ));
        }
    }
    let read_model = place.read_model();
    let parked = read_model.parked(&name("counting")).expect("there");
    let parked: Vec<_> = parked
        .map(|row| row.expect("a sound row").event)
        .map(|event| {
            let cause = event.reason.cause().map(|(code, _)| code.to_owned());
            (event.position, event.aggregate, event.cid, cause)
        })
        .collect();
    assert_eq!(parked, expected);
    let status = place.status();
    assert_eq!(status.parked_events, expected.len() as u64);
    assert_eq!(status.events, EVENTS - status.parked_events);

    let (found, whole) = (place.documents(), &large.documents);
    let stuck: Vec<_> = stuck
        .iter()
        .map(|aggregate| aggregate.id.as_str())
        .collect();
    for ((collection, key), document) in whole {
        if collection == "aggregates" {
            let same = found.get(&(collection.clone(), key.clone())) == Some(document);
            assert_eq!(same, !stuck.contains(&key.as_str()), "{key}");
        }
    }
    assert_eq!(counts(&found), [status.events; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_handler_is_refused_until_it_starts_over() {
    let place = Place::with_store(2000).await;
    place.run(Counting::default()).await.expect("caught up");
    let before = (place.status(), place.documents());
    let changed = || Counting::default().with_identity("counting-2");
    let refused = place.run(changed()).await;
    assert_eq!(code(&refused), "handler-changed");
    let error = refused.expect_err("refused");
    assert!(error.help().is_some_and(|help| help.contains("--restart")));
    assert_eq!(
        (place.status(), place.documents()),
        before,
        "nothing is touched"
    );

    let options = ProjectorOptions {
        start: Start::Restart,
        ..ProjectorOptions::default()
    };
    let restarted = place
        .projector(changed(), options)
        .run(Until::CaughtUp)
        .await;
    assert_eq!(restarted.expect("caught up").events, 2000);
    assert_eq!(place.documents(), before.1);
    assert_eq!(place.status().handler, "counting-2");
    assert_eq!(
        code(&place.run(Counting::default()).await),
        "handler-changed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_store_is_refused() {
    let place = Place::with_store(10).await;
    place.run(Counting::default()).await.expect("caught up");
    let other = Place::with_store(10).await;
    let store = SqliteStore::open(&other.store).expect("a store");
    let handler = Box::new(Counting::default());
    let options = ProjectorOptions::default();
    let projector = Projector::new(Arc::new(store), handler, place.read_model(), options);
    assert_eq!(code(&projector.run(Until::CaughtUp).await), "other-store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_in_the_stores_file_does_not_disturb_the_store() {
    let place = Place::with_store(3000).await;
    let store = Arc::new(SqliteStore::open(&place.store).expect("a store"));
    let read_model = ReadModel::open_or_create(&place.store).expect("a read model");
    let run = || {
        let handler = Box::new(Counting::default());
        let options = ProjectorOptions::default();
        let store: Arc<dyn EventStore> = Arc::<SqliteStore>::clone(&store);
        Projector::new(store, handler, read_model.clone(), options).run(Until::CaughtUp)
    };
    assert_eq!(run().await.expect("caught up").events, 3000);
    // The same store goes on appending, and so does one that is opened anew.
    let append = |number| {
        let mut random = Random::new(number);
        let event = cim_tests::work::event(&mut random, 10);
        let key = cim_tests::work::key(1);
        Append::new(key, cim_core::version::ExpectedVersion::Any, vec![event])
    };
    store.append(append(1)).await.expect("committed");
    assert_eq!(run().await.expect("caught up").events, 1);
    store.append(append(2)).await.expect("committed");
    let again = SqliteStore::open(&place.store).expect("still a store");
    again.append(append(3)).await.expect("committed");
    again.close().await.expect("closed");
    assert_eq!(run().await.expect("caught up").events, 2);
    assert_eq!(Histories::read(&place.store).await.len(), 3003);
    let found = documents(&read_model).expect("there");
    assert_eq!(counts(&found), [3003; 2]);
    let sql = "SELECT sum(document ->> 'count') FROM counting__types";
    assert_eq!(cim_tests::program::sqlite3(&place.store, sql), "3003");
}

/// A program that held the read model for longer than a sign of life waits ended the projector.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_follows_outlives_a_long_lock_on_its_read_model() {
    let place = Place::with_store(100).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until = Until::Stopped(Box::pin(async {
        let _ = stopped.await;
    }));
    let projector = place.projector(Counting::default(), ProjectorOptions::default());
    let running = tokio::spawn(projector.run(until));
    while place
        .try_status()
        .is_none_or(|status| status.state != State::Live)
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let other = rusqlite::Connection::open(place.path("read.db")).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let before = place.status().updated_at;
    // Until a sign of life is due, and then for longer than a commit waits.
    tokio::time::sleep(HEARTBEAT + Duration::from_secs(11)).await;
    assert_eq!(place.status().updated_at, before, "it is locked");
    other.execute_batch("COMMIT").expect("it was held");
    let deadline = Instant::now() + HEARTBEAT;
    while place.status().updated_at == before {
        assert!(Instant::now() < deadline, "no sign of life");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(()).expect("it runs");
    let ended = running.await.expect("no panic").expect("stopped");
    assert_eq!((ended.events, ended.state), (100, State::Live));
}

/// A handler that takes long for each batch gave no sign of life until the first commit: its
/// projector was shown as killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_search_for_a_poison_event_gives_signs_of_life() {
    let place = Place::with_store(512).await;
    let first = |event: &ReadEvent| event.position.get() == 1;
    let read_model = place.path("read.db");
    let last_sign = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&last_sign);
    let handler = Counting::default()
        .with_poison(first)
        .with_before(move |_| {
            // The batch, again, and its halves: twelve calls, all before the first commit.
            std::thread::sleep(HEARTBEAT / 8);
            let status = status(&read_model).expect("there is a projection");
            if status.position.is_none() {
                let after = status.updated_at.micros() - status.started_at.micros();
                seen.store(after, Ordering::Relaxed);
            }
        });
    let ended = place.run(handler).await.expect("caught up");
    assert_eq!(ended.parked_aggregates, 1);
    let last_sign = Duration::from_micros(last_sign.load(Ordering::Relaxed));
    assert!(
        last_sign >= HEARTBEAT,
        "the last sign was after {last_sign:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_ahead_waits_for_a_slow_handler() {
    let place = Place::with_store(20_000).await;
    let delivered = Arc::new(AtomicU64::new(0));
    let store = Counted {
        store: SqliteStore::open(&place.store).expect("a store"),
        delivered: Arc::clone(&delivered),
    };
    let most = Arc::new(AtomicU64::new(0));
    let ahead = Arc::clone(&most);
    let mut handled = 0;
    let handler = Counting::default().with_before(move |events| {
        // Whoever reads ahead has the time to go much too far.
        let until = Instant::now() + Duration::from_millis(10);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        let now = delivered.load(Ordering::Relaxed);
        ahead.fetch_max(now - handled, Ordering::Relaxed);
        handled += events.len() as u64;
    });
    let options = ProjectorOptions {
        machine: Options {
            batch_events: 100,
            ..Options::default()
        },
        ..ProjectorOptions::default()
    };
    let handler = Box::new(handler);
    let projector = Projector::new(Arc::new(store), handler, place.read_model(), options);
    let ended = projector.run(Until::CaughtUp).await.expect("caught up");
    assert_eq!(ended.events, 20_000);
    let most = most.load(Ordering::Relaxed);
    println!("at most {most} events were read ahead");
    assert!((500..4000).contains(&most), "{most} events were read ahead");
}

/// What was stored said that reading failed, not why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_projection_failed_is_stored_with_its_causes() {
    let place = Place::with_store(10).await;
    let handler = Vandal(Counting::default(), place.path("read.db"));
    let store = Arc::new(SqliteStore::open(&place.store).expect("a store"));
    let options = ProjectorOptions::default();
    let projector = Projector::new(store, Box::new(handler), place.read_model(), options);
    let error = projector.run(Until::CaughtUp).await.expect_err("no table");
    assert_eq!(
        error.to_string(),
        "the read model failed while reading documents"
    );
    let (code, message) = place.status().error.expect("an error");
    assert_eq!(code, "read-model-io");
    let start = format!("{error}: no such table: counting__types");
    assert!(message.starts_with(&start), "{message}");
}

/// Takes a table away before it is read.
#[derive(Debug)]
struct Vandal(Counting, PathBuf);

impl Handler for Vandal {
    fn descriptor(&self) -> &Descriptor {
        self.0.descriptor()
    }

    fn identity(&self) -> &str {
        self.0.identity()
    }

    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        cim_tests::program::sqlite3(&self.1, "DROP TABLE counting__types");
        self.0.keys(events)
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        self.0.apply(events, documents)
    }
}

/// A folder with a store, and a place for a read model beside it.
struct Place {
    folder: TempDir,
    store: PathBuf,
}

impl Place {
    async fn with_store(events: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("cim.db");
        fill(&store, events, 50).await;
        Self { folder, store }
    }

    /// A copy of the large store, and what a run without faults makes of it. Tests that run at
    /// the same time share the making.
    async fn with_large_store() -> (Self, Arc<Large>) {
        static LARGE: tokio::sync::Mutex<Weak<Large>> = tokio::sync::Mutex::const_new(Weak::new());
        let mut made = LARGE.lock().await;
        let large = match made.upgrade() {
            Some(large) => large,
            None => Arc::new(Large::make().await),
        };
        *made = Arc::downgrade(&large);
        drop(made);
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("cim.db");
        std::fs::copy(&large.place.store, &store).expect("a copy");
        (Self { folder, store }, large)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn read_model(&self) -> ReadModel {
        ReadModel::open_or_create(&self.path("read.db")).expect("a read model")
    }

    fn projector(&self, handler: Counting, options: ProjectorOptions) -> Projector {
        let store = SqliteStore::open(&self.store).expect("a store");
        Projector::new(
            Arc::new(store),
            Box::new(handler),
            self.read_model(),
            options,
        )
    }

    async fn run(&self, handler: Counting) -> Result<Progress, ProjectorError> {
        let projector = self.projector(handler, ProjectorOptions::default());
        projector.run(Until::CaughtUp).await
    }

    fn documents(&self) -> Documents {
        counting::documents(&self.read_model()).expect("there are some")
    }

    fn status(&self) -> ProjectionStatus {
        self.try_status().expect("there is a projection")
    }

    fn try_status(&self) -> Option<ProjectionStatus> {
        status(&self.path("read.db"))
    }
}

/// A store of [`EVENTS`], and the documents that a run without faults makes of it.
struct Large {
    place: Place,
    documents: Documents,
}

impl Large {
    async fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("cim.db");
        fill(&store, EVENTS, AGGREGATES).await;
        let place = Place { folder, store };
        let ended = place.run(Counting::default()).await.expect("caught up");
        assert_eq!((ended.events, ended.state), (EVENTS, State::Live));
        let documents = place.documents();
        assert_eq!(counts(&documents), [EVENTS; 2]);
        Self { place, documents }
    }
}

fn status(read_model: &Path) -> Option<ProjectionStatus> {
    let read_model = ReadModel::open(read_model).ok()?;
    read_model.projection(&name("counting")).ok()
}

/// Lets one side wait for the other: a point that is reached, and a gate that opens.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<tokio::sync::Notify>,
    is_open: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    fn reach(&self) {
        self.reached.notify_one();
    }

    async fn reached(&self) {
        self.reached.notified().await;
    }

    fn open(&self) {
        *self.is_open.0.lock().expect("no panic") = true;
        self.is_open.1.notify_all();
    }

    fn pass(&self) {
        let is_open = self.is_open.0.lock().expect("no panic");
        let waited = self.is_open.1.wait_while(is_open, |is_open| !*is_open);
        drop(waited.expect("no panic"));
    }
}

/// A store that counts what it delivers.
#[derive(Debug)]
struct Counted {
    store: SqliteStore,
    delivered: Arc<AtomicU64>,
}

impl EventStore for Counted {
    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        let delivered = Arc::clone(&self.delivered);
        let count = move |_: &Result<Delivery, StoreError>| {
            delivered.fetch_add(1, Ordering::Relaxed);
        };
        self.store.subscribe(after, filter).inspect(count).boxed()
    }

    fn info(&self) -> &StoreInfo {
        self.store.info()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        self.store.append_many(appends)
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        self.store.head(aggregate)
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        self.store.last_position()
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        self.store.read(query)
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        self.store.aggregates(select)
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        self.store.stats()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.close()
    }
}
