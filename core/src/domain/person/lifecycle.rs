//! The life of a record of a person, as two state machines: by what is asked, and by what happens.

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

impl Lifecycle {
    /// Whether nothing can be changed any more.
    pub fn is_end(self) -> bool {
        by_commands().is_final(self)
    }

    /// What such a record is good for.
    pub fn standing(self) -> Standing {
        by_events().output(self)
    }

    /// Where an event leads.
    ///
    /// Facts cannot be refused: a history that was written elsewhere may have what is never decided here.
    /// Then an event leads to its own state from all but [`Draft`](Self::Draft), which only the creation
    /// leaves.
    #[must_use]
    pub fn after(self, event: &PersonEvent) -> Self {
        let happened = Happening::from(event);
        by_events()
            .next(self, happened)
            .unwrap_or_else(|_| match self {
                Self::Draft => Self::Draft,
                Self::Active | Self::Suspended | Self::Archived | Self::Deceased | Self::Merged => {
                    happened.leads_to().unwrap_or(self)
                }
            })
    }
}

/// What is asked, as far as the life cycle cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// `CreatePerson`.
    Create,
    /// `DeactivatePerson`.
    Deactivate,
    /// `ReactivatePerson`.
    Reactivate,
    /// `ArchivePerson`.
    Archive,
    /// `RecordDeath`.
    RecordDeath,
    /// `MergePersons`.
    Merge,
    /// `SetBirthDate`.
    SetBirthDate,
    /// All others, which change a record and not its life.
    Change,
}

/// What happens, as far as the life cycle cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happening {
    /// `PersonCreated`.
    Created,
    /// `PersonSuspended`.
    Suspended,
    /// `PersonActivated`.
    Activated,
    /// `PersonArchived`.
    Archived,
    /// `DeathRecorded`.
    Died,
    /// `PersonMerged`.
    Merged,
    /// `BirthDateSet`.
    BirthDateSet,
    /// All others, which change a record and not its life.
    Changed,
}

impl Happening {
    /// The state that it brings about from wherever; `None` when it changes none.
    fn leads_to(self) -> Option<Lifecycle> {
        match self {
            Self::Created | Self::Activated => Some(Lifecycle::Active),
            Self::Suspended => Some(Lifecycle::Suspended),
            Self::Archived => Some(Lifecycle::Archived),
            Self::Died => Some(Lifecycle::Deceased),
            Self::Merged => Some(Lifecycle::Merged),
            Self::BirthDateSet | Self::Changed => None,
        }
    }
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// An event; of a change, none where there is nothing to change.
    Event(Happening),
    /// Nothing: it is so already.
    Nothing,
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

/// The life of a record by what is asked of it: which requests each state takes, and what comes of them.
pub fn by_commands() -> &'static Mealy<Lifecycle, Request, Reaction> {
    &BY_COMMANDS
}

/// The life of a record by what happens, as far as it is decided here.
pub fn by_events() -> &'static Moore<Lifecycle, Happening, Standing> {
    &BY_EVENTS
}

const STATES: [Lifecycle; 6] = [
    Lifecycle::Draft,
    Lifecycle::Active,
    Lifecycle::Suspended,
    Lifecycle::Archived,
    Lifecycle::Deceased,
    Lifecycle::Merged,
];

