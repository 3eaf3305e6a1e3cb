//! `repository-worker sqlite STORE SEED` and `repository-worker nats URL FOLDER SEED LENGTH`: executes
//! commands and takes snapshots until it is killed.

use std::path::Path;
use std::sync::Arc;

use cim_host::jetstream::{JetStreamSnapshots, JetStreamStore};
use cim_host::sqlite::{SqliteSnapshots, SqliteStore};
use cim_host::store::EventStore as _;
use cim_tests::ledger::storm;
use cim_tests::nats::{STREAM, connect};

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match words[..] {
        ["sqlite", path, seed] => {
            let path = Path::new(path);
            let store = Arc::new(SqliteStore::open(path).expect("a store"));
            let snapshots = Arc::new(SqliteSnapshots::open(path).expect("a store"));
            storm(store, snapshots, number(seed), 0).await;
        }
        ["nats", url, folder, seed, length] => {
            let port = connect(url).await;
            let store = JetStreamStore::open(port.clone(), STREAM, url, Path::new(folder)).await;
            let store = store.expect("a store");
            let snapshots = JetStreamSnapshots::new(port, store.info().store_id, 1);
            let length = number(length) as usize;
            storm(Arc::new(store), Arc::new(snapshots), number(seed), length).await;
        }
        _ => panic!("no such work: {words:?}"),
    }
}
