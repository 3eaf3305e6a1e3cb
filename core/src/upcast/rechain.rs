//! A new history of what stored events say today.
//!
//! An upcast event has another body, so it has another CID, and so have all that follow it in its
//! history. [`Rechain`] gives events their places anew. What comes of it is a history of its own, with
//! the times, the sources and the conversations of the old one; it proves nothing about that one but
//! what its metadata says: each event that an upcaster made names the CID of the one that was stored.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use super::{EventReader, Payload, ReadPayload};
use crate::append::{self, Rejection};
use crate::chain::EventPlace;
use crate::command::derived_id_of;
use crate::event::{NewEvent, RecordedEvent};
use crate::id::{AggregateKey, Operation};
use crate::message::{MAX_EVENT_SIZE, event_size};
use crate::metadata::MetadataError;
use crate::payload::{DeclaredType, EventError};
use crate::text::Text;
use crate::version::Head;

/// The metadata of an event that an upcaster made: the CID of the event that was stored.
///
/// Where an event has that name already, because it was upcast into its store before, the next one is
/// `Upcast-From-2`, so that the way back is kept whole.
pub const UPCAST_FROM: &str = "Upcast-From";

/// Makes a new history of events, taken one by one in the order of their store.
///
/// An event that no upcaster changes keeps all but its place, and its very CID if no event before it
/// in its history was changed. Of an upcast event, the first that it becomes keeps the id; the ids of
/// further ones follow from it, so that the same history always becomes the same one. An event that
/// becomes none leaves no trace, and no gap.
///
/// # Examples
///
/// ```
/// use cim_core::event::RecordedEvent;
/// use cim_core::payload::DomainEvent;
/// use cim_core::upcast::rechain::{Rechain, RechainError};
/// use cim_core::upcast::{EventReader, Upcasters};
///
/// fn as_of_today<E: DomainEvent>(
///     store: &[RecordedEvent],
///     upcasters: Upcasters,
/// ) -> Result<Vec<RecordedEvent>, RechainError> {
///     let reader = EventReader::new::<E>(upcasters);
///     let mut rechain = Rechain::default();
///     let mut today = Vec::new();
///     for event in store {
///         let is_ours = event.aggregate.entity.as_str() == E::ENTITY;
///         today.extend(rechain.push(event, is_ours.then_some(&reader))?);
///     }
///     Ok(today)
/// }
/// ```
#[derive(Debug, Default)]
pub struct Rechain {
    heads: HashMap<AggregateKey, Head>,
}

impl Rechain {
    /// The events that the next event of the store becomes, each behind the one before it in its
    /// history. Without a reader it is taken as it is.
    ///
    /// The event is not verified here.
    ///
    /// # Errors
    ///
    /// [`RechainError`]; nothing comes of the event then.
    pub fn push(
        &mut self,
        stored: &RecordedEvent,
        reader: Option<&EventReader>,
    ) -> Result<Vec<RecordedEvent>, RechainError> {
        let fault = |fault| RechainError {
            place: Box::new(EventPlace {
                aggregate: stored.aggregate.clone(),
                event: stored.event.id,
                version: stored.version,
            }),
            fault,
        };
        let read = match reader {
            None => ReadPayload::Stored,
            Some(reader) => {
                let read = reader.read(&stored.event);
                read.map_err(|error| fault(RechainFault::Unreadable(error)))?
            }
        };
        let events = match read {
            ReadPayload::Stored => vec![stored.event.clone()],
            ReadPayload::Upcast(payloads) => {
                let events = payloads.into_iter().enumerate();
                let events = events.map(|(index, made)| upcast(stored, index, made));
                events.collect::<Result<_, _>>().map_err(fault)?
            }
        };
        let head = self.heads.get(&stored.aggregate).copied();
        let recorded = append::record(&stored.aggregate, head, &events)
            .map_err(|_| fault(RechainFault::HistoryFull))?;
        if let Some(last) = recorded.last() {
            self.heads.insert(stored.aggregate.clone(), last.head());
        }
        Ok(recorded)
    }
}

