//! The state machines say what is decided and what a history says, and their diagrams say so too.

use proptest::prelude::*;

use super::lifecycle::{
    self, Availability, CommandKind, Effect, EventKind, Lifecycle, TRANSITIONS,
};
use super::*;
use crate::aggregate::fold;
use crate::payload::Typed as _;

/// A state of each life cycle, with a little of everything else from the seed.
fn state_in(life: Lifecycle, seed: u64) -> ComputeState {
    let Lifecycle::Known(status) = life else {
        return ComputeState::Absent;
    };
    let mut events = vec![registered()];
    events.extend(arbitrary::events(seed, 20));
    events.push(changed(Status::Provisioning, status));
    let state = fold::<Compute>(Compute::initial_state(), &events);
    assert_eq!(state.lifecycle(), life);
    state
}

/// The one event that a command may make, by its type.
fn type_of_event(command: &ComputeCommand) -> &'static str {
    match command {
        ComputeCommand::RegisterResource { .. } => "ResourceRegistered",
        ComputeCommand::AssignOrganization { .. } => "OrganizationAssigned",
        ComputeCommand::AssignLocation { .. } => "LocationAssigned",
        ComputeCommand::AssignOwner { .. } => "OwnerAssigned",
        ComputeCommand::AddPolicy { .. } => "PolicyAdded",
        ComputeCommand::RemovePolicy { .. } => "PolicyRemoved",
        ComputeCommand::AssignAccountConcept { .. } => "AccountConceptAssigned",
        ComputeCommand::ClearAccountConcept {} => "AccountConceptCleared",
        ComputeCommand::SetHardwareDetails { .. } => "HardwareDetailsSet",
        ComputeCommand::AssignAssetTag { .. } => "AssetTagAssigned",
        ComputeCommand::UpdateMetadata { .. } => "MetadataUpdated",
        ComputeCommand::ChangeStatus { .. } => "StatusChanged",
    }
}

/// Whether the life cycle says no, and not a rule about what the resource has.
fn is_of_life(error: &ComputeError) -> bool {
    match error {
        ComputeError::Exists { .. }
        | ComputeError::Absent
        | ComputeError::StatusTransition { .. } => true,
        ComputeError::PolicyAlreadyAdded { .. }
        | ComputeError::PolicyNotFound { .. }
        | ComputeError::TooMany { .. } => false,
    }
}

proptest! {
    #[test]
    fn what_is_decided_and_folded_is_what_the_machines_say(seed in any::<u64>()) {
        for life in Lifecycle::ALL {
            let state = state_in(life, seed);
            for command in arbitrary::commands(seed, 40) {
                let kind = CommandKind::of(&command);
                let type_name = type_of_event(&command);
                let decided = Compute::decide(&state, command);
                match (lifecycle::commands().step(life, kind), decided) {
                    (Ok((next, Effect::Event(expected))), Ok(events)) => {
                        let next_state = fold::<Compute>(state.clone(), &events);
                        prop_assert_eq!(next_state.lifecycle(), next);
                        // A value that is there already makes no event, but a change of status does.
                        prop_assert!(events.len() == 1 || expected == EventKind::Other && events.is_empty());
                        for event in &events {
                            prop_assert_eq!(EventKind::of(event), expected);
                            prop_assert_eq!(event.declared().name, type_name);
                            prop_assert_eq!(
                                lifecycle::decided_events().next(life, expected).ok(),
                                Some(next)
                            );
                            prop_assert_ne!(&next_state, &state, "an event says something new");
                        }
                    }
                    (Ok((next, Effect::Nothing)), Ok(events)) => {
                        prop_assert_eq!((next, events), (life, Vec::new()));
                    }
                    // The rules of a command may be stricter than the life cycle.
                    (Ok((next, Effect::Event(EventKind::Other))), Err(error)) => {
                        prop_assert_eq!(next, life);
                        prop_assert!(!is_of_life(&error), "{error}");
                    }
                    (Err(_), Err(error)) => prop_assert!(is_of_life(&error), "{error}"),
                    (step, decided) => prop_assert!(false, "{step:?}, {decided:?}"),
                }
            }
        }
    }

    #[test]
    fn any_history_goes_where_the_machine_of_events_leads(seed in any::<u64>()) {
        let machine = lifecycle::events();
        let (mut state, mut life) = (Compute::initial_state(), machine.initial());
        for event in arbitrary::events(seed, 60) {
            state = Compute::evolve(state, &event);
            life = machine.next(life, EventKind::of(&event)).unwrap_or(life);
            prop_assert_eq!(state.lifecycle(), life);
        }
    }
}

/// The table of the life as it was written down before the machines, a row for each state: what comes of
/// a registration, of the four statuses in their order, and of any other command. `·` is no event, `✗` a
/// refusal, `=` the command's own event.
const TABLE: [(Lifecycle, [&str; 6]); 5] = [
    (Lifecycle::Absent, ["provisioning", "✗", "✗", "✗", "✗", "✗"]),
    (
        Lifecycle::Known(Status::Provisioning),
        ["✗", "·", "active", "✗", "decommissioned", "="],
    ),
    (
        Lifecycle::Known(Status::Active),
        ["✗", "✗", "·", "maintenance", "decommissioned", "="],
    ),
    (
        Lifecycle::Known(Status::Maintenance),
        ["✗", "✗", "active", "·", "decommissioned", "="],
    ),
    (
        Lifecycle::Known(Status::Decommissioned),
        ["✗", "✗", "✗", "✗", "·", "="],
    ),
];

