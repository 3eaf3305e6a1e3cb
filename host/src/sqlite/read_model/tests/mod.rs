//! Read models without a projector: files, sessions, reading.

mod place;
mod resuming;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::id::EventId;
use cim_core::projection::machine::{Commit, ParkReason, ParkedEvent, State};
use cim_core::projection::{Change, Descriptor, DocumentKey, Limits};
use cim_core::subject::StoreTemplate;
use cim_core::version::Version;
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use self::place::*;
use super::*;
use crate::clock;
use crate::projector::{ProjectorError, Start};
use crate::sqlite::SqliteStore;

#[test]
fn a_file_is_told_for_what_it_is() {
    let place = Place::new();
    let open = |path: &Path| ReadModel::open(path).map_err(|error| error.code()).err();
    assert_eq!(open(&place.path), Some("read-model-not-found"));
    std::fs::write(&place.path, b"").expect("a file");
    assert_eq!(open(&place.path), Some("read-model-not-found"), "empty");
    ReadModel::open_or_create(&place.path).expect("made");
    assert_eq!(open(&place.path), None);

    let store = place.folder.path().join("store.db");
    let opened = SqliteStore::create(&store, StoreTemplate::default()).expect("a store");
    assert_eq!(open(&store), None, "a store's file may have none yet");
    let read_model = ReadModel::open(&store).expect("a store");
    assert!(read_model.projections().expect("none").is_empty());
    let name = name("activity");
    let error = read_model.projection(&name).expect_err("none");
    assert_eq!(error.to_string(), "there is no projection `activity`");
    drop(opened);

    let foreign = place.folder.path().join("foreign.db");
    Connection::open(&foreign)
        .and_then(|connection| connection.execute_batch("CREATE TABLE a (b); "))
        .expect("a database");
    for open in [ReadModel::open, ReadModel::open_or_create] {
        let error = open(&foreign).expect_err("foreign");
        assert_eq!(error.code(), "read-model-foreign", "{error}");
    }
    std::fs::write(&foreign, "no database at all, but a text that is long").expect("a file");
    let error = ReadModel::open_or_create(&foreign).expect_err("foreign");
    assert_eq!(error.code(), "read-model-foreign", "{error}");
}

#[test]
fn tables_of_another_version_are_refused() {
    let place = Place::new();
    place.read_model();
    place.sql("UPDATE read_model SET version = 3");
    let error = ReadModel::open(&place.path).expect_err("newer");
    assert!(
        error
            .to_string()
            .ends_with("is no read model: its tables have version 3, this program knows 2"),
        "{error}"
    );
}

#[test]
fn a_commit_is_written_as_a_whole_and_can_be_queried() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    let parked = [
        parked(
            2,
            ParkReason::Fault {
                code: "trapped".to_owned(),
                message: "it fell".to_owned(),
            },
        ),
        parked(3, ParkReason::Diverted),
    ];
    let changes = vec![
        put("types", "A", "1"),
        put("types", "B", "2"),
        put("types", "A", "3"),
    ];
    let commit = Commit {
        changes,
        events: 3,
        parked: parked.to_vec(),
        ..commit(None, 5)
    };
    session.commit(&commit, None, second(2)).expect("committed");
    let delete = vec![delete("types", "B"), put("pairs", "A→B", "{}")];
    let commit = Commit {
        changes: delete,
        events: 1,
        ..self::commit(Some(5), 6)
    };
    session
        .commit(&commit, Some(second(3)), second(3))
        .expect("committed");

    let read_model = ReadModel::open(&place.path).expect("there");
    let status = read_model.projection(&name("test")).expect("there");
    assert_eq!(status.position, at(6));
    assert_eq!(
        (
            status.events,
            status.parked_aggregates,
            status.parked_events
        ),
        (4, 1, 2)
    );
    assert_eq!(status.state, State::Live);
    assert_eq!(status.collections, [name("pairs"), name("types")]);
    assert_eq!(
        (status.updated_at, status.caught_up_at),
        (second(3), Some(second(3)))
    );
    let rows: Vec<_> = read_model
        .parked(&name("test"))
        .expect("there")
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        rows.iter().map(|row| row.event.clone()).collect::<Vec<_>>(),
        parked
    );
    assert_eq!(place.documents("types"), [("A".to_owned(), "3".to_owned())]);
    let found: String = Connection::open(&place.path)
        .and_then(|db| db.query_row("SELECT document FROM test__pairs", [], |row| row.get(0)))
        .expect("people may query it");
    assert_eq!(found, "{}");
    let keys = ["B", "A"].map(|key| document_key("types", key));
    let read = session.documents(&keys, &Limits::default()).expect("read");
    assert_eq!(read, Ok(vec![None, Some(Bytes::from("3"))]));
}

