//! `cim copy` and the import of exports: the same CIDs in another store, resumable; and what is
//! sound of a broken store.

use std::path::Path;

use cim_tests::program::{Ran, cim, sqlite3};
use serde_json::Value;

const ROWS: &str = "\
id,what,when
order-a,Order placed,2026-01-01T08:00:00Z
order-b,Order placed,2026-01-01T09:00:00Z
order-a,Order paid,2026-01-02T08:00:00Z
order-b,Order paid,2026-01-02T09:00:00Z
order-a,Order packed,2026-01-03T08:00:00Z
order-a,Order sent,2026-01-04T08:00:00Z
";

fn run(folder: &Path, line: &str) -> Ran {
    cim(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("orders.csv"), ROWS).expect("a file");
    let import =
        "import orders.csv --entity order --id-field id --type-field what --time-field when";
    run(folder.path(), import).exits(0);
    folder
}

fn verified(folder: &Path, store: &str) -> Value {
    run(folder, &format!("verify --json --store sqlite:{store}"))
        .exits(0)
        .json()
}

#[track_caller]
fn same_events(folder: &Path, store: &str) {
    let (here, there) = (verified(folder, "cim.db"), verified(folder, store));
    for field in ["events", "aggregates", "digest", "heads"] {
        assert_eq!(here[field], there[field], "{field}");
    }
    assert_ne!(here["store_id"], there["store_id"]);
}

#[test]
fn a_copy_has_the_same_cids_and_goes_on_where_it_was() {
    let folder = store();
    let folder = folder.path();
    let copy = "copy sqlite:cim.db sqlite:copy.db --json";
    let counts = |document: Value| (document["appended"].clone(), document["present"].clone());
    assert_eq!(
        counts(run(folder, copy).exits(0).json()),
        (6.into(), 0.into())
    );
    same_events(folder, "copy.db");
    run(
        folder,
        "append order order-b OrderSent --time 2026-01-05T08:00:00Z",
    )
    .exits(0);
    assert_eq!(
        counts(run(folder, copy).exits(0).json()),
        (1.into(), 6.into())
    );
    same_events(folder, "copy.db");
}

#[test]
fn an_export_is_imported_with_the_same_cids_and_goes_on_where_it_was() {
    let folder = store();
    let folder = folder.path();
    run(folder, "export first.jsonl").exits(0);
    run(
        folder,
        "append order order-b OrderSent --time 2026-01-05T08:00:00Z",
    )
    .exits(0);
    run(folder, "export second.jsonl").exits(0);
    let import = |file: &str| {
        let document = run(
            folder,
            &format!("import {file} --store sqlite:new.db --json"),
        );
        let document = document.exits(0).json();
        (document["appended"].clone(), document["present"].clone())
    };
    assert_eq!(import("first.jsonl"), (6.into(), 0.into()));
    assert_eq!(import("second.jsonl"), (1.into(), 6.into()));
    same_events(folder, "new.db");
    assert_eq!(
        import("first.jsonl"),
        (0.into(), 6.into()),
        "an older export is all there"
    );
}

#[test]
fn a_history_that_went_another_way_is_not_overwritten() {
    let folder = store();
    let folder = folder.path();
    run(folder, "copy sqlite:cim.db sqlite:copy.db").exits(0);
    run(
        folder,
        "append order order-b OrderSent --store sqlite:copy.db",
    )
    .exits(0);
    run(folder, "append order order-b OrderLost").exits(0);
    let refused = run(folder, "copy sqlite:cim.db sqlite:copy.db").exits(5);
    let said = &refused.stderr;
    assert!(
        said.starts_with(
            "error: the store has another version 3 of `local.main.events.order.order-b`"
        ),
        "{said}"
    );
}

#[test]
fn what_is_sound_is_saved_up_to_each_broken_event() {
    let folder = store();
    let folder = folder.path();
    // Version 3 of four of `order-a`.
    sqlite3(
        &folder.join("cim.db"),
        "UPDATE events SET body = CAST('{}' AS BLOB) WHERE type = 'OrderPacked'",
    );
    run(folder, "copy sqlite:cim.db sqlite:all.db").exits(6);
    let saved = run(folder, "copy --until-broken sqlite:cim.db sqlite:sound.db").exits(0);
    assert_eq!(
        saved.stdout,
        "6 events: 4 appended, 0 were there already, 2 left out\n"
    );
    let said = &saved.stderr;
    assert!(
        said.starts_with("Left out the broken end of `local.main.events.order.order-a`: wrong CID"),
        "{said}"
    );
    let sound = verified(folder, "sound.db");
    assert_eq!(
        (&sound["events"], &sound["aggregates"]),
        (&4.into(), &2.into())
    );
    let shown = run(
        folder,
        "aggregate show order order-a --store sqlite:sound.db --json",
    )
    .exits(0);
    assert_eq!(shown.json()["version"], 2);
    // A history that was repaired can be appended to again.
    run(
        folder,
        "append order order-a OrderPacked --expected 2 --store sqlite:sound.db",
    )
    .exits(0);
}

#[test]
fn an_altered_target_does_not_pass_for_a_copy() {
    let folder = store();
    let folder = folder.path();
    run(folder, "copy sqlite:cim.db sqlite:copy.db").exits(0);
    sqlite3(
        &folder.join("copy.db"),
        "UPDATE events SET body = CAST('{}' AS BLOB) WHERE position = 2",
    );
    let refused = run(folder, "copy sqlite:cim.db sqlite:copy.db").exits(6);
    assert!(
        refused.stderr.starts_with("error: the history of"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_export_with_an_id_that_is_taken_is_refused_before_anything_is_written() {
    let folder = store();
    let folder = folder.path();
    let id = "01934f4a-0000-7000-8000-000000000001";
    let append = format!("append order order-z OrderPlaced --event-id {id}");
    run(folder, &append).exits(0);
    run(folder, "export whole.jsonl").exits(0);
    let other = |line: &str| run(folder, &format!("--store sqlite:other.db {line}"));
    other("init").exits(0);
    let append = format!("append parcel parcel-1 ParcelSent --event-id {id}");
    other(&append).exits(0);
    let refused = other("import whole.jsonl").exits(2);
    assert!(refused.stderr.contains(id), "{}", refused.stderr);
    let stats = other("stats --json").exits(0).json();
    assert_eq!(stats["events"], 1, "nothing was written");
}
