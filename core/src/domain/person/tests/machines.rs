//! The state machines say what is decided and what a history says, and their diagrams say so too.

use proptest::prelude::*;

use super::lifecycle::{self, CommandKind, Effect, EventKind, Standing};
use super::*;
use crate::aggregate::fold;
use crate::payload::Typed as _;

/// A state of each life cycle, with a little of everything else from the seed.
fn state_in(lifecycle: Lifecycle, seed: u64) -> PersonState {
    if lifecycle == Lifecycle::Draft {
        return Person::initial_state();
    }
    let mut history = vec![created()];
    history.extend(arbitrary::events(seed, 20));
    history.push(match lifecycle {
        Lifecycle::Draft | Lifecycle::Active => activated(),
        Lifecycle::Suspended => suspended(),
        Lifecycle::Archived => archived(),
        Lifecycle::Deceased => died("1852-11-27"),
        Lifecycle::Merged => merged(),
    });
    let state = fold::<Person>(Person::initial_state(), &history);
    assert_eq!(state.lifecycle, lifecycle);
    state
}

/// The one event that a command may make, by its type.
fn type_of_event(command: &PersonCommand) -> &'static str {
    match command {
        PersonCommand::CreatePerson { .. } => "PersonCreated",
        PersonCommand::UpdateName { .. } => "NameUpdated",
        PersonCommand::SetBirthDate { .. } => "BirthDateSet",
        PersonCommand::RecordDeath { .. } => "DeathRecorded",
        PersonCommand::DeactivatePerson { .. } => "PersonSuspended",
        PersonCommand::ReactivatePerson { .. } => "PersonActivated",
        PersonCommand::ArchivePerson { .. } => "PersonArchived",
        PersonCommand::MergePersons { .. } => "PersonMerged",
        PersonCommand::AddEmail { .. } => "EmailAdded",
        PersonCommand::VerifyEmail { .. } => "EmailVerified",
        PersonCommand::RemoveEmail { .. } => "EmailRemoved",
        PersonCommand::AddPhone { .. } => "PhoneAdded",
        PersonCommand::RemovePhone { .. } => "PhoneRemoved",
        PersonCommand::AssignLocation { .. } => "LocationAssigned",
        PersonCommand::AddEmployment { .. } => "EmploymentAdded",
        PersonCommand::LinkIdentity { .. } => "IdentityLinked",
        PersonCommand::AddExternalIdentifier { .. } => "ExternalIdentifierAdded",
    }
}

/// Whether the life cycle says no, and not a rule about what the person has.
fn is_of_life(error: &PersonError) -> bool {
    match error {
        PersonError::Exists
        | PersonError::Absent
        | PersonError::Ended { .. }
        | PersonError::NotActive { .. } => true,
        PersonError::BirthDateSet { .. }
        | PersonError::DeathBeforeBirth { .. }
        | PersonError::EmailExists { .. }
        | PersonError::EmailAbsent { .. }
        | PersonError::PhoneExists { .. }
        | PersonError::PhoneAbsent { .. }
        | PersonError::TooMany { .. } => false,
    }
}

/// Checks one command in one state, and says whether it made an event.
fn check(state: &PersonState, command: PersonCommand) -> Result<bool, TestCaseError> {
    let life = state.lifecycle;
    let type_name = type_of_event(&command);
    let step = lifecycle::commands().step(life, CommandKind::of(&command));
    match (step, Person::decide(state, command)) {
        (Ok((next, Effect::Event(expected))), Ok(events)) => {
            for event in &events {
                prop_assert_eq!(EventKind::of(event), expected);
                prop_assert_eq!(event.declared().name, type_name);
                prop_assert_eq!(lifecycle::events().next(life, expected), Ok(next));
                prop_assert_eq!(lifecycle::decided_events().next(life, expected), Ok(next));
                let after = Person::evolve(state.clone(), event);
                prop_assert_eq!(after.lifecycle, next);
                prop_assert_ne!(&after, state, "an event says something new");
            }
            // What is so already makes no event, but a step of the life cycle does.
            let is_change = matches!(expected, EventKind::Other | EventKind::BirthDateSet);
            prop_assert!(events.len() == 1 || is_change && events.is_empty());
            Ok(!events.is_empty())
        }
        (Ok((next, Effect::Nothing)), Ok(events)) => {
            prop_assert_eq!((next, events), (life, Vec::new()));
            Ok(false)
        }
        // The rules of a command may be stricter than the life cycle.
        (Ok((_, Effect::Event(_))), Err(error)) => {
            prop_assert!(!is_of_life(&error), "{error}");
            Ok(false)
        }
        (Err(_), Err(error)) => {
            prop_assert!(is_of_life(&error), "{error}");
            Ok(false)
        }
        (step, decided) => {
            prop_assert!(false, "{step:?}, {decided:?}");
            Ok(false)
        }
    }
}

