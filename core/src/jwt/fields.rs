//! Objects of claims, read field by field.
//!
//! What serde derives for reading is code of its own for every type, which made a sixth of a module for
//! browsers. Writing is derived: names stand in a type's attributes for that, and in its [`Read`].

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Error, Map, Value};

/// The fields of an object that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Takes a field; what is absent is empty.
    pub(super) fn take<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T, Error> {
        Ok(self.find(name)?.unwrap_or_default())
    }

    /// Takes a field, if it is there.
    pub(super) fn find<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Error> {
        self.find_with(name, serde_json::from_value)
    }

    /// Takes a field that is read in its own way, if it is there.
    pub(super) fn find_with<T>(
        &mut self,
        name: &str,
        read: fn(Value) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.0.remove(name) else {
            return Ok(None);
        };
        match read(value) {
            Ok(found) => Ok(Some(found)),
            Err(error) => Err(at(name, &error)),
        }
    }

    /// Those that are left.
    pub(super) fn rest(&mut self) -> BTreeMap<String, Value> {
        let mut rest = BTreeMap::new();
        rest.extend(std::mem::take(&mut self.0));
        rest
    }
}

/// Where an error is.
fn at(name: &str, error: &Error) -> Error {
    Error::custom(format!("`{name}`: {error}"))
}

/// What is read from the fields of an object.
pub(super) trait Read: Sized {
    /// Takes the fields that it knows.
    fn read(fields: &mut Fields) -> Result<Self, Error>;
}

/// Makes what has [`Read`] part of what serde reads.
macro_rules! deserialize {
    ($($type:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let fields = serde_json::Map::deserialize(deserializer)?;
                let mut fields = $crate::jwt::fields::Fields::new(fields);
                $crate::jwt::fields::Read::read(&mut fields).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

pub(super) use deserialize;
