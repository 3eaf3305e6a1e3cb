//! A disk that fails: each write and each sync of a short run in turn, in several ways. Nothing
//! acknowledged is lost, nothing is acknowledged that is not there, nothing refused is there, and
//! no append is there in part. And a power cut at each of them, also after a sync has failed, with
//! all that was not synced gone or some of it saved.
//!
//! The failures come from a library that is loaded before libc (`fixtures/failing-disk.c`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cim_core::append::Append;
use cim_core::subject::StoreTemplate;
use cim_core::version::ExpectedVersion;
use cim_host::sqlite::SqliteStore;
use cim_host::store::EventStore as _;
use cim_tests::histories::Histories;
use cim_tests::random::Random;
use cim_tests::work::{Line, event, key};

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
struct Failure {
    error: &'static str,
    count: &'static str,
    torn: bool,
}

const FAILURES: [Failure; 5] = [
    Failure {
        error: "EIO",
        count: "1",
        torn: false,
    },
    Failure {
        error: "EIO",
        count: "3",
        torn: true,
    },
    Failure {
        error: "EIO",
        count: "forever",
        torn: false,
    },
    Failure {
        error: "ENOSPC",
        count: "1",
        torn: true,
    },
    Failure {
        error: "ENOSPC",
        count: "forever",
        torn: true,
    },
];

/// What all runs of one kind came to.
#[derive(Debug, Default)]
struct Tally {
    runs: u64,
    injected: u64,
    kinds: BTreeMap<String, u64>,
    answers: BTreeMap<&'static str, u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_the_disk_fails_at_any_write() {
    let directory = tempfile::tempdir().expect("a directory");
    let shim = build_shim(directory.path());
    let store = make_store(directory.path()).await;

    let whole = Run {
        number: 0,
        failure: FAILURES[0],
        cut: None,
        shim: &shim,
        store: &store,
    };
    let outcome = whole.run(&directory.path().join("whole")).await;
    println!("a run has {} writes and syncs", outcome.calls);
    assert!(
        outcome.calls > 50,
        "the library sees hardly any write: {outcome:?}"
    );
    assert_eq!(outcome.injected, Vec::<String>::new());
    let unsure = outcome
        .lines
        .iter()
        .find(|line| answer_of(line).is_some_and(|a| a != "committed"));
    assert_eq!(unsure, None, "on a sound disk everything is committed");

    // The kinds wait for their disk at the same time.
    let kinds = FAILURES.map(|failure| {
        let (shim, store) = (shim.clone(), store.clone());
        let folder = directory
            .path()
            .join(format!("{failure:?}").replace(['"', ' ', ':'], ""));
        tokio::spawn(async move {
            let mut tally = Tally::default();
            for number in 1..=outcome.calls {
                let run = Run {
                    number,
                    failure,
                    cut: None,
                    shim: &shim,
                    store: &store,
                };
                tally.add(&run, &run.run(&folder).await);
            }
            (failure, tally)
        })
    });
    for kind in kinds {
        let (failure, tally) = kind.await.expect("every run of this kind passes");
        println!("{failure:?}: {tally:?}");
        assert!(
            tally.answers["unknown"] > 0,
            "no failure made an outcome unknown: {failure:?}"
        );
        assert!(
            tally.answers["committed"] > 0,
            "nothing was ever committed: {failure:?}"
        );
        let syncs = tally.kinds.keys().any(|kind| kind.ends_with("sync"));
        assert!(
            syncs && tally.kinds.contains_key("pwrite"),
            "writes and syncs: {failure:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_the_power_goes_at_any_write() {
    let directory = tempfile::tempdir().expect("a directory");
    let shim = build_shim(directory.path());
    let store = make_store(directory.path()).await;
    let run = |number, cut| Run {
        number,
        failure: FAILURES[0],
        cut,
        shim: &shim,
        store: &store,
    };
    let folder = directory.path().join("run");
    let calls = run(0, None).run(&folder).await.calls;
    // The power goes in a run without any other failure, and after each sync has failed.
    let mut failing = vec![0];
    for number in 1..=calls {
        let outcome = run(number, None).run(&folder).await;
        if (outcome.injected.first()).is_some_and(|kind| kind.ends_with("sync")) {
            failing.push(number);
        }
    }
    assert!(failing.len() > 5, "hardly a sync: {failing:?}");

    let syncs = failing.len() - 1;
    let ways = failing.into_iter().map(|number| {
        let (shim, store) = (shim.clone(), store.clone());
        let folder = directory.path().join(format!("cut-{number}"));
        tokio::spawn(async move {
            let (mut cuts, mut answers) = (0_u64, BTreeMap::new());
            // A failure makes a run longer; at its end the power goes anyway.
            let (step, keeps): (_, &[u64]) = match number {
                0 => (1, &[0, 50]),
                _ => (5, &[0]),
            };
            for at in (number + 1..calls + 30).step_by(step) {
                for &keep in keeps {
                    let run = Run {
                        number,
                        failure: FAILURES[0],
                        cut: Some(Cut { at, keep }),
                        shim: &shim,
                        store: &store,
                    };
                    let outcome = run.run(&folder).await;
                    cuts += 1;
                    for answer in outcome.lines.iter().filter_map(answer_of) {
                        *answers.entry(answer).or_insert(0_u64) += 1;
                    }
                }
            }
            (number, cuts, answers)
        })
    });
    let ways: Vec<_> = ways.collect();
    let (mut cuts, mut committed) = (0, 0);
    for way in ways {
        let (number, count, answers) = way.await.expect("every cut passes");
        println!("failing sync {number}, {count} power cuts: {answers:?}");
        (cuts, committed) = (cuts + count, committed + answers["committed"]);
    }
    println!("{cuts} power cuts, {syncs} syncs failed before, {committed} appends acknowledged");
}

impl Tally {
    fn add(&mut self, run: &Run<'_>, outcome: &Outcome) {
        // Two appends at once may share a commit; the run is shorter then.
        let injected = outcome.injected.first();
        assert!(
            injected.is_some() || outcome.calls < run.number,
            "no failure was injected: {run:?}"
        );
        self.runs += 1;
        self.injected += outcome.injected.len() as u64;
        if let Some(kind) = injected {
            *self.kinds.entry(kind.clone()).or_default() += 1;
        }
        for answer in outcome.lines.iter().filter_map(answer_of) {
            *self.answers.entry(answer).or_default() += 1;
        }
        // Once the disk works again, so does the store: the token tells how each append ended.
        let opened = outcome.lines.contains(&Line::Ready);
        if opened && run.failure.count != "forever" {
            let tries = outcome
                .lines
                .iter()
                .filter(|line| matches!(line, Line::Try(_)))
                .count();
            let known = outcome
                .lines
                .iter()
                .filter(|line| matches!(line, Line::Acknowledged { .. } | Line::Refused { .. }));
            assert_eq!(known.count(), tries, "{run:?}: {:#?}", outcome.lines);
        }
    }
}

/// One run of the worker on a copy of the store.
#[derive(Debug)]
struct Run<'a> {
    /// The call that fails; 0 for none.
    number: u64,
    failure: Failure,
    cut: Option<Cut>,
    shim: &'a Path,
    store: &'a Path,
}

/// A power cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// The call at which the power goes.
    at: u64,
    /// How many per cent of what was not synced are saved by chance.
    keep: u64,
}

