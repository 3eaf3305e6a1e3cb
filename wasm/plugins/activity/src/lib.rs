//! What happens in the entities of a store, how often and how fast: the events of each type, and of
//! each pair of types that follow each other in one aggregate the count and the time between.
//!
//! | collection | key | document |
//! |---|---|---|
//! | `types` | `<entity>/<type>` | `entity`, `type`, `events`; `after`: the sums of `pairs` by the type before |
//! | `pairs` | `<entity>/<from>/<to>` | `entity`, `from`, `to`, `count`, `mean_us`, `longest_us`, `total_us` |
//! | `last` | `<entity>/<aggregate id>` | `entity`, `id`, `type`, `time_us` of the last event |
//!
//! `<entity>` is `organization.unit.domain.entity`. Times are whole microseconds, the mean rounded
//! down. A time between is below zero where an event has an earlier time than the one before it.
//!
//! An event does not tell which type stood before it, so it cannot ask for a document of `pairs`.
//! The sums stand in `types`, where it can, and `pairs` is written from them.

#![warn(missing_docs)]

use std::collections::BTreeMap;

use cim_plugin::{Documents, Event, Failure, Keys, Projection};
use serde::{Deserialize, Serialize};

/// The projection.
#[derive(Debug, Default)]
pub struct Activity;

impl Projection for Activity {
    const NAME: &str = "activity";
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    const COLLECTIONS: &[&str] = &["types", "pairs", "last"];

    fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
        keys.add("last", last_key(event))?;
        keys.add("types", type_key(event))
    }

    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
        let (entity, to) = (event.entity(), event.event_type());
        let last = Last {
            entity: entity.to_owned(),
            id: event.aggregate_id().to_owned(),
            event_type: to.to_owned(),
            time_us: event.time_us(),
        };
        let before = documents
            .edit_json::<Option<Last>>("last", last_key(event))?
            .replace(last);

        let counts: &mut Type = documents.edit_json("types", type_key(event))?;
        if counts.events == 0 {
            entity.clone_into(&mut counts.entity);
            to.clone_into(&mut counts.event_type);
        }
        counts.events += 1;
        let Some(before) = before else {
            return Ok(());
        };
        let from = before.event_type;
        // Times end with the year 9999, far below 63 bits.
        let between_us = event.time_us() as i64 - before.time_us as i64;
        let sums = counts.add(&from, between_us);
        let pair = Pair {
            entity,
            from: &from,
            to,
            count: sums.count,
            mean_us: sums.total_us.div_euclid(sums.count.into()),
            longest_us: sums.longest_us,
            total_us: sums.total_us,
        };
        documents.put_json("pairs", format!("{entity}/{from}/{to}"), &pair)
    }
}

cim_plugin::export!(Activity);

fn last_key(event: Event<'_>) -> String {
    format!("{}/{}", event.entity(), event.aggregate_id())
}

fn type_key(event: Event<'_>) -> String {
    format!("{}/{}", event.entity(), event.event_type())
}

/// A document of `types`.
#[derive(Default, Deserialize, Serialize)]
struct Type {
    entity: String,
    #[serde(rename = "type")]
    event_type: String,
    events: u64,
    after: BTreeMap<String, Sums>,
}

impl Type {
    /// Adds an event that came `between_us` after one of the type `from`.
    fn add(&mut self, from: &str, between_us: i64) -> Sums {
        let first = Sums {
            count: 1,
            total_us: between_us.into(),
            longest_us: between_us,
        };
        let Some(sums) = self.after.get_mut(from) else {
            self.after.insert(from.to_owned(), first);
            return first;
        };
        sums.count += 1;
        sums.total_us += i128::from(between_us);
        sums.longest_us = sums.longest_us.max(between_us);
        *sums
    }
}

/// The times between two types.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Sums {
    count: u64,
    /// A million aggregates that wait a year each are above 64 bits.
    total_us: i128,
    longest_us: i64,
}

/// A document of `pairs`.
#[derive(Serialize)]
struct Pair<'a> {
    entity: &'a str,
    from: &'a str,
    to: &'a str,
    count: u64,
    mean_us: i128,
    longest_us: i64,
    total_us: i128,
}

/// A document of `last`.
#[derive(Deserialize, Serialize)]
struct Last {
    entity: String,
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    time_us: u64,
}

#[cfg(test)]
mod tests;
