//! Events of version 1, in each of its forms, one by one.

use std::error::Error as _;

use super::*;
use crate::id::EventType;
use crate::payload::{DeclaredType, EventError, Typed as _};
use crate::testing::assert_golden;
use crate::upcast::Payload;
use crate::version::SchemaVersion;

#[test]
fn old_events_are_read_as_the_golden_file_says() {
    assert_golden::<Person>(include_str!("old_events.golden.json"));
}

/// What is said of an event of version 1 that cannot be read: the error, and what it stands on.
fn refused(event_type: &str, body: &str) -> (EventError, String) {
    let stored = Payload {
        event_type: EventType::new(event_type).expect("a type"),
        schema_version: SchemaVersion::FIRST,
        body: body.to_owned().into(),
    };
    let error = payload::read_payload::<PersonEvent>(stored, &Person::upcasters())
        .expect_err("it cannot be read");
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    (error, source)
}

#[test]
fn what_says_more_than_can_be_kept_is_reported_and_not_lost() {
    for event_type in [
        "ContactUpdated",
        "EmploymentStatusChanged",
        "PositionAdded",
        "SkillsUpdated",
        "AccessGranted",
        "AddressAdded",
        "RelationshipAdded",
        "PersonsMerged",
        "ComponentDataUpdated",
    ] {
        let (error, _) = refused(event_type, "{}");
        assert_eq!(error.code(), "event-type-unknown", "{event_type}");
    }
}

#[test]
fn a_step_says_what_an_old_body_lacks() {
    for (event_type, body, expect) in [
        ("PersonCreated", "7", "expected an object"),
        (
            "PersonCreated",
            r#"{"source":"crm"}"#,
            "expected a field `name`, found none",
        ),
        (
            "PersonCreated",
            r#"{"name":7,"source":"crm"}"#,
            "the field `name` has a value of another kind",
        ),
        (
            "PersonRegistered",
            "{}",
            "expected a field `identity`, found none",
        ),
        (
            "PersonRegistered",
            r#"{"identity":{"legal_name":"Ada"},"contact":7}"#,
            "the field `contact` has a value of another kind",
        ),
        (
            "PersonRegistered",
            r#"{"identity":{"legal_name":"Ada"},"contact":{"emails":[7]}}"#,
            "the field `emails` has a value of another kind",
        ),
        (
            "EmailAdded",
            r#"{"email":{"address":"a@b.c"},"primary":true}"#,
            "expected a field `verified`, found none",
        ),
        (
            "EmploymentAdded",
            r#"{"employment":{"organization_id":"x"}}"#,
            "expected a field `position`, found none",
        ),
        (
            "PersonDeactivated",
            "{}",
            "expected a field `reason`, found none",
        ),
        (
            "PersonMergedInto",
            r#"{"merge_reason":"UserRequested"}"#,
            "expected a field `merged_into_id`, found none",
        ),
    ] {
        let (error, source) = refused(event_type, body);
        assert_eq!((error.code(), source.as_str()), ("upcast-failed", expect));
    }
}

#[test]
fn an_old_value_that_breaks_a_rule_of_today_is_refused_with_the_rule() {
    for (event_type, body, expect) in [
        (
            "EmailAdded",
            r#"{"email":{"address":"ada","verified":true},"primary":true}"#,
            "`ada` is not an e-mail address: expected exactly one `@`",
        ),
        (
            "PersonCreated",
            r#"{"name":{"given_name":" ","family_name":""},"source":"crm"}"#,
            "`` is not a name: expected a given name or a family name",
        ),
        (
            "BirthDateSet",
            r#"{"birth_date":"1815-02-30"}"#,
            "`1815-02-30` is not a date: expected a day that the calendar has",
        ),
        (
            "PersonMergedInto",
            r#"{"merged_into_id":"7","merge_reason":"UserRequested"}"#,
            "`7` is not a UUID",
        ),
    ] {
        let (error, source) = refused(event_type, body);
        assert_eq!(error.code(), "payload-invalid", "{event_type}");
        assert!(source.starts_with(expect), "{source}");
    }
}

#[test]
fn every_step_leads_to_a_type_of_today_and_every_type_of_version_2_has_one() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("old_events.golden.json")).expect("JSON");
    let upcasters = Person::upcasters();
    let cases = golden["cases"].as_array().expect("cases");
    for (event_type, from) in upcasters.steps() {
        assert_eq!(from, SchemaVersion::FIRST);
        let is_covered = cases.iter().any(|case| {
            case["stored"]["type"] == event_type.as_str() && case["stored"]["version"] == 1
        });
        assert!(is_covered, "{event_type} has no golden case");
    }
    for DeclaredType {
        name,
        schema_version,
        ..
    } in PersonEvent::TYPES
    {
        let event_type = EventType::new(name).expect("a type");
        let has_step = upcasters.has_step(&event_type, SchemaVersion::FIRST);
        assert_eq!(has_step, *schema_version == 2, "{name}");
    }
}

#[test]
fn types_operations_and_versions_are_part_of_the_format() {
    let types: Vec<_> = PersonEvent::TYPES
        .iter()
        .map(|it| (it.name, it.operation, it.schema_version))
        .collect();
    assert_eq!(
        types,
        [
            ("PersonCreated", "created", 2),
            ("NameUpdated", "name-updated", 2),
            ("BirthDateSet", "birth-date-set", 2),
            ("DeathRecorded", "death-recorded", 2),
            ("PersonActivated", "activated", 1),
            ("PersonSuspended", "suspended", 1),
            ("PersonArchived", "archived", 1),
            ("PersonMerged", "merged", 1),
            ("EmailAdded", "email-added", 2),
            ("EmailVerified", "email-verified", 2),
            ("EmailRemoved", "email-removed", 2),
            ("PhoneAdded", "phone-added", 2),
            ("PhoneRemoved", "phone-removed", 2),
            ("LocationAssigned", "location-assigned", 1),
            ("EmploymentAdded", "employment-added", 2),
            ("IdentityLinked", "identity-linked", 1),
            ("ExternalIdentifierAdded", "external-identifier-added", 2),
        ]
    );
    let commands: Vec<_> = PersonCommand::TYPES.iter().map(|it| it.operation).collect();
    assert_eq!(
        commands,
        [
            "create",
            "update-name",
            "set-birth-date",
            "record-death",
            "deactivate",
            "reactivate",
            "archive",
            "merge-persons",
            "add-email",
            "verify-email",
            "remove-email",
            "add-phone",
            "remove-phone",
            "assign-location",
            "add-employment",
            "link-identity",
            "add-external-identifier",
        ]
    );
}
