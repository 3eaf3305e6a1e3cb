//! The main job on real input: a log of 8 577 events of building permits.
//!
//! The file is not ours to give away, so it lies beside the workspace:
//! `../shared/data/receipt.csv`. It is the receipt phase of the CoSeLoG environmental permit
//! process, as CSV. Who does not have it sets `CIM_NO_RECEIPT=1`, by which these tests do nothing;
//! without file and variable they fail.

use std::fs;
use std::path::{Path, PathBuf};

use cim_tests::program::{Ran, cim, verify_in_node};
use cim_tests::random::Random;
use cim_tests::receipt;
use serde_json::Value;
use tempfile::TempDir;

const EVENTS: u64 = 8577;
const AGGREGATES: u64 = 1434;
const TYPES: u64 = 27;

/// The rows, and a folder for stores.
struct Receipt {
    folder: TempDir,
    header: String,
    rows: Vec<String>,
}

impl Receipt {
    /// `None` only where `CIM_NO_RECEIPT=1`.
    fn find() -> Option<Self> {
        let text = fs::read_to_string(receipt::path()?).expect("the log is UTF-8");
        // So a line is a row, and rows may be cut and shuffled as lines.
        assert!(!text.contains('"'), "a field is quoted");
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        let header = rows.remove(0);
        assert_eq!(rows.len() as u64, EVENTS, "the file is another one");
        // So the order of an aggregate's rows is that of their times, whatever the file's order.
        let places: std::collections::HashSet<_> =
            rows.iter().map(|row| case_and_time(row)).collect();
        assert_eq!(
            places.len(),
            rows.len(),
            "two rows of one case have the same time"
        );
        Some(Self {
            folder: tempfile::tempdir().expect("a folder"),
            header,
            rows,
        })
    }

    /// Writes rows as a file with the header.
    fn write(&self, name: &str, rows: &[String]) -> PathBuf {
        let path = self.folder.path().join(name);
        let text = format!("{}\n{}\n", self.header, rows.join("\n"));
        fs::write(&path, text).expect("a file");
        path
    }

    fn cim(&self, store: &str, arguments: &[&str]) -> Ran {
        let store = format!("sqlite:{store}");
        cim(
            self.folder.path(),
            &[&["--store", &store], arguments].concat(),
        )
    }

    fn import(&self, store: &str, file: &Path, more: &[&str]) -> Ran {
        let file = file.to_str().expect("a path in UTF-8");
        let fields = [
            ["--entity", "permit"],
            ["--id-field", "case:concept:name"],
            ["--type-field", "concept:name"],
            ["--time-field", "time:timestamp"],
        ];
        self.cim(
            store,
            &[&["import", file], fields.as_flattened(), &["--json"], more].concat(),
        )
    }

    /// The report of a verification that passes.
    fn verify(&self, store: &str) -> Value {
        self.cim(store, &["verify", "--json"]).exits(0).json()
    }
}

fn case_and_time(row: &str) -> (String, String) {
    let mut fields = row.split(',');
    let case = fields.nth(1).expect("a case");
    (
        case.to_owned(),
        fields.next_back().expect("a time").to_owned(),
    )
}

#[track_caller]
fn assert_counts(document: &Value, counts: &[(&str, u64)]) {
    for (name, count) in counts {
        assert_eq!(document[*name], *count, "{name} of {document}");
    }
}

