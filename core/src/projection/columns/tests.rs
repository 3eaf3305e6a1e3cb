//! Columns that fit and columns that do not.

use proptest::prelude::*;

use super::*;
use crate::append::record;
use crate::event::NewEvent;
use crate::id::{AggregateKey, EventId};
use crate::time::Timestamp;

fn changes() -> Changes {
    Changes {
        collections: vec!["a".to_owned(), "b".to_owned()],
        collection_of: vec![0, 1, 0],
        kinds: vec![1, 2, 1],
        key_ends: vec![2, 3, 5],
        keys: "äkk2".to_owned(),
        document_ends: vec![2, 2, 4],
        documents: b"{}[]".to_vec(),
    }
}

#[test]
fn changes_are_read_in_their_order() {
    let read = changes().unpack(&limits(3)).expect("columns that fit");
    let shown: Vec<_> = read
        .iter()
        .map(|change| match change {
            Change::Put { key, document } => (
                format!("{}/{}", key.collection, key.key),
                Some(document.to_vec()),
            ),
            Change::Delete { key } => (format!("{}/{}", key.collection, key.key), None),
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a/ä".to_owned(), Some(b"{}".to_vec())),
            ("b/k".to_owned(), None),
            ("a/k2".to_owned(), Some(b"[]".to_vec())),
        ]
    );
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Changes), expect: &str) {
    let mut changes = changes();
    change(&mut changes);
    let fault = changes
        .unpack(&limits(3))
        .expect_err("columns that do not fit");
    assert_eq!(format!("{}: {fault}", fault.code), expect);
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let at = "columns-invalid: the column";
    refused(
        |c| c.kinds.truncate(2),
        &format!("{at} `kinds` of the answer is wrong: expected 3 entries, found 2"),
    );
    refused(
        |c| c.key_ends.push(5),
        &format!("{at} `key-ends` of the answer is wrong: expected 3 entries, found 4"),
    );
    refused(
        |c| c.document_ends.clear(),
        &format!("{at} `document-ends` of the answer is wrong: expected 3 entries, found 0"),
    );
    refused(
        |c| c.key_ends = vec![3, 2, 5],
        &format!("{at} `key-ends` of the answer is wrong: expected ends that never fall"),
    );
    refused(
        |c| c.key_ends[2] = 6,
        &format!("{at} `key-ends` of the answer is wrong: expected 5 as the last end, found 6"),
    );
    refused(
        |c| c.key_ends[0] = 1,
        &format!("{at} `key-ends` of the answer is wrong: an end is within a character"),
    );
    refused(
        |c| c.document_ends[2] = u32::MAX,
        &format!(
            "{at} `document-ends` of the answer is wrong: expected 4 as the last end, found \
             4294967295"
        ),
    );
    refused(
        |c| c.document_ends = vec![1, 2, 4],
        &format!("{at} `document-ends` of the answer is wrong: a delete has a document"),
    );
    refused(
        |c| c.collection_of[1] = 2,
        &format!("{at} `collection-of` of the answer is wrong: expected an index below 2, found 2"),
    );
    refused(
        |c| c.kinds[0] = 3,
        &format!("{at} `kinds` of the answer is wrong: expected 1 (put) or 2 (delete), found 3"),
    );
    refused(
        |c| c.collections[1] = "a".to_owned(),
        &format!("{at} `collections` of the answer is wrong: `a` stands twice"),
    );
    refused(
        |c| c.collections[1] = "B".to_owned(),
        "collection-undeclared: `B` is not a name of a projection or collection: it must \
         begin with a-z and have at most 48 of a-z, 0-9 and `_`",
    );
}

#[test]
fn keys_are_read_in_their_order() {
    let set = KeySet {
        collections: vec!["a".to_owned()],
        collection_of: vec![0, 0],
        key_ends: vec![1, 3],
        keys: "xyz".to_owned(),
    };
    let keys = set.unpack(&limits(3)).expect("columns that fit");
    let keys: Vec<_> = keys.iter().map(|key| &*key.key).collect();
    assert_eq!(keys, ["x", "yz"]);
    assert_eq!(KeySet::default().unpack(&limits(3)), Ok(Vec::new()));
}

#[test]
fn documents_keep_the_order_of_their_keys() {
    let documents = [Some(Bytes::from_static(b"{}")), None, Some(Bytes::new())];
    assert_eq!(
        Documents::pack(&documents, &Limits::default()),
        Ok(Documents {
            present: vec![1, 0, 1],
            document_ends: vec![2, 2, 2],
            documents: b"{}".to_vec(),
        })
    );
}

