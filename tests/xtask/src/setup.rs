//! What a fresh machine lacks: fetched when it is missing, named when it cannot be fetched.
//!
//! It never installs a toolchain, and touches nothing that is there already.

use std::path::Path;

use crate::command::Run;
use crate::failure::{Failure, UNREACHABLE};
use crate::nats_server;

/// How much of the machine a task uses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Needs {
    /// The WebAssembly targets.
    Plugins,
    /// Also Node and npm.
    Build,
    /// Also Python, with which the demonstration forges a copy.
    Demo,
    /// Also the programs that the tests call, `nats-server` among them.
    Test,
}

/// Makes sure that all of it is there.
///
/// # Errors
///
/// Something is missing and cannot be fetched from here.
pub(crate) fn prepare(needs: Needs) -> Result<(), Failure> {
    wasm_targets()?;
    if needs >= Needs::Build {
        node()?;
    }
    if needs >= Needs::Demo {
        python()?;
    }
    if needs >= Needs::Test {
        debian_programs()?;
        nats_server::ready()?;
    }
    Ok(())
}

fn wasm_targets() -> Result<(), Failure> {
    let sysroot = Run::new("rustc")
        .args(["--print", "sysroot"])
        .quiet_output()?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<&str> = WASM_TARGETS
        .into_iter()
        .filter(|target| !libraries.join(target).join("lib").is_dir())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let add = Run::new("rustup").args(["target", "add"]).args(&missing);
    add.run().map_err(|failure| {
        Failure::new(format!(
            "the Rust targets {} are missing and could not be fetched",
            missing.join(", ")
        ))
        .caused_by(failure.message())
        .help(format!("with a network, run: {add}"))
        .exit(UNREACHABLE)
    })
}

fn node() -> Result<(), Failure> {
    const HELP: &str = "install Node 20 or newer with npm";
    let version = Run::new("node")
        .arg("--version")
        .quiet_output()
        .map_err(|failure| failure.help(HELP))?;
    match major(&version) {
        Some(major) if major >= OLDEST_NODE => {}
        _ => {
            return Err(Failure::new(format!(
                "Node is too old: expected {OLDEST_NODE} or newer, found `{}`",
                version.trim()
            ))
            .help(HELP));
        }
    }
    Run::new("npm")
        .arg("--version")
        .quiet_output()
        .map_err(|failure| failure.help(HELP))?;
    Ok(())
}

fn python() -> Result<(), Failure> {
    Run::new("python3")
        .args(["-c", "import sqlite3"])
        .quiet_output()
        .map(|_| ())
        .map_err(|failure| failure.help("install Python 3 with its module sqlite3"))
}

fn debian_programs() -> Result<(), Failure> {
    let missing: Vec<&str> = TEST_PROGRAMS
        .into_iter()
        .filter(|program| !Run::new(*program).arg("-version").starts())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = Run::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing);
    let absent = format!("the tests need {}", missing.join(" and "));
    let user = Run::new("id").arg("-u").quiet_output().unwrap_or_default();
    if user.trim() != "0" || !Run::new("apt-get").arg("--version").works() {
        return Err(Failure::new(absent).help(format!("as root, run: {install}")));
    }
    Run::new("apt-get")
        .args(["update", "--quiet"])
        .run()
        .and_then(|()| install.run())
        .map_err(|failure| {
            Failure::new(absent)
                .caused_by(failure.message())
                .help(format!("with a network, run: {install}"))
                .exit(UNREACHABLE)
        })
}

/// The first number of `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

const WASM_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip1"];
const OLDEST_NODE: u32 = 20;
/// Programs of the tests, which are also the names of their Debian packages.
const TEST_PROGRAMS: [&str; 3] = ["chromium", "sqlite3", "strace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20.20.2"), None);
    }
}
