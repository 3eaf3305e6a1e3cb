//! Messages: the headers of an event, and the event that they make with subject and body.
//!
//! Headers cross the border as a JSON list of `[name, value]`, so that order and repetition stay.

use bytes::Bytes;
use cim_core::chain::{self, block};
use cim_core::event::RecordedEvent;
use cim_core::headers::{self, Carrier, HeaderError, Headers, Kind};
use cim_core::id::AggregateKey;
use cim_core::message::MessageError;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault::Fault;
use crate::subject::store_template;

/// Reads the headers of a message, as JSON.
#[wasm_bindgen(js_name = parseHeaders)]
pub fn parse_headers(kind: &str, carrier_name: &str, headers: &str) -> Result<String, Fault> {
    let kind = match kind {
        "stored-event" => Kind::StoredEvent,
        "published-event" => Kind::PublishedEvent,
        "command" => Kind::Command,
        _ => {
            let kinds = "a kind is `stored-event`, `published-event` or `command`";
            return Err(Fault::argument(kinds));
        }
    };
    let headers = pairs(headers)?;
    let headers = headers.iter().map(|(name, value)| (&**name, &**value));
    let headers = Headers::parse(kind, carrier(carrier_name)?, headers)?;
    Ok(headers_of(&headers).to_string())
}

/// Reads a stored event, as JSON, without a look at its CID.
#[wasm_bindgen(js_name = decodeMessage)]
pub fn decode_message(
    template: &str,
    carrier_name: &str,
    subject: &str,
    headers: &str,
    body: &[u8],
) -> Result<String, Fault> {
    let template = store_template(template)?;
    let event = recorded_event(&template, carrier(carrier_name)?, subject, headers, body)?;
    Ok(json!({
        "aggregate": json_of_key(&event.aggregate),
        "operation": event.event.operation.as_str(),
        "headers": headers_of(&event.headers()),
    })
    .to_string())
}

/// The block of a stored event.
#[wasm_bindgen(js_name = blockOf)]
pub fn block_of(
    template: &str,
    carrier_name: &str,
    subject: &str,
    headers: &str,
    body: &[u8],
) -> Result<Vec<u8>, Fault> {
    let template = store_template(template)?;
    let event = recorded_event(&template, carrier(carrier_name)?, subject, headers, body)?;
    Ok(block::encode(&event))
}

/// Refuses a stored event whose content does not have the CID that it names.
#[wasm_bindgen(js_name = checkCid)]
pub fn check_cid(
    template: &str,
    carrier_name: &str,
    subject: &str,
    headers: &str,
    body: &[u8],
) -> Result<(), Fault> {
    let template = store_template(template)?;
    let event = recorded_event(&template, carrier(carrier_name)?, subject, headers, body)?;
    Ok(chain::check_cid(&event)?)
}

impl From<MessageError> for Fault {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Headers(error) => error.into(),
            MessageError::Subject(error) => error.into(),
            // The enum may grow; a new fault has its code and its message.
            _ => Self::of(error.code(), &error),
        }
    }
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Self {
        let header = match &error {
            HeaderError::Missing { name }
            | HeaderError::Spelling { name, .. }
            | HeaderError::Unexpected { name } => name,
            HeaderError::Repeated { name }
            | HeaderError::Unknown { name }
            | HeaderError::Value { name, .. } => &**name,
            HeaderError::BlockVersion { .. } => "CIM-Block",
            HeaderError::EventType(_) => headers::EVENT_TYPE,
            HeaderError::MessageId { .. } => headers::MESSAGE_ID,
            // The other faults are of no single header, or will be told by their message.
            _ => return Self::of(error.code(), &error),
        };
        let fields = json!({ "header": header });
        Self::of(error.code(), &error).with_fields(fields)
    }
}

/// Reads a stored event, without a look at its CID.
pub(crate) fn recorded_event(
    template: &StoreTemplate,
    carrier: Carrier,
    subject: &str,
    headers: &str,
    body: &[u8],
) -> Result<RecordedEvent, Fault> {
    let headers = pairs(headers)?;
    let headers = headers.iter().map(|(name, value)| (&**name, &**value));
    let body = Bytes::copy_from_slice(body);
    Ok(RecordedEvent::decode_parts(
        template, carrier, subject, headers, body,
    )?)
}

/// The key of an aggregate.
pub(crate) fn json_of_key(key: &AggregateKey) -> Value {
    json!({
        "namespace": key.namespace.as_str(),
        "entity": key.entity.as_str(),
        "id": key.id.as_str(),
    })
}

/// Reads the name of a carrier.
pub(crate) fn carrier(name: &str) -> Result<Carrier, Fault> {
    match name {
        "wire" => Ok(Carrier::Wire),
        "export" => Ok(Carrier::Export),
        _ => Err(Fault::argument("a carrier is `wire` or `export`")),
    }
}

fn pairs(headers: &str) -> Result<Vec<(String, String)>, Fault> {
    serde_json::from_str(headers)
        .map_err(|_| Fault::argument("headers are a list of `[name, value]`, both texts"))
}

fn headers_of(headers: &Headers) -> Value {
    let place = headers.place;
    let trace = headers.trace.as_deref();
    let metadata = headers.metadata.iter();
    json!({
        "eventId": headers.id.to_string(),
        "correlationId": headers.correlation.to_string(),
        "causationId": headers.causation.map(|id| id.to_string()),
        "eventType": headers.event_type.as_str(),
        "timestamp": headers.timestamp.to_string(),
        "source": headers.source.as_str(),
        "contentType": headers.content_type.as_str(),
        "schemaVersion": headers.schema_version.get(),
        "aggregateVersion": place.map(|place| place.version.get()),
        "cid": place.map(|place| place.cid.to_string()),
        "previousCid": place.and_then(|place| place.previous).map(|cid| cid.to_string()),
        "metadata": metadata.map(|(name, text)| [name, text.as_str()]).collect::<Vec<_>>(),
        "traceparent": trace.and_then(|trace| trace.traceparent.as_ref()).map(Text::as_str),
        "tracestate": trace.and_then(|trace| trace.tracestate.as_ref()).map(Text::as_str),
    })
}
