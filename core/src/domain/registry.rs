//! Which model an entity has, for programs that learn the entity's name only when they run.

use std::error::Error;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::domain::person::Person;
use crate::payload::{DomainCommand, DomainEvent};

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
pub const ENTITIES: &[&str] = &["person"];

/// Does something with the model of an entity; `None` when it has none.
pub fn visit<V: ModelVisitor>(entity: &str, visitor: V) -> Option<V::Output> {
    match entity {
        "person" => Some(visitor.visit::<Person>()),
        _ => None,
    }
}
