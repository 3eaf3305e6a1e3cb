//! Several processes of one user share the local index of a store on NATS, and one of them may be
//! killed at any time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cim_tests::cim_binary;
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

/// How many events each file has, and over how many aggregates.
const EVENTS: u64 = 2000;
const AGGREGATES: u64 = 200;

/// Imports at the same time, of different files and of the same, and one that is killed.
#[test]
fn imports_at_the_same_time() {
    let place = Place::new();
    let url = place.server.url();
    let files = ["a", "b", "c"].map(|name| place.write_rows(name));
    let children = [0, 1, 0, 1].map(|file| (file, place.spawn(&import(&files[file]))));
    let appended = children.map(|(file, child)| place.appended(&files[file], child));
    assert_eq!(appended.iter().sum::<u64>(), 2 * EVENTS, "{appended:?}");

    let [mut killed, beside] = [(); 2].map(|()| place.spawn(&import(&files[2])));
    place.wait_until_stored(2 * EVENTS + EVENTS / 4);
    killed.kill().expect("it is ours");
    killed.wait().expect("it ends");
    let beside = place.appended(&files[2], beside);
    let again = place.spawn(&import(&files[2]));
    assert_eq!(place.appended(&files[2], again), 0, "all is there");
    println!(
        "imports at the same time appended {appended:?}, and beside one that was killed {beside}"
    );

    let stats = place.cim("stats --json").exits(0).json();
    assert_eq!(stats["events"], 3 * EVENTS);
    assert_eq!(stats["aggregates"], 3 * AGGREGATES);
    place.cim("verify").exits(0);
    // The index is as one that a process alone has made.
    let alone = tempfile::tempdir().expect("a folder");
    cim_at_home(alone.path(), &["stats", "--store", &url]).exits(0);
    let (shared, single) = (rows(place.folder.path()), rows(alone.path()));
    assert_eq!(shared.len() as u64, 3 * EVENTS);
    assert!(shared == single, "the index differs from one made alone");
}

/// Commands that append to one history at the same time each have their own version.
#[test]
fn appends_at_the_same_time() {
    const EACH: usize = 15;
    let place = Place::new();
    place.cim("init").exits(0);
    let mut versions: Vec<u64> = std::thread::scope(|scope| {
        let append = || -> Vec<u64> {
            (0..EACH)
                .map(|_| {
                    let ran = place.cim("append loan x LoanOpened --data {} --json");
                    let version = ran.exits(0).json()["version"].as_u64();
                    version.expect("a version")
                })
                .collect()
        };
        let writers = [scope.spawn(append), scope.spawn(append)];
        let versions = writers.map(|writer| writer.join().expect("it does not panic"));
        versions.concat()
    });
    versions.sort_unstable();
    let expected: Vec<u64> = (1..=2 * EACH as u64).collect();
    assert_eq!(versions, expected);
    place.cim("verify").exits(0);

    // Of those that expect the same version, one is right; the others are told who was.
    let expecting = format!(
        "append loan x LoanOpened --data {{}} --expected {}",
        2 * EACH
    );
    let rivals = [(); 4].map(|()| place.spawn(&expecting));
    let mut codes: Vec<i32> = rivals
        .map(|rival| {
            let ran = ended(rival);
            assert!(
                ran.code == 0 || ran.stderr.contains("help: "),
                "{}",
                ran.stderr
            );
            ran.code
        })
        .to_vec();
    codes.sort_unstable();
    assert_eq!(codes, [0, 5, 5, 5]);
}

fn import(file: &Path) -> String {
    let file = file.display();
    format!("import {file} --entity parcel --id-field id --type-field what --time-field when")
}

/// The number that stands before a text.
#[track_caller]
fn number_before(text: &str, behind: &str) -> u64 {
    let before = text.split(behind).next().expect("a first part");
    let number = before.rsplit(' ').next().and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number before `{behind}`: {text}"))
}

/// Position, aggregate, version, event id and CID.
type Row = (i64, String, i64, Vec<u8>, Vec<u8>);

/// Everything that the index in a home says, in the order of positions.
fn rows(home: &Path) -> Vec<Row> {
    let folder = home.join(".cache/cim/index");
    let files = folder.read_dir().expect("the folder of indexes");
    let files = files.map(|file| file.expect("an entry").path());
    let mut databases = files.filter(|file| file.extension().is_some_and(|end| end == "db"));
    let index = Connection::open(databases.next().expect("an index")).expect("a database");
    assert_eq!(databases.next(), None, "there is one store");
    let mut statement = index
        .prepare(
            "SELECT position, namespace || '.' || entity || '.' || key, version, event_id, \
             events.cid FROM events JOIN aggregates ON aggregates.id = events.aggregate \
             ORDER BY position",
        )
        .expect("the tables of an index");
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        ))
    });
    let rows: Result<_, _> = rows.expect("it can be asked").collect();
    rows.expect("rows")
}

/// A server, and a folder with the home of the user.
struct Place {
    server: NatsServer,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            server: NatsServer::start(ServerOptions::default()),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    #[track_caller]
    fn cim(&self, arguments: &str) -> Ran {
        let url = self.server.url();
        let arguments = format!("{arguments} --store {url}");
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        cim_at_home(self.folder.path(), &arguments)
    }

    /// The same, without waiting for the end.
    fn spawn(&self, arguments: &str) -> Child {
        Command::new(cim_binary())
            .args(arguments.split_whitespace())
            .args(["--store", &self.server.url()])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`cim` starts")
    }

    /// Writes a file of events whose aggregates no other file has.
    fn write_rows(&self, name: &str) -> PathBuf {
        let mut text = "id,what,when,station\n".to_owned();
        for row in 0..EVENTS {
            let (round, parcel) = (row / AGGREGATES, row % AGGREGATES);
            writeln!(
                text,
                "{name}-{parcel},Parcel moved,2025-01-{:02}T00:00:00Z,station-{}",
                1 + round,
                (parcel + round) % 17
            )
            .expect("a String takes all");
        }
        let path = self.folder.path().join(format!("{name}.csv"));
        std::fs::write(&path, text).expect("a writable folder");
        path
    }

    /// How many events an import has appended in the end. One that meets another import of the same
    /// events in the middle of a step may be told of a conflict, and to go on with the same command.
    #[track_caller]
    fn appended(&self, file: &Path, child: Child) -> u64 {
        let mut ran = ended(child);
        while ran.code == 5 {
            assert!(ran.stderr.contains("help: "), "{}", ran.stderr);
            ran = self.cim(&import(file));
        }
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        number_before(&ran.stdout, " appended")
    }

    fn wait_until_stored(&self, count: u64) {
        let started = Instant::now();
        loop {
            let info = self
                .server
                .ask("$JS.API.STREAM.INFO.CIM-EVENTS", &json!({}));
            let found = info
                .ok()
                .and_then(|info| info["state"]["messages"].as_u64());
            if found.is_some_and(|found| found >= count) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{found:?}");
        }
    }
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        command: "cim".to_owned(),
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        time: Duration::ZERO,
    }
}