/// The event at this place among those that a stored one becomes.
fn upcast(
    stored: &RecordedEvent,
    index: usize,
    (payload, declared): (Payload, &DeclaredType),
) -> Result<NewEvent, RechainFault> {
    let old = &stored.event;
    let mut event = NewEvent {
        event_type: payload.event_type,
        operation: Operation::new(declared.operation).expect("declared operations are tokens"),
        schema_version: payload.schema_version,
        body: payload.body,
        ..old.clone()
    };
    if index > 0 {
        // With the CID: an event may be upcast again in a later store, where it has the same id.
        let cid = stored.cid.to_bytes();
        event.id = derived_id_of(&old.id, &cid, index, "cim 2026-11 event of an upcaster");
    }
    let origin = Text::new(&stored.cid.to_string()).expect("a CID is clean text");
    name_origin(&mut event, origin).map_err(RechainFault::Metadata)?;
    let size = event_size(&event);
    match size > MAX_EVENT_SIZE {
        true => Err(RechainFault::TooLarge { size }),
        false => Ok(event),
    }
}

/// Adds the metadata that says what an event was made of, under the first name that is free.
fn name_origin(event: &mut NewEvent, origin: Text) -> Result<(), MetadataError> {
    let mut name = UPCAST_FROM.to_owned();
    for number in 2_u64.. {
        match event.metadata.insert(&name, origin.clone()) {
            Err(MetadataError::Repeated { .. }) => name = format!("{UPCAST_FROM}-{number}"),
            inserted => return inserted,
        }
    }
    Err(MetadataError::TooMany)
}

/// An event of which no new history can be made.
#[derive(Debug)]
pub struct RechainError {
    /// Which one, by its place in the old history.
    pub place: Box<EventPlace>,
    /// What is wrong with it.
    pub fault: RechainFault,
}

/// Why an event has no place in a new history.
#[derive(Debug)]
#[non_exhaustive]
pub enum RechainFault {
    /// Its domain cannot read it: a later program may, or one with an upcaster for it.
    Unreadable(EventError),
    /// It has no room for the metadata that says what it was made of.
    Metadata(MetadataError),
    /// An upcaster made it larger than an event may be.
    TooLarge {
        /// Its size, of at most [`MAX_EVENT_SIZE`].
        size: usize,
    },
    /// Versions do not count so far as the new history is long.
    HistoryFull,
}

impl RechainError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match &self.fault {
            RechainFault::Unreadable(error) => error.code(),
            RechainFault::Metadata(error) => error.code(),
            RechainFault::TooLarge { .. } => "upcast-too-large",
            RechainFault::HistoryFull => Rejection::HistoryFull.code(),
        }
    }
}

impl fmt::Display for RechainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.fault {
            RechainFault::Unreadable(_) => write!(f, "{place} cannot be read"),
            RechainFault::Metadata(_) => {
                write!(f, "{place} has no room for the metadata `{UPCAST_FROM}`")
            }
            RechainFault::TooLarge { size } => write!(
                f,
                "{place} becomes too large: expected at most {MAX_EVENT_SIZE} bytes, found {size}"
            ),
            RechainFault::HistoryFull => {
                write!(f, "{place} finds no version: {}", Rejection::HistoryFull)
            }
        }
    }
}

