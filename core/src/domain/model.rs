//! What the domains of this crate have beside their rules: forms in JSON, codes, drawings.

use std::error::Error;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::payload::{DomainCommand, DomainEvent};

/// Why a domain refuses a command.
pub trait DomainError: Error + Send + Sync + 'static {
    /// The stable code of the fault.
    fn code(&self) -> &'static str;
}

/// What has a JSON schema, where the feature `schema` asks for one: with it, the derive of
/// `schemars::JsonSchema`; without it, everything.
#[cfg(feature = "schema")]
pub trait Described: schemars::JsonSchema {}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> Described for T {}

/// What has a JSON schema, where the feature `schema` asks for one: with it, the derive of
/// `schemars::JsonSchema`; without it, everything.
#[cfg(not(feature = "schema"))]
pub trait Described {}

#[cfg(not(feature = "schema"))]
impl<T> Described for T {}

/// An aggregate that the command and JavaScript can work with: its state and its commands have a form in
/// JSON, and its refusals a code.
pub trait Model:
    Aggregate<
        State: Clone + Described + DeserializeOwned + PartialEq + Serialize + Send + Sync + 'static,
        Event: Described + DomainEvent + Send + Sync + 'static,
        Command: Clone + Described + DomainCommand + Send + Sync + 'static,
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
