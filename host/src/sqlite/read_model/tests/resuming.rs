//! Which projector may begin on what is there.

use super::*;

#[test]
fn a_projector_goes_on_only_where_handler_configuration_store_and_end_agree() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    session
        .commit(&commit(None, 5), None, second(1))
        .expect("committed");
    session
        .end(State::Live, None, None, second(2))
        .expect("ended");
    let before = place.status();
    let refused = |given: &Given, code: &str, message: &str| {
        let error = place.begin(given).expect_err(code);
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        assert_eq!(place.status(), before, "{code}");
    };
    refused(
        &Given {
            handler: "two",
            ..given()
        },
        "handler-changed",
        "the documents of `test` were made by another handler: expected `one`, found `two`",
    );
    refused(
        &Given {
            configuration: "",
            ..given()
        },
        "configuration-changed",
        "the documents of `test` were made by this handler, but with another configuration: \
         expected `deep`, found none",
    );
    refused(
        &Given {
            store_id: Uuid::max(),
            ..given()
        },
        "other-store",
        "the documents of `test` are of another store: expected \
         `00000000-0000-0000-0000-000000000000`, found `ffffffff-ffff-ffff-ffff-ffffffffffff`",
    );
    refused(
        &Given {
            last: at(4),
            ..given()
        },
        "ahead-of-store",
        "`test` has handled more than there is in the store: it stands at position 5, the store \
         ends at position 4",
    );
    let same = Given {
        last: at(5),
        ..given()
    };
    let (_, resumed) = place.begin(&same).expect("it goes on");
    assert_eq!(resumed.checkpoint, at(5));
    assert_eq!(place.status().stopped_at, None);
}

#[test]
fn a_restart_takes_all_away_that_is_the_projections() {
    let place = Place::new();
    let other = Given {
        name: "other",
        ..given()
    };
    for given in [given(), other] {
        let (mut session, _) = place.begin(&given).expect("begun");
        let commit = Commit {
            changes: vec![put("types", "A", "1"), put("pairs", "B", "2")],
            parked: vec![parked(2, ParkReason::Diverted)],
            ..commit(None, 5)
        };
        session.commit(&commit, None, second(1)).expect("committed");
        session
            .end(State::Failed, None, Some(("code", "why")), second(1))
            .expect("ended");
    }
    let changed = Given {
        handler: "two",
        configuration: "flat",
        store_id: Uuid::max(),
        last: None,
        start: Start::Restart,
        collections: &["types"],
        ..given()
    };
    let (_, resumed) = place.begin(&changed).expect("begun");
    assert_eq!((resumed.checkpoint, resumed.parked), (None, Vec::new()));
    let status = place.status();
    assert_eq!(
        (status.position, status.events, status.error),
        (None, 0, None)
    );
    assert_eq!(
        (&*status.handler, &*status.configuration, status.store_id),
        ("two", "flat", Uuid::max())
    );
    assert_eq!(status.collections, [name("types")]);
    assert_eq!(status.parked_events, 0);
    assert_eq!(place.documents("types"), []);
    let read_model = ReadModel::open(&place.path).expect("there");
    let other = read_model.projection(&name("other")).expect("there");
    assert_eq!((other.position, other.parked_events), (at(5), 1));
    assert_eq!(other.error, Some(("code".to_owned(), "why".to_owned())));
    assert_eq!(other.state, State::Failed);
}

#[test]
fn what_is_parked_is_found_again() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    let rows: Vec<_> = (1..=1200)
        .map(|at| parked(at, ParkReason::Diverted))
        .collect();
    let commit = Commit {
        parked: rows.clone(),
        ..commit(None, 2000)
    };
    session.commit(&commit, None, second(1)).expect("committed");
    let (_, resumed) = place.begin(&given()).expect("begun");
    assert_eq!(resumed.parked, [rows[0].aggregate.clone()]);
    let read_model = ReadModel::open(&place.path).expect("there");
    let read: Result<Vec<_>, _> = read_model.parked(&name("test")).expect("there").collect();
    let read = read.expect("sound rows");
    assert!(read.iter().map(|row| &row.event).eq(&rows), "all pages");
}

#[test]
fn two_names_for_one_table_are_refused() {
    let place = Place::new();
    let first = Given {
        name: "a",
        collections: &["b__c"],
        ..given()
    };
    place.begin(&first).expect("begun");
    let second = Given {
        name: "a__b",
        collections: &["c"],
        ..given()
    };
    let error = place.begin(&second).expect_err("taken");
    assert_eq!(
        error.to_string(),
        "the table `a__b__c` of collection `c` of `a__b` belongs to another collection"
    );
    let read_model = ReadModel::open(&place.path).expect("there");
    assert_eq!(read_model.projections().expect("there").len(), 1);
}

/// Nothing can be written to it, and starting over has nothing to drop.
#[test]
fn a_table_that_was_taken_away_is_missed_and_made_again() {
    let place = Place::new();
    let (mut session, _) = place.begin(&given()).expect("begun");
    let commit = Commit {
        changes: vec![put("types", "A", "1"), put("pairs", "B", "2")],
        ..commit(None, 5)
    };
    session.commit(&commit, None, second(1)).expect("committed");
    place.sql("DROP TABLE test__types");
    let error = place.begin(&given()).expect_err("gone");
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "table-gone",
            "the table `test__types` of collection `types` of `test` is not there any more"
        )
    );
    assert!(error.help().is_some_and(|help| help.contains("--restart")));
    let restarted = Given {
        start: Start::Restart,
        ..given()
    };
    let (_, resumed) = place.begin(&restarted).expect("begun");
    assert_eq!(resumed.checkpoint, None);
    assert_eq!(
        (place.documents("types"), place.documents("pairs")),
        (vec![], vec![])
    );
}
