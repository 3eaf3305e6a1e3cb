//! Answers, each with one thing wrong.

use crate::bindings::cim::plugin::types::{Changes, KeySet};

pub(crate) fn no_keys() -> KeySet {
    KeySet {
        collections: Vec::new(),
        collection_of: Vec::new(),
        key_ends: Vec::new(),
        keys: String::new(),
    }
}

pub(crate) fn one_key(key: String) -> KeySet {
    KeySet {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0],
        key_ends: vec![end(key.len())],
        keys: key,
    }
}

/// The same key so many times.
pub(crate) fn one_key_again(count: usize) -> KeySet {
    KeySet {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0; count],
        key_ends: (1..=count).map(end).collect(),
        keys: "k".repeat(count),
    }
}

pub(crate) fn nothing() -> Changes {
    Changes {
        collections: Vec::new(),
        collection_of: Vec::new(),
        kinds: Vec::new(),
        key_ends: Vec::new(),
        keys: String::new(),
        document_ends: Vec::new(),
        documents: Vec::new(),
    }
}

/// Two changes, of which nothing is wrong.
fn two() -> Changes {
    Changes {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0, 0],
        kinds: vec![1, 1],
        key_ends: vec![1, 2],
        keys: "kl".to_owned(),
        document_ends: vec![2, 4],
        documents: b"{}{}".to_vec(),
    }
}

/// The changes of a mode that is about them.
pub(crate) fn changes(mode: &str) -> Option<Changes> {
    Some(match mode {
        "large-answer" => large(48),
        "many-changes" => many(10_001),
        // As many as fit into an answer of 16 MiB.
        "most-changes" => many(1_100_000),
        "long-key" => put(&"k".repeat(1025), b"{}".to_vec()),
        "empty-key" => put("", b"{}".to_vec()),
        "hoard" => put("k", string_of(1 << 20)),
        "large-document" => put("k", string_of((1 << 20) + 1)),
        "not-json" => put("k", b"{events: 1}".to_vec()),
        "document-not-utf8" => put("k", b"\"\xff\"".to_vec()),
        "undeclared" => Changes {
            collections: vec!["others".to_owned()],
            ..two()
        },
        "not-utf8" => Changes {
            keys: not_utf8(),
            ..two()
        },
        "ends-fall" => Changes {
            document_ends: vec![4, 2],
            ..two()
        },
        "ends-beyond" => Changes {
            key_ends: vec![1, 3],
            ..two()
        },
        "ends-short" => Changes {
            document_ends: vec![2, 2],
            ..two()
        },
        "split-char" => Changes {
            keys: "ää".to_owned(),
            key_ends: vec![1, 4],
            ..two()
        },
        "lengths" => Changes {
            kinds: vec![1],
            ..two()
        },
        "index" => Changes {
            collection_of: vec![0, 1],
            ..two()
        },
        "kind" => Changes {
            kinds: vec![1, 3],
            ..two()
        },
        "delete-with-document" => Changes {
            kinds: vec![1, 2],
            ..two()
        },
        _ => return None,
    })
}

#[allow(unsafe_code, reason = "a hostile plugin keeps no rule of Rust either")]
pub(crate) fn not_utf8() -> String {
    // SAFETY: none: the text is only carried to the host, which has to find it.
    unsafe { String::from_utf8_unchecked(b"k\xff".to_vec()) }
}

/// So many documents of 1 MiB each.
fn large(mebibytes: usize) -> Changes {
    let ends = |each: usize| (1..=mebibytes).map(|count| end(count * each)).collect();
    Changes {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0; mebibytes],
        kinds: vec![1; mebibytes],
        key_ends: ends(1),
        keys: "k".repeat(mebibytes),
        document_ends: ends(1 << 20),
        documents: vec![b'1'; mebibytes << 20],
    }
}

fn many(count: usize) -> Changes {
    Changes {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0; count],
        kinds: vec![2; count],
        key_ends: (1..=count).map(end).collect(),
        keys: "k".repeat(count),
        document_ends: vec![0; count],
        documents: Vec::new(),
    }
}

fn put(key: &str, document: Vec<u8>) -> Changes {
    Changes {
        collections: vec!["counts".to_owned()],
        collection_of: vec![0],
        kinds: vec![1],
        key_ends: vec![end(key.len())],
        keys: key.to_owned(),
        document_ends: vec![end(document.len())],
        documents: document,
    }
}

/// A JSON string of so many bytes.
fn string_of(bytes: usize) -> Vec<u8> {
    let mut text = vec![b'x'; bytes];
    text[0] = b'"';
    text[bytes - 1] = b'"';
    text
}

fn end(length: usize) -> u32 {
    u32::try_from(length).expect("answers are below 4 GiB")
}