proptest! {
    #[test]
    fn what_is_decided_and_folded_is_what_the_machines_say(seed in any::<u64>()) {
        for &lifecycle in lifecycle::commands().states() {
            let state = state_in(lifecycle, seed);
            let mut commands = arbitrary::commands(seed, 40);
            let mut chance = crate::domain::chance::Chance::new(seed);
            commands.extend((0..4).map(|_| arbitrary::end(&mut chance)));
            for command in commands {
                check(&state, command)?;
            }
        }
    }

    #[test]
    fn any_history_goes_where_its_last_event_of_life_leads(seed in any::<u64>()) {
        let mut state = Person::initial_state();
        for event in arbitrary::events(seed, 60) {
            let before = state.lifecycle;
            state = Person::evolve(state, &event);
            let expect = match (before, &event) {
                (_, PersonEvent::PersonCreated { .. }) => Lifecycle::Active,
                (Lifecycle::Draft, _) => Lifecycle::Draft,
                (_, PersonEvent::PersonActivated { .. }) => Lifecycle::Active,
                (_, PersonEvent::PersonSuspended { .. }) => Lifecycle::Suspended,
                (_, PersonEvent::PersonArchived { .. }) => Lifecycle::Archived,
                (_, PersonEvent::DeathRecorded { .. }) => Lifecycle::Deceased,
                (_, PersonEvent::PersonMerged { .. }) => Lifecycle::Merged,
                (before, _) => before,
            };
            prop_assert_eq!(state.lifecycle, expect);
        }
    }
}

#[test]
fn every_command_is_once_accepted_by_chance() {
    let mut made = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut state = Person::initial_state();
        for command in arbitrary::commands(seed, 60) {
            let type_name = type_of_event(&command);
            if check(&state, command.clone()).expect("machines and decisions agree") {
                made.insert(type_name);
                let events = Person::decide(&state, command).expect("it was accepted");
                state = fold::<Person>(state, &events);
            }
        }
    }
    assert_eq!(made.len(), PersonEvent::TYPES.len(), "{made:?}");
}

#[test]
fn what_commands_lead_to_is_where_the_events_lead() {
    let (events, decided) = (lifecycle::events(), lifecycle::decided_events());
    for life in Lifecycle::ALL {
        for kind in CommandKind::ALL {
            match lifecycle::commands().step(life, kind) {
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
fn a_history_refuses_nothing_once_the_person_is_created() {
    let events = lifecycle::events();
    assert_eq!(events.accepts(Lifecycle::Draft), [EventKind::Created]);
    for life in Lifecycle::ALL.into_iter().skip(1) {
        assert_eq!(events.accepts(life), EventKind::ALL);
        let decided = lifecycle::decided_events().accepts(life);
        assert_eq!(decided.is_empty(), life.is_end());
        assert!(!decided.contains(&EventKind::Created));
    }
}

#[test]
fn a_record_stands_as_its_state_says() {
    assert_eq!(
        Lifecycle::ALL.map(Lifecycle::standing),
        [
            Standing::None,
            Standing::Current,
            Standing::Paused,
            Standing::Closed,
            Standing::Closed,
            Standing::Redirected,
        ]
    );
}

#[test]
fn the_diagrams_show_the_life_as_it_is_decided() {
    let diagrams = Person::diagrams();
    assert_eq!(diagrams[0].mermaid, BY_COMMANDS);
    assert_eq!(diagrams[1].mermaid, BY_EVENTS);
}

const BY_COMMANDS: &str = r#"stateDiagram-v2
    state "draft" as s_draft
    state "active" as s_active
    state "suspended" as s_suspended
    state "archived" as s_archived
    state "deceased" as s_deceased
    state "merged" as s_merged
    [*] --> s_draft
    s_draft --> s_active: CreatePerson / PersonCreated
    s_active --> s_suspended: DeactivatePerson / PersonSuspended
    s_active --> s_active: ReactivatePerson / nothing
    s_active --> s_archived: ArchivePerson / PersonArchived
    s_active --> s_deceased: RecordDeath / DeathRecorded
    s_active --> s_merged: MergePersons / PersonMerged
    s_active --> s_active: SetBirthDate / BirthDateSet
    s_active --> s_active: any other / its event
    s_suspended --> s_suspended: DeactivatePerson / nothing
    s_suspended --> s_active: ReactivatePerson / PersonActivated
    s_suspended --> s_archived: ArchivePerson / PersonArchived
    s_suspended --> s_deceased: RecordDeath / DeathRecorded
    s_suspended --> s_suspended: SetBirthDate / BirthDateSet
    s_archived --> [*]
    s_deceased --> [*]
    s_merged --> [*]
"#;

const BY_EVENTS: &str = r#"stateDiagram-v2
    state "draft" as s_draft
    state "active" as s_active
    state "suspended" as s_suspended
    state "archived" as s_archived
    state "deceased" as s_deceased
    state "merged" as s_merged
    s_draft: none
    s_active: current
    s_suspended: paused
    s_archived: closed
    s_deceased: closed
    s_merged: redirected
    [*] --> s_draft
    s_draft --> s_active: PersonCreated
    s_active --> s_suspended: PersonSuspended
    s_active --> s_archived: PersonArchived
    s_active --> s_deceased: DeathRecorded
    s_active --> s_merged: PersonMerged
    s_active --> s_active: BirthDateSet
    s_active --> s_active: any other
    s_suspended --> s_active: PersonActivated
    s_suspended --> s_archived: PersonArchived
    s_suspended --> s_deceased: DeathRecorded
    s_suspended --> s_suspended: BirthDateSet
    s_archived --> [*]
    s_deceased --> [*]
    s_merged --> [*]
"#;
