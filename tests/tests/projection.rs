//! Plugins from end to end: real events in, documents out, the same natively, in the sandbox and
//! however the events are cut into batches.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use cim_core::projection::{Change, DocumentKey};
use cim_host::plugin::{Plugin, PluginHandler, PluginOptions};
use cim_host::projector::Handler as _;
use cim_host::sqlite::SqliteStore;
use cim_host::store::{EventStore as _, Query, ReadEvent};
use cim_plugin::Projection;
use cim_plugin::test::Harness;
use cim_tests::program::{Ran, cim};
use cim_tests::random::Random;
use cim_tests::{cim_binary, plugin, receipt};
use futures_util::TryStreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

const ENTITY: &str = "local.main.events.permit";
const FIELDS: [&str; 3] = ["case:concept:name", "concept:name", "time:timestamp"];

/// A store with all events of the permit log; `None` where it is switched off.
fn store() -> Option<TempDir> {
    let log = receipt::path()?;
    let folder = tempfile::tempdir().expect("a folder");
    let [id, event_type, time] = FIELDS;
    let log = log.to_str().expect("a path in UTF-8");
    cim(
        folder.path(),
        &[
            "import",
            log,
            "--entity",
            "permit",
            "--id-field",
            id,
            "--type-field",
            event_type,
            "--time-field",
            time,
        ],
    )
    .exits(0);
    Some(folder)
}

fn run(folder: &Path, line: &str) -> Ran {
    cim(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// The documents of a collection as `cim projection query --json` prints them.
fn documents(folder: &Path, projection: &str, collection: &str) -> BTreeMap<String, Value> {
    let query = format!("projection query {projection} {collection} --json");
    let answer = run(folder, &query).exits(0).json();
    let listed = answer["documents"].as_array().expect("a list").iter();
    listed
        .map(|entry| {
            let key = entry["key"].as_str().expect("a text").to_owned();
            (key, entry["document"].clone())
        })
        .collect()
}

#[test]
fn activity_agrees_with_a_count_that_is_not_ours() {
    let Some(folder) = store() else { return };
    let folder = folder.path();
    let activity = plugin("activity");
    let ran = run(folder, &format!("projection run {}", activity.display())).exits(0);
    assert!(ran.stdout.contains("8577 events"), "{}", ran.stdout);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/activity.py");
    let mut python = Command::new("python3");
    python
        .arg(script)
        .arg(receipt::path().expect("the log"))
        .arg(ENTITY)
        .args(FIELDS);
    let counted = Ran::of(&mut python, "Python 3").exits(0).json();
    for (collection, least) in [("types", 27), ("pairs", 90)] {
        let mut found = documents(folder, "activity", collection);
        for document in found.values_mut() {
            // What `pairs` are made from.
            document.as_object_mut().expect("an object").remove("after");
        }
        let expected: BTreeMap<String, Value> =
            serde_json::from_value(counted[collection].clone()).expect("documents");
        assert!(expected.len() >= least, "{collection}: {}", expected.len());
        assert_eq!(found, expected, "{collection}");
    }
    // Again: nothing is left to do, and nothing changes.
    let before = documents(folder, "activity", "types");
    run(folder, &format!("projection run {}", activity.display())).exits(0);
    assert_eq!(documents(folder, "activity", "types"), before);
    run(folder, "verify").exits(0);
}

/// All events of the store.
fn events(folder: &Path) -> Vec<ReadEvent> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.join("cim.db")).expect("a store");
        let events = store.read(Query::default()).try_collect().await;
        events.expect("sound events")
    })
}

type Documents = BTreeMap<DocumentKey, Bytes>;

/// Applies a batch as a projector does, with a fresh instance for each call.
fn apply(handler: &mut PluginHandler, events: &[ReadEvent], documents: &mut Documents) {
    handler.renew();
    let keys = handler.keys(events).expect("keys");
    let read: Vec<_> = keys.iter().map(|key| documents.get(key).cloned()).collect();
    handler.renew();
    for change in handler.apply(events, &read).expect("changes") {
        match change {
            Change::Put { key, document } => documents.insert(key, document),
            Change::Delete { key } => documents.remove(&key),
        };
    }
}

fn same_everywhere<P: Projection>(name: &str, events: &[ReadEvent]) {
    let mut native = Harness::<P>::new(b"");
    let recorded: Vec<_> = events
        .iter()
        .map(|read| (read.position, read.event.clone()))
        .collect();
    for batch in recorded.chunks(512) {
        native.apply(batch).expect("documents");
    }
    let native = native.documents();
    assert!(native.len() > 100, "{name}: {}", native.len());

    let loaded = Plugin::load(&plugin(name), &PluginOptions::default()).expect("a plugin");
    let mut handler = loaded.handler(Bytes::new()).expect("a handler");
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let mut rest = events;
        let mut documents = Documents::new();
        while !rest.is_empty() {
            // The first time in full batches.
            let most = if seed == 0 {
                512
            } else {
                1 + random.below(600) as usize
            };
            let (batch, behind) = rest.split_at(most.min(rest.len()));
            apply(&mut handler, batch, &mut documents);
            rest = behind;
        }
        let sandboxed: BTreeMap<(String, String), Bytes> = documents
            .into_iter()
            .map(|(key, document)| ((key.collection.to_string(), key.key.to_string()), document))
            .collect();
        assert!(
            &sandboxed == native,
            "{name}: other documents with seed {seed}"
        );
    }
}

