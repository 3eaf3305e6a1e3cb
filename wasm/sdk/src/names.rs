//! Documents by collection and key.

use std::collections::HashMap;
use std::rc::Rc;

use crate::failure::Failure;

/// The documents that a batch has named so far, numbered in the order in which they were first
/// named.
///
/// The maps are only looked up in, never walked through: their order must not reach a document.
#[derive(Debug)]
pub(crate) struct Names {
    collections: &'static [&'static str],
    /// For each collection, the number of each key.
    numbers: Vec<HashMap<Rc<str>, usize>>,
    names: Vec<(usize, Rc<str>)>,
}

impl Names {
    pub(crate) fn new(collections: &'static [&'static str]) -> Self {
        Self {
            collections,
            numbers: vec![HashMap::new(); collections.len()],
            names: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Collection and key of a document.
    pub(crate) fn name(&self, number: usize) -> (&'static str, &str) {
        let (collection, key) = &self.names[number];
        (self.collections[*collection], key)
    }

    /// The number of a document, if it was named before.
    pub(crate) fn find(&self, collection: &str, key: &str) -> Result<Option<usize>, Failure> {
        let collection = self.collection(collection)?;
        Ok(self.numbers[collection].get(key).copied())
    }

    /// The number of a document, a new one if it was not named before.
    pub(crate) fn number(&mut self, collection: &str, key: &str) -> Result<usize, Failure> {
        let collection = self.collection(collection)?;
        if let Some(number) = self.numbers[collection].get(key) {
            return Ok(*number);
        }
        let (number, key) = (self.names.len(), Rc::<str>::from(key));
        self.numbers[collection].insert(Rc::clone(&key), number);
        self.names.push((collection, key));
        Ok(number)
    }

    fn collection(&self, name: &str) -> Result<usize, Failure> {
        self.collections
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| {
                let known = self.collections.join("`, `");
                Failure::new(
                    "collection-undeclared",
                    format!("`{name}` is not one of the declared collections: `{known}`"),
                )
            })
    }

    /// The columns of these documents: the collections that occur, the index of each document's
    /// collection among them, the ends of the keys, and the keys.
    pub(crate) fn columns(&self, numbers: impl Iterator<Item = usize>) -> NameColumns {
        let mut columns = NameColumns::default();
        let mut places = vec![None; self.collections.len()];
        for number in numbers {
            let (collection, key) = &self.names[number];
            let place = *places[*collection].get_or_insert_with(|| {
                columns
                    .collections
                    .push(self.collections[*collection].to_owned());
                columns.collections.len() as u32 - 1
            });
            columns.collection_of.push(place);
            columns.keys.push_str(key);
            columns
                .key_ends
                .push(crate::columns::end(columns.keys.len()));
        }
        columns
    }
}

/// Collections and keys as columns, see `key-set` in the border.
#[derive(Debug, Default)]
pub(crate) struct NameColumns {
    pub(crate) collections: Vec<String>,
    pub(crate) collection_of: Vec<u32>,
    pub(crate) key_ends: Vec<u32>,
    pub(crate) keys: String,
}
