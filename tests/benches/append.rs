//! Appending to SQLite against raw rusqlite: the same rows, tables, indexes and
//! `synchronous=FULL`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cim_core::append::Append;
use cim_core::version::ExpectedVersion;
use cim_host::sqlite::SqliteStore;
use cim_host::store::EventStore as _;
use common::{Events, Raw, compare, key, time};
use tokio::runtime::Runtime;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    println!("appending, median of {} interleaved pairs", common::PAIRS);
    by_one(
        &runtime,
        "single appends / raw rows, one a transaction",
        "≥ 0.85",
        300,
        1,
    );
    groups(&runtime);
    by_one(
        &runtime,
        "appends of 100 / raw transactions of 100 rows",
        "≥ 0.60",
        100,
        100,
    );
}

/// One writer that appends `size` events at a time.
fn by_one(runtime: &Runtime, name: &str, wanted: &str, appends: usize, size: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store =
        SqliteStore::create(&folder.path().join("ours.db"), Default::default()).expect("a store");
    let mut raw = Raw::create(&folder.path().join("raw.db"));
    let (mut ours_events, mut raw_events) = (Events::default(), Events::default());
    compare(
        name,
        wanted,
        appends * size,
        |pair| {
            let key = key(pair);
            let batches: Vec<_> = (0..appends).map(|_| ours_events.take(size)).collect();
            time(|| {
                runtime.block_on(async {
                    for events in batches {
                        let append = Append::new(key.clone(), ExpectedVersion::Any, events);
                        store.append(append).await.expect("committed");
                    }
                });
            })
        },
        |pair| {
            let key = key(pair);
            let id = raw.aggregate(&key);
            let rows = raw_events.recorded(&key, None, appends * size);
            time(|| {
                for batch in rows.chunks(size) {
                    raw.insert(batch.iter().map(|event| (id, event)));
                }
            })
        },
    );
}

/// 16 writers of 10 events each, against one that commits the 160 rows together.
fn groups(runtime: &Runtime) {
    const WRITERS: usize = 16;
    const SIZE: usize = 10;
    const ROUNDS: usize = 60;
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<SqliteStore> =
        SqliteStore::create(&folder.path().join("ours.db"), Default::default())
            .expect("a store")
            .into();
    let mut raw = Raw::create(&folder.path().join("raw.db"));
    let (mut ours_events, mut raw_events) = (Events::default(), Events::default());
    compare(
        "16 writers of 10 events / raw group commit of 160 rows",
        "≥ 0.80",
        WRITERS * SIZE * ROUNDS,
        |pair| {
            let work: Vec<Vec<_>> = (0..WRITERS)
                .map(|_| (0..ROUNDS).map(|_| ours_events.take(SIZE)).collect())
                .collect();
            time(|| {
                runtime.block_on(async {
                    let tasks: Vec<_> = work
                        .into_iter()
                        .enumerate()
                        .map(|(writer, batches)| {
                            let store = Arc::clone(&store);
                            tokio::spawn(async move {
                                let key = key(pair * WRITERS + writer);
                                for events in batches {
                                    let append =
                                        Append::new(key.clone(), ExpectedVersion::Any, events);
                                    store.append(append).await.expect("committed");
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.expect("a writer that ends");
                    }
                });
            })
        },
        |pair| raw_groups(&mut raw, &mut raw_events, pair, WRITERS, SIZE, ROUNDS),
    );
}

fn raw_groups(
    raw: &mut Raw,
    events: &mut Events,
    pair: usize,
    writers: usize,
    size: usize,
    rounds: usize,
) -> Duration {
    let histories: Vec<_> = (0..writers)
        .map(|writer| {
            let key = key(pair * writers + writer);
            (
                raw.aggregate(&key),
                events.recorded(&key, None, size * rounds),
            )
        })
        .collect();
    time(|| {
        for round in 0..rounds {
            raw.insert(histories.iter().flat_map(|(id, rows)| {
                rows[round * size..(round + 1) * size]
                    .iter()
                    .map(move |event| (*id, event))
            }));
        }
    })
}
