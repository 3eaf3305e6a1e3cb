//! What a handler returns is checked before it reaches a read model, whoever wrote the handler.

use std::collections::HashSet;

use super::{Change, Descriptor, DocumentKey, Fault, Limits, Name};
use crate::text::shorten;
use serde::de::IgnoredAny;

/// What a handler's answers are measured by.
#[derive(Debug)]
pub struct Checks {
    collections: HashSet<Name>,
    limits: Limits,
}

impl Checks {
    /// For the answers of a handler with this descriptor.
    pub fn new(descriptor: &Descriptor, limits: Limits) -> Self {
        Self {
            collections: descriptor.collections.iter().cloned().collect(),
            limits,
        }
    }

    /// What answers are measured by.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks the keys that a handler asks for.
    ///
    /// # Errors
    ///
    /// `too-many-changes` (of keys), `collection-undeclared`, `key-invalid`.
    pub fn keys(&self, keys: &[DocumentKey]) -> Result<(), Fault> {
        self.count("keys", keys.len())?;
        keys.iter().try_for_each(|key| self.key(key))
    }

    /// Checks the changes that a handler makes.
    ///
    /// # Errors
    ///
    /// `too-many-changes`, `collection-undeclared`, `key-invalid`, `document-too-large`,
    /// `document-invalid`.
    pub fn changes(&self, changes: &[Change]) -> Result<(), Fault> {
        self.count("changes", changes.len())?;
        changes.iter().try_for_each(|change| match change {
            Change::Put { key, document } => {
                self.key(key)?;
                self.document(key, document)
            }
            Change::Delete { key } => self.key(key),
        })
    }

    fn count(&self, what: &str, found: usize) -> Result<(), Fault> {
        self.limits.check_count(what, found)
    }

    fn key(&self, key: &DocumentKey) -> Result<(), Fault> {
        if !self.collections.contains(&key.collection) {
            let message = format!("the collection `{}` is not declared", key.collection);
            return Err(fault("collection-undeclared", message));
        }
        let (found, most) = (key.key.len(), self.limits.key_bytes);
        if found == 0 || found > most {
            let message = format!("a key has {found} bytes: expected 1 to {most}");
            return Err(fault("key-invalid", message));
        }
        Ok(())
    }

    fn document(&self, key: &DocumentKey, document: &[u8]) -> Result<(), Fault> {
        let (found, most) = (document.len(), self.limits.document_bytes);
        if found > most {
            let message = format!(
                "the document `{}` has {found} bytes: expected at most {most}",
                shorten(&key.key)
            );
            return Err(fault("document-too-large", message));
        }
        // The parser need not look into what it ignores, so UTF-8 is checked first.
        let valid = std::str::from_utf8(document).map_err(|error| error.to_string());
        valid
            .and_then(|text| {
                serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())
            })
            .map_err(|why| {
                let shown = shorten(&key.key);
                let message = format!("the document `{shown}` is no JSON: {why}");
                fault("document-invalid", message)
            })?;
        Ok(())
    }
}

fn fault(code: &str, message: String) -> Fault {
    Fault {
        code: code.to_owned(),
        message,
        index: None,
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_break_a_limit_are_faults() {
        let put = |collection: &str, key: &str, document: &[u8]| Change::Put {
            key: document_key(collection, key),
            document: document.to_vec().into(),
        };
        let delete = |collection: &str, key: &str| Change::Delete {
            key: document_key(collection, key),
        };
        let cases = [
            (vec![put("counts", "a", b"{}"); 3], ""),
            (vec![put("counts", "a", b" [1,\"2\"] ")], ""),
            (vec![delete("counts", "abcd")], ""),
            (vec![delete("counts", "a"); 4], "too-many-changes"),
            (vec![delete("count", "a")], "collection-undeclared"),
            (vec![delete("counts", "")], "key-invalid"),
            (vec![delete("counts", "abcde")], "key-invalid"),
            (
                vec![put("counts", "a", b"[12345678]")],
                "document-too-large",
            ),
            (vec![put("counts", "a", b"")], "document-invalid"),
            (vec![put("counts", "a", b"{} {}")], "document-invalid"),
            (vec![put("counts", "a", b"\"\xff\"")], "document-invalid"),
        ];
        for (changes, code) in cases {
            let found = checks().changes(&changes).map_err(|fault| fault.code);
            assert_eq!(found.err().unwrap_or_default(), code, "{changes:?}");
        }
    }

    #[test]
    fn a_key_stands_escaped_in_a_message() {
        for (document, why) in [
            (&b"[12345678]"[..], "has 10 bytes: expected at most 9"),
            (b"?", "is no JSON: expected value at line 1 column 1"),
        ] {
            let put = Change::Put {
                key: document_key("counts", "\u{1b}[2J"),
                document: document.to_vec().into(),
            };
            let told = checks().changes(&[put]).map_err(|fault| fault.message);
            assert_eq!(told, Err(format!("the document `\\u{{1b}}[2J` {why}")));
        }
    }

    #[test]
    fn keys_that_break_a_limit_are_faults() {
        let key = |collection: &str, key: &str| document_key(collection, key);
        let cases = [
            (vec![key("counts", "a"); 3], ""),
            (vec![key("counts", "a"); 4], "too-many-changes"),
            (vec![key("count", "a")], "collection-undeclared"),
            (vec![key("counts", "")], "key-invalid"),
        ];
        for (keys, code) in cases {
            let found = checks().keys(&keys).map_err(|fault| fault.code);
            assert_eq!(found.err().unwrap_or_default(), code, "{keys:?}");
        }
    }

    fn checks() -> Checks {
        let name = |name| Name::new(name).expect("a name");
        let descriptor = Descriptor {
            name: name("test"),
            version: "1".to_owned(),
            event_types: Vec::new(),
            collections: vec![name("counts")],
        };
        let limits = Limits {
            changes: 3,
            key_bytes: 4,
            document_bytes: 9,
            read_bytes: 9,
        };
        Checks::new(&descriptor, limits)
    }

    fn document_key(collection: &str, key: &str) -> DocumentKey {
        DocumentKey {
            collection: Name::new(collection).expect("a name"),
            key: key.into(),
        }
    }
}
