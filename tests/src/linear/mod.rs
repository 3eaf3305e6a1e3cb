//! Whether what a store answered can have come about one call after the other.
//!
//! A history of calls is linearizable when each call can be given one moment between its start and
//! its answer, so that in the order of these moments every answer is what a store would say that
//! does one thing at a time (Herlihy and Wing 1990). To find such moments is hard in general. Here
//! it is easy, since the store itself tells in which order it took the appends: their order is
//! given, and a look at a history stands between two of them. So each call gets the earliest moment
//! that is left to it, and if that is after its answer, no other choice would have served.

mod calls;
mod order;
#[cfg(test)]
mod search;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;

use cim_core::append::{MAX_WINNERS, Receipt};
use cim_core::cid::Cid;
use cim_core::id::{AggregateKey, EventId};

pub use self::calls::{Answer, Call, Event, Operation, Part};

use self::order::{Look, Order, Write};

/// What a checked history was like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Appends that are stored, whatever was said of them.
    pub stored: usize,
    /// Of these, those of which no caller knows.
    pub unknown: usize,
    /// Answers that were placed between two appends: heads, conflicts, repeats, used ids.
    pub looks: usize,
}

/// What is wrong with a history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The stored events are no histories: a version twice or missing, an id twice.
    Store,
    /// An event is stored that nobody appended, or that nobody can have stored there.
    Foreign,
    /// An append is stored in part.
    Torn,
    /// It was acknowledged and is not there, or elsewhere, or otherwise.
    Lost,
    /// One append was committed by two calls.
    CommittedTwice,
    /// It was refused, and is stored.
    RefusedAndStored,
    /// It was stored behind another version than it expected.
    Unexpected,
    /// It was refused for a reason that was never true.
    FalseRefusal,
    /// The order of calls that followed each other is not the order of their effects.
    Order,
}

/// A history that cannot have come about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub kind: Kind,
    /// Where, with the operations.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

impl std::error::Error for Fault {}

fn fault<T>(kind: Kind, what: impl fmt::Display) -> Result<T, Fault> {
    let what = what.to_string();
    Err(Fault { kind, what })
}

/// Checks what callers were answered against what is stored in the end, in the store's order.
///
/// A refusal counts as final: what was refused must not be appended again. What is unknown may be.
///
/// # Errors
///
/// [`Fault`], the first that is found.
pub fn check(operations: &[Operation], stored: &[Event]) -> Result<Summary, Fault> {
    let stored = Stored::new(stored)?;
    let attempts = Attempts::new(operations);
    let (writes, owners) = attempts.writes(&stored)?;
    let mut order = Order::new(operations, writes);
    for (at, operation) in operations.iter().enumerate() {
        if let Some(look) = stored.look(operation, &owners)? {
            order.look(at, look);
        }
    }
    let summary = Summary {
        stored: order.writes().len(),
        unknown: order
            .writes()
            .iter()
            .filter(|write| write.ended == u64::MAX)
            .count(),
        looks: order.looks(),
    };
    order.check()?;
    Ok(summary)
}

/// What is stored, by id and by version.
struct Stored<'a> {
    events: &'a [Event],
    places: HashMap<EventId, usize>,
    histories: HashMap<&'a AggregateKey, Vec<usize>>,
}

impl<'a> Stored<'a> {
    fn new(events: &'a [Event]) -> Result<Self, Fault> {
        let mut places = HashMap::new();
        let mut histories: HashMap<_, Vec<usize>> = HashMap::new();
        let mut last = 0;
        for (at, event) in events.iter().enumerate() {
            let history = histories.entry(&event.aggregate).or_default();
            let is_next = event.version == history.len() as u64 + 1;
            if !is_next || event.position <= last || places.insert(event.id, at).is_some() {
                return fault(Kind::Store, format_args!("{event} after {last}"));
            }
            last = event.position;
            history.push(at);
        }
        Ok(Self {
            events,
            places,
            histories,
        })
    }

