//! A stream of ours: what is written on it, and what it takes.

use cim_core::append::Stored;
use cim_core::event::RecordedEvent;
use cim_core::id::AggregateKey;
use cim_core::id::Namespace;
use cim_core::message::Message;
use cim_core::subject::{StoreTemplate, SubjectFilter, TemplateError};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use uuid::Uuid;

use crate::jetstream::{Discard, StoredMessage, StreamConfig};
use crate::store::{InvalidEvent, StoreError, StoreInfo};

/// The metadata of a stream that is a store.
const STORE_ID: &str = "cim.store_id";
const TEMPLATE: &str = "cim.template";
const CREATED_AT: &str = "cim.created_at";

/// For how long message ids are remembered: two minutes, NATS's own default.
const DUPLICATE_WINDOW: u64 = 120 * 1_000_000_000;

/// The stream of a new store, which takes the events of these namespaces; of all that its template
/// can build, if there are none.
///
/// It has no age limit: when a history has expired, its version 1 could be written again.
///
/// # Errors
///
/// [`TemplateError::OutsideConstants`] when a namespace disagrees with the template.
pub fn event_stream(
    name: &str,
    template: &StoreTemplate,
    namespaces: &[Namespace],
    replicas: u32,
    store_id: Uuid,
    created_at: Timestamp,
) -> Result<StreamConfig, TemplateError> {
    let subjects = template.template();
    let mut filters = namespaces
        .iter()
        .map(|namespace| subjects.namespace_filter(namespace))
        .collect::<Result<Vec<_>, _>>()?;
    if filters.is_empty() {
        filters.push(subjects.filter());
    }
    let mut config = StreamConfig::new(name);
    config.subjects = filters
        .iter()
        .map(|filter| filter.as_str().to_owned())
        .collect();
    config.num_replicas = replicas;
    config.discard = Discard::New;
    config.duplicate_window = DUPLICATE_WINDOW;
    config.deny_delete = true;
    config.deny_purge = true;
    config.allow_direct = true;
    config.allow_atomic = true;
    let template = serde_json::to_string(template).expect("a template is plain JSON");
    config.metadata.extend([
        (STORE_ID.to_owned(), store_id.to_string()),
        (TEMPLATE.to_owned(), template),
        (CREATED_AT.to_owned(), created_at.to_string()),
    ]);
    Ok(config)
}

/// What the store in a stream is.
///
/// # Errors
///
/// [`StoreError::Foreign`] when the stream is no store of ours.
pub(super) fn read_info(config: &StreamConfig, url: &str) -> Result<StoreInfo, StoreError> {
    let foreign = |why: String| StoreError::Foreign {
        url: url.to_owned(),
        why,
    };
    let value = |name: &str| {
        config.metadata.get(name).ok_or_else(|| {
            foreign(format!(
                "the stream `{}` has no metadata `{name}`",
                config.name
            ))
        })
    };
    let strange = |name: &str, why: String| foreign(format!("its metadata `{name}`: {why}"));
    Ok(StoreInfo {
        store_id: value(STORE_ID)?
            .parse()
            .map_err(|error: uuid::Error| strange(STORE_ID, error.to_string()))?,
        template: serde_json::from_str(value(TEMPLATE)?)
            .map_err(|error| strange(TEMPLATE, error.to_string()))?,
        created_at: value(CREATED_AT)?
            .parse()
            .map_err(|error: cim_core::time::TimeError| strange(CREATED_AT, error.to_string()))?,
        url: url.to_owned(),
    })
}

/// The subjects that a stream takes.
pub(super) fn subjects(config: &StreamConfig, url: &str) -> Result<Vec<SubjectFilter>, StoreError> {
    let read = |text: &String| {
        SubjectFilter::new(text).map_err(|error| StoreError::Foreign {
            url: url.to_owned(),
            why: error.to_string(),
        })
    };
    config.subjects.iter().map(read).collect()
}

/// Reads the event of a message.
///
/// # Errors
///
/// [`InvalidEvent`] when it is none.
pub(super) fn read_event(
    template: &StoreTemplate,
    stored: &StoredMessage,
) -> Result<Stored, InvalidEvent> {
    let position = position(stored.sequence);
    match RecordedEvent::decode(template, &stored.message) {
        Ok(event) => Ok(Stored { position, event }),
        Err(error) => Err(InvalidEvent {
            position,
            aggregate: aggregate_of(template, &stored.message),
            event: stored
                .header(cim_core::headers::EVENT_ID)
                .and_then(|id| id.parse().ok()),
            code: error.code(),
            why: error.to_string(),
        }),
    }
}

fn aggregate_of(template: &StoreTemplate, message: &Message) -> Option<AggregateKey> {
    let (aggregate, _) = template.parse_event(&message.subject).ok()?;
    Some(aggregate)
}

/// The position of a message.
pub(super) fn position(sequence: u64) -> Position {
    Position::new(sequence).expect("sequences begin with 1 and count no further than 2^53 - 1")
}
