//! Tampering with copies of a store, by `sqlite3`, and of an export: every way is found, with the
//! event and the reason, and of an export Rust and Node say the same word for word. At the end,
//! what a plain chain cannot find.
//!
//! The store has the orders `order-a` (six events) and `order-b` (four), made by `cim import`, and
//! `order-c` with metadata, made by `cim append`.

use std::fs;
use std::path::Path;

use cim_core::chain::NOT_PROVEN;
use cim_core::cid::Cid;
use cim_tests::program::{Ran, cim, sqlite3, verify_in_node};
use serde_json::Value;
use tempfile::TempDir;

const ROWS: &str = "\
id,what,when,note
order-a,Order placed,2026-01-01T08:00:00Z,note-a1
order-b,Order placed,2026-01-01T09:00:00Z,note-b1
order-a,Order paid,2026-01-02T08:00:00Z,note-a2
order-b,Order paid,2026-01-02T09:00:00Z,note-b2
order-a,Order packed,2026-01-03T08:00:00Z,note-a3
order-a,Order sent,2026-01-04T08:00:00Z,note-a4
order-b,Order packed,2026-01-03T09:00:00Z,note-b3
order-a,Order received,2026-01-05T08:00:00Z,note-a5
order-b,Order sent,2026-01-04T09:00:00Z,note-b4
order-a,Order returned,2026-01-06T08:00:00Z,note-a6
";

/// A sound store and its export, in a folder.
struct Sound {
    folder: TempDir,
}

impl Sound {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sound = Self { folder };
        fs::write(sound.path().join("orders.csv"), ROWS).expect("a file");
        let import =
            "import orders.csv --entity order --id-field id --type-field what --time-field when";
        sound.cim(import).exits(0);
        let append = |id: &str, more: &str| {
            sound
                .cim(&format!("append order order-c {id} --data {{}} {more}"))
                .exits(0)
        };
        append(
            "OrderPlaced",
            "--time 2026-01-01T10:00:00Z --meta Tenant=blue",
        );
        append("OrderPaid", "--time 2026-01-02T10:00:00Z");
        let report = sound.cim("verify --json").exits(0).json();
        assert_eq!(
            (&report["events"], &report["aggregates"]),
            (&12.into(), &3.into())
        );
        sound.cim("export sound.cim").exits(0);
        sound
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cim(&self, line: &str) -> Ran {
        cim(self.path(), &line.split_whitespace().collect::<Vec<_>>())
    }

    /// A copy of the store, changed by `sql`, under the name `tampered.db`.
    fn tamper_store(&self, sql: &str) {
        let copy = self.path().join("tampered.db");
        let _ = fs::remove_file(&copy);
        sqlite3(
            &self.path().join("cim.db"),
            &format!("VACUUM INTO '{}'", copy.display()),
        );
        let before = sqlite3(&copy, ".dump");
        sqlite3(&copy, sql);
        assert_ne!(
            sqlite3(&copy, ".dump"),
            before,
            "the SQL changes nothing: {sql}"
        );
    }

    /// A copy of the export, changed by `change`, under the name `tampered.cim`.
    fn tamper_export(&self, change: impl FnOnce(&mut Vec<String>)) {
        let text = fs::read_to_string(self.path().join("sound.cim")).expect("an export");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        let tampered = lines.join("\n") + "\n";
        assert_ne!(tampered, text, "nothing is changed");
        fs::write(self.path().join("tampered.cim"), tampered).expect("a file");
    }

