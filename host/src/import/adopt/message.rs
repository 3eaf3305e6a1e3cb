//! A foreign message as an event: pure, without a stream and without a store.
//!
//! The message is brought into the one spelling that the wire format has, and then read by
//! [`Headers::parse`], which judges the rest: so a rule of headers stands in `core` alone.

use std::borrow::Cow;

use cim_core::event::NewEvent;
use cim_core::headers::{
    CID, CONTENT_TYPE, Carrier, Headers, Kind, PREVIOUS_CID, SCHEMA_VERSION, TIMESTAMP,
};
use cim_core::id::{AggregateId, AggregateKey, Operation};
use cim_core::message::{MAX_EVENT_SIZE, Message, event_size};
use cim_core::subject::{StoreTemplate, SubjectError};
use cim_core::text::Text;
use cim_core::time::Timestamp;

use super::fault::MessageFault;
use super::layout::Layout;
use crate::import::error::RowFault;
use crate::import::json::Json;
use crate::import::jsonl::{Numbers, text};
use crate::import::rows::aggregate_id;

/// The content type of a body that is not JSON and does not say what it is.
pub const OCTETS: &str = "application/octet-stream";

/// How messages become events.
#[derive(Clone, Debug)]
pub struct Reader {
    /// How their subjects are built.
    pub layout: Layout,
    /// The field of the body with the aggregate's id, for subjects without one.
    pub id_field: Option<String>,
    /// Whether every id becomes the unpadded base64url of its UTF-8.
    pub id_encode: bool,
    /// The template of the store that gets the events.
    pub template: StoreTemplate,
}

/// An event that was read from a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adopted {
    /// Whose event it is.
    pub aggregate: AggregateKey,
    /// The event.
    pub event: NewEvent,
    /// Whether its time had no offset and was read as UTC.
    pub without_offset: bool,
    /// Whether its time was finer than microseconds; what is finer was cut off.
    pub cut: bool,
}

impl Reader {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`MessageFault`]; of several faults: no header of CIM, a chain, the headers, the subject,
    /// the id, the operation, the store's template, the size.
    pub fn read(&self, message: &Message) -> Result<Adopted, MessageFault> {
        let found = |name: &str| {
            let mut headers = message.headers.iter();
            headers.find_map(|(other, value)| (other == name).then_some(value.as_str()))
        };
        if !message.headers.iter().any(|(name, _)| is_ours(name)) {
            return Err(MessageFault::NoHeaders);
        }
        if found(CID).is_some() || found(PREVIOUS_CID).is_some() {
            return Err(MessageFault::Chained);
        }
        let mut json = None;
        let content_type = match found(CONTENT_TYPE) {
            Some(_) => None,
            None => {
                json = Json::parse(&message.body).ok();
                Some(json.as_ref().map_or(OCTETS, |_| Text::JSON))
            }
        };
        let schema_version = match found(SCHEMA_VERSION) {
            Some(_) => None,
            None => Some("1"),
        };
        let added = [
            (CONTENT_TYPE, content_type),
            (SCHEMA_VERSION, schema_version),
        ];
        let pairs: Vec<(&str, Cow<'_, str>)> = message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), canonical(name, value)))
            .chain(
                added
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, Cow::Borrowed(value?)))),
            )
            .collect();
        let pairs = pairs.iter().map(|(name, value)| (*name, &**value));
        let headers = Headers::parse(Kind::PublishedEvent, Carrier::Wire, pairs)
            .map_err(MessageFault::Headers)?;
        let (without_offset, cut) = match found(TIMESTAMP) {
            Some(time) => (!has_offset(time), is_finer(time)),
            None => (false, false),
        };

        let place = self.layout.parse(&message.subject).map_err(subject_fault)?;
        let id = match place.id {
            Some(id) if self.id_encode => self.id(id.as_str())?,
            Some(id) => id,
            None => self.id_of_body(message, json)?,
        };
        let aggregate = AggregateKey::new(place.namespace, place.entity, id);
        let operation = match place.operation {
            Some(operation) => operation,
            None => Operation::of_event(&headers.event_type, &aggregate.entity)
                .map_err(MessageFault::Operation)?,
        };
        self.template
            .event_subject(&aggregate, &operation)
            .map_err(MessageFault::Template)?;
        let event = headers.into_event(operation, message.body.clone());
        let size = event_size(&event);
        if size > MAX_EVENT_SIZE {
            return Err(MessageFault::Row {
                field: None,
                fault: Box::new(RowFault::TooLarge { size }),
            });
        }
        Ok(Adopted {
            aggregate,
            event,
            without_offset,
            cut,
        })
    }

    /// The id in the body; `json` is the body, if it was read as such already.
    fn id_of_body(
        &self,
        message: &Message,
        json: Option<Json>,
    ) -> Result<AggregateId, MessageFault> {
        let field = self.id_field.as_ref().ok_or(MessageFault::NoId)?;
        let json = match json {
            Some(json) => json,
            None => Json::parse(&message.body).map_err(|error| self.row(RowFault::Json(error)))?,
        };
        let id = text(&json, field, Numbers::Take).map_err(|fault| self.row(fault))?;
        self.id(id)
    }

    fn id(&self, text: &str) -> Result<AggregateId, MessageFault> {
        aggregate_id(text, self.id_encode).map_err(|fault| self.row(fault))
    }

    fn row(&self, fault: RowFault) -> MessageFault {
        MessageFault::Row {
            field: self.id_field.clone(),
            fault: Box::new(fault),
        }
    }
}

/// Whether a name is one that CIM has for itself, in any case.
fn is_ours(name: &str) -> bool {
    name.get(..4)
        .is_some_and(|begin| begin.eq_ignore_ascii_case("CIM-"))
}

/// A value in the spelling of the wire format, where another one says the same. What cannot be
/// read stays as it is, so that the parser names it.
fn canonical<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if name != TIMESTAMP {
        return Cow::Borrowed(value);
    }
    match Timestamp::parse_lenient(value) {
        Ok(time) => Cow::Owned(time.timestamp.to_string()),
        Err(_) => Cow::Borrowed(value),
    }
}

fn has_offset(time: &str) -> bool {
    Timestamp::parse_lenient(time).is_ok_and(|time| time.had_offset)
}

/// Whether a time that was read says something behind the sixth fractional digit.
fn is_finer(time: &str) -> bool {
    let Some((_, fraction)) = time.split_once('.') else {
        return false;
    };
    fraction
        .bytes()
        .take_while(u8::is_ascii_digit)
        .skip(6)
        .any(|digit| digit != b'0')
}

fn subject_fault(error: SubjectError) -> MessageFault {
    match error {
        SubjectError::Mismatch { template, .. } => MessageFault::Layout { template },
        other => MessageFault::Subject(other),
    }
}

#[cfg(test)]
pub(super) mod tests;