#[derive(Debug)]
struct Outcome {
    lines: Vec<Line>,
    /// The kinds of calls that were made to fail.
    injected: Vec<String>,
    calls: u64,
}

impl Run<'_> {
    async fn run(&self, folder: &Path) -> Outcome {
        fs::create_dir(folder).expect("a new folder");
        let disk = folder.join("failing-disk");
        fs::create_dir(&disk).expect("a new folder");
        let (store, log) = (disk.join("cim.db"), folder.join("log"));
        fs::copy(self.store, &store).expect("a copy of the store");
        let output = Command::new(env!("CARGO_BIN_EXE_append-worker"))
            .arg(&store)
            .arg("few")
            .env("LD_PRELOAD", self.shim)
            .env("CIM_FAIL_PATH", &disk)
            .env("CIM_FAIL_AT", self.number.to_string())
            .env("CIM_FAIL_COUNT", self.failure.count)
            .env("CIM_FAIL_ERRNO", self.failure.error)
            .env("CIM_FAIL_TORN", if self.failure.torn { "1" } else { "0" })
            .env("CIM_FAIL_LOG", &log)
            .env("CIM_CUT_AT", self.cut.map_or(0, |cut| cut.at).to_string())
            .env(
                "CIM_CUT_KEEP",
                self.cut.map_or(0, |cut| cut.keep).to_string(),
            )
            .output()
            .expect("the worker starts");
        let talk = String::from_utf8_lossy(&output.stderr);
        let code = if self.cut.is_some() { 137 } else { 0 };
        assert_eq!(
            output.status.code(),
            Some(code),
            "{self:?}: the worker failed: {talk}"
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text
            .lines()
            .map(|line| line.parse().expect("a line of the worker"))
            .collect();

        let mut outcome = Outcome {
            lines,
            injected: Vec::new(),
            calls: 0,
        };
        for line in fs::read_to_string(&log)
            .expect("the library was loaded")
            .lines()
        {
            let (kind, number) = line.split_once(' ').expect("a word and a number");
            match kind {
                "cut" => {}
                "calls" => outcome.calls = number.parse().expect("a number"),
                _ => outcome.injected.push(kind.to_owned()),
            }
        }
        let histories = Histories::read(&store).await;
        assert!(
            histories.len() >= 2,
            "{self:?}: what was there before is gone"
        );
        let check = || outcome.lines.iter().for_each(|line| histories.check(line));
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        assert!(checked.is_ok(), "{self:?}, with these answers:\n{text}");
        fs::remove_dir_all(folder).expect("the folder was ours");
        outcome
    }
}

fn answer_of(line: &Line) -> Option<&'static str> {
    match line {
        Line::Acknowledged { already: false, .. } => Some("committed"),
        Line::Acknowledged { already: true, .. } => Some("already committed"),
        Line::Refused { .. } => Some("refused"),
        Line::Unknown(_) => Some("unknown"),
        Line::Closed(_) => Some("not opened or closed"),
        Line::Ready | Line::Try(_) | Line::Done => None,
    }
}

fn build_shim(folder: &Path) -> PathBuf {
    let library = folder.join("failing-disk.so");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
        .arg(&library)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/failing-disk.c"
        ))
        .output()
        .expect("this test needs a C compiler: install `cc`");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cc failed: {talk}");
    library
}

/// A store with two events of before.
async fn make_store(folder: &Path) -> PathBuf {
    let path = folder.join("before.db");
    let store = SqliteStore::create(&path, StoreTemplate::default()).expect("a new store");
    let mut random = Random::new(3);
    let events = vec![event(&mut random, 10), event(&mut random, 10)];
    store
        .append(Append::new(key(1), ExpectedVersion::Any, events))
        .await
        .expect("a sound disk");
    store.close().await.expect("a store that can be closed");
    assert!(
        !folder.join("before.db-wal").exists(),
        "a closed store is one file"
    );
    path
}
