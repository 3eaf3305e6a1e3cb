//! Repositories on NATS: as on SQLite, with snapshots in a bucket, in one part and in several.
//!
//! `CIM_CRASH_ROUNDS` sets how often a program is killed (100), `CIM_CRASH_SEED` repeats a run.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cim_core::id::{AggregateId, Namespace};
use cim_core::text::Text;
use cim_host::clock;
use cim_host::jetstream::{JetStreamSnapshots, JetStreamStore};
use cim_host::repository::{Outcome, Repository};
use cim_host::snapshot::SnapshotStore;
use cim_host::store::EventStore;
use cim_tests::ledger::{Ledger, LedgerCommand, crashes, misfits, past, race, schemas};
use cim_tests::nats::{
    FORGOTTEN, NatsServer, STREAM, ServerOptions, connect, forgetful_stream, make_store,
    new_stream, open_store,
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
async fn a_command_is_known_again_after_the_server_has_forgotten_it() {
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let index = |name: &str| folder.path().join(name);
    let store = make_store(&server.url(), &forgetful_stream(1), &index("first")).await;
    let ledgers =
        |store: Arc<dyn EventStore>| Repository::<Ledger>::new(store, Namespace::default());
    let first = ledgers(store.clone());
    // With an index that knows nothing of it yet, and later with one that is made anew.
    let early = ledgers(open_store(&server.url(), &index("early")).await);
    let id = AggregateId::new("1").expect("a token");
    let new = || {
        let (id, source) = (clock::event_id(), Text::new("test").expect("a text"));
        cim_core::command::Command::new(LedgerCommand::post("a"), id, clock::now(), source)
    };
    let command = new();
    let executed = first.execute_command(&id, command.clone()).await;
    let executed = executed.expect("posted");
    let more = first.execute_command(&id, new()).await.expect("posted");
    let last = store.last_position().await.expect("a position");
    tokio::time::sleep(FORGOTTEN).await;

    let late = ledgers(open_store(&server.url(), &index("late")).await);
    for repository in [&early, &late, &first] {
        let again = repository.execute_command(&id, command.clone()).await;
        let again = again.expect("repeated");
        assert_eq!(again.outcome, Outcome::Repeated);
        assert_eq!(
            (&again.events, again.position),
            (&executed.events, executed.position)
        );
        assert_eq!((again.head, &again.state), (more.head, &more.state));
    }
    assert_eq!(store.last_position().await.expect("a position"), last);
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