impl Error for RechainError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            RechainFault::Unreadable(error) => Some(error),
            RechainFault::Metadata(error) => Some(error),
            RechainFault::TooLarge { .. } | RechainFault::HistoryFull => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::chain::verifier::StoreVerifier;
    use crate::id::{Entity, EventId, EventType};
    use crate::metadata::MAX_METADATA;
    use crate::time::Timestamp;
    use crate::upcast::Upcasters;
    use crate::version::SchemaVersion;

    #[derive(Debug, PartialEq, Serialize, Deserialize, crate::payload::DomainEvent)]
    #[event(entity = "lamp")]
    enum LampEvent {
        #[event(version = 2, operation = "lit-up")]
        LampLit {
            watts: u32,
        },
        LampPlaced {
            room: String,
        },
    }

    fn version(number: u64) -> SchemaVersion {
        SchemaVersion::new(number).expect("a version")
    }

    /// Version 1 of `LampLit` had the room too, and a lamp that was cleaned is no event any more.
    fn reader() -> EventReader {
        let upcasters = Upcasters::default()
            .with("LampLit", 1, |old| {
                let body: serde_json::Value = serde_json::from_slice(&old.body)?;
                let lit = serde_json::json!({ "watts": body["w"] });
                let placed = serde_json::json!({ "room": body["room"] });
                let lit = Payload {
                    body: lit.to_string().into(),
                    ..old
                };
                let placed = Payload {
                    event_type: EventType::new("LampPlaced")?,
                    schema_version: SchemaVersion::FIRST,
                    body: placed.to_string().into(),
                };
                Ok(vec![placed, lit])
            })
            .with("LampCleaned", 1, |_| Ok(Vec::new()));
        EventReader::new::<LampEvent>(upcasters)
    }

    fn event(number: u8, event_type: &str, schema_version: u64, body: &str) -> NewEvent {
        let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
        let event = NewEvent::json(
            EventId::from_parts(time, [number; 10]),
            &Entity::new("lamp").expect("an entity"),
            EventType::new(event_type).expect("a type"),
            time,
            Text::new("house").expect("a text"),
            body.to_owned(),
        );
        NewEvent {
            schema_version: version(schema_version),
            ..event.expect("an operation")
        }
    }

    fn history(id: &str, events: &[NewEvent]) -> Vec<RecordedEvent> {
        let key = format!("o.u.d.lamp.{id}").parse().expect("a key");
        append::record(&key, None, events).expect("few events")
    }

    fn rechained(stored: &[RecordedEvent]) -> Result<Vec<RecordedEvent>, RechainError> {
        let (mut rechain, reader) = (Rechain::default(), reader());
        let made = stored
            .iter()
            .map(|event| rechain.push(event, Some(&reader)));
        Ok(made.collect::<Result<Vec<_>, _>>()?.concat())
    }

    #[track_caller]
    fn verified(events: &[RecordedEvent]) {
        let mut verifier = StoreVerifier::new();
        for event in events {
            verifier.push(event).expect("a sound history");
        }
    }

    #[test]
    fn upcast_events_are_chained_anew_and_name_what_they_were_made_of() {
        let stored = history(
            "l1",
            &[
                event(1, "LampPlaced", 1, r#"{"room":"a"}"#),
                event(2, "LampLit", 1, r#"{"w":40,"room":"b"}"#),
                event(3, "LampCleaned", 1, "{}"),
                event(4, "LampLit", 2, r#"{"watts":7}"#),
            ],
        );
        let today = rechained(&stored).expect("readable");
        verified(&today);
        let said: Vec<_> = today
            .iter()
            .map(|it| {
                let event = &it.event;
                let version = (it.version.get(), event.schema_version.get());
                (
                    event.event_type.as_str(),
                    event.operation.as_str(),
                    version,
                    &event.body[..],
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("LampPlaced", "placed", (1, 1), &br#"{"room":"a"}"#[..]),
                ("LampPlaced", "placed", (2, 1), br#"{"room":"b"}"#),
                ("LampLit", "lit-up", (3, 2), br#"{"watts":40}"#),
                ("LampLit", "lit", (4, 2), br#"{"watts":7}"#),
            ]
        );
        assert_eq!(today[0], stored[0], "nothing before it was changed");
        let origin = |event: &RecordedEvent| {
            let origin = event.event.metadata.get(UPCAST_FROM);
            origin.map(|text| text.as_str().to_owned())
        };
        let made_of = Some(stored[1].cid.to_string());
        assert_eq!(origin(&today[1]), made_of);
        assert_eq!(origin(&today[2]), made_of);
        assert_eq!(today[1].event.id, stored[1].event.id);
        // It is part of the format: another day's new history of these events has the same ids.
        assert_eq!(
            today[2].event.id.to_string(),
            "018bcfe5-6800-7219-91e0-298828a182c0"
        );
        assert_eq!(today[3].event, stored[3].event, "all but its place");
        assert_eq!(
            rechained(&stored).expect("readable"),
            today,
            "the same again"
        );
    }

    #[test]
    fn histories_do_not_touch_each_other() {
        let old = history("l1", &[event(1, "LampCleaned", 1, "{}")]);
        let current = history("l2", &[event(2, "LampLit", 2, r#"{"watts":7}"#)]);
        let stored = [old, current.clone()].concat();
        assert_eq!(rechained(&stored).expect("readable"), current);
    }

    #[test]
    fn an_entity_without_a_reader_is_taken_as_it_is() {
        let stored = history("l1", &[event(1, "Whatever", 9, "no JSON")]);
        let mut rechain = Rechain::default();
        assert_eq!(rechain.push(&stored[0], None).expect("taken"), stored);
    }

    #[test]
    fn an_event_that_was_upcast_before_keeps_the_way_back() {
        let mut old = event(1, "LampLit", 1, r#"{"w":1,"room":"a"}"#);
        for name in ["upcast-from", "Upcast-From-2"] {
            old.metadata.insert(name, Text::json()).expect("a name");
        }
        let stored = history("l1", &[old]);
        let today = rechained(&stored).expect("readable");
        let cid = stored[0].cid.to_string();
        let metadata = &today[0].event.metadata;
        assert_eq!(metadata.get("Upcast-From-3").map(Text::as_str), Some(&*cid));
        assert_eq!(metadata.iter().len(), 3);
    }

    #[test]
    fn the_same_id_in_another_store_makes_other_ids() {
        let bodies = [r#"{"w":1,"room":"a"}"#, r#"{"w":2,"room":"a"}"#];
        let ids = bodies.map(|body| {
            let today = rechained(&history("l1", &[event(1, "LampLit", 1, body)]));
            today.expect("readable")[1].event.id
        });
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn what_cannot_be_read_or_stored_is_refused_with_its_place() {
        let refused = |event: NewEvent| {
            let error = rechained(&history("l1", &[event])).expect_err("refused");
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            (error.code(), format!("{error}: {source}"))
        };
        let place = "event `018bcfe5-6800-7101-8101-010101010101` (version 1 of `o.u.d.lamp.l1`)";
        assert_eq!(
            refused(event(1, "LampLit", 3, "{}")),
            (
                "schema-newer",
                format!(
                    "{place} cannot be read: the schema of `LampLit` is too new: expected at most \
                     version 2, found 3; a later version of this program reads it"
                )
            )
        );
        assert_eq!(
            refused(event(1, "LampSold", 1, "{}")).0,
            "event-type-unknown"
        );
        assert_eq!(refused(event(1, "LampLit", 2, "{}")).0, "payload-invalid");
        assert_eq!(refused(event(1, "LampLit", 1, "{")).0, "upcast-failed");
        assert_eq!(refused(event(1, "LampLit", 1, "{}")).0, "payload-invalid");

        let mut full = event(1, "LampLit", 1, r#"{"w":1,"room":"a"}"#);
        for number in 0..MAX_METADATA {
            let name = format!("n{number}");
            full.metadata.insert(&name, Text::json()).expect("a name");
        }
        let (code, text) = refused(full);
        assert_eq!(code, "metadata-too-many");
        assert!(
            text.contains("no room for the metadata `Upcast-From`"),
            "{text}"
        );

        let lit = |room: &str| event(1, "LampLit", 1, &format!(r#"{{"w":1,"room":"{room}"}}"#));
        let room = "r".repeat(MAX_EVENT_SIZE - event_size(&lit("")));
        let (code, text) = refused(lit(&room));
        assert_eq!(code, "upcast-too-large");
        assert!(
            text.contains("becomes too large: expected at most"),
            "{text}"
        );
    }
}
