//! Repositories on SQLite and in memory: commands that race, snapshots that do not fit, crashes between
//! an append and its snapshot, events of other schemas, and the past.
//!
//! `CIM_CRASH_ROUNDS` sets how often a program is killed (100), `CIM_CRASH_SEED` repeats a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cim_core::subject::StoreTemplate;
use cim_host::memory::MemoryStore;
use cim_host::snapshot::{MemorySnapshots, SnapshotStore};
use cim_host::sqlite::{SqliteSnapshots, SqliteStore};
use cim_host::store::EventStore;
use cim_tests::ledger::{crashes, misfits, past, race, schemas};
use tempfile::TempDir;

/// How long a program that is killed may work.
const MOST: Duration = Duration::from_millis(40);

fn new_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cim.db");
    (folder, path)
}

fn create(path: &Path) -> Arc<dyn EventStore> {
    Arc::new(SqliteStore::create(path, StoreTemplate::default()).expect("a new store"))
}

fn open(path: &Path) -> Arc<dyn EventStore> {
    Arc::new(SqliteStore::open(path).expect("a store"))
}

fn snapshots(path: &Path) -> Arc<dyn SnapshotStore> {
    Arc::new(SqliteSnapshots::open(path).expect("a store"))
}

fn memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryStore::new(StoreTemplate::default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_is_lost_on_sqlite() {
    let (_folder, path) = new_file();
    let first = create(&path);
    // As twenty processes, each of which has a command for each ledger.
    let stores: Vec<_> = std::iter::once(first)
        .chain((1..20).map(|_| open(&path)))
        .collect();
    let conflicts = race("SQLite", &stores).await;
    assert!(conflicts > 0, "nothing was tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_is_lost_in_memory() {
    race("memory", &vec![memory(); 20]).await;
}

#[tokio::test]
async fn snapshots_that_do_not_fit_are_not_used_on_sqlite() {
    let ((_one, path), (_other, elsewhere)) = (new_file(), new_file());
    let (store, other) = (create(&path), create(&elsewhere));
    let (kept, kept_elsewhere) = (snapshots(&path), snapshots(&elsewhere));
    misfits("SQLite", (&store, &kept), (&other, &kept_elsewhere)).await;
}

#[tokio::test]
async fn snapshots_that_do_not_fit_are_not_used_in_memory() {
    let kept = || -> Arc<dyn SnapshotStore> { Arc::new(MemorySnapshots::default()) };
    misfits("memory", (&memory(), &kept()), (&memory(), &kept())).await;
}

#[tokio::test]
async fn a_program_that_is_killed_between_append_and_snapshot_spoils_nothing() {
    let rounds = match std::env::var("CIM_CRASH_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("CIM_CRASH_ROUNDS is a number"),
        Err(_) => 100,
    };
    let (_folder, path) = new_file();
    create(&path).close().await.expect("closed");
    let program = |seed: u64| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_repository-worker"));
        program.arg("sqlite").arg(&path).arg(seed.to_string());
        program
    };
    crashes("SQLite", (rounds, MOST), program, async || {
        (open(&path), snapshots(&path))
    })
    .await;
}

#[tokio::test]
async fn events_of_other_schemas_are_upcast_or_named() {
    let (_folder, path) = new_file();
    schemas(&create(&path)).await;
    schemas(&memory()).await;
}

#[tokio::test]
async fn the_past_is_what_once_was() {
    let (_folder, path) = new_file();
    past(&create(&path)).await;
    past(&memory()).await;
}
