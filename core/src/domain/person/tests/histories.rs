//! What histories fold to: in parts, through the JSON of a state, through stored events, and when they
//! are not ours.

use proptest::prelude::*;

use super::*;
use crate::aggregate::fold;

/// The events of the commands that are accepted.
fn lived(commands: Vec<PersonCommand>) -> Vec<PersonEvent> {
    let mut history = Vec::new();
    let mut state = Person::initial_state();
    for command in commands {
        if let Ok(events) = Person::decide(&state, command) {
            state = fold::<Person>(state, &events);
            history.extend(events);
        }
    }
    history
}

fn state(history: &[PersonEvent]) -> PersonState {
    fold::<Person>(Person::initial_state(), history)
}

proptest! {
    #[test]
    fn a_history_folds_the_same_in_parts_through_json_and_through_the_store(
        seed in any::<u64>(),
        cut in 0_usize..60,
    ) {
        let history = lived(arbitrary::commands(seed, 60));
        let (first, second) = history.split_at(cut.min(history.len()));
        let whole = state(&history);

        let half = state(first);
        prop_assert_eq!(&fold::<Person>(half.clone(), second), &whole);

        let json = serde_json::to_vec(&half).expect("states are written as JSON");
        let reread: PersonState = serde_json::from_slice(&json).expect("and read");
        prop_assert_eq!(&reread, &half);
        prop_assert_eq!(&fold::<Person>(reread, second), &whole);

        let upcasters = Person::upcasters();
        let mut read = Vec::new();
        for event in &history {
            read.extend(payload::read::<PersonEvent>(&stored(event), &upcasters).expect("ours"));
        }
        prop_assert_eq!(&read, &history);
    }

    #[test]
    fn commands_go_through_json(seed in any::<u64>()) {
        for command in arbitrary::commands(seed, 20) {
            let (name, body) = payload::encode(&command);
            let read: PersonCommand = payload::decode(&name, &body).expect("ours");
            prop_assert_eq!(read, command);
        }
    }

    #[test]
    fn any_foreign_history_folds_in_parts_and_through_the_store(
        seed in any::<u64>(),
        count in 0_usize..200,
        cut in 0_usize..200,
    ) {
        let history = arbitrary::events(seed, count);
        let (first, second) = history.split_at(cut.min(count));
        let whole = state(&history);
        prop_assert_eq!(&fold::<Person>(state(first), second), &whole);
        let upcasters = Person::upcasters();
        for event in &history {
            let read = payload::read::<PersonEvent>(&stored(event), &upcasters).expect("ours");
            prop_assert_eq!(&read, std::slice::from_ref(event));
        }
        let is_created = history
            .iter()
            .any(|event| matches!(event, PersonEvent::PersonCreated { .. }));
        prop_assert_eq!(whole.name.is_some(), is_created);
    }
}

#[test]
fn arbitrary_commands_are_a_mix() {
    let (mut accepted, mut refused, mut unchanged) = (0, 0, 0);
    for seed in 0..200 {
        let mut state = Person::initial_state();
        for command in arbitrary::commands(seed, 40) {
            match Person::decide(&state, command) {
                Ok(events) if events.is_empty() => unchanged += 1,
                Ok(events) => {
                    accepted += 1;
                    state = fold::<Person>(state, &events);
                }
                Err(_) => refused += 1,
            }
        }
    }
    for count in [accepted, refused, unchanged] {
        assert!(count > 400, "{accepted} {refused} {unchanged} of 8000");
    }
    assert_eq!(arbitrary::commands(7, 30), arbitrary::commands(7, 30));
    assert_eq!(arbitrary::events(7, 30), arbitrary::events(7, 30));
    assert_ne!(arbitrary::commands(7, 30), arbitrary::commands(8, 30));
}

#[test]
fn nothing_is_known_before_the_creation() {
    let history = [
        suspended(),
        email_added("ada@example.org", true),
        born("1815-12-10"),
        merged(),
    ];
    assert_eq!(state(&history), PersonState::default());
}