#[test]
fn commands_lead_where_the_table_says() {
    let statuses = [
        Status::Provisioning,
        Status::Active,
        Status::Maintenance,
        Status::Decommissioned,
    ];
    let changes = statuses.map(CommandKind::ChangeStatus);
    let inputs = [CommandKind::RegisterResource].into_iter().chain(changes);
    let inputs: Vec<_> = inputs.chain([CommandKind::Other]).collect();
    assert_eq!(inputs.len(), lifecycle::commands().inputs().len());
    for (life, row) in TABLE {
        for (&input, expected) in inputs.iter().zip(row) {
            let found = match lifecycle::commands().step(life, input) {
                Err(_) => "✗".to_owned(),
                Ok((next, Effect::Nothing)) => {
                    assert_eq!(next, life);
                    "·".to_owned()
                }
                Ok((next, Effect::Event(EventKind::Other))) => {
                    assert_eq!(next, life);
                    "=".to_owned()
                }
                Ok((next, Effect::Event(_))) => next.to_string(),
            };
            assert_eq!(found, expected, "{input} in {life}");
        }
    }
}

#[test]
fn what_commands_lead_to_is_where_the_events_lead() {
    let (events, decided) = (lifecycle::events(), lifecycle::decided_events());
    for &life in lifecycle::commands().states() {
        for &input in lifecycle::commands().inputs() {
            match lifecycle::commands().step(life, input) {
                Ok((next, Effect::Event(event))) => {
                    assert_eq!(events.next(life, event), Ok(next));
                    assert_eq!(decided.next(life, event), Ok(next));
                }
                Ok((next, Effect::Nothing)) => assert_eq!(next, life),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn a_history_refuses_nothing_once_the_resource_is_known() {
    let machine = lifecycle::events();
    for status in Status::ALL {
        let life = Lifecycle::Known(status);
        assert_eq!(machine.accepts(life), machine.inputs());
        for to in Status::ALL {
            let next = machine.next(life, EventKind::StatusChanged(to));
            assert_eq!(next, Ok(Lifecycle::Known(to)));
            let is_decided = lifecycle::decided_events()
                .next(life, EventKind::StatusChanged(to))
                .is_ok();
            assert_eq!(is_decided, TRANSITIONS.contains(&(status, to)));
        }
        let again = machine.next(life, EventKind::ResourceRegistered);
        assert_eq!(again, Ok(Lifecycle::Known(Status::Provisioning)));
    }
    assert_eq!(
        machine.accepts(Lifecycle::Absent),
        [EventKind::ResourceRegistered]
    );
}

#[test]
fn a_state_says_whether_work_can_be_given() {
    let expected = [
        Availability::None,
        Availability::InPreparation,
        Availability::Schedulable,
        Availability::Drained,
        Availability::Retired,
    ];
    assert_eq!(Lifecycle::ALL.map(Lifecycle::availability), expected);
}

#[test]
fn the_diagrams_show_the_life_as_it_is_decided() {
    let diagrams = Compute::diagrams();
    assert_eq!(diagrams[0].mermaid, EVENTS);
    assert_eq!(diagrams[1].mermaid, COMMANDS);
}

const EVENTS: &str = r#"stateDiagram-v2
    state "absent" as s_absent
    state "provisioning" as s_provisioning
    state "active" as s_active
    state "maintenance" as s_maintenance
    state "decommissioned" as s_decommissioned
    s_absent: none
    s_provisioning: in-preparation
    s_active: schedulable
    s_maintenance: drained
    s_decommissioned: retired
    [*] --> s_absent
    s_absent --> s_provisioning: ResourceRegistered
    s_provisioning --> s_provisioning: any other event
    s_provisioning --> s_active: StatusChanged(active)
    s_provisioning --> s_decommissioned: StatusChanged(decommissioned)
    s_active --> s_active: any other event
    s_active --> s_maintenance: StatusChanged(maintenance)
    s_active --> s_decommissioned: StatusChanged(decommissioned)
    s_maintenance --> s_maintenance: any other event
    s_maintenance --> s_active: StatusChanged(active)
    s_maintenance --> s_decommissioned: StatusChanged(decommissioned)
    s_decommissioned --> s_decommissioned: any other event
"#;

const COMMANDS: &str = r#"stateDiagram-v2
    state "absent" as s_absent
    state "provisioning" as s_provisioning
    state "active" as s_active
    state "maintenance" as s_maintenance
    state "decommissioned" as s_decommissioned
    [*] --> s_absent
    s_absent --> s_provisioning: RegisterResource / ResourceRegistered
    s_provisioning --> s_provisioning: any other command / its event
    s_provisioning --> s_provisioning: ChangeStatus(provisioning) / no event
    s_provisioning --> s_active: ChangeStatus(active) / StatusChanged(active)
    s_provisioning --> s_decommissioned: ChangeStatus(decommissioned) / StatusChanged(decommissioned)
    s_active --> s_active: any other command / its event
    s_active --> s_active: ChangeStatus(active) / no event
    s_active --> s_maintenance: ChangeStatus(maintenance) / StatusChanged(maintenance)
    s_active --> s_decommissioned: ChangeStatus(decommissioned) / StatusChanged(decommissioned)
    s_maintenance --> s_maintenance: any other command / its event
    s_maintenance --> s_active: ChangeStatus(active) / StatusChanged(active)
    s_maintenance --> s_maintenance: ChangeStatus(maintenance) / no event
    s_maintenance --> s_decommissioned: ChangeStatus(decommissioned) / StatusChanged(decommissioned)
    s_decommissioned --> s_decommissioned: any other command / its event
    s_decommissioned --> s_decommissioned: ChangeStatus(decommissioned) / no event
"#;
