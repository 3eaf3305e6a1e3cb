//! What to read: all conditions of a [`Query`] hold together.

use cim_core::id::{AggregateKey, Entity, EventId, EventType, Namespace};
use cim_core::time::Timestamp;
use cim_core::version::{Position, Version};
use uuid::Uuid;

/// Which events to read, in which order, and how much of them to check.
///
/// The default reads everything, in store order, unchecked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Of this aggregate.
    pub aggregate: Option<AggregateKey>,
    /// Of aggregates of this namespace.
    pub namespace: Option<Namespace>,
    /// Of aggregates of this entity.
    pub entity: Option<Entity>,
    /// With this id.
    pub event_id: Option<EventId>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// Of this conversation.
    pub correlation: Option<Uuid>,
    /// Behind this position, exclusive.
    pub after: Option<Position>,
    /// From this version on, inclusive.
    pub from_version: Option<Version>,
    /// Up to this version, inclusive.
    pub to_version: Option<Version>,
    /// At or after this time.
    pub since: Option<Timestamp>,
    /// At or before this time.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Oldest or newest first. The order is the store's; for one aggregate that is its versions'.
    pub direction: Direction,
    /// Whether to verify.
    pub check: Check,
}

/// The order of events.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Forwards,
    /// Newest first.
    Backwards,
}

/// How much of what is read is checked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Check {
    /// Nothing: the events are as the store has them.
    #[default]
    Nothing,
    /// Each event's CID; and its link too where a whole history is read from its start, forwards.
    Verify,
}

impl Query {
    /// The whole history of an aggregate.
    pub fn history(aggregate: AggregateKey) -> Self {
        Self {
            aggregate: Some(aggregate),
            ..Self::default()
        }
    }

    /// The same, verified.
    #[must_use]
    pub fn verified(self) -> Self {
        Self {
            check: Check::Verify,
            ..self
        }
    }

    /// Whether it reads one whole history from its start, so that links can be checked.
    pub fn is_history(&self) -> bool {
        self.aggregate.is_some()
            && self.direction == Direction::Forwards
            && self
                .from_version
                .is_none_or(|version| version == Version::FIRST)
            && self.event_id.is_none()
            && self.event_type.is_none()
            && self.correlation.is_none()
            && self.after.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }
}
