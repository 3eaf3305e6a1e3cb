//! The life of a resource, as state machines: which events follow which, and what commands lead to.
//!
//! Both machines, and their diagrams, are built from one list, [`TRANSITIONS`]. [`commands`] is what is
//! decided; [`events`] is what a history says, and goes further: a foreign history may have changes that
//! are never decided here, and a fact cannot be refused.

use std::fmt;
use std::sync::LazyLock;

use super::{ComputeCommand, ComputeEvent, Status};
use crate::machine::{Mealy, Moore};

/// The changes of status that are decided.
pub const TRANSITIONS: [(Status, Status); 6] = [
    (Status::Provisioning, Status::Active),
    (Status::Provisioning, Status::Decommissioned),
    (Status::Active, Status::Maintenance),
    (Status::Active, Status::Decommissioned),
    (Status::Maintenance, Status::Active),
    (Status::Maintenance, Status::Decommissioned),
];

/// A state of the life cycle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lifecycle {
    /// The resource was not registered.
    Absent,
    /// It was, and stands here.
    Known(Status),
}

/// What a state of the life cycle means for those who want to use the resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Availability {
    /// There is no such resource.
    None,
    /// It is not to be used yet.
    InPreparation,
    /// Work can be given to it.
    Schedulable,
    /// No work can be given to it for now.
    Drained,
    /// No work is given to it any more.
    Retired,
}

/// An event, as the life cycle sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// [`ComputeEvent::ResourceRegistered`].
    ResourceRegistered,
    /// [`ComputeEvent::StatusChanged`] to this status, whichever it names as the one before.
    StatusChanged(Status),
    /// Any other one, which changes nothing in the life cycle.
    Other,
}

/// A command, as the life cycle sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CommandKind {
    /// [`ComputeCommand::RegisterResource`].
    RegisterResource,
    /// [`ComputeCommand::ChangeStatus`] to this status.
    ChangeStatus(Status),
    /// Any other one, which changes nothing in the life cycle.
    Other,
}

/// What a command leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// There is nothing to do.
    Nothing,
    /// This happens; of [`EventKind::Other`], unless the rules of the command itself say otherwise.
    Event(EventKind),
}

impl Lifecycle {
    /// Each of them, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::Known(Status::Provisioning),
        Self::Known(Status::Active),
        Self::Known(Status::Maintenance),
        Self::Known(Status::Decommissioned),
    ];

    /// What it means for those who want to use the resource.
    pub fn availability(self) -> Availability {
        events().output(self)
    }
}

impl EventKind {
    /// How the life cycle sees an event.
    pub fn of(event: &ComputeEvent) -> Self {
        match event {
            ComputeEvent::ResourceRegistered { .. } => Self::ResourceRegistered,
            ComputeEvent::StatusChanged { to_status, .. } => Self::StatusChanged(*to_status),
            ComputeEvent::OrganizationAssigned { .. }
            | ComputeEvent::LocationAssigned { .. }
            | ComputeEvent::OwnerAssigned { .. }
            | ComputeEvent::PolicyAdded { .. }
            | ComputeEvent::PolicyRemoved { .. }
            | ComputeEvent::AccountConceptAssigned { .. }
            | ComputeEvent::AccountConceptCleared {}
            | ComputeEvent::HardwareDetailsSet { .. }
            | ComputeEvent::AssetTagAssigned { .. }
            | ComputeEvent::MetadataUpdated { .. } => Self::Other,
        }
    }
}

impl CommandKind {
    /// How the life cycle sees a command.
    pub fn of(command: &ComputeCommand) -> Self {
        match command {
            ComputeCommand::RegisterResource { .. } => Self::RegisterResource,
            ComputeCommand::ChangeStatus { to_status } => Self::ChangeStatus(*to_status),
            ComputeCommand::AssignOrganization { .. }
            | ComputeCommand::AssignLocation { .. }
            | ComputeCommand::AssignOwner { .. }
            | ComputeCommand::AddPolicy { .. }
            | ComputeCommand::RemovePolicy { .. }
            | ComputeCommand::AssignAccountConcept { .. }
            | ComputeCommand::ClearAccountConcept {}
            | ComputeCommand::SetHardwareDetails { .. }
            | ComputeCommand::AssignAssetTag { .. }
            | ComputeCommand::UpdateMetadata { .. } => Self::Other,
        }
    }
}

/// Which state follows on an event, in any history; its output is the state's [`Availability`].
///
/// It refuses what comes before a resource is registered, and nothing else.
pub fn events() -> &'static Moore<Lifecycle, EventKind, Availability> {
    static MACHINE: LazyLock<Moore<Lifecycle, EventKind, Availability>> =
        LazyLock::new(|| moore(Histories::All));
    &MACHINE
}

