//! Events that are set aside, and why.

use std::fmt;

use super::{Failure, InvalidEvent, StoreEvent};
use crate::cid::Cid;
use crate::id::{AggregateKey, EventId};
use crate::version::{Position, Version};

/// An event that is set aside, in the queue of its aggregate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParkedEvent {
    /// Its position, which is its place in the queue too.
    pub position: Position,
    /// Its aggregate.
    pub aggregate: AggregateKey,
    /// Its version, where it can be told.
    pub version: Option<Version>,
    /// Its id, where it can be told.
    pub event: Option<EventId>,
    /// Its CID, where it can be told.
    pub cid: Option<Cid>,
    /// Why it is set aside.
    pub reason: ParkReason,
}

impl ParkedEvent {
    /// Sets `event` aside.
    pub(super) fn of<E: StoreEvent>(event: &E, reason: ParkReason) -> Self {
        let recorded = event.recorded();
        Self {
            position: event.position(),
            aggregate: recorded.aggregate.clone(),
            version: Some(recorded.version),
            event: Some(recorded.event.id),
            cid: Some(recorded.cid),
            reason,
        }
    }

    /// Sets aside what can be told of an invalid event.
    pub(super) fn of_invalid(invalid: InvalidEvent) -> Result<Self, Failure> {
        let InvalidEvent {
            position,
            aggregate,
            event,
            code,
            message,
        } = invalid;
        match aggregate {
            Some(aggregate) => Ok(Self {
                position,
                aggregate,
                version: None,
                event,
                cid: None,
                reason: ParkReason::Invalid { code, message },
            }),
            None => Err(Failure::UnknownAggregate {
                position,
                code,
                message,
            }),
        }
    }
}

/// Why an event is set aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ParkReason {
    /// The handler faults on it.
    Fault {
        /// The fault's code.
        code: String,
        /// The fault's message.
        message: String,
    },
    /// It is altered or unreadable.
    Invalid {
        /// The stable code of what is wrong.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// It stands behind a parked event of its aggregate.
    Diverted,
}

impl ParkReason {
    /// The code and the message of the cause; a diverted event has none of its own.
    pub fn cause(&self) -> Option<(&str, &str)> {
        match self {
            Self::Fault { code, message } | Self::Invalid { code, message } => {
                Some((code, message))
            }
            Self::Diverted => None,
        }
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { message, .. } => write!(f, "faults: {message}"),
            Self::Invalid { message, .. } => write!(f, "is invalid: {message}"),
            Self::Diverted => f.write_str("waits behind a parked event of its aggregate"),
        }
    }
}
