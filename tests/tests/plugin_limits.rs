//! Plugins that break each limit are stopped in time, with their own message, and cost the host no
//! more memory than they may have.
//!
//! It is one test in a file of its own: it measures the memory of this process.

#![allow(
    clippy::print_stdout,
    reason = "a test that measures tells what it found"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cim_core::projection::check::Checks;
use cim_core::projection::machine::Options;
use cim_core::projection::{Change, Fault, Limits};
use cim_host::plugin::{Interruption, Plugin, PluginError, PluginLimits, PluginOptions};
use cim_host::projector::{CallError, Handler as _, Projector, ProjectorOptions, Until};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_host::store::{EventStore as _, Query, ReadEvent};
use cim_tests::counting::{fill, name};
use cim_tests::plugin;
use futures_util::TryStreamExt as _;

/// The longest that a plugin may hold its host up.
const LONGEST: Duration = Duration::from_secs(1);

/// What the host itself may take beside a plugin's memory and answer: the batch, the store and an
/// answer's other form.
const MARGIN: usize = 8 << 20;

/// Each mode of `tests/guests/hostile`: which code, which message.
const MODES: [(&str, &str, &str); 35] = [
    ("loop", "out-of-time", "the plugin ran longer than 252 ms"),
    (
        "loop-in-keys",
        "out-of-time",
        "the plugin ran longer than 252 ms",
    ),
    (
        "loop-in-init",
        "out-of-time",
        "the plugin ran longer than 250 ms",
    ),
    (
        "refuse-in-init",
        "config-invalid",
        "the hostile plugin says config-invalid",
    ),
    (
        "memory",
        "out-of-memory",
        "the plugin wanted more than 64 MiB of memory",
    ),
    (
        "recursion",
        "out-of-stack",
        "the plugin wanted more than 512 KiB of stack",
    ),
    (
        "panic",
        "trapped",
        "the plugin trapped: wasm `unreachable` instruction executed",
    ),
    (
        "large-answer",
        "answer-too-large",
        "the plugin's answer has more than 16 MiB",
    ),
    (
        "large-error",
        "answer-too-large",
        "the plugin's answer has more than 16 MiB",
    ),
    (
        "many-changes",
        "too-many-changes",
        "too many changes: expected at most 10000, found 10001",
    ),
    (
        "most-changes",
        "too-many-changes",
        "too many changes: expected at most 10000, found 1100000",
    ),
    (
        "long-key",
        "key-invalid",
        "a key has 1025 bytes: expected 1 to 1024",
    ),
    (
        "empty-key",
        "key-invalid",
        "a key has 0 bytes: expected 1 to 1024",
    ),
    (
        "large-document",
        "document-too-large",
        "the document `k` has 1048577 bytes: expected at most 1048576",
    ),
    (
        "hoard",
        "documents-too-large",
        "the documents that are asked for have more than 33554432 bytes: ask for fewer, or keep \
         smaller ones",
    ),
    (
        "not-json",
        "document-invalid",
        "the document `k` is no JSON: key must be a string at line 1 column 2",
    ),
    (
        "document-not-utf8",
        "document-invalid",
        "the document `k` is no JSON: invalid utf-8 sequence of 1 bytes from index 1",
    ),
    (
        "undeclared",
        "collection-undeclared",
        "the collection `others` is not declared",
    ),
    (
        "undeclared-in-keys",
        "collection-undeclared",
        "the collection `others` is not declared",
    ),
    (
        "not-utf8",
        "answer-not-utf8",
        "a text in the plugin's answer is not UTF-8",
    ),
    (
        "not-utf8-in-keys",
        "answer-not-utf8",
        "a text in the plugin's answer is not UTF-8",
    ),
    (
        "ends-fall",
        "columns-invalid",
        "the column `document-ends` of the answer is wrong: expected ends that never fall",
    ),
    (
        "ends-beyond",
        "columns-invalid",
        "the column `key-ends` of the answer is wrong: expected 2 as the last end, found 3",
    ),
    (
        "ends-short",
        "columns-invalid",
        "the column `document-ends` of the answer is wrong: expected 4 as the last end, found 2",
    ),
    (
        "split-char",
        "columns-invalid",
        "the column `key-ends` of the answer is wrong: an end is within a character",
    ),
    (
        "lengths",
        "columns-invalid",
        "the column `kinds` of the answer is wrong: expected 2 entries, found 1",
    ),
    (
        "lengths-in-keys",
        "columns-invalid",
        "the column `key-ends` of the answer is wrong: expected 2 entries, found 1",
    ),
    (
        "index",
        "columns-invalid",
        "the column `collection-of` of the answer is wrong: expected an index below 1, found 1",
    ),
    (
        "kind",
        "columns-invalid",
        "the column `kinds` of the answer is wrong: expected 1 (put) or 2 (delete), found 3",
    ),
    (
        "delete-with-document",
        "columns-invalid",
        "the column `document-ends` of the answer is wrong: a delete has a document",
    ),
    (
        "bad-failure",
        "plugin-failed",
        "100 times \u{fffd}[31mred\u{fffd}\u{fffd}",
    ),
    (
        "no-such-mode",
        "mode-unknown",
        "the hostile plugin says mode-unknown",
    ),
    ("nothing", "", ""),
    ("sound", "", ""),
    ("trap-on-marker", "", ""),
];

