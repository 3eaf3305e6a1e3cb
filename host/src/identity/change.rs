//! What was decided about identities, to be looked at or stored.

use std::collections::BTreeMap;
use std::fmt;

use cim_core::append::{Append, MAX_APPEND_EVENTS};
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

    /// The appends, in steps of what one append may have. Steps are stored one after the other: few
    /// changes need more than one.
    pub(super) fn steps(&self) -> Vec<Vec<Append>> {
        let mut steps: Vec<Vec<Append>> = Vec::new();
        let mut left = 0;
        for mut append in self.appends() {
            while !append.events.is_empty() {
                let fits = append.events.len() <= left;
                if !fits && (left == 0 || append.events.len() <= MAX_APPEND_EVENTS) {
                    steps.push(Vec::new());
                    left = MAX_APPEND_EVENTS;
                }
                let rest = append.events.split_off(append.events.len().min(left));
                left -= append.events.len();
                let last = append.events.len() as u64;
                let next = Append::new(
                    append.aggregate.clone(),
                    behind(append.expected, last),
                    rest,
                );
                let step = steps.last_mut().expect("one was just begun");
                step.push(std::mem::replace(&mut append, next));
            }
        }
        steps
    }

    /// An aggregate each, in the order in which they first change.
    fn appends(&self) -> Vec<Append> {
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

/// What a history is expected to be behind some events more.
fn behind(expected: ExpectedVersion, events: u64) -> ExpectedVersion {
    let before = match expected {
        ExpectedVersion::Exact(version) => version.get(),
        ExpectedVersion::Any | ExpectedVersion::NoStream => 0,
    };
    Version::new(before + events).map_or(expected, ExpectedVersion::Exact)
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use cim_core::domain::keys::KeyEvent;
    use cim_core::id::{AggregateId, EventId, Namespace};
    use cim_core::payload;
    use cim_core::text::Text;
    use cim_core::time::Timestamp;

    use super::*;

    /// Events of aggregates, so many each, of histories of two events.
    fn change(counts: &[usize]) -> Change {
        let mut change = Change::default();
        for (index, count) in counts.iter().enumerate() {
            let key = AggregateKey::new(
                Namespace::new("a.b.keys").expect("a namespace"),
                payload::entity::<KeyEvent>(),
                AggregateId::new(&format!("k{index}")).expect("an id"),
            );
            let version = Version::new(2).expect("a version");
            change.expected.insert(key.clone(), Some(version));
            for _ in 0..*count {
                let event = KeyEvent::KeyRevoked {
                    reason: String::new(),
                };
                let at = Timestamp::default();
                let source = Text::new("test").expect("a text");
                let id = EventId::from_parts(at, crate::clock::entropy());
                let event = payload::new_event(&event, id, at, source);
                change.events.push((key.clone(), event));
            }
        }
        change
    }

    #[track_caller]
    fn steps(counts: &[usize], expect: &[&[(&str, u64, usize)]]) {
        let steps = change(counts).steps();
        let shown: Vec<Vec<(String, u64, usize)>> = steps
            .iter()
            .map(|step| {
                let shown = step.iter().map(|append| {
                    let Some(Some(version)) = append.expected.version() else {
                        panic!("{append:?}")
                    };
                    let id = append.aggregate.id.to_string();
                    (id, version.get(), append.events.len())
                });
                shown.collect()
            })
            .collect();
        let expect: Vec<Vec<(String, u64, usize)>> = expect
            .iter()
            .map(|step| {
                let step = step.iter();
                step.map(|(id, version, count)| ((*id).to_owned(), *version, *count))
                    .collect()
            })
            .collect();
        assert_eq!(shown, expect);
    }

    #[test]
    fn what_fits_is_one_step() {
        steps(&[1, 999], &[&[("k0", 2, 1), ("k1", 2, 999)]]);
        steps(&[], &[]);
    }

    #[test]
    fn an_aggregate_is_in_two_steps_only_when_it_has_to_be() {
        steps(&[600, 600], &[&[("k0", 2, 600)], &[("k1", 2, 600)]]);
        steps(
            &[2500, 1],
            &[
                &[("k0", 2, 1000)],
                &[("k0", 1002, 1000)],
                &[("k0", 2002, 500), ("k1", 2, 1)],
            ],
        );
        steps(
            &[1, 1500],
            &[&[("k0", 2, 1), ("k1", 2, 999)], &[("k1", 1001, 501)]],
        );
    }
}
