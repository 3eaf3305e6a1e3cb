//! How messages become events, and what is said of those that do not.

use cim_core::headers::{CORRELATION_ID, MESSAGE_ID};
use cim_core::subject::SubjectTemplate;

use super::*;

const ID: &str = "01934f4a-5678-7abc-8def-0123456789ab";
const CAUSE: &str = "01934f4a-5678-4abc-8def-0123456789ab";
const SUBJECT: &str = "cowboyai.security.keys.key.k1.generated";

#[test]
fn a_message_is_kept_as_it_is() {
    let mut message = message();
    set(&mut message, "CIM-Correlation-Id", CAUSE);
    set(&mut message, "CIM-Causation-Id", CAUSE);
    set(&mut message, "CIM-Meta-Tenant", "blue");
    set(&mut message, "traceparent", "00-a-b-01");
    set(&mut message, "Other", "ignored");
    let Adopted {
        aggregate,
        event,
        without_offset,
        cut,
    } = reader().read(&message).expect("an event");
    assert_eq!(aggregate.to_string(), "cowboyai.security.keys.key.k1");
    assert_eq!(event.id.to_string(), ID);
    assert_eq!(event.correlation.to_string(), CAUSE);
    assert_eq!(
        event.causation.map(|id| id.to_string()).as_deref(),
        Some(CAUSE)
    );
    assert_eq!(event.event_type.as_str(), "KeyGenerated");
    assert_eq!(event.operation.as_str(), "generated");
    assert_eq!(event.timestamp.to_string(), "2024-11-21T09:30:00.000000Z");
    assert_eq!(event.source.as_str(), "keys-service");
    assert_eq!(event.schema_version.get(), 1);
    assert_eq!(event.content_type.as_str(), Text::JSON);
    let metadata: Vec<_> = event.metadata.iter().map(|(name, _)| name).collect();
    assert_eq!(metadata, ["Tenant"]);
    assert!(event.trace.is_some());
    assert_eq!(event.body, message.body);
    assert!(!without_offset && !cut);
}

#[test]
fn what_is_not_said_follows_from_the_rest() {
    let mut message = message();
    message
        .headers
        .retain(|(name, _)| name != "CIM-Causation-Id");
    for (body, expect) in [
        (&b"{\"a\":1}"[..], "application/json"),
        (b" [1, 2]\n", "application/json"),
        (b"\"text\"", "application/json"),
        (b"", OCTETS),
        (b"{\"a\":1} {}", OCTETS),
        (b"{\"a\":1,\"a\":2}", OCTETS),
        (b"\xa1\x61a\x01", OCTETS),
    ] {
        message.body = body.into();
        let event = reader().read(&message).expect("an event").event;
        assert_eq!(event.content_type.as_str(), expect, "{body:?}");
        assert_eq!((event.causation, &event.body[..]), (None, body));
    }
    set(&mut message, "Content-Type", "text/plain");
    set(&mut message, "CIM-Schema-Version", "3");
    let event = reader().read(&message).expect("an event").event;
    assert_eq!(event.content_type.as_str(), "text/plain");
    assert_eq!(event.schema_version.get(), 3);
}

#[test]
fn times_become_microseconds_of_utc() {
    let check = |text: &str, expect: &str, without_offset: bool, cut: bool| {
        let mut message = message();
        set(&mut message, TIMESTAMP, text);
        let adopted = reader().read(&message).expect("an event");
        assert_eq!(adopted.event.timestamp.to_string(), expect, "{text}");
        let noted = (adopted.without_offset, adopted.cut);
        assert_eq!(noted, (without_offset, cut), "{text}");
    };
    let whole = "2024-11-21T09:30:00.000000Z";
    check("2024-11-21T09:30:00Z", whole, false, false);
    check("2024-11-21T11:30:00+02:00", whole, false, false);
    check("2024-11-21 09:30:00", whole, true, false);
    let fine = "2024-11-21T09:30:00.123456Z";
    check("2024-11-21T09:30:00.123456000+00:00", fine, false, false);
    check("2024-11-21T09:30:00.123456789Z", fine, false, true);
    check("2024-11-21T09:30:00.1234560001", fine, true, true);
}

