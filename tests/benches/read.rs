//! Reading from SQLite against a raw select that decodes the same columns; and verification
//! against bare BLAKE3 over the same block bytes.
//!
//! `EVENTS` in the environment sets the size of the large store, one million by default.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::path::Path;
use std::time::Duration;

use cim_core::append::Append;
use cim_core::chain::block;
use cim_core::chain::verifier::ChainVerifier;
use cim_core::id::EventId;
use cim_core::time::Timestamp;
use cim_core::version::ExpectedVersion;
use cim_host::sqlite::SqliteStore;
use cim_host::store::{Check, EventStore as _, Query};
use common::{Events, Raw, compare, key, median, time};
use futures_util::StreamExt as _;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Events of one conversation in both stores of the correlation benchmark.
const CONVERSATION: usize = 20;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let large = std::env::var("EVENTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000_000);
    println!("reading, median of {} interleaved pairs", common::PAIRS);
    verification();
    let folder = tempfile::tempdir().expect("a folder");
    let small_path = folder.path().join("small.db");
    let large_path = folder.path().join("large.db");
    let small = fill(&runtime, &small_path, 10_000);
    load(&runtime, &small, &small_path);
    let large_store = fill(&runtime, &large_path, large);
    correlation(&runtime, &small, &large_store, large);
    drop(small);
    scan(&runtime, &large_store, &large_path, large);
}

fn verification() {
    const EVENTS: usize = 100_000;
    let key = key(0);
    let history = Events::default().recorded(&key, None, EVENTS);
    let blocks: Vec<Vec<u8>> = history.iter().map(block::encode).collect();
    compare(
        "verification of a history / bare BLAKE3 over its blocks",
        "≥ 0.50",
        EVENTS,
        |_| {
            time(|| {
                let mut verifier = ChainVerifier::from_genesis(key.clone());
                for event in &history {
                    verifier.push(event).expect("a sound history");
                }
            })
        },
        |_| {
            time(|| {
                for block in &blocks {
                    std::hint::black_box(blake3::hash(block));
                }
            })
        },
    );
}

/// Fills a store with histories of 1 000 events; each 1 000th holds a conversation of
/// [`CONVERSATION`].
fn fill(runtime: &Runtime, path: &Path, count: usize) -> SqliteStore {
    let store = SqliteStore::create(path, Default::default()).expect("a store");
    let mut events = Events::default();
    runtime.block_on(async {
        for number in 0..count / 1000 {
            let mut batch = events.take(1000);
            let correlation = conversation(number);
            for event in batch.iter_mut().take(CONVERSATION) {
                event.correlation = correlation;
            }
            let append = Append::new(key(number), ExpectedVersion::NoStream, batch);
            store.append(append).await.expect("committed");
        }
    });
    store
}

fn conversation(number: usize) -> Uuid {
    let time = Timestamp::from_micros(1_600_000_000_000_000 + number as u64 * 1000).expect("valid");
    *EventId::from_parts(time, [9; 10]).as_uuid()
}

fn read_all(runtime: &Runtime, store: &SqliteStore, query: Query) -> usize {
    runtime.block_on(async {
        let mut events = store.read(query);
        let mut count = 0;
        while let Some(event) = events.next().await {
            std::hint::black_box(event.expect("a sound event"));
            count += 1;
        }
        count
    })
}

fn load(runtime: &Runtime, store: &SqliteStore, path: &Path) {
    let raw = Raw::open(path);
    for (check, wanted) in [
        (Check::Nothing, "time ≤ 1.3"),
        (Check::Verify, "time ≤ 2.5"),
    ] {
        let name = format!("load of 1 000 events, check {check:?} / raw select");
        compare(
            &name,
            wanted,
            10_000,
            |_| {
                time(|| {
                    for number in 0..10 {
                        let query = Query {
                            check,
                            ..Query::history(key(number))
                        };
                        assert_eq!(read_all(runtime, store, query), 1000);
                    }
                })
            },
            |_| {
                time(|| {
                    for number in 1..=10 {
                        let found = raw.select("WHERE aggregate = ?1 ORDER BY version", [number]);
                        assert_eq!(found, 1000);
                    }
                })
            },
        );
    }
}

fn correlation(runtime: &Runtime, small: &SqliteStore, large: &SqliteStore, count: usize) {
    let read = |store: &SqliteStore, number: usize| {
        let query = Query {
            correlation: Some(conversation(number)),
            ..Query::default()
        };
        assert_eq!(read_all(runtime, store, query), CONVERSATION);
    };
    let many = |store: &SqliteStore, of: usize| -> Duration {
        time(|| (0..200).for_each(|turn| read(store, turn * 7 % (of / 1000))))
    };
    compare(
        &format!("read by correlation at {count} / at 10 000 events"),
        "time ≤ 2.0",
        200,
        |_| many(large, count),
        |_| many(small, 10_000),
    );
}

fn scan(runtime: &Runtime, store: &SqliteStore, path: &Path, count: usize) {
    let raw = Raw::open(path);
    for (check, wanted) in [(Check::Nothing, "≥ 0.75"), (Check::Verify, "≥ 0.50")] {
        let mut peaks = Vec::new();
        compare(
            &format!("scan of {count} events, check {check:?} / raw select"),
            wanted,
            count,
            |_| {
                reset_peak();
                let took = time(|| {
                    let query = Query {
                        check,
                        ..Query::default()
                    };
                    assert_eq!(read_all(runtime, store, query), count);
                });
                peaks.push(peak_mib());
                took
            },
            |_| time(|| assert_eq!(raw.select("ORDER BY position", []), count)),
        );
        println!(
            "  peak memory of the process {:.0} MiB, wanted < 200",
            median(peaks.into_iter())
        );
    }
}

/// Makes the kernel forget the peak of this process's memory.
fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kib / 1024.0
}
