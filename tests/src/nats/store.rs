//! Event stores on the servers of a test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cim_core::subject::StoreTemplate;
use cim_host::clock;
use cim_host::jetstream::{
    JetStreamClient, JetStreamStore, NatsOptions, StreamConfig, event_stream,
};

/// The name of the stream.
pub const STREAM: &str = "EVENTS";

/// Longer than the window in which a [`forgetful_stream`] knows message ids again. The server does
/// not tell when it forgets one, so a test sleeps for so long.
pub const FORGOTTEN: Duration = Duration::from_millis(1500);

/// The stream of a new store, for the events of `local.main.events`.
///
/// # Panics
///
/// Never: all parts are valid.
pub fn new_stream(replicas: u32) -> StreamConfig {
    let namespace = "local.main.events".parse().expect("a namespace");
    let template = StoreTemplate::default();
    let (id, now) = (clock::store_id(), clock::now());
    event_stream(STREAM, &template, &[namespace], replicas, id, now).expect("no constants")
}

/// The same, forgetting the ids of messages after a second, so that a test can outlast it.
pub fn forgetful_stream(replicas: u32) -> StreamConfig {
    let window = Duration::from_secs(1);
    StreamConfig {
        duplicate_window: u64::try_from(window.as_nanos()).expect("short"),
        ..new_stream(replicas)
    }
}

/// Makes a store.
///
/// # Panics
///
/// When the server does not make it.
pub async fn make_store(url: &str, stream: &StreamConfig, folder: &Path) -> Arc<JetStreamStore> {
    let store = JetStreamStore::create(connect(url).await, stream, "nats://test", folder).await;
    Arc::new(store.expect("a new store"))
}

/// Opens the store through a connection of its own, with its index in `folder`.
///
/// # Panics
///
/// When it cannot be reached.
pub async fn open_store(url: &str, folder: &Path) -> Arc<JetStreamStore> {
    let store = JetStreamStore::open(connect(url).await, STREAM, "nats://test", folder).await;
    Arc::new(store.expect("the store is there"))
}

/// Connects.
///
/// # Panics
///
/// When no server answers.
pub async fn connect(url: &str) -> Arc<JetStreamClient> {
    let options = NatsOptions::new(url).expect("a URL");
    Arc::new(JetStreamClient::connect(&options).await.expect("a server"))
}
