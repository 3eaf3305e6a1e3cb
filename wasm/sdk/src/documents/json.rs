//! Documents as values of Rust types: read once and written once for each batch, however many of
//! its events change them.

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Bytes, Documents, Slot};
use crate::failure::Failure;

impl Documents {
    /// A document as a value; `None` where there is no document.
    ///
    /// # Errors
    ///
    /// `document-invalid`: the document is not of `T`'s shape; and those of [`get`](Self::get).
    pub fn get_json<T>(
        &mut self,
        collection: &str,
        key: impl AsRef<str>,
    ) -> Result<Option<&T>, Failure>
    where
        T: DeserializeOwned + Serialize + 'static,
    {
        let number = self.open(collection, key.as_ref())?;
        self.load::<T>(number)?;
        let slot = &self.slots[number];
        Ok(slot
            .value
            .as_ref()
            .and_then(|(value, _)| value.as_any().downcast_ref()))
    }

    /// A document as a value to change, `T::default()` where there is no document yet; put when the
    /// batch ends.
    ///
    /// # Errors
    ///
    /// Those of [`get_json`](Self::get_json). A value that cannot be written as JSON fails when the
    /// batch ends.
    pub fn edit_json<T>(
        &mut self,
        collection: &str,
        key: impl AsRef<str>,
    ) -> Result<&mut T, Failure>
    where
        T: Default + DeserializeOwned + Serialize + 'static,
    {
        let number = self.open(collection, key.as_ref())?;
        self.load::<T>(number)?;
        self.mark_changed(number);
        let Slot { value, .. } = &mut self.slots[number];
        let (value, newer) = value.get_or_insert_with(|| (Box::<T>::default(), true));
        *newer = true;
        Ok(value
            .as_any_mut()
            .downcast_mut()
            .expect("it was loaded as this type"))
    }

    /// Puts a value as a document, in compact JSON.
    ///
    /// # Errors
    ///
    /// `document-invalid`: the value cannot be written as JSON; `collection-undeclared`.
    pub fn put_json(
        &mut self,
        collection: &str,
        key: impl AsRef<str>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Failure> {
        let key = key.as_ref();
        let bytes = serde_json::to_vec(value).map_err(|error| invalid(collection, key, &error))?;
        self.replace(collection, key, Bytes::Put(bytes))
    }

    /// Makes sure that the value of a document that is there is a `T`.
    fn load<T>(&mut self, number: usize) -> Result<(), Failure>
    where
        T: DeserializeOwned + Serialize + 'static,
    {
        let loaded = self.slots[number].value.as_ref();
        if loaded.is_some_and(|(value, _)| value.as_any().is::<T>()) {
            return Ok(());
        }
        self.settle(number)?;
        let value = match self.bytes(number) {
            None => None,
            Some(bytes) => {
                let value: T = serde_json::from_slice(bytes).map_err(|error| {
                    let (collection, key) = self.names.name(number);
                    invalid(collection, key, &error)
                })?;
                Some((Box::new(value) as Box<dyn Value>, false))
            }
        };
        self.slots[number].value = value;
        Ok(())
    }

    /// Brings the bytes of a document up to date with its value.
    pub(super) fn settle(&mut self, number: usize) -> Result<(), Failure> {
        let slot = &mut self.slots[number];
        if let Some((value, newer @ true)) = &mut slot.value {
            let written = value.write().map_err(|error| {
                let (collection, key) = self.names.name(number);
                invalid(collection, key, &error)
            })?;
            slot.bytes = Bytes::Put(written);
            *newer = false;
        }
        Ok(())
    }
}

/// A document as a value of some type.
pub(super) trait Value {
    fn write(&self) -> serde_json::Result<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any + Serialize> Value for T {
    fn write(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn invalid(collection: &str, key: &str, error: &serde_json::Error) -> Failure {
    Failure::new(
        "document-invalid",
        format!("the document `{key}` of the collection `{collection}` has another shape: {error}"),
    )
}
