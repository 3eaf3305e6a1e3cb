//! What a plugin may return.

use cim_core::projection::check::Checks;
use cim_core::projection::columns::{Changes, KeySet};
use cim_core::projection::{Change, Descriptor, Limits, Name};

/// Columns of changes: they are refused, or read as what they hold, all of it and in its order.
///
/// The first byte is the number of entries; each has four bytes: collection, kind, end of its key,
/// end of its document. Then come the keys, up to a line feed, and the documents.
pub fn columns(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let Some((entries, blobs)) = rest.split_at_checked(usize::from(*count) * 4) else {
        return;
    };
    let (keys, documents) = match blobs.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&blobs[..end], &blobs[end + 1..]),
        None => (blobs, &[][..]),
    };
    let Ok(keys) = std::str::from_utf8(keys) else {
        return;
    };
    let column = |at: usize| entries.iter().skip(at).step_by(4).copied();
    let changes = Changes {
        collections: NAMES.map(str::to_owned).to_vec(),
        collection_of: column(0).map(u32::from).collect(),
        kinds: column(1).collect(),
        key_ends: column(2).map(u32::from).collect(),
        keys: keys.to_owned(),
        document_ends: column(3).map(u32::from).collect(),
        documents: documents.to_vec(),
    };
    let keys = KeySet {
        collections: changes.collections.clone(),
        collection_of: changes.collection_of.clone(),
        key_ends: changes.key_ends.clone(),
        keys: changes.keys.clone(),
    };
    let read = changes.clone().unpack(&LIMITS);
    let read_keys = keys.unpack(&LIMITS);
    if usize::from(*count) > MOST {
        let code = "too-many-changes";
        assert_eq!(read.map_err(|fault| fault.code), Err(code.to_owned()));
        assert_eq!(read_keys.map_err(|fault| fault.code), Err(code.to_owned()));
        return;
    }
    let Ok(read) = read else {
        return;
    };
    let read_keys = read_keys.expect("the columns of the keys fit, since those of the changes do");
    assert!(read.iter().map(Change::key).eq(&read_keys), "the same keys");
    written_back(&changes, &read);
    let checked = checks().changes(&read);
    let checked_keys = checks().keys(&read_keys);
    assert!(
        checked.is_err() || checked_keys.is_ok(),
        "changes of valid keys"
    );
}

/// The columns tell what was read of them.
fn written_back(columns: &Changes, read: &[Change]) {
    let mut keys = String::new();
    let mut documents = Vec::new();
    for (at, change) in read.iter().enumerate() {
        let collection = NAMES[columns.collection_of[at] as usize];
        assert_eq!(change.key().collection.as_str(), collection);
        keys.push_str(&change.key().key);
        assert_eq!(keys.len(), columns.key_ends[at] as usize);
        let kind = match change {
            Change::Put { document, .. } => {
                documents.extend_from_slice(document);
                1
            }
            Change::Delete { .. } => 2,
        };
        assert_eq!(kind, columns.kinds[at]);
        assert_eq!(documents.len(), columns.document_ends[at] as usize);
    }
    assert_eq!((&keys, &documents), (&columns.keys, &columns.documents));
}

fn checks() -> Checks {
    let name = |name| Name::new(name).expect("a name");
    let descriptor = Descriptor {
        name: name("fuzz"),
        version: "1".to_owned(),
        event_types: Vec::new(),
        collections: vec![name(NAMES[0])],
    };
    Checks::new(&descriptor, LIMITS)
}

/// The collections of an answer, of which the first is declared.
const NAMES: [&str; 2] = ["one", "two"];

/// The most changes that are read.
const MOST: usize = 8;

const LIMITS: Limits = Limits {
    changes: MOST,
    key_bytes: 4,
    document_bytes: 16,
    read_bytes: 16,
};
