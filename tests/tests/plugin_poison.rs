//! A plugin that faults parks the event at fault; all other aggregates go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::{EventId, EventType};
use cim_core::projection::machine::State;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, Position};
use cim_host::plugin::{Plugin, PluginHandler, PluginLimits, PluginOptions};
use cim_host::projector::{Progress, Projector, ProjectorOptions, Select, Until};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_host::store::{EventStore as _, Query};
use cim_tests::counting::{fill, name};
use cim_tests::plugin;
use cim_tests::work::key;
use futures_util::TryStreamExt as _;
use tempfile::TempDir;

const EVENTS: u64 = 100_000;
const AGGREGATES: u64 = 500;

/// One event in so many is poison.
const POISON: u64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_000_events_those_that_trap_are_parked_with_what_follows_in_their_aggregates() {
    let place = Place::new();
    fill_with_poison(&place.store).await;
    let ended = place.run("trap-on-marker", PluginLimits::default()).await;
    let poisons = EVENTS / POISON;
    assert_eq!(
        (ended.state, ended.parked_aggregates as u64, ended.position),
        (State::Parked, poisons, Position::new(EVENTS).ok())
    );

    // What is expected, from the store itself: a queue for each aggregate that has a poison event.
    let store = SqliteStore::open(&place.store).expect("a store");
    let events = store.read(Query::default()).try_collect::<Vec<_>>().await;
    let (mut queue, mut counts) = (Vec::new(), BTreeMap::<String, u64>::new());
    let mut stuck = std::collections::HashSet::new();
    for read in events.expect("sound events") {
        let is_poison = read.event.event.body.windows(4).any(|four| four == b"TRAP");
        let aggregate = read.event.aggregate;
        let cause = is_poison && stuck.insert(aggregate.clone());
        if stuck.contains(&aggregate) {
            let cause = cause.then(|| "trapped".to_owned());
            queue.push((read.position, aggregate, cause));
        } else {
            *counts.entry(aggregate.id.as_str().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(stuck.len() as u64, poisons);
    assert!(
        queue.len() as u64 > 2 * poisons,
        "some events come after them"
    );
    assert_eq!(place.parked(), queue);
    assert_eq!(ended.events, EVENTS - queue.len() as u64);
    assert_eq!(place.counts(), counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_limit_a_plugin_breaks_its_events_are_parked_with_the_code() {
    // Loops are waited for again and again.
    let short = PluginLimits {
        time: Duration::from_millis(40),
        ..PluginLimits::default()
    };
    for (mode, code) in [
        ("loop", "out-of-time"),
        ("loop-in-keys", "out-of-time"),
        ("memory", "out-of-memory"),
        ("recursion", "out-of-stack"),
        ("panic", "trapped"),
        ("large-error", "answer-too-large"),
        ("many-changes", "too-many-changes"),
        ("long-key", "key-invalid"),
        ("large-document", "document-too-large"),
        ("not-json", "document-invalid"),
        ("undeclared", "collection-undeclared"),
        ("undeclared-in-keys", "collection-undeclared"),
        ("not-utf8", "answer-not-utf8"),
        ("ends-fall", "columns-invalid"),
        ("bad-failure", "plugin-failed"),
    ] {
        let place = Place::new();
        fill(&place.store, 4, 2).await;
        let limits = match code {
            "out-of-time" => short,
            _ => PluginLimits::default(),
        };
        let ended = place.run(mode, limits).await;
        assert_eq!(
            (ended.state, ended.events, ended.position),
            (State::Parked, 0, Position::new(4).ok()),
            "{mode}"
        );
        let codes: Vec<_> = place.parked().into_iter().map(|row| row.2).collect();
        let first_of_each = Some(code.to_owned());
        let expected = [first_of_each.clone(), None, first_of_each, None];
        let mut found = codes.clone();
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected, "{mode}: {codes:?}");
        assert_eq!(place.counts(), BTreeMap::new(), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_faults_at_everything_stops_the_projection() {
    let place = Place::new();
    fill(&place.store, 3000, 1500).await;
    let error = place
        .projector("panic", PluginLimits::default())
        .run(Until::CaughtUp)
        .await
        .expect_err("more than 1000 aggregates would be parked");
    let status = place.read_model().projection(&name("hostile"));
    let status = status.expect("there is a projection");
    assert_eq!(status.state, State::Failed);
    assert_eq!(status.parked_aggregates, 1000);
    let (code, message) = status.error.expect("it is told");
    assert_eq!((&*code, message), (error.code(), error.to_string()));
}

/// Eight handlers of one plugin leave no room for a ninth. One that had trapped and found its place
/// taken counted that as a fault of its events, and parked them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_not_parked_for_a_host_without_room() {
    let place = Place::new();
    fill(&place.store, 10, 2).await;
    let options = PluginOptions {
        cache: None,
        ..PluginOptions::default()
    };
    let hostile = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
    let handler = || hostile.handler("sound".into());
    let mut without_place = handler().expect("a handler");
    without_place.renew();
    let others: Vec<_> = std::iter::from_fn(|| handler().ok()).take(100).collect();
    assert_eq!(others.len(), 8);
    let refused = handler().expect_err("no room");
    assert_eq!(refused.code(), "plugin-no-instance");
    assert!(refused.help().is_some_and(|help| help.contains("drop")));

    let error = place
        .projector_of(without_place)
        .run(Until::CaughtUp)
        .await
        .expect_err("no room");
    assert_eq!(error.code(), "handler-not-called");
    assert_eq!(
        error.to_string(),
        "the projection `hostile` cannot go on: the handler cannot be called: the host cannot make \
         an instance of the plugin: maximum concurrent limit of 8 for component instances reached"
    );
    assert_eq!(place.parked(), []);

    drop(others);
    let handler = handler().expect("room again");
    let ended = place.projector_of(handler).run(Until::CaughtUp).await;
    let ended = ended.expect("caught up");
    assert_eq!((ended.events, ended.parked_aggregates), (10, 0));
}

/// Fills a store whose aggregates take turns; one event in [`POISON`] has the marker,
/// each of another aggregate.
async fn fill_with_poison(path: &Path) {
    let store = SqliteStore::create(path, StoreTemplate::default()).expect("a new store");
    for start in (0..EVENTS).step_by(1000) {
        let mut by_aggregate: BTreeMap<u64, Vec<NewEvent>> = BTreeMap::new();
        for number in start..start + 1000 {
            let of = by_aggregate.entry(number % AGGREGATES).or_default();
            // In the middle of a batch, at another place of it each time.
            let is_poison = number % POISON == 137 + 3 * (number / POISON);
            of.push(event(number, is_poison));
        }
        let append = |(number, events)| Append::new(key(number), ExpectedVersion::Any, events);
        let appends = by_aggregate.into_iter().map(append).collect();
        store.append_many(appends).await.expect("committed");
    }
    store.close().await.expect("closed");
}

fn event(number: u64, is_poison: bool) -> NewEvent {
    let time = Timestamp::from_micros(1_795_248_000_000_000 + number).expect("a time");
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    let marker = if is_poison { "TRAP" } else { "" };
    NewEvent::json(
        EventId::from_parts(time, entropy),
        &key(0).entity,
        EventType::new("OrderPlaced").expect("a type"),
        time,
        Text::new("fill").expect("a text"),
        format!(r#"{{"number":{number},"marker":"{marker}"}}"#),
    )
    .expect("an operation")
}

/// A folder with a store and a read model.
struct Place {
    folder: TempDir,
    store: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("cim.db");
        Self { folder, store }
    }

    fn read_model(&self) -> ReadModel {
        ReadModel::open_or_create(&self.folder.path().join("read.db")).expect("a read model")
    }

    fn projector(&self, mode: &str, limits: PluginLimits) -> Projector {
        let options = PluginOptions {
            limits,
            cache: None,
            ..PluginOptions::default()
        };
        let hostile = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
        let config = Bytes::copy_from_slice(mode.as_bytes());
        self.projector_of(hostile.handler(config).expect("a handler"))
    }

    fn projector_of(&self, handler: PluginHandler) -> Projector {
        let store = Arc::new(SqliteStore::open(&self.store).expect("a store"));
        let options = ProjectorOptions::default();
        Projector::new(store, Box::new(handler), self.read_model(), options)
    }

    async fn run(&self, mode: &str, limits: PluginLimits) -> Progress {
        let projector = self.projector(mode, limits);
        projector.run(Until::CaughtUp).await.expect("caught up")
    }

    /// The parked queues in store order: position, aggregate, code of the cause.
    fn parked(&self) -> Vec<(Position, cim_core::id::AggregateKey, Option<String>)> {
        let read_model = self.read_model();
        let rows = read_model.parked(&name("hostile")).expect("there");
        rows.map(|row| row.expect("a sound row").event)
            .map(|event| {
                let code = event.reason.cause().map(|(code, _)| code.to_owned());
                (event.position, event.aggregate, code)
            })
            .collect()
    }

    /// How many events of each aggregate the documents say took effect.
    fn counts(&self) -> BTreeMap<String, u64> {
        let read_model = self.read_model();
        let documents = read_model
            .documents(&name("hostile"), &name("counts"), Select::All)
            .expect("there");
        documents
            .map(|found| {
                let found = found.expect("a sound row");
                let value: serde_json::Value = serde_json::from_str(&found.document).expect("JSON");
                (found.key, value["events"].as_u64().expect("a count"))
            })
            .collect()
    }
}
