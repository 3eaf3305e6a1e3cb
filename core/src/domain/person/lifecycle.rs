//! The life of a record of a person, as state machines: what commands lead to, and which events follow
//! which.
//!
//! [`commands`] is what is decided, and [`decided_events`] follows from it. [`events`] is what a history
//! says, and goes further: a foreign history may have events that are never decided here, and a fact
//! cannot be refused.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{PersonCommand, PersonEvent};
use crate::machine::{Mealy, Moore};

/// How far a record has come.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// There is no such person yet.
    #[default]
    Draft,
    /// The person takes part.
    Active,
    /// The person takes part no more for a while.
    Suspended,
    /// The record is closed.
    Archived,
    /// The person has died.
    Deceased,
    /// The record of another person goes on.
    Merged,
}

/// What a record is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// There is none.
    None,
    /// It says what is so.
    Current,
    /// It waits.
    Paused,
    /// It says what was so.
    Closed,
    /// It says where to look instead.
    Redirected,
}

/// An event, as the life cycle sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// [`PersonEvent::PersonCreated`].
    Created,
    /// [`PersonEvent::PersonSuspended`].
    Suspended,
    /// [`PersonEvent::PersonActivated`].
    Activated,
    /// [`PersonEvent::PersonArchived`].
    Archived,
    /// [`PersonEvent::DeathRecorded`].
    Died,
    /// [`PersonEvent::PersonMerged`].
    Merged,
    /// [`PersonEvent::BirthDateSet`].
    BirthDateSet,
    /// Any other one, which changes nothing in the life cycle.
    Other,
}

/// A command, as the life cycle sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CommandKind {
    /// [`PersonCommand::CreatePerson`].
    Create,
    /// [`PersonCommand::DeactivatePerson`].
    Deactivate,
    /// [`PersonCommand::ReactivatePerson`].
    Reactivate,
    /// [`PersonCommand::ArchivePerson`].
    Archive,
    /// [`PersonCommand::RecordDeath`].
    RecordDeath,
    /// [`PersonCommand::MergePersons`].
    Merge,
    /// [`PersonCommand::SetBirthDate`], which a suspended person takes too.
    SetBirthDate,
    /// Any other one, which changes nothing in the life cycle.
    Other,
}

/// What a command leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// There is nothing to do.
    Nothing,
    /// This happens, unless the rules of the command itself say otherwise.
    Event(EventKind),
}

impl Lifecycle {
    /// Each of them, in the order of a life.
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Active,
        Self::Suspended,
        Self::Archived,
        Self::Deceased,
        Self::Merged,
    ];

    /// Whether nothing can be changed any more.
    pub fn is_end(self) -> bool {
        commands().is_final(self)
    }

    /// What such a record is good for.
    pub fn standing(self) -> Standing {
        events().output(self)
    }
}

impl EventKind {
    /// Each of them, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Suspended,
        Self::Activated,
        Self::Archived,
        Self::Died,
        Self::Merged,
        Self::BirthDateSet,
        Self::Other,
    ];

    /// How the life cycle sees an event.
    pub fn of(event: &PersonEvent) -> Self {
        match event {
            PersonEvent::PersonCreated { .. } => Self::Created,
            PersonEvent::PersonSuspended { .. } => Self::Suspended,
            PersonEvent::PersonActivated { .. } => Self::Activated,
            PersonEvent::PersonArchived { .. } => Self::Archived,
            PersonEvent::DeathRecorded { .. } => Self::Died,
            PersonEvent::PersonMerged { .. } => Self::Merged,
            PersonEvent::BirthDateSet { .. } => Self::BirthDateSet,
            PersonEvent::NameUpdated { .. }
            | PersonEvent::EmailAdded { .. }
            | PersonEvent::EmailVerified { .. }
            | PersonEvent::EmailRemoved { .. }
            | PersonEvent::PhoneAdded { .. }
            | PersonEvent::PhoneRemoved { .. }
            | PersonEvent::LocationAssigned { .. }
            | PersonEvent::EmploymentAdded { .. }
            | PersonEvent::IdentityLinked { .. }
            | PersonEvent::ExternalIdentifierAdded { .. } => Self::Other,
        }
    }

    /// The state that it brings about; `None` when it changes none.
    pub(super) fn leads_to(self) -> Option<Lifecycle> {
        match self {
            Self::Created | Self::Activated => Some(Lifecycle::Active),
            Self::Suspended => Some(Lifecycle::Suspended),
            Self::Archived => Some(Lifecycle::Archived),
            Self::Died => Some(Lifecycle::Deceased),
            Self::Merged => Some(Lifecycle::Merged),
            Self::BirthDateSet | Self::Other => None,
        }
    }
}

