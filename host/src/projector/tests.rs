//! The engine on a store in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::{AggregateKey, EventType};
use cim_core::projection::machine::{Options, RetryPolicy, State};
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault, Limits, Name};
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::version::{ExpectedVersion, Position};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::clock;
use crate::memory::MemoryStore;
use crate::sqlite::ReadModel;
use crate::store::{EventStore as _, ReadEvent};

#[tokio::test]
async fn events_are_counted_once_over_several_runs() {
    let place = Place::new();
    place.append(1, "A", 700).await;
    let ended = place.run(Types::default()).await.expect("caught up");
    assert_eq!((ended.events, ended.state), (700, State::Live));
    assert_eq!((ended.position, ended.lag()), (Position::new(700).ok(), 0));
    place.append(2, "B", 30).await;
    place.append(1, "A", 1).await;
    let ended = place.run(Types::default()).await.expect("caught up");
    assert_eq!(ended.events, 31);
    assert_eq!(
        place.counts(),
        [("A".to_owned(), 701), ("B".to_owned(), 30)]
    );
    let status = place.status();
    assert_eq!(status.events, 731);
    assert_eq!(status.store_id, place.store.info().store_id);
    assert!(matches!(
        status.activity(clock::now()),
        Activity::Stopped(_)
    ));
    assert!(status.caught_up_at.is_some());
}

#[tokio::test]
async fn a_projector_that_follows_handles_what_is_appended_until_it_is_stopped() {
    let place = Place::new();
    place.append(1, "A", 3).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, mut progress) = mpsc::unbounded_channel();
    let projector = place.projector(Types::default());
    let projector = projector.with_progress(move |progress| {
        told.send(progress.clone()).expect("the test listens");
    });
    let until = Until::Stopped(Box::pin(async {
        let _ = stopped.await;
    }));
    let running = tokio::spawn(projector.run(until));
    let mut reached = async |events: u64| loop {
        let progress: Progress = progress.recv().await.expect("it runs");
        if progress.events >= events && progress.state == State::Live {
            return progress;
        }
    };
    assert_eq!(reached(3).await.events, 3);
    place.append(1, "A", 2).await;
    assert_eq!(reached(5).await.position, Position::new(5).ok());
    let status = place.status();
    assert_eq!(status.activity(clock::now()), Activity::Running);
    assert_eq!(status.state, State::Live);
    stop.send(()).expect("it runs");
    let ended = running.await.expect("no panic").expect("stopped");
    assert_eq!(ended.events, 5);
    assert!(place.status().stopped_at.is_some());
}

#[tokio::test]
async fn progress_tells_each_aggregate_once_when_it_is_parked() {
    let place = Place::new();
    place.append(1, "A", 1).await;
    place.append(2, "Poison", 2).await;
    place.append(1, "Poison", 1).await;
    place.append(1, "A", 1).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let projector = place
        .projector(Types::default())
        .with_progress(move |progress| {
            let parked = progress.newly_parked.iter();
            let mut told = listener.lock().expect("no panic");
            told.extend(parked.map(|event| event.position.get()));
        });
    let ended = projector.run(Until::CaughtUp).await.expect("caught up");
    assert_eq!((ended.parked_aggregates, ended.newly_parked), (2, vec![]));
    assert_eq!(*told.lock().expect("no panic"), [2, 4]);
}

#[tokio::test]
async fn an_empty_store_is_caught_up_at_once() {
    let place = Place::new();
    let ended = place.run(Types::default()).await.expect("caught up");
    assert_eq!((ended.state, ended.position), (State::Live, None));
    assert_eq!(place.status().state, State::Live);
}

#[tokio::test]
async fn an_altered_event_parks_its_aggregate_and_the_others_go_on() {
    let place = Place::new();
    place.append(1, "A", 2).await;
    place.append(2, "A", 2).await;
    place.append(1, "A", 1).await;
    let second = Position::new(2).expect("a position");
    place
        .store
        .tamper(second, |event| event.event.body = Bytes::from("{}"));
    let ended = place.run(Types::default()).await.expect("caught up");
    assert_eq!((ended.state, ended.parked_aggregates), (State::Parked, 1));
    assert_eq!(place.counts(), [("A".to_owned(), 3)]);
    let read_model = place.read_model();
    let parked = read_model.parked(&name("types")).expect("there");
    let parked: Vec<_> = parked
        .map(|row| row.expect("a sound row").event)
        .map(|event| {
            (
                event.position.get(),
                event.reason.cause().map(|(code, _)| code.to_owned()),
            )
        })
        .collect();
    assert_eq!(parked, [(2, Some("wrong-cid".to_owned())), (5, None)]);
}

