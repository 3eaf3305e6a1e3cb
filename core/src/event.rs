//! Events: facts of a domain, before and after they are stored.
//!
//! A [`NewEvent`] is complete but for its place; a store gives it version, previous CID and CID
//! and so makes it a [`RecordedEvent`]. Nothing of a `NewEvent` is ever changed by a store, so the
//! same events may be appended again without harm.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::cid::Cid;
use crate::id::{AggregateKey, Entity, EventId, EventType, Operation, shorten};
use crate::metadata::Metadata;
use crate::subject::OperationError;
use crate::time::Timestamp;
use crate::version::{Head, SchemaVersion, Version};

/// The longest value of a header in bytes: what fits several times into any server's limit of
/// headers.
pub const MAX_VALUE_LEN: usize = 4096;

/// The value of a text header: non-empty UTF-8 without control characters, without white space at
/// its ends, of at most [`MAX_VALUE_LEN`] bytes.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(Arc<str>);

impl Text {
    /// The content type of a payload in JSON.
    pub const JSON: &'static str = "application/json";

    /// Takes `text` as a header's value.
    ///
    /// # Errors
    ///
    /// [`TextError`], with the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TextError> {
        check_text(text).map_err(|rule| TextError {
            text: shorten(text),
            rule,
        })?;
        Ok(Self(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `application/json`.
    pub fn json() -> Self {
        Self(Arc::from(Self::JSON))
    }
}

impl FromStr for Text {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The W3C trace context of an event: carried, never hashed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TraceContext {
    /// The header `traceparent`.
    pub traceparent: Option<Text>,
    /// The header `tracestate`.
    pub tracestate: Option<Text>,
}

impl TraceContext {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.traceparent.is_none() && self.tracestate.is_none()
    }
}

/// An event before it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[doc(alias = "EventMetadata")]
pub struct NewEvent {
    /// Its id, which is also the id of its message.
    pub id: EventId,
    /// The conversation that it belongs to; of the first event in one, its own id.
    pub correlation: Uuid,
    /// The event or command that caused it; `None` for a root.
    pub causation: Option<Uuid>,
    /// The name of its type.
    pub event_type: EventType,
    /// What happened, as the subject says it.
    pub operation: Operation,
    /// The version of the payload's schema.
    pub schema_version: SchemaVersion,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The service that wrote it.
    pub source: Text,
    /// The content type of the body.
    pub content_type: Text,
    /// What else the user wants to keep with it.
    pub metadata: Metadata,
    /// The trace that it was written in.
    pub trace: Option<Box<TraceContext>>,
    /// The payload, exactly as its producer wrote it.
    pub body: Bytes,
}

impl NewEvent {
    /// Makes a root event with a JSON body: correlated with itself, of schema version 1, with the
    /// default operation of `event_type` and without metadata.
    ///
    /// Every field is public; change what differs.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the default operation is longer than a token may be.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::event::{NewEvent, Text};
    /// use cim_core::id::{Entity, EventId, EventType};
    /// use cim_core::time::Timestamp;
    ///
    /// let time: Timestamp = "2026-11-21T08:00:00.000000Z".parse()?;
    /// let event = NewEvent::json(
    ///     EventId::from_parts(time, [7; 10]),
    ///     &Entity::new("key")?,
    ///     EventType::new("KeyGenerated")?,
    ///     time,
    ///     Text::new("keys-service")?,
    ///     r#"{"algorithm":"ed25519"}"#,
    /// )?;
    /// assert_eq!(event.operation.as_str(), "generated");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn json(
        id: EventId,
        entity: &Entity,
        event_type: EventType,
        timestamp: Timestamp,
        source: Text,
        body: impl Into<Bytes>,
    ) -> Result<Self, OperationError> {
        Ok(Self {
            id,
            correlation: *id.as_uuid(),
            causation: None,
            operation: Operation::of_event(&event_type, entity)?,
            event_type,
            schema_version: SchemaVersion::FIRST,
            timestamp,
            source,
            content_type: Text::json(),
            metadata: Metadata::default(),
            trace: None,
            body: body.into(),
        })
    }
}

/// An event with its place in its aggregate's history.
///
/// Equality compares everything, the trace context included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordedEvent {
    /// Whose event it is.
    pub aggregate: AggregateKey,
    /// Its place in the history.
    pub version: Version,
    /// The CID of the event before it; `None` at version 1.
    pub previous: Option<Cid>,
    /// Its CID, as it was recorded; [`crate::chain`] says whether it is the right one.
    pub cid: Cid,
    /// The event as it was before.
    pub event: NewEvent,
}

