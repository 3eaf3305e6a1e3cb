//! All operators, accounts, users and keys of a store at once.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use super::{
    Account, AccountEvent, AccountState, Key, KeyEvent, KeyState, Operator, OperatorEvent,
    OperatorState, User, UserEvent, UserState,
};
use crate::aggregate::Aggregate;
use crate::event::RecordedEvent;
use crate::id::EventId;
use crate::nkey::PublicKey;
use crate::payload::{self, DomainEvent, Typed as _};
use crate::version::{SchemaVersion, Version};

/// All operators, accounts, users and keys, each by its public key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory {
    /// Operators.
    pub operators: BTreeMap<PublicKey, Entry<OperatorState>>,
    /// Accounts.
    pub accounts: BTreeMap<PublicKey, Entry<AccountState>>,
    /// Users.
    pub users: BTreeMap<PublicKey, Entry<UserState>>,
    /// Key pairs.
    pub keys: BTreeMap<PublicKey, Entry<KeyState>>,
}

/// The state of an aggregate, and how far its history goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry<S> {
    /// The state.
    pub state: S,
    /// The version of its last event; `None` before the first.
    pub version: Option<Version>,
}

impl Directory {
    /// The directory after an event of the domain. An event of an entity that is not one of ours
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`UnreadableEvent`]: the directory is as it was.
    pub fn evolve(&mut self, recorded: &RecordedEvent) -> Result<(), UnreadableEvent> {
        match recorded.aggregate.entity.as_str() {
            OperatorEvent::ENTITY => evolve::<Operator>(&mut self.operators, recorded),
            AccountEvent::ENTITY => evolve::<Account>(&mut self.accounts, recorded),
            UserEvent::ENTITY => evolve::<User>(&mut self.users, recorded),
            KeyEvent::ENTITY => evolve::<Key>(&mut self.keys, recorded),
            _ => Ok(()),
        }
    }
}

fn evolve<A>(
    entries: &mut BTreeMap<PublicKey, Entry<A::State>>,
    recorded: &RecordedEvent,
) -> Result<(), UnreadableEvent>
where
    A: Aggregate<Event: DomainEvent, State: Default>,
{
    let event = &recorded.event;
    let refuse = |why: String| UnreadableEvent {
        event: event.id,
        event_type: event.event_type.to_string(),
        why,
    };
    if event.schema_version != SchemaVersion::FIRST {
        return Err(refuse(format!(
            "expected version 1 of its schema, found {}",
            event.schema_version
        )));
    }
    let id = recorded.aggregate.id.as_str();
    let key = id
        .parse()
        .map_err(|error| refuse(format!("its aggregate is no key: {error}")))?;
    let happened: A::Event = payload::decode(&event.event_type, &event.body)
        .map_err(|error| refuse(error.to_string()))?;
    let entry = entries.entry(key).or_default();
    entry.state = A::evolve(std::mem::take(&mut entry.state), &happened);
    entry.version = Some(recorded.version);
    Ok(())
}

/// An event of the domain that cannot be read: it was written by a later version, or by somebody else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnreadableEvent {
    /// Which.
    pub event: EventId,
    /// Its type.
    pub event_type: String,
    /// What is wrong with it.
    pub why: String,
}

impl UnreadableEvent {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "event-unreadable"
    }
}

impl fmt::Display for UnreadableEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the event `{}` of type `{}` cannot be read: {}",
            self.event, self.event_type, self.why
        )
    }
}

impl Error for UnreadableEvent {}
