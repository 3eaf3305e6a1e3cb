//! A resource and a person, as the command `cim` works with them.

#![allow(dead_code, reason = "each test that takes this in uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cim_tests::cim_binary;
use cim_tests::program::{Ran, cim_at_home};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SERVER: &str = "018f2b5c-0000-7000-8000-000000000001";
pub(crate) const REGISTER: &str =
    r#"{"hostname":"web-1","resource_type":"physical_server","tags":["web"]}"#;
pub(crate) const CREATE: &str = r#"{"name":{"components":{"given_names":["Ada"],"family_names":["Lovelace"]},"convention":"Western"},"source":"registration"}"#;

/// An id for a command.
pub(crate) const COMMAND: &str = "018f2b5c-1111-7000-8000-000000000001";

/// The key of the aggregate that most tests are about.
pub(crate) fn key() -> String {
    format!("local.main.events.compute.{SERVER}")
}

/// What a command says on standard error with `--json`.
#[track_caller]
pub(crate) fn error(ran: &Ran) -> Value {
    let read = serde_json::from_str(&ran.stderr);
    read.unwrap_or_else(|error| panic!("{error}: {}", ran.stderr))
}

/// A folder with a store.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn new() -> Self {
        let place = Self::empty();
        place.cim(&["init"]).exits(0);
        place
    }

    /// With a resource and a person that have a snapshot each.
    pub(crate) fn with_snapshots() -> Self {
        let place = Self::new();
        place.set_threshold();
        place.register();
        place
            .command("AssignAssetTag", r#"{"asset_tag":"A 1"}"#)
            .exits(0);
        for (command, data) in [
            ("CreatePerson", CREATE),
            ("SetBirthDate", r#"{"birth_date":"1815-12-10"}"#),
        ] {
            let given = ["command", "person", "p-1", command, "--data", data];
            place.cim(&given).exits(0);
        }
        place
    }

    /// Has snapshots taken every two events.
    pub(crate) fn set_threshold(&self) {
        let config = fs::read_to_string(self.path("cim.toml")).expect("a configuration");
        let config = format!("{config}\n[event_store]\nsnapshot_threshold = 2\n");
        self.write("cim.toml", &config);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("ours");
    }

    /// Another folder with the same files. What no process has open is in the files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::empty();
        for entry in self.0.path().read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name");
            fs::copy(&path, copy.0.path().join(name)).expect("copied");
        }
        copy
    }

    pub(crate) fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path("cim.db")).expect("a database");
        connection.execute_batch(sql).expect("it works");
    }

    #[track_caller]
    pub(crate) fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.0.path(), arguments)
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let folder: &Path = self.0.path();
        Command::new(cim_binary())
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cim starts")
    }

    /// Gives the resource a command.
    #[track_caller]
    pub(crate) fn command(&self, name: &str, data: &str) -> Ran {
        self.cim(&["command", "compute", SERVER, name, "--data", data, "--json"])
    }

    #[track_caller]
    pub(crate) fn register(&self) -> Ran {
        self.register_again(&[]).exits(0)
    }

    #[track_caller]
    pub(crate) fn register_again(&self, more: &[&str]) -> Ran {
        let register = ["command", "compute", SERVER, "RegisterResource"];
        self.cim(&[&register[..], &["--data", REGISTER], more].concat())
    }

    /// The resource.
    #[track_caller]
    pub(crate) fn show(&self) -> Value {
        let show = ["aggregate", "show", "compute", SERVER, "--json"];
        self.cim(&show).exits(0).json()
    }

    /// The CID of the resource's last event.
    #[track_caller]
    pub(crate) fn head(&self) -> String {
        let listed = self.cim(&["aggregate", "list", "compute", "--json"]);
        let listed = listed.exits(0).json();
        let head = listed["aggregates"][0]["head"].as_str();
        head.expect("a CID").to_owned()
    }

    #[track_caller]
    pub(crate) fn snapshots(&self) -> Value {
        self.cim(&["snapshot", "list", "--json"]).exits(0).json()
    }

    /// All events.
    #[track_caller]
    pub(crate) fn export(&self) -> String {
        self.cim(&["read", "--json"]).exits(0).stdout
    }
}
