//! Events: facts of a domain, before and after they are stored.
//!
//! A [`NewEvent`] is complete but for its place; a store gives it version, previous CID and CID
//! and so makes it a [`RecordedEvent`]. Nothing of a `NewEvent` is ever changed by a store, so the
//! same events may be appended again without harm.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use crate::cid::Cid;
use crate::id::{AggregateKey, Entity, EventId, EventType, Operation};
use crate::metadata::Metadata;
use crate::subject::OperationError;
use crate::text::Text;
use crate::time::Timestamp;
use crate::version::{Head, SchemaVersion, Version};

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
    /// use cim_core::event::NewEvent;
    /// use cim_core::text::Text;
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
#[doc(alias = "StreamingEventEnvelope")]
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
