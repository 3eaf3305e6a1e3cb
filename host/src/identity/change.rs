//! What was decided about identities, to be looked at or stored.

use std::collections::BTreeMap;
use std::fmt;

use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::AggregateKey;
use cim_core::nkey::{PublicKey, Seed};
use cim_core::version::{ExpectedVersion, Version};

/// What a draft has decided.
#[derive(Default)]
pub struct Change {
    /// The events, in the order of decision, with their aggregates.
    pub(super) events: Vec<(AggregateKey, NewEvent)>,
    /// The versions of the aggregates that the events begin behind.
    pub(super) expected: BTreeMap<AggregateKey, Option<Version>>,
    /// New keys.
    pub(super) seeds: Vec<Seed>,
    /// Keys whose seeds are to go.
    pub(super) dropped: Vec<PublicKey>,
}

impl Change {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.seeds.is_empty()
    }

    /// What would happen: the aggregate and the event, in order.
    pub fn events(&self) -> impl Iterator<Item = (&AggregateKey, &NewEvent)> {
        self.events.iter().map(|(key, event)| (key, event))
    }

    /// The appends, an aggregate each, in the order in which they first change.
    pub(super) fn appends(&self) -> Vec<Append> {
        let mut appends: Vec<Append> = Vec::new();
        let mut places: BTreeMap<&AggregateKey, usize> = BTreeMap::new();
        for (key, event) in &self.events {
            let place = *places.entry(key).or_insert_with(|| {
                let expected = match self.expected[key] {
                    None => ExpectedVersion::NoStream,
                    Some(version) => ExpectedVersion::Exact(version),
                };
                appends.push(Append::new(key.clone(), expected, Vec::new()));
                appends.len() - 1
            });
            appends[place].events.push(event.clone());
        }
        appends
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
