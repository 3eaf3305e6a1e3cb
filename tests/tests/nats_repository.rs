//! Repositories on NATS: as on SQLite, with snapshots in a bucket, in one part and in several.
//!
//! `CIM_CRASH_ROUNDS` sets how often a program is killed (100), `CIM_CRASH_SEED` repeats a run.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cim_host::jetstream::{JetStreamSnapshots, JetStreamStore};
use cim_host::snapshot::SnapshotStore;
use cim_host::store::EventStore;
use cim_tests::ledger::{crashes, misfits, past, race, schemas};
use cim_tests::nats::{
    NatsServer, STREAM, ServerOptions, connect, make_store, new_stream, open_store,
};
use tempfile::TempDir;

/// How long a program that is killed may work.
const MOST: Duration = Duration::from_millis(100);

/// A store on a server of its own.
struct Place {
    server: NatsServer,
    folder: TempDir,
    store: Arc<dyn EventStore>,
}

impl Place {
    async fn new() -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let folder = tempfile::tempdir().expect("a folder");
        let store = make_store(&server.url(), &new_stream(1), folder.path()).await;
        Self {
            server,
            folder,
            store,
        }
    }

    async fn snapshots(&self) -> Arc<dyn SnapshotStore> {
        let port = connect(&self.server.url()).await;
        Arc::new(JetStreamSnapshots::new(port, self.store.info().store_id, 1))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_is_lost() {
    let place = Place::new().await;
    // Each with a connection and an index of its own.
    let folders: Vec<TempDir> = (0..3)
        .map(|_| tempfile::tempdir().expect("a folder"))
        .collect();
    let mut stores = vec![place.store.clone()];
    for folder in &folders {
        let store: Arc<dyn EventStore> = open_store(&place.server.url(), folder.path()).await;
        stores.push(store);
    }
    let conflicts = race("NATS", &stores).await;
    assert!(conflicts > 0, "nothing was tried again");
}

#[tokio::test]
async fn snapshots_that_do_not_fit_are_not_used() {
    let (place, other) = (Place::new().await, Place::new().await);
    let (kept, kept_elsewhere) = (place.snapshots().await, other.snapshots().await);
    misfits(
        "NATS",
        (&place.store, &kept),
        (&other.store, &kept_elsewhere),
    )
    .await;
}

#[tokio::test]
async fn a_program_that_is_killed_between_parts_of_a_snapshot_spoils_nothing() {
    let rounds = match std::env::var("CIM_CRASH_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("CIM_CRASH_ROUNDS is a number"),
        Err(_) => 100,
    };
    let place = Place::new().await;
    place.store.close().await.expect("closed");
    // States of two parts in the bucket.
    let program = |seed: u64| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_repository-worker"));
        let url = place.server.url();
        let folder = place.folder.path();
        program.arg("nats").arg(url).arg(folder);
        program.args([seed.to_string(), "1200000".to_owned()]);
        program
    };
    let open = async || {
        let port = connect(&place.server.url()).await;
        let url = place.server.url();
        let store = JetStreamStore::open(port, STREAM, &url, place.folder.path()).await;
        let store: Arc<dyn EventStore> = Arc::new(store.expect("a store"));
        (store, place.snapshots().await)
    };
    crashes("NATS", (rounds, MOST), program, open).await;
}

#[tokio::test]
async fn events_of_other_schemas_are_upcast_or_named_and_the_past_is_what_once_was() {
    let place = Place::new().await;
    schemas(&place.store).await;
    past(&place.store).await;
}