#[tokio::test]
async fn each_limit_holds() {
    let events = events().await;
    let options = PluginOptions {
        cache: None,
        ..PluginOptions::default()
    };
    let hostile = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
    // What is made once, as the first instance is, is not counted to a mode.
    assert_sound(&hostile, &events);
    let PluginLimits {
        memory_bytes,
        answer_bytes,
        ..
    } = options.limits;
    let most = memory_bytes + answer_bytes + MARGIN;
    let mut wrong = Vec::new();
    for (mode, code, message) in MODES {
        let before = Memory::reset();
        let started = Instant::now();
        let found = run(&hostile, mode, &events);
        let took = started.elapsed();
        let grew = before.growth();
        let (found_code, found_message) = match &found {
            Ok(_) => ("", String::new()),
            Err(fault) => (&*fault.code, shorten(&fault.message)),
        };
        println!(
            "{mode:<22} {:>4} ms {:>4} MiB  {found_code}: {found_message}",
            took.as_millis(),
            grew >> 20
        );
        if (found_code, &*found_message) != (code, message) {
            wrong.push(format!("{mode}: {found_code}: {found_message}"));
        }
        if let Err(fault) = found {
            assert_eq!((fault.index, fault.retryable), (None, false), "{mode}");
        }
        assert!(took < LONGEST, "{mode} took {took:?}");
        assert!(grew < most, "{mode}: the host grew by {grew} bytes");
        assert_sound(&hostile, &events);
    }
    assert_eq!(wrong, [""; 0]);
    fuel_stops_a_loop_at_the_same_place(&events);
    a_projector_reads_no_more_than_is_allowed(&hostile, most).await;
}

/// With 100 events a call may take 1010 million units, wherever it runs.
fn fuel_stops_a_loop_at_the_same_place(events: &[ReadEvent]) {
    let cache = tempfile::tempdir().expect("a folder");
    let options = PluginOptions {
        cache: Some(cache.path().to_owned()),
        interruption: Interruption::Fuel,
        ..PluginOptions::default()
    };
    let hostile = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
    assert_sound(&hostile, events);
    for (mode, fuel) in [
        ("loop", 1_010_000_000),
        ("loop-in-keys", 1_010_000_000),
        ("loop-in-init", 1_000_000_000_u64),
    ] {
        let started = Instant::now();
        let fault = run(&hostile, mode, events).expect_err("it has no end");
        let took = started.elapsed();
        println!("{mode:<22} {:>4} ms, by fuel", took.as_millis());
        let message = format!("the plugin took more than {fuel} units of fuel");
        assert_eq!((&*fault.code, fault.message), ("out-of-fuel", message));
        assert!(took < LONGEST, "{mode} took {took:?}");
    }
    assert_sound(&hostile, events);
    // What a call needs is counted, not measured: a unit less is always too little.
    let exact = |fuel| {
        let limits = PluginLimits {
            fuel,
            fuel_per_event: 0,
            ..PluginLimits::default()
        };
        let options = PluginOptions {
            limits,
            ..options.clone()
        };
        let hostile = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
        run(&hostile, "sound", events).map_err(|fault| fault.code)
    };
    let (mut too_little, mut enough) = (10_000, 100_000_000);
    while enough - too_little > 1 {
        let middle = u64::midpoint(too_little, enough);
        match exact(middle) {
            Ok(_) => enough = middle,
            Err(code) => {
                assert_eq!(code, "out-of-fuel");
                too_little = middle;
            }
        }
    }
    for _ in 0..3 {
        assert!(exact(enough).is_ok());
        assert_eq!(exact(too_little).expect_err("too little"), "out-of-fuel");
    }
}

