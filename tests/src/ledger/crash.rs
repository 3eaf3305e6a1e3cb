//! Programs that are killed while they execute commands and take snapshots.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cim_host::repository::{At, LoadedFrom, Repository, SnapshotPolicy};
use cim_host::snapshot::SnapshotStore;
use cim_host::store::EventStore;
use tokio::task::JoinSet;

use super::{Ledger, LedgerCommand, forgetful, ledger_id, ledgers};
use crate::random::Random;

/// The key of the tests' snapshots.
pub const KEY: [u8; 32] = [7; 32];

/// How many ledgers a killed program posts to.
const LEDGERS: u64 = 4;

/// After so many events a snapshot is taken: nearly always one is under way.
const EVERY: u64 = 3;

/// Posts to ledgers until somebody kills the process, telling `ledger version` after each command. The
/// states of the ledgers have `length` bytes and a few.
///
/// # Panics
///
/// When a command is not executed.
pub async fn storm(
    store: Arc<dyn EventStore>,
    snapshots: Arc<dyn SnapshotStore>,
    seed: u64,
    length: usize,
) {
    let policy = SnapshotPolicy {
        every_events: Some(EVERY),
        ..SnapshotPolicy::default()
    };
    let ledgers = ledgers(&store).with_snapshots(snapshots, KEY.into(), policy);
    for ledger in 0..LEDGERS {
        let filled = ledgers
            .execute(&ledger_id(ledger), LedgerCommand::Fill(length))
            .await;
        filled.expect("filled");
    }
    tell("ready");
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        writers.spawn(post(ledgers.clone(), Random::new(seed * 2 + writer)));
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer does not panic");
    }
}

/// Posts for ever.
async fn post(ledgers: Repository<Ledger>, mut random: Random) {
    loop {
        let ledger = random.below(LEDGERS);
        let command = LedgerCommand::post(&format!("account-{}", random.below(10)));
        let posted = ledgers.execute(&ledger_id(ledger), command).await;
        let head = posted.expect("posted").head.expect("an event");
        tell(&format!("{ledger} {}", head.version));
    }
}

/// Writes a line with one system call, so that a process that is killed leaves whole lines.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())
        .expect("somebody reads");
    out.flush().expect("somebody reads");
}

/// Lets a program [`storm`] and kills it, again and again; each time the ledgers are loaded with the
/// snapshots that it has left, and without, which is the same and has all that it told.
///
/// It has up to `most` of time to work. `program` makes the program with a seed, `open` opens the same
/// store.
///
/// # Panics
///
/// When they differ, or something is missing.
#[allow(clippy::print_stdout, reason = "tests say what they have done")]
pub async fn crashes<F: Future<Output = (Arc<dyn EventStore>, Arc<dyn SnapshotStore>)>>(
    name: &str,
    (rounds, most): (u64, Duration),
    program: impl Fn(u64) -> Command,
    open: impl Fn() -> F,
) {
    let seed = Random::seed("CIM_CRASH_SEED");
    println!("{name}: {rounds} rounds; CIM_CRASH_SEED={seed} repeats them");
    let mut random = Random::new(seed);
    let (mut told, mut commands) = (BTreeMap::new(), 0);
    let (mut used, mut behind) = (0, 0);
    for round in 0..rounds {
        let time = Duration::from_micros(random.below(most.as_micros() as u64));
        for (ledger, version) in killed(program(random.number() >> 8), time) {
            let last = told.entry(ledger).or_insert(0);
            *last = version.max(*last);
            commands += 1;
        }
        let (store, snapshots) = open().await;
        let plain = forgetful(&ledgers(&store));
        let never = SnapshotPolicy {
            every_events: None,
            ..SnapshotPolicy::default()
        };
        let with = plain.clone().with_snapshots(snapshots, KEY.into(), never);
        for ledger in 0..LEDGERS {
            let id = ledger_id(ledger);
            let loaded = with.load(&id).await.expect("loaded");
            assert_eq!(loaded.reports, [], "round {round}");
            // A server may still be busy with what the killed program sent last.
            let Some(version) = loaded.version() else {
                assert_eq!(told.get(&ledger), None, "round {round}: all is lost");
                continue;
            };
            let history = plain.load_at(&id, At::Version(version)).await;
            let history = history.expect("loaded");
            assert_eq!(history.from, LoadedFrom::Genesis);
            assert!(
                loaded.state == history.state,
                "round {round}: another state"
            );
            assert_eq!(loaded.head, history.head);
            let postings = history.state.postings + u64::from(!history.state.letters.is_empty());
            assert_eq!(version.get(), postings);
            let acknowledged = told.get(&ledger).copied().unwrap_or(0);
            assert!(
                version.get() >= acknowledged,
                "round {round}: a command is lost"
            );
            if let LoadedFrom::Snapshot(_) = loaded.from {
                used += 1;
                behind += u64::from(loaded.events_folded > 0);
            }
        }
        store.close().await.expect("closed");
    }
    println!(
        "{name}: {commands} commands told, {used} loads with a snapshot, {behind} of them with events \
         behind it"
    );
    assert!(commands > rounds, "the programs hardly worked");
    assert!(used > rounds && behind > 0, "hardly a snapshot was used");
}

/// Kills a program so long after it is ready; gives what it told until then.
fn killed(mut program: Command, time: Duration) -> Vec<(u64, u64)> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child = program
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (ready, is_ready) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut told = Vec::new();
        for line in output.lines() {
            let line = line.expect("UTF-8");
            match line.split_once(' ') {
                None => ready.send(()).expect("the test waits"),
                Some((ledger, version)) => {
                    let number = |text: &str| text.parse().expect("a number");
                    told.push((number(ledger), number(version)));
                }
            }
        }
        told
    });
    is_ready
        .recv_timeout(Duration::from_secs(60))
        .expect("the program opens the store");
    std::thread::sleep(time);
    child.kill().expect("the program runs");
    let status = child.wait().expect("the program ends");
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
    reader.join().expect("the reader does not panic")
}
