//! Which model an entity has, for programs that learn the entity's name only when they run.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::payload::{DomainCommand, DomainEvent};
use crate::text::shorten;

/// Why a domain refuses a command.
pub trait DomainError: Error + Send + Sync + 'static {
    /// The stable code of the fault.
    fn code(&self) -> &'static str;
}

/// An aggregate that the command and JavaScript can work with: its state and its commands have a form in
/// JSON, and its refusals a code.
pub trait Model:
    Aggregate<
        State: Clone + DeserializeOwned + Serialize + Send + Sync + 'static,
        Event: DomainEvent + Send + Sync + 'static,
        Command: Clone + DomainCommand + Send + Sync + 'static,
        Error: DomainError,
    > + 'static
{
    /// Its state machines, drawn.
    fn diagrams() -> Vec<Diagram> {
        Vec::new()
    }
}

/// A state machine, drawn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagram {
    /// What it shows.
    pub title: &'static str,
    /// A document of Mermaid.
    pub mermaid: String,
}

/// What is done with a model, whichever it is.
pub trait ModelVisitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<M: Model>(self) -> Self::Output;
}

/// The entities that have a model, in the order of the alphabet.
pub const ENTITIES: &[&str] = &[];

/// Does something with the model of an entity; `None` when it has none.
pub fn visit<V: ModelVisitor>(entity: &str, _visitor: V) -> Option<V::Output> {
    match entity {
        _ => None,
    }
}

/// An entity that has no model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownEntity {
    /// The entity that was named.
    pub entity: String,
}

impl UnknownEntity {
    /// The fault of a name that [`visit`] has not found.
    pub fn new(entity: &str) -> Self {
        Self {
            entity: shorten(entity),
        }
    }

    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "entity-unknown"
    }
}

impl fmt::Display for UnknownEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ENTITIES.join("`, `");
        write!(
            f,
            "`{}` is no entity with a model: expected one of `{known}`",
            self.entity
        )
    }
}

impl Error for UnknownEntity {}
