//! A server with a configuration that somebody else has written.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::process::{self, Process};
use super::wire::Wire;
use super::{LOOK, PATIENCE};
use crate::leak;

/// A server that runs with a configuration file and nothing else.
#[derive(Debug)]
pub struct WrittenServer {
    port: u16,
    config: PathBuf,
    process: Option<Process>,
}

impl WrittenServer {
    /// A port that a configuration may name.
    pub fn unused_port() -> u16 {
        process::unused_port()
    }

    /// Starts a server and waits until it greets at the port that its configuration names.
    ///
    /// # Panics
    ///
    /// When it ends at once, with what it logged.
    pub fn start(config: &Path, port: u16) -> Self {
        let mut server = Self {
            port,
            config: config.to_owned(),
            process: None,
        };
        server.run();
        server
    }

    fn run(&mut self) {
        let mut process = Process::start(&self.config, &self.log_path());
        let started = Instant::now();
        while Wire::greeting(&format!("127.0.0.1:{}", self.port)).is_err() {
            assert!(
                !process.has_ended() && started.elapsed() < PATIENCE,
                "nats-server does not run with `{}`:\n{}",
                self.config.display(),
                self.log()
            );
            std::thread::sleep(LOOK);
        }
        self.process = Some(process);
    }

    /// Ends it and starts it again.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate(PATIENCE);
        }
        self.run();
    }

    /// Tells it to read its configuration again.
    pub fn reload(&self) {
        let process = self.process.as_ref().expect("it runs");
        process.signal("-HUP");
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.config.with_extension("log")
    }
}

impl Drop for WrittenServer {
    fn drop(&mut self) {
        self.process.take();
        if !std::thread::panicking() {
            leak::check("the log of nats-server", self.log().as_bytes());
        }
    }
}
