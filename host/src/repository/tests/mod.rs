//! What a repository promises, on a store in memory.

mod faults;
mod faulty;
mod rival;
mod snapshots;
mod streams;

use std::collections::BTreeMap;
use std::time::Duration;

use cim_core::chain::ChainError;
use cim_core::command::Command;
use cim_core::event::NewEvent;
use cim_core::id::EventId;
use cim_core::policy::{Backoff, Retry};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::upcast::Payload;
use cim_core::version::{ExpectedVersion, Position, SchemaVersion, Version};
use serde::{Deserialize, Serialize};

use self::rival::Rival;
use super::*;
use crate::clock;
use crate::memory::MemoryStore;

/// A tally of words. Words of the first schema had no weight.
#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "tally")]
enum TallyEvent {
    #[event(version = 2)]
    TallyCounted {
        word: String,
        weight: u64,
    },
    TallyClosed {},
}

#[derive(Clone)]
enum Ask {
    /// Each word with a weight of 1.
    Count(Vec<&'static str>),
    Close,
}

#[derive(Debug, PartialEq)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tally is closed")
    }
}

impl std::error::Error for Closed {}

struct Tally;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct TallyState {
    words: BTreeMap<String, u64>,
    is_closed: bool,
}

impl Aggregate for Tally {
    type State = TallyState;
    type Event = TallyEvent;
    type Command = Ask;
    type Error = Closed;

    fn initial_state() -> TallyState {
        TallyState::default()
    }

    fn evolve(mut state: TallyState, event: &TallyEvent) -> TallyState {
        match event {
            TallyEvent::TallyCounted { word, weight } => {
                *state.words.entry(word.clone()).or_default() += weight;
            }
            TallyEvent::TallyClosed {} => state.is_closed = true,
        }
        state
    }

    fn decide(state: &TallyState, ask: Ask) -> Result<Vec<TallyEvent>, Closed> {
        match ask {
            Ask::Close if state.is_closed => Ok(Vec::new()),
            Ask::Close => Ok(vec![TallyEvent::TallyClosed {}]),
            Ask::Count(_) if state.is_closed => Err(Closed),
            Ask::Count(words) => Ok(words
                .into_iter()
                .map(|word| TallyEvent::TallyCounted {
                    word: word.to_owned(),
                    weight: 1,
                })
                .collect()),
        }
    }

    fn upcasters() -> Upcasters {
        Upcasters::default()
            .with("TallyCounted", 1, |old| {
                let mut body: serde_json::Value = serde_json::from_slice(&old.body)?;
                body["weight"] = 1.into();
                let body = body.to_string().into();
                Ok(vec![Payload { body, ..old }])
            })
            // Nobody wants to know any more who looked at a tally.
            .with("TallySeen", 1, |_| Ok(Vec::new()))
    }
}

fn tallies() -> (Arc<MemoryStore>, Repository<Tally>) {
    let store = Arc::new(MemoryStore::new(Default::default()));
    let tallies = Repository::new(store.clone(), Namespace::default());
    (store, tallies)
}

/// Another program with the same store.
fn other(tallies: &Repository<Tally>) -> Repository<Tally> {
    Repository::new(Arc::clone(tallies.store()), Namespace::default())
}

fn id(text: &str) -> AggregateId {
    AggregateId::new(text).expect("a token")
}

fn version(number: u64) -> Version {
    Version::new(number).expect("a version")
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).expect("in range")
}

fn command(number: u8, ask: Ask) -> Command<Ask> {
    let source = Text::new("test").expect("a text");
    Command::new(ask, EventId::from_parts(at(9), [number; 10]), at(9), source)
}

fn count(tallied: &TallyState, word: &str) -> u64 {
    tallied.words.get(word).copied().unwrap_or(0)
}

/// An event that no decision has made.
fn event(event_type: &str, schema: u64, second: u64, body: &str) -> NewEvent {
    let event_type = event_type.parse().expect("a type");
    let source = Text::new("test").expect("a text");
    let entity = payload::entity::<TallyEvent>();
    let body = body.to_owned();
    let id = EventId::from_parts(at(second), clock::entropy());
    let event = NewEvent::json(id, &entity, event_type, at(second), source, body);
    NewEvent {
        schema_version: SchemaVersion::new(schema).expect("a version"),
        ..event.expect("a short operation")
    }
}