#[test]
fn documents_are_the_same_natively_and_in_the_sandbox_however_events_are_cut() {
    let Some(folder) = store() else { return };
    let events = events(folder.path());
    same_everywhere::<cim_activity::Activity>("activity", &events);
    same_everywhere::<cim_latest::Latest>("latest", &events);
}

/// The first aggregate that was parked was told, and none after it.
#[test]
fn one_that_follows_tells_each_aggregate_that_it_parks() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, "init").exits(0);
    run(folder, "append order order-1 OrderPlaced").exits(0);
    let mut running = Command::new(cim_binary())
        .current_dir(folder)
        .env_remove("CIM_STORE")
        .args(["projection", "run", "--follow"])
        .arg(plugin("guest-hostile"))
        .args(["--config", "\"trap-on-marker\""])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`cim` starts");
    let mut said = BufReader::new(running.stderr.take().expect("a pipe")).lines();
    let mut says = || said.next().expect("it runs").expect("UTF-8");
    assert_eq!(says(), "Caught up; new events follow.");
    for (position, id) in [(2, "order-2"), (3, "order-3")] {
        let append = format!("append order {id} OrderPlaced --data \"TRAP\"");
        run(folder, &append).exits(0);
        assert_eq!(
            says(),
            format!(
                "warning: `local.main.events.order.{id}` is parked, and its documents stand still: \
                 the event at position {position} faults: the plugin trapped: wasm `unreachable` \
                 instruction executed"
            )
        );
    }
    let pid = running.id().to_string();
    let mut stop = Command::new("kill");
    Ran::of(stop.args(["-INT", &pid]), "kill").exits(0);
    assert_eq!(
        says(),
        "warning: 2 aggregates are parked: their documents stand still; `cim projection parked \
         hostile` tells which events, and why"
    );
    assert!(running.wait().expect("it ends").success());
}

#[test]
fn fuel_stops_a_call_by_what_it_computes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, "init").exits(0);
    run(folder, "append order order-1 OrderPlaced").exits(0);
    let hostile = plugin("guest-hostile");
    let hostile = format!("projection run {} --config \"loop\"", hostile.display());
    run(folder, &format!("{hostile} --fuel 5000000")).exits(0);
    let parked = run(folder, "projection parked hostile --json").exits(0);
    let parked = &parked.json()["events"][0];
    assert_eq!(
        (&parked["code"], &parked["message"]),
        (
            &"out-of-fuel".into(),
            &"the plugin took more than 5100000 units of fuel".into()
        )
    );
    let refused = run(folder, &format!("{hostile} --fuel 1")).exits(1);
    let said = refused.stderr;
    assert!(
        said.ends_with("took more than 1 units of fuel\nhelp: allow more with `--fuel`\n"),
        "{said}"
    );
}

#[test]
fn another_configuration_is_refused_until_it_starts_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, "init").exits(0);
    run(folder, "append order order-1 OrderPlaced").exits(0);
    let hostile = plugin("guest-hostile");
    let hostile = format!("projection run {} --config", hostile.display());
    run(folder, &format!("{hostile} \"sound\"")).exits(0);
    let stored = blake3::hash(b"\"sound\"").to_hex();
    let shown = run(folder, "projection show hostile --json").exits(0);
    assert_eq!(shown.json()["configuration"], stored.as_str());
    let before = documents(folder, "hostile", "counts");
    assert_eq!(before.len(), 1);

    let refused = run(folder, &format!("{hostile} \"nothing\"")).exits(1);
    let found = blake3::hash(b"\"nothing\"").to_hex();
    assert_eq!(
        refused.stderr,
        format!(
            "error: the documents of `hostile` were made by this handler, but with another \
             configuration: expected `{stored}`, found `{found}`\nhelp: give the configuration that \
             they were made with, or start over with `--restart`, which empties the projection's \
             documents\n"
        )
    );
    assert_eq!(documents(folder, "hostile", "counts"), before);
    run(folder, &format!("{hostile} \"sound\"")).exits(0);
    run(folder, &format!("{hostile} \"nothing\" --restart")).exits(0);
    assert_eq!(documents(folder, "hostile", "counts").len(), 0);
    run(folder, &format!("{hostile} \"sound\"")).exits(1);
}

#[test]
fn a_changed_plugin_is_refused_until_it_starts_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, "init").exits(0);
    run(folder, "append order order-1 OrderPlaced").exits(0);
    let mut file = fs::read(plugin("activity")).expect("a plugin");
    fs::write(folder.join("activity.wasm"), &file).expect("a file");
    run(folder, "projection run activity.wasm").exits(0);
    // A custom section `note`: another file that does the same.
    file.extend_from_slice(b"\0\x05\x04note");
    fs::write(folder.join("activity.wasm"), &file).expect("a file");
    let refused = run(folder, "projection run activity.wasm").exits(1);
    let said = &refused.stderr;
    assert!(
        said.starts_with("error: the documents of `activity` were made by another handler"),
        "{said}"
    );
    assert!(
        said.contains("\nhelp: ") && said.contains("--restart"),
        "{said}"
    );
    run(folder, "append order order-1 OrderPaid").exits(0);
    run(folder, "projection run activity.wasm --restart").exits(0);
    let types = documents(folder, "activity", "types");
    assert_eq!(types.len(), 2);
}
