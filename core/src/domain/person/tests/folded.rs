//! What a history folds to does not change by the way.

use super::*;
use crate::payload::Typed as _;
use crate::testing::given_stored;

/// Events of all types, of which some are of version 1.
const HISTORY: [(&str, u64, &str); 25] = [
    (
        "PersonCreated",
        2,
        r#"{"name":{"components":{"given_names":["Ada"],"family_names":["Byron"],"patronymic":null,"matronymic":null,"prefixes":[],"suffixes":[]},"preferred_form":null,"naming_convention":"Western"},"source":"crm"}"#,
    ),
    (
        "NameUpdated",
        2,
        r#"{"old_name":null,"new_name":{"components":{"given_names":["Ada"],"family_names":["King"],"patronymic":null,"matronymic":null,"prefixes":[],"suffixes":[]},"preferred_form":null,"naming_convention":"Western"},"change_reason":"Marriage"}"#,
    ),
    ("BirthDateSet", 2, r#"{"birth_date":"1815-12-10"}"#),
    (
        "EmailAdded",
        2,
        r#"{"email":"ada@example.org","primary":true}"#,
    ),
    (
        "EmailAdded",
        2,
        r#"{"email":"work@example.org","primary":true}"#,
    ),
    (
        "EmailAdded",
        2,
        r#"{"email":"old@example.org","primary":false}"#,
    ),
    ("EmailVerified", 2, r#"{"email":"Ada@example.org"}"#),
    ("EmailRemoved", 2, r#"{"email":"OLD@example.org"}"#),
    (
        "PhoneAdded",
        2,
        r#"{"phone":{"number":"555-0100","country_code":"1","extension":null},"primary":true}"#,
    ),
    (
        "PhoneAdded",
        2,
        r#"{"phone":{"number":"555-0100","country_code":"44","extension":"7"},"primary":false}"#,
    ),
    (
        "PhoneAdded",
        2,
        r#"{"phone":{"number":"(555) 0100","country_code":"1","extension":null},"primary":false}"#,
    ),
    (
        "PhoneAdded",
        2,
        r#"{"phone":{"number":"+15550101","country_code":null,"extension":null},"primary":false}"#,
    ),
    (
        "PhoneAdded",
        2,
        r#"{"phone":{"number":"555-0102","country_code":null,"extension":null},"primary":false}"#,
    ),
    ("PhoneRemoved", 2, r#"{"phone":"5550102"}"#),
    (
        "LocationAssigned",
        1,
        r#"{"location_id":"01934f4a-3000-7000-8000-000000003000","location_type":"home"}"#,
    ),
    (
        "EmploymentAdded",
        2,
        r#"{"organization_id":"01934f4a-2000-7000-8000-000000002000","role":"Analyst"}"#,
    ),
    (
        "EmploymentAdded",
        1,
        r#"{"employment":{"organization_id":"01934f4a-2000-7000-8000-000000002000","position":"Clerk","end_date":"1840-01-01"}}"#,
    ),
    (
        "IdentityLinked",
        1,
        r#"{"identity_id":"01934f4a-5000-7000-8000-000000005000","identity_type":"login"}"#,
    ),
    (
        "ExternalIdentifierAdded",
        2,
        r#"{"system":"ldap","identifier":"ada"}"#,
    ),
    (
        "ContactUpdated",
        1,
        r#"{"old_contact":{"emails":[{"email":"work@example.org"}]},"new_contact":{"emails":[{"email":"new@example.org","is_primary":false,"is_verified":true}]}}"#,
    ),
    ("PersonSuspended", 1, r#"{"reason":"on leave"}"#),
    ("PersonActivated", 1, r#"{"reason":"back"}"#),
    ("DeathRecorded", 2, r#"{"date_of_death":"1852-11-27"}"#),
    (
        "PersonMerged",
        1,
        r#"{"target_person_id":"01934f4a-5000-7000-8000-000000005000","merge_reason":"UserRequested"}"#,
    ),
    ("PersonArchived", 1, r#"{"reason":"gone"}"#),
];

/// What a failure says first.
const COUNT_UP: &str = "a fixed history folds to another state: if that is meant, count \
    `STATE_VERSION` up, or states of snapshots are taken for what the history says, and then replace \
    `folded.golden.json` by this";

#[test]
fn a_fixed_history_of_all_types_folds_to_the_same_state_for_ever() {
    let types: std::collections::BTreeSet<_> = HISTORY.iter().map(|it| it.0).collect();
    for declared in PersonEvent::TYPES {
        assert!(types.contains(declared.name), "{}", declared.name);
    }
    let given = given_stored::<Person>(HISTORY.iter().copied());
    let found = serde_json::to_string_pretty(given.state()).expect("states are written as JSON");
    let expected = include_str!("folded.golden.json").trim_end();
    assert!(found == expected, "{COUNT_UP}:\n{found}");
    assert_eq!(Person::STATE_VERSION, 2, "the version that the file is of");
}