impl RecordedEvent {
    /// The head of a history that ends with this event.
    pub fn head(&self) -> Head {
        Head {
            version: self.version,
            cid: self.cid,
        }
    }
}

/// A recorded event with its payload decoded: the typed layer over [`RecordedEvent`].
///
/// # Examples
///
/// ```
/// use cim_core::event::{RecordedEvent, StoredEvent};
///
/// #[derive(serde::Deserialize)]
/// struct KeyGenerated {
///     algorithm: String,
/// }
///
/// fn algorithm(recorded: RecordedEvent) -> Result<String, Box<dyn std::error::Error>> {
///     let stored = StoredEvent::<KeyGenerated>::decode_json(recorded)?;
///     Ok(stored.payload.algorithm)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StoredEvent<E> {
    /// The event as it was stored.
    pub recorded: RecordedEvent,
    /// Its payload.
    pub payload: E,
}

impl<E> StoredEvent<E> {
    /// Decodes the payload with `decode`, which gets the body's bytes.
    ///
    /// # Errors
    ///
    /// Whatever `decode` says.
    pub fn decode_with<F>(
        recorded: RecordedEvent,
        decode: impl FnOnce(&RecordedEvent) -> Result<E, F>,
    ) -> Result<Self, F> {
        Ok(Self {
            payload: decode(&recorded)?,
            recorded,
        })
    }
}

impl<E: serde::de::DeserializeOwned> StoredEvent<E> {
    /// Decodes the payload as JSON.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when the body is no JSON or not of `E`'s shape.
    pub fn decode_json(recorded: RecordedEvent) -> Result<Self, PayloadError> {
        Self::decode_with(recorded, |recorded| {
            serde_json::from_slice(&recorded.event.body).map_err(|source| PayloadError {
                event: recorded.event.id,
                event_type: recorded.event.event_type.clone(),
                source,
            })
        })
    }
}

/// A payload that is not what its type says.
#[derive(Debug)]
pub struct PayloadError {
    /// The event.
    pub event: EventId,
    /// Its type.
    pub event_type: EventType,
    /// What the JSON parser says.
    pub source: serde_json::Error,
}

impl PayloadError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "payload-invalid"
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the payload of event `{}` is not a `{}`",
            self.event, self.event_type
        )
    }
}

impl std::error::Error for PayloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A text that cannot be a header's value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextError {
    /// The text, shortened if it is very long.
    pub text: String,
    /// The rule that it breaks.
    pub rule: TextRule,
}

/// The rule that a header's value breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TextRule {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_VALUE_LEN`].
    TooLong,
    /// It has a control character (Unicode Cc).
    Control,
    /// It begins or ends with white space.
    OuterSpace,
}

impl TextError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "header-value"
    }
}

impl fmt::Display for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 4096 bytes",
            Self::Control => "it has a control character",
            Self::OuterSpace => "it begins or ends with white space",
        })
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` cannot be the value of a header: {}",
            self.text, self.rule
        )
    }
}

impl std::error::Error for TextError {}

/// Checks the rules of a header's value.
pub(crate) fn check_text(text: &str) -> Result<(), TextRule> {
    if text.is_empty() {
        Err(TextRule::Empty)
    } else if text.len() > MAX_VALUE_LEN {
        Err(TextRule::TooLong)
    } else if text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        Ok(())
    } else if text.chars().any(char::is_control) {
        Err(TextRule::Control)
    } else if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        Err(TextRule::OuterSpace)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_clean_text() {
        for good in ["a", "a b", "größe", "\u{200b}a", &"x".repeat(4096)] {
            assert!(Text::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a\u{a0}",
            "a\tb",
            "a\nb",
            "\u{85}",
            &"x".repeat(4097),
        ] {
            assert!(Text::new(bad).is_err(), "{bad:?}");
        }
    }
}
