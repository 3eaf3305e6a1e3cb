//! Events into columns, and columns into keys and changes, as the host does it.

use bytes::Bytes;
use cim_core::event::RecordedEvent;
use cim_core::headers::{self, Carrier};
use cim_core::projection::{Change, DocumentKey, Fault, Limits, Name};
use cim_core::version::Position;

use crate::bindings::cim::plugin::types::{Batch, Changes, Documents, KeySet};
use crate::columns::{end, range};

/// Packs events into columns.
///
/// # Errors
///
/// The schema version of an event is above the border's 32 bits.
pub(super) fn pack<'a>(
    events: impl IntoIterator<Item = (Position, &'a RecordedEvent)>,
) -> Result<Batch, Fault> {
    let mut batch = Batch {
        types: Vec::new(),
        type_of: Vec::new(),
        schema_versions: Vec::new(),
        entities: Vec::new(),
        entity_of: Vec::new(),
        aggregate_id_ends: Vec::new(),
        aggregate_ids: String::new(),
        versions: Vec::new(),
        positions: Vec::new(),
        times: Vec::new(),
        header_ends: Vec::new(),
        headers: Vec::new(),
        content_types: Vec::new(),
        content_type_of: Vec::new(),
        payload_ends: Vec::new(),
        payloads: Vec::new(),
    };
    for (index, (position, event)) in events.into_iter().enumerate() {
        let new = &event.event;
        let schema_version = u32::try_from(new.schema_version.get()).map_err(|_| Fault {
            index: Some(index),
            ..fault(format!(
                "the schema version `{}` has more than 32 bits",
                new.schema_version
            ))
        })?;
        let entity = format!("{}.{}", event.aggregate.namespace, event.aggregate.entity);
        let event_type = place(&mut batch.types, new.event_type.as_str());
        batch.type_of.push(event_type);
        batch.schema_versions.push(schema_version);
        let entity = place(&mut batch.entities, &entity);
        batch.entity_of.push(entity);
        batch.aggregate_ids.push_str(event.aggregate.id.as_str());
        batch.aggregate_id_ends.push(end(batch.aggregate_ids.len()));
        batch.versions.push(event.version.get());
        batch.positions.push(position.get());
        batch.times.push(new.timestamp.micros());
        pack_headers(event, &mut batch.headers);
        batch.header_ends.push(end(batch.headers.len()));
        let content_type = place(&mut batch.content_types, new.content_type.as_str());
        batch.content_type_of.push(content_type);
        batch.payloads.extend_from_slice(&new.body);
        batch.payload_ends.push(end(batch.payloads.len()));
    }
    Ok(batch)
}

/// The index of `text` in `texts`, to which it is added if it is not there.
fn place(texts: &mut Vec<String>, text: &str) -> u32 {
    let index = texts.iter().position(|known| known == text);
    let index = index.unwrap_or_else(|| {
        texts.push(text.to_owned());
        texts.len() - 1
    });
    end(index)
}

