//! An event as a message: subject, headers, body.

use std::fmt;

use bytes::Bytes;

use crate::event::{NewEvent, RecordedEvent};
use crate::headers::{self, Carrier, HeaderError, Headers, Kind, Place};
use crate::id::Operation;
use crate::subject::{StoreTemplate, SubjectError, TemplateError};

/// The most bytes of an event, see [`event_size`]: NATS's default limit of 1 MiB, less what the
/// subject and the headers of the server take.
pub const MAX_EVENT_SIZE: usize = (1 << 20) - 4096;

/// What NATS spends on a header beside name and value: `: ` and a line's end.
const HEADER_OVERHEAD: usize = 4;

/// The bytes of the headers of an event's place, at the longest version.
const PLACE_SIZE: usize = headers::AGGREGATE_VERSION.len()
    + 16
    + headers::CID.len()
    + headers::PREVIOUS_CID.len()
    + 2 * 59
    + 3 * HEADER_OVERHEAD;

const UUID_LEN: usize = 36;
const TIMESTAMP_LEN: usize = 27;

/// A NATS message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its headers, names and values.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl RecordedEvent {
    /// Writes the event as a message.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] when the template does not fit the aggregate.
    pub fn encode(&self, template: &StoreTemplate) -> Result<Message, TemplateError> {
        let subject = template.event_subject(&self.aggregate, &self.event.operation)?;
        Ok(Message {
            subject: subject.as_str().to_owned(),
            headers: self.headers().pairs(Carrier::Wire),
            body: self.event.body.clone(),
        })
    }

    /// The event's headers.
    pub fn headers(&self) -> Headers {
        let event = &self.event;
        Headers {
            id: event.id,
            correlation: event.correlation,
            causation: event.causation,
            event_type: event.event_type.clone(),
            timestamp: event.timestamp,
            source: event.source.clone(),
            content_type: event.content_type.clone(),
            schema_version: event.schema_version,
            place: Some(Place {
                version: self.version,
                previous: self.previous,
                cid: self.cid,
            }),
            metadata: event.metadata.clone(),
            trace: event.trace.clone(),
        }
    }

    /// Reads an event from a message. Whether it has the CID that it names is for
    /// [`crate::chain`] to say.
    ///
    /// # Errors
    ///
    /// [`MessageError`] when subject or headers are not those of a stored event.
    pub fn decode(template: &StoreTemplate, message: &Message) -> Result<Self, MessageError> {
        let pairs = message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let body = message.body.clone();
        Self::decode_parts(template, Carrier::Wire, &message.subject, pairs, body)
    }

    /// Reads an event from the parts of a message.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_parts<'a>(
        template: &StoreTemplate,
        carrier: Carrier,
        subject: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Bytes,
    ) -> Result<Self, MessageError> {
        let headers = Headers::parse(Kind::StoredEvent, carrier, pairs)?;
        let (aggregate, operation) = template.parse_event(subject)?;
        let Some(place) = headers.place else {
            return Err(HeaderError::Missing { name: headers::CID }.into());
        };
        Ok(Self {
            aggregate,
            version: place.version,
            previous: place.previous,
            cid: place.cid,
            event: headers.into_event(operation, body),
        })
    }
}

impl Headers {
    /// The event of a message with these headers, with the operation that its subject tells. What
    /// they say of its place is left out.
    pub fn into_event(self, operation: Operation, body: Bytes) -> NewEvent {
        NewEvent {
            id: self.id,
            correlation: self.correlation,
            causation: self.causation,
            event_type: self.event_type,
            operation,
            schema_version: self.schema_version,
            timestamp: self.timestamp,
            source: self.source,
            content_type: self.content_type,
            metadata: self.metadata,
            trace: self.trace,
            body,
        }
    }
}

/// The size of an event by which [`MAX_EVENT_SIZE`] is judged: its body, and name, value and 4
/// bytes for each CIM header and `Content-Type`, at the longest version and with both CIDs, so that
/// the limit is the same at every place in a history.
pub fn event_size(event: &NewEvent) -> usize {
    let header = |name: &str, value: usize| name.len() + value + HEADER_OVERHEAD;
    let digits = event.schema_version.get().ilog10() as usize + 1;
    let metadata: usize = event
        .metadata
        .iter()
        .map(|(name, value)| header(headers::META_PREFIX, name.len() + value.as_str().len()))
        .sum();
    event.body.len()
        + header(headers::EVENT_ID, UUID_LEN)
        + header(headers::CORRELATION_ID, UUID_LEN)
        + event
            .causation
            .map_or(0, |_| header(headers::CAUSATION_ID, UUID_LEN))
        + header(headers::EVENT_TYPE, event.event_type.as_str().len())
        + header(headers::TIMESTAMP, TIMESTAMP_LEN)
        + header(headers::SOURCE, event.source.as_str().len())
        + header(headers::CONTENT_TYPE, event.content_type.as_str().len())
        + header(headers::SCHEMA_VERSION, digits)
        + PLACE_SIZE
        + metadata
}