#[test]
fn the_id_stands_in_the_subject_or_in_the_body() {
    let check = |reader: &Reader, subject: &str, body: &str, expect: &str| {
        let mut message = message();
        message.subject = subject.to_owned();
        message.body = body.to_owned().into();
        let aggregate = reader.read(&message).expect("an event").aggregate;
        assert_eq!(aggregate.to_string(), expect, "{subject} {body}");
    };
    let short = "cowboyai.security.keys.key.generated";
    let mut reader = reader();
    reader.id_field = Some("/key/id".to_owned());
    let key = "cowboyai.security.keys.key";
    check(&reader, SUBJECT, "no JSON", &format!("{key}.k1"));
    check(
        &reader,
        short,
        r#"{"key":{"id":"k2"}}"#,
        &format!("{key}.k2"),
    );
    check(&reader, short, r#"{"key":{"id":7}}"#, &format!("{key}.7"));
    // Every id is encoded: the same text is the same aggregate, wherever it stands.
    reader.id_encode = true;
    check(&reader, SUBJECT, "{}", &format!("{key}.azE"));
    check(
        &reader,
        short,
        r#"{"key":{"id":"k1"}}"#,
        &format!("{key}.azE"),
    );
    check(
        &reader,
        short,
        r#"{"key":{"id":"a b"}}"#,
        &format!("{key}.YSBi"),
    );

    // Without an operation in the subject it is that of the type.
    let constants = [
        ("organization", "cowboyai"),
        ("unit", "security"),
        ("domain", "keys"),
        ("entity", "key"),
    ];
    let template = SubjectTemplate::parse("keys.{id}", constants).expect("a template");
    reader.layout = Layout::new(template).expect("a layout");
    reader.id_encode = false;
    let mut message = message();
    message.subject = "keys.k1".to_owned();
    let adopted = reader.read(&message).expect("an event");
    assert_eq!(adopted.aggregate.to_string(), format!("{key}.k1"));
    assert_eq!(adopted.event.operation.as_str(), "generated");
}

#[test]
fn what_is_wrong_is_said() {
    let header = |name: &'static str, value: &'static str| {
        move |message: &mut Message| set(message, name, value)
    };
    let without = |name: &'static str| {
        move |message: &mut Message| message.headers.retain(|(other, _)| other != name)
    };
    refused(
        |message| message.headers.retain(|(name, _)| name == MESSAGE_ID),
        "message-no-headers: no header begins with `CIM-`",
    );
    refused(
        header(CID, "bafy"),
        "message-chained: it is an event with a CID, of a store",
    );
    refused(
        header("CIM-Aggregate-Version", "1"),
        "header-unexpected: the header `CIM-Aggregate-Version` must not be there",
    );
    for name in ["CIM-Event-Id", CORRELATION_ID, "CIM-Event-Type", TIMESTAMP] {
        refused(
            without(name),
            &format!("header-missing: the header `{name}` is missing"),
        );
    }
    for name in ["CIM-Source", MESSAGE_ID] {
        refused(
            without(name),
            &format!("header-missing: the header `{name}` is missing"),
        );
    }
    refused(
        |message| {
            let again = ("CIM-Source".to_owned(), "other".to_owned());
            message.headers.push(again);
        },
        "header-repeated: the header `CIM-Source` is there twice",
    );
    refused(
        header("cim-source", "x"),
        "header-unknown: the header `cim-source` is not known (names that begin with `CIM-` are \
         reserved)",
    );
    refused(
        header("CIM-Event-Id", "123e4567-e89b-42d3-a456-426614174000"),
        "header-spelling: in the header `CIM-Event-Id`: `123e4567-e89b-42d3-a456-426614174000` is \
         not an event id: it must be a UUID of version 7",
    );
    refused(
        header(MESSAGE_ID, "m-1"),
        "message-id-mismatch: the message id is not the event's id: expected \
         `01934f4a-5678-7abc-8def-0123456789ab`, found `m-1`",
    );
    refused(
        header("CIM-Event-Type", "key.generated"),
        "event-type-invalid: in the header `CIM-Event-Type`: `key.generated` is not an event type: \
         it must begin with A-Z and have only A-Z, a-z and 0-9",
    );
    refused(
        header(TIMESTAMP, "yesterday"),
        "header-spelling: in the header `CIM-Timestamp`: `yesterday` is not a time: expected one \
         like `2026-11-21T08:00:00Z`",
    );
    refused(
        header(TIMESTAMP, "1969-12-31T23:59:59Z"),
        "header-spelling: in the header `CIM-Timestamp`: the time `1969-12-31T23:59:59Z` is before \
         1970",
    );
    refused(
        header("CIM-Schema-Version", "v2"),
        "header-spelling: in the header `CIM-Schema-Version`: `v2` is not a schema version: \
         expected an integer from 1 to 9007199254740991, in digits",
    );
    refused(
        subject("keys.events.key.generated"),
        "subject-mismatch: expected a subject like \
         `{organization}.{unit}.{domain}.{entity}.{id}.{operation}`",
    );
    refused(
        subject("cowboyai.security.keys.key.k$1.generated"),
        "subject-invalid: `k$1` is not a token of a subject: only A-Z, a-z, 0-9, `_` and `-` may \
         be in it",
    );
    refused(
        subject("cowboyai.security.keys.key.generated"),
        "subject-no-id: the subject has no aggregate id",
    );
    refused(
        |message| message.body = vec![b' '; 1 << 20].into(),
        "event-too-large: the event has 1049039 bytes with its headers, at most 1044480 fit",
    );
}