#[test]
fn a_document_that_is_asked_for_again_and_again_is_read_once() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    let commit = Commit {
        changes: vec![put("types", "A", "12345"), put("types", "B", "1234")],
        ..commit(None, 5)
    };
    session.commit(&commit, None, second(1)).expect("committed");
    let limits = Limits {
        read_bytes: 14,
        ..Limits::default()
    };
    let read = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|key| document_key("types", key)).collect();
        let read = session.documents(&keys, &limits).expect("read");
        read.map_err(|fault| fault.code)
    };
    let twice = read(&["A", "B", "A", "C"]).expect("no more than is allowed");
    let [Some(first), Some(_), Some(second), None] = &twice[..] else {
        panic!("other documents: {twice:?}");
    };
    assert_eq!(first.as_ptr(), second.as_ptr(), "one piece of memory");
    let more = read(&["A", "B", "A", "C", "B"]);
    assert_eq!(more, Err("documents-too-large".to_owned()));
}

#[test]
fn a_commit_that_was_written_before_counts_and_any_other_is_fenced_off() {
    let place = Place::new();
    let (mut first, _) = place.begin(&given()).expect("begun");
    let one = Commit {
        changes: vec![put("types", "A", "1")],
        events: 1,
        ..commit(None, 5)
    };
    first.commit(&one, None, second(1)).expect("committed");
    first.commit(&one, None, second(1)).expect("again");
    assert_eq!(place.status().events, 1, "it counts once");

    let (mut second_session, resumed) = place.begin(&given()).expect("begun");
    assert_eq!(resumed.checkpoint, at(5));
    let next = Commit {
        changes: vec![put("types", "A", "2")],
        ..commit(Some(5), 6)
    };
    let Err(NotCommitted::Fenced(error)) = first.commit(&next, None, second(2)) else {
        panic!("the first goes on");
    };
    assert_eq!(
        error.to_string(),
        "another projector took `test` over, which stands at position 5 now; this one had come to \
         position 5"
    );
    assert_eq!(
        place.documents("types")[0].1,
        "1",
        "nothing of it is written"
    );
    let error = first
        .beat(State::Live, None, second(3))
        .expect_err("fenced");
    assert_eq!(error.code(), "projector-fenced");
    first
        .end(State::Failed, None, Some(("a", "b")), second(3))
        .expect("no harm");
    assert_eq!(place.status().error, None, "the row is the second's");

    second_session
        .commit(&next, None, second(4))
        .expect("committed");
    let stale = commit(Some(5), 7);
    let stale = second_session.commit(&stale, None, second(5));
    assert!(matches!(stale, Err(NotCommitted::Fenced(_))), "{stale:?}");
}

/// The tables of the old one are gone, and it is told why.
#[test]
fn a_projector_whose_tables_another_one_took_away_is_fenced_off() {
    let place = Place::new();
    let (first, _) = place.begin(&given()).expect("begun");
    let restarted = Given {
        start: Start::Restart,
        collections: &["pears"],
        ..given()
    };
    place.begin(&restarted).expect("begun");
    let keys = [document_key("types", "A")];
    let error = first
        .documents(&keys, &Limits::default())
        .expect_err("fenced");
    assert_eq!(error.code(), "projector-fenced");

    let (last, _) = place.begin(&restarted).expect("begun");
    place.sql("DROP TABLE test__pears");
    let keys = [document_key("pears", "A")];
    let error = last
        .documents(&keys, &Limits::default())
        .expect_err("no such table");
    assert_eq!(error.code(), "read-model-io");
}