/// The machine's time is another one, which begins with the projector.
#[tokio::test]
async fn what_is_stored_has_the_time_of_the_system() {
    let place = Place::new();
    place.append(1, "A", 3).await;
    place.append(2, "Poison", 1).await;
    let before = clock::now();
    place.run(Types::default()).await.expect("caught up");
    let status = place.status();
    let read_model = place.read_model();
    let mut parked = read_model.parked(&name("types")).expect("there");
    let parked = parked.next().expect("one").expect("a sound row");
    let times = [
        status.started_at,
        parked.parked_at,
        status.caught_up_at.expect("it caught up"),
        status.updated_at,
        status.stopped_at.expect("it stopped"),
    ];
    assert!(before <= times[0], "{before} {times:?}");
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[4] <= clock::now(), "{times:?}");
}

#[tokio::test]
async fn types_that_the_handler_does_not_take_are_passed_over() {
    let place = Place::new();
    place.append(1, "A", 5).await;
    place.append(1, "B", 5).await;
    let handler = Types::taking("A");
    let ended = place.run(handler).await.expect("caught up");
    assert_eq!((ended.events, ended.position), (5, Position::new(10).ok()));
    assert_eq!(place.counts(), [("A".to_owned(), 5)]);
}

#[tokio::test]
async fn a_change_that_breaks_a_limit_is_a_fault_of_its_event() {
    let place = Place::new();
    place.append(1, "A", 3).await;
    place.append(2, "TooLong", 1).await;
    place.append(1, "A", 1).await;
    let ended = place.run(Types::default()).await.expect("caught up");
    assert_eq!((ended.events, ended.parked_aggregates), (4, 1));
    let read_model = place.read_model();
    let mut parked = read_model.parked(&name("types")).expect("there");
    let row = parked.next().expect("one").expect("a sound row");
    let (code, message) = row.event.reason.cause().expect("a cause");
    assert_eq!(code, "key-invalid");
    assert_eq!(message, "a key has 2000 bytes: expected 1 to 1024");
}

#[tokio::test]
async fn a_batch_that_reads_too_much_is_halved_and_an_event_that_does_so_alone_is_parked() {
    let place = Place::new();
    let run = async |types: &[&str], read_bytes: usize| {
        for (number, event_type) in (1..).zip(types) {
            place.append(number, event_type, 1).await;
        }
        let limits = Limits {
            read_bytes,
            ..Limits::default()
        };
        let projector = place.projector_within(limits, Types::default());
        projector.run(Until::CaughtUp).await.expect("caught up")
    };
    let types = ["A", "B", "C", "D"];
    // The first time there is nothing to read, then a byte for each type.
    for (round, read_bytes) in [(1, 0), (2, 4), (3, 2), (4, 1)] {
        let ended = run(&types, read_bytes).await;
        assert_eq!((ended.events, ended.parked_aggregates), (4, 0));
        assert_eq!(
            place.counts(),
            types.map(|event_type| (event_type.to_owned(), round))
        );
    }
    let ended = run(&["A"], 0).await;
    assert_eq!((ended.events, ended.parked_aggregates), (0, 1));
    let mut parked = place.read_model().parked(&name("types")).expect("there");
    let parked = parked.next().expect("one").expect("a sound row");
    let (code, _) = parked.event.reason.cause().expect("a cause");
    assert_eq!(code, "documents-too-large");
}

#[tokio::test]
async fn a_projection_that_cannot_go_on_says_so_and_why() {
    let place = Place::new();
    place.append(1, "A", 3).await;
    for aggregate in 2..=4 {
        place.append(aggregate, "Poison", 1).await;
    }
    let error = place.run(Types::default()).await.expect_err("too many");
    assert_eq!(error.code(), "too-many-parked");
    let status = place.status();
    assert_eq!(status.state, State::Failed);
    let (code, message) = status.error.expect("an error");
    assert_eq!(code, "too-many-parked");
    assert_eq!(
        message,
        "the projection `types` cannot go on: 2 aggregates are parked, and the event at position \
         6 faults: poison"
    );
    assert_eq!(
        (status.position, status.parked_events),
        (Position::new(5).ok(), 2)
    );
    assert_eq!(place.counts(), [("A".to_owned(), 3)]);
}