#[tokio::test]
async fn what_was_decided_is_stored_and_loaded() {
    let (store, tallies) = tallies();
    let executed = tallies
        .execute(&id("t"), Ask::Count(vec!["a", "b", "a"]))
        .await
        .expect("counted");
    assert_eq!(executed.outcome, Outcome::Stored);
    assert_eq!(executed.events.len(), 3);
    assert_eq!(count(&executed.state, "a"), 2);
    assert_eq!(executed.position, Position::new(3).ok());
    let key = tallies.key(&id("t"));
    assert_eq!(executed.head, store.head(&key).await.expect("a head"));
    assert_eq!(
        executed.events[0].event.causation,
        executed.events[2].event.causation
    );

    let loaded = other(&tallies).load(&id("t")).await.expect("loaded");
    assert_eq!(loaded.state, executed.state);
    assert_eq!(loaded.head, executed.head);
    assert_eq!(
        (loaded.from, loaded.events_folded),
        (LoadedFrom::Genesis, 3)
    );

    let absent = tallies.load(&id("u")).await.expect("loaded");
    assert_eq!(
        (&*absent.state, absent.head),
        (&TallyState::default(), None)
    );
}

#[tokio::test]
async fn a_refused_command_and_one_without_effect_store_nothing() {
    let (store, tallies) = tallies();
    tallies.execute(&id("t"), Ask::Close).await.expect("closed");
    let again = tallies.execute(&id("t"), Ask::Close).await.expect("closed");
    assert_eq!((again.outcome, again.events.len()), (Outcome::Nothing, 0));
    let refused = tallies.execute(&id("t"), Ask::Count(vec!["a"])).await;
    let error = refused.expect_err("it is closed");
    assert_eq!(error.code(), "command-refused");
    assert_eq!(error.to_string(), "the tally is closed");
    assert!(matches!(error, ExecuteError::Refused(Closed)));
    assert_eq!(
        store.last_position().await.expect("a position"),
        Position::new(1).ok()
    );
    assert_eq!((tallies.stats().executed, tallies.stats().refused), (1, 1));
}

#[tokio::test]
async fn a_state_that_is_kept_costs_a_head_and_then_only_what_came_since() {
    let (_, tallies) = tallies();
    let other = other(&tallies);
    for _ in 0..5 {
        tallies
            .execute(&id("t"), Ask::Count(vec!["a"]))
            .await
            .expect("counted");
    }
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!(
        (loaded.from, loaded.events_folded),
        (LoadedFrom::Cache(version(5)), 0)
    );
    for _ in 0..2 {
        other
            .execute(&id("t"), Ask::Count(vec!["b"]))
            .await
            .expect("counted");
    }
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!(
        (loaded.from, loaded.events_folded),
        (LoadedFrom::Cache(version(5)), 2)
    );
    assert_eq!(
        (count(&loaded.state, "a"), count(&loaded.state, "b")),
        (5, 2)
    );
    let stats = tallies.stats();
    assert_eq!(
        (stats.loads, stats.cache_hits, stats.events_folded),
        (7, 6, 2)
    );
}

#[tokio::test]
async fn what_is_kept_is_not_used_when_the_history_is_another_one() {
    let (one, tallies) = tallies();
    tallies
        .execute(&id("t"), Ask::Count(vec!["a"]))
        .await
        .expect("counted");
    // The same repository with the store of a backup that has another history.
    for events in [1, 3] {
        let copy = Arc::new(MemoryStore::new(Default::default()));
        let written = Repository::<Tally>::new(copy.clone(), Namespace::default());
        for _ in 0..events {
            written
                .execute(&id("t"), Ask::Count(vec!["b"]))
                .await
                .expect("counted");
        }
        let moved = Repository {
            store: copy,
            ..tallies.clone()
        };
        // As it was before.
        Repository {
            store: one.clone(),
            ..tallies.clone()
        }
        .load(&id("t"))
        .await
        .expect("loaded");
        let loaded = moved.load(&id("t")).await.expect("loaded");
        assert_eq!(loaded.from, LoadedFrom::Genesis);
        assert_eq!(
            (count(&loaded.state, "a"), count(&loaded.state, "b")),
            (0, events)
        );
    }
}

