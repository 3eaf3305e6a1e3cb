//! A plugin without its border.

use bytes::Bytes;
use cim_core::event::RecordedEvent;
use cim_core::id::EventType;
use cim_core::projection::check::Checks;
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault, Limits, Name};
use cim_core::version::Position;

use super::columns;
use crate::bindings::cim::plugin::types::Failure;
use crate::{Projection, guest};

/// A plugin run natively, with the functions that a host's handler has.
#[derive(Debug)]
pub struct Native<P> {
    projection: P,
    descriptor: Descriptor,
    checks: Checks,
}

impl<P: Projection> Native<P> {
    /// Makes an instance.
    ///
    /// # Errors
    ///
    /// The plugin refuses the configuration.
    ///
    /// # Panics
    ///
    /// When its descriptor has a name that is not one.
    pub fn new(config: &[u8]) -> Result<Self, Fault> {
        let descriptor = descriptor::<P>();
        Ok(Self {
            projection: guest::init(config).map_err(fault)?,
            checks: Checks::new(&descriptor, Limits::default()),
            descriptor,
        })
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Whether the plugin takes this event; the host passes over others.
    pub fn takes(&self, event: &RecordedEvent) -> bool {
        let types = &self.descriptor.event_types;
        types.is_empty() || types.contains(&event.event.event_type)
    }

    /// The documents that these events ask for.
    ///
    /// # Errors
    ///
    /// What the plugin says, or what the host would say of its answer.
    pub fn keys<'a>(
        &self,
        events: impl IntoIterator<Item = (Position, &'a RecordedEvent)>,
    ) -> Result<Vec<DocumentKey>, Fault> {
        let keys = guest::keys(&self.projection, &columns::pack(events)?).map_err(fault)?;
        let keys = columns::unpack_keys(keys, self.checks.limits())?;
        self.checks.keys(&keys)?;
        Ok(keys)
    }

    /// The changes that these events make; `documents` stand in the order of the keys.
    ///
    /// # Errors
    ///
    /// What the plugin says, or what the host would say of its answer.
    pub fn apply<'a>(
        &self,
        events: impl IntoIterator<Item = (Position, &'a RecordedEvent)>,
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, Fault> {
        let events = columns::pack(events)?;
        let read = columns::pack_documents(documents, self.checks.limits())?;
        let changes = guest::apply(&self.projection, &events, read).map_err(fault)?;
        let changes = columns::unpack_changes(changes, self.checks.limits())?;
        self.checks.changes(&changes)?;
        Ok(changes)
    }
}

fn descriptor<P: Projection>() -> Descriptor {
    let said = guest::describe::<P>();
    let name = |text: &String| Name::new(text).unwrap_or_else(|error| panic!("{error}"));
    let event_type = |text: &String| EventType::new(text).unwrap_or_else(|error| panic!("{error}"));
    Descriptor {
        name: name(&said.name),
        version: said.version,
        event_types: said.event_types.iter().map(event_type).collect(),
        collections: said.collections.iter().map(name).collect(),
    }
}

fn fault(failure: Failure) -> Fault {
    Fault {
        code: failure.code,
        message: failure.message,
        index: failure.index.map(|index| index as usize),
        retryable: failure.retryable,
    }
}
