//! Loading an aggregate of 10 000 events from SQLite: verified and decoded from its first event on,
//! against a raw select of the same rows; and with a snapshot, against without.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::path::Path;
use std::sync::Arc;

use cim_core::event::NewEvent;
use cim_core::id::EventId;
use cim_core::payload;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::repository::{LoadedFrom, Repository, SnapshotPolicy};
use cim_host::snapshot::SnapshotKey;
use cim_host::sqlite::{SqliteSnapshots, SqliteStore};
use cim_host::store::EventStore;
use cim_tests::ledger::{Ledger, LedgerCommand, LedgerEvent, forgetful, ledger_id, ledgers};
use common::{Raw, compare, median, time};
use tokio::runtime::Runtime;

const EVENTS: u64 = 10_000;

/// Accounts of the ledger: what its state is made of.
const ACCOUNTS: u64 = 50;

/// Events behind the snapshot, as many as there are at most by the default policy.
const BEHIND: u64 = 99;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cim.db");
    let store = SqliteStore::create(&path, Default::default()).expect("a store");
    let store: Arc<dyn EventStore> = Arc::new(store);
    let plain = forgetful(&ledgers(&store));
    runtime.block_on(fill(&plain, EVENTS - BEHIND));
    let with_snapshots = runtime.block_on(with_snapshot(&plain, &path));
    runtime.block_on(fill(&plain, BEHIND));
    println!(
        "a ledger of {EVENTS} events, median of {} interleaved pairs",
        common::PAIRS
    );

    let raw = Raw::open(&path);
    let mut took = Vec::new();
    let load = |ledgers: &Repository<Ledger>, from: LoadedFrom, folded: u64| {
        time(|| {
            let loaded = runtime
                .block_on(ledgers.load(&ledger_id(1)))
                .expect("loaded");
            assert_eq!((loaded.from, loaded.events_folded), (from, folded));
            assert_eq!(loaded.state.postings, EVENTS);
        })
    };
    compare(
        "load without a snapshot / raw select",
        "time ≤ 3",
        EVENTS as usize,
        |_| {
            let load = load(&plain, LoadedFrom::Genesis, EVENTS);
            took.push(load.as_secs_f64() * 1000.0);
            load
        },
        |_| {
            time(|| {
                let found = raw.select("WHERE aggregate = ?1 ORDER BY version", [1]);
                assert_eq!(found as u64, EVENTS);
            })
        },
    );
    println!(
        "  load without a snapshot: {:.1} ms, wanted < 50",
        median(took.into_iter())
    );
    let version = Version::new(EVENTS - BEHIND).expect("a version");
    let ratio = compare(
        &format!("load with a snapshot {BEHIND} events behind / without"),
        "time ≤ 0.05",
        1,
        |_| load(&with_snapshots, LoadedFrom::Snapshot(version), BEHIND),
        |_| load(&plain, LoadedFrom::Genesis, EVENTS),
    );
    println!("  with a snapshot in 1/{ratio:.0} of the time without, wanted ≥ 1/20");
    executing(&runtime, &plain, &store);
}

/// The time of commands one after another on a long history, against raw commits.
fn executing(runtime: &Runtime, plain: &Repository<Ledger>, store: &Arc<dyn EventStore>) {
    const COMMANDS: usize = 100;
    let (kept, id) = (ledgers(store), ledger_id(1));
    let post = |ledgers: &Repository<Ledger>| {
        time(|| {
            for _ in 0..COMMANDS {
                let posted = ledgers.execute(&id, LedgerCommand::post("a"));
                runtime.block_on(posted).expect("posted");
            }
        })
    };
    let other = ledger_id(2);
    let append = || {
        time(|| {
            for second in 0..COMMANDS as u64 {
                let events = vec![event(second)];
                let saved = plain.save(&other, ExpectedVersion::Any, events);
                runtime.block_on(saved).expect("saved");
            }
        })
    };
    compare(
        "execute on a history that is kept / an append",
        "time ≤ 2",
        COMMANDS,
        |_| post(&kept),
        |_| append(),
    );
}

fn event(number: u64) -> NewEvent {
    let time = Timestamp::from_micros(1_700_000_000_000_000 + number * 1000).expect("in range");
    let event = LedgerEvent::LedgerPosted {
        account: format!("account-{}", number % ACCOUNTS),
        amount: 7,
        note: format!("posting {number} {}", "x".repeat(100)),
    };
    let id = EventId::from_parts(time, cim_host::clock::entropy());
    payload::new_event(&event, id, time, Text::new("bench").expect("a text"))
}

async fn fill(ledgers: &Repository<Ledger>, count: u64) {
    let mut left = count;
    while left > 0 {
        let events: Vec<_> = (0..left.min(1000)).map(event).collect();
        left -= events.len() as u64;
        let saved = ledgers
            .save(&ledger_id(1), ExpectedVersion::Any, events)
            .await;
        saved.expect("saved");
    }
}

/// The same ledgers with snapshots, one of which is taken now.
async fn with_snapshot(plain: &Repository<Ledger>, path: &Path) -> Repository<Ledger> {
    let key = SnapshotKey::from([7; 32]);
    let snapshots = Arc::new(SqliteSnapshots::open(path).expect("snapshots"));
    let with = |policy| {
        plain
            .clone()
            .with_snapshots(snapshots.clone(), key.clone(), policy)
    };
    let taking = with(SnapshotPolicy::default());
    taking.load(&ledger_id(1)).await.expect("loaded");
    taking.settle().await;
    assert_eq!(taking.stats().snapshots_taken, 1);
    with(SnapshotPolicy {
        every_events: None,
        ..SnapshotPolicy::default()
    })
}
