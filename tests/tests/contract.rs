//! The contract of the event store, on every adapter.

use std::sync::Arc;

use cim_core::id::AggregateKey;
use cim_core::subject::StoreTemplate;
use cim_core::version::Position;
use cim_host::memory::MemoryStore;
use cim_host::sqlite::SqliteStore;
use cim_host::store::contract::Fixture;
use cim_host::store::{EventStore, Query};
use futures_util::StreamExt as _;
use tempfile::TempDir;

cim_host::contract_tests!(memory, Memory::new);
cim_host::contract_tests!(sqlite, Sqlite::new);

struct Memory(MemoryStore);

impl Memory {
    async fn new(template: StoreTemplate) -> Self {
        Self(MemoryStore::new(template))
    }
}

impl Fixture for Memory {
    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.0.clone())
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        self.store()
    }

    async fn break_head(&self, aggregate: &AggregateKey) {
        let position = last_position_of(&self.0, aggregate).await;
        self.0
            .tamper(position, |recorded| recorded.event.body = vec![0].into());
    }
}

struct Sqlite {
    store: Arc<SqliteStore>,
    directory: TempDir,
}

impl Sqlite {
    async fn new(template: StoreTemplate) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::create(&directory.path().join("cim.db"), template);
        Self {
            store: Arc::new(store.expect("a new store")),
            directory,
        }
    }
}

impl Fixture for Sqlite {
    fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.store) as Arc<dyn EventStore>
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        let store = SqliteStore::open(&self.directory.path().join("cim.db"));
        Arc::new(store.expect("the store is there"))
    }

    async fn break_head(&self, aggregate: &AggregateKey) {
        let position = last_position_of(&*self.store, aggregate).await.get();
        let file = rusqlite::Connection::open(self.directory.path().join("cim.db"));
        let changed = file.expect("the file is there").execute(
            "UPDATE events SET body = x'00' WHERE position = ?1",
            [i64::try_from(position).expect("positions are at most 2^53 - 1")],
        );
        assert_eq!(changed, Ok(1));
    }
}

async fn last_position_of(store: &dyn EventStore, aggregate: &AggregateKey) -> Position {
    let last = store
        .read(Query::history(aggregate.clone()))
        .collect::<Vec<_>>()
        .await
        .pop();
    last.expect("a history")
        .expect("the store answers")
        .position
}

/// A case that nobody calls would pass for ever.
#[test]
fn every_case_is_listed() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/store/contract");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("a source file");
    let list = read(&std::path::Path::new(directory).join("mod.rs"));
    let mut cases = 0;
    for file in std::fs::read_dir(directory).expect("the contract's directory") {
        let path = file.expect("an entry").path();
        if path.ends_with("given.rs") || path.ends_with("mod.rs") {
            continue;
        }
        let source = read(&path);
        for case in source.split("\npub async fn ").skip(1) {
            let name = case.split('<').next().expect("a generic function");
            let listed = list.lines().any(|line| line.trim() == name);
            assert!(listed, "`{name}` is not in the list of `contract_tests!`");
            cases += 1;
        }
    }
    assert!(cases > 60, "found {cases}");
}
