//! Typed events and commands as they travel: the name of a type, and a body of JSON.
//!
//! The events of an entity are an enum whose variants are named like the event types. What serde makes
//! of one, `{"KeyGenerated":{…}}`, is that name and that body, byte for byte, so that the order of fields
//! is the declaration's on every platform. The same holds for commands.
//!
//! # Examples
//!
//! ```
//! use cim_core::payload::{self, DomainEvent, Typed as _};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
//! #[event(entity = "lamp")]
//! enum LampEvent {
//!     LampLit { watts: u32 },
//!     #[event(version = 2, operation = "put-out")]
//!     LampOut {},
//! }
//!
//! let lit = LampEvent::LampLit { watts: 40 };
//! assert_eq!((lit.declared().operation, LampEvent::TYPES[1].schema_version), ("lit", 2));
//!
//! let (event_type, body) = payload::encode(&lit);
//! assert_eq!((event_type.as_str(), &body[..]), ("LampLit", &br#"{"watts":40}"#[..]));
//! assert_eq!(payload::decode::<LampEvent>(&event_type, &body)?, lit);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod tagged;

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

pub use cim_macros::{DomainCommand, DomainEvent};

use self::tagged::Tagged;
use crate::event::NewEvent;
use crate::id::{Entity, EventId, EventType, Operation};
use crate::text::Text;
use crate::time::Timestamp;
use crate::upcast::{Payload, UpcastError, Upcasters};
use crate::version::SchemaVersion;

/// A type of event or command as its domain declares it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeclaredType {
    /// Its name, in PascalCase.
    pub name: &'static str,
    /// What the subject says of it.
    pub operation: &'static str,
    /// The version of its schema, from 1.
    pub schema_version: u64,
}

/// The events or the commands of one entity: an enum with a variant of named fields for each type.
///
/// It is implemented by the derives of [`DomainEvent`] and [`DomainCommand`], which check names and
/// operations against the wire format when they are compiled.
pub trait Typed: DeserializeOwned + Serialize {
    /// The entity, as subjects say it.
    const ENTITY: &'static str;
    /// The types, in the order of the variants.
    const TYPES: &'static [DeclaredType];

    /// The type of this one.
    fn declared(&self) -> &'static DeclaredType;
}

/// The events of one entity.
///
/// `#[event(entity = "…")]` on the enum names the entity. `#[event(operation = "…")]` on a variant
/// declares another operation than the default, `#[event(version = 2)]` a later version of its schema,
/// to which an [upcaster](crate::upcast) must lead from each earlier one.
pub trait DomainEvent: Typed {}

/// The commands of one entity; `#[command(entity = "…")]` names it.
///
/// It is for commands that have a name and a body outside the program, such as in JSON schemas and in what
/// the command `cim` and JavaScript are given. Commands that stay in one program need not be of it: an
/// [`Aggregate`](crate::aggregate::Aggregate) takes any type.
pub trait DomainCommand: Typed {}

/// The entity of a kind of events or commands.
///
/// # Panics
///
/// When [`Typed::ENTITY`] is no token, which no derive lets pass.
pub fn entity<T: Typed>() -> Entity {
    Entity::new(T::ENTITY).expect("entities of domains are tokens")
}

/// The declaration of a type by its name.
pub fn declared<T: Typed>(name: &str) -> Option<&'static DeclaredType> {
    T::TYPES.iter().find(|declared| declared.name == name)
}

/// The type of an event or a command, and its body.
///
/// # Panics
///
/// When it is not a variant of named fields, or cannot be written as JSON: a mistake in the domain.
pub fn encode<T: Typed>(value: &T) -> (EventType, Bytes) {
    let text = serde_json::to_string(value).expect("payloads are written as JSON");
    let (name, body) = text
        .strip_prefix("{\"")
        .and_then(|text| text.strip_suffix('}'))
        .and_then(|text| text.split_once("\":"))
        .expect("payloads are variants with fields");
    let name = EventType::new(name).expect("variants are named like event types");
    (name, Bytes::copy_from_slice(body.as_bytes()))
}

/// The event or command of a type and a body.
///
/// # Errors
///
/// When there is no such type, or the body is not what it has.
pub fn decode<T: Typed>(event_type: &EventType, body: &[u8]) -> Result<T, serde_json::Error> {
    // What the parser skips is checked here too, and what it does not need not be checked again.
    let body = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    T::deserialize(Tagged {
        name: event_type.as_str(),
        body,
    })
}

/// An event that can be stored: a root of its own conversation, of the declared operation and version.
pub fn new_event<E: DomainEvent>(
    event: &E,
    id: EventId,
    timestamp: Timestamp,
    source: Text,
) -> NewEvent {
    let (event_type, body) = encode(event);
    let declared = event.declared();
    NewEvent {
        id,
        correlation: *id.as_uuid(),
        causation: None,
        event_type,
        operation: Operation::new(declared.operation).expect("declared operations are tokens"),
        schema_version: SchemaVersion::new(declared.schema_version)
            .expect("declared versions are from 1"),
        timestamp,
        source,
        content_type: Text::json(),
        metadata: crate::metadata::Metadata::default(),
        trace: None,
        body,
    }
}