/// The plugin asks 1500 times for a document of 1 MiB, which its first event puts.
async fn a_projector_reads_no_more_than_is_allowed(hostile: &Plugin, most: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("cim.db");
    fill(&store, 2, 2).await;
    let store = SqliteStore::open(&store).expect("a store");
    let handler = hostile.handler("hoard".into()).expect("a handler");
    let read_model = ReadModel::open_or_create(&folder.path().join("read.db"));
    let read_model = read_model.expect("a read model");
    let options = ProjectorOptions {
        machine: Options {
            batch_events: 1,
            ..Options::default()
        },
        ..ProjectorOptions::default()
    };
    let before = Memory::reset();
    let projector = Projector::new(
        Arc::new(store),
        Box::new(handler),
        read_model.clone(),
        options,
    );
    let ended = projector.run(Until::CaughtUp).await.expect("caught up");
    let grew = before.growth();
    println!("hoard in a projector     {:>4} MiB", grew >> 20);
    assert!(grew < most, "the host grew by {grew} bytes");
    assert_eq!((ended.events, ended.parked_aggregates), (1, 1));
    let mut parked = read_model.parked(&name("hostile")).expect("there");
    let parked = parked.next().expect("one").expect("a sound row");
    let (code, _) = parked.event.reason.cause().expect("a cause");
    assert_eq!(code, "documents-too-large");
}

/// Runs a mode on all events as the engine does.
fn run(hostile: &Plugin, mode: &str, events: &[ReadEvent]) -> Result<Vec<Change>, Fault> {
    let config = Bytes::copy_from_slice(mode.as_bytes());
    let mut handler = hostile.handler(config).map_err(|error| match error {
        PluginError::Fault { doing, fault, .. } => {
            assert_eq!(doing, "init");
            fault
        }
        error => panic!("{mode}: {error}"),
    })?;
    let checks = Checks::new(hostile.descriptor(), Limits::default());
    let mut call = || {
        let keys = handler.keys(events).map_err(at_fault)?;
        checks.keys(&keys)?;
        let document = (mode == "hoard").then(|| Bytes::from(vec![b'1'; 1 << 20]));
        let changes = handler
            .apply(events, &vec![document; keys.len()])
            .map_err(at_fault)?;
        checks.changes(&changes)?;
        Ok(changes)
    };
    let first: Result<_, Fault> = call();
    // A handler makes a new instance after a trap, so the second call ends as the first one did.
    if !matches!(&first, Err(fault) if fault.code == "out-of-time") {
        assert_eq!(call(), first, "{mode}");
    }
    first
}

/// The fault of a plugin that was called.
fn at_fault(error: CallError) -> Fault {
    match error {
        CallError::Fault(fault) => fault,
        CallError::NotCalled(fault) => panic!("it was not called: {fault}"),
    }
}

/// The same plugin still counts.
fn assert_sound(hostile: &Plugin, events: &[ReadEvent]) {
    let changes = run(hostile, "sound", events).expect("a sound answer");
    let shown: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::Put { document, .. } => std::str::from_utf8(document).expect("UTF-8"),
            Change::Delete { .. } => "deleted",
        })
        .collect();
    assert_eq!(shown, [r#"{"events":10}"#; 10]);
}

/// A message of one part over and over, as a count of it.
fn shorten(message: &str) -> String {
    let part: String = message.chars().take(10).collect();
    let times = message.chars().count() / 10;
    if times > 1 && part.repeat(times) == message {
        return format!("{times} times {part}");
    }
    message.to_owned()
}

async fn events() -> Vec<ReadEvent> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cim.db");
    fill(&path, 100, 10).await;
    let store = SqliteStore::open(&path).expect("a store");
    let events = store.read(Query::default()).try_collect().await;
    store.close().await.expect("closed");
    events.expect("sound events")
}

/// The memory of this process in bytes.
struct Memory(usize);

impl Memory {
    /// The memory now; the peak is counted from here.
    fn reset() -> Self {
        std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
        Self(Self::read("VmRSS:"))
    }

    /// How far the peak lies above.
    fn growth(&self) -> usize {
        Self::read("VmHWM:").saturating_sub(self.0)
    }

    fn read(field: &str) -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.expect("a size").parse::<usize>().expect("a number") << 10
    }
}
