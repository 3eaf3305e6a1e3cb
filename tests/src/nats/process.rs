//! The process of a server.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{LOOK, VERSION};

/// A running server, and beside it a shell that kills it when this process dies: the shell waits
/// for the end of a pipe whose other end only this process has.
#[derive(Debug)]
pub(super) struct Process {
    server: Child,
    watcher: Child,
}

impl Process {
    /// Starts the program in the folder of its configuration; what it logs is appended to `log`.
    pub(super) fn start(config: &Path, log: &Path) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log can be opened");
        let server = Command::new(program())
            .arg("--config")
            .arg(config)
            .current_dir(config.parent().expect("a file is in a folder"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts");
        let watcher = Command::new("sh")
            .args(["-c", "read -r end; kill -9 \"$1\"", "watcher"])
            .arg(server.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        Self { server, watcher }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        let status = self.server.try_wait().expect("our own child");
        status.is_some()
    }

    /// Ends it without warning.
    pub(super) fn kill9(self) {
        drop(self);
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.server.id().to_string()])
            .status()
            .expect("`kill` starts");
        assert!(sent.success(), "nats-server is not there any more");
    }

    /// Asks it to end and waits.
    pub(super) fn terminate(mut self, patience: Duration) {
        self.signal("-TERM");
        let started = Instant::now();
        while !self.has_ended() {
            assert!(started.elapsed() < patience, "nats-server does not stop");
            std::thread::sleep(LOOK);
        }
    }

    /// The memory in use in bytes.
    pub(super) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.id());
        let status = std::fs::read_to_string(path).expect("Linux tells of processes");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("a running process has memory");
        let kilobytes = line.trim().trim_end_matches(" kB");
        1024 * kilobytes.parse::<u64>().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watcher first: it must not kill a stranger who has the process id later.
        for child in [&mut self.watcher, &mut self.server] {
            // An error says that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The program that `cargo xtask` has fetched.
///
/// # Panics
///
/// When it is not there.
pub fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .expect("HOME or XDG_CACHE_HOME is set");
    let path = cache.join(format!("cim/tools/nats-server-{VERSION}/bin/nats-server"));
    assert!(
        path.is_file(),
        "there is no `{}`: run `cargo xtask nats-server`",
        path.display()
    );
    path
}

/// A port of the loopback interface that nobody has at present.
///
/// It lies below those that systems give to outgoing connections. While a server is down, clients
/// try its port again and again, and one of them could be given that very port as its own: it would
/// be connected to itself, and the server could not come back.
pub(super) fn unused_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Tests of several processes start at different places.
        let next = std::process::id()
            .wrapping_mul(211)
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(next % 20_000).expect("below 20 000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