    /// The id of an event, as `order-a 3`.
    fn id(&self, event: &str) -> String {
        let line = self.line(event);
        let event: Value = serde_json::from_str(&self.lines()[line]).expect("an event");
        event["headers"]["CIM-Event-Id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// The index of its line in the export, which is also its position in the store.
    fn line(&self, event: &str) -> usize {
        let (id, version) = event
            .split_once(' ')
            .expect("an aggregate's id and a version");
        let (id, version) = (
            format!(".order.{id}."),
            format!(r#""CIM-Aggregate-Version":"{version}""#),
        );
        let fits = |line: &String| line.contains(&id) && line.contains(&version);
        self.lines()
            .iter()
            .position(fits)
            .unwrap_or_else(|| panic!("no event `{event}`"))
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("sound.cim")).expect("an export");
        text.lines().map(str::to_owned).collect()
    }
}

/// The SQL condition for an event, as `order-a 3`.
fn at(event: &str) -> String {
    let (id, version) = event
        .split_once(' ')
        .expect("an aggregate's id and a version");
    format!("aggregate = (SELECT id FROM aggregates WHERE key = '{id}') AND version = {version}")
}

#[test]
fn tampering_with_a_store_is_found() {
    let sound = Sound::new();
    let column = |name: &str, event: &str| {
        sqlite3(
            &sound.path().join("cim.db"),
            &format!("SELECT quote({name}) FROM events WHERE {}", at(event)),
        )
    };
    let set = |event: &str, what: &str| format!("UPDATE events SET {what} WHERE {};", at(event));
    let swap = |column_name: &str, one: &str, other: &str| {
        let (first, second) = (column(column_name, one), column(column_name, other));
        // By position, since versions and positions themselves are swapped too, over a value that
        // no row has.
        let (one, other) = (column("position", one), column("position", other));
        if column_name == "position" {
            return format!(
                "UPDATE events SET position = 999 WHERE position = {one};
                 UPDATE events SET position = {one} WHERE position = {other};
                 UPDATE events SET position = {other} WHERE position = 999;"
            );
        }
        let unused = if column_name == "version" {
            "999"
        } else {
            "x''"
        };
        format!(
            "UPDATE events SET {column_name} = {unused} WHERE position = {one};
             UPDATE events SET {column_name} = {first} WHERE position = {other};
             UPDATE events SET {column_name} = {second} WHERE position = {one};"
        )
    };
    let cases = [
        (
            "one byte of a body",
            set(
                "order-a 3",
                "body = CAST(replace(CAST(body AS TEXT), 'note-a3', 'note-b3') AS BLOB)",
            ),
            "order-a 3",
            "wrong-cid",
        ),
        (
            "an event deleted",
            format!("DELETE FROM events WHERE {}", at("order-a 3")),
            "order-a 4",
            "gap",
        ),
        (
            "the first event deleted",
            format!("DELETE FROM events WHERE {}", at("order-b 1")),
            "order-b 2",
            "gap",
        ),
        (
            "two bodies swapped",
            swap("body", "order-a 2", "order-a 4"),
            "order-a 2",
            "wrong-cid",
        ),
        (
            "two versions swapped",
            swap("version", "order-a 2", "order-a 4"),
            "order-a 2",
            "wrong-cid",
        ),
        (
            "two places swapped",
            swap("position", "order-a 2", "order-a 3"),
            "order-a 3",
            "gap",
        ),
        (
            "the source edited",
            set("order-b 2", "source = 'forger'"),
            "order-b 2",
            "wrong-cid",
        ),
        (
            "the time edited",
            set("order-b 2", "time = time + 1"),
            "order-b 2",
            "wrong-cid",
        ),
        (
            "metadata edited",
            set("order-c 1", "metadata = replace(metadata, 'blue', 'red')"),
            "order-c 1",
            "wrong-cid",
        ),
        (
            "an aggregate renamed",
            "UPDATE aggregates SET key = 'order-x' WHERE key = 'order-b'".to_owned(),
            "order-b 1",
            "wrong-cid",
        ),
        (
            "an event given to another aggregate",
            set(
                "order-a 5",
                "aggregate = (SELECT id FROM aggregates WHERE key = 'order-b')",
            ),
            "order-a 5",
            "wrong-cid",
        ),
        (
            "the CID of another event",
            set(
                "order-a 3",
                &format!("cid = {}", column("cid", "order-b 3")),
            ),
            "order-a 3",
            "wrong-cid",
        ),
        (
            "the link to another event",
            set(
                "order-a 3",
                &format!("previous_cid = {}", column("cid", "order-a 1")),
            ),
            "order-a 3",
            "wrong-cid",
        ),
    ];
    for (what, sql, event, code) in cases {
        sound.tamper_store(&sql);
        let id = sound.id(event);
        let error = &sound
            .cim("verify --json --store sqlite:tampered.db")
            .exits(6)
            .json()["error"];
        assert_eq!(
            (&error["code"], &error["event"]),
            (&code.into(), &id.clone().into()),
            "{what}: {error}"
        );
        let spoken = sound.cim("verify --store sqlite:tampered.db").exits(6);
        let reason = code
            .replace("wrong-cid", "wrong CID of")
            .replace("gap", "gap before");
        let wanted = format!("{reason} event `{id}`");
        assert!(
            spoken.stderr.contains(&wanted),
            "{what}: expected `{wanted}` in {}",
            spoken.stderr
        );
        assert_eq!(spoken.stdout, "", "{what}: nothing is called verified");
        println!(
            "{what}: {}",
            spoken.stderr.lines().next().unwrap_or_default()
        );
    }
}

#[test]
fn tampering_with_an_export_is_found_by_rust_and_by_node() {
    type Change = Box<dyn Fn(&Sound, &mut Vec<String>)>;
    let sound = Sound::new();
    let replace = |event: &'static str, from: &'static str, to: &'static str| -> Change {
        Box::new(move |sound, lines| {
            let line = &mut lines[sound.line(event)];
            assert!(line.contains(from), "no `{from}` in {line}");
            *line = line.replacen(from, to, 1);
        })
    };
    // Exchanges the value of a header, or the body, of two events.
    let exchange = |name: &'static str, one: &'static str, other: &'static str| -> Change {
        Box::new(move |sound, lines| {
            let (one, other) = (sound.line(one), sound.line(other));
            let (first, second) = (field(&lines[one], name), field(&lines[other], name));
            lines[one] = lines[one].replacen(&first, &second, 1);
            lines[other] = lines[other].replacen(&second, &first, 1);
        })
    };
    let cases: Vec<(&str, Change, Option<&str>, &str)> = vec![
        (
            "one byte of a body",
            replace("order-a 3", "note-a3", "note-b3"),
            Some("order-a 3"),
            "wrong-cid",
        ),
        (
            "an event deleted",
            Box::new(|sound, lines| drop(lines.remove(sound.line("order-a 3")))),
            Some("order-a 4"),
            "gap",
        ),
        (
            "two events swapped",
            Box::new(|sound, lines| lines.swap(sound.line("order-a 2"), sound.line("order-a 3"))),
            Some("order-a 3"),
            "gap",
        ),
        (
            "two bodies swapped",
            exchange("body", "order-a 2", "order-a 4"),
            Some("order-a 2"),
            "wrong-cid",
        ),
        (
            "two versions swapped",
            exchange("CIM-Aggregate-Version", "order-a 2", "order-a 4"),
            Some("order-a 2"),
            "wrong-cid",
        ),
        (
            "the source edited",
            replace("order-b 2", "cim-import", "forger"),
            Some("order-b 2"),
            "wrong-cid",
        ),
        (
            "the time edited",
            replace(
                "order-b 2",
                "2026-01-02T09:00:00.000000Z",
                "2026-01-02T09:00:00.000001Z",
            ),
            Some("order-b 2"),
            "wrong-cid",
        ),
        (
            "metadata edited",
            replace("order-c 1", "blue", "red"),
            Some("order-c 1"),
            "wrong-cid",
        ),
        (
            "an aggregate renamed",
            Box::new(|_, lines| {
                for line in lines {
                    *line = line.replacen(".order.order-b.", ".order.order-x.", 1);
                }
            }),
            Some("order-b 1"),
            "wrong-cid",
        ),
        (
            "an event given to another aggregate",
            replace("order-a 5", ".order.order-a.", ".order.order-b."),
            Some("order-a 5"),
            "wrong-cid",
        ),
        (
            "the CID of another event",
            Box::new(|sound, lines| {
                let other = field(&lines[sound.line("order-b 3")], "CIM-Cid");
                let line = &mut lines[sound.line("order-a 3")];
                *line = line.replacen(&field(line, "CIM-Cid"), &other, 1);
            }),
            Some("order-a 3"),
            "wrong-cid",
        ),
        (
            "the last line cut",
            Box::new(|_, lines| drop(lines.pop())),
            None,
            "export-cut",
        ),
        (
            "the last event and its count cut",
            Box::new(|_, lines| {
                let event = lines.len() - 2;
                lines.remove(event);
                let last = lines.last_mut().expect("a last line");
                *last = last.replacen("\"events\":12", "\"events\":11", 1);
            }),
            None,
            "export-summary",
        ),
    ];
    for (what, change, event, code) in cases {
        sound.tamper_export(|lines| change(&sound, lines));
        let rust = sound.cim("verify --export tampered.cim --json").exits(6);
        let node = verify_in_node(sound.path(), "tampered.cim").exits(6);
        assert_eq!(rust.stdout, node.stdout, "{what}: Rust and Node differ");
        let error = &rust.json()["error"];
        assert_eq!(error["code"], code, "{what}: {error}");
        assert_eq!(
            error["event"].as_str().map(str::to_owned),
            event.map(|event| sound.id(event)),
            "{what}: {error}"
        );
        let spoken = sound.cim("verify --export tampered.cim").exits(6);
        if let Some(event) = event {
            assert!(
                spoken.stderr.contains(&sound.id(event)),
                "{what}: {}",
                spoken.stderr
            );
        }
        assert_eq!(spoken.stdout, "", "{what}: nothing is called verified");
        println!("{what}: {}", error["message"]);
    }
    // The sound one, so that no reason above is one of the test's own making.
    let rust = sound.cim("verify --export sound.cim --json").exits(0);
    assert_eq!(
        rust.stdout,
        verify_in_node(sound.path(), "sound.cim").exits(0).stdout
    );
}

