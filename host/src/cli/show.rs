//! Events as people and as programs read them.

use cim_core::append::Receipt;
use cim_core::event::RecordedEvent;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::store::ReadEvent;

/// The longest body on a line, in characters.
const SHOWN_BODY: usize = 100;

/// An event on one line.
pub(crate) fn line(read: &ReadEvent) -> String {
    let recorded = &read.event;
    let event = &recorded.event;
    format!(
        "{:>8}  {}  {} v{}  {}  {}",
        read.position,
        event.timestamp,
        recorded.aggregate,
        recorded.version,
        event.event_type,
        shown_body(recorded),
    )
}

fn shown_body(recorded: &RecordedEvent) -> String {
    match std::str::from_utf8(&recorded.event.body) {
        Ok(text) => {
            let mut shown: String = text
                .chars()
                .take(SHOWN_BODY)
                .flat_map(escape_control)
                .collect();
            if text.chars().nth(SHOWN_BODY).is_some() {
                shown.push('…');
            }
            shown
        }
        Err(_) => format!("({} bytes that are no text)", recorded.event.body.len()),
    }
}

/// A text on one line, without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().flat_map(escape_control).collect()
}

/// A terminal obeys control characters; a body must not command it.
fn escape_control(character: char) -> impl Iterator<Item = char> {
    let escape = character.is_control();
    let (plain, escaped) = if escape {
        (None, Some(character.escape_default()))
    } else {
        (Some(character), None)
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// An event on many lines.
pub(crate) fn page(read: &ReadEvent, subject: &str) -> Vec<String> {
    let recorded = &read.event;
    let event = &recorded.event;
    let mut rows = vec![
        ("event", event.id.to_string()),
        ("type", event.event_type.to_string()),
        ("aggregate", recorded.aggregate.to_string()),
        ("version", recorded.version.to_string()),
        ("position", read.position.to_string()),
        ("time", event.timestamp.to_string()),
        ("subject", subject.to_owned()),
        ("source", event.source.to_string()),
        ("correlation", event.correlation.to_string()),
    ];
    if let Some(causation) = event.causation {
        rows.push(("causation", causation.to_string()));
    }
    rows.push(("schema version", event.schema_version.to_string()));
    rows.push(("content type", event.content_type.to_string()));
    for (name, value) in event.metadata.iter() {
        rows.push(("metadata", format!("{name}: {value}")));
    }
    if let Some(previous) = recorded.previous {
        rows.push(("previous CID", previous.to_string()));
    }
    rows.push(("CID", recorded.cid.to_string()));
    if let Some(verified) = read.verified {
        rows.push(("verified", verified.to_string()));
    }
    let mut lines: Vec<String> = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<15} {value}"))
        .collect();
    lines.push(String::new());
    match std::str::from_utf8(&event.body) {
        Ok(text) => lines.extend(text.lines().map(plain)),
        Err(_) => lines.push(shown_body(recorded)),
    }
    lines
}

/// An event that was just stored, on one line.
pub(crate) fn brief(recorded: &RecordedEvent) -> String {
    let event = &recorded.event;
    format!(
        "{:>8}  {}  {}",
        format!("v{}", recorded.version),
        event.event_type,
        shown_body(recorded)
    )
}

/// An event that was just stored, as one JSON object.
pub(crate) fn brief_json(recorded: &RecordedEvent) -> String {
    let event = &recorded.event;
    let object = json!({
        "version": recorded.version.get(),
        "id": event.id.to_string(),
        "type": event.event_type.as_str(),
        "operation": event.operation.as_str(),
        "schema_version": event.schema_version.get(),
        "time": event.timestamp.to_string(),
        "cid": recorded.cid.to_string(),
    });
    with_body(object, recorded)
}

/// An event as one JSON object.
pub(crate) fn json(read: &ReadEvent, template: &StoreTemplate) -> String {
    let recorded = &read.event;
    let event = &recorded.event;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    let subject = template.event_subject(&recorded.aggregate, &event.operation);
    put("schema", "cim.event/v1".into());
    put("position", read.position.get().into());
    // An event that no subject fits was altered; the rest of it is shown all the same.
    put(
        "subject",
        subject.ok().map(|subject| subject.to_string()).into(),
    );
    put("aggregate", recorded.aggregate.to_string().into());
    put("version", recorded.version.get().into());
    put("id", event.id.to_string().into());
    put("type", event.event_type.as_str().into());
    put("operation", event.operation.as_str().into());
    put("time", event.timestamp.to_string().into());
    put("source", event.source.as_str().into());
    put("correlation", event.correlation.to_string().into());
    put("causation", event.causation.map(|id| id.to_string()).into());
    put("schema_version", event.schema_version.get().into());
    put("content_type", event.content_type.as_str().into());
    let metadata: Map<String, Value> = event
        .metadata
        .iter()
        .map(|(name, value)| (name.to_owned(), value.as_str().into()))
        .collect();
    put("metadata", metadata.into());
    put("cid", recorded.cid.to_string().into());
    put(
        "previous_cid",
        recorded.previous.map(|cid| cid.to_string()).into(),
    );
    with_body(object.into(), recorded)
}

/// The text of an object, to which the body of an event is added: last, in its own bytes, so that no
/// number loses digits.
fn with_body(object: Value, recorded: &RecordedEvent) -> String {
    let (name, body) = body_json(recorded);
    let mut text = object.to_string();
    text.pop();
    text.push_str(&format!(",\"{name}\":{body}}}"));
    text
}

/// The body: as JSON where it says so and is, else as text, else in base64.
fn body_json(recorded: &RecordedEvent) -> (&'static str, String) {
    let event = &recorded.event;
    let Ok(text) = std::str::from_utf8(&event.body) else {
        let encoded = data_encoding::BASE64.encode(&event.body);
        return ("body_base64", Value::from(encoded).to_string());
    };
    let one_line = !text.contains(['\n', '\r']);
    if one_line && event.content_type.as_str() == Text::JSON {
        // White space around it would be lost.
        if let Ok(raw) = serde_json::from_str::<&RawValue>(text)
            && raw.get().len() == text.len()
        {
            return ("data", text.to_owned());
        }
    }
    ("body", Value::from(text).to_string())
}

/// What an append answered.
pub(crate) fn receipt(receipt: &Receipt) -> Value {
    json!({
        "version": receipt.version.get(),
        "head": receipt.head.to_string(),
        "position": receipt.position.get(),
    })
}
