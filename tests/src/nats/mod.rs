//! NATS servers for tests, each a process of its own with its own folder and port.
//!
//! A server is ready when it greets a connection. It ends when its value is dropped, and also when
//! the process of the test dies.

mod calls;
mod cluster;
mod deliveries;
mod place;
mod process;
mod proxy;
mod store;
mod wire;
mod written;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::process::Process;
use self::wire::Wire;

pub use self::calls::{at_the_same_time, code_of, committed, history};
pub use self::cluster::NatsCluster;
pub use self::deliveries::Deliveries;
pub use self::place::{Place, wait_until};
pub use self::process::program;
pub use self::proxy::{Cut, NatsProxy};
pub use self::store::{
    FORGOTTEN, STREAM, connect, forgetful_stream, make_store, new_stream, open_store,
};
pub use self::written::WrittenServer;

/// The version that `cargo xtask nats-server` fetches.
pub const VERSION: &str = "2.15.1";

/// How long a server may take for anything, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The pause between two looks at whether something has come about.
const LOOK: Duration = Duration::from_millis(5);

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Whether it has JetStream, with its files in the server's folder; it has by default.
    pub jetstream: bool,
    /// JetStream's `sync_interval`, such as `always`; two minutes by default.
    pub sync_interval: Option<String>,
    /// The largest message in bytes; 1 MiB by default.
    pub max_payload: Option<u64>,
    /// What stands in the block `authorization`; everybody may do everything by default.
    pub authorization: Option<String>,
    /// Further lines of the configuration; relative paths begin in the server's folder.
    pub extra: String,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            jetstream: true,
            sync_interval: None,
            max_payload: None,
            authorization: None,
            extra: String::new(),
        }
    }
}

/// A server. When a test that has it panics, its folder with its log is kept and named.
#[derive(Debug)]
pub struct NatsServer {
    name: String,
    port: u16,
    options: ServerOptions,
    /// The block `cluster`, with those around it.
    cluster: String,
    folder: Option<TempDir>,
    process: Option<Process>,
}

impl NatsServer {
    /// Starts a server and waits until it greets.
    ///
    /// # Panics
    ///
    /// When the program is missing or the server ends at once, with what it logged.
    pub fn start(options: ServerOptions) -> Self {
        loop {
            let mut server = Self::new(process::unused_port(), String::new(), options.clone());
            server.run();
            match server.wait_until_greeting() {
                Ok(()) => return server,
                Err(log) => assert!(is_port_taken(&log), "nats-server ended:\n{log}"),
            }
        }
    }

    fn new(port: u16, cluster: String, options: ServerOptions) -> Self {
        Self {
            name: format!("cim-{}-{port}", std::process::id()),
            port,
            options,
            cluster,
            folder: Some(TempDir::new().expect("a temporary folder can be made")),
            process: None,
        }
    }

    /// The address for clients, `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// The address without scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port, which stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name, which no other server of a test has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder: configuration, log and data.
    pub fn folder(&self) -> &Path {
        self.folder
            .as_ref()
            .expect("the folder is there until the server is dropped")
            .path()
    }

