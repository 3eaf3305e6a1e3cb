//! What histories fold to: in parts, through the JSON of a state, through stored events, and when they
//! are not ours.

use proptest::prelude::*;

use super::*;
use crate::aggregate::fold;
use crate::payload;

/// The events of the commands that are accepted.
fn lived(commands: Vec<ComputeCommand>) -> Vec<ComputeEvent> {
    let mut history = Vec::new();
    let mut state = Compute::initial_state();
    for command in commands {
        if let Ok(events) = Compute::decide(&state, command) {
            state = fold::<Compute>(state, &events);
            history.extend(events);
        }
    }
    history
}

/// The state with the spelling of its hostname, which equality ignores.
fn exact(state: &ComputeState) -> String {
    serde_json::to_string(state).expect("states are written as JSON")
}

proptest! {
    #[test]
    fn a_history_folds_the_same_in_parts_through_json_and_through_the_store(
        seed in any::<u64>(),
        cut in 0_usize..60,
    ) {
        let history = lived(arbitrary::commands(seed, 60));
        let (first, second) = history.split_at(cut.min(history.len()));
        let initial = Compute::initial_state();
        let whole = fold::<Compute>(initial.clone(), &history);

        let half = fold::<Compute>(initial.clone(), first);
        let in_parts = fold::<Compute>(half.clone(), second);
        prop_assert_eq!(exact(&in_parts), exact(&whole));

        let json = serde_json::to_vec(&half).expect("states are written as JSON");
        let reread: ComputeState = serde_json::from_slice(&json).expect("and read");
        prop_assert_eq!(&reread, &half);
        let went_on = fold::<Compute>(reread, second);
        prop_assert_eq!(exact(&went_on), exact(&whole));

        let upcasters = Compute::upcasters();
        let mut read = Vec::new();
        for event in &history {
            read.extend(payload::read::<ComputeEvent>(&stored(event), &upcasters).expect("ours"));
        }
        prop_assert_eq!(&read, &history);
        prop_assert_eq!(exact(&fold::<Compute>(initial, &read)), exact(&whole));
    }

    #[test]
    fn commands_go_through_json(seed in any::<u64>()) {
        for command in arbitrary::commands(seed, 20) {
            let (name, body) = payload::encode(&command);
            let read: ComputeCommand = payload::decode(&name, &body).expect("ours");
            prop_assert_eq!(read, command);
        }
    }

    #[test]
    fn any_foreign_history_folds(seed in any::<u64>(), count in 0_usize..200) {
        let events = arbitrary::events(seed, count);
        let state = fold::<Compute>(Compute::initial_state(), &events);
        let is_registered = events
            .iter()
            .any(|event| matches!(event, ComputeEvent::ResourceRegistered { .. }));
        prop_assert_eq!(state.resource().is_some(), is_registered);
        let read: ComputeState = serde_json::from_str(&exact(&state)).expect("states are read");
        prop_assert_eq!(exact(&read), exact(&state));
    }
}

#[test]
fn arbitrary_commands_are_a_mix() {
    let (mut accepted, mut unchanged, mut refused) = (0, 0, 0);
    let mut ends = Vec::new();
    for seed in 0..200 {
        let mut state = Compute::initial_state();
        for command in arbitrary::commands(seed, 40) {
            match Compute::decide(&state, command) {
                Ok(events) if events.is_empty() => unchanged += 1,
                Ok(events) => {
                    accepted += 1;
                    state = fold::<Compute>(state, &events);
                }
                Err(_) => refused += 1,
            }
        }
        ends.push(state.lifecycle());
    }
    // A tenth of all at least.
    for count in [accepted, unchanged, refused] {
        assert!(count > 800, "{accepted} {unchanged} {refused}");
    }
    for status in Status::ALL {
        assert!(ends.contains(&Lifecycle::Known(status)), "{status}");
    }
    assert_eq!(arbitrary::commands(7, 30), arbitrary::commands(7, 30));
}

#[test]
fn nothing_is_known_before_the_registration() {
    let events = [
        changed(Status::Provisioning, Status::Active),
        noted(1, "lost"),
        ComputeEvent::AccountConceptCleared {},
    ];
    let state = fold::<Compute>(Compute::initial_state(), &events);
    assert_eq!(state, ComputeState::Absent);
}

#[test]
fn a_second_registration_begins_the_life_again_and_leaves_the_rest() {
    let again = ComputeEvent::ResourceRegistered {
        hostname: Hostname::new("other").expect("the name of a host"),
        resource_type: ResourceType::Router,
        tags: tags(&["edge"]),
    };
    let history = [
        registered(),
        changed(Status::Provisioning, Status::Active),
        noted(1, "kept"),
        again,
    ];
    let state = fold::<Compute>(Compute::initial_state(), &history);
    let resource = state.resource().expect("registered");
    assert_eq!(resource.hostname.as_str(), "other");
    assert_eq!(resource.resource_type, ResourceType::Router);
    assert_eq!(resource.tags, tags(&["edge"]));
    assert_eq!(resource.status, Status::Provisioning);
    assert_eq!(resource.metadata.len(), 1);
}

#[test]
fn what_a_foreign_history_repeats_or_contradicts_changes_nothing_else() {
    let policy_id = policy(1);
    let history = [
        registered(),
        ComputeEvent::PolicyRemoved { policy_id },
        ComputeEvent::PolicyAdded { policy_id },
        ComputeEvent::PolicyAdded { policy_id },
        changed(Status::Maintenance, Status::Decommissioned),
        changed(Status::Provisioning, Status::Active),
    ];
    let state = fold::<Compute>(Compute::initial_state(), &history);
    let resource = state.resource().expect("registered");
    assert_eq!(resource.policies.iter().collect::<Vec<_>>(), [&policy_id]);
    assert_eq!(resource.status, Status::Active);
}

#[test]
fn a_foreign_history_beyond_the_limits_makes_no_larger_state() {
    let added = |number| ComputeEvent::PolicyAdded {
        policy_id: policy(number),
    };
    let mut history = vec![registered()];
    history.extend((0..200).map(added));
    history.extend((0..200).map(|number| noted(number, "first")));
    history.extend((0..200).map(|number| noted(number, "second")));
    let state = fold::<Compute>(Compute::initial_state(), &history);
    let resource = state.resource().expect("registered");
    let policies: Vec<_> = (0..64).map(policy).collect();
    assert!(resource.policies.iter().eq(&policies));
    assert_eq!(resource.metadata.len(), 64);
    assert!(
        resource
            .metadata
            .values()
            .all(|value| value.as_str() == "second")
    );
}

#[test]
fn a_state_has_one_form_in_json() {
    let absent = serde_json::to_string(&ComputeState::Absent).expect("JSON");
    assert_eq!(absent, r#""absent""#);
    let history = [registered(), noted(1, "x")];
    let state = fold::<Compute>(Compute::initial_state(), &history);
    assert_eq!(
        exact(&state),
        concat!(
            r#"{"known":{"hostname":"server01.example.com","resource_type":"physical_server","#,
            r#""tags":["production"],"organization_id":null,"location_id":null,"owner_id":null,"#,
            r#""policies":[],"account_concept_id":null,"manufacturer":null,"model":null,"#,
            r#""serial_number":null,"asset_tag":null,"metadata":{"key_1":"x"},"#,
            r#""status":"provisioning"}}"#
        )
    );
}
