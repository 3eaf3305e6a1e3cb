//! What goes with a command, and the events that it leads to.
//!
//! Metadata crosses the border as a JSON list of `[name, value]`, as headers do.

use cim_core::command::Command;
use cim_core::event::{NewEvent, TraceContext};
use cim_core::id::{EventId, parse_uuid};
use cim_core::metadata::Metadata;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::fault::Fault;

/// Reads what a command has beside its payload; not by `serde`, so that a broken rule keeps its code.
pub(crate) fn read_envelope(envelope: &str) -> Result<Command<()>, Fault> {
    let envelope: Map<String, Value> = serde_json::from_str(envelope)
        .map_err(|_| Fault::argument("what goes with a command is an object"))?;
    let text = |name: &str| match envelope.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Fault::argument("ids, times, sources and traces are texts")),
    };
    let required = |name: &str| {
        text(name)?.ok_or_else(|| Fault::argument("a command has an id, a time and a source"))
    };
    let id: EventId = required("id")?.parse()?;
    let time = read_time(required("timestamp")?)?;
    let mut command = Command::new((), id, time, Text::new(required("source")?)?);
    if let Some(correlation) = text("correlationId")? {
        command.correlation = parse_uuid(correlation)?;
    }
    if let Some(causation) = text("causationId")? {
        command.causation = Some(parse_uuid(causation)?);
    }
    if let Some(metadata) = envelope.get("metadata") {
        command.metadata = read_metadata(metadata)?;
    }
    let trace = TraceContext {
        traceparent: text("traceparent")?.map(Text::new).transpose()?,
        tracestate: text("tracestate")?.map(Text::new).transpose()?,
    };
    command.trace = (!trace.is_empty()).then(|| Box::new(trace));
    Ok(command)
}

fn read_metadata(pairs: &Value) -> Result<Metadata, Fault> {
    let malformed = || Fault::argument("metadata is a list of `[name, value]`, both texts");
    let mut metadata = Metadata::default();
    for pair in pairs.as_array().ok_or_else(malformed)? {
        let pair = pair.as_array().ok_or_else(malformed)?;
        let [Value::String(name), Value::String(value)] = pair.as_slice() else {
            return Err(malformed());
        };
        metadata.insert(name, Text::new(value)?)?;
    }
    Ok(metadata)
}

/// Reads a time as people and other programs write it.
pub(crate) fn read_time(text: &str) -> Result<Timestamp, Fault> {
    Ok(Timestamp::parse_lenient(text)?.timestamp)
}

/// An event that can be stored, with the names that headers have in JavaScript.
pub(crate) fn json_of_event(event: &NewEvent) -> Value {
    let metadata = event.metadata.iter();
    let trace = event.trace.as_deref();
    json!({
        "id": event.id.to_string(),
        "correlationId": event.correlation.to_string(),
        "causationId": event.causation.map(|id| id.to_string()),
        "eventType": event.event_type.as_str(),
        "operation": event.operation.as_str(),
        "schemaVersion": event.schema_version.get(),
        "timestamp": event.timestamp.to_string(),
        "source": event.source.as_str(),
        "contentType": event.content_type.as_str(),
        "metadata": metadata.map(|(name, text)| [name, text.as_str()]).collect::<Vec<_>>(),
        "traceparent": trace.and_then(|trace| trace.traceparent.as_ref()).map(Text::as_str),
        "tracestate": trace.and_then(|trace| trace.tracestate.as_ref()).map(Text::as_str),
        "body": str::from_utf8(&event.body).expect("domains write JSON"),
    })
}
