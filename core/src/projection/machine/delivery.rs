//! What goes in: events as a store delivers them.

use crate::append::Stored;
use crate::event::RecordedEvent;
use crate::id::{AggregateKey, EventId};
use crate::version::Position;

/// An event as a store delivers it.
pub trait StoreEvent: Clone {
    /// Its place in the store's order.
    fn position(&self) -> Position;

    /// The event.
    fn recorded(&self) -> &RecordedEvent;
}

impl StoreEvent for Stored {
    fn position(&self) -> Position {
        self.position
    }

    fn recorded(&self) -> &RecordedEvent {
        &self.event
    }
}

/// What a store delivers, in the order of its positions.
#[derive(Clone, Debug)]
pub enum Delivery<E> {
    /// An event.
    Event(E),
    /// An event that is altered or unreadable.
    Invalid(InvalidEvent),
    /// All that was there has been delivered; what follows is new.
    CaughtUp,
}

/// What can be told of an invalid event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidEvent {
    /// Its position.
    pub position: Position,
    /// Its aggregate, where it can be told.
    pub aggregate: Option<AggregateKey>,
    /// Its id, where it can be told.
    pub event: Option<EventId>,
    /// The stable code of the fault.
    pub code: String,
    /// What is wrong, as a sentence.
    pub message: String,
}
