//! The headers of a message: read strictly, written canonically.
//!
//! A reader refuses any other spelling of a value, a missing required header, a repeated one and
//! any name that begins with `CIM-` and is none of ours. Other headers are ignored. Faults are
//! judged in this order: names, values, what is missing, spelling, the place in the history (the
//! previous CID, or a place that must not be there), the message id.

mod cbor;
mod error;

use uuid::Uuid;

pub(crate) use cbor::put_cbor;
pub use error::{HeaderError, SpellingError};

use crate::cid::Cid;
use crate::event::TraceContext;
use crate::id::{EventId, EventType, parse_uuid};
use crate::metadata::{MAX_METADATA, Metadata, MetadataError};
use crate::text::{Text, check_text, shorten};
use crate::time::Timestamp;
use crate::version::{SchemaVersion, Version};

/// The event's id, a UUID of version 7.
pub const EVENT_ID: &str = "CIM-Event-Id";
/// The conversation's id.
pub const CORRELATION_ID: &str = "CIM-Correlation-Id";
/// The id of the event or command that caused it.
pub const CAUSATION_ID: &str = "CIM-Causation-Id";
/// The event's type.
pub const EVENT_TYPE: &str = "CIM-Event-Type";
/// When it happened.
pub const TIMESTAMP: &str = "CIM-Timestamp";
/// The service that wrote it.
pub const SOURCE: &str = "CIM-Source";
/// The content type of the body.
pub const CONTENT_TYPE: &str = "Content-Type";
/// The version of the payload's schema.
pub const SCHEMA_VERSION: &str = "CIM-Schema-Version";
/// The event's place in its history.
pub const AGGREGATE_VERSION: &str = "CIM-Aggregate-Version";
/// The event's CID.
pub const CID: &str = "CIM-Cid";
/// The CID of the event before it.
pub const PREVIOUS_CID: &str = "CIM-Previous-Cid";
/// The id by which NATS recognises a repeated message; equals the event's id.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// W3C trace context: the parent.
pub const TRACEPARENT: &str = "traceparent";
/// W3C trace context: the vendors' state.
pub const TRACESTATE: &str = "tracestate";
/// What the names of metadata headers begin with.
pub const META_PREFIX: &str = "CIM-Meta-";

/// What a message of a later version of the format would have; a reader of version 1 refuses it.
const BLOCK: &str = "CIM-Block";

/// What begins the names that are ours, in any case.
const OUR_PREFIX: &str = "CIM-";

/// What a message is; it decides which headers it must and may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An event of an aggregate, with its place in the history.
    StoredEvent,
    /// An event outside a store.
    PublishedEvent,
    /// A command.
    Command,
}

/// Where the headers stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// In a NATS message, which needs [`MESSAGE_ID`].
    Wire,
    /// In an export, which has no headers of NATS.
    Export,
}

/// The place of a stored event in its history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its version.
    pub version: Version,
    /// The CID of the event before it; `None` exactly at version 1.
    pub previous: Option<Cid>,
    /// Its own CID.
    pub cid: Cid,
}

/// The headers of a message, each as a value of its type.
#[derive(Clone, Debug, Eq, PartialEq)]
#[doc(alias = "JetStreamHeaders")]
pub struct Headers {
    /// [`EVENT_ID`].
    pub id: EventId,
    /// [`CORRELATION_ID`].
    pub correlation: Uuid,
    /// [`CAUSATION_ID`].
    pub causation: Option<Uuid>,
    /// [`EVENT_TYPE`].
    pub event_type: EventType,
    /// [`TIMESTAMP`].
    pub timestamp: Timestamp,
    /// [`SOURCE`].
    pub source: Text,
    /// [`CONTENT_TYPE`].
    pub content_type: Text,
    /// [`SCHEMA_VERSION`].
    pub schema_version: SchemaVersion,
    /// [`AGGREGATE_VERSION`], [`PREVIOUS_CID`] and [`CID`], of a stored event.
    pub place: Option<Place>,
    /// [`META_PREFIX`].
    pub metadata: Metadata,
    /// [`TRACEPARENT`] and [`TRACESTATE`].
    pub trace: Option<Box<TraceContext>>,
}

/// The headers with a fixed name, in the order in which they are written.
const NAMES: [&str; 14] = [
    EVENT_ID,
    CORRELATION_ID,
    CAUSATION_ID,
    EVENT_TYPE,
    TIMESTAMP,
    SOURCE,
    MESSAGE_ID,
    CONTENT_TYPE,
    SCHEMA_VERSION,
    AGGREGATE_VERSION,
    CID,
    PREVIOUS_CID,
    TRACEPARENT,
    TRACESTATE,
];

