//! `cim append`.

use std::sync::atomic::{AtomicBool, Ordering};

use cim_core::append::{Append, AppendError, Appended};
use cim_core::event::NewEvent;
use cim_core::id::{EventId, EventType, Operation, parse_uuid};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, SchemaVersion};
use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure::Failure;
use super::given;
use super::output::{Output, say};
use super::place::{Absent, Place};
use super::show;
use crate::clock;
use crate::import::json::Json;
use crate::store::retry::append_surely;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim append order order-7 OrderPlaced --data '{\"articles\":3}' --expected none
  cim append order order-7 OrderPaid --data @paid.json --expected 1 --meta Tenant=blue
  echo '{}' | cim append order order-7 OrderSent --data -

With --event-id and --time the command can be run again without harm: the event is stored once.")]
pub(crate) struct AppendEvent {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    entity: String,
    /// The aggregate's id
    id: String,
    /// The event's type, in PascalCase
    #[arg(value_name = "TYPE")]
    event_type: EventType,
    /// The version that the history must have: a number, `none` or `any`
    #[arg(long, default_value = "any")]
    expected: ExpectedVersion,
    /// The payload: text, `@FILE`, or `-` for standard input
    #[arg(long, default_value = "{}")]
    data: String,
    /// The event's id, a UUID of version 7; a new one by default
    #[arg(long)]
    event_id: Option<EventId>,
    /// When it happened; now by default
    #[arg(long, value_parser = time)]
    time: Option<Timestamp>,
    /// The conversation; the event's own id by default
    #[arg(long, value_parser = parse_uuid)]
    correlation: Option<Uuid>,
    /// The event or command that caused it
    #[arg(long, value_parser = parse_uuid)]
    causation: Option<Uuid>,
    /// The service that writes it
    #[arg(long, default_value = "cim")]
    source: Text,
    /// Metadata; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    meta: Vec<String>,
    /// The version of the payload's schema
    #[arg(long, default_value = "1")]
    schema_version: SchemaVersion,
    /// The content type of the payload
    #[arg(long, default_value = Text::JSON)]
    content_type: Text,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Takes a time of the command line. That one without an offset is UTC is said once.
pub(crate) fn time(text: &str) -> Result<Timestamp, cim_core::time::TimeError> {
    static SAID: AtomicBool = AtomicBool::new(false);
    let time = Timestamp::parse_lenient(text)?;
    if !time.had_offset && !SAID.swap(true, Ordering::Relaxed) {
        say(&format!(
            "The time `{text}` has no offset and is read as UTC."
        ));
    }
    Ok(time.timestamp)
}

/// Whether a content type is that of JSON, by itself or by its suffix (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let media = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media == Text::JSON || media.ends_with("+json")
}

impl AppendEvent {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let key = place.aggregate(&self.entity, &self.id, &store.info().template)?;
        let body = given::data(&self.data)?;
        if is_json(self.content_type.as_str()) {
            Json::parse(&body).map_err(|error| {
                Failure::usage(format!("the payload is {error}")).help(
                    "quote it for the shell, for example `--data '{\"a\":1}'`, or give its \
                     `--content-type`",
                )
            })?;
        }
        let metadata = given::metadata(&self.meta)?;
        let id = self.event_id.unwrap_or_else(clock::event_id);
        let event = NewEvent {
            id,
            correlation: self.correlation.unwrap_or(*id.as_uuid()),
            causation: self.causation,
            operation: Operation::of_event(&self.event_type, &key.entity)
                .map_err(|error| Failure::usage(error.to_string()))?,
            event_type: self.event_type,
            schema_version: self.schema_version,
            timestamp: self.time.unwrap_or_else(clock::now),
            source: self.source,
            content_type: self.content_type,
            metadata,
            trace: None,
            body,
        };
        let time = event.timestamp;
        let append = Append::new(key.clone(), self.expected, vec![event]);
        let mut answers =
            append_surely(&*store, vec![append])
                .await
                .map_err(|error| {
                    match error {
                AppendError::Unknown { .. } => Failure::from(error).help(format!(
                    "run the same command again with `--event-id {id} --time {time}`: the event is \
                 stored once at most"
                )),
                definite => Failure::from(definite),
            }
                })?;
        let appended = answers.pop().expect("one answer for one append");
        let outcome = match appended {
            Appended::Committed(_) => "committed",
            Appended::AlreadyCommitted(_) => "already-committed",
        };
        let receipt = appended.receipt();
        if self.json {
            let mut document = json!({
                "schema": "cim.append/v1",
                "outcome": outcome,
                "aggregate": key.to_string(),
                "id": id.to_string(),
            });
            if let (Value::Object(document), Value::Object(more)) =
                (&mut document, show::receipt(receipt))
            {
                document.extend(more);
            }
            out.json(&document)?;
        } else {
            out.line(&format!(
                "{outcome}  {key} v{}  position {}  {}",
                receipt.version, receipt.position, receipt.head
            ))?;
        }
        out.flush()?;
        given::warn_of_length(&key, receipt.version, &place.config);
        Ok(store.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_content_types_of_json() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/ld+json",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "application/jsonl",
            "text/plain",
            "json",
            "application/cbor",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
