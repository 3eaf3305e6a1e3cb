//! A server with a store, and the machines of its users.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::version::ExpectedVersion;
use cim_host::jetstream::{JetStreamStore, StreamConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{LOOK, NatsServer, PATIENCE, STREAM, ServerOptions, committed, make_store, open_store};
use crate::random::Random;
use crate::work::{event, key};

/// A server with a store, and a folder for copies and for the index of each machine.
#[derive(Debug)]
pub struct Place {
    /// The server.
    pub server: NatsServer,
    /// Where the indexes of the machines lie, and copies of the server's data.
    pub folder: TempDir,
    /// What events are drawn from.
    pub random: Random,
}

impl Place {
    /// A server that lets everybody do everything, with a store in this stream.
    ///
    /// # Panics
    ///
    /// When the server does not start or the store cannot be made.
    pub async fn new(stream: &StreamConfig) -> Self {
        let place = Self::start(ServerOptions::default());
        make_store(&place.server.url(), stream, &place.index("maker")).await;
        place
    }

    /// With a user `admin` that may do everything, and one, `other`, that may not publish to a
    /// subject.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub async fn denied(stream: &StreamConfig, subject: &str) -> Self {
        let users = format!(
            r#"users: [
              {{ user: "admin", password: "pw" }}
              {{ user: "other", password: "pw", permissions: {{
                  publish: {{ deny: ["{subject}"] }}, subscribe: [">"] }} }}
            ]"#
        );
        let place = Self::start(ServerOptions {
            authorization: Some(users),
            ..ServerOptions::default()
        });
        make_store(&place.url_of("admin"), stream, &place.index("maker")).await;
        place
    }

    fn start(options: ServerOptions) -> Self {
        Self {
            server: NatsServer::start(options),
            folder: tempfile::tempdir().expect("a folder"),
            random: Random::new(1),
        }
    }

    fn url_of(&self, user: &str) -> String {
        format!("nats://{user}:pw@{}", self.server.address())
    }

    /// Where the machine of this name has its index.
    pub fn index(&self, machine: &str) -> PathBuf {
        self.folder.path().join(machine)
    }

    /// A handle of the machine of this name.
    ///
    /// # Panics
    ///
    /// When the store cannot be opened.
    pub async fn open(&self, machine: &str) -> Arc<JetStreamStore> {
        open_store(&self.server.url(), &self.index(machine)).await
    }

    /// A handle of a user, where there are several.
    ///
    /// # Panics
    ///
    /// As [`open`](Self::open).
    pub async fn open_as(&self, user: &str) -> Arc<JetStreamStore> {
        open_store(&self.url_of(user), &self.index(user)).await
    }

    /// A new event.
    pub fn event(&mut self) -> NewEvent {
        event(&mut self.random, 10)
    }

    /// New events.
    pub fn events(&mut self, count: u64) -> Vec<NewEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    /// What appends new events to the aggregate with a number, whatever its version.
    pub fn new_append(&mut self, to: u64, count: u64) -> Append {
        Append::new(key(to), ExpectedVersion::Any, self.events(count))
    }

    /// Appends new events to the aggregate with a number, one after the other.
    ///
    /// # Panics
    ///
    /// When the store refuses one.
    pub async fn append(&mut self, store: &JetStreamStore, to: u64, count: u64) -> Vec<NewEvent> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.extend(self.append_at_once(store, to, 1).await);
        }
        events
    }

    /// The same, all in one append.
    ///
    /// # Panics
    ///
    /// As [`append`](Self::append).
    pub async fn append_at_once(
        &mut self,
        store: &JetStreamStore,
        to: u64,
        count: u64,
    ) -> Vec<NewEvent> {
        let append = self.new_append(to, count);
        committed(store, append.clone()).await;
        append.events
    }

    /// Deletes the store's stream.
    ///
    /// # Panics
    ///
    /// When the server does not.
    pub fn delete_stream(&self) {
        let call = format!("$JS.API.STREAM.DELETE.{STREAM}");
        let deleted = self.server.ask(&call, &json!({}));
        deleted.expect("it is deleted");
    }

    /// Copies what the server has stored, while it stands still.
    ///
    /// # Panics
    ///
    /// When the server does not start again.
    pub fn copy(&mut self) -> PathBuf {
        self.server.stop();
        let copy = self.folder.path().join("copy");
        copy_folder(&self.data(), &copy);
        self.server.restart();
        copy
    }

    /// Lets the server come back with what a copy has.
    ///
    /// # Panics
    ///
    /// When the server does not start again.
    pub fn put_back(&mut self, copy: &Path) {
        self.server.stop();
        std::fs::remove_dir_all(self.data()).expect("it is ours");
        copy_folder(copy, &self.data());
        self.server.restart();
    }

    fn data(&self) -> PathBuf {
        self.server.folder().join("data")
    }

    /// Whether a consumer of the store's stream waits for the message of this sequence, and for no
    /// message before it.
    pub fn is_waited_for(&self, sequence: u64) -> bool {
        let call = format!("$JS.API.CONSUMER.LIST.{STREAM}");
        let consumers = self.server.ask(&call, &json!({})).unwrap_or_default();
        let waits = |consumer: &Value| {
            let begins = consumer["config"]["opt_start_seq"].as_u64().unwrap_or(1);
            let delivered = consumer["delivered"]["stream_seq"].as_u64().unwrap_or(0);
            consumer["num_waiting"] != 0 && begins.max(delivered + 1) == sequence
        };
        consumers["consumers"]
            .as_array()
            .is_some_and(|consumers| consumers.iter().any(waits))
    }
}

/// Waits until something has come about.
///
/// # Panics
///
/// When it takes too long.
pub async fn wait_until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it does not come about");
        tokio::time::sleep(LOOK).await;
    }
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-R").arg(from).arg(to).status();
    assert!(copied.expect("`cp` starts").success());
}
