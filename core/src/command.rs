//! Commands: what is asked of an aggregate, with an id and a place in a conversation.
//!
//! The events that are decided on a command carry its id as their causation and belong to its
//! conversation. Their own ids follow from the command's, so that a command that is executed a second
//! time makes the same events, which a store knows again.

use std::error::Error;
use std::fmt;

use uuid::Uuid;

use crate::event::{NewEvent, TraceContext};
use crate::id::{EventId, EventType};
use crate::metadata::Metadata;
use crate::payload::{self, DomainCommand, DomainEvent};
use crate::text::{Text, shorten};
use crate::time::Timestamp;

/// What is asked of an aggregate.
///
/// # Examples
///
/// ```
/// use cim_core::command::Command;
/// use cim_core::id::EventId;
/// use cim_core::payload::DomainEvent;
/// use cim_core::text::Text;
/// use cim_core::time::Timestamp;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, DomainEvent)]
/// #[event(entity = "lamp")]
/// enum LampEvent {
///     LampLit { watts: u32 },
/// }
///
/// let now: Timestamp = "2026-11-21T08:00:00.000000Z".parse()?;
/// let id = EventId::from_parts(now, [7; 10]);
/// let command = Command::new("light up", id, now, Text::new("house")?);
/// let events = command.events(&[LampEvent::LampLit { watts: 40 }]);
/// assert_eq!(events[0].causation, Some(*id.as_uuid()));
/// assert_eq!(events[0].correlation, command.correlation);
/// assert_eq!(events[0].id, command.event_id(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command<C> {
    /// Its id.
    pub id: EventId,
    /// The conversation that it belongs to; of the first in one, its own id.
    pub correlation: Uuid,
    /// The event or command that caused it; `None` for a root.
    pub causation: Option<Uuid>,
    /// When it was given, which is when its events happen.
    pub timestamp: Timestamp,
    /// The service that gives it, and writes its events.
    pub source: Text,
    /// What the user wants to keep with its events.
    pub metadata: Metadata,
    /// The trace that it was given in.
    pub trace: Option<Box<TraceContext>>,
    /// What is asked.
    pub payload: C,
}

impl<C> Command<C> {
    /// A command that begins a conversation, without metadata. Every field is public; change what
    /// differs.
    pub fn new(payload: C, id: EventId, timestamp: Timestamp, source: Text) -> Self {
        Self {
            id,
            correlation: *id.as_uuid(),
            causation: None,
            timestamp,
            source,
            metadata: Metadata::default(),
            trace: None,
            payload,
        }
    }

    /// The same command as the answer to an event: caused by it, in its conversation and trace.
    #[must_use]
    pub fn caused_by(self, event: &NewEvent) -> Self {
        Self {
            correlation: event.correlation,
            causation: Some(*event.id.as_uuid()),
            trace: event.trace.clone(),
            ..self
        }
    }

    /// The same command with another payload.
    pub fn with_payload<D>(self, payload: D) -> Command<D> {
        let Self {
            id,
            correlation,
            causation,
            timestamp,
            source,
            metadata,
            trace,
            payload: _,
        } = self;
        Command {
            id,
            correlation,
            causation,
            timestamp,
            source,
            metadata,
            trace,
            payload,
        }
    }

    /// The id of the event at this place among those that are decided on it, from 0.
    ///
    /// It has the milliseconds of the command's id, and bits that follow from that id and the place.
    pub fn event_id(&self, index: usize) -> EventId {
        derived_id(&self.id, index, "cim 2026-11 event of a command")
    }

    /// The events that were decided, as they can be stored.
    pub fn events<E: DomainEvent>(&self, decided: &[E]) -> Vec<NewEvent> {
        let events = decided.iter().enumerate().map(|(index, event)| NewEvent {
            correlation: self.correlation,
            causation: Some(*self.id.as_uuid()),
            metadata: self.metadata.clone(),
            trace: self.trace.clone(),
            ..payload::new_event(
                event,
                self.event_id(index),
                self.timestamp,
                self.source.clone(),
            )
        });
        events.collect()
    }
}

