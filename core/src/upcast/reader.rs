//! Reading the events of an entity without knowing their types when a program is compiled.

use super::{Payload, Upcasters};
use crate::event::NewEvent;
use crate::id::EventType;
use crate::payload::{self, DeclaredType, DomainEvent, EventError};

/// How the events of one entity are read today: its types, its upcasters, and what a body must be.
///
/// It is [`payload::read`] for programs that learn the entity when they run; they find it with
/// [`registry::reader`](crate::domain::registry::reader).
#[derive(Clone, Debug)]
pub struct EventReader {
    entity: &'static str,
    types: &'static [DeclaredType],
    upcasters: Upcasters,
    check_body: fn(&EventType, &[u8]) -> Result<(), serde_json::Error>,
}

/// What a stored event says today.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReadPayload {
    /// What was stored; no upcaster leads from its type and version.
    Stored,
    /// What upcasters made of it: none, one or several, each with the declaration of its type.
    Upcast(Vec<(Payload, &'static DeclaredType)>),
}

impl EventReader {
    /// Reads events of the types of `E`, old ones with these upcasters.
    pub fn new<E: DomainEvent>(upcasters: Upcasters) -> Self {
        Self {
            entity: E::ENTITY,
            types: E::TYPES,
            upcasters,
            check_body: |event_type, body| payload::decode::<E>(event_type, body).map(drop),
        }
    }

    /// The entity.
    pub fn entity(&self) -> &'static str {
        self.entity
    }

    /// The types that the entity has today.
    pub fn types(&self) -> &'static [DeclaredType] {
        self.types
    }

    /// How events of earlier schemas are read.
    pub fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// Reads an event of the entity.
    ///
    /// # Errors
    ///
    /// As [`payload::read`].
    pub fn read(&self, event: &NewEvent) -> Result<ReadPayload, EventError> {
        let stored = Payload::from(event);
        if !self
            .upcasters
            .has_step(&stored.event_type, stored.schema_version)
        {
            self.check(&stored)?;
            return Ok(ReadPayload::Stored);
        }
        let payloads = self.upcasters.upcast(stored).map_err(EventError::Upcast)?;
        let checked = payloads.into_iter().map(|payload| {
            let declared = self.check(&payload)?;
            Ok((payload, declared))
        });
        Ok(ReadPayload::Upcast(checked.collect::<Result<_, _>>()?))
    }

    /// Checks that a payload is of a declared type, in its very version, with a body of that type.
    ///
    /// # Errors
    ///
    /// [`EventError`], but for what upcasters say.
    pub fn check(&self, payload: &Payload) -> Result<&'static DeclaredType, EventError> {
        let declared = payload::check_version(self.entity, self.types, payload, &self.upcasters)?;
        let event_type = &payload.event_type;
        (self.check_body)(event_type, &payload.body).map_err(|source| EventError::Invalid {
            event_type: event_type.clone(),
            source,
        })?;
        Ok(declared)
    }
}
