//! The calls of a history and how they are written down, one a line.

use std::fmt;

use cim_core::append::{Append, AppendError, Appended, Receipt, Rejection};
use cim_core::cid::Cid;
use cim_core::id::{AggregateKey, EventId};
use cim_core::version::{ExpectedVersion, Head, Version};

/// A call of the store, with its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    /// Who called.
    pub client: u64,
    /// When, in nanoseconds since some moment that is the same for all.
    pub begun: u64,
    /// When the answer came.
    pub ended: u64,
    /// What was called and answered.
    pub call: Call,
}

/// What was called and answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    /// A look at a head.
    Head {
        /// Of which history.
        aggregate: AggregateKey,
        /// The head.
        found: Option<Head>,
    },
    /// An append.
    Append {
        /// What was to be appended.
        parts: Vec<Part>,
        /// The answer.
        answer: Answer,
    },
}

/// What was to be appended to one history.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Part {
    /// Which.
    pub aggregate: AggregateKey,
    /// What was expected of it.
    pub expected: ExpectedVersion,
    /// The ids of the events.
    pub events: Vec<EventId>,
}

/// The answer to an append.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Stored now.
    Committed(Vec<Receipt>),
    /// Stored before.
    AlreadyCommitted(Vec<Receipt>),
    /// The history is not as expected.
    Conflict {
        /// Which.
        aggregate: AggregateKey,
        /// Its last version.
        actual: Option<Version>,
        /// The first events behind the expected version.
        winners: Vec<Cid>,
    },
    /// An event id is used.
    Reused(EventId),
    /// Not stored for another reason, by its code.
    Refused(&'static str),
    /// Stored or not.
    Unknown,
}

/// An event as it is stored in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its position.
    pub position: u64,
    /// Whose it is.
    pub aggregate: AggregateKey,
    /// Its version.
    pub version: u64,
    /// Its id.
    pub id: EventId,
    /// Its CID.
    pub cid: Cid,
}

impl Part {
    /// The version that the history must have before, 0 for none; `None` for any.
    pub(super) fn expected_version(&self) -> Option<u64> {
        let expected = self.expected.version()?;
        Some(expected.map_or(0, Version::get))
    }
}

impl From<&Append> for Part {
    fn from(append: &Append) -> Self {
        Self {
            aggregate: append.aggregate.clone(),
            expected: append.expected,
            events: append.events.iter().map(|event| event.id).collect(),
        }
    }
}

impl Answer {
    /// Whether the append may be stored after this answer.
    pub(super) fn may_be_stored(&self) -> bool {
        match self {
            Self::Committed(_) | Self::AlreadyCommitted(_) | Self::Unknown => true,
            Self::Conflict { .. } | Self::Reused(_) | Self::Refused(_) => false,
        }
    }
}

impl From<&Result<Vec<Appended>, AppendError>> for Answer {
    fn from(answer: &Result<Vec<Appended>, AppendError>) -> Self {
        match answer {
            Ok(answers) => {
                let receipts = answers.iter().map(|answer| *answer.receipt()).collect();
                match answers.first() {
                    Some(Appended::AlreadyCommitted(_)) => Self::AlreadyCommitted(receipts),
                    _ => Self::Committed(receipts),
                }
            }
            Err(AppendError::Conflict {
                aggregate,
                actual,
                winners,
                ..
            }) => Self::Conflict {
                aggregate: aggregate.clone(),
                actual: *actual,
                winners: winners.iter().map(|event| event.cid).collect(),
            },
            Err(AppendError::Rejected {
                why: Rejection::EventIdReused { event },
            }) => Self::Reused(*event),
            Err(AppendError::Unknown { .. }) => Self::Unknown,
            Err(error) => Self::Refused(error.code()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        write!(
            f,
            "{:.3}-{:.3} ms, client {}: {}",
            milliseconds(self.begun),
            milliseconds(self.ended),
            self.client,
            self.call
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { aggregate, found } => {
                write!(f, "head {aggregate} ->")?;
                match found {
                    Some(head) => write!(f, " {} {}", head.version, head.cid),
                    None => f.write_str(" none"),
                }
            }
            Self::Append { parts, answer } => {
                f.write_str("append")?;
                for part in parts {
                    write!(f, " {} {:?}", part.aggregate, part.expected)?;
                    part.events.iter().try_for_each(|id| write!(f, " {id}"))?;
                }
                write!(f, " -> {answer}")
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, receipts: &[Receipt]| {
            receipts.iter().try_for_each(|receipt| {
                let Receipt {
                    version,
                    head,
                    position,
                } = receipt;
                write!(f, " {version}@{position} {head}")
            })
        };
        match self {
            Self::Committed(receipts) => {
                f.write_str("committed")?;
                list(f, receipts)
            }
            Self::AlreadyCommitted(receipts) => {
                f.write_str("already")?;
                list(f, receipts)
            }
            Self::Conflict {
                aggregate,
                actual,
                winners,
            } => {
                let actual = actual.map_or(0, Version::get);
                write!(f, "conflict {aggregate} has {actual}, winners")?;
                winners.iter().try_for_each(|cid| write!(f, " {cid}"))
            }
            Self::Reused(id) => write!(f, "reused {id}"),
            Self::Refused(code) => write!(f, "refused {code}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            aggregate,
            version,
            id,
            cid,
        } = self;
        write!(f, "stored {position}: {aggregate} {version} {id} {cid}")
    }
}