impl CommandKind {
    /// Each of them, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Deactivate,
        Self::Reactivate,
        Self::Archive,
        Self::RecordDeath,
        Self::Merge,
        Self::SetBirthDate,
        Self::Other,
    ];

    /// How the life cycle sees a command.
    pub fn of(command: &PersonCommand) -> Self {
        match command {
            PersonCommand::CreatePerson { .. } => Self::Create,
            PersonCommand::DeactivatePerson { .. } => Self::Deactivate,
            PersonCommand::ReactivatePerson { .. } => Self::Reactivate,
            PersonCommand::ArchivePerson { .. } => Self::Archive,
            PersonCommand::RecordDeath { .. } => Self::RecordDeath,
            PersonCommand::MergePersons { .. } => Self::Merge,
            PersonCommand::SetBirthDate { .. } => Self::SetBirthDate,
            PersonCommand::UpdateName { .. }
            | PersonCommand::AddEmail { .. }
            | PersonCommand::VerifyEmail { .. }
            | PersonCommand::RemoveEmail { .. }
            | PersonCommand::AddPhone { .. }
            | PersonCommand::RemovePhone { .. }
            | PersonCommand::AssignLocation { .. }
            | PersonCommand::AddEmployment { .. }
            | PersonCommand::LinkIdentity { .. }
            | PersonCommand::AddExternalIdentifier { .. } => Self::Other,
        }
    }
}

/// What a command leads to; its next state is that of [`events`] after what happens.
pub fn commands() -> &'static Mealy<Lifecycle, CommandKind, Effect> {
    static MACHINE: LazyLock<Mealy<Lifecycle, CommandKind, Effect>> = LazyLock::new(mealy);
    &MACHINE
}

/// Which state follows on an event, in any history; its output is the state's [`Standing`].
///
/// It refuses what comes before a person is created, and nothing else: each event leads to its own state
/// from whichever.
pub fn events() -> &'static Moore<Lifecycle, EventKind, Standing> {
    static MACHINE: LazyLock<Moore<Lifecycle, EventKind, Standing>> =
        LazyLock::new(|| moore(|_, _| true));
    &MACHINE
}

/// As [`events`], less what is never decided here. This is the one to draw.
pub fn decided_events() -> &'static Moore<Lifecycle, EventKind, Standing> {
    static MACHINE: LazyLock<Moore<Lifecycle, EventKind, Standing>> =
        LazyLock::new(|| moore(is_decided));
    &MACHINE
}

