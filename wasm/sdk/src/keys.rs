//! The documents that events ask for.

use crate::bindings::cim::plugin::types::KeySet;
use crate::failure::Failure;
use crate::names::Names;

/// Collects what [`Projection::keys`](crate::Projection::keys) asks for.
#[derive(Debug)]
pub struct Keys {
    pub(crate) names: Names,
    /// The documents that each event asked for, event after event.
    pub(crate) asked: Vec<usize>,
    /// Where the part of each event ends in `asked`.
    pub(crate) ends: Vec<usize>,
}

impl Keys {
    pub(crate) fn new(collections: &'static [&'static str]) -> Self {
        Self {
            names: Names::new(collections),
            asked: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Asks for the document of a collection under a key, whether or not there is one.
    ///
    /// # Errors
    ///
    /// `collection-undeclared`: the collection is not in
    /// [`Projection::COLLECTIONS`](crate::Projection::COLLECTIONS).
    pub fn add(&mut self, collection: &str, key: impl AsRef<str>) -> Result<(), Failure> {
        let number = self.names.number(collection, key.as_ref())?;
        self.asked.push(number);
        Ok(())
    }

    pub(crate) fn end_event(&mut self) {
        self.ends.push(self.asked.len());
    }

    pub(crate) fn into_columns(self) -> KeySet {
        let columns = self.names.columns(0..self.names.len());
        KeySet {
            collections: columns.collections,
            collection_of: columns.collection_of,
            key_ends: columns.key_ends,
            keys: columns.keys,
        }
    }
}
