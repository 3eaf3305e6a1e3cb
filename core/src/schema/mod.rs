//! JSON schemas of events and commands: what a body of each type and version must be.
//!
//! They follow from the Rust types that a domain declares (crate `schemars`, version 1, for JSON Schema
//! 2020-12), and say what these types read. They are closed: a field that no type has is refused, where
//! serde would pass it over, since data that nobody reads any more is lost without a word. A
//! [`SchemaList`] is what one program, or one release of it, knows; as a document it is a file that the
//! command `cim schema check` compares stored events and later releases with.
//!
//! The schema of a type with `#[serde(alias)]` knows the field by its name alone: read old names with an
//! upcaster. A type whose schema is written by hand says `"additionalProperties": true` if it means any
//! fields.
//!
//! # Examples
//!
//! ```
//! use cim_core::payload::DomainEvent;
//! use cim_core::schema::SchemaList;
//! use cim_core::upcast::Upcasters;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, JsonSchema, DomainEvent)]
//! #[event(entity = "lamp")]
//! enum LampEvent {
//!     LampLit { watts: u32 },
//! }
//!
//! let mut list = SchemaList::default();
//! list.add::<LampEvent>(&Upcasters::default())?;
//! // What a program writes into `schemas.json`, for `cim schema check --schemas schemas.json`.
//! let document = list.document().to_string();
//! assert_eq!(SchemaList::parse(document.as_bytes())?, list);
//! assert_eq!(list.types[0].schema["additionalProperties"], false);
//! # Ok::<(), cim_core::schema::SchemaError>(())
//! ```

mod closed;
mod compare;
mod document;
mod generate;

use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::domain::model::Model;
use crate::id::{Entity, EventType, NameError, Operation};
use crate::payload::DomainEvent;
use crate::upcast::Upcasters;
use crate::version::{NumberError, SchemaVersion};

pub use compare::{Break, Breakage};
pub use document::{DOCUMENT, MAX_DOCUMENT_LEN};
pub use generate::{commands, events, state};

/// The schema of one version of an event type.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSchema {
    /// The entity.
    pub entity: Entity,
    /// The type.
    pub event_type: EventType,
    /// The version.
    pub schema_version: SchemaVersion,
    /// What the subject says of it.
    pub operation: Operation,
    /// The closed schema of the body, as JSON Schema 2020-12; it refers to nothing outside of itself.
    pub schema: Value,
}

/// The schema of one version of a command type.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSchema {
    /// The entity.
    pub entity: Entity,
    /// The type.
    pub command_type: EventType,
    /// The version.
    pub schema_version: SchemaVersion,
    /// What the subject says of it.
    pub operation: Operation,
    /// The closed schema of the body.
    pub schema: Value,
}

/// That a program has an upcaster from a version of a type.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UpcasterFrom {
    /// The entity.
    pub entity: Entity,
    /// The type that it leads from; the entity may not have it any more.
    pub event_type: EventType,
    /// The version that it leads from.
    pub from: SchemaVersion,
}

/// What a model's events, commands and state are like.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSchemas {
    /// The entity.
    pub entity: Entity,
    /// Its event types, in the order of their declaration.
    pub events: Vec<EventSchema>,
    /// From where its upcasters lead.
    pub upcasters: Vec<UpcasterFrom>,
    /// Its command types, in the order of their declaration.
    pub commands: Vec<CommandSchema>,
    /// The closed schema of what its state is written as.
    pub state: Value,
}

impl ModelSchemas {
    /// The schemas of a model.
    ///
    /// # Panics
    ///
    /// As [`events`].
    pub fn of<M: Model>() -> Self {
        Self {
            entity: crate::payload::entity::<M::Event>(),
            events: events::<M::Event>(),
            upcasters: upcasters_from::<M::Event>(&M::upcasters()),
            commands: commands::<M::Command>(),
            state: state::<M::State>(),
        }
    }
}

/// The event schemas that a program knows, and from which versions its upcasters lead.
///
/// There is at most one schema for each entity, type and version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaList {
    /// The schemas.
    pub types: Vec<EventSchema>,
    /// The upcasters.
    pub upcasters: Vec<UpcasterFrom>,
}

impl SchemaList {
    /// Adds the types of an entity as they are declared, and from where its upcasters lead.
    ///
    /// # Errors
    ///
    /// As [`merge`](Self::merge).
    ///
    /// # Panics
    ///
    /// As [`events`].
    pub fn add<E: DomainEvent + schemars::JsonSchema>(
        &mut self,
        upcasters: &Upcasters,
    ) -> Result<(), SchemaError> {
        self.merge(Self {
            types: events::<E>(),
            upcasters: upcasters_from::<E>(upcasters),
        })
    }

    /// Takes what another list has too. What both have, they must have alike.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Differs`]; nothing is taken then.
    pub fn merge(&mut self, other: Self) -> Result<(), SchemaError> {
        let mut new = Vec::new();
        for next in other.types {
            match self.find(&next.entity, &next.event_type, next.schema_version) {
                None => new.push(next),
                Some(known) if *known == next => {}
                Some(known) => {
                    return Err(SchemaError::Differs {
                        entity: known.entity.clone(),
                        event_type: known.event_type.clone(),
                        schema_version: known.schema_version,
                    });
                }
            }
        }
        self.types.extend(new);
        for upcaster in other.upcasters {
            if !self.upcasters.contains(&upcaster) {
                self.upcasters.push(upcaster);
            }
        }
        Ok(())
    }

