//! Typed events as they are stored: the name of a type, and a body of JSON.
//!
//! An event of a domain is an enum whose variants are named like the event types. What serde makes of
//! one, `{"KeyGenerated":{…}}`, is that name and that body, byte for byte, so that the order of fields
//! is the declaration's on every platform.
//!
//! # Examples
//!
//! ```
//! use cim_core::domain::payload::{self, DomainEvent};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum LampEvent {
//!     LampLit { watts: u32 },
//! }
//!
//! impl DomainEvent for LampEvent {
//!     const ENTITY: &'static str = "lamp";
//! }
//!
//! let (event_type, body) = payload::encode(&LampEvent::LampLit { watts: 40 });
//! assert_eq!(event_type.as_str(), "LampLit");
//! assert_eq!(&body[..], br#"{"watts":40}"#);
//! assert_eq!(
//!     payload::decode::<LampEvent>(&event_type, &body)?,
//!     LampEvent::LampLit { watts: 40 }
//! );
//! # Ok::<(), serde_json::Error>(())
//! ```

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use crate::event::NewEvent;
use crate::id::{Entity, EventId, EventType};
use crate::text::Text;
use crate::time::Timestamp;

/// The events of one entity: an enum with a variant of named fields for each event type.
pub trait DomainEvent: DeserializeOwned + Serialize {
    /// The entity, as subjects say it.
    const ENTITY: &'static str;
}

/// The entity of a kind of events.
///
/// # Panics
///
/// When [`DomainEvent::ENTITY`] is no token, which is a mistake in the domain.
pub fn entity<E: DomainEvent>() -> Entity {
    Entity::new(E::ENTITY).expect("entities of domains are tokens")
}

/// The type of an event, and its body.
///
/// # Panics
///
/// When the event is not a variant of named fields, which is a mistake in the domain.
pub fn encode<E: DomainEvent>(event: &E) -> (EventType, Bytes) {
    let text = serde_json::to_string(event).expect("events are written as JSON");
    let (name, body) = text
        .strip_prefix("{\"")
        .and_then(|text| text.strip_suffix('}'))
        .and_then(|text| text.split_once("\":"))
        .expect("events are variants with fields");
    let name = EventType::new(name).expect("variants are named like event types");
    (name, Bytes::copy_from_slice(body.as_bytes()))
}

/// The event of a type and a body.
///
/// # Errors
///
/// When there is no such type, or the body is not what it has.
pub fn decode<E: DomainEvent>(event_type: &EventType, body: &[u8]) -> Result<E, serde_json::Error> {
    // What closes the object early would be read as something beside the event.
    let body: &serde_json::value::RawValue = serde_json::from_slice(body)?;
    let body = body.get();
    if !body.starts_with('{') {
        return Err(serde_json::Error::custom("expected an object"));
    }
    serde_json::from_str(&format!("{{\"{event_type}\":{body}}}"))
}

/// An event that can be stored: a root of its own conversation.
pub fn new_event<E: DomainEvent>(
    event: &E,
    id: EventId,
    timestamp: Timestamp,
    source: Text,
) -> NewEvent {
    let (event_type, body) = encode(event);
    NewEvent::json(id, &entity::<E>(), event_type, timestamp, source, body)
        .expect("types of domains have short operations")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum LampEvent {
        LampLit { watts: u32, zone: String },
        LampPut { out: bool },
    }

    impl DomainEvent for LampEvent {
        const ENTITY: &'static str = "lamp";
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
            ("LampPut", ""),
        ] {
            decode(event_type, body).expect_err(body);
        }
    }
}
