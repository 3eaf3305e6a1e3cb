//! What a state answers.

use super::*;
use crate::aggregate::fold;

fn state(history: &[PersonEvent]) -> PersonState {
    fold::<Person>(Person::initial_state(), history)
}

#[test]
fn a_person_is_shown_by_its_last_name() {
    assert_eq!(state(&[]).display_name(), None);
    let renamed = PersonEvent::NameUpdated {
        old_name: None,
        new_name: name("King"),
        change_reason: None,
    };
    let shown = |history: &[_]| state(history).display_name();
    assert_eq!(shown(&[created()]).as_deref(), Some("Ada Lovelace"));
    assert_eq!(shown(&[created(), renamed]).as_deref(), Some("Ada King"));
}

#[test]
fn the_primary_address_is_the_first_where_none_is_chosen() {
    let shown = |history: &[_]| {
        let state = state(history);
        state.primary_email().map(|it| it.email.to_string())
    };
    let (a, b) = ("a@example.org", "b@example.org");
    assert_eq!(shown(&[created()]), None);
    let mut history = vec![created(), email_added(a, false), email_added(b, false)];
    assert_eq!(shown(&history).as_deref(), Some(a));
    history.push(email_added("c@example.org", true));
    assert_eq!(shown(&history).as_deref(), Some("c@example.org"));
    history.push(email_removed("c@example.org"));
    assert_eq!(shown(&history).as_deref(), Some(a));

    let shown = |history: &[_]| {
        let state = state(history);
        state.primary_phone().map(|it| it.phone.to_string())
    };
    assert_eq!(shown(&[created()]), None);
    let history = [
        created(),
        phone_added("111", false),
        phone_added("222", true),
    ];
    assert_eq!(shown(&history[..2]).as_deref(), Some("111"));
    assert_eq!(shown(&history).as_deref(), Some("222"));
}

#[test]
fn a_record_may_be_changed_from_its_creation_to_its_end() {
    for (history, expect) in [
        (vec![], false),
        (vec![created()], true),
        (vec![created(), suspended()], true),
        (vec![created(), archived()], false),
        (vec![created(), died("1852-11-27")], false),
        (vec![created(), merged()], false),
    ] {
        let state = state(&history);
        assert_eq!(state.can_be_modified(), expect, "{history:?}");
        let is_end = !expect && state.lifecycle != Lifecycle::Draft;
        assert_eq!(state.lifecycle.is_end(), is_end);
    }
}
