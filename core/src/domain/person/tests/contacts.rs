//! Addresses and phones, added, verified and removed.

use super::*;
use crate::aggregate::fold;
use crate::testing::given;

fn add_email(text: &str, primary: bool) -> PersonCommand {
    PersonCommand::AddEmail {
        email: email(text),
        primary,
    }
}

fn verify_email(text: &str) -> PersonCommand {
    PersonCommand::VerifyEmail { email: email(text) }
}

fn remove_email(text: &str) -> PersonCommand {
    PersonCommand::RemoveEmail { email: email(text) }
}

fn add_phone(text: &str, primary: bool) -> PersonCommand {
    PersonCommand::AddPhone {
        phone: phone(text),
        primary,
    }
}

fn remove_phone(text: &str) -> PersonCommand {
    PersonCommand::RemovePhone {
        phone: number(text),
    }
}

#[test]
fn an_address_is_added_once_however_it_is_spelled() {
    given::<Person>([created()])
        .when(add_email("ada@example.org", true))
        .then([email_added("ada@example.org", true)]);
    let exists = PersonError::EmailExists {
        email: email("ada@example.org"),
    };
    given::<Person>([created(), email_added("ada@example.org", true)])
        .when(add_email("ADA@example.org", false))
        .then_refused(exists);
    given::<Person>([
        created(),
        email_added("ada@example.org", true),
        email_removed("ada@example.org"),
    ])
    .when(add_email("ADA@example.org", false))
    .then([email_added("ADA@example.org", false)]);
}

#[test]
fn an_address_is_verified_once_by_the_spelling_that_is_known() {
    let history = [created(), email_added("ada@example.org", false)];
    given::<Person>(history.clone())
        .when(verify_email("ADA@example.org"))
        .then([email_verified("ada@example.org")]);
    given::<Person>(
        history
            .into_iter()
            .chain([email_verified("ada@example.org")]),
    )
    .when(verify_email("ada@example.org"))
    .then_nothing();
    given::<Person>([created()])
        .when(verify_email("ada@example.org"))
        .then_refused(PersonError::EmailAbsent {
            email: email("ada@example.org"),
        });
}

#[test]
fn an_address_is_removed_when_it_is_there() {
    given::<Person>([created(), email_added("ada@example.org", false)])
        .when(remove_email("ADA@example.org"))
        .then([email_removed("ada@example.org")]);
    given::<Person>([created()])
        .when(remove_email("ada@example.org"))
        .then_refused(PersonError::EmailAbsent {
            email: email("ada@example.org"),
        });
}

#[test]
fn a_phone_is_added_once_by_its_digits() {
    given::<Person>([created()])
        .when(add_phone("555-0100", false))
        .then([phone_added("555-0100", false)]);
    given::<Person>([created(), phone_added("555-0100", false)])
        .when(add_phone("(555) 0100", true))
        .then_refused(PersonError::PhoneExists {
            phone: number("555-0100"),
        });
}

#[test]
fn a_number_in_another_country_or_with_another_extension_is_another_phone() {
    let added = |country, extension| PersonEvent::PhoneAdded {
        phone: PhoneNumber::new(number("555-0100"), country, extension).expect("a phone"),
        primary: false,
    };
    let history = [
        created(),
        added(Some("1"), None),
        added(Some("44"), None),
        added(Some("1"), Some("7")),
    ];
    let state = fold::<Person>(Person::initial_state(), &history);
    assert_eq!(state.phones.len(), 3);
    given::<Person>(history)
        .when(add_phone("555-0100", false))
        .then([phone_added("555-0100", false)])
        .when(remove_phone("5550100"))
        .then([phone_removed("555-0100")])
        .then_state(PersonState {
            phones: Vec::new(),
            ..state
        });
}

#[test]
fn a_phone_is_removed_when_it_is_there() {
    given::<Person>([created(), phone_added("555-0100", false)])
        .when(remove_phone("5550100"))
        .then([phone_removed("555-0100")]);
    given::<Person>([created()])
        .when(remove_phone("555-0100"))
        .then_refused(PersonError::PhoneAbsent {
            phone: number("555-0100"),
        });
}

#[test]
fn there_are_no_more_addresses_and_phones_than_the_limits() {
    let address = |number: usize| format!("ada{number}@example.org");
    let history = (0..MAX_EMAILS).map(|it| email_added(&address(it), false));
    given::<Person>([created()].into_iter().chain(history))
        .when(add_email(&address(MAX_EMAILS), false))
        .then_refused(PersonError::TooMany {
            what: "e-mail addresses",
            limit: MAX_EMAILS,
        });
    let dialled = |number: usize| format!("555-{number:04}");
    let history = (0..MAX_PHONES).map(|it| phone_added(&dialled(it), false));
    given::<Person>([created()].into_iter().chain(history))
        .when(add_phone(&dialled(MAX_PHONES), false))
        .then_refused(PersonError::TooMany {
            what: "phones",
            limit: MAX_PHONES,
        });
}

#[test]
fn one_is_the_primary_one() {
    let history = [
        created(),
        email_added("a@example.org", true),
        email_added("b@example.org", true),
        email_added("c@example.org", false),
        phone_added("111", true),
        phone_added("222", true),
        phone_added("333", false),
    ];
    let state = fold::<Person>(Person::initial_state(), &history);
    let primary: Vec<bool> = state.emails.iter().map(|it| it.primary).collect();
    assert_eq!(primary, [false, true, false]);
    let primary: Vec<bool> = state.phones.iter().map(|it| it.primary).collect();
    assert_eq!(primary, [false, true, false]);
}