impl Headers {
    /// Reads the headers of a message.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], with the first fault in the order that this module's text gives.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::headers::{Carrier, Headers, Kind};
    ///
    /// let id = "01934f4a-5678-7abc-8def-0123456789ab";
    /// let pairs = [
    ///     ("CIM-Event-Id", id),
    ///     ("CIM-Correlation-Id", id),
    ///     ("CIM-Event-Type", "KeyGenerated"),
    ///     ("CIM-Timestamp", "2024-11-21T09:30:00.000000Z"),
    ///     ("CIM-Source", "keys-service"),
    ///     ("Nats-Msg-Id", id),
    ///     ("Content-Type", "application/json"),
    ///     ("CIM-Schema-Version", "1"),
    /// ];
    /// let headers = Headers::parse(Kind::PublishedEvent, Carrier::Wire, pairs)?;
    /// assert_eq!(headers.event_type.as_str(), "KeyGenerated");
    /// # Ok::<(), cim_core::headers::HeaderError>(())
    /// ```
    pub fn parse<'a>(
        kind: Kind,
        carrier: Carrier,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HeaderError> {
        let found = Found::sort(carrier, pairs)?;
        found.check_values()?;
        let stored = kind == Kind::StoredEvent;
        found.check_presence(carrier, stored)?;

        let required = |name| found.get(name).ok_or(HeaderError::Missing { name });
        let id_text = required(EVENT_ID)?;
        let id = spelled(EVENT_ID, id_text)?;
        let correlation = read_uuid(CORRELATION_ID, required(CORRELATION_ID)?)?;
        let causation = found
            .get(CAUSATION_ID)
            .map(|text| read_uuid(CAUSATION_ID, text))
            .transpose()?;
        let event_type = EventType::new(required(EVENT_TYPE)?).map_err(HeaderError::EventType)?;
        let timestamp = spelled(TIMESTAMP, required(TIMESTAMP)?)?;
        let schema_version = spelled(SCHEMA_VERSION, required(SCHEMA_VERSION)?)?;
        let place = if stored {
            Some(found.place()?)
        } else {
            found.no_place()?
        };
        // Whatever is not the event's id is a mismatch, another spelling of it too.
        if carrier == Carrier::Wire {
            let message_id = required(MESSAGE_ID)?;
            if message_id != id_text {
                return Err(HeaderError::MessageId {
                    expected: id,
                    found: shorten(message_id),
                });
            }
        }
        let text = |text: &str| Text::new(text).expect("all values were checked");
        let trace = TraceContext {
            traceparent: found.get(TRACEPARENT).map(text),
            tracestate: found.get(TRACESTATE).map(text),
        };
        Ok(Self {
            id,
            correlation,
            causation,
            event_type,
            timestamp,
            source: text(required(SOURCE)?),
            content_type: text(required(CONTENT_TYPE)?),
            schema_version,
            place,
            metadata: found.metadata()?,
            trace: (!trace.is_empty()).then(|| Box::new(trace)),
        })
    }

    /// Writes the headers as names and values.
    pub fn pairs(&self, carrier: Carrier) -> Vec<(String, String)> {
        let mut pairs = Vec::with_capacity(NAMES.len() + self.metadata.iter().len());
        let mut put = |name: &str, value: String| pairs.push((name.to_owned(), value));
        put(EVENT_ID, self.id.to_string());
        put(CORRELATION_ID, self.correlation.to_string());
        if let Some(causation) = self.causation {
            put(CAUSATION_ID, causation.to_string());
        }
        put(EVENT_TYPE, self.event_type.to_string());
        put(TIMESTAMP, self.timestamp.to_string());
        put(SOURCE, self.source.to_string());
        if carrier == Carrier::Wire {
            put(MESSAGE_ID, self.id.to_string());
        }
        put(CONTENT_TYPE, self.content_type.to_string());
        put(SCHEMA_VERSION, self.schema_version.to_string());
        if let Some(place) = self.place {
            put(AGGREGATE_VERSION, place.version.to_string());
            put(CID, place.cid.to_string());
            if let Some(previous) = place.previous {
                put(PREVIOUS_CID, previous.to_string());
            }
        }
        for (name, value) in self.metadata.iter() {
            put(&format!("{META_PREFIX}{name}"), value.to_string());
        }
        if let Some(trace) = &self.trace {
            if let Some(parent) = &trace.traceparent {
                put(TRACEPARENT, parent.to_string());
            }
            if let Some(state) = &trace.tracestate {
                put(TRACESTATE, state.to_string());
            }
        }
        pairs
    }
}

/// Headers that were told apart by name, their values not yet read.
struct Found<'a> {
    slots: [Option<&'a str>; NAMES.len()],
    metadata: Vec<(&'a str, &'a str)>,
}

