//! `kill -9` under eight writers: nothing that was acknowledged is missing, no chain is broken, no
//! append is there in part. And the reason why: a sync of the log before every acknowledgement.
//!
//! `CIM_CRASH_ROUNDS` sets how often (100), `CIM_CRASH_SEED` repeats a run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cim_core::subject::StoreTemplate;
use cim_host::sqlite::SqliteStore;
use cim_host::store::EventStore as _;
use cim_tests::histories::Histories;
use cim_tests::random::Random;
use cim_tests::work::Line;
use tempfile::TempDir;

/// Rounds on one file, which so grows and is recovered again and again.
const ROUNDS_OF_A_FILE: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_writers_are_killed() {
    let rounds = match std::env::var("CIM_CRASH_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("CIM_CRASH_ROUNDS is a number"),
        Err(_) => 100,
    };
    let seed = Random::seed("CIM_CRASH_SEED");
    println!("{rounds} rounds; CIM_CRASH_SEED={seed} repeats them");
    let mut random = Random::new(seed);
    let started = Instant::now();
    let (mut kills, mut begun, mut appends, mut events) = (0, 0, 0, 0);
    let mut left = rounds;
    while left > 0 {
        let directory = tempfile::tempdir().expect("a directory");
        let store = new_store(&directory).await;
        let mut lines = Vec::new();
        let mut found = Histories::default();
        for _ in 0..left.min(ROUNDS_OF_A_FILE) {
            // Now and then a second process writes too, and goes on when the first is killed.
            let processes = if random.below(4) == 0 { 2 } else { 1 };
            let storms: Vec<_> = (0..processes).map(|_| draw(&mut random)).collect();
            let new: Vec<Line> = std::thread::scope(|scope| {
                let storms: Vec<_> = storms
                    .into_iter()
                    .map(|(seed, time)| {
                        scope.spawn({
                            let store = &store;
                            move || storm_until_killed(store, seed, time)
                        })
                    })
                    .collect();
                storms
                    .into_iter()
                    .flat_map(|storm| storm.join().expect("a killed worker"))
                    .collect()
            });
            kills += processes;
            appends += new.iter().filter(|line| is_acknowledged(line)).count();
            begun += new
                .iter()
                .filter(|line| matches!(line, Line::Try(_)))
                .count();
            lines.extend(new);
            found = Histories::read(&store).await;
            lines.iter().for_each(|line| found.check(line));
        }
        events += found.len();
        left -= left.min(ROUNDS_OF_A_FILE);
    }
    println!(
        "{kills} kills, {begun} appends begun, {appends} acknowledged, {events} events verified, \
         {:.1} s",
        started.elapsed().as_secs_f64()
    );
    assert!(
        appends as u64 > rounds,
        "the writers hardly wrote: {appends} acknowledged appends"
    );
}

/// A seed and how long to work, now and then long enough for the log to be moved into the file.
fn draw(random: &mut Random) -> (u64, Duration) {
    let long = random.below(10) == 0;
    let time = if long {
        random.between(100, 300)
    } else {
        random.between(5, 60)
    };
    (random.number(), Duration::from_millis(time))
}

fn is_acknowledged(line: &Line) -> bool {
    matches!(line, Line::Acknowledged { .. })
}

/// Lets the worker append for `time`, kills it, and gives what it told until then.
fn storm_until_killed(store: &Path, seed: u64, time: Duration) -> Vec<Line> {
    let mut worker = worker(store)
        .args(["storm", &seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the worker starts");
    let output = BufReader::new(worker.stdout.take().expect("a pipe"));
    let (ready, is_ready) = mpsc::channel();
    // The pipe is emptied all the time, so that the worker never waits for it.
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in output.lines() {
            let line: Line = line.expect("UTF-8").parse().expect("a line of the worker");
            if line == Line::Ready {
                ready.send(()).expect("the test waits");
            }
            lines.push(line);
        }
        lines
    });
    is_ready
        .recv_timeout(Duration::from_secs(30))
        .expect("the worker opens the store");
    std::thread::sleep(time);
    kill(&mut worker);
    let lines = reader.join().expect("the reader does not panic");
    for line in &lines {
        let expected = match line {
            Line::Refused { code, .. } => code == "version-conflict",
            Line::Unknown(_) | Line::Closed(_) | Line::Done => false,
            Line::Ready | Line::Try(_) | Line::Acknowledged { .. } => true,
        };
        assert!(expected, "on a sound disk the worker said: {line}");
    }
    lines
}

/// Sends SIGKILL; that it was still running shows that it was killed at work.
fn kill(worker: &mut Child) {
    use std::os::unix::process::ExitStatusExt as _;
    worker.kill().expect("the worker runs");
    let status = worker.wait().expect("the worker ends");
    assert_eq!(
        status.signal(),
        Some(9),
        "the worker ended by itself: {status}"
    );
}

/// A power cut takes what was not synced. So the log must be synced after the last write to it and
/// before the acknowledgement; a trace of the system calls of one append shows that it is.
#[tokio::test]
async fn the_log_is_synced_between_the_last_write_and_the_acknowledgement() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = new_store(&directory).await;
    let trace = directory.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "64", "-e"])
        .arg("trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync")
        .arg("-o")
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_append-worker"))
        .arg(&store)
        .arg("once")
        .output()
        .expect("this test needs strace: install the package `strace`");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "strace failed: {talk}");
    let trace = fs::read_to_string(&trace).expect("a trace");
    let lines: Vec<&str> = trace.lines().collect();

    let find = |from: usize, wanted: &dyn Fn(&str) -> bool| {
        lines[from..]
            .iter()
            .position(|line| wanted(line))
            .map(|found| from + found)
    };
    let on_log = |line: &str| line.contains("cim.db-wal>");
    let acknowledged = find(0, &|line| line.contains("\"committed "))
        .unwrap_or_else(|| panic!("no acknowledgement in the trace:\n{trace}"));
    let last_write = lines[..acknowledged]
        .iter()
        .rposition(|line| on_log(line) && line.contains("write"))
        .unwrap_or_else(|| panic!("no write to the log before the acknowledgement:\n{trace}"));
    let begun = find(last_write, &|line| {
        on_log(line) && (line.contains("fdatasync(") || line.contains("fsync("))
    })
    .unwrap_or_else(|| panic!("no sync of the log after the last write:\n{trace}"));
    let ended = if lines[begun].contains("<unfinished") {
        let process = lines[begun].split(' ').next().expect("a process id");
        find(begun, &|line| {
            line.starts_with(process) && line.contains("sync resumed>")
        })
    } else {
        Some(begun)
    };
    let ended = ended.unwrap_or_else(|| panic!("the sync of the log never ended:\n{trace}"));
    for line in [last_write, begun, ended, acknowledged] {
        println!("{:>4}: {}", line + 1, lines[line]);
    }
    assert!(
        lines[ended].ends_with("= 0"),
        "the sync failed: {}",
        lines[ended]
    );
    assert!(
        ended < acknowledged,
        "acknowledged before the log was synced:\n{trace}"
    );
}

fn worker(store: &Path) -> Command {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_append-worker"));
    worker.arg(store);
    worker
}

async fn new_store(directory: &TempDir) -> std::path::PathBuf {
    let path = directory.path().join("cim.db");
    let store = SqliteStore::create(&path, StoreTemplate::default()).expect("a new store");
    store.close().await.expect("a store that can be closed");
    path
}