#[tokio::test]
async fn an_altered_history_is_not_folded() {
    let (store, tallies) = tallies();
    tallies
        .execute(&id("t"), Ask::Count(vec!["a", "b", "c"]))
        .await
        .expect("counted");
    store.tamper(Position::new(2).expect("a position"), |event| {
        event.event.body = r#"{"word":"x","weight":9}"#.into();
    });
    let error = other(&tallies).load(&id("t")).await.expect_err("altered");
    assert_eq!(error.code(), "wrong-cid");
    let RepositoryError::Broken {
        position, source, ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(position.get(), 2);
    let source = source.downcast::<ChainError>().expect("of the chain");
    assert!(matches!(*source, ChainError::WrongCid { .. }));
}

#[tokio::test]
async fn a_state_of_the_past_is_that_of_a_beginning_of_the_history() {
    let (_, tallies) = tallies();
    // The clock went back after the second event, and forward again.
    let seconds = [10, 30, 20, 40];
    let events = seconds.map(|second| {
        event(
            "TallyCounted",
            2,
            second,
            &format!(r#"{{"word":"s{second}","weight":1}}"#),
        )
    });
    tallies
        .save(&id("t"), ExpectedVersion::NoStream, events.to_vec())
        .await
        .expect("saved");
    for warm in [false, true] {
        for (second, expect) in [
            (9, 0),
            (10, 1),
            (20, 1),
            (29, 1),
            (30, 3),
            (39, 3),
            (40, 4),
            (50, 4),
        ] {
            let loaded = tallies
                .load_at(&id("t"), At::Time(at(second)))
                .await
                .expect("loaded");
            assert_eq!(loaded.state.words.len(), expect, "{second}");
            assert_eq!(loaded.version().map_or(0, Version::get), expect as u64);
        }
        for number in 1..=4 {
            let at = At::Version(version(number));
            let loaded = tallies.load_at(&id("t"), at).await.expect("loaded");
            assert_eq!(loaded.state.words.len() as u64, number);
            let from = match number {
                4 if warm => LoadedFrom::Cache(version(4)),
                _ => LoadedFrom::Genesis,
            };
            assert_eq!(loaded.from, from);
        }
        tallies.load(&id("t")).await.expect("now it is kept");
    }
    for (name, found) in [("t", "the last is 4"), ("u", "it has no events")] {
        let error = tallies.load_at(&id(name), At::Version(version(5))).await;
        let error = error.expect_err("no such version");
        assert_eq!(error.code(), "version-not-found");
        assert!(error.to_string().ends_with(found), "{error}");
    }
}

#[tokio::test]
async fn old_events_are_upcast_and_newer_ones_are_an_error() {
    let (_, tallies) = tallies();
    let old = [
        event("TallyCounted", 1, 1, r#"{"word":"a"}"#),
        event("TallySeen", 1, 2, "{}"),
        event("TallyCounted", 2, 3, r#"{"word":"a","weight":4}"#),
    ];
    tallies
        .save(&id("t"), ExpectedVersion::NoStream, old.to_vec())
        .await
        .expect("saved");
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!((count(&loaded.state, "a"), loaded.events_folded), (5, 3));

    // What a later program has written.
    let newer = event(
        "TallyCounted",
        3,
        4,
        r#"{"word":"a","weight":4,"unit":"g"}"#,
    );
    let append = cim_core::append::Append::new(
        tallies.key(&id("t")),
        ExpectedVersion::Any,
        vec![newer.clone()],
    );
    tallies.store().append(append).await.expect("stored");
    for repository in [&tallies, &other(&tallies)] {
        let error = repository.load(&id("t")).await.expect_err("too new");
        assert_eq!(error.code(), "schema-newer");
        let RepositoryError::Unreadable {
            event,
            version,
            source,
            ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((event, version.map(Version::get)), (newer.id, Some(4)));
        let source = source.to_string();
        assert!(
            source.contains("`TallyCounted`") && source.contains("at most version 2, found 3"),
            "{source}"
        );
    }
    let executed = tallies
        .execute(&id("t"), Ask::Close)
        .await
        .expect_err("unreadable");
    assert_eq!(executed.code(), "schema-newer");
}

#[tokio::test]
async fn what_cannot_be_read_again_is_not_saved() {
    let (store, tallies) = tallies();
    let good = event("TallyClosed", 1, 1, "{}");
    let wrong = NewEvent {
        operation: "opened".parse().expect("a token"),
        ..good.clone()
    };
    for (bad, code) in [
        (event("TallyOpened", 1, 1, "{}"), "event-type-unknown"),
        (event("TallyClosed", 2, 1, "{}"), "schema-newer"),
        (event("TallyCounted", 2, 1, "{}"), "payload-invalid"),
        (event("TallyCounted", 1, 1, "no JSON"), "upcast-failed"),
        (wrong, "operation-mismatch"),
    ] {
        let events = vec![good.clone(), bad];
        let error = tallies.save(&id("t"), ExpectedVersion::Any, events).await;
        assert_eq!(error.expect_err(code).code(), code);
    }
    assert_eq!(store.last_position().await.expect("a position"), None);
    let saved = tallies
        .save(&id("t"), ExpectedVersion::NoStream, vec![good])
        .await;
    assert_eq!(saved.expect("saved").version, version(1));
    let late = vec![event("TallyClosed", 1, 2, "{}")];
    let error = tallies
        .save(&id("t"), ExpectedVersion::NoStream, late)
        .await;
    assert_eq!(error.expect_err("late").code(), "version-conflict");
}

#[tokio::test]
async fn a_repeated_command_is_answered_as_it_was_the_first_time() {
    let (store, tallies) = tallies();
    let words = command(1, Ask::Count(vec!["a", "b"]));
    let first = tallies
        .execute_command(&id("t"), words.clone())
        .await
        .expect("counted");
    assert_eq!(first.outcome, Outcome::Stored);
    let closing = command(2, Ask::Close);
    let closed = tallies
        .execute_command(&id("t"), closing.clone())
        .await
        .expect("closed");
    // It would be refused by now, and there would be nothing to do.
    for repository in [&tallies, &other(&tallies)] {
        for (command, before) in [(&words, &first), (&closing, &closed)] {
            let again = repository.execute_command(&id("t"), command.clone()).await;
            let again = again.expect("repeated");
            assert_eq!(again.outcome, Outcome::Repeated);
            assert_eq!(
                (&again.events, again.position),
                (&before.events, before.position)
            );
            assert_eq!((again.head, &again.state), (closed.head, &closed.state));
        }
        assert_eq!(repository.stats().repeated, 2);
    }
    assert_eq!(
        store.last_position().await.expect("a position"),
        Position::new(3).ok()
    );

    // One that is new is refused.
    let new = tallies
        .execute_command(&id("t"), command(3, Ask::Count(vec!["a"])))
        .await;
    assert!(matches!(new, Err(ExecuteError::Refused(Closed))));
}

#[tokio::test]
async fn a_repeated_command_that_would_do_something_again_does_nothing() {
    let (store, tallies) = tallies();
    let words = command(1, Ask::Count(vec!["a"]));
    let first = tallies
        .execute_command(&id("t"), words.clone())
        .await
        .expect("counted");
    tallies
        .execute(&id("t"), Ask::Count(vec!["b"]))
        .await
        .expect("counted");
    let again = tallies
        .execute_command(&id("t"), words.clone())
        .await
        .expect("repeated");
    assert_eq!(
        (again.outcome, &again.events),
        (Outcome::Repeated, &first.events)
    );
    assert_eq!((count(&again.state, "a"), count(&again.state, "b")), (1, 1));
    assert_eq!(
        store.last_position().await.expect("a position"),
        Position::new(2).ok()
    );

    // The same id for another aggregate is no repetition.
    let elsewhere = tallies.execute_command(&id("u"), words).await;
    assert_eq!(elsewhere.expect_err("used").code(), "event-id-reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_of_many_writers_are_all_executed() {
    let (_, tallies) = tallies();
    let writers: Vec<_> = (0..4).map(|_| other(&tallies)).collect();
    let tasks = (0..400).map(|number| {
        let writer = writers[number % writers.len()].clone();
        let id = id(&format!("t{}", number % 5));
        tokio::spawn(async move { writer.execute(&id, Ask::Count(vec!["a"])).await })
    });
    let mut retries = 0;
    for task in tasks.collect::<Vec<_>>() {
        let executed = task.await.expect("no panic").expect("executed");
        assert_eq!(executed.outcome, Outcome::Stored);
        retries += u64::from(executed.retries);
    }
    for number in 0..5 {
        let loaded = tallies
            .load(&id(&format!("t{number}")))
            .await
            .expect("loaded");
        assert_eq!(count(&loaded.state, "a"), 80);
    }
    let counted: u64 = writers.iter().map(|writer| writer.stats().retries).sum();
    assert_eq!(counted, retries);
}

#[tokio::test]
async fn one_repository_does_not_conflict_with_itself() {
    let (_, tallies) = tallies();
    let tasks = (0..100).map(|_| {
        let tallies = tallies.clone();
        tokio::spawn(async move { tallies.execute(&id("t"), Ask::Count(vec!["a"])).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic").expect("executed");
    }
    let stats = tallies.stats();
    assert_eq!(
        (stats.executed, stats.conflicts, stats.events_folded),
        (100, 0, 0)
    );
}

#[tokio::test]
async fn a_command_is_given_up_after_as_many_conflicts_as_the_options_say() {
    let (_, tallies) = tallies();
    let hurried = other(&tallies).with_options(RepositoryOptions {
        retry: Retry {
            attempts_max: 3,
            backoff: Backoff {
                base: Duration::from_millis(1),
                cap: Duration::from_millis(1),
            },
        },
        ..RepositoryOptions::default()
    });
    let always_late = Repository {
        store: Arc::new(Rival(tallies.clone())),
        ..hurried
    };
    let error = always_late.execute(&id("t"), Ask::Count(vec!["a"])).await;
    let error = error.expect_err("always late");
    assert_eq!(error.code(), "version-conflict");
    assert!(matches!(error, ExecuteError::Contended { attempts: 3, .. }));
    let stats = always_late.stats();
    assert_eq!((stats.conflicts, stats.retries, stats.contended), (3, 2, 1));
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!(
        (count(&loaded.state, "a"), count(&loaded.state, "rival")),
        (0, 3)
    );
}