/// Documents that are asked for twice are one piece of memory in the host, but not in the columns.
#[test]
fn documents_are_measured_as_often_as_they_are_asked_for() {
    let limits = Limits {
        read_bytes: 5,
        ..Limits::default()
    };
    let document = Some(Bytes::from_static(b"{}"));
    let two = Documents::pack(&vec![document.clone(); 2], &limits);
    assert_eq!(two.map(|packed| packed.documents), Ok(b"{}{}".to_vec()));
    let three = Documents::pack(&vec![document; 3], &limits);
    assert_eq!(
        three.map_err(|fault| format!("{}: {fault}", fault.code)),
        Err(
            "documents-too-large: the documents that are asked for have more than 5 bytes: ask for \
             fewer, or keep smaller ones"
                .to_owned()
        )
    );
}

/// Of what is wrong here, the count is told: it is looked at first, since what is made of an entry
/// takes some ten times the memory of its columns.
#[test]
fn too_many_entries_are_refused_before_they_are_read() {
    let told = |fault: Fault| format!("{}: {fault}", fault.code);
    let mut wrong = changes();
    wrong.key_ends.clear();
    assert_eq!(
        wrong.unpack(&limits(2)).map_err(told),
        Err("too-many-changes: too many changes: expected at most 2, found 3".to_owned())
    );
    let keys = KeySet {
        collection_of: vec![9; 3],
        ..KeySet::default()
    };
    assert_eq!(
        keys.unpack(&limits(2)).map_err(told),
        Err("too-many-changes: too many keys: expected at most 2, found 3".to_owned())
    );
    let keys = KeySet {
        collections: ["a", "b", "c"].map(str::to_owned).to_vec(),
        ..KeySet::default()
    };
    assert_eq!(
        keys.unpack(&limits(2)).map_err(told),
        Err("too-many-changes: too many collections: expected at most 2, found 3".to_owned())
    );
}

#[test]
fn names_of_a_batch_stand_once_in_the_order_in_which_they_occur() {
    let events = [
        ("local.main.events.order.1", "Placed"),
        ("local.main.events.order.2", "Paid"),
        ("local.main.others.order.1", "Placed"),
        ("local.main.events.order.1", "Placed"),
    ];
    let recorded: Vec<RecordedEvent> = events
        .iter()
        .enumerate()
        .map(|(number, (key, event_type))| event(number, key, event_type, b"{}"))
        .collect();
    let batch = pack(&recorded);
    assert_eq!(batch.types, ["Placed", "Paid"]);
    assert_eq!(batch.type_of, [0, 1, 0, 0]);
    assert_eq!(
        batch.entities,
        ["local.main.events.order", "local.main.others.order"]
    );
    assert_eq!(batch.entity_of, [0, 0, 1, 0]);
    assert_eq!(batch.content_types, ["application/json"]);
    assert_eq!(batch.aggregate_ids, "1211");
    assert_eq!(batch.aggregate_id_ends, [1, 2, 3, 4]);
}