    /// The schema of a version of a type.
    pub fn find(
        &self,
        entity: &Entity,
        event_type: &EventType,
        version: SchemaVersion,
    ) -> Option<&EventSchema> {
        let mut types = self.types.iter();
        types.find(|it| it.is_of(entity, event_type) && it.schema_version == version)
    }

    /// The latest version of a type.
    pub fn latest(&self, entity: &Entity, event_type: &EventType) -> Option<&EventSchema> {
        let types = self.types.iter();
        types
            .filter(|it| it.is_of(entity, event_type))
            .max_by_key(|it| it.schema_version)
    }

    /// Whether an upcaster leads from a version of a type.
    pub fn has_upcaster(
        &self,
        entity: &Entity,
        event_type: &EventType,
        from: SchemaVersion,
    ) -> bool {
        self.upcasters
            .iter()
            .any(|it| it.entity == *entity && it.event_type == *event_type && it.from == from)
    }

    /// Whether it has a type of the entity, or an upcaster.
    pub fn knows(&self, entity: &Entity) -> bool {
        self.types.iter().any(|it| it.entity == *entity)
            || self.upcasters.iter().any(|it| it.entity == *entity)
    }
}

impl EventSchema {
    fn is_of(&self, entity: &Entity, event_type: &EventType) -> bool {
        self.entity == *entity && self.event_type == *event_type
    }
}

impl From<ModelSchemas> for SchemaList {
    fn from(model: ModelSchemas) -> Self {
        Self {
            types: model.events,
            upcasters: model.upcasters,
        }
    }
}

fn upcasters_from<E: DomainEvent>(upcasters: &Upcasters) -> Vec<UpcasterFrom> {
    let entity = crate::payload::entity::<E>();
    let steps = upcasters.steps();
    let steps = steps.map(|(event_type, from)| UpcasterFrom {
        entity: entity.clone(),
        event_type: event_type.clone(),
        from,
    });
    steps.collect()
}

/// A document that is no list of schemas, or lists that disagree.
#[derive(Debug)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is no JSON of that shape.
    Json {
        /// What the JSON parser says.
        source: serde_json::Error,
    },
    /// It is a document of something else, or of a later version.
    Format {
        /// What it says that it is.
        found: String,
    },
    /// A name in it is none.
    Name(NameError),
    /// A version in it is none.
    Version(NumberError),
    /// What stands for a schema is none.
    NoSchema {
        /// The entity.
        entity: Entity,
        /// The type.
        event_type: EventType,
    },
    /// A version of a type is there twice.
    Repeated {
        /// The entity.
        entity: Entity,
        /// The type.
        event_type: EventType,
        /// The version.
        schema_version: SchemaVersion,
    },
    /// Two lists have different schemas of one version of a type. A version has one schema: count it up.
    Differs {
        /// The entity.
        entity: Entity,
        /// The type.
        event_type: EventType,
        /// The version.
        schema_version: SchemaVersion,
    },
    /// It is larger than [`MAX_DOCUMENT_LEN`].
    TooLong,
}

impl SchemaError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "schema-document-json",
            Self::Format { .. } => "schema-document-format",
            Self::Name(_) => "schema-document-name",
            Self::Version(_) => "schema-document-version",
            Self::NoSchema { .. } => "schema-document-no-schema",
            Self::Repeated { .. } => "schema-document-repeated",
            Self::Differs { .. } => "schema-document-differs",
            Self::TooLong => "schema-document-too-long",
        }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { .. } => f.write_str("it is no list of schemas"),
            Self::Format { found } => {
                write!(
                    f,
                    "it is no list of schemas: expected `{DOCUMENT}`, found `{found}`"
                )
            }
            Self::Name(error) => error.fmt(f),
            Self::Version(error) => error.fmt(f),
            Self::NoSchema { entity, event_type } => write!(
                f,
                "the schema of `{event_type}` of `{entity}` is none: expected an object, `true` or \
                 `false`"
            ),
            Self::Repeated {
                entity,
                event_type,
                schema_version,
            } => write!(
                f,
                "version {schema_version} of `{event_type}` of `{entity}` is there twice"
            ),
            Self::Differs {
                entity,
                event_type,
                schema_version,
            } => write!(
                f,
                "version {schema_version} of `{event_type}` of `{entity}` has two different schemas"
            ),
            Self::TooLong => write!(f, "it is longer than {MAX_DOCUMENT_LEN} bytes"),
        }
    }
}

impl Error for SchemaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Json { source } => Some(source),
            // Their texts are these errors' own.
            Self::Name(_)
            | Self::Version(_)
            | Self::Format { .. }
            | Self::NoSchema { .. }
            | Self::Repeated { .. }
            | Self::Differs { .. }
            | Self::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests;
