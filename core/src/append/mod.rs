//! Appending, without I/O: what may be appended, what it becomes, and what a store answers.
//!
//! [`judge`] is the whole decision of an append. A store lends it its histories and then either
//! writes the recorded events that it gets, in one atomic step, or passes the answer on.

mod error;

use std::collections::HashSet;

use crate::chain;
use crate::cid::Cid;
use crate::event::{NewEvent, RecordedEvent};
use crate::id::{AggregateKey, EventId};
use crate::message::{self, MAX_EVENT_SIZE};
use crate::subject::StoreTemplate;
use crate::version::{ExpectedVersion, Head, Position, Version};

pub use error::{AppendError, Rejection};

/// The most events of one append, of all its aggregates together: JetStream's limit of an atomic
/// batch (ADR-50), kept on every store so that the URL of a store can change.
pub const MAX_APPEND_EVENTS: usize = 1000;

/// The most winners that a conflict shows.
pub const MAX_WINNERS: usize = 16;

/// Events for one aggregate, with what is expected of its history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Append {
    /// Whose events they are.
    pub aggregate: AggregateKey,
    /// What the history must be like.
    pub expected: ExpectedVersion,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent>,
}

impl Append {
    /// Puts the parts together.
    pub fn new(
        aggregate: AggregateKey,
        expected: ExpectedVersion,
        events: impl Into<Vec<NewEvent>>,
    ) -> Self {
        Self {
            aggregate,
            expected,
            events: events.into(),
        }
    }
}

/// That events are stored: one answer for each [`Append`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Appended {
    /// They were stored now.
    Committed(Receipt),
    /// They were stored before, by the same append; nothing was written now.
    AlreadyCommitted(Receipt),
}

impl Appended {
    /// Where the append's last event stands.
    pub fn receipt(&self) -> &Receipt {
        match self {
            Self::Committed(receipt) | Self::AlreadyCommitted(receipt) => receipt,
        }
    }
}

/// Where the last event of an append stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Its version.
    pub version: Version,
    /// Its CID.
    pub head: Cid,
    /// Its position.
    pub position: Position,
}

/// An append whose outcome is unknown: appending it again is safe and tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryToken(Vec<Append>);

impl RetryToken {
    /// Keeps the appends, with the same ids and the same expectations.
    pub fn new(appends: Vec<Append>) -> Self {
        Self(appends)
    }

    /// The appends, to be appended again.
    pub fn into_appends(self) -> Vec<Append> {
        self.0
    }
}

/// A recorded event with its place in the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its position.
    pub position: Position,
    /// The event.
    pub event: RecordedEvent,
}

/// The last event of a history as a store finds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeadFound {
    /// It could be read and has the CID that it names.
    Sound(Head),
    /// It is foreign or altered.
    Broken {
        /// Its position.
        position: Position,
        /// What is wrong with it.
        why: String,
    },
}

/// What [`judge`] needs to know of a store. All answers are of one moment.
pub trait Histories {
    /// Why the store cannot answer.
    type Error;

    /// The last event of an aggregate.
    fn head(&mut self, aggregate: &AggregateKey) -> Result<Option<HeadFound>, Self::Error>;

    /// The event of an aggregate at a version.
    fn at_version(
        &mut self,
        aggregate: &AggregateKey,
        version: Version,
    ) -> Result<Option<Stored>, Self::Error>;

    /// The event with an id, of whatever aggregate.
    fn by_id(&mut self, id: EventId) -> Result<Option<Stored>, Self::Error>;

    /// Whether an event with this id is there.
    fn has_id(&mut self, id: EventId) -> Result<bool, Self::Error> {
        Ok(self.by_id(id)?.is_some())
    }
}

/// What a store has to do with an append.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// Write these events, all or none: a list for each [`Append`].
    Write(Vec<Vec<RecordedEvent>>),
    /// Answer that they are there already.
    AlreadyCommitted(Vec<Receipt>),
    /// Answer with this error.
    Refuse(AppendError),
}

/// Checks what can be told from the appends alone.
///
/// # Errors
///
/// [`Rejection`], with the first fault.
pub fn validate(template: &StoreTemplate, appends: &[Append]) -> Result<(), Rejection> {
    let count = appends.iter().map(|append| append.events.len()).sum();
    if count == 0 || appends.iter().any(|append| append.events.is_empty()) {
        return Err(Rejection::Empty);
    }
    if count > MAX_APPEND_EVENTS {
        return Err(Rejection::TooManyEvents { count });
    }
    let mut aggregates = HashSet::new();
    let mut ids = HashSet::new();
    for append in appends {
        let aggregate = &append.aggregate;
        if appends.len() > 1 && !aggregates.insert(aggregate) {
            return Err(Rejection::AggregateRepeated {
                aggregate: aggregate.clone(),
            });
        }
        for event in &append.events {
            let size = message::event_size(event);
            if size > MAX_EVENT_SIZE {
                return Err(Rejection::EventTooLarge {
                    event: event.id,
                    size,
                });
            }
            if count > 1 && !ids.insert(event.id) {
                return Err(Rejection::EventIdRepeated { event: event.id });
            }
            template
                .event_subject(aggregate, &event.operation)
                .map_err(Rejection::Template)?;
        }
    }
    Ok(())
}