/// A message that is no stored event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MessageError {
    /// Its headers are not those of one.
    Headers(HeaderError),
    /// Its subject is not that of one.
    Subject(SubjectError),
}

impl MessageError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Headers(error) => error.code(),
            Self::Subject(error) => error.code(),
        }
    }
}

impl From<HeaderError> for MessageError {
    fn from(error: HeaderError) -> Self {
        Self::Headers(error)
    }
}

impl From<SubjectError> for MessageError {
    fn from(error: SubjectError) -> Self {
        Self::Subject(error)
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers(error) => error.fmt(f),
            Self::Subject(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MessageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Headers(_) => None,
            Self::Subject(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid::Cid;
    use crate::event::TraceContext;
    use crate::id::{Entity, EventId, EventType};
    use crate::text::Text;
    use crate::time::Timestamp;
    use crate::version::{MAX_INTEGER, SchemaVersion, Version};

    #[test]
    fn the_size_is_that_of_the_headers_at_the_longest_place() {
        let mut event = sample();
        check_size(&event);
        event.causation = Some(*event.id.as_uuid());
        event.schema_version = SchemaVersion::new(MAX_INTEGER).unwrap();
        event.source = Text::new("größe").unwrap();
        for name in ["Tenant", "a"] {
            event
                .metadata
                .insert(name, Text::new("größer").unwrap())
                .unwrap();
        }
        check_size(&event);
        let traceparent = Some(Text::new("00-4bf9").unwrap());
        event.trace = Some(Box::new(TraceContext {
            traceparent,
            tracestate: None,
        }));
        check_size(&event);
        for (version, digits) in [(9, 1), (10, 2), (99, 2), (100, 3), (MAX_INTEGER, 16)] {
            event.schema_version = SchemaVersion::new(version).unwrap();
            assert_eq!(event.schema_version.to_string().len(), digits);
            check_size(&event);
        }
    }

    #[test]
    fn headers_count_before_the_subject() {
        let recorded = record(sample(), Version::FIRST, None);
        let template = StoreTemplate::default();
        let mut message = recorded.encode(&template).unwrap();
        assert_eq!(RecordedEvent::decode(&template, &message), Ok(recorded));
        message.subject.push_str(".more");
        let code = |message: &Message| {
            RecordedEvent::decode(&template, message).map_err(|error| error.code())
        };
        assert_eq!(code(&message), Err("subject-mismatch"));
        message.subject.push('.');
        assert_eq!(code(&message), Err("subject-invalid"));
        message.headers.remove(0);
        assert_eq!(code(&message), Err("header-missing"));
    }

    #[track_caller]
    fn check_size(event: &NewEvent) {
        let longest = Version::new(MAX_INTEGER).unwrap();
        let recorded = record(event.clone(), longest, Some(Cid::of_block(b"x")));
        let message = recorded.encode(&StoreTemplate::default()).unwrap();
        let counted = |name: &str| name.starts_with("CIM-") || name == headers::CONTENT_TYPE;
        let headers = message.headers.iter().filter(|(name, _)| counted(name));
        let size: usize = headers
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        assert_eq!(event_size(event), size + event.body.len());
    }

    fn record(event: NewEvent, version: Version, previous: Option<Cid>) -> RecordedEvent {
        let aggregate = "o.u.d.key.k1".parse().unwrap();
        RecordedEvent {
            aggregate,
            version,
            previous,
            cid: Cid::of_block(b"y"),
            event,
        }
    }

    fn sample() -> NewEvent {
        let time = Timestamp::from_micros(1_700_000_000_000_000).unwrap();
        let id = EventId::from_parts(time, [7; 10]);
        let entity = Entity::new("key").unwrap();
        let event_type = EventType::new("KeyGenerated").unwrap();
        let source = Text::new("keys-service").unwrap();
        NewEvent::json(id, &entity, event_type, time, source, "{}").unwrap()
    }
}
