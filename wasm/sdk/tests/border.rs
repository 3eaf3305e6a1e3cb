//! Events as they come out of the columns, and columns that do not fit together.

use cim_plugin::bindings::cim::plugin::types::{Batch, Documents as Read, Failure as Refused};
use cim_plugin::test::{Harness, TestEvent, history};
use cim_plugin::{Documents, Event, Failure, Keys, Projection, guest};

/// Writes down all that an event says.
#[derive(Debug, Default)]
struct Mirror;

impl Projection for Mirror {
    const NAME: &str = "mirror";
    const VERSION: &str = "1.2.3";
    const EVENT_TYPES: &[&str] = &["Made", "Paid"];
    const COLLECTIONS: &[&str] = &["events"];

    fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
        keys.add("events", event.aggregate_id())
    }

    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
        let headers: Vec<_> = event
            .headers()
            .filter(|(name, _)| !name.ends_with("-Id") && !name.contains("Cid"))
            .collect();
        let said = (
            (event.event_type(), event.schema_version()),
            (event.entity(), event.entity_name(), event.aggregate_id()),
            (event.version(), event.position(), event.time_us()),
            (event.content_type(), event.payload()),
            headers,
        );
        assert_eq!(event.header("CIM-Cid").map(str::len), Some(59));
        assert_eq!(
            event.header("CIM-Previous-Cid").is_some(),
            event.version() > 1
        );
        assert_eq!(event.header("cim-source"), None);
        documents.put_json("events", format!("{}", event.position()), &said)
    }
}

#[test]
fn events_come_out_of_the_columns_as_they_went_in() {
    let events = history([
        TestEvent::new("permit", "p-1", "Made").at_us(1).body(""),
        TestEvent::new("permit", "p-1", "Ignored"),
        TestEvent::new("a.b.c.loan", "l-1", "Paid")
            .at_us(2)
            .schema_version(7)
            .content_type("text/plain; charset=utf-8")
            .metadata("Tenant", "größer")
            .body("\u{0}\u{1}"),
        TestEvent::new("permit", "p-1", "Paid").at_us(3).body("{}"),
    ]);
    let mut harness = Harness::<Mirror>::new(b"");
    harness
        .apply(&events)
        .expect("the plugin takes every event");
    let document = |key| harness.document("events", key);
    assert_eq!(
        document("1"),
        Some(
            r#"[["Made",1],["local.main.events.permit","permit","p-1"],[1,1,1],["application/json",[]],[["CIM-Source","test"]]]"#
        )
    );
    assert_eq!(document("2"), None, "the plugin does not take this type");
    assert_eq!(
        document("3"),
        Some(
            r#"[["Paid",7],["a.b.c.loan","loan","l-1"],[1,3,2],["text/plain; charset=utf-8",[0,1]],[["CIM-Source","test"],["CIM-Meta-Tenant","größer"]]]"#
        )
    );
    assert_eq!(
        document("4"),
        Some(
            r#"[["Paid",1],["local.main.events.permit","permit","p-1"],[3,4,3],["application/json",[123,125]],[["CIM-Source","test"]]]"#
        )
    );
}

#[test]
fn the_descriptor_says_what_the_plugin_declares() {
    let said = guest::describe::<Mirror>();
    assert_eq!(
        (said.name.as_str(), said.version.as_str()),
        ("mirror", "1.2.3")
    );
    assert_eq!(said.event_types, ["Made", "Paid"]);
    assert_eq!(said.collections, ["events"]);
}