#[test]
fn a_sign_of_life_tells_the_state_and_when_the_documents_were_new() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    assert_eq!(place.status().state, State::CatchingUp);
    session
        .beat(State::Live, Some(second(5)), second(5))
        .expect("written");
    session
        .beat(State::Parked, None, second(9))
        .expect("written");
    let status = place.status();
    assert_eq!(status.state, State::Parked);
    assert_eq!(
        (status.updated_at, status.caught_up_at),
        (second(9), Some(second(5)))
    );
    session
        .end(State::Live, Some(second(10)), None, second(10))
        .expect("written");
    let status = place.status();
    assert_eq!(status.stopped_at, Some(second(10)));
    assert_eq!(
        (status.state, status.caught_up_at),
        (State::Live, Some(second(10)))
    );
}

/// Another program may hold the file's lock for long: a sign of life does not wait for it, a commit
/// does.
#[test]
fn a_sign_of_life_finds_the_file_busy_and_a_commit_waits() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    let other = Connection::open(&place.path).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let started = clock::moment();
    let given = session.beat(State::Live, None, second(5));
    assert!(!given.expect("no fault"), "it is not given");
    assert!(started.elapsed() < Duration::from_secs(1), "it waits");
    assert_eq!(place.status().updated_at, second(1));
    let freed = std::thread::spawn(move || {
        // SQLite does not tell that somebody waits.
        std::thread::sleep(Duration::from_millis(300));
        other.execute_batch("COMMIT").expect("it was held");
    });
    session
        .commit(&commit(None, 5), None, second(6))
        .expect("committed");
    freed.join().expect("no panic");
    let given = session.beat(State::Live, None, second(7));
    assert!(given.expect("no fault"));
    assert_eq!(place.status().updated_at, second(7));
}

#[test]
fn what_is_busy_is_told_from_what_is_broken() {
    let place = Place::new();
    place.read_model();
    let other = Connection::open(&place.path).expect("a database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let impatient = Connection::open(&place.path).expect("a database");
    impatient.busy_timeout(Duration::ZERO).expect("set");
    let busy = impatient.execute_batch("BEGIN IMMEDIATE");
    let busy = io("trying it", busy.expect_err("it is held"));
    assert_eq!(busy.code(), "read-model-busy");
    assert_eq!(busy.to_string(), "the read model was busy while trying it");
    let broken = impatient.execute_batch("SELECT * FROM nowhere");
    let broken = io("trying it", broken.expect_err("no such table"));
    assert_eq!(broken.code(), "read-model-io");
}

#[test]
fn documents_are_read_in_pages_and_in_the_order_of_their_keys() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    // More than a page by number, then by bytes.
    let small = (0..1100).map(|number| put("types", &format!("k{number:04}"), "1"));
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let large = (0..9).map(|number| put("types", &format!("l{number}"), &large));
    let odd = ["k1", "k\u{10ffff}", "ÿ"].map(|key| put("types", key, "2"));
    let changes = small.chain(large).chain(odd).collect();
    session
        .commit(
            &Commit {
                changes,
                ..commit(None, 1)
            },
            None,
            second(1),
        )
        .expect("committed");
    let keys = |select: Select| -> Vec<String> {
        let read_model = ReadModel::open(&place.path).expect("there");
        let documents = read_model.documents(&name("test"), &name("types"), select);
        documents
            .expect("there")
            .map(|read| read.expect("read").key)
            .collect()
    };
    let all = keys(Select::All);
    assert_eq!(all.len(), 1100 + 9 + 3);
    assert!(all.is_sorted());
    let begin_with = |prefix: &str| keys(Select::Prefix(prefix.to_owned()));
    assert_eq!(begin_with("k").len(), 1102);
    assert_eq!(begin_with("k1").len(), 101);
    assert_eq!(begin_with("k10").len(), 100);
    assert_eq!(begin_with("l").len(), 9);
    assert_eq!(begin_with("m"), [""; 0]);
    assert_eq!(keys(Select::Key("k1".to_owned())), ["k1"]);
    assert_eq!(keys(Select::Key("k".to_owned())), [""; 0]);
}

#[test]
fn an_unknown_collection_is_answered_with_those_that_there_are() {
    let place = Place::new();
    place.begin(&given()).expect("begun");
    let read_model = ReadModel::open(&place.path).expect("there");
    let error = read_model
        .documents(&name("test"), &name("typos"), Select::All)
        .err()
        .expect("no such collection");
    assert_eq!(
        error.to_string(),
        "`test` has no collection `typos`, only `pairs`, `types`"
    );
}