static BY_COMMANDS: LazyLock<Mealy<Lifecycle, Request, Reaction>> = LazyLock::new(|| {
    use Lifecycle::{Active, Archived, Deceased, Draft, Merged, Suspended};
    use Request::{
        Archive, Change, Create, Deactivate, Merge, Reactivate, RecordDeath, SetBirthDate,
    };
    let requests = [
        Create,
        Deactivate,
        Reactivate,
        Archive,
        RecordDeath,
        Merge,
        SetBirthDate,
        Change,
    ];
    let event = Reaction::Event;
    Mealy::builder(STATES, requests, Draft)
        .transition(Draft, Create, Active, event(Happening::Created))
        .refuse(Draft, requests.into_iter().filter(|it| *it != Create))
        .refuse(Active, [Create])
        .transition(Active, Deactivate, Suspended, event(Happening::Suspended))
        .transition(Active, Reactivate, Active, Reaction::Nothing)
        .transition(Active, Archive, Archived, event(Happening::Archived))
        .transition(Active, RecordDeath, Deceased, event(Happening::Died))
        .transition(Active, Merge, Merged, event(Happening::Merged))
        .transition(Active, SetBirthDate, Active, event(Happening::BirthDateSet))
        .transition(Active, Change, Active, event(Happening::Changed))
        .refuse(Suspended, [Create, Merge, Change])
        .transition(Suspended, Deactivate, Suspended, Reaction::Nothing)
        .transition(Suspended, Reactivate, Active, event(Happening::Activated))
        .transition(Suspended, Archive, Archived, event(Happening::Archived))
        .transition(Suspended, RecordDeath, Deceased, event(Happening::Died))
        .transition(
            Suspended,
            SetBirthDate,
            Suspended,
            event(Happening::BirthDateSet),
        )
        .final_state(Archived)
        .final_state(Deceased)
        .final_state(Merged)
        .build()
        .expect("every pair is decided and every state is reached")
});

static BY_EVENTS: LazyLock<Moore<Lifecycle, Happening, Standing>> = LazyLock::new(|| {
    use Lifecycle::{Active, Archived, Deceased, Draft, Merged, Suspended};
    let happenings = [
        Happening::Created,
        Happening::Suspended,
        Happening::Activated,
        Happening::Archived,
        Happening::Died,
        Happening::Merged,
        Happening::BirthDateSet,
        Happening::Changed,
    ];
    let all_but_created = happenings.into_iter().skip(1);
    Moore::builder(STATES, happenings, Draft)
        .output(Draft, Standing::None)
        .output(Active, Standing::Current)
        .output(Suspended, Standing::Paused)
        .output(Archived, Standing::Closed)
        .output(Deceased, Standing::Closed)
        .output(Merged, Standing::Redirected)
        .transition(Draft, Happening::Created, Active)
        .refuse(Draft, all_but_created)
        .refuse(Active, [Happening::Created, Happening::Activated])
        .transition(Active, Happening::Suspended, Suspended)
        .transition(Active, Happening::Archived, Archived)
        .transition(Active, Happening::Died, Deceased)
        .transition(Active, Happening::Merged, Merged)
        .transition(Active, Happening::BirthDateSet, Active)
        .transition(Active, Happening::Changed, Active)
        .refuse(
            Suspended,
            [
                Happening::Created,
                Happening::Suspended,
                Happening::Merged,
                Happening::Changed,
            ],
        )
        .transition(Suspended, Happening::Activated, Active)
        .transition(Suspended, Happening::Archived, Archived)
        .transition(Suspended, Happening::Died, Deceased)
        .transition(Suspended, Happening::BirthDateSet, Suspended)
        .final_state(Archived)
        .final_state(Deceased)
        .final_state(Merged)
        .build()
        .expect("every pair is decided and every state is reached")
});

impl From<&PersonCommand> for Request {
    fn from(command: &PersonCommand) -> Self {
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
            | PersonCommand::AddExternalIdentifier { .. } => Self::Change,
        }
    }
}

impl From<&PersonEvent> for Happening {
    fn from(event: &PersonEvent) -> Self {
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
            | PersonEvent::ExternalIdentifierAdded { .. } => Self::Changed,
        }
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

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Create => "CreatePerson",
            Self::Deactivate => "DeactivatePerson",
            Self::Reactivate => "ReactivatePerson",
            Self::Archive => "ArchivePerson",
            Self::RecordDeath => "RecordDeath",
            Self::Merge => "MergePersons",
            Self::SetBirthDate => "SetBirthDate",
            Self::Change => "any other",
        })
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "PersonCreated",
            Self::Suspended => "PersonSuspended",
            Self::Activated => "PersonActivated",
            Self::Archived => "PersonArchived",
            Self::Died => "DeathRecorded",
            Self::Merged => "PersonMerged",
            Self::BirthDateSet => "BirthDateSet",
            Self::Changed => "any other",
        })
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(Happening::Changed) => f.pad("its event"),
            Self::Event(happening) => happening.fmt(f),
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
