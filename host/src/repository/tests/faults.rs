//! What becomes of commands and loads where the store, or who waits, lets them down.

use cim_core::append::AppendError;

use super::faulty::{AppendFault, Faulty, ReadFault};
use super::*;
use crate::store::InvalidEvent;

fn faulty() -> (Arc<Faulty>, Repository<Tally>) {
    let faulty = Faulty::new(&tallies().0);
    let tallies = Repository::new(faulty.clone(), Namespace::default());
    (faulty, tallies)
}

async fn counted(tallies: &Repository<Tally>, times: u64) {
    for _ in 0..times {
        let asked = tallies.execute(&id("t"), Ask::Count(vec!["a"])).await;
        asked.expect("counted");
    }
}

#[tokio::test]
async fn a_command_that_nobody_waited_for_can_be_given_again() {
    for (fault, outcome) in [
        (AppendFault::LostBefore, Outcome::Stored),
        (AppendFault::LostAfter, Outcome::Repeated),
    ] {
        let (store, tallies) = faulty();
        counted(&tallies, 1).await;
        store.set(Some(fault), None);
        let asked = command(1, Ask::Count(vec!["b"]));
        let id = id("t");
        let executing = tallies.execute_command(&id, asked.clone());
        let dropped = tokio::time::timeout(Duration::from_millis(50), executing).await;
        dropped.expect_err("no answer comes");

        store.set(None, None);
        // Its turn is over, and what is kept is not less than what is stored.
        let again = tallies.execute_command(&id, asked).await.expect("executed");
        assert_eq!((again.outcome, again.events.len()), (outcome, 1));
        assert_eq!((count(&again.state, "a"), count(&again.state, "b")), (1, 1));
        assert_eq!(again.head.map(|head| head.version), Some(version(2)));
    }
}

