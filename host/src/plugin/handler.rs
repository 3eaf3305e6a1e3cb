//! A plugin as the handler of a projection.

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::projection::columns::{Batch, Changes, Documents, KeySet};
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault};

use super::bindings::cim::plugin::types as wit;
use super::fault;
use super::instance::{Instance, StartError};
use super::load::Plugin;
use crate::projector::{CallError, Handler};
use crate::store::ReadEvent;

/// A plugin with its configuration and an instance, which is made anew after a call that trapped.
#[derive(Debug)]
pub struct PluginHandler {
    plugin: Plugin,
    config: Bytes,
    /// The hash of the configuration; empty without one.
    configuration: String,
    instance: Option<Instance>,
    packed: Packed,
}

/// The last batch as columns: `keys` and `apply` get the same one.
#[derive(Debug, Default)]
struct Packed {
    events: Vec<(u64, Cid)>,
    batch: Batch,
}

impl PluginHandler {
    pub(super) fn new(plugin: Plugin, config: Bytes) -> Result<Self, StartError> {
        let configuration = match &config[..] {
            b"" => String::new(),
            config => blake3::hash(config).to_hex().to_string(),
        };
        let mut handler = Self {
            plugin,
            configuration,
            config,
            instance: None,
            packed: Packed::default(),
        };
        handler.instance = Some(handler.start()?);
        Ok(handler)
    }

    /// Drops the instance; the next call makes a new one. Documents do not depend on it.
    pub fn renew(&mut self) {
        self.instance = None;
    }

    /// Makes an instance that has taken the configuration.
    fn start(&self) -> Result<Instance, StartError> {
        let sandbox = self.plugin.sandbox();
        let mut instance = Instance::new(sandbox)?;
        let config = &self.config;
        let taken = instance.call(sandbox, 0, |exports, store| {
            exports.cim_plugin_lifecycle().call_init(store, config)
        })?;
        match taken {
            Ok(()) => Ok(instance),
            Err(failure) => Err(StartError::Fault(fault::reported(failure, 0))),
        }
    }

    /// Calls a function of the plugin with the batch of `events`.
    fn call<T>(
        &mut self,
        events: &[ReadEvent],
        function: impl FnOnce(
            &mut Instance,
            &Plugin,
            wit::Batch<'_>,
        ) -> Result<Result<T, wit::Failure>, Fault>,
    ) -> Result<T, CallError> {
        self.packed.pack(events)?;
        // Taken out for the call: an instance that trapped must not be used again.
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            // No event has reached it yet.
            None => self
                .start()
                .map_err(|error| CallError::NotCalled(error.into_fault()))?,
        };
        let batch = &self.packed.batch;
        let answer = function(&mut instance, &self.plugin, borrow(batch, &names(batch)))?;
        self.instance = Some(instance);
        Ok(answer.map_err(|failure| fault::reported(failure, events.len()))?)
    }
}

impl Handler for PluginHandler {
    fn descriptor(&self) -> &Descriptor {
        self.plugin.descriptor()
    }

    fn identity(&self) -> &str {
        self.plugin.identity()
    }

    fn configuration(&self) -> &str {
        &self.configuration
    }

    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        let keys = self.call(events, |instance, plugin, batch| {
            instance.call(plugin.sandbox(), events.len(), |exports, store| {
                exports.cim_plugin_projection().call_keys(store, batch)
            })
        })?;
        let wit::KeySet {
            collections,
            collection_of,
            key_ends,
            keys,
        } = keys;
        let keys = KeySet {
            collections,
            collection_of,
            key_ends,
            keys,
        };
        Ok(keys.unpack(&self.plugin.sandbox().limits.answers)?)
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        let documents = Documents::pack(documents, &self.plugin.sandbox().limits.answers)?;
        let read = wit::Documents {
            present: &documents.present,
            document_ends: &documents.document_ends,
            documents: &documents.documents,
        };
        let changes = self.call(events, |instance, plugin, batch| {
            instance.call(plugin.sandbox(), events.len(), |exports, store| {
                exports
                    .cim_plugin_projection()
                    .call_apply(store, batch, read)
            })
        })?;
        let wit::Changes {
            collections,
            collection_of,
            kinds,
            key_ends,
            keys,
            document_ends,
            documents,
        } = changes;
        let changes = Changes {
            collections,
            collection_of,
            kinds,
            key_ends,
            keys,
            document_ends,
            documents,
        };
        Ok(changes.unpack(&self.plugin.sandbox().limits.answers)?)
    }
}

impl Packed {
    fn pack(&mut self, events: &[ReadEvent]) -> Result<(), Fault> {
        let identities = || {
            events
                .iter()
                .map(|read| (read.position.get(), read.event.cid))
        };
        if self.events.len() == events.len() && identities().eq(self.events.iter().copied()) {
            return Ok(());
        }
        self.events.clear();
        self.batch = Batch::pack(events.iter().map(|read| (read.position, &read.event)))?;
        self.events.extend(identities());
        Ok(())
    }
}

/// The dictionaries of a batch as the border borrows them.
struct Names<'a> {
    types: Vec<&'a str>,
    entities: Vec<&'a str>,
    content_types: Vec<&'a str>,
}

fn names(batch: &Batch) -> Names<'_> {
    Names {
        types: batch.types.iter().map(String::as_str).collect(),
        entities: batch.entities.iter().map(String::as_str).collect(),
        content_types: batch.content_types.iter().map(String::as_str).collect(),
    }
}

fn borrow<'a>(batch: &'a Batch, names: &'a Names<'a>) -> wit::Batch<'a> {
    wit::Batch {
        types: &names.types,
        type_of: &batch.type_of,
        schema_versions: &batch.schema_versions,
        entities: &names.entities,
        entity_of: &batch.entity_of,
        aggregate_id_ends: &batch.aggregate_id_ends,
        aggregate_ids: &batch.aggregate_ids,
        versions: &batch.versions,
        positions: &batch.positions,
        times: &batch.times,
        header_ends: &batch.header_ends,
        headers: &batch.headers,
        content_types: &names.content_types,
        content_type_of: &batch.content_type_of,
        payload_ends: &batch.payload_ends,
        payloads: &batch.payloads,
    }
}