#[test]
fn what_is_wrong_with_the_id_in_the_body_is_said() {
    let mut reader = reader();
    reader.id_field = Some("/key_id".to_owned());
    let check = |body: &'static str, expect: &str| {
        let mut message = message();
        subject("cowboyai.security.keys.key.generated")(&mut message);
        message.body = body.into();
        assert_eq!(told(&reader, &message), expect, "{body}");
    };
    check(
        "{}",
        "row-field-missing: field `/key_id`: there is no such field",
    );
    check(
        r#"{"key_id":null}"#,
        "row-field-kind: field `/key_id`: expected a string or an integer, found null",
    );
    check(
        "key",
        "row-not-json: field `/key_id`: not valid JSON: expected value",
    );
    check(
        r#"{"key_id":""}"#,
        "row-id-empty: field `/key_id`: the id is empty",
    );
    check(
        r#"{"key_id":"a b"}"#,
        "name-invalid: field `/key_id`: `a b` is not an aggregate id: only A-Z, a-z, 0-9, `_` and \
         `-` may be in it",
    );
}

#[test]
fn a_store_takes_what_its_template_takes() {
    let mut reader = reader();
    let constants = [
        ("organization", "cowboyai"),
        ("unit", "security"),
        ("domain", "people"),
    ];
    let template = StoreTemplate::parse("events.{entity}.{id}.{operation}", constants);
    reader.template = template.expect("a template");
    assert_eq!(
        told(&reader, &message()),
        "template-mismatch: outside the template `events.{entity}.{id}.{operation} \
         (organization=cowboyai, unit=security, domain=people)`: expected the domain `people`, \
         found `keys`"
    );
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Message), expect: &str) {
    let mut message = message();
    change(&mut message);
    assert_eq!(told(&reader(), &message), expect);
}

fn told(reader: &Reader, message: &Message) -> String {
    let fault = reader.read(message).expect_err("no event");
    format!("{}: {fault}", fault.code())
}

pub(in crate::import::adopt) fn reader() -> Reader {
    let template = StoreTemplate::default();
    Reader {
        layout: Layout::new(template.template().clone()).expect("a layout"),
        id_field: None,
        id_encode: false,
        template,
    }
}

fn message() -> Message {
    let headers = [
        ("CIM-Event-Id", ID),
        (CORRELATION_ID, ID),
        ("CIM-Event-Type", "KeyGenerated"),
        (TIMESTAMP, "2024-11-21T09:30:00Z"),
        ("CIM-Source", "keys-service"),
        (MESSAGE_ID, ID),
    ];
    Message {
        subject: SUBJECT.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: r#"{"algorithm":"ed25519"}"#.into(),
    }
}

/// Gives a header its value; the others of its name go.
fn set(message: &mut Message, name: &str, value: &str) {
    message.headers.retain(|(other, _)| other != name);
    message.headers.push((name.to_owned(), value.to_owned()));
}

fn subject(text: &'static str) -> impl FnOnce(&mut Message) {
    move |message| message.subject = text.to_owned()
}