/// A header or the body as it is written in a line: `"name":"value"`.
fn field(line: &str, name: &str) -> String {
    let start = line
        .find(&format!("\"{name}\":\""))
        .unwrap_or_else(|| panic!("no {name} in {line}"));
    let value = start + name.len() + 4;
    let mut escaped = false;
    for (at, character) in line[value..].char_indices() {
        match character {
            '"' if !escaped => return line[start..=value + at].to_owned(),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("the value of {name} has no end in {line}")
}

/// What a plain chain cannot find, for the record: who removes *all* events after the n-th of an
/// aggregate leaves a history that is whole, as far as it can tell. Of an export the last line
/// sees it, but it is not signed: who can change the events can write it anew. Only a head that
/// was kept elsewhere shows it: that is why every verification says what it does not prove.
#[test]
fn a_cut_end_of_a_history_is_not_found_and_every_report_says_so() {
    let sound = Sound::new();
    let key = "SELECT id FROM aggregates WHERE key = 'order-a'";
    sound.tamper_store(&format!(
        "DELETE FROM events WHERE aggregate = ({key}) AND version > 3"
    ));
    let report = sound
        .cim("verify --json --store sqlite:tampered.db")
        .exits(0)
        .json();
    assert_eq!(
        (&report["events"], &report["not_proven"]),
        (&9.into(), &NOT_PROVEN.into())
    );
    let spoken = sound.cim("verify --store sqlite:tampered.db").exits(0);
    assert!(spoken.stderr.contains(NOT_PROVEN), "{}", spoken.stderr);
    // What does show it: another head than before.
    assert_ne!(
        sound.cim("verify --json").exits(0).json()["heads"],
        report["heads"]
    );

    sound.tamper_export(|lines| {
        let cut = [4, 5, 6].map(|version| sound.line(&format!("order-a {version}")));
        let mut number = 0..;
        lines.retain(|_| !cut.contains(&number.next().expect("a number")));
        let mut digest = blake3::Hasher::new();
        let end = lines.len() - 1;
        for line in &lines[1..end] {
            let event: Value = serde_json::from_str(line).expect("an event");
            let cid: Cid = event["headers"]["CIM-Cid"]
                .as_str()
                .expect("a CID")
                .parse()
                .expect("a CID");
            digest.update(&cid.to_bytes());
        }
        lines[end] = format!(
            r#"{{"events":9,"aggregates":3,"digest":"{}"}}"#,
            digest.finalize().to_hex()
        );
    });
    let rust = sound.cim("verify --export tampered.cim --json").exits(0);
    assert_eq!(rust.json()["not_proven"], NOT_PROVEN);
    assert_eq!(
        rust.json()["heads"],
        report["heads"],
        "the same cut, the same heads"
    );
    assert_eq!(
        verify_in_node(sound.path(), "tampered.cim").exits(0).stdout,
        rust.stdout
    );
}