/// The command of a type and a body.
///
/// # Errors
///
/// [`CommandError`]: the entity has no such command, or the body is not what it has.
///
/// # Examples
///
/// ```
/// use cim_core::command;
/// use cim_core::payload::DomainCommand;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, DomainCommand)]
/// #[command(entity = "lamp")]
/// enum LampCommand {
///     LightLamp { watts: u32 },
/// }
///
/// let light: LampCommand = command::read("LightLamp", br#"{"watts":40}"#)?;
/// assert_eq!(light, LampCommand::LightLamp { watts: 40 });
///
/// let refused = command::read::<LampCommand>("SellLamp", b"{}").expect_err("there is none");
/// assert_eq!(refused.code(), "command-type-unknown");
/// # Ok::<(), cim_core::command::CommandError>(())
/// ```
pub fn read<C: DomainCommand>(command_type: &str, body: &[u8]) -> Result<C, CommandError> {
    let Some(declared) = payload::declared::<C>(command_type) else {
        return Err(CommandError::UnknownType {
            entity: C::ENTITY,
            command_type: shorten(command_type),
        });
    };
    let name = EventType::new(declared.name).expect("commands are named like event types");
    payload::decode(&name, body).map_err(|source| CommandError::Invalid {
        command_type: declared.name,
        source,
    })
}

/// What is no command of an entity.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// The entity has no such command.
    UnknownType {
        /// The entity.
        entity: &'static str,
        /// The type that was named.
        command_type: String,
    },
    /// The body is not what its type has.
    Invalid {
        /// The type.
        command_type: &'static str,
        /// What the JSON parser says.
        source: serde_json::Error,
    },
}

impl CommandError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownType { .. } => "command-type-unknown",
            Self::Invalid { .. } => "command-invalid",
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType {
                entity,
                command_type,
            } => write!(f, "`{entity}` has no command of type `{command_type}`"),
            Self::Invalid { command_type, .. } => {
                write!(f, "the payload is not a `{command_type}`")
            }
        }
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::UnknownType { .. } => None,
            Self::Invalid { source, .. } => Some(source),
        }
    }
}

/// An id of the same millisecond as another one, whose other bits follow from it, a number and a context.
pub(crate) fn derived_id(id: &EventId, index: usize, context: &'static str) -> EventId {
    derived_id_of(id, &[], index, context)
}

/// The same, following from more bytes too.
pub(crate) fn derived_id_of(
    id: &EventId,
    more: &[u8],
    index: usize,
    context: &'static str,
) -> EventId {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(id.as_bytes());
    hasher.update(more);
    hasher.update(&(index as u64).to_be_bytes());
    let mut bytes = *id.as_bytes();
    bytes[6..].copy_from_slice(&hasher.finalize().as_bytes()[..10]);
    // RFC 9562: version 7 in the upper half of byte 6, variant 10 in the upper bits of byte 8.
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    EventId::from_uuid(Uuid::from_bytes(bytes)).expect("version and variant are set")
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
    #[event(entity = "lamp")]
    enum LampEvent {
        LampLit {
            watts: u32,
        },
        #[event(version = 3, operation = "put")]
        LampOut {},
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).expect("in range")
    }

    fn command(entropy: u8) -> Command<()> {
        let source = Text::new("test").expect("clean text");
        Command::new((), EventId::from_parts(at(5), [entropy; 10]), at(9), source)
    }

    #[test]
    fn events_are_caused_by_the_command_in_its_conversation() {
        let cause = &command(1).events(&[LampEvent::LampLit { watts: 1 }])[0];
        let mut second = command(2).caused_by(cause);
        let note = Text::new("blue").expect("clean text");
        second.metadata.insert("Tenant", note).expect("a name");
        let events = second.events(&[LampEvent::LampOut {}, LampEvent::LampLit { watts: 2 }]);
        for event in &events {
            assert_eq!(event.causation, Some(*second.id.as_uuid()));
            assert_eq!(event.correlation, *command(1).id.as_uuid());
            assert_eq!(
                (event.timestamp, &event.metadata),
                (at(9), &second.metadata)
            );
        }
        assert_eq!(second.causation, Some(*cause.id.as_uuid()));
        assert_eq!(events[0].event_type.as_str(), "LampOut");
        assert_eq!(events[0].operation.as_str(), "put");
        assert_eq!(events[0].schema_version.get(), 3);
        assert_eq!(events[1].operation.as_str(), "lit");
    }

    #[test]
    fn ids_of_events_follow_from_the_commands_id_and_differ() {
        let ids: Vec<_> = (0..3)
            .flat_map(|index| [command(1), command(2)].map(|it| it.event_id(index)))
            .collect();
        let again: Vec<_> = (0..3)
            .flat_map(|index| [command(1), command(2)].map(|it| it.event_id(index)))
            .collect();
        assert_eq!(ids, again);
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), ids.len());
        for id in ids {
            assert_eq!(
                id.as_bytes()[..6],
                command(1).id.as_bytes()[..6],
                "the milliseconds"
            );
        }
    }
}
