//! Tests of upcasters with steps that are made up.

use super::*;
use crate::version::MAX_INTEGER;

fn name(text: &str) -> EventType {
    EventType::new(text).expect("an event type")
}

fn version(number: u64) -> SchemaVersion {
    SchemaVersion::new(number).expect("a schema version")
}

fn payload(event_type: &str, number: u64, body: &str) -> Payload {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Payload {
        event_type: name(event_type),
        schema_version: version(number),
        body,
    }
}

/// A step that adds `text` to the body.
fn adding(text: &'static str) -> impl Fn(Payload) -> Result<Payload, StepError> {
    move |old| {
        Ok(Payload {
            body: [&old.body, text.as_bytes()].concat().into(),
            ..old
        })
    }
}

/// What one payload becomes that becomes exactly one.
#[track_caller]
fn one(upcasters: &Upcasters, payload: Payload) -> Payload {
    let mut payloads = upcasters.upcast(payload).expect("valid");
    assert_eq!(payloads.len(), 1);
    payloads.remove(0)
}

#[test]
fn steps_follow_each_other_from_the_payloads_version() {
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(2), adding("3"))
        .expect("new");
    upcasters
        .register(name("A"), version(1), adding("2"))
        .expect("new");
    let expect = payload("A", 3, "123");
    assert_eq!(one(&upcasters, payload("A", 1, "1")), expect);
    assert_eq!(one(&upcasters, payload("A", 2, "12")), expect);
    assert_eq!(format!("{upcasters:?}"), r#"{"A": [1, 2]}"#);
}

#[test]
fn a_payload_without_a_step_is_not_copied() {
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(1), adding("2"))
        .expect("new");
    for current in [payload("A", 2, "body"), payload("B", 1, "body")] {
        let bytes = current.body.as_ptr();
        let same = one(&upcasters, current.clone());
        assert_eq!((same.body.as_ptr(), &same), (bytes, &current));
    }
}

#[test]
fn a_chain_goes_on_under_the_new_name() {
    let rename = |to: &'static str| {
        move |old| {
            Ok(Payload {
                event_type: name(to),
                ..old
            })
        }
    };
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(1), rename("B"))
        .expect("new");
    upcasters
        .register(name("B"), version(2), rename("A"))
        .expect("new");
    upcasters
        .register(name("B"), version(1), adding("never"))
        .expect("new");
    assert_eq!(one(&upcasters, payload("A", 1, "x")), payload("A", 3, "x"));
}

#[test]
fn one_event_becomes_several_in_their_order_or_none() {
    let upcasters = Upcasters::default()
        .with("A", 1, |_| {
            Ok(vec![
                payload("B", 1, "b"),
                payload("C", 7, "c"),
                payload("B", 1, "d"),
            ])
        })
        .with("B", 1, |old| Ok(vec![old, payload("E", 1, "e")]))
        .with("E", 1, |_| Ok(Vec::new()));
    assert_eq!(
        upcasters.upcast(payload("A", 1, "a")).expect("valid"),
        [
            payload("B", 2, "b"),
            payload("C", 7, "c"),
            payload("B", 2, "d")
        ]
    );
    assert_eq!(upcasters.upcast(payload("E", 1, "")).expect("valid"), []);
    let from: Vec<_> = upcasters
        .steps()
        .map(|(name, from)| (name.as_str(), from.get()))
        .collect();
    assert_eq!(from, [("A", 1), ("B", 1), ("E", 1)]);
}

#[test]
fn steps_that_lead_into_each_other_end_with_an_error() {
    let upcasters = Upcasters::default()
        .with("A", 1, |_| {
            Ok(vec![payload("B", 1, ""), payload("B", 1, "")])
        })
        .with("B", 1, |_| Ok(vec![payload("A", 1, "")]));
    let error = upcasters.upcast(payload("A", 1, "")).expect_err("no end");
    assert!(matches!(error, UpcastError::Endless { .. }), "{error}");
    assert_eq!(error.code(), "upcast-failed");
}

#[test]
fn one_event_becomes_so_many_as_an_append_takes_and_no_more() {
    let into = |number: usize| {
        let upcasters =
            Upcasters::default().with("A", 1, move |_| Ok(vec![payload("B", 1, "b"); number]));
        upcasters.upcast(payload("A", 1, ""))
    };
    assert_eq!(into(MAX_PAYLOADS).expect("enough").len(), 1_000);
    let error = into(MAX_PAYLOADS + 1).expect_err("too many");
    assert_eq!(error.code(), "upcast-failed");
    assert_eq!(
        error.to_string(),
        "upcasting version 1 of `A` makes too many events: expected at most 1000"
    );
}

#[test]
fn refuses_a_second_step_from_one_version() {
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(1), adding("2"))
        .expect("new");
    let error = upcasters
        .register(name("A"), version(1), adding("x"))
        .expect_err("again");
    assert_eq!(error.code(), "upcast-duplicate");
    assert_eq!(
        error.to_string(),
        "version 1 of `A` has an upcaster already"
    );
    assert_eq!(one(&upcasters, payload("A", 1, "1")).body, "12");
}

#[test]
fn says_which_step_failed_and_why() {
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(1), adding("2"))
        .expect("new");
    upcasters
        .register(name("A"), version(2), |_| Err("no colour".into()))
        .expect("new");
    let error = upcasters
        .upcast(payload("A", 1, "1"))
        .expect_err("the second step fails");
    assert_eq!(error.code(), "upcast-failed");
    assert_eq!(error.to_string(), "upcasting version 2 of `A` failed");
    assert_eq!(
        error.source().map(ToString::to_string).as_deref(),
        Some("no colour")
    );
}

#[test]
fn refuses_a_version_that_is_not_the_next() {
    for found in [1, 3] {
        let mut upcasters = Upcasters::default();
        let step = move |old| {
            Ok(Payload {
                schema_version: version(found),
                ..old
            })
        };
        upcasters
            .register(name("A"), version(1), step)
            .expect("new");
        let error = upcasters
            .upcast(payload("A", 1, ""))
            .expect_err("a fault of the step");
        assert!(matches!(error, UpcastError::WrongVersion { .. }), "{error}");
    }
}

#[test]
fn nothing_follows_the_largest_version() {
    let mut upcasters = Upcasters::default();
    upcasters
        .register(name("A"), version(MAX_INTEGER), adding("x"))
        .expect("new");
    let error = upcasters
        .upcast(payload("A", MAX_INTEGER, ""))
        .expect_err("no next version");
    assert_eq!(error.code(), "upcast-failed");
}
