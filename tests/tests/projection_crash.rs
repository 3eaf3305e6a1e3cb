//! `cim projection run` of a plugin, killed at any moment.
//!
//! `CIM_PROJECTION_KILLS` sets how often it is killed (100), `CIM_PROJECTION_SEED` repeats a run.

#![allow(clippy::print_stdout, reason = "a long test tells what it did")]

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cim_tests::counting::fill;
use cim_tests::program::sqlite3;
use cim_tests::random::Random;
use cim_tests::{cim_binary, plugin};

const EVENTS: u64 = 100_000;
const AGGREGATES: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_a_plugin_s_documents_are_those_of_an_undisturbed_run() {
    let kills = match std::env::var("CIM_PROJECTION_KILLS") {
        Ok(kills) => kills.parse().expect("CIM_PROJECTION_KILLS is a number"),
        Err(_) => 100,
    };
    let seed = Random::seed("CIM_PROJECTION_SEED");
    println!("{kills} kills; CIM_PROJECTION_SEED={seed} repeats them");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fill(&folder.join("cim.db"), EVENTS, AGGREGATES).await;

    finish(run(folder, "undisturbed.db"));
    let expected = documents(&folder.join("undisturbed.db"));
    assert!(expected.lines().count() > 2, "{expected}");

    let read_model = folder.join("killed.db");
    let (mut killed, mut finished) = (0, 0);
    let mut checkpoints = BTreeSet::new();
    while killed < kills {
        let mut running = run(folder, "killed.db");
        std::thread::sleep(Duration::from_micros(random.below(400_000)));
        if running.try_wait().expect("it was started").is_none() {
            running.kill().expect("it runs or has ended");
            let status = running.wait().expect("it ends");
            killed += u64::from(status.signal() == Some(9));
            checkpoints.insert(checkpoint(&read_model));
            continue;
        }
        // It was at the end: what it has is compared, and it begins anew.
        finish(running);
        assert_eq!(documents(&read_model), expected, "after {killed} kills");
        finished += 1;
        std::fs::remove_file(&read_model).expect("it was there");
    }
    finish(run(folder, "killed.db"));
    assert_eq!(documents(&read_model), expected, "after {killed} kills");
    println!(
        "{killed} kills, {finished} runs to the end before the last, {} different checkpoints",
        checkpoints.len()
    );
    assert!(
        checkpoints.len() as u64 > kills / 4,
        "it hardly worked: {checkpoints:?}"
    );
}

fn run(folder: &Path, into: &str) -> Child {
    Command::new(cim_binary())
        .current_dir(folder)
        .args(["projection", "run"])
        .arg(plugin("activity"))
        .args(["--once", "--into", &format!("sqlite:{into}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`cim` starts")
}

fn finish(mut running: Child) {
    let status = running.wait().expect("it ends");
    assert!(status.success(), "it failed: {status}");
}

fn documents(read_model: &Path) -> String {
    ["types", "pairs", "last"]
        .map(|collection| {
            let rows = format!("SELECT key, document FROM activity__{collection} ORDER BY key");
            sqlite3(read_model, &rows)
        })
        .concat()
}

/// The checkpoint in the read model; nothing before there is one.
fn checkpoint(read_model: &Path) -> String {
    if !read_model.exists() {
        return String::new();
    }
    let there = sqlite3(
        read_model,
        "SELECT count(*) FROM sqlite_schema WHERE name = 'projections'",
    );
    match there.trim() {
        "0" => String::new(),
        _ => sqlite3(read_model, "SELECT position FROM projections"),
    }
}
