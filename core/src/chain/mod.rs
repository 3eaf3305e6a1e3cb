//! The hash chain of an aggregate's events: what proves that a history is whole and unchanged.
//!
//! Every event's CID is the digest of its [`block`], and every block holds the CID of the event
//! before. The [`verifier`]s take events one by one and name the first bad one.

use std::error::Error;
use std::fmt;

use crate::cid::Cid;
use crate::event::RecordedEvent;
use crate::id::{AggregateKey, EventId};
use crate::version::Version;

pub mod block;
pub(crate) mod cbor;
pub mod verifier;

pub use cbor::CborError;

/// What even a verified chain does not prove; it stands wherever "verified" is printed.
pub const NOT_PROVEN: &str = "not proven: that no events are missing at the end of a history, and \
     that the whole store was not rolled back; a plain chain cannot see a cut tail";

/// What was verified of an event, or of the least of several.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// The event is what its CID says. Whether it belongs to this history, and what stood before
    /// it, was not looked at.
    Cid,
    /// It is also linked, event by event, to the first one or to a trusted head. A plain chain
    /// cannot see a cut tail or a whole store rolled back.
    Chain,
}

impl Verified {
    /// `cid` or `chain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cid => "cid",
            Self::Chain => "chain",
        }
    }

    /// What this does not prove: for [`Verified::Chain`], [`NOT_PROVEN`].
    pub fn not_proven(self) -> &'static str {
        match self {
            Self::Cid => {
                "not proven: that no events are missing or exchanged, or that the whole store was \
                 not rolled back; each event was checked by itself, without its links"
            }
            Self::Chain => NOT_PROVEN,
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The CID that the content of `event` has, whatever its field says.
///
/// For many events a verifier is faster: it keeps its buffer.
#[doc(alias = "calculate_event_cid")]
pub fn cid_of(event: &RecordedEvent) -> Cid {
    verifier::BlockHasher::default().cid_of(event)
}

/// Checks that `event` is what its CID says.
///
/// # Errors
///
/// [`ChainError::WrongCid`].
pub fn check_cid(event: &RecordedEvent) -> Result<(), ChainError> {
    verifier::BlockHasher::default().check(event)
}

/// Which event it is that an error speaks of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventPlace {
    /// Whose event it says it is.
    pub aggregate: AggregateKey,
    /// Its id.
    pub event: EventId,
    /// The version that it says it has.
    pub version: Version,
}

impl EventPlace {
    /// The place that `event` says it has. It is boxed because errors should be small.
    fn of(event: &RecordedEvent) -> Box<Self> {
        Box::new(Self {
            aggregate: event.aggregate.clone(),
            event: event.event.id,
            version: event.version,
        })
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            aggregate,
            event,
            version,
        } = self;
        write!(f, "event `{event}` (version {version} of `{aggregate}`)")
    }
}

/// The first event that does not fit, and why: an event of a store that cannot be trusted.
///
/// An event with several faults has the first in the order of the variants.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChainError {
    /// Its content does not have the CID that it names.
    WrongCid {
        /// Which event it is.
        place: Box<EventPlace>,
        /// The CID of its content.
        expected: Cid,
        /// The CID that it names.
        found: Cid,
    },
    /// It belongs to another aggregate.
    WrongAggregate {
        /// Which event it is.
        place: Box<EventPlace>,
        /// Whose history it was to be.
        expected: Box<AggregateKey>,
    },
    /// Its version was there already, or is not after the trusted head.
    Duplicate {
        /// Which event it is.
        place: Box<EventPlace>,
        /// The version of the head before it.
        head: Version,
    },
    /// Versions are left out before it.
    Gap {
        /// Which event it is.
        place: Box<EventPlace>,
        /// The version that was to come.
        expected: Version,
    },
    /// It links to another event than the one before it.
    BrokenLink {
        /// Which event it is.
        place: Box<EventPlace>,
        /// The CID of the event before it; `None` at version 1.
        expected: Option<Cid>,
        /// The CID that it links to.
        found: Option<Cid>,
    },
}

impl ChainError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongCid { .. } => "wrong-cid",
            Self::WrongAggregate { .. } => "wrong-aggregate",
            Self::Duplicate { .. } => "duplicate",
            Self::Gap { .. } => "gap",
            Self::BrokenLink { .. } => "broken-link",
        }
    }

    /// Which event it is.
    pub fn place(&self) -> &EventPlace {
        match self {
            Self::WrongCid { place, .. }
            | Self::WrongAggregate { place, .. }
            | Self::Duplicate { place, .. }
            | Self::Gap { place, .. }
            | Self::BrokenLink { place, .. } => place,
        }
    }

    /// The id of the event.
    pub fn event(&self) -> EventId {
        self.place().event
    }

    /// The aggregate that the event says it belongs to.
    pub fn aggregate(&self) -> &AggregateKey {
        &self.place().aggregate
    }

    /// The version that the event says it has.
    pub fn version(&self) -> Version {
        self.place().version
    }
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongCid {
                place,
                expected,
                found,
            } => write!(
                f,
                "wrong CID of {place}: expected `{expected}` for its content, found `{found}`"
            ),
            Self::WrongAggregate { place, expected } => {
                write!(f, "wrong aggregate of {place}: expected `{expected}`")
            }
            Self::Duplicate { place, head } => write!(
                f,
                "duplicate: {place} comes again, the history is at version {head} already"
            ),
            Self::Gap { place, expected } => {
                write!(f, "gap before {place}: expected version {expected}")
            }
            Self::BrokenLink {
                place,
                expected,
                found,
            } => write!(
                f,
                "broken link of {place}: expected the previous CID {}, found {}",
                Link(expected.as_ref()),
                Link(found.as_ref()),
            ),
        }
    }
}

impl Error for ChainError {}

/// A link that may be absent, as people read it.
struct Link<'a>(Option<&'a Cid>);

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cid) => write!(f, "`{cid}`"),
            None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests;