fn mealy() -> Mealy<Lifecycle, CommandKind, Effect> {
    use CommandKind as Command;
    use Lifecycle::{Active, Archived, Deceased, Draft, Merged, Suspended};
    let happens = Effect::Event;
    let all_but_create = Command::ALL.into_iter().skip(1);
    let mut builder = Mealy::builder(Lifecycle::ALL, Command::ALL, Draft)
        .transition(Draft, Command::Create, Active, happens(EventKind::Created))
        .refuse(Draft, all_but_create)
        .refuse(Active, [Command::Create])
        .refuse(Suspended, [Command::Create, Command::Merge, Command::Other])
        .final_state(Archived)
        .final_state(Deceased)
        .final_state(Merged);
    for (from, command, to, effect) in [
        (
            Active,
            Command::Deactivate,
            Suspended,
            happens(EventKind::Suspended),
        ),
        (Active, Command::Reactivate, Active, Effect::Nothing),
        (
            Active,
            Command::Archive,
            Archived,
            happens(EventKind::Archived),
        ),
        (
            Active,
            Command::RecordDeath,
            Deceased,
            happens(EventKind::Died),
        ),
        (Active, Command::Merge, Merged, happens(EventKind::Merged)),
        (
            Active,
            Command::SetBirthDate,
            Active,
            happens(EventKind::BirthDateSet),
        ),
        (Active, Command::Other, Active, happens(EventKind::Other)),
        (Suspended, Command::Deactivate, Suspended, Effect::Nothing),
        (
            Suspended,
            Command::Reactivate,
            Active,
            happens(EventKind::Activated),
        ),
        (
            Suspended,
            Command::Archive,
            Archived,
            happens(EventKind::Archived),
        ),
        (
            Suspended,
            Command::RecordDeath,
            Deceased,
            happens(EventKind::Died),
        ),
        (
            Suspended,
            Command::SetBirthDate,
            Suspended,
            happens(EventKind::BirthDateSet),
        ),
    ] {
        builder = builder.transition(from, command, to, effect);
    }
    builder.build().expect("each state has each input once")
}

/// Whether some command leads to an event from a state.
fn is_decided(from: Lifecycle, event: EventKind) -> bool {
    let effects = commands().accepts(from).iter();
    let mut effects = effects.filter_map(|command| commands().step(from, *command).ok());
    effects.any(|(_, effect)| effect == Effect::Event(event))
}

/// The machine of the events that `takes` says each state takes.
fn moore(takes: fn(Lifecycle, EventKind) -> bool) -> Moore<Lifecycle, EventKind, Standing> {
    let mut builder = Moore::builder(Lifecycle::ALL, EventKind::ALL, Lifecycle::Draft);
    for state in Lifecycle::ALL {
        builder = builder.output(state, standing(state));
        for event in EventKind::ALL {
            let is_after_creation = state != Lifecycle::Draft || event == EventKind::Created;
            builder = match is_after_creation && takes(state, event) {
                true => builder.transition(state, event, event.leads_to().unwrap_or(state)),
                false => builder.refuse(state, [event]),
            };
        }
    }
    builder.build().expect("each state has each input once")
}

fn standing(lifecycle: Lifecycle) -> Standing {
    match lifecycle {
        Lifecycle::Draft => Standing::None,
        Lifecycle::Active => Standing::Current,
        Lifecycle::Suspended => Standing::Paused,
        Lifecycle::Archived | Lifecycle::Deceased => Standing::Closed,
        Lifecycle::Merged => Standing::Redirected,
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
            Self::Deceased => "deceased",
            Self::Merged => "merged",
        })
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "CreatePerson",
            Self::Deactivate => "DeactivatePerson",
            Self::Reactivate => "ReactivatePerson",
            Self::Archive => "ArchivePerson",
            Self::RecordDeath => "RecordDeath",
            Self::Merge => "MergePersons",
            Self::SetBirthDate => "SetBirthDate",
            Self::Other => "any other",
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "PersonCreated",
            Self::Suspended => "PersonSuspended",
            Self::Activated => "PersonActivated",
            Self::Archived => "PersonArchived",
            Self::Died => "DeathRecorded",
            Self::Merged => "PersonMerged",
            Self::BirthDateSet => "BirthDateSet",
            Self::Other => "any other",
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(EventKind::Other) => f.pad("its event"),
            Self::Event(event) => event.fmt(f),
            Self::Nothing => f.pad("nothing"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Current => "current",
            Self::Paused => "paused",
            Self::Closed => "closed",
            Self::Redirected => "redirected",
        })
    }
}
