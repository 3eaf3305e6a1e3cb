//! Events of earlier and later programs, and states of the past.

use std::sync::Arc;

use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::EventId;
use cim_core::payload;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, SchemaVersion, Version};
use cim_host::clock;
use cim_host::repository::{At, Delivered, RepositoryError};
use cim_host::store::EventStore;
use futures_util::TryStreamExt as _;

use super::{LedgerEvent, ledger_id, ledgers};

/// Events of the first schema are upcast where they are folded, replayed and subscribed to; one of a
/// later schema is an error that names what is missing.
///
/// # Panics
///
/// When they are not.
pub async fn schemas(store: &Arc<dyn EventStore>) {
    let (ledgers, id) = (ledgers(store), ledger_id(1001));
    let old = posted(1, 1, r#"{"account":"a","sum":5,"note":"old"}"#);
    let new = posted(2, 2, r#"{"account":"a","amount":6,"note":"new"}"#);
    let saved = ledgers
        .save(&id, ExpectedVersion::NoStream, vec![old, new])
        .await;
    let start = saved.expect("saved").position;
    let loaded = ledgers.load(&id).await.expect("loaded");
    assert_eq!(loaded.state.accounts["a"], 11);

    let later = posted(
        3,
        3,
        r#"{"account":"a","amount":6,"note":"new","unit":"EUR"}"#,
    );
    let append = Append::new(ledgers.key(&id), ExpectedVersion::Any, vec![later.clone()]);
    store.append(append).await.expect("stored");
    for error in [
        ledgers.load(&id).await.expect_err("too new"),
        super::ledgers(store).load(&id).await.expect_err("too new"),
    ] {
        assert_eq!(error.code(), "schema-newer");
        let RepositoryError::Unreadable {
            event,
            version,
            source,
            ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((event, version.map(Version::get)), (later.id, Some(3)));
        assert!(
            source.to_string().starts_with(
                "the schema of `LedgerPosted` is too new: expected at most version 2, found 3"
            ),
            "{source}"
        );
    }

    let mut sums = Vec::new();
    let replayed = ledgers.replay_each(
        None,
        |replayed| {
            if replayed.recorded.aggregate.id == id {
                sums.push(replayed.state.accounts["a"]);
            }
        },
        |_| {},
    );
    let stats = replayed.await.expect("replayed");
    assert_eq!(sums, [5, 11]);
    let failed = stats
        .failed
        .iter()
        .find(|failure| failure.event == Some(later.id));
    assert_eq!(failed.expect("it is listed").code, "schema-newer");

    // The two were stored in one step, so the first stands right before the second.
    let (mut deliveries, mut amounts) = (ledgers.subscribe(None), Vec::new());
    let unreadable = loop {
        let next = deliveries.try_next().await.expect("no fault");
        match next.expect("it goes on") {
            Delivered::Event { event, position } if event.recorded.aggregate.id == id => {
                assert!(position <= start);
                amounts.extend(event.payload);
            }
            Delivered::Unreadable {
                recorded, error, ..
            } => break (recorded, error),
            Delivered::Event { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    let amount = |event: &LedgerEvent| match event {
        LedgerEvent::LedgerPosted { amount, .. } => *amount,
        LedgerEvent::LedgerFilled { .. } | LedgerEvent::LedgerClosed {} => 0,
    };
    assert_eq!(amounts.iter().map(amount).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(
        (unreadable.0.event.id, unreadable.1.code()),
        (later.id, "schema-newer")
    );
}

/// A ledger at each version and time of its past.
///
/// # Panics
///
/// When it is not the state of that beginning of the history.
pub async fn past(store: &Arc<dyn EventStore>) {
    let (ledgers, id) = (ledgers(store), ledger_id(1002));
    // The clock went back once.
    let seconds = [10, 30, 20, 40];
    let events = seconds.map(|second| {
        posted(
            2,
            second,
            &format!(r#"{{"account":"s{second}","amount":1,"note":""}}"#),
        )
    });
    let saved = ledgers
        .save(&id, ExpectedVersion::NoStream, events.to_vec())
        .await;
    saved.expect("saved");
    for _ in 0..2 {
        for version in 1..=4 {
            let at = At::Version(Version::new(version).expect("a version"));
            let loaded = ledgers.load_at(&id, at).await.expect("loaded");
            assert_eq!(loaded.state.postings, version);
        }
        for (second, postings) in [(9, 0), (10, 1), (25, 1), (30, 3), (39, 3), (40, 4)] {
            let loaded = ledgers
                .load_at(&id, At::Time(at(second)))
                .await
                .expect("loaded");
            assert_eq!(loaded.state.postings, postings, "{second}");
        }
        let at = At::Version(Version::new(5).expect("a version"));
        let error = ledgers.load_at(&id, at).await.expect_err("there is none");
        assert_eq!(error.code(), "version-not-found");
        // Once more with a state that is kept.
        ledgers.load(&id).await.expect("loaded");
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_micros(1_795_248_000_000_000 + second * 1_000_000).expect("in range")
}

fn posted(schema: u64, second: u64, body: &str) -> NewEvent {
    let id = EventId::from_parts(at(second), clock::entropy());
    let source = Text::new("test").expect("a text");
    let event = LedgerEvent::LedgerPosted {
        account: String::new(),
        amount: 0,
        note: String::new(),
    };
    NewEvent {
        schema_version: SchemaVersion::new(schema).expect("a version"),
        body: body.to_owned().into(),
        ..payload::new_event(&event, id, at(second), source)
    }
}