#[test]
fn a_log_of_permits_is_imported_shown_verified_and_exported() {
    let Some(receipt) = Receipt::find() else {
        return;
    };
    let file = receipt.write("receipt.csv", &receipt.rows);

    let first = receipt.import("cim.db", &file, &[]).exits(0);
    println!(
        "import: {:.2} s: {}",
        first.time.as_secs_f64(),
        first.stdout.trim()
    );
    let whole = [
        ("events", EVENTS),
        ("aggregates", AGGREGATES),
        ("types", TYPES),
    ];
    assert_counts(&first.json(), &whole);
    assert_counts(&first.json(), &[("appended", EVENTS), ("present", 0)]);
    let again = receipt.import("cim.db", &file, &[]).exits(0);
    println!(
        "again: {:.2} s: {}",
        again.time.as_secs_f64(),
        again.stdout.trim()
    );
    assert_counts(&again.json(), &[("appended", 0), ("present", EVENTS)]);
    let stats = receipt.cim("cim.db", &["stats", "--json"]).exits(0).json();
    assert_counts(&stats, &whole[..2]);
    assert_eq!(
        stats["types"].as_object().map(|types| types.len() as u64),
        Some(TYPES)
    );

    let shown = receipt
        .cim("cim.db", &["aggregate", "show", "permit", "case-9289"])
        .exits(0);
    println!("{}", shown.stdout);
    let arguments = ["aggregate", "show", "permit", "case-9289", "--json"];
    let state = receipt.cim("cim.db", &arguments).exits(0).json();
    assert_counts(&state, &[("events", 25), ("version", 25)]);
    assert_eq!(state["verified"], "chain");

    let verified = receipt.verify("cim.db");
    assert_counts(&verified, &whole[..2]);
    let export = receipt.cim("cim.db", &["export", "receipt.cim"]).exits(0);
    let rust = receipt
        .cim("cim.db", &["verify", "--export", "receipt.cim", "--json"])
        .exits(0);
    let node = verify_in_node(receipt.folder.path(), "receipt.cim").exits(0);
    println!(
        "export {:.2} s, verified by Rust in {:.2} s, by Node in {:.2} s: {}",
        export.time.as_secs_f64(),
        rust.time.as_secs_f64(),
        node.time.as_secs_f64(),
        node.stdout.trim()
    );
    assert_eq!(node.stdout, rust.stdout);
    assert_counts(&node.json(), &whole[..2]);
    for name in ["heads", "digest", "store_id"] {
        assert!(verified[name].is_string(), "no {name} in {verified}");
        assert_eq!(node.json()[name], verified[name], "{name}");
    }

    // The order of the rows does not matter,
    let seed = Random::seed("CIM_RECEIPT_SEED");
    println!("CIM_RECEIPT_SEED={seed} repeats the order of the shuffled rows");
    let mut shuffled = receipt.rows.clone();
    Random::new(seed).shuffle(&mut shuffled);
    let file_shuffled = receipt.write("shuffled.csv", &shuffled);
    let imported = receipt
        .import("shuffled.db", &file_shuffled, &[])
        .exits(0)
        .json();
    assert_counts(&imported, &[("appended", EVENTS)]);
    assert_eq!(receipt.verify("shuffled.db")["heads"], verified["heads"]);
    let imported = receipt
        .import("cim.db", &file_shuffled, &[])
        .exits(0)
        .json();
    assert_counts(&imported, &[("appended", 0), ("present", EVENTS)]);

    // and neither does it in how many parts a file comes.
    let cut = receipt.write("cut.csv", &receipt.rows[..5000]);
    let imported = receipt.import("parts.db", &cut, &[]).exits(0).json();
    assert_counts(&imported, &[("appended", 5000)]);
    let imported = receipt.import("parts.db", &file, &[]).exits(0).json();
    assert_counts(&imported, &[("appended", EVENTS - 5000), ("present", 5000)]);
    assert_eq!(receipt.verify("parts.db")["heads"], verified["heads"]);
}

#[test]
fn a_late_row_is_refused_and_then_taken() {
    let Some(receipt) = Receipt::find() else {
        return;
    };
    let file = receipt.write("receipt.csv", &receipt.rows);
    receipt.import("cim.db", &file, &[]).exits(0);
    let before = receipt.verify("cim.db");

    let row = receipt
        .rows
        .iter()
        .rfind(|row| row.contains(",case-9289,"))
        .expect("the case");
    let (_, time) = case_and_time(row);
    let mut rows = receipt.rows.clone();
    rows.push(row.replace(&format!(",{time}"), ",2009-01-01 00:00:00.000000+01:00"));
    let late = receipt.write("late.csv", &rows);
    let refused = receipt.import("cim.db", &late, &[]).exits(1);
    print!("{}", refused.stderr);
    for wanted in [
        "line 8579: the row is new, but older than the last event of `local.main.events.permit.case-9289`",
        "--late append",
    ] {
        assert!(
            refused.stderr.contains(wanted),
            "no `{wanted}` in {}",
            refused.stderr
        );
    }
    assert_eq!(
        receipt.verify("cim.db"),
        before,
        "a refused import writes nothing"
    );

    let taken = receipt
        .import("cim.db", &late, &["--late", "append"])
        .exits(0)
        .json();
    assert_counts(&taken, &[("appended", 1), ("present", EVENTS)]);
    assert_counts(&receipt.verify("cim.db"), &[("events", EVENTS + 1)]);
    let arguments = ["aggregate", "show", "permit", "case-9289", "--json"];
    assert_counts(
        &receipt.cim("cim.db", &arguments).exits(0).json(),
        &[("version", 26)],
    );
    let again = receipt
        .import("cim.db", &late, &["--late", "append"])
        .exits(0)
        .json();
    assert_counts(&again, &[("appended", 0), ("present", EVENTS + 1)]);
    let again = receipt.import("cim.db", &late, &[]).exits(0).json();
    assert_counts(&again, &[("appended", 0), ("present", EVENTS + 1)]);
}