#[test]
fn a_batch_whose_columns_do_not_fit_is_refused() {
    let faults: [(&str, Spoil); 12] = [
        (
            "`schema-versions` is wrong: expected 2 entries, found 3",
            |batch| batch.schema_versions.push(1),
        ),
        (
            "`payload-ends` is wrong: expected 2 entries, found 1",
            |batch| batch.payload_ends.truncate(1),
        ),
        (
            "`type-of` is wrong: expected an index below 1, found 1",
            |batch| batch.type_of[1] = 1,
        ),
        (
            "`entity-of` is wrong: expected an index below 1, found 4",
            |batch| batch.entity_of[0] = 4,
        ),
        (
            "`content-type-of` is wrong: expected an index below 0, found 0",
            |batch| batch.content_types.clear(),
        ),
        (
            "`aggregate-id-ends` is wrong: expected ends that rise to 4, found `5` at the end",
            |batch| batch.aggregate_id_ends[1] = 5,
        ),
        (
            "`aggregate-id-ends` is wrong: an end is within a character",
            |batch| batch.aggregate_id_ends[0] = 1,
        ),
        (
            "`header-ends` is wrong: expected ends that rise to 2, found `1` at the end",
            |batch| batch.header_ends[1] = 1,
        ),
        (
            "`payload-ends` is wrong: expected ends that rise to 3, found `3` at the end",
            |batch| batch.payload_ends[0] = 4,
        ),
        (
            "`versions` is wrong: expected 2 entries, found 0",
            |batch| batch.versions.clear(),
        ),
        (
            "`positions` is wrong: expected 2 entries, found 0",
            |batch| batch.positions.clear(),
        ),
        ("`times` is wrong: expected 2 entries, found 0", |batch| {
            batch.times.clear()
        }),
    ];
    for (message, spoil) in faults {
        let mut spoiled = batch();
        spoil(&mut spoiled);
        let refused = guest::keys(&Mirror, &spoiled).expect_err("the batch is spoiled");
        check(&refused, message);
        let refused = guest::apply(&Mirror, &spoiled, read(&[1, 1], &[1, 2], b"12"));
        check(&refused.expect_err("the batch is spoiled"), message);
    }
    assert!(guest::keys(&Mirror, &batch()).is_ok());
}

#[test]
fn documents_that_do_not_fit_the_keys_are_refused() {
    for (message, read) in [
        (
            "`present` is wrong: expected 2 entries, found 1",
            read(&[1], &[1, 2], b"12"),
        ),
        (
            "`document-ends` is wrong: expected 2 entries, found 3",
            read(&[1, 1], &[1, 2, 2], b"12"),
        ),
        (
            "`document-ends` is wrong: expected ends that rise to 2, found `1` at the end",
            read(&[1, 1], &[1, 1], b"12"),
        ),
    ] {
        let refused = guest::apply(&Mirror, &batch(), read);
        check(&refused.expect_err("the documents are spoiled"), message);
    }
}

#[track_caller]
fn check(refused: &Refused, message: &str) {
    assert_eq!(refused.message, format!("the column {message}"));
    assert_eq!(
        (refused.code.as_str(), refused.index),
        ("batch-invalid", None)
    );
    assert!(!refused.retryable);
}

/// Makes one column of a batch wrong.
type Spoil = fn(&mut Batch);

/// Two events; the ids are `é` and `bc`.
fn batch() -> Batch {
    Batch {
        types: vec!["Made".to_owned()],
        type_of: vec![0, 0],
        schema_versions: vec![1, 1],
        entities: vec!["o.u.d.permit".to_owned()],
        entity_of: vec![0, 0],
        aggregate_id_ends: vec![2, 4],
        aggregate_ids: "ébc".to_owned(),
        versions: vec![1, 1],
        positions: vec![1, 2],
        times: vec![0, 0],
        header_ends: vec![1, 2],
        headers: vec![0xa0, 0xa0],
        content_types: vec!["application/json".to_owned()],
        content_type_of: vec![0, 0],
        payload_ends: vec![2, 3],
        payloads: b"{}1".to_vec(),
    }
}

fn read(present: &[u8], ends: &[u32], documents: &[u8]) -> Read {
    Read {
        present: present.to_vec(),
        document_ends: ends.to_vec(),
        documents: documents.to_vec(),
    }
}
