//! How a projection stands, and what it cannot go on from.

use std::fmt;
use std::str::FromStr;

use super::ParkedEvent;
use crate::projection::Fault;
use crate::text::shorten;
use crate::version::Position;

/// How a projection stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// It has not yet handled all that was there when it started.
    CatchingUp,
    /// It handles events as they come, and none is parked.
    Live,
    /// It handles events as they come, but aggregates are parked: their documents stand still.
    Parked,
    /// It stopped at what it cannot go on from.
    Failed,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::CatchingUp, Self::Live, Self::Parked, Self::Failed];

    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CatchingUp => "catching-up",
            Self::Live => "live",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = StateError;
    fn from_str(text: &str) -> Result<Self, StateError> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| StateError {
            text: shorten(text),
        })
    }
}

/// A text that is no state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateError {
    /// The text, shortened if it is very long.
    pub text: String,
}

impl StateError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "projection-state-invalid"
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no state of a projection", self.text)
    }
}

impl std::error::Error for StateError {}

/// What a projection cannot go on from.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// One more aggregate would have to be parked than [`parked_max`](super::Options::parked_max)
    /// allows. Mend the handler: it likely faults on all events.
    TooManyParked {
        /// How many are parked already.
        parked: usize,
        /// The event that would have to be parked too.
        event: Box<ParkedEvent>,
    },
    /// An event is invalid and does not tell whose it is, so nobody's queue can hold it.
    UnknownAggregate {
        /// The event's position.
        position: Position,
        /// The code of what is wrong.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// The handler cannot be called, whatever the events. Start it again when the machine has what
    /// it lacks.
    NotCalled(Fault),
    /// The read model takes no commit.
    Commit(Fault),
}

impl Failure {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooManyParked { .. } => "too-many-parked",
            Self::UnknownAggregate { .. } => "aggregate-unknown",
            Self::NotCalled(_) => "handler-not-called",
            Self::Commit(_) => "commit-failed",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyParked { parked, event } => write!(
                f,
                "{parked} aggregates are parked, and the event at position {} {}",
                event.position, event.reason
            ),
            Self::UnknownAggregate {
                position, message, ..
            } => write!(
                f,
                "the event at position {position} is invalid and does not tell its aggregate: \
                 {message}"
            ),
            Self::NotCalled(fault) => write!(f, "the handler cannot be called: {fault}"),
            Self::Commit(fault) => write!(f, "the read model takes no commit: {fault}"),
        }
    }
}

impl std::error::Error for Failure {}
