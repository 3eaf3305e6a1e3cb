//! Projections: events in, changes of documents out, each event taking effect exactly once.
//!
//! A handler, native or a plugin, gets a batch of events and returns [`Change`]s of documents under
//! keys in collections that it declared. Whatever is killed when, the changes and the checkpoint
//! are committed in one step. [`machine`] decides what happens next; [`columns`] is how batches and
//! changes cross the border to a plugin.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::id::EventType;
use crate::text::shorten;

pub mod check;
pub mod columns;
pub mod machine;

/// The longest name of a projection or a collection: with the names of our own tables it stays far
/// below what databases and NATS take.
pub const MAX_NAME_LEN: usize = 48;

/// How no name begins: SQLite keeps tables with such names to itself.
pub const RESERVED_PREFIX: &str = "sqlite";

/// The name of a projection or of one of its collections: `[a-z][a-z0-9_]{0,47}`, so that it can
/// stand in SQL, in a NATS key and in a file's name as it is, and not beginning with
/// [`RESERVED_PREFIX`].
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes `text` as a name.
    ///
    /// # Errors
    ///
    /// [`ProjectionNameError`].
    pub fn new(text: &str) -> Result<Self, ProjectionNameError> {
        let allowed = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let bytes = text.as_bytes();
        let valid = bytes.first().is_some_and(u8::is_ascii_lowercase)
            && bytes.len() <= MAX_NAME_LEN
            && bytes.iter().all(allowed);
        if !valid {
            return Err(ProjectionNameError::Invalid {
                text: shorten(text),
            });
        }
        if text.starts_with(RESERVED_PREFIX) {
            return Err(ProjectionNameError::Reserved {
                text: shorten(text),
            });
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ProjectionNameError;
    fn from_str(text: &str) -> Result<Self, ProjectionNameError> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A text that is no name of a projection or a collection.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProjectionNameError {
    /// It has what no name has.
    Invalid {
        /// The text, shortened if it is very long.
        text: String,
    },
    /// It begins with [`RESERVED_PREFIX`].
    Reserved {
        /// The text.
        text: String,
    },
}

impl ProjectionNameError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "projection-name-invalid",
            Self::Reserved { .. } => "projection-name-reserved",
        }
    }
}

impl fmt::Display for ProjectionNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { text } => write!(
                f,
                "`{text}` is not a name of a projection or collection: it must begin with a-z and \
                 have at most {MAX_NAME_LEN} of a-z, 0-9 and `_`"
            ),
            Self::Reserved { text } => write!(
                f,
                "`{text}` is not a name of a projection or collection: it must not begin with \
                 `{RESERVED_PREFIX}`, as tables of SQLite's own do"
            ),
        }
    }
}

impl std::error::Error for ProjectionNameError {}

/// What a handler says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// The projection's name.
    pub name: Name,
    /// The handler's version, for people.
    pub version: String,
    /// The event types that it takes; empty means all. Others are passed over, but move the
    /// checkpoint.
    pub event_types: Vec<EventType>,
    /// The collections that it reads and writes, each once.
    pub collections: Vec<Name>,
}

/// Where a document stands.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DocumentKey {
    /// The collection.
    pub collection: Name,
    /// The key in it: not empty, at most [`Limits::key_bytes`].
    pub key: Arc<str>,
}

/// A change of one document. Changes take effect in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Puts a document, whether or not there is one.
    Put {
        /// Where.
        key: DocumentKey,
        /// One JSON text, stored byte for byte.
        document: Bytes,
    },
    /// Deletes a document if there is one.
    Delete {
        /// Where.
        key: DocumentKey,
    },
}

impl Change {
    /// The document that is changed.
    pub fn key(&self) -> &DocumentKey {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// What a handler may return from one call; [`columns`] checks it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most changes, and the most keys that are asked for. 10 000 by default: some twenty for
    /// each event of a full batch.
    pub changes: usize,
    /// The longest key in bytes, 1 KiB by default: it is an index entry.
    pub key_bytes: usize,
    /// The longest document in bytes, 1 MiB by default: as large as an event may be.
    pub document_bytes: usize,
    /// The most bytes of documents that a call reads, each counted as often as it is asked for;
    /// 32 MiB by default: half of a plugin's memory, which holds them beside the batch.
    pub read_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            changes: 10_000,
            key_bytes: 1 << 10,
            document_bytes: 1 << 20,
            read_bytes: 32 << 20,
        }
    }
}

impl Limits {
    /// Refuses more changes, or keys, than are taken.
    fn check_count(&self, what: &str, found: usize) -> Result<(), Fault> {
        if found <= self.changes {
            return Ok(());
        }
        Err(Fault {
            code: "too-many-changes".to_owned(),
            message: format!(
                "too many {what}: expected at most {}, found {found}",
                self.changes
            ),
            index: None,
            retryable: false,
        })
    }

    /// Refuses more bytes of documents than a call may read. Whoever reads or copies documents asks
    /// before each: what was asked for says nothing of how much it is.
    ///
    /// # Errors
    ///
    /// `documents-too-large`.
    pub fn check_read(&self, bytes: usize) -> Result<(), Fault> {
        if bytes <= self.read_bytes {
            return Ok(());
        }
        Err(Fault {
            code: "documents-too-large".to_owned(),
            message: format!(
                "the documents that are asked for have more than {} bytes: ask for fewer, or keep \
                 smaller ones",
                self.read_bytes
            ),
            index: None,
            retryable: false,
        })
    }
}

/// Why a handler's call had no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Stable, in kebab-case: `trapped`, `out-of-time`, `out-of-fuel`, `out-of-memory`,
    /// `too-many-changes`, `documents-too-large`, or what the handler itself says.
    pub code: String,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The event of the batch that is at fault, counted from 0, where that is known.
    pub index: Option<usize>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_stand_in_sql_as_they_are() {
        let long = "a".repeat(MAX_NAME_LEN + 1);
        for (text, code) in [
            ("a", ""),
            ("activity_2", ""),
            ("sqlit", ""),
            (&long[1..], ""),
            ("", "projection-name-invalid"),
            ("2a", "projection-name-invalid"),
            ("_a", "projection-name-invalid"),
            ("Activity", "projection-name-invalid"),
            ("a-b", "projection-name-invalid"),
            (&long, "projection-name-invalid"),
            // With `__` behind it, it would begin as SQLite's own tables.
            ("sqlite", "projection-name-reserved"),
            ("sqlite_views", "projection-name-reserved"),
        ] {
            let found = Name::new(text).map_err(|error| error.code());
            assert_eq!(found.err().unwrap_or_default(), code, "{text}");
        }
        let error = Name::new("sqlite_views").expect_err("reserved");
        assert_eq!(
            error.to_string(),
            "`sqlite_views` is not a name of a projection or collection: it must not begin with \
             `sqlite`, as tables of SQLite's own do"
        );
    }
}