impl<'a> Found<'a> {
    fn sort(
        carrier: Carrier,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HeaderError> {
        let mut found = Self {
            slots: [None; NAMES.len()],
            metadata: Vec::new(),
        };
        for (name, value) in pairs {
            let ignored = carrier == Carrier::Export && name == MESSAGE_ID;
            if let Some(at) = NAMES.iter().position(|known| *known == name) {
                if !ignored && found.slots[at].replace(value).is_some() {
                    return Err(HeaderError::Repeated {
                        name: NAMES[at].to_owned(),
                    });
                }
            } else if let Some(meta) = name.strip_prefix(META_PREFIX) {
                found.add_metadata(meta, value)?;
            } else if name == BLOCK {
                return Err(HeaderError::BlockVersion {
                    found: shorten(value),
                });
            } else if name
                .get(..4)
                .is_some_and(|begin| begin.eq_ignore_ascii_case(OUR_PREFIX))
            {
                return Err(HeaderError::Unknown {
                    name: shorten(name),
                });
            }
        }
        Ok(found)
    }

    fn add_metadata(&mut self, name: &'a str, value: &'a str) -> Result<(), HeaderError> {
        Metadata::check_name(name).map_err(HeaderError::Metadata)?;
        for (other, _) in &self.metadata {
            if *other == name {
                return Err(HeaderError::Repeated {
                    name: format!("{META_PREFIX}{name}"),
                });
            }
            if other.eq_ignore_ascii_case(name) {
                let name = name.to_owned();
                return Err(HeaderError::Metadata(MetadataError::Repeated { name }));
            }
        }
        if self.metadata.len() >= MAX_METADATA {
            return Err(HeaderError::Metadata(MetadataError::TooMany));
        }
        self.metadata.push((name, value));
        Ok(())
    }

    fn get(&self, name: &'static str) -> Option<&'a str> {
        NAMES
            .iter()
            .position(|known| *known == name)
            .and_then(|at| self.slots[at])
    }

    fn check_values(&self) -> Result<(), HeaderError> {
        let check = |name: String, value: &str| {
            check_text(value).map_err(|rule| HeaderError::Value {
                name,
                value: shorten(value),
                rule,
            })
        };
        for (name, value) in NAMES.iter().zip(self.slots) {
            if let Some(value) = value {
                check((*name).to_owned(), value)?;
            }
        }
        for (name, value) in &self.metadata {
            if check_text(value).is_err() {
                check(format!("{META_PREFIX}{name}"), value)?;
            }
        }
        Ok(())
    }

    fn check_presence(&self, carrier: Carrier, stored: bool) -> Result<(), HeaderError> {
        let place = [AGGREGATE_VERSION, CID];
        let absent = NAMES
            .into_iter()
            .zip(self.slots)
            .filter(|(_, value)| value.is_none());
        for (name, _) in absent {
            let optional = [CAUSATION_ID, PREVIOUS_CID, TRACEPARENT, TRACESTATE].contains(&name)
                || (name == MESSAGE_ID && carrier == Carrier::Export)
                || (place.contains(&name) && !stored);
            if !optional {
                return Err(HeaderError::Missing { name });
            }
        }
        Ok(())
    }

    fn place(&self) -> Result<Place, HeaderError> {
        let required = |name| self.get(name).ok_or(HeaderError::Missing { name });
        let place = Place {
            version: spelled(AGGREGATE_VERSION, required(AGGREGATE_VERSION)?)?,
            cid: spelled(CID, required(CID)?)?,
            previous: self
                .get(PREVIOUS_CID)
                .map(|text| spelled(PREVIOUS_CID, text))
                .transpose()?,
        };
        match (place.version == Version::FIRST, place.previous) {
            (true, Some(_)) => Err(HeaderError::Unexpected { name: PREVIOUS_CID }),
            (false, None) => Err(HeaderError::Missing { name: PREVIOUS_CID }),
            _ => Ok(place),
        }
    }

    /// Only a stored event has a place.
    fn no_place(&self) -> Result<Option<Place>, HeaderError> {
        for name in [AGGREGATE_VERSION, CID, PREVIOUS_CID] {
            if self.get(name).is_some() {
                return Err(HeaderError::Unexpected { name });
            }
        }
        Ok(None)
    }

    fn metadata(&self) -> Result<Metadata, HeaderError> {
        let mut metadata = Metadata::default();
        for (name, value) in &self.metadata {
            let value = Text::new(value).expect("all values were checked");
            metadata
                .insert(name, value)
                .map_err(HeaderError::Metadata)?;
        }
        Ok(metadata)
    }
}

fn spelled<T>(name: &'static str, text: &str) -> Result<T, HeaderError>
where
    T: std::str::FromStr,
    SpellingError: From<T::Err>,
{
    text.parse().map_err(|error: T::Err| HeaderError::Spelling {
        name,
        why: error.into(),
    })
}

fn read_uuid(name: &'static str, text: &str) -> Result<Uuid, HeaderError> {
    parse_uuid(text).map_err(|error| HeaderError::Spelling {
        name,
        why: error.into(),
    })
}

#[cfg(test)]
mod tests;
