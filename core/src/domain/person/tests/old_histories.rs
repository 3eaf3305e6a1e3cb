//! Whole histories of version 1, folded.

use super::*;
use crate::testing::given_stored;

/// What everybody has who was written down in this form: id and time are passed over.
macro_rules! body {
    ($($field:tt : $value:tt),* $(,)?) => {
        serde_json::json!({
            "person_id": "01934f4a-1000-7000-8000-000000001000",
            $($field: $value,)*
            "updated_at": "2025-06-12T09:30:00Z",
        })
    };
}

#[test]
fn a_history_of_the_first_form_without_metadata_and_with_one_text_for_a_name_still_loads() {
    let given = given_stored::<Person>([
        (
            "PersonRegistered",
            1,
            body! {
                "identity": {
                    "legal_name": "John Doe",
                    "preferred_name": "Johnny",
                    "date_of_birth": "1990-01-01",
                    "government_id": "123-45-6789",
                },
                "contact": {
                    "emails": [{
                        "email": "john@example.com",
                        "email_type": "work",
                        "is_primary": true,
                        "is_verified": true,
                    }],
                    "phones": [{
                        "number": "+1-555-123-4567",
                        "phone_type": "mobile",
                        "is_primary": true,
                        "sms_capable": true,
                    }],
                    "addresses": [OTHER],
                },
            },
        ),
        (
            "EmploymentAdded",
            1,
            body! {
                "employment": {
                    "organization_id": ORGANIZATION,
                    "employee_id": "E1",
                    "title": "Software Engineer",
                    "department": null,
                    "manager_id": null,
                    "status": "active",
                    "start_date": "2020-01-01",
                    "end_date": null,
                },
            },
        ),
        (
            "ExternalIdentifierAdded",
            1,
            body! { "system": "ldap", "identifier": "jdoe" },
        ),
    ]);
    let name = NameComponents {
        given_names: vec!["John Doe".to_owned()],
        ..NameComponents::default()
    };
    let preferred = Some("Johnny".to_owned());
    let name = PersonName::new(name, preferred, NamingConvention::Mononymic).expect("a name");
    assert_eq!(
        (name.display(), name.full()),
        ("Johnny".into(), "John Doe".into())
    );
    given.then_state(PersonState {
        lifecycle: Lifecycle::Active,
        name: Some(name),
        source: Some(label("registration")),
        birth_date: Some(date("1990-01-01")),
        emails: vec![Email {
            email: email("john@example.com"),
            verified: true,
            primary: true,
        }],
        phones: vec![Phone {
            phone: phone("+1-555-123-4567"),
            primary: true,
        }],
        locations: vec![Location {
            location_id: id(OTHER),
            location_type: label("address"),
        }],
        employments: vec![Employment {
            organization_id: id(ORGANIZATION),
            role: label("Software Engineer"),
        }],
        external_identifiers: vec![
            ExternalIdentifier {
                system: label("government"),
                identifier: label("123-45-6789"),
            },
            ExternalIdentifier {
                system: label("ldap"),
                identifier: label("jdoe"),
            },
        ],
        ..PersonState::default()
    });
}

#[test]
fn a_history_of_all_forms_and_of_today_is_one_life() {
    let (ada, king) = (
        serde_json::json!({ "given_name": "Ada", "family_name": "Byron", "middle_names": [] }),
        serde_json::json!({
            "given_name": "Ada",
            "family_name": "King",
            "middle_names": ["Augusta"],
            "honorific": "Countess",
        }),
    );
    let given = given_stored::<Person>([
        ("PersonCreated", 1, body! { "name": ada, "source": "CRM" }),
        (
            "EmailAdded",
            1,
            body! {
                "email": { "address": "ada@example.org", "verified": true },
                "primary": true,
            },
        ),
        (
            "ComponentRegistered",
            1,
            body! { "component_type": "Skills" },
        ),
        (
            "NameUpdated",
            1,
            body! { "old_name": ada, "new_name": king, "reason": "Marriage" },
        ),
        ("PersonDeactivated", 1, body! { "reason": "" }),
        ("PersonReactivated", 1, body! { "reason": "Back" }),
        ("BirthDateSet", 1, body! { "birth_date": "1815-12-10" }),
        (
            "BirthDateSet",
            2,
            serde_json::json!({ "birth_date": "1815-12-10" }),
        ),
        ("EmailRemoved", 1, body! { "email": "ada@example.org" }),
        ("PersonUpdated", 1, body! { "name": king }),
        (
            "PersonMergedInto",
            1,
            body! { "merged_into_id": { "id": OTHER }, "merge_reason": "UserRequested" },
        ),
    ]);
    assert_eq!(
        given.state().display_name().as_deref(),
        Some("Countess Ada Augusta King")
    );
    given
        .when(PersonCommand::ReactivatePerson {
            reason: reason("a mistake"),
        })
        .then_refused(PersonError::Ended {
            lifecycle: Lifecycle::Merged,
            merged_into: Some(id(OTHER)),
        });
}
