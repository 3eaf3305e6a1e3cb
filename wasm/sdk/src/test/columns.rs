//! The host's columns as the plugin's own types, and back.

use bytes::Bytes;
use cim_core::event::RecordedEvent;
use cim_core::projection::check::Checks;
use cim_core::projection::{Change, DocumentKey, Fault, columns};
use cim_core::version::Position;

use crate::bindings::cim::plugin::types::{Batch, Changes, Documents, KeySet};

/// Packs events into columns.
///
/// # Errors
///
/// As the host's packing.
pub(super) fn pack<'a>(
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
pub(super) fn pack_documents(
    documents: &[Option<Bytes>],
    checks: &Checks,
) -> Result<Documents, Fault> {
    let columns::Documents {
        present,
        document_ends,
        documents,
    } = columns::Documents::pack(documents, checks.limits())?;
    Ok(Documents {
        present,
        document_ends,
        documents,
    })
}

/// Unpacks and checks the keys that a plugin asks for.
pub(super) fn unpack_keys(set: KeySet, checks: &Checks) -> Result<Vec<DocumentKey>, Fault> {
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
    let keys = set.unpack(checks.limits())?;
    checks.keys(&keys)?;
    Ok(keys)
}

/// Unpacks and checks the changes that a plugin makes.
pub(super) fn unpack_changes(changes: Changes, checks: &Checks) -> Result<Vec<Change>, Fault> {
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
    let changes = changes.unpack(checks.limits())?;
    checks.changes(&changes)?;
    Ok(changes)
}