    /// The place of an aggregate's event at a version.
    fn at(&self, aggregate: &AggregateKey, version: u64) -> Option<usize> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        self.histories.get(aggregate)?.get(index).copied()
    }

    /// Whether the events of an append stand from a place on, each where it belongs.
    fn has(&self, parts: &[Part], from: usize) -> bool {
        let mut there = self.events[from..].iter();
        parts.iter().all(|part| {
            let mut ids = part.events.iter();
            ids.all(|id| {
                there
                    .next()
                    .is_some_and(|event| event.id == *id && event.aggregate == part.aggregate)
            })
        })
    }

    /// Checks what can be told of an answer without the order, and says where it stands in it.
    fn look(&self, operation: &Operation, owners: &[usize]) -> Result<Option<Look>, Fault> {
        let (parts, answer) = match &operation.call {
            Call::Head { aggregate, found } => {
                let version = found.map_or(0, |head| head.version.get());
                let there = self.at(aggregate, version).map(|at| self.events[at].cid);
                if there != found.map(|head| head.cid) {
                    return fault(Kind::Lost, operation);
                }
                return Ok(Some(self.between(aggregate, version, owners)));
            }
            Call::Append { parts, answer } => (parts, answer),
        };
        match answer {
            Answer::Committed(receipts) | Answer::AlreadyCommitted(receipts) => {
                let last = self.check_receipts(operation, parts, receipts)?;
                Ok(Some(Look {
                    after: Some(owners[last]),
                    before: None,
                }))
            }
            Answer::Conflict {
                aggregate,
                actual,
                winners,
            } => {
                let actual = actual.map_or(0, cim_core::version::Version::get);
                if !self.is_conflict(parts, aggregate, actual, winners) {
                    return fault(Kind::FalseRefusal, operation);
                }
                let mut look = self.between(aggregate, actual, owners);
                let ids = parts.iter().flat_map(|part| &part.events);
                let used = ids.filter_map(|id| self.places.get(id).map(|at| owners[*at]));
                look.before = used.chain(look.before).min();
                Ok(Some(look))
            }
            Answer::Reused(id) => match self.places.get(id) {
                Some(at) => Ok(Some(Look {
                    after: Some(owners[*at]),
                    before: None,
                })),
                None => fault(Kind::FalseRefusal, operation),
            },
            Answer::Refused(_) | Answer::Unknown => Ok(None),
        }
    }

    /// Between the append that made a version and the one that made the next.
    fn between(&self, aggregate: &AggregateKey, version: u64, owners: &[usize]) -> Look {
        let owner = |version| self.at(aggregate, version).map(|at| owners[at]);
        Look {
            after: owner(version),
            before: owner(version + 1),
        }
    }

    fn check_receipts(
        &self,
        operation: &Operation,
        parts: &[Part],
        receipts: &[Receipt],
    ) -> Result<usize, Fault> {
        let mut last = None;
        for (part, receipt) in parts.iter().zip(receipts) {
            let place = part.events.last().and_then(|id| self.places.get(id));
            let Some(event) = place.map(|at| &self.events[*at]) else {
                return fault(Kind::Lost, format_args!("{operation}: it is not stored"));
            };
            let is_there = event.aggregate == part.aggregate
                && event.version == receipt.version.get()
                && event.position == receipt.position.get()
                && event.cid == receipt.head;
            if !is_there {
                return fault(Kind::Lost, format_args!("{operation}: it is {event}"));
            }
            last = place.copied();
        }
        match last {
            Some(last) if parts.len() == receipts.len() => Ok(last),
            _ => fault(
                Kind::Lost,
                format_args!("{operation}: a receipt is missing"),
            ),
        }
    }

    /// Whether a conflict tells the truth, as far as it does not depend on when it was told.
    fn is_conflict(
        &self,
        parts: &[Part],
        aggregate: &AggregateKey,
        actual: u64,
        winners: &[Cid],
    ) -> bool {
        let Some(part) = parts.iter().find(|part| part.aggregate == *aggregate) else {
            return false;
        };
        let Some(expected) = part.expected_version() else {
            return false;
        };
        let there: Option<Vec<Cid>> = (expected + 1..=actual)
            .take(MAX_WINNERS)
            .map(|version| self.at(aggregate, version).map(|at| self.events[at].cid))
            .collect();
        let is_version = actual == 0 || self.at(aggregate, actual).is_some();
        is_version && actual != expected && there.as_deref() == Some(winners)
    }
}