/// Counts events by type; faults at the type `Poison`, and gives `TooLong` too long a key.
struct Types(Descriptor);

impl Default for Types {
    fn default() -> Self {
        Self(Descriptor {
            name: name("types"),
            version: "1".to_owned(),
            event_types: Vec::new(),
            collections: vec![name("counts")],
        })
    }
}

impl Types {
    fn taking(event_type: &str) -> Self {
        let mut types = Self::default();
        types.0.event_types = vec![EventType::new(event_type).expect("a type")];
        types
    }

    fn key(event: &ReadEvent) -> DocumentKey {
        let event_type = event.event.event.event_type.as_str();
        let key = match event_type {
            "TooLong" => "x".repeat(2000),
            _ => event_type.to_owned(),
        };
        DocumentKey {
            collection: name("counts"),
            key: key.into(),
        }
    }
}

impl Handler for Types {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn identity(&self) -> &str {
        "types-1"
    }

    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        Ok(events.iter().map(Self::key).collect())
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        let mut counts = BTreeMap::new();
        for (event, document) in events.iter().zip(documents) {
            if event.event.event.event_type.as_str() == "Poison" {
                return Err(CallError::Fault(Fault {
                    code: "poison".to_owned(),
                    message: "poison".to_owned(),
                    index: None,
                    retryable: false,
                }));
            }
            let before = document.as_deref().map_or(0, number);
            *counts.entry(Self::key(event)).or_insert(before) += 1;
        }
        let put = |(key, count): (DocumentKey, u64)| Change::Put {
            key,
            document: count.to_string().into(),
        };
        Ok(counts.into_iter().map(put).collect())
    }
}

fn number(document: &[u8]) -> u64 {
    let text = std::str::from_utf8(document).expect("UTF-8");
    text.parse().expect("a number")
}

struct Place {
    store: MemoryStore,
    path: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            store: MemoryStore::new(StoreTemplate::default()),
            path: folder.path().join("read.db"),
            _folder: folder,
        }
    }

    /// Appends events of one type to the aggregate with a number.
    async fn append(&self, aggregate: u64, event_type: &str, count: usize) {
        let key: AggregateKey = format!("local.main.events.thing.{aggregate}")
            .parse()
            .expect("a key");
        let events: Vec<NewEvent> = (0..count)
            .map(|_| {
                NewEvent::json(
                    clock::event_id(),
                    &key.entity,
                    EventType::new(event_type).expect("a type"),
                    clock::now(),
                    Text::new("test").expect("a text"),
                    Bytes::from_static(b"[]"),
                )
                .expect("an operation")
            })
            .collect();
        let append = Append::new(key, ExpectedVersion::Any, events);
        self.store.append(append).await.expect("appended");
    }

    fn read_model(&self) -> ReadModel {
        ReadModel::open_or_create(&self.path).expect("a read model")
    }

    fn projector(&self, handler: Types) -> Projector {
        self.projector_within(Limits::default(), handler)
    }

    fn projector_within(&self, limits: Limits, handler: Types) -> Projector {
        let options = ProjectorOptions {
            machine: Options {
                parked_max: 2,
                retry: RetryPolicy {
                    first_wait_ms: 1,
                    ..RetryPolicy::default()
                },
                ..Options::default()
            },
            limits,
            ..ProjectorOptions::default()
        };
        let store = Arc::new(self.store.clone());
        Projector::new(store, Box::new(handler), self.read_model(), options)
    }

    async fn run(&self, handler: Types) -> Result<Progress, ProjectorError> {
        self.projector(handler).run(Until::CaughtUp).await
    }

    fn status(&self) -> ProjectionStatus {
        let status = self.read_model().projection(&name("types"));
        status.expect("there is one")
    }

    fn counts(&self) -> Vec<(String, u64)> {
        let documents = self
            .read_model()
            .documents(&name("types"), &name("counts"), Select::All)
            .expect("there are some");
        documents
            .map(|read| read.expect("a sound row"))
            .map(|found| (found.key, number(found.document.as_bytes())))
            .collect()
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}
