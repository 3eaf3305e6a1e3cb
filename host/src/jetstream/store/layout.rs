//! A stream of ours: what is written on it, and what it takes.

use cim_core::append::Stored;
use cim_core::event::RecordedEvent;
use cim_core::id::AggregateKey;
use cim_core::message::Message;
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::version::Position;

use crate::jetstream::plan::parse_store;
use crate::jetstream::{StoredMessage, StreamConfig};
use crate::store::{InvalidEvent, StoreError, StoreInfo};

/// What the store in a stream is.
///
/// # Errors
///
/// [`StoreError::Foreign`] when the stream is no store of ours.
pub(super) fn read_info(config: &StreamConfig, url: &str) -> Result<StoreInfo, StoreError> {
    let identity = parse_store(config).map_err(|error| StoreError::Foreign {
        url: url.to_owned(),
        why: error.to_string(),
    })?;
    Ok(StoreInfo {
        store_id: identity.store_id,
        template: identity.template,
        created_at: identity.created_at,
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