/// As [`events`], less what is never decided here. This is the one to draw.
pub fn decided_events() -> &'static Moore<Lifecycle, EventKind, Availability> {
    static MACHINE: LazyLock<Moore<Lifecycle, EventKind, Availability>> =
        LazyLock::new(|| moore(Histories::Decided));
    &MACHINE
}

/// What a command leads to; its next state is that of [`events`] after what happens.
pub fn commands() -> &'static Mealy<Lifecycle, CommandKind, Effect> {
    static MACHINE: LazyLock<Mealy<Lifecycle, CommandKind, Effect>> = LazyLock::new(mealy);
    &MACHINE
}

#[derive(Clone, Copy)]
enum Histories {
    All,
    Decided,
}

fn moore(histories: Histories) -> Moore<Lifecycle, EventKind, Availability> {
    let changes = Status::ALL.map(EventKind::StatusChanged);
    let inputs = [EventKind::ResourceRegistered, EventKind::Other];
    let first = Lifecycle::Known(Status::Provisioning);
    let mut builder = Moore::builder(
        Lifecycle::ALL,
        inputs.into_iter().chain(changes),
        Lifecycle::Absent,
    )
    .output(Lifecycle::Absent, Availability::None)
    .transition(Lifecycle::Absent, EventKind::ResourceRegistered, first)
    .refuse(Lifecycle::Absent, [EventKind::Other])
    .refuse(Lifecycle::Absent, changes);
    for status in Status::ALL {
        let state = Lifecycle::Known(status);
        builder =
            builder
                .output(state, availability(status))
                .transition(state, EventKind::Other, state);
        let changes = Status::ALL.map(|to| {
            let is_decided = TRANSITIONS.contains(&(status, to));
            (EventKind::StatusChanged(to), to, is_decided)
        });
        let again = (EventKind::ResourceRegistered, Status::Provisioning, false);
        for (input, to, is_decided) in changes.into_iter().chain([again]) {
            builder = match (is_decided, histories) {
                (true, _) | (false, Histories::All) => {
                    builder.transition(state, input, Lifecycle::Known(to))
                }
                (false, Histories::Decided) => builder.refuse(state, [input]),
            };
        }
    }
    builder.build().expect("each state has each input once")
}

fn mealy() -> Mealy<Lifecycle, CommandKind, Effect> {
    let changes = Status::ALL.map(CommandKind::ChangeStatus);
    let inputs = [CommandKind::RegisterResource, CommandKind::Other];
    let mut builder = Mealy::builder(
        Lifecycle::ALL,
        inputs.into_iter().chain(changes),
        Lifecycle::Absent,
    )
    .transition(
        Lifecycle::Absent,
        CommandKind::RegisterResource,
        Lifecycle::Known(Status::Provisioning),
        Effect::Event(EventKind::ResourceRegistered),
    )
    .refuse(Lifecycle::Absent, [CommandKind::Other])
    .refuse(Lifecycle::Absent, changes);
    for status in Status::ALL {
        let state = Lifecycle::Known(status);
        let other = Effect::Event(EventKind::Other);
        builder = builder
            .refuse(state, [CommandKind::RegisterResource])
            .transition(state, CommandKind::Other, state, other);
        for to in Status::ALL {
            let (input, next) = (CommandKind::ChangeStatus(to), Lifecycle::Known(to));
            let change = Effect::Event(EventKind::StatusChanged(to));
            builder = if to == status {
                builder.transition(state, input, state, Effect::Nothing)
            } else if TRANSITIONS.contains(&(status, to)) {
                builder.transition(state, input, next, change)
            } else {
                builder.refuse(state, [input])
            };
        }
    }
    builder.build().expect("each state has each input once")
}

fn availability(status: Status) -> Availability {
    match status {
        Status::Provisioning => Availability::InPreparation,
        Status::Active => Availability::Schedulable,
        Status::Maintenance => Availability::Drained,
        Status::Decommissioned => Availability::Retired,
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.pad("absent"),
            Self::Known(status) => status.fmt(f),
        }
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::InPreparation => "in-preparation",
            Self::Schedulable => "schedulable",
            Self::Drained => "drained",
            Self::Retired => "retired",
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResourceRegistered => f.write_str("ResourceRegistered"),
            Self::StatusChanged(to) => write!(f, "StatusChanged({to})"),
            Self::Other => f.write_str("any other event"),
        }
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegisterResource => f.write_str("RegisterResource"),
            Self::ChangeStatus(to) => write!(f, "ChangeStatus({to})"),
            Self::Other => f.write_str("any other command"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no event"),
            Self::Event(EventKind::Other) => f.write_str("its event"),
            Self::Event(event) => event.fmt(f),
        }
    }
}