/// What a stored event says today: upcast to the declared version of its schema, and decoded.
///
/// That is one event, unless an upcaster makes none or several of it.
///
/// # Errors
///
/// [`EventError`]: the event is of no declared type, of a later version than the declared one, of an
/// earlier one without an upcaster to it, or its body is not what its type has.
pub fn read<E: DomainEvent>(event: &NewEvent, upcasters: &Upcasters) -> Result<Vec<E>, EventError> {
    read_payload(Payload::from(event), upcasters)
}

/// What a stored payload says today, as [`read`] takes it from an event.
pub(crate) fn read_payload<E: DomainEvent>(
    stored: Payload,
    upcasters: &Upcasters,
) -> Result<Vec<E>, EventError> {
    let payloads = match upcasters.has_step(&stored.event_type, stored.schema_version) {
        true => upcasters.upcast(stored).map_err(EventError::Upcast)?,
        false => vec![stored],
    };
    let events = payloads.iter();
    events.map(|it| decode_current(it, upcasters)).collect()
}

/// The event of a payload of the declared version.
///
/// The upcasters, which had no step from there, tell what is missing of a type that is not declared.
pub(crate) fn decode_current<E: DomainEvent>(
    payload: &Payload,
    upcasters: &Upcasters,
) -> Result<E, EventError> {
    check_version(E::ENTITY, E::TYPES, payload, upcasters)?;
    decode(&payload.event_type, &payload.body).map_err(|source| EventError::Invalid {
        event_type: payload.event_type.clone(),
        source,
    })
}

/// Finds the type of a payload among those of its entity, of the very version.
///
/// # Errors
///
/// [`EventError::UnknownType`], [`EventError::Newer`] and [`EventError::UpcasterMissing`].
pub(crate) fn check_version(
    entity: &'static str,
    types: &'static [DeclaredType],
    payload: &Payload,
    upcasters: &Upcasters,
) -> Result<&'static DeclaredType, EventError> {
    let (event_type, found) = (&payload.event_type, payload.schema_version);
    let declared = types.iter().find(|it| it.name == event_type.as_str());
    let Some(declared) = declared else {
        return Err(undeclared(entity, payload, upcasters));
    };
    let known = declared.schema_version;
    match found.get().cmp(&known) {
        std::cmp::Ordering::Greater => Err(EventError::Newer {
            event_type: event_type.clone(),
            known,
            found,
        }),
        std::cmp::Ordering::Less => Err(EventError::UpcasterMissing {
            event_type: event_type.clone(),
            known,
            found,
        }),
        std::cmp::Ordering::Equal => Ok(declared),
    }
}

/// What is wrong with a payload of a type that is not declared, by the steps from other versions of it.
fn undeclared(entity: &'static str, payload: &Payload, upcasters: &Upcasters) -> EventError {
    let (event_type, found) = (payload.event_type.clone(), payload.schema_version);
    let is_later = |from: &SchemaVersion| *from > found;
    let next = upcasters.steps_of(&event_type).find(is_later);
    match (next, upcasters.steps_of(&event_type).last()) {
        (Some(next), _) => EventError::UpcasterMissing {
            event_type,
            known: next.get(),
            found,
        },
        (None, Some(last)) => EventError::Newer {
            event_type,
            known: last.get(),
            found,
        },
        (None, None) => EventError::UnknownType {
            entity,
            event_type,
            found,
        },
    }
}

/// A stored event that its domain cannot read: a later program wrote it, or somebody else did.
#[derive(Debug)]
#[non_exhaustive]
pub enum EventError {
    /// The entity has no such type. A program that knows it must read this history.
    UnknownType {
        /// The entity.
        entity: &'static str,
        /// The type.
        event_type: EventType,
        /// The version of the event.
        found: SchemaVersion,
    },
    /// The schema is of a later version than this program knows. A later program must read it.
    Newer {
        /// The type.
        event_type: EventType,
        /// The latest version that is known, of a type of old the latest that is read.
        known: u64,
        /// The version of the event.
        found: SchemaVersion,
    },
    /// The schema is of an earlier version, and no upcaster leads from there. Register one.
    UpcasterMissing {
        /// The type.
        event_type: EventType,
        /// The version that is declared, of a type of old the next that is read.
        known: u64,
        /// The version where the steps end.
        found: SchemaVersion,
    },
    /// An upcaster could not read the payload.
    Upcast(UpcastError),
    /// The body is not what its type has.
    Invalid {
        /// The type.
        event_type: EventType,
        /// What the JSON parser says.
        source: serde_json::Error,
    },
}

