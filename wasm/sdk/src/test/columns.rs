//! The host's columns as the plugin's own types, and back. What they say is not checked here.

use bytes::Bytes;
use cim_core::event::RecordedEvent;
use cim_core::projection::{Change, DocumentKey, Fault, Limits, columns};
use cim_core::version::Position;

use crate::bindings::cim::plugin::types::{Batch, Changes, Documents, KeySet};

/// Packs events into columns.
///
/// # Errors
///
/// As the host's packing.
pub fn pack<'a>(
    events: impl IntoIterator<Item = (Position, &'a RecordedEvent)>,
) -> Result<Batch, Fault> {
    let columns::Batch {
        types,
        type_of,
        schema_versions,
        entities,
        entity_of,
        aggregate_id_ends,
        aggregate_ids,
        versions,
        positions,
        times,
        header_ends,
        headers,
        content_types,
        content_type_of,
        payload_ends,
        payloads,
    } = columns::Batch::pack(events)?;
    Ok(Batch {
        types,
        type_of,
        schema_versions,
        entities,
        entity_of,
        aggregate_id_ends,
        aggregate_ids,
        versions,
        positions,
        times,
        header_ends,
        headers,
        content_types,
        content_type_of,
        payload_ends,
        payloads,
    })
}

/// Packs documents in the order of the keys that asked for them.
///
/// # Errors
///
/// As the host's packing.
pub fn pack_documents(documents: &[Option<Bytes>], limits: &Limits) -> Result<Documents, Fault> {
    let columns::Documents {
        present,
        document_ends,
        documents,
    } = columns::Documents::pack(documents, limits)?;
    Ok(Documents {
        present,
        document_ends,
        documents,
    })
}

/// Unpacks the keys that a plugin asks for.
///
/// # Errors
///
/// As the host's unpacking.
pub fn unpack_keys(set: KeySet, limits: &Limits) -> Result<Vec<DocumentKey>, Fault> {
    let KeySet {
        collections,
        collection_of,
        key_ends,
        keys,
    } = set;
    let set = columns::KeySet {
        collections,
        collection_of,
        key_ends,
        keys,
    };
    set.unpack(limits)
}

/// Unpacks the changes that a plugin makes.
///
/// # Errors
///
/// As the host's unpacking.
pub fn unpack_changes(changes: Changes, limits: &Limits) -> Result<Vec<Change>, Fault> {
    let Changes {
        collections,
        collection_of,
        kinds,
        key_ends,
        keys,
        document_ends,
        documents,
    } = changes;
    let changes = columns::Changes {
        collections,
        collection_of,
        kinds,
        key_ends,
        keys,
        document_ends,
        documents,
    };
    changes.unpack(limits)
}
