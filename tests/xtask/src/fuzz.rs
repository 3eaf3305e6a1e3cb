//! `cargo xtask fuzz`: the parsers under random input.

use std::ffi::OsStr;
use std::fs;

use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::setup::{self, Needs};
use crate::steps::{self, Step};
use crate::tools::CARGO_FUZZ;
use crate::workspace::Workspace;

/// Fuzzes the named targets, or all, for some seconds each.
pub(crate) fn run(
    workspace: &Workspace,
    names: &[String],
    list: bool,
    seconds: u64,
) -> Result<(), Failure> {
    let steps = steps(workspace, seconds, "")?;
    if list {
        steps::list(&steps);
        return Ok(());
    }
    let steps = steps::select(steps, names)?;
    setup::prepare(Needs::Test)?;
    steps::run_all("fuzz", &steps)
}

/// A step for each target, with its name behind a prefix.
pub(crate) fn steps<'a>(
    workspace: &'a Workspace,
    seconds: u64,
    prefix: &str,
) -> Result<Vec<Step<'a>>, Failure> {
    let steps = targets(workspace)?.into_iter().map(|target| {
        Step::new(
            format!("{prefix}{target}"),
            format!("{seconds} seconds of fuzzing"),
            move || fuzz(workspace, &target, seconds),
        )
    });
    Ok(steps.collect())
}

fn targets(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let folder = workspace.path("tests/fuzz/fuzz_targets");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let doing = || format!("cannot list `{}`", folder.display());
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).doing(doing)? {
        let path = entry.doing(doing)?.path();
        if path.extension() == Some(OsStr::new("rs"))
            && let Some(stem) = path.file_stem()
        {
            targets.push(stem.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

fn fuzz(workspace: &Workspace, target: &str, seconds: u64) -> Result<(), Failure> {
    if !Run::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .works()
    {
        return Err(Failure::new("fuzzing needs a nightly toolchain")
            .help("run: rustup toolchain install nightly --profile minimal"));
    }
    let programs = CARGO_FUZZ.ready()?;
    // libFuzzer writes what it finds into the first folder, so the seeds in the second stay as they are.
    let found = workspace.built(&format!("fuzz-corpus/{target}"));
    fs::create_dir_all(&found).doing(|| format!("cannot make `{}`", found.display()))?;
    let run = Run::new("rustup")
        .args(["run", "nightly", "cargo", "fuzz", "run"])
        .args(["--fuzz-dir", "tests/fuzz", target])
        .arg(&found);
    let seeds = format!("tests/fuzz/corpus/{target}");
    let run = if workspace.path(&seeds).is_dir() {
        run.arg(seeds)
    } else {
        run
    };
    run.arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .search_first(&programs)
        .dir(workspace.root())
        .run()
}