impl EventError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownType { .. } => "event-type-unknown",
            Self::Newer { .. } => "schema-newer",
            Self::UpcasterMissing { .. } => "upcaster-missing",
            Self::Upcast(error) => error.code(),
            Self::Invalid { .. } => "payload-invalid",
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType {
                entity,
                event_type,
                found,
            } => write!(
                f,
                "`{entity}` has no event of type `{event_type}`, found one of version {found}"
            ),
            Self::Newer {
                event_type,
                known,
                found,
            } => write!(
                f,
                "the schema of `{event_type}` is too new: expected at most version {known}, found \
                 {found}; a later version of this program reads it"
            ),
            Self::UpcasterMissing {
                event_type,
                known,
                found,
            } => write!(
                f,
                "no upcaster leads from version {found} of `{event_type}` to version {known}"
            ),
            Self::Upcast(error) => error.fmt(f),
            Self::Invalid { event_type, .. } => write!(f, "the payload is not a `{event_type}`"),
        }
    }
}

impl Error for EventError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is the upcaster's, so its source is too.
            Self::Upcast(error) => error.source(),
            Self::Invalid { source, .. } => Some(source),
            Self::UnknownType { .. } | Self::Newer { .. } | Self::UpcasterMissing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
    #[event(entity = "lamp")]
    enum LampEvent {
        LampLit {
            watts: u32,
            zone: String,
        },
        #[event(version = 2, operation = "put")]
        LampPut {
            out: bool,
        },
    }

    #[test]
    fn a_body_has_the_fields_in_their_order() {
        let event = LampEvent::LampLit {
            watts: 7,
            zone: "\":}".to_owned(),
        };
        let (event_type, body) = encode(&event);
        assert_eq!(event_type.as_str(), "LampLit");
        assert_eq!(&body[..], br#"{"watts":7,"zone":"\":}"}"#);
        assert_eq!(
            decode::<LampEvent>(&event_type, &body).expect("ours"),
            event
        );
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let decode = |event_type: &str, body: &str| {
            let event_type = EventType::new(event_type).expect("a type");
            decode::<LampEvent>(&event_type, body.as_bytes()).map_err(|error| error.to_string())
        };
        assert!(decode("LampPut", r#" {"out":true} "#).is_ok());
        for (event_type, body) in [
            ("LampSold", "{}"),
            ("LampPut", "{}"),
            ("LampPut", r#"{"out":1}"#),
            ("LampPut", r#"{"out":true}}"#),
            ("LampPut", r#"{"out":true},"LampPut":{"out":false}"#),
            ("LampPut", "[true]"),
            ("LampPut", " [true]"),
            ("LampPut", r#"{"out":true} {}"#),
            ("LampPut", r#""out""#),
            ("LampPut", "null"),
            ("LampPut", ""),
        ] {
            decode(event_type, body).expect_err(body);
        }
        let skipped = b"{\"out\":true,\"more\":\"\xff\"}";
        let event_type = EventType::new("LampPut").expect("a type");
        super::decode::<LampEvent>(&event_type, skipped).expect_err("no text");
    }

    #[test]
    fn fields_may_be_flattened_and_unknown() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Place {
            room: String,
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
        #[event(entity = "lamp")]
        enum Moved {
            LampMoved {
                #[serde(flatten)]
                place: Place,
            },
        }
        let event = Moved::LampMoved {
            place: Place {
                room: "hall \u{e9}\n".to_owned(),
            },
        };
        let (event_type, body) = encode(&event);
        assert_eq!(decode::<Moved>(&event_type, &body).expect("ours"), event);
        let more = br#"{"by":[1,{"x":null}],"room":"hall \u00e9\n"}"#;
        assert_eq!(decode::<Moved>(&event_type, more).expect("ours"), event);
    }

    #[test]
    fn a_type_of_old_says_what_is_missing_of_it() {
        let upcasters = Upcasters::default()
            .with("LampSold", 2, |_| Ok(Vec::new()))
            .with("LampSold", 5, |_| Ok(Vec::new()));
        for (event_type, version, code, text) in [
            (
                "LampSold",
                1,
                "upcaster-missing",
                "no upcaster leads from version 1 of `LampSold` to version 2",
            ),
            (
                "LampSold",
                3,
                "upcaster-missing",
                "no upcaster leads from version 3 of `LampSold` to version 5",
            ),
            (
                "LampSold",
                6,
                "schema-newer",
                "the schema of `LampSold` is too new: expected at most version 5, found 6; a later \
                 version of this program reads it",
            ),
            (
                "LampLost",
                7,
                "event-type-unknown",
                "`lamp` has no event of type `LampLost`, found one of version 7",
            ),
        ] {
            let stored = Payload {
                event_type: EventType::new(event_type).expect("a type"),
                schema_version: SchemaVersion::new(version).expect("a version"),
                body: Bytes::from_static(b"{}"),
            };
            let error = read_payload::<LampEvent>(stored, &upcasters).expect_err("unreadable");
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        }
    }
}
