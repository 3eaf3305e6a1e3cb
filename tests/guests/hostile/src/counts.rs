//! What a sound plugin does: a document `{"events":n}` for each aggregate.

use std::collections::BTreeMap;

use crate::bindings::cim::plugin::types::{Batch, Changes, Documents, KeySet};

const BEFORE: &str = r#"{"events":"#;

pub(crate) fn keys(events: &Batch) -> KeySet {
    let counts = count(events);
    let (key_ends, keys) = join(counts.keys().copied());
    KeySet {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0; key_ends.len()],
        key_ends,
        keys,
    }
}

pub(crate) fn changes(events: &Batch, read: &Documents) -> Changes {
    let counts = count(events);
    let mut start = 0;
    let documents = counts.values().zip(&read.document_ends).map(|(new, end)| {
        let before = &read.documents[start..*end as usize];
        start = *end as usize;
        format!("{BEFORE}{}}}", number(before) + new)
    });
    let (document_ends, documents) = join(documents);
    let (key_ends, keys) = join(counts.keys().copied());
    Changes {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0; key_ends.len()],
        kinds: vec![1; key_ends.len()],
        key_ends,
        keys,
        document_ends,
        documents: documents.into_bytes(),
    }
}

/// How many events of each aggregate there are, in the order of their keys.
fn count(events: &Batch) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    let mut start = 0;
    for end in &events.aggregate_id_ends {
        *counts
            .entry(&events.aggregate_ids[start..*end as usize])
            .or_default() += 1;
        start = *end as usize;
    }
    counts
}

/// The count in a document; none has none.
fn number(document: &[u8]) -> u64 {
    let digits = document.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn join(items: impl Iterator<Item = impl AsRef<str>>) -> (Vec<u32>, String) {
    let mut all = String::new();
    let ends = items.map(|item| {
        all.push_str(item.as_ref());
        u32::try_from(all.len()).expect("a batch is small")
    });
    (ends.collect(), all)
}