#[tokio::test]
async fn a_command_whose_outcome_is_not_known_is_cleared_up_by_giving_it_again() {
    for (fault, outcome) in [
        (AppendFault::UnknownBefore, Outcome::Stored),
        (AppendFault::UnknownAfter, Outcome::Repeated),
    ] {
        let (store, tallies) = faulty();
        store.set(Some(fault), None);
        let asked = command(1, Ask::Count(vec!["a"]));
        let error = tallies.execute_command(&id("t"), asked.clone()).await;
        let error = error.expect_err("not known");
        assert!(
            matches!(error, ExecuteError::Append(AppendError::Unknown { .. })),
            "{error:?}"
        );
        assert_eq!(tallies.stats().executed, 0);
        store.set(None, None);
        let again = tallies.execute_command(&id("t"), asked).await;
        let again = again.expect("executed");
        assert_eq!(
            (again.outcome, count(&again.state, "a")),
            (outcome, 1),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn an_outcome_that_is_known_at_the_second_try_is_an_answer() {
    let (store, tallies) = faulty();
    store.set(Some(AppendFault::UnknownOnce), None);
    let asked = tallies.execute(&id("t"), Ask::Count(vec!["a"])).await;
    let executed = asked.expect("executed");
    assert_eq!(
        (executed.outcome, executed.events.len()),
        (Outcome::Stored, 1)
    );
    let loaded = other(&tallies).load(&id("t")).await.expect("loaded");
    assert_eq!((loaded.head, count(&loaded.state, "a")), (executed.head, 1));
}

#[tokio::test]
async fn what_is_stored_on_another_history_is_said_to_be_stored() {
    let ((one, tallies), (copy, copied)) = (tallies(), tallies());
    counted(&tallies, 1).await;
    let asked = copied.execute(&id("t"), Ask::Count(vec!["b"])).await;
    asked.expect("counted");
    // Between the load and the append, the copy takes the place of the store.
    let torn = Repository {
        store: Arc::new(Faulty {
            reads: one,
            writes: Arc::clone(&copy),
            append: Default::default(),
            read: Default::default(),
        }),
        ..tallies.clone()
    };
    let asked = command(1, Ask::Count(vec!["c"]));
    let error = torn.execute_command(&id("t"), asked.clone()).await;
    let error = error.expect_err("another history");
    assert_eq!(error.code(), "history-replaced");
    let ExecuteError::Replaced { receipt, .. } = error else {
        panic!("{error:?}")
    };
    let head = copy.head(&copied.key(&id("t"))).await.expect("a head");
    assert_eq!(
        head.map(|head| (head.version, head.cid)),
        Some((receipt.version, receipt.head))
    );
    assert_eq!(torn.stats().executed, 1, "only the first one");
    // Nothing more is stored when it is given again, on what is there now.
    let again = copied.execute_command(&id("t"), asked).await;
    let again = again.expect("repeated");
    assert_eq!((again.outcome, again.head), (Outcome::Repeated, head));
}

#[tokio::test]
async fn a_kept_state_is_no_answer_where_the_head_promises_more_than_can_be_read() {
    let (store, tallies) = faulty();
    counted(&tallies, 3).await;
    counted(&other(&tallies), 2).await;
    // What is found behind a version is not all: from the start it is.
    store.set(None, Some(ReadFault::HiddenBehind(5)));
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!(
        (loaded.from, loaded.version(), count(&loaded.state, "a")),
        (LoadedFrom::Genesis, Some(version(5)), 5)
    );

    counted(&other(&tallies), 1).await;
    store.set(None, Some(ReadFault::Hidden(6)));
    let error = tallies.load(&id("t")).await.expect_err("one is missing");
    assert_eq!(error.code(), "store-mismatch");
    let text = error.to_string();
    assert!(text.contains("is version 6, but only 5 events"), "{text}");
    store.set(None, None);
    let loaded = tallies.load(&id("t")).await.expect("loaded");
    assert_eq!(loaded.version(), Some(version(6)));
}

#[tokio::test]
async fn what_the_store_finds_to_be_no_event_breaks_a_history_too() {
    let (store, tallies) = faulty();
    counted(&tallies, 1).await;
    let invalid = InvalidEvent {
        position: Position::new(7).expect("a position"),
        aggregate: None,
        event: None,
        code: "header-missing",
        why: "there is no header of that name".to_owned(),
    };
    store.set(None, Some(ReadFault::Ends(invalid)));
    let error = other(&tallies).load(&id("t")).await.expect_err("broken");
    assert_eq!(error.code(), "header-missing");
    let source = std::error::Error::source(&error).expect("why");
    assert_eq!(source.to_string(), "there is no header of that name");
    let RepositoryError::Broken {
        aggregate,
        position,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((aggregate, position.get()), (tallies.key(&id("t")), 7));

    // It came after the replay had begun.
    let stats = tallies.replay_all(None, |_| {}).await.expect("replayed");
    assert_eq!((stats.events, stats.failures, stats.left_out), (1, 0, 0));
    assert_eq!(stats.last_position, Position::new(1).ok());
}

#[tokio::test]
async fn an_id_that_was_used_for_another_command_is_rejected() {
    let (_, tallies) = faulty();
    let asked = command(1, Ask::Count(vec!["a"]));
    tallies
        .execute_command(&id("t"), asked.clone())
        .await
        .expect("counted");
    let mut metadata = cim_core::metadata::Metadata::default();
    let who = Text::new("me").expect("a text");
    metadata.insert("who", who).expect("a name");
    let others = [
        Command {
            correlation: *command(2, Ask::Close).id.as_uuid(),
            ..asked.clone()
        },
        Command {
            source: Text::new("other").expect("a text"),
            ..asked.clone()
        },
        Command {
            metadata,
            ..asked.clone()
        },
    ];
    for other in others {
        let error = tallies.execute_command(&id("t"), other).await;
        assert_eq!(error.expect_err("used").code(), "event-id-reused");
    }
    // What is asked is not stored, so that another payload cannot be told.
    let other = Command {
        payload: Ask::Count(vec!["b"]),
        ..asked
    };
    let again = tallies.execute_command(&id("t"), other).await;
    let again = again.expect("repeated");
    assert_eq!(
        (again.outcome, count(&again.state, "b")),
        (Outcome::Repeated, 0)
    );
}
