//! A plugin and its documents.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use bytes::Bytes;
use cim_core::event::RecordedEvent;
use cim_core::projection::{Change, Fault};
use cim_core::version::Position;

use super::cuts::Cuts;
use super::native::Native;
use crate::Projection;

/// Documents by collection and key.
pub(super) type Contents = BTreeMap<(String, String), Bytes>;

/// Runs a plugin over events and keeps its documents, as a projector does. Each batch gets a fresh
/// instance.
#[derive(Debug)]
pub struct Harness<P> {
    config: Vec<u8>,
    documents: Contents,
    projection: PhantomData<P>,
}

impl<P: Projection> Harness<P> {
    /// A plugin with this configuration, a JSON text, and no documents yet. Most plugins take none:
    /// `b""`.
    pub fn new(config: impl Into<Vec<u8>>) -> Self {
        Self {
            config: config.into(),
            documents: Contents::new(),
            projection: PhantomData,
        }
    }

    /// Applies events as one batch.
    ///
    /// # Errors
    ///
    /// What the host would see; the documents are as before. An index counts the events that the
    /// plugin takes.
    pub fn apply(&mut self, events: &[(Position, RecordedEvent)]) -> Result<(), Fault> {
        let plugin = Native::<P>::new(&self.config)?;
        let taken: Vec<_> = events
            .iter()
            .filter(|(_, event)| plugin.takes(event))
            .map(|(position, event)| (*position, event))
            .collect();
        let keys = plugin.keys(taken.iter().copied())?;
        let read: Vec<Option<Bytes>> = keys
            .iter()
            .map(|key| {
                self.documents
                    .get(&(key.collection.to_string(), key.key.to_string()))
            })
            .map(Option::<&Bytes>::cloned)
            .collect();
        let plugin = Native::<P>::new(&self.config)?;
        for change in plugin.apply(taken.iter().copied(), &read)? {
            let key = (
                change.key().collection.to_string(),
                change.key().key.to_string(),
            );
            match change {
                Change::Put { document, .. } => self.documents.insert(key, document),
                Change::Delete { .. } => self.documents.remove(&key),
            };
        }
        Ok(())
    }

    /// Applies events in batches of random lengths, the same for the same seed.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); the batches before the one at fault have been applied.
    pub fn apply_in_random_cuts(
        &mut self,
        events: &[(Position, RecordedEvent)],
        seed: u64,
    ) -> Result<(), Fault> {
        Cuts::new(events, seed).try_for_each(|batch| self.apply(batch))
    }

    /// All documents, by collection and key.
    pub fn documents(&self) -> &BTreeMap<(String, String), Bytes> {
        &self.documents
    }

    /// One document, as text.
    ///
    /// # Panics
    ///
    /// Never: only UTF-8 was taken.
    pub fn document(&self, collection: &str, key: &str) -> Option<&str> {
        let document = self
            .documents
            .get(&(collection.to_owned(), key.to_owned()))?;
        Some(str::from_utf8(document).expect("documents were checked"))
    }
}
