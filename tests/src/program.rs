//! Programs that tests run: `cim`, Node, `sqlite3`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::{cim_binary, leak};

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// As it was typed.
    pub command: String,
    /// The exit code.
    pub code: i32,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
    /// How long it took.
    pub time: Duration,
}

impl Ran {
    /// Runs `command`.
    ///
    /// # Panics
    ///
    /// When it does not start, for which `need` says what to install.
    #[track_caller]
    pub fn of(command: &mut Command, need: &str) -> Self {
        let started = Instant::now();
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => panic!("this test needs {need}: {command:?}: {error}"),
        };
        let time = started.elapsed();
        for bytes in [&output.stdout, &output.stderr] {
            leak::check(&format!("the output of {command:?}"), bytes);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            command: format!("{command:?}"),
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            time,
        }
    }

    /// Checks the exit code.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let Self {
            command,
            code: found,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(
            *found, code,
            "{command}\nstdout: {stdout}\nstderr: {stderr}"
        );
        self
    }

    /// Standard output as one JSON document.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        let read = serde_json::from_str(&self.stdout);
        read.unwrap_or_else(|error| panic!("{}: {error}: {}", self.command, self.stdout))
    }
}

/// `cim` in a folder, on its store `cim.db` unless an argument names another.
#[track_caller]
pub fn cim(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(cim_binary());
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("CIM_STORE");
    Ran::of(&mut command, "`cim`")
}

/// `cim` in a folder that is also the user's, so that no setting and no index of another user
/// counts.
#[track_caller]
pub fn cim_at_home(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(cim_binary());
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder);
    Ran::of(&mut command, "`cim`")
}

/// Runs SQL with the `sqlite3` command.
///
/// # Panics
///
/// When it is absent or refuses the SQL.
#[track_caller]
pub fn sqlite3(database: &Path, sql: &str) -> String {
    let mut command = Command::new("sqlite3");
    command.args(["-batch", "-bail"]).arg(database).arg(sql);
    let ran = Ran::of(&mut command, "the package `sqlite3`").exits(0);
    assert_eq!(ran.stderr, "", "{}", ran.command);
    ran.stdout.trim_end().to_owned()
}

/// Verifies an export in Node, with the package of the present sources.
#[track_caller]
pub fn verify_in_node(folder: &Path, export: &str) -> Ran {
    let mut command = Command::new("node");
    command
        .arg(package().join("bin/cim-events.mjs"))
        .args(["verify", export])
        .current_dir(folder);
    Ran::of(&mut command, "Node 20")
}

/// The folder of the npm package, built if it is not or older than its sources.
fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the workspace");
        let js = root.join("js");
        let built =
            ["wasm/node/cim_wasm_bg.wasm", "dist/index.js"].map(|file| changed(&js.join(file)));
        let built = built.into_iter().min().flatten();
        let source = ["core/src", "wasm/src", "js/src"].map(|folder| changed(&root.join(folder)));
        if built < source.into_iter().max().flatten() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["xtask", "wasm"]).current_dir(root);
            Ran::of(&mut build, "cargo").exits(0);
        }
        js
    })
}

/// When the file, or the youngest in the folder, was changed last; `None` where there is none.
fn changed(path: &Path) -> Option<SystemTime> {
    let own = path.metadata().ok()?;
    if !own.is_dir() {
        return own.modified().ok();
    }
    let entries = path.read_dir().ok()?;
    entries
        .filter_map(|entry| changed(&entry.ok()?.path()))
        .max()
}
