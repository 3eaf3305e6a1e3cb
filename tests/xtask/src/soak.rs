//! `cargo xtask soak`: checks that take long, because they look for what seldom happens.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use crate::cim::Cim;
use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::fuzz;
use crate::js;
use crate::setup::{self, Needs};
use crate::steps::{self, Step};
use crate::workspace::Workspace;

/// How long each check goes on.
#[derive(Debug)]
pub(crate) struct Length {
    pub(crate) seconds: u64,
    pub(crate) rounds: u64,
    pub(crate) events: u64,
    pub(crate) kills: u64,
}

/// Runs the named long checks, or all.
pub(crate) fn run(
    workspace: &Workspace,
    names: &[String],
    list: bool,
    length: &Length,
) -> Result<(), Failure> {
    let steps = steps(workspace, length)?;
    if list {
        steps::list(&steps);
        return Ok(());
    }
    let steps = steps::select(steps, names)?;
    setup::prepare(Needs::Test)?;
    steps::run_all("soak", &steps)
}

fn steps<'a>(workspace: &'a Workspace, length: &'a Length) -> Result<Vec<Step<'a>>, Failure> {
    let mut steps = vec![
        Step::new(
            "crash",
            format!(
                "{} rounds of kill -9 under writers, about 2 minutes for 1000",
                length.rounds
            ),
            move || crash(workspace, length.rounds),
        ),
        Step::new(
            "races",
            format!(
                "writers on NATS race while the leader is killed {} times, about {} minutes",
                length.kills,
                1 + length.kills / 5
            ),
            move || races(workspace, length.kills),
        ),
        Step::new(
            "million",
            format!(
                "import, verify and export {} events, a few minutes for 1000000",
                length.events
            ),
            move || million(workspace, length.events),
        ),
        Step::new(
            "nats-size",
            format!(
                "a stream of {} events on NATS against one of 10000, some 3 minutes for 1000000",
                length.events
            ),
            move || nats_size(workspace, length.events),
        ),
    ];
    steps.extend(fuzz::steps(workspace, length.seconds, "fuzz-")?);
    Ok(steps)
}

fn crash(workspace: &Workspace, rounds: u64) -> Result<(), Failure> {
    let cargo = |arguments: &[&str]| Run::cargo().args(arguments).dir(workspace.root());
    cargo(&["test", "--locked", "--release", "--package", "cim-tests"])
        .args(["--test", "crash", "--", "--nocapture"])
        .env("CIM_CRASH_ROUNDS", rounds.to_string())
        .run()
}

/// Each test alone, so that one does not slow down the other.
fn races(workspace: &Workspace, kills: u64) -> Result<(), Failure> {
    let cargo = |arguments: &[&str]| Run::cargo().args(arguments).dir(workspace.root());
    cargo(&["test", "--locked", "--release", "--package", "cim-tests"])
        .args(["--test", "nats_races"])
        .args(["--", "--nocapture", "--test-threads=1"])
        .env("CIM_RACE_KILLS", kills.to_string())
        .run()
}

/// What does not depend on the size of a stream, and what does.
fn nats_size(workspace: &Workspace, events: u64) -> Result<(), Failure> {
    Run::cargo()
        .args(["bench", "--locked", "--package", "cim-tests"])
        .args(["--bench", "nats_size"])
        .env("CIM_BENCH_EVENTS", events.to_string())
        .dir(workspace.root())
        .run()
}

/// A large import: again it appends nothing; store and export verify, in Node too, with one result.
fn million(workspace: &Workspace, events: u64) -> Result<(), Failure> {
    let temp = tempfile::tempdir().doing(|| "cannot make a folder".to_owned())?;
    write_rows(&temp.path().join("large.csv"), events).doing(|| "cannot write rows".to_owned())?;
    js::build(workspace)?;
    let cim = Cim::build_release(workspace, temp.path())?;
    let import =
        "import large.csv --entity parcel --id-field id --type-field what --time-field when";
    timed(|| cim.run(import).run())?;
    timed(|| cim.run(import).run())?;
    timed(|| cim.run("stats").run())?;
    timed(|| cim.run("verify").run())?;
    timed(|| cim.run("export large.jsonl").run())?;
    let rust = timed(|| {
        cim.run("verify --export large.jsonl --json")
            .shown_output(0)
    })?;
    let node = timed(|| {
        cim.other("node")
            .arg(workspace.path("js/bin/cim-events.mjs"))
            .args(["verify", "large.jsonl"])
            .shown_output(0)
    })?;
    if rust != node {
        return Err(Failure::new("Rust and Node disagree about the export"));
    }
    // The second import must have appended nothing.
    let report: serde_json::Value =
        serde_json::from_str(&rust).doing(|| "cannot read the report".to_owned())?;
    if report["events"] != events {
        let found = &report["events"];
        return Err(Failure::new(format!(
            "expected {events} events, found {found}"
        )));
    }
    Ok(())
}

/// Rows of parcels whose histories interleave, from a fixed sequence of numbers.
fn write_rows(path: &Path, events: u64) -> std::io::Result<()> {
    const STATIONS: u64 = 10;
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "id,what,when,station,weight")?;
    for row in 0..events {
        let (round, parcel) = (row % STATIONS, row / STATIONS);
        let what = match round {
            0 => "Parcel accepted",
            9 => "Parcel delivered",
            _ => "Parcel moved",
        };
        let time = parcel % 86_400;
        writeln!(
            out,
            "p-{parcel},{what},2025-01-{:02}T{:02}:{:02}:{:02}Z,station-{},{}",
            1 + round,
            time / 3600,
            time / 60 % 60,
            time % 60,
            (parcel + round * 7) % 97,
            100 + parcel % 900,
        )?;
    }
    out.flush()
}

fn timed<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let start = Instant::now();
    let result = work();
    println!("  took {:.1} s", start.elapsed().as_secs_f64());
    result
}
