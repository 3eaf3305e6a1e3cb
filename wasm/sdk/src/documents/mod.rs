//! The documents that a plugin reads and changes.

#[cfg(feature = "json")]
mod json;

use std::fmt;
use std::ops::Range;

use crate::bindings::cim::plugin::types::{Changes, Documents as Columns};
use crate::columns::{check_documents, end, range};
use crate::failure::Failure;
use crate::keys::Keys;
use crate::names::Names;

#[cfg(feature = "json")]
use json::Value;

/// The documents of a batch: those that were asked for, and what has been put so far.
///
/// Whatever the batch does to a document, the host gets one change of it. As a value, a document is
/// read once and written once for the whole batch.
///
/// An event reads only what its own [`keys`](crate::Projection::keys) asked for or what it has put
/// or deleted itself, also where other events of the batch have put more: so that the answer is the
/// same wherever the host cuts the events into batches.
pub struct Documents {
    names: Names,
    slots: Vec<Slot>,
    /// The bytes of all documents that the host gave.
    read: Vec<u8>,
    asked: Vec<usize>,
    ends: Vec<usize>,
    /// Numbers of the documents that changed, in the order of their first change.
    changed: Vec<usize>,
    /// The event that is applied now.
    event: usize,
}

/// One document.
#[derive(Default)]
struct Slot {
    bytes: Bytes,
    /// The document as a value, and whether that is newer than the bytes.
    #[cfg(feature = "json")]
    value: Option<(Box<dyn Value>, bool)>,
    /// The last event that may read it.
    open_to: Option<usize>,
    /// The last event that changed it.
    changed_by: Option<usize>,
}

#[derive(Default)]
enum Bytes {
    #[default]
    Absent,
    Read(Range<usize>),
    Put(Vec<u8>),
}

impl Documents {
    /// Takes the documents that `keys` asked for.
    pub(crate) fn new(keys: Keys, read: Columns) -> Result<Self, Failure> {
        check_documents(&read, keys.names.len())?;
        let slots = (0..keys.names.len())
            .map(|number| Slot {
                bytes: match read.present[number] {
                    0 => Bytes::Absent,
                    _ => Bytes::Read(range(&read.document_ends, number)),
                },
                ..Slot::default()
            })
            .collect();
        Ok(Self {
            names: keys.names,
            slots,
            read: read.documents,
            asked: keys.asked,
            ends: keys.ends,
            changed: Vec::new(),
            event: 0,
        })
    }

    /// Opens to the event `index` what it asked for.
    pub(crate) fn begin_event(&mut self, index: usize) {
        self.event = index;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        for number in &self.asked[start..self.ends[index]] {
            self.slots[*number].open_to = Some(index);
        }
    }

    /// The bytes of a document; `None` where there is no document.
    ///
    /// # Errors
    ///
    /// `document-not-asked-for`: this event's keys did not ask for it; `collection-undeclared`.
    pub fn get(
        &mut self,
        collection: &str,
        key: impl AsRef<str>,
    ) -> Result<Option<&[u8]>, Failure> {
        let number = self.open(collection, key.as_ref())?;
        #[cfg(feature = "json")]
        self.settle(number)?;
        Ok(self.bytes(number))
    }

    /// Puts a document in the place of the one that is there, if any. It must be one JSON text.
    ///
    /// # Errors
    ///
    /// `collection-undeclared`.
    pub fn put(
        &mut self,
        collection: &str,
        key: impl AsRef<str>,
        document: impl Into<Vec<u8>>,
    ) -> Result<(), Failure> {
        self.replace(collection, key.as_ref(), Bytes::Put(document.into()))
    }

    /// Deletes a document if there is one.
    ///
    /// # Errors
    ///
    /// `collection-undeclared`.
    pub fn delete(&mut self, collection: &str, key: impl AsRef<str>) -> Result<(), Failure> {
        self.replace(collection, key.as_ref(), Bytes::Absent)
    }

    fn replace(&mut self, collection: &str, key: &str, bytes: Bytes) -> Result<(), Failure> {
        let number = self.names.number(collection, key)?;
        if number == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let slot = &mut self.slots[number];
        slot.bytes = bytes;
        #[cfg(feature = "json")]
        {
            slot.value = None;
        }
        slot.open_to = Some(self.event);
        self.mark_changed(number);
        Ok(())
    }

    fn mark_changed(&mut self, number: usize) {
        if self.slots[number].changed_by.replace(self.event).is_none() {
            self.changed.push(number);
        }
    }

    /// The number of a document that the present event may read.
    fn open(&self, collection: &str, key: &str) -> Result<usize, Failure> {
        self.names
            .find(collection, key)?
            .filter(|number| self.slots[*number].open_to == Some(self.event))
            .ok_or_else(|| {
                Failure::new(
                    "document-not-asked-for",
                    format!(
                        "`keys` did not ask for the document `{key}` of the collection \
                         `{collection}` for this event"
                    ),
                )
            })
    }

    fn bytes(&self, number: usize) -> Option<&[u8]> {
        match &self.slots[number].bytes {
            Bytes::Absent => None,
            Bytes::Read(range) => Some(&self.read[range.clone()]),
            Bytes::Put(bytes) => Some(bytes),
        }
    }

    /// The changes as they cross the border. A failure comes with the event that last changed the
    /// document.
    pub(crate) fn into_columns(mut self) -> Result<Changes, (Failure, Option<usize>)> {
        #[cfg(feature = "json")]
        for number in self.changed.clone() {
            let settled = self.settle(number);
            settled.map_err(|failure| (failure, self.slots[number].changed_by))?;
        }
        let columns = self.names.columns(self.changed.iter().copied());
        let mut changes = Changes {
            collections: columns.collections,
            collection_of: columns.collection_of,
            kinds: Vec::with_capacity(self.changed.len()),
            key_ends: columns.key_ends,
            keys: columns.keys,
            document_ends: Vec::with_capacity(self.changed.len()),
            documents: Vec::new(),
        };
        for number in &self.changed {
            let document = self.bytes(*number);
            changes
                .kinds
                .push(if document.is_some() { PUT } else { DELETE });
            changes
                .documents
                .extend_from_slice(document.unwrap_or_default());
            changes.document_ends.push(end(changes.documents.len()));
        }
        Ok(changes)
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("names", &self.names)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