/// The calls of each append: one, and more where it was repeated.
struct Attempts<'a> {
    operations: &'a [Operation],
    of: HashMap<&'a [Part], Vec<usize>>,
    /// The appends that begin with an event.
    begun: HashMap<EventId, Vec<&'a [Part]>>,
}

impl<'a> Attempts<'a> {
    fn new(operations: &'a [Operation]) -> Self {
        let mut of: HashMap<&[Part], Vec<usize>> = HashMap::new();
        let mut begun: HashMap<EventId, Vec<&[Part]>> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            let Call::Append { parts, .. } = &operation.call else {
                continue;
            };
            let attempts = of.entry(parts).or_default();
            if let ([], Some(first)) = (&attempts[..], parts.first()) {
                begun
                    .entry(first.events[0])
                    .or_default()
                    .push(parts.as_slice());
            }
            attempts.push(at);
        }
        Self {
            operations,
            of,
            begun,
        }
    }

    fn answers(&self, parts: &[Part]) -> impl Iterator<Item = (usize, &Answer)> {
        self.of[parts].iter().map(|at| {
            let Call::Append { answer, .. } = &self.operations[*at].call else {
                unreachable!("only appends are gathered");
            };
            (*at, answer)
        })
    }

    /// The appends as they are stored, and which of them each event is of.
    fn writes(&self, stored: &Stored<'_>) -> Result<(Vec<Write>, Vec<usize>), Fault> {
        let mut writes = Vec::new();
        let mut owners = Vec::with_capacity(stored.events.len());
        let mut seen = HashSet::new();
        while let Some(first) = stored.events.get(owners.len()) {
            let from = owners.len();
            let candidates = self.begun.get(&first.id).map_or(&[][..], Vec::as_slice);
            let mut whole = candidates.iter().filter(|parts| stored.has(parts, from));
            let Some(parts) = whole
                .clone()
                .find(|parts| {
                    self.answers(parts)
                        .any(|(_, answer)| answer.may_be_stored())
                })
                .or_else(|| whole.next())
            else {
                let kind = match candidates {
                    [] => Kind::Foreign,
                    _ => Kind::Torn,
                };
                return fault(kind, first);
            };
            self.check_expectations(parts, stored, from)?;
            if !seen.insert(parts) {
                return fault(Kind::Store, first);
            }
            let count: usize = parts.iter().map(|part| part.events.len()).sum();
            owners.extend(std::iter::repeat_n(writes.len(), count));
            writes.push(self.write(parts)?);
        }
        Ok((writes, owners))
    }

    fn check_expectations(
        &self,
        parts: &[Part],
        stored: &Stored<'_>,
        from: usize,
    ) -> Result<(), Fault> {
        let mut at = from;
        for part in parts {
            let before = stored.events[at].version - 1;
            if part
                .expected_version()
                .is_some_and(|expected| expected != before)
            {
                let operation = &self.operations[self.of[parts][0]];
                let event = &stored.events[at];
                return fault(Kind::Unexpected, format_args!("{operation} is {event}"));
            }
            at += part.events.len();
        }
        Ok(())
    }

    /// When an append that is stored can have taken effect.
    fn write(&self, parts: &[Part]) -> Result<Write, Fault> {
        let mut committed = None;
        let (mut begun, mut ended) = ((u64::MAX, 0), (u64::MAX, 0));
        for (at, answer) in self.answers(parts) {
            let operation = &self.operations[at];
            begun = begun.min((operation.begun, at));
            match answer {
                Answer::Committed(_) if committed.is_some() => {
                    return fault(Kind::CommittedTwice, operation);
                }
                Answer::Committed(_) => committed = Some(at),
                Answer::AlreadyCommitted(_) => ended = ended.min((operation.ended, at)),
                Answer::Unknown => {}
                Answer::Conflict { .. } | Answer::Reused(_) | Answer::Refused(_) => {
                    return fault(Kind::RefusedAndStored, operation);
                }
            }
        }
        // Who was told that it was stored now has stored it.
        if let Some(at) = committed {
            begun = (self.operations[at].begun, at);
            ended = ended.min((self.operations[at].ended, at));
        }
        Ok(Write {
            begun: begun.0,
            ended: ended.0,
            beginner: begun.1,
            ender: ended.1,
        })
    }
}