/// Gives events their places behind `head`: versions, links and CIDs.
///
/// # Errors
///
/// [`Rejection::HistoryFull`] when versions do not count so far.
pub fn record(
    aggregate: &AggregateKey,
    head: Option<Head>,
    events: &[NewEvent],
) -> Result<Vec<RecordedEvent>, Rejection> {
    let mut head = head;
    let mut block = Vec::with_capacity(1024);
    let mut recorded = Vec::with_capacity(events.len());
    for event in events {
        let mut next = RecordedEvent {
            aggregate: aggregate.clone(),
            version: Version::after(head.as_ref()).map_err(|_| Rejection::HistoryFull)?,
            previous: head.map(|head| head.cid),
            cid: Cid::ZERO,
            event: event.clone(),
        };
        block.clear();
        chain::block::encode_into(&next, &mut block);
        next.cid = Cid::of_block(&block);
        head = Some(next.head());
        recorded.push(next);
    }
    Ok(recorded)
}

/// Decides what becomes of appends that are to be stored in one atomic step.
///
/// The answers are tried in the contract's order: rejected as invalid, broken, already committed,
/// rejected for a reused event id, conflict, and only then written.
///
/// # Errors
///
/// Whatever the histories say when they cannot be read.
pub fn judge<H: Histories>(
    histories: &mut H,
    template: &StoreTemplate,
    appends: &[Append],
) -> Result<Judgement, H::Error> {
    if let Err(why) = validate(template, appends) {
        return Ok(Judgement::Refuse(AppendError::Rejected { why }));
    }
    let mut heads = Vec::with_capacity(appends.len());
    for append in appends {
        heads.push(match histories.head(&append.aggregate)? {
            None => None,
            Some(HeadFound::Sound(head)) => Some(head),
            Some(HeadFound::Broken { position, why }) => {
                let aggregate = append.aggregate.clone();
                return Ok(Judgement::Refuse(AppendError::Broken {
                    aggregate,
                    position,
                    why,
                }));
            }
        });
    }
    let mut used = None;
    for event in appends.iter().flat_map(|append| &append.events) {
        if histories.has_id(event.id)? {
            used = Some(event.id);
            break;
        }
    }
    if let Some(event) = used {
        return Ok(match find_repeat(histories, appends)? {
            Some(receipts) => Judgement::AlreadyCommitted(receipts),
            None => Judgement::Refuse(AppendError::Rejected {
                why: Rejection::EventIdReused { event },
            }),
        });
    }
    for (append, head) in appends.iter().zip(&heads) {
        let actual = head.map(|head| head.version);
        if !append.expected.is_met_by(actual) {
            let winners = winners(histories, append, actual)?;
            let (aggregate, expected) = (append.aggregate.clone(), append.expected);
            return Ok(Judgement::Refuse(AppendError::Conflict {
                aggregate,
                expected,
                actual,
                winners,
            }));
        }
    }
    let recorded = appends
        .iter()
        .zip(heads)
        .map(|(append, head)| record(&append.aggregate, head, &append.events))
        .collect();
    Ok(match recorded {
        Ok(recorded) => Judgement::Write(recorded),
        Err(why) => Judgement::Refuse(AppendError::Rejected { why }),
    })
}

/// Finds every part of the appends in the histories, or says that the whole is not there.
fn find_repeat<H: Histories>(
    histories: &mut H,
    appends: &[Append],
) -> Result<Option<Vec<Receipt>>, H::Error> {
    let mut receipts = Vec::with_capacity(appends.len());
    for append in appends {
        let Some(receipt) = find_part(histories, append)? else {
            return Ok(None);
        };
        receipts.push(receipt);
    }
    Ok(Some(receipts))
}

/// Finds the events of one append, contiguous and unaltered, where its expectation would have put
/// them: behind the expected version, or for `Any` wherever the first of them stands.
///
/// A CID covers the event before it, so the last one's CID proves them all.
fn find_part<H: Histories>(
    histories: &mut H,
    append: &Append,
) -> Result<Option<Receipt>, H::Error> {
    let Some(first) = append.events.first() else {
        return Ok(None);
    };
    let Some(found) = histories.by_id(first.id)? else {
        return Ok(None);
    };
    let before = found.event.version.get() - 1;
    let placed = match append.expected.version() {
        None => true,
        Some(expected) => expected.map_or(0, Version::get) == before,
    };
    if !placed || found.event.aggregate != append.aggregate {
        return Ok(None);
    }
    let head = match (Version::new(before), found.event.previous) {
        (Ok(version), Some(cid)) => Some(Head { version, cid }),
        (Err(_), None) => None,
        (Ok(_), None) | (Err(_), Some(_)) => return Ok(None),
    };
    let Ok(ours) = record(&append.aggregate, head, &append.events) else {
        return Ok(None);
    };
    let Some(last) = ours.last() else {
        return Ok(None);
    };
    let there = histories.at_version(&append.aggregate, last.version)?;
    Ok(there
        .filter(|there| there.event.cid == last.cid)
        .map(|there| Receipt {
            version: last.version,
            head: last.cid,
            position: there.position,
        }))
}

/// The first events behind the version that was expected.
fn winners<H: Histories>(
    histories: &mut H,
    append: &Append,
    actual: Option<Version>,
) -> Result<Vec<RecordedEvent>, H::Error> {
    let expected = append.expected.version().flatten().map_or(0, Version::get);
    let actual = actual.map_or(0, Version::get);
    let mut winners = Vec::new();
    for version in (expected + 1..=actual).take(MAX_WINNERS) {
        let Ok(version) = Version::new(version) else {
            break;
        };
        winners.extend(
            histories
                .at_version(&append.aggregate, version)?
                .map(|found| found.event),
        );
    }
    Ok(winners)
}