    /// Where it logs; further runs append.
    pub fn log_path(&self) -> PathBuf {
        self.folder().join("log.txt")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Whether it runs, as far as we have ended it or not.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The memory in use in bytes, as Linux counts it (`VmRSS`).
    ///
    /// # Panics
    ///
    /// When it does not run, or the system tells nothing.
    pub fn memory(&self) -> u64 {
        self.process.as_ref().expect("the server runs").memory()
    }

    /// Sends a request, such as one to JetStream's API or a message for a stream, and gives the
    /// answer. Only where no password is needed.
    ///
    /// # Errors
    ///
    /// If there is no answer, or the answer is an error of JetStream, which is told whole.
    pub fn ask(&self, subject: &str, body: &Value) -> io::Result<Value> {
        self.ask_for(ANSWER, subject, body)
    }

    /// Makes a stream that stays, for a test that deletes others and makes them again: with the last
    /// stream of an account the server removes the account's folder in the background, and fails to
    /// make a stream in the meantime.
    ///
    /// # Panics
    ///
    /// When the server does not make it.
    pub fn keep_account(&self) {
        let stream = json!({ "name": "STAYS", "subjects": ["stays"] });
        self.ask("$JS.API.STREAM.CREATE.STAYS", &stream)
            .expect("made");
    }

    /// Publishes a message whose headers are these bytes, of which the server looks at none, and
    /// gives its sequence.
    ///
    /// # Panics
    ///
    /// When no stream takes it.
    pub fn publish_foreign(&self, subject: &str, block: &[u8], body: &str) -> u64 {
        let answer = Wire::connect(&self.address(), ANSWER)
            .and_then(|mut wire| wire.publish(subject, block, body));
        let answer = answer.expect("the server answers");
        answer["seq"]
            .as_u64()
            .unwrap_or_else(|| panic!("not stored: {answer}"))
    }

    fn ask_for(&self, patience: Duration, subject: &str, body: &Value) -> io::Result<Value> {
        let answer = Wire::connect(&self.address(), patience)?.request(subject, body)?;
        match &answer["error"] {
            Value::Null => Ok(answer),
            error => Err(io::Error::other(error.to_string())),
        }
    }

    /// How the next run will be set up.
    pub fn configure(&mut self, options: ServerOptions) {
        self.options = options;
    }

    /// Lets it read its configuration anew, with what [`configure`](Self::configure) has set, and
    /// waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not run, or refuses the configuration.
    pub fn reload(&self) {
        if let Err(log) = self.try_reload() {
            panic!("nats-server does not reload:\n{log}");
        }
    }

    /// The same where it may refuse.
    ///
    /// # Errors
    ///
    /// Its log, when it goes on with what it had.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn try_reload(&self) -> Result<(), String> {
        let process = self.process.as_ref().expect("it runs");
        let before = self.log().len();
        self.write_config();
        process.signal("-HUP");
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let log = self.log();
            let said = &log[before..];
            if said.contains("Reloaded server configuration") {
                return Ok(());
            }
            if said.contains("Failed to reload") {
                break;
            }
            std::thread::sleep(LOOK);
        }
        Err(self.log())
    }

    /// Ends it without warning (`kill -9`); nothing happens if it does not run.
    pub fn kill9(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill9();
        }
    }

    /// Asks it to end (`kill -TERM`) and waits until it has; nothing happens if it does not run.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate(PATIENCE);
        }
    }

    /// Lets it stand still (`kill -STOP`): its connections stay, and it does not answer.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn suspend(&self) {
        self.process.as_ref().expect("it runs").signal("-STOP");
    }

    /// Lets it go on after [`suspend`](Self::suspend).
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").signal("-CONT");
    }

    /// Starts it again in its folder and on its port, after stopping it if it runs.
    ///
    /// # Panics
    ///
    /// When it ends at once, with what it logged.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
        if let Err(log) = self.wait_until_greeting() {
            panic!("nats-server ended:\n{log}");
        }
    }

    /// Starts the process and does not wait for anything.
    fn run(&mut self) {
        let config = self.write_config();
        self.process = Some(Process::start(&config, &self.log_path()));
    }

    fn write_config(&self) -> PathBuf {
        let path = self.folder().join("server.conf");
        std::fs::write(&path, self.config()).expect("the configuration can be written");
        path
    }

    fn config(&self) -> String {
        let mut text = format!(
            "server_name: {:?}\nlisten: \"{}\"\n",
            self.name,
            self.address()
        );
        let ServerOptions {
            jetstream,
            sync_interval,
            max_payload,
            authorization,
            extra,
        } = &self.options;
        // What cannot fail is not checked: a String takes all that is written.
        if let Some(bytes) = max_payload {
            let _ = writeln!(text, "max_payload: {bytes}");
        }
        if *jetstream {
            let _ = writeln!(text, "jetstream {{");
            let _ = writeln!(text, "  store_dir: {:?}", self.folder().join("data"));
            if let Some(interval) = sync_interval {
                let _ = writeln!(text, "  sync_interval: {interval}");
            }
            let _ = writeln!(text, "}}");
        }
        if let Some(block) = authorization {
            let _ = writeln!(text, "authorization {{\n{block}\n}}");
        }
        text + &self.cluster + extra + "\n"
    }

    /// Waits until the server greets; the error is its log if it ended before.
    fn wait_until_greeting(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            // The name tells it from a stranger that took the port.
            let greeting = Wire::greeting(&self.address());
            if greeting.is_ok_and(|info| info["server_name"] == self.name.as_str()) {
                return Ok(());
            }
            let process = self.process.as_mut().expect("it was started");
            if process.has_ended() {
                self.kill9();
                return Err(self.log());
            }
            assert!(
                started.elapsed() < PATIENCE,
                "nats-server does not greet:\n{}",
                self.log()
            );
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill9();
        if !std::thread::panicking() && self.folder.is_some() {
            crate::leak::check("the log of nats-server", self.log().as_bytes());
        }
        if let Some(folder) = self.folder.take()
            && std::thread::panicking()
        {
            tell(&format!(
                "the log of nats-server is `{}`",
                folder.keep().join("log.txt").display()
            ));
        }
    }
}

/// Another process may take the port between our look at it and the server's start.
fn is_port_taken(log: &str) -> bool {
    log.contains("address already in use")
}

#[allow(
    clippy::print_stderr,
    reason = "it stands beside the message of a test that failed"
)]
fn tell(text: &str) {
    eprintln!("{text}");
}