fn pack_headers(event: &RecordedEvent, out: &mut Vec<u8>) {
    let pairs = event.headers().pairs(Carrier::Export);
    let pairs: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| !IN_COLUMNS.contains(&name.as_str()))
        .collect();
    put_head(out, MAP, pairs.len());
    for (name, value) in pairs {
        for text in [name, value] {
            put_head(out, TEXT, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Appends the head of a CBOR item (RFC 8949, section 3) in its shortest form.
fn put_head(out: &mut Vec<u8>, major: u8, number: usize) {
    let major = major << 5;
    let bytes = end(number).to_be_bytes();
    match number {
        0..=23 => out.push(major | bytes[3]),
        24..=0xff => out.extend_from_slice(&[major | 24, bytes[3]]),
        0x100..=0xffff => out.extend_from_slice(&[major | 25, bytes[2], bytes[3]]),
        _ => {
            out.push(major | 26);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Packs documents in the order of the keys that asked for them.
pub(super) fn pack_documents(documents: &[Option<Bytes>]) -> Documents {
    let mut columns = Documents {
        present: Vec::new(),
        document_ends: Vec::new(),
        documents: Vec::new(),
    };
    for document in documents {
        columns.present.push(document.is_some().into());
        columns
            .documents
            .extend_from_slice(document.as_deref().unwrap_or_default());
        columns.document_ends.push(end(columns.documents.len()));
    }
    columns
}

/// Unpacks and checks the keys that a plugin asks for.
pub(super) fn unpack_keys(
    set: &KeySet,
    declared: &[Name],
    limits: &Limits,
) -> Result<Vec<DocumentKey>, Fault> {
    check_count("keys", set.collection_of.len(), limits)?;
    (0..set.collection_of.len())
        .map(|index| {
            key(
                &set.collections[set.collection_of[index] as usize],
                &set.keys[range(&set.key_ends, index)],
                declared,
                limits,
            )
        })
        .collect()
}

/// Unpacks and checks the changes that a plugin makes.
pub(super) fn unpack_changes(
    changes: &Changes,
    declared: &[Name],
    limits: &Limits,
) -> Result<Vec<Change>, Fault> {
    check_count("changes", changes.kinds.len(), limits)?;
    (0..changes.kinds.len())
        .map(|index| {
            let key = key(
                &changes.collections[changes.collection_of[index] as usize],
                &changes.keys[range(&changes.key_ends, index)],
                declared,
                limits,
            )?;
            if changes.kinds[index] == DELETE {
                return Ok(Change::Delete { key });
            }
            let document = &changes.documents[range(&changes.document_ends, index)];
            check_document(&key, document, limits)?;
            Ok(Change::Put {
                key,
                document: Bytes::copy_from_slice(document),
            })
        })
        .collect()
}

fn key(
    collection: &str,
    key: &str,
    declared: &[Name],
    limits: &Limits,
) -> Result<DocumentKey, Fault> {
    let collection = declared.iter().find(|name| name.as_str() == collection);
    let collection = collection.expect("the library checks collections").clone();
    if key.is_empty() || key.len() > limits.key_bytes {
        return Err(fault(format!(
            "a key of `{collection}` has the wrong length: expected 1 to {} bytes, found {}",
            limits.key_bytes,
            key.len()
        )));
    }
    let key = key.into();
    Ok(DocumentKey { collection, key })
}

fn check_document(key: &DocumentKey, document: &[u8], limits: &Limits) -> Result<(), Fault> {
    let at = format!("the document `{}` of `{}`", key.key, key.collection);
    if document.len() > limits.document_bytes {
        return Err(fault(format!(
            "{at} is too long: expected at most {} bytes, found {}",
            limits.document_bytes,
            document.len()
        )));
    }
    let text =
        str::from_utf8(document).map_err(|error| fault(format!("{at} is no text: {error}")))?;
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| fault(format!("{at} is no JSON: {error}")))?;
    Ok(())
}

fn check_count(what: &str, found: usize, limits: &Limits) -> Result<(), Fault> {
    if found > limits.changes {
        return Err(fault(format!(
            "too many {what}: expected at most {}, found {found}",
            limits.changes
        )));
    }
    Ok(())
}

fn fault(message: String) -> Fault {
    Fault {
        code: "answer-invalid".to_owned(),
        message,
        index: None,
        retryable: false,
    }
}

/// The headers that have columns of their own.
const IN_COLUMNS: [&str; 5] = [
    headers::EVENT_TYPE,
    headers::TIMESTAMP,
    headers::CONTENT_TYPE,
    headers::SCHEMA_VERSION,
    headers::AGGREGATE_VERSION,
];

const DELETE: u8 = 2;
/// CBOR's major type of a text.
const TEXT: u8 = 3;
/// CBOR's major type of a map.
const MAP: u8 = 5;
