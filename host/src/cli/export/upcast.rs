//! `cim export --upcast`: the new history, event by event.

use std::collections::HashMap;

use cim_core::domain::registry;
use cim_core::event::RecordedEvent;
use cim_core::id::Entity;
use cim_core::payload::EventError;
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::upcast::EventReader;
use cim_core::upcast::rechain::{Rechain, RechainError, RechainFault};

use super::super::failure::{Exit, Failure};
use super::outside;

/// Makes a new history of a store's events, as they are understood today.
#[derive(Default)]
pub(super) struct AsOfToday {
    rechain: Rechain,
    /// How the events of each entity are read; `None` for entities that are not registered.
    readers: HashMap<Entity, Option<EventReader>>,
    upcast: Upcast,
}

/// How many events upcasters changed, and how many they made of these.
#[derive(Clone, Copy, Default)]
pub(super) struct Upcast {
    pub(super) stored: u64,
    pub(super) made: u64,
}

impl AsOfToday {
    /// What a stored event becomes.
    ///
    /// Histories that the filter matches nothing of are passed over, so that one that cannot be read
    /// holds up only exports that ask for it.
    pub(super) fn events(
        &mut self,
        stored: &RecordedEvent,
        filter: Option<&SubjectFilter>,
        template: &StoreTemplate,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let aggregate = &stored.aggregate;
        if let Some(filter) = filter {
            let history = template.aggregate_filter(aggregate).map_err(outside)?;
            if !filter.overlaps(&history) {
                return Ok(Vec::new());
            }
        }
        let entity = &aggregate.entity;
        let reader = self
            .readers
            .entry(entity.clone())
            .or_insert_with(|| registry::reader(entity.as_str()));
        let made = self.rechain.push(stored, reader.as_ref()).map_err(unread)?;
        let event = &stored.event;
        let is_upcast = reader.as_ref().is_some_and(|reader| {
            let upcasters = reader.upcasters();
            upcasters.has_step(&event.event_type, event.schema_version)
        });
        if is_upcast {
            self.upcast.stored += 1;
            self.upcast.made += made.len() as u64;
        }
        Ok(made)
    }

    pub(super) fn upcast(&self) -> Upcast {
        self.upcast
    }
}

fn unread(error: RechainError) -> Failure {
    let help = match &error.fault {
        RechainFault::Unreadable(EventError::Newer { .. }) => {
            "use a newer `cim`, which knows this version; `cim schema check` finds all such events"
        }
        RechainFault::Unreadable(_) => {
            "`cim schema check` finds all events that cannot be read; `cim export` without \
             `--upcast` writes them as they are stored"
        }
        _ => "`cim export` without `--upcast` writes the events as they are stored",
    };
    Failure::of(Exit::Failed, error.code(), &error).help(help)
}