#[test]
fn a_second_creation_begins_the_life_again_and_leaves_the_rest() {
    let again = PersonEvent::PersonCreated {
        name: name("King"),
        source: label("erp"),
    };
    let history = [
        created(),
        email_added("ada@example.org", true),
        suspended(),
        again,
    ];
    let state = state(&history);
    assert_eq!(state.lifecycle, Lifecycle::Active);
    assert_eq!(state.display_name().as_deref(), Some("Ada King"));
    assert_eq!((state.reason, state.emails.len()), (None, 1));
}

#[test]
fn what_a_foreign_history_repeats_or_contradicts_changes_nothing_else() {
    let linked = PersonEvent::IdentityLinked {
        identity_id: id(OTHER),
        identity_type: label("login"),
    };
    let history = [
        created(),
        email_verified("nobody@example.org"),
        email_removed("nobody@example.org"),
        phone_removed("112"),
        email_added("ada@example.org", true),
        email_added("grace@example.org", false),
        email_added("ADA@example.org", false),
        phone_added("555-0100", false),
        phone_added("(555) 0100", true),
        linked.clone(),
        linked,
        died("1852-11-27"),
        suspended(),
    ];
    let state = state(&history);
    let emails: Vec<_> = state.emails.iter().map(|it| it.email.as_str()).collect();
    assert_eq!(emails, ["ADA@example.org", "grace@example.org"]);
    let phones: Vec<_> = state.phones.iter().map(|it| it.phone.to_string()).collect();
    assert_eq!(phones, ["(555) 0100"]);
    assert_eq!(state.identities.len(), 1);
    assert_eq!(state.lifecycle, Lifecycle::Suspended);
    assert_eq!(state.death_date, Some(date("1852-11-27")));
}

#[test]
fn why_a_record_ended_is_forgotten_when_it_goes_on() {
    let state = state(&[created(), merged(), activated()]);
    assert_eq!(state.lifecycle, Lifecycle::Active);
    assert_eq!((state.merged_into, state.reason), (None, None));
}

#[test]
fn a_foreign_history_beyond_the_limits_makes_no_larger_state() {
    let mut history = vec![created()];
    for number in 0..200 {
        let text = format!("{number}");
        history.extend([
            email_added(&format!("ada{number}@example.org"), true),
            phone_added(&format!("555-{number:04}"), true),
            PersonEvent::LocationAssigned {
                location_id: id(OTHER),
                location_type: label(&text),
            },
            PersonEvent::EmploymentAdded {
                organization_id: id(OTHER),
                role: label(&text),
            },
            PersonEvent::IdentityLinked {
                identity_id: id(OTHER),
                identity_type: label(&text),
            },
            PersonEvent::ExternalIdentifierAdded {
                system: label("crm"),
                identifier: label(&text),
            },
        ]);
    }
    let state = state(&history);
    assert_eq!((state.emails.len(), state.phones.len()), (32, 32));
    // What is passed over takes nothing from those that are kept.
    assert!(state.emails[31].primary && state.phones[31].primary);
    let lens = [
        state.locations.len(),
        state.employments.len(),
        state.identities.len(),
        state.external_identifiers.len(),
    ];
    assert_eq!(lens, [64; 4]);
    assert_eq!(state.locations[63].location_type, label("63"));
}

#[test]
fn a_state_has_one_form_in_json() {
    let history = [
        created(),
        email_added("ada@example.org", true),
        phone_added("112", false),
        suspended(),
    ];
    let json = serde_json::to_string(&state(&history)).expect("JSON");
    assert_eq!(
        json,
        concat!(
            r#"{"lifecycle":"suspended","name":{"components":{"given_names":["Ada"],"#,
            r#""family_names":["Lovelace"],"patronymic":null,"matronymic":null,"prefixes":[],"#,
            r#""suffixes":[]},"preferred_form":null,"naming_convention":"Western"},"#,
            r#""source":"crm","birth_date":null,"death_date":null,"reason":"on leave","#,
            r#""merged_into":null,"emails":[{"email":"ada@example.org","verified":false,"#,
            r#""primary":true}],"phones":[{"phone":{"number":"112","country_code":null,"#,
            r#""extension":null},"primary":false}],"locations":[],"employments":[],"#,
            r#""identities":[],"external_identifiers":[]}"#
        )
    );
}
