//! Identities in a folder, made and changed by `cim keys`.

#![allow(dead_code, reason = "each test that takes this in uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cim_tests::cim_binary;
use cim_tests::nats::WrittenServer;
use cim_tests::program::Ran;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A folder with an event store and identities.
pub(crate) struct Identities {
    folder: TempDir,
    port: u16,
}

impl Identities {
    /// What `cim keys init` makes, with more arguments.
    pub(crate) fn init(arguments: &[&str]) -> Self {
        let identities = Self {
            folder: tempfile::tempdir().expect("a folder"),
            port: WrittenServer::unused_port(),
        };
        let listen = format!("127.0.0.1:{}", identities.port);
        let all = [
            &["init", "--listen", &listen, "--server-name", "one"],
            arguments,
        ]
        .concat();
        identities.keys(&all);
        identities
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn creds(&self, user: &str) -> PathBuf {
        self.path().join(format!("identity/creds/{user}.creds"))
    }

    /// A server with the configuration that was written.
    pub(crate) fn server(&self) -> WrittenServer {
        let config = self.path().join("identity/nats-server.conf");
        WrittenServer::start(&config, self.port)
    }

    /// The command, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cim_binary());
        command
            .arg("keys")
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("CIM_PASSPHRASE", PASSPHRASE)
            .env("NATS_URL", format!("nats://127.0.0.1:{}", self.port));
        command
    }

    /// Runs `cim keys`, however it ends.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments), "`cim`")
    }

    /// Runs `cim keys`, which must end well.
    #[track_caller]
    pub(crate) fn keys(&self, arguments: &[&str]) -> Ran {
        self.run(arguments).exits(0)
    }

    /// The same with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.keys(&[arguments, &["--json"]].concat()).json()
    }
}