proptest! {
    /// What a batch says of each event is what the event says.
    #[test]
    fn a_batch_tells_each_event_as_it_is(
        events in prop::collection::vec(
            (0..4_usize, 0..4_usize, prop::collection::vec(any::<u8>(), 0..20)),
            0..20,
        ),
    ) {
        let keys = ["a.b.c.d.one", "a.b.c.d.two", "a.b.c.e.one", "x.b.c.d.one"];
        let types = ["A", "B", "Cc", "Dd"];
        let recorded: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(number, (key, name, body))| event(number, keys[*key], types[*name], body))
            .collect();
        let batch = pack(&recorded);
        prop_assert_eq!(batch.type_of.len(), recorded.len());
        prop_assert_eq!(batch.payload_ends.last().map_or(0, |end| *end as usize), batch.payloads.len());
        for (at, event) in recorded.iter().enumerate() {
            let entity = format!("{}.{}", event.aggregate.namespace, event.aggregate.entity);
            prop_assert_eq!(&batch.types[batch.type_of[at] as usize], event.event.event_type.as_str());
            prop_assert_eq!(&batch.entities[batch.entity_of[at] as usize], &entity);
            prop_assert_eq!(
                &batch.aggregate_ids[range(&batch.aggregate_id_ends, at)],
                event.aggregate.id.as_str()
            );
            prop_assert_eq!(&batch.payloads[range(&batch.payload_ends, at)], &event.event.body[..]);
            prop_assert_eq!(batch.positions[at], at as u64 + 1);
            prop_assert_eq!(batch.times[at], event.event.timestamp.micros());
            let mut headers = Vec::new();
            headers::put_cbor(&mut headers, event);
            prop_assert_eq!(&batch.headers[range(&batch.header_ends, at)], &headers[..]);
        }
    }

    /// Changes come back as they were packed.
    #[test]
    fn changes_come_back_as_they_were(
        changes in prop::collection::vec(
            (0..3_u32, "[a-zä→]{0,6}", prop::option::of("[ -~]{0,12}")),
            0..30,
        ),
    ) {
        let names = ["one", "two", "three"];
        let mut columns = Changes {
            collections: names.map(str::to_owned).to_vec(),
            ..Changes::default()
        };
        let mut expected = Vec::new();
        for (collection, key, document) in &changes {
            columns.collection_of.push(*collection);
            columns.kinds.push(if document.is_some() { PUT } else { DELETE });
            columns.keys.push_str(key);
            columns.key_ends.push(columns.keys.len() as u32);
            columns.documents.extend_from_slice(document.as_deref().unwrap_or_default().as_bytes());
            columns.document_ends.push(columns.documents.len() as u32);
            let key = DocumentKey {
                collection: Name::new(names[*collection as usize]).expect("a name"),
                key: key.as_str().into(),
            };
            expected.push(match document {
                Some(document) => Change::Put { key, document: document.clone().into() },
                None => Change::Delete { key },
            });
        }
        prop_assert_eq!(columns.unpack(&limits(30)), Ok(expected));
    }

    /// Whatever a plugin returns is read or refused, and what is read are texts and bytes of it.
    #[test]
    fn any_columns_are_read_or_refused(
        mut entries in prop::collection::vec((0..3_u32, 1..4_u8, 0..6_u32, 0..4_u32), 0..4),
        keys in "[aä]{0,3}",
        documents in prop::collection::vec(any::<u8>(), 0..3),
        is_mended in any::<bool>(),
    ) {
        // Entries at random hardly ever fit.
        if is_mended {
            entries.sort_by_key(|entry| entry.2);
            let ends: Vec<u32> = entries.iter().map(|entry| entry.3).collect();
            let mut last = 0;
            for (entry, end) in entries.iter_mut().zip(ends) {
                entry.0 %= 2;
                entry.1 = PUT;
                last = end.min(documents.len() as u32).max(last);
                entry.3 = last;
            }
            if let Some(entry) = entries.last_mut() {
                (entry.2, entry.3) = (keys.len() as u32, documents.len() as u32);
            }
        }
        let columns = Changes {
            collections: vec!["one".to_owned(), "two".to_owned()],
            collection_of: entries.iter().map(|entry| entry.0).collect(),
            kinds: entries.iter().map(|entry| entry.1).collect(),
            key_ends: entries.iter().map(|entry| entry.2).collect(),
            keys,
            document_ends: entries.iter().map(|entry| entry.3).collect(),
            documents,
        };
        let Ok(changes) = columns.clone().unpack(&limits(4)) else {
            return Ok(());
        };
        prop_assert_eq!(changes.len(), columns.kinds.len());
        let keys: String = changes.iter().map(|change| &*change.key().key).collect();
        prop_assert_eq!(keys, columns.keys);
        let documents: Vec<u8> = changes
            .iter()
            .flat_map(|change| match change {
                Change::Put { document, .. } => document.to_vec(),
                Change::Delete { .. } => Vec::new(),
            })
            .collect();
        prop_assert_eq!(documents, columns.documents);
    }
}

fn limits(changes: usize) -> Limits {
    Limits {
        changes,
        ..Limits::default()
    }
}

fn pack(events: &[RecordedEvent]) -> Batch {
    let position = |at: usize| Position::new(at as u64 + 1).expect("from 1");
    let placed = events.iter().enumerate();
    Batch::pack(placed.map(|(at, event)| (position(at), event))).expect("a small batch")
}

fn event(number: usize, key: &str, event_type: &str, body: &[u8]) -> RecordedEvent {
    let key: AggregateKey = key.parse().expect("a key");
    let time = Timestamp::from_micros(1_700_000_000_000_000 + number as u64).expect("a time");
    let event = NewEvent::json(
        EventId::from_parts(time, [number as u8; 10]),
        &key.entity,
        EventType::new(event_type).expect("a type"),
        time,
        Text::new("test").expect("a text"),
        body.to_vec(),
    )
    .expect("a short operation");
    let mut recorded = record(&key, None, &[event]).expect("a short history");
    recorded.pop().expect("one event")
}
