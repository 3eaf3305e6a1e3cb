//! Snapshots that do not fit, and what becomes of loads without any.

use std::sync::Arc;

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::snapshot::Snapshot;
use cim_core::version::{Head, Version};
use cim_host::repository::{LoadedFrom, Repository, SnapshotPolicy};
use cim_host::snapshot::SnapshotStore;
use cim_host::store::EventStore;

use super::{KEY, Ledger, LedgerCommand, forgetful, ledger_id, ledgers};

/// The six ways in which a snapshot can be wrong.
const WAYS: [&str; 6] = [
    "state",
    "head",
    "version",
    "STATE_VERSION",
    "aggregate",
    "store_id",
];

/// Alters a snapshot in each of six ways, and copies it from another ledger and another store: each time
/// it is found, reported and not used. Then deletes all snapshots: nothing changes.
///
/// # Panics
///
/// When one that does not fit is used, or one that fits is not.
#[allow(clippy::print_stdout, reason = "tests say what they have done")]
pub async fn misfits(
    name: &str,
    (store, snapshots): (&Arc<dyn EventStore>, &Arc<dyn SnapshotStore>),
    elsewhere: (&Arc<dyn EventStore>, &Arc<dyn SnapshotStore>),
) {
    let plain = ledgers(store);
    for (store, snapshots) in [(store, snapshots), elsewhere] {
        for ledger in [1, 2] {
            let with = ledgers(store).with_snapshots(snapshots.clone(), KEY.into(), every(20));
            post(&with, ledger, 20).await;
            with.settle().await;
        }
    }
    post(&plain, 1, 7).await;
    let key = plain.key(&ledger_id(1));
    let good = opened(snapshots, &plain, 1).await;
    let history = plain.load(&ledger_id(1)).await.expect("loaded");
    let loader = forgetful(&plain).with_snapshots(snapshots.clone(), KEY.into(), NEVER);
    let load = async || loader.load(&ledger_id(1)).await.expect("loaded");

    let loaded = load().await;
    assert_eq!(loaded.from, LoadedFrom::Snapshot(version(20)));
    assert_eq!((&loaded.state, loaded.head), (&history.state, history.head));

    let mut cases = Vec::new();
    for way in WAYS {
        let altered = alter(&good, way, &plain);
        assert_ne!(altered, good);
        // With the seal that it had, as by somebody who writes into the file; with another key; and with
        // the right one, as after a mistake of ours, where a state cannot be told from another.
        let sealed = altered.seal(&KEY);
        let old = good.seal(&KEY);
        let old_seal = [&sealed[..sealed.len() - 32], &old[old.len() - 32..]].concat();
        cases.push((format!("{way}, old seal"), Bytes::from(old_seal)));
        cases.push((format!("{way}, another key"), altered.seal(&[1; 32])));
        if way != "state" {
            cases.push((format!("{way}, sealed again"), sealed));
        }
    }
    let copied = opened(snapshots, &plain, 2).await;
    cases.push(("copied from another ledger".to_owned(), copied.seal(&KEY)));
    let (store, from) = elsewhere;
    let copied = opened(from, &ledgers(store), 1).await;
    cases.push(("copied from another store".to_owned(), copied.seal(&KEY)));
    for (case, sealed) in &cases {
        snapshots.delete(&key).await.expect("deleted");
        snapshots
            .save(&key, version(20), sealed.clone())
            .await
            .expect("saved");
        let loaded = load().await;
        assert_eq!(loaded.from, LoadedFrom::Genesis, "{case}");
        assert_eq!(
            (&loaded.state, loaded.head),
            (&history.state, history.head),
            "{case}"
        );
        assert_eq!(loaded.reports.len(), 1, "{case}");
        println!("{name}: {case}: {}", loaded.reports[0].code);
    }
    assert_eq!(loader.stats().snapshots_refused, cases.len() as u64);

    snapshots.delete_all().await.expect("deleted");
    let loaded = load().await;
    assert_eq!((&loaded.state, loaded.head), (&history.state, history.head));
    assert_eq!(
        (loaded.from, loaded.reports.len()),
        (LoadedFrom::Genesis, 0)
    );
}

fn alter(good: &Snapshot, way: &str, plain: &Repository<Ledger>) -> Snapshot {
    let (mut altered, head) = (good.clone(), good.head);
    match way {
        "state" => {
            let text = String::from_utf8(good.state.to_vec()).expect("JSON");
            let text = text.replace(r#""postings":20"#, r#""postings":21"#);
            altered.state = text.into();
        }
        "head" => altered.head.cid = Cid::of_block(b"another event"),
        "version" => {
            altered.head = Head {
                version: version(19),
                ..head
            };
        }
        "STATE_VERSION" => altered.state_version += 1,
        "aggregate" => altered.aggregate = plain.key(&ledger_id(2)),
        "store_id" => altered.store_id = cim_host::clock::store_id(),
        way => panic!("no such way: {way}"),
    }
    altered
}

async fn opened(
    snapshots: &Arc<dyn SnapshotStore>,
    ledgers: &Repository<Ledger>,
    number: u64,
) -> Snapshot {
    let key = ledgers.key(&ledger_id(number));
    let sealed = snapshots.load(&key).await.expect("an answer");
    Snapshot::open(&sealed.expect("one was taken"), &KEY).expect("sealed by us")
}

async fn post(ledgers: &Repository<Ledger>, number: u64, count: u64) {
    let id = ledger_id(number);
    for _ in 0..count {
        let posted = ledgers.execute(&id, LedgerCommand::post("a")).await;
        posted.expect("posted");
    }
}

fn every(events: u64) -> SnapshotPolicy {
    SnapshotPolicy {
        every_events: Some(events),
        ..NEVER
    }
}

const NEVER: SnapshotPolicy = SnapshotPolicy {
    every_events: None,
    max_age: None,
    load_time: None,
};

fn version(number: u64) -> Version {
    Version::new(number).expect("a version")
}
