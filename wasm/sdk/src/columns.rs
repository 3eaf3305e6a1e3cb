//! Items of blobs by their ends, checked once for each call.

use std::ops::{Index, Range};

use crate::bindings::cim::plugin::types::{Batch, Documents};
use crate::failure::Failure;

/// Where item `index` of a blob is.
pub(crate) fn range(ends: &[u32], index: usize) -> Range<usize> {
    let start = index.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[index] as usize
}

/// The item `index` of a blob.
pub(crate) fn item<'a, T>(ends: &[u32], blob: &'a T, index: usize) -> &'a T
where
    T: Index<Range<usize>, Output = T> + ?Sized,
{
    &blob[range(ends, index)]
}

/// The end of a blob that has just got another item.
///
/// # Panics
///
/// When the blob has more than 4 GiB, more than the memory of a guest.
pub(crate) fn end(blob_len: usize) -> u32 {
    u32::try_from(blob_len).expect("a blob fits into the memory of a guest")
}

/// Checks that all columns of a batch fit together, and counts its events.
///
/// # Errors
///
/// A [`Failure`] that names the first column that does not fit: the host made the batch wrongly.
pub(crate) fn check_batch(batch: &Batch) -> Result<usize, Failure> {
    let events = batch.type_of.len();
    let lengths = [
        ("schema-versions", batch.schema_versions.len()),
        ("entity-of", batch.entity_of.len()),
        ("aggregate-id-ends", batch.aggregate_id_ends.len()),
        ("versions", batch.versions.len()),
        ("positions", batch.positions.len()),
        ("times", batch.times.len()),
        ("header-ends", batch.header_ends.len()),
        ("content-type-of", batch.content_type_of.len()),
        ("payload-ends", batch.payload_ends.len()),
    ];
    for (column, found) in lengths {
        if found != events {
            return Err(invalid(
                column,
                &format!("expected {events} entries, found {found}"),
            ));
        }
    }
    check_index("type-of", &batch.type_of, batch.types.len())?;
    check_index("entity-of", &batch.entity_of, batch.entities.len())?;
    check_index(
        "content-type-of",
        &batch.content_type_of,
        batch.content_types.len(),
    )?;
    let ids = &batch.aggregate_ids;
    check_ends("aggregate-id-ends", &batch.aggregate_id_ends, ids.len())?;
    if !batch
        .aggregate_id_ends
        .iter()
        .all(|end| ids.is_char_boundary(*end as usize))
    {
        return Err(invalid("aggregate-id-ends", "an end is within a character"));
    }
    check_ends("header-ends", &batch.header_ends, batch.headers.len())?;
    check_ends("payload-ends", &batch.payload_ends, batch.payloads.len())?;
    Ok(events)
}

/// Checks that these are the documents of `keys` keys.
///
/// # Errors
///
/// A [`Failure`] that names the first column that does not fit.
pub(crate) fn check_documents(read: &Documents, keys: usize) -> Result<(), Failure> {
    for (column, found) in [
        ("present", read.present.len()),
        ("document-ends", read.document_ends.len()),
    ] {
        if found != keys {
            return Err(invalid(
                column,
                &format!("expected {keys} entries, found {found}"),
            ));
        }
    }
    check_ends("document-ends", &read.document_ends, read.documents.len())
}

fn check_index(column: &str, indexes: &[u32], names: usize) -> Result<(), Failure> {
    match indexes.iter().find(|index| **index as usize >= names) {
        None => Ok(()),
        Some(index) => Err(invalid(
            column,
            &format!("expected an index below {names}, found {index}"),
        )),
    }
}

fn check_ends(column: &str, ends: &[u32], blob: usize) -> Result<(), Failure> {
    let last = ends.last().map_or(0, |end| *end as usize);
    if !ends.is_sorted() || last != blob {
        return Err(invalid(
            column,
            &format!("expected ends that rise to {blob}, found `{last}` at the end"),
        ));
    }
    Ok(())
}

fn invalid(column: &str, fault: &str) -> Failure {
    Failure::new(
        "batch-invalid",
        format!("the column `{column}` is wrong: {fault}"),
    )
}
