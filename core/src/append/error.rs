//! Why an append is not stored.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::{MAX_APPEND_EVENTS, RetryToken};
use crate::event::RecordedEvent;
use crate::id::{AggregateKey, EventId};
use crate::message::MAX_EVENT_SIZE;
use crate::subject::TemplateError;
use crate::version::{ExpectedVersion, Position, Version};

/// Why events are not stored, or are not known to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The history is not as expected. Load it again and decide anew.
    Conflict {
        /// The aggregate.
        aggregate: AggregateKey,
        /// What was expected.
        expected: ExpectedVersion,
        /// The last version that is there.
        actual: Option<Version>,
        /// The first events behind the expected version, at most [`MAX_WINNERS`](super::MAX_WINNERS).
        winners: Vec<RecordedEvent>,
    },
    /// The append can never succeed. Mend it.
    Rejected {
        /// What is wrong with it.
        why: Rejection,
    },
    /// The history's last event is foreign or altered. Only this aggregate is stuck.
    Broken {
        /// The aggregate.
        aggregate: AggregateKey,
        /// The position of its last event.
        position: Position,
        /// What is wrong with that event.
        why: String,
    },
    /// It is not known whether the events are stored. Append the token again.
    Unknown {
        /// The same appends.
        retry_token: RetryToken,
        /// What went wrong.
        cause: Option<Arc<dyn Error + Send + Sync>>,
    },
}

/// What is wrong with an append.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Rejection {
    /// It has no events, or no aggregates.
    Empty,
    /// It has more than [`MAX_APPEND_EVENTS`].
    TooManyEvents {
        /// How many.
        count: usize,
    },
    /// An event is over [`MAX_EVENT_SIZE`].
    EventTooLarge {
        /// Which.
        event: EventId,
        /// Body and headers, in bytes.
        size: usize,
    },
    /// An aggregate stands in it twice.
    AggregateRepeated {
        /// Which.
        aggregate: AggregateKey,
    },
    /// An event id stands in it twice.
    EventIdRepeated {
        /// Which.
        event: EventId,
    },
    /// An event id is used already, for other content, another aggregate, or by a part of this
    /// append only.
    EventIdReused {
        /// Which.
        event: EventId,
    },
    /// The store's subject template does not fit the aggregate.
    Template(TemplateError),
    /// The history is as long as versions can count.
    HistoryFull,
    /// The store takes no such append: it is full, not set up for it, or the user may not write.
    Store {
        /// The stable code of the fault.
        code: &'static str,
        /// What the store says.
        why: String,
    },
}

impl Rejection {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "append-empty",
            Self::TooManyEvents { .. } => "append-too-many-events",
            Self::EventTooLarge { .. } => "event-too-large",
            Self::AggregateRepeated { .. } => "aggregate-repeated",
            Self::EventIdRepeated { .. } => "event-id-repeated",
            Self::EventIdReused { .. } => "event-id-reused",
            Self::Template(error) => error.code(),
            Self::HistoryFull => "history-full",
            Self::Store { code, .. } => code,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no event in it"),
            Self::TooManyEvents { count } => {
                write!(
                    f,
                    "it has {count} events, at most {MAX_APPEND_EVENTS} go into one append"
                )
            }
            Self::EventTooLarge { event, size } => write!(
                f,
                "event `{event}` has {size} bytes with its headers, at most {MAX_EVENT_SIZE} fit"
            ),
            Self::AggregateRepeated { aggregate } => {
                write!(f, "the aggregate `{aggregate}` stands in it twice")
            }
            Self::EventIdRepeated { event } => {
                write!(f, "the event id `{event}` stands in it twice")
            }
            Self::EventIdReused { event } => {
                write!(
                    f,
                    "the event id `{event}` is used by another event or append"
                )
            }
            Self::Template(error) => error.fmt(f),
            Self::HistoryFull => f.write_str("the history is as long as versions can count"),
            Self::Store { why, .. } => f.write_str(why),
        }
    }
}

impl AppendError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "version-conflict",
            Self::Rejected { why } => why.code(),
            Self::Broken { .. } => "history-broken",
            Self::Unknown { .. } => "outcome-unknown",
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict {
                aggregate,
                expected,
                actual,
                ..
            } => {
                write!(f, "version conflict on `{aggregate}`: expected ")?;
                match expected {
                    ExpectedVersion::Any | ExpectedVersion::NoStream => f.write_str("no event")?,
                    ExpectedVersion::Exact(version) => write!(f, "version {version}")?,
                }
                match actual {
                    Some(version) => write!(f, ", found version {version}"),
                    None => f.write_str(", found no event"),
                }
            }
            Self::Rejected { why } => write!(f, "the append is refused: {why}"),
            Self::Broken {
                aggregate,
                position,
                why,
            } => write!(
                f,
                "the history of `{aggregate}` is broken at position {position}: {why}"
            ),
            Self::Unknown { .. } => f.write_str("it is not known whether the events are stored"),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unknown {
                cause: Some(cause), ..
            } => Some(cause.as_ref()),
            Self::Conflict { .. }
            | Self::Rejected { .. }
            | Self::Broken { .. }
            | Self::Unknown { cause: None, .. } => None,
        }
    }
}
