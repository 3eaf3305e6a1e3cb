//! Events of version 1, in each of its forms, one by one.

use std::error::Error as _;

use super::*;
use crate::id::EventType;
use crate::payload::{EventError, Typed as _};
use crate::testing::{assert_golden, assert_upcasters};
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
fn a_type_that_version_1_did_not_have_is_reported_and_not_lost() {
    for event_type in ["PersonSold", "AttributeRecorded", "PersonSuspended2"] {
        let (error, _) = refused(event_type, "{}");
        assert_eq!(error.code(), "event-type-unknown", "{event_type}");
    }
}

#[test]
fn an_old_list_is_bounded() {
    let address = format!(r#""{OTHER}""#);
    let body = |number| {
        let addresses = vec![address.as_str(); number].join(",");
        format!(r#"{{"identity":{{"legal_name":"Ada"}},"contact":{{"addresses":[{addresses}]}}}}"#)
    };
    let (error, source) = refused("PersonRegistered", &body(1_001));
    assert_eq!(
        (error.code(), source.as_str()),
        (
            "upcast-failed",
            "the field `addresses` is too long: expected at most 1000 elements"
        )
    );
    // With the creation they are one too many.
    let (error, _) = refused("PersonRegistered", &body(1_000));
    assert_eq!(
        error.to_string(),
        "upcasting version 1 of `PersonRegistered` makes too many events: expected at most 1000"
    );
}

#[test]
fn an_old_name_has_room_for_the_family_name_whatever_is_before_it() {
    let given = vec![format!(r#""{}""#, "é".repeat(200)); 40].join(",");
    let body = format!(
        r#"{{"name":{{"given_name":"Ada","middle_names":[{given}],"family_name":"King"}},"source":"crm"}}"#
    );
    let stored = Payload {
        event_type: EventType::new("PersonCreated").expect("a type"),
        schema_version: SchemaVersion::FIRST,
        body: body.into(),
    };
    let read = payload::read_payload::<PersonEvent>(stored, &Person::upcasters());
    let [PersonEvent::PersonCreated { name, .. }] = &read.expect("it is cut")[..] else {
        panic!("one event");
    };
    let parts = name.components();
    assert_eq!(parts.given_names[0], "Ada");
    assert!(parts.given_names[1].ends_with('…'));
    assert_eq!(parts.family_names, ["King"]);
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
            r#"{"name":{"givenName":"Ada"},"source":"crm"}"#,
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
fn every_old_version_of_a_type_of_today_is_read() {
    assert_upcasters::<Person>();
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
