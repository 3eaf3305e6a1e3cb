//! How headers are read and written.

use super::*;

#[test]
fn what_is_written_is_read_back() {
    for kind in [Kind::StoredEvent, Kind::PublishedEvent, Kind::Command] {
        for carrier in [Carrier::Wire, Carrier::Export] {
            let stored = kind == Kind::StoredEvent;
            let headers = parse(kind, Carrier::Wire, &sample(stored)).expect("valid headers");
            let pairs = headers.pairs(carrier);
            let named = pairs.iter().any(|(name, _)| name == MESSAGE_ID);
            assert_eq!(named, carrier == Carrier::Wire);
            assert_eq!(parse(kind, carrier, &pairs), Ok(headers));
        }
    }
}

#[test]
fn only_a_stored_event_has_a_place() {
    for kind in [Kind::PublishedEvent, Kind::Command] {
        check(kind, &sample(true), "header-unexpected");
    }
    check(Kind::StoredEvent, &sample(false), "header-missing");
}

#[test]
fn of_two_faults_the_first_in_order_counts() {
    // Each row breaks one rule more than the row below it.
    let faults = [
        ("header-unknown", "cim-x", "1"),
        ("header-value", SOURCE, " a"),
        ("header-missing", CONTENT_TYPE, ""),
        ("header-spelling", SCHEMA_VERSION, "01"),
        ("header-unexpected", AGGREGATE_VERSION, "1"),
        ("message-id-mismatch", MESSAGE_ID, "0"),
    ];
    for first in 0..faults.len() {
        let mut pairs = sample(true);
        for (_, name, value) in &faults[first..] {
            pairs.retain(|(other, _)| other != name);
            if !value.is_empty() {
                pairs.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        check(Kind::StoredEvent, &pairs, faults[first].0);
    }
}

#[test]
fn a_missing_previous_cid_counts_after_spelling() {
    let mut pairs = sample(true);
    pairs.retain(|(name, _)| name != PREVIOUS_CID);
    check(Kind::StoredEvent, &pairs, "header-missing");
    set(&mut pairs, CID, "bafy");
    check(Kind::StoredEvent, &pairs, "header-spelling");
}

#[test]
fn an_export_ignores_the_message_id() {
    let mut pairs = sample(true);
    set(&mut pairs, MESSAGE_ID, "\n");
    pairs.push((MESSAGE_ID.to_owned(), String::new()));
    assert!(parse(Kind::StoredEvent, Carrier::Export, &pairs).is_ok());
}

#[test]
fn metadata_is_bounded() {
    let mut pairs = sample(true);
    pairs.retain(|(name, _)| !name.starts_with(META_PREFIX));
    for number in 0..MAX_METADATA {
        pairs.push((format!("{META_PREFIX}{number}"), "1".to_owned()));
    }
    let headers = parse(Kind::StoredEvent, Carrier::Wire, &pairs).expect("it is the most");
    assert_eq!(headers.metadata.iter().len(), MAX_METADATA);
    pairs.push((format!("{META_PREFIX}more"), "1".to_owned()));
    check(Kind::StoredEvent, &pairs, "metadata-too-many");
}

#[track_caller]
fn check(kind: Kind, pairs: &[(String, String)], expect: &str) {
    let code = parse(kind, Carrier::Wire, pairs).map_err(|error| error.code());
    assert_eq!(code, Err(expect));
}

fn parse(kind: Kind, carrier: Carrier, pairs: &[(String, String)]) -> Result<Headers, HeaderError> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Headers::parse(kind, carrier, pairs)
}

fn set(pairs: &mut [(String, String)], name: &str, value: &str) {
    let pair = pairs
        .iter_mut()
        .find(|(other, _)| other == name)
        .expect("a header of it");
    value.clone_into(&mut pair.1);
}

fn sample(stored: bool) -> Vec<(String, String)> {
    let id = "01934f4a-5678-7abc-8def-0123456789ab";
    let cid = crate::cid::Cid::of_block(b"x").to_string();
    let mut pairs = vec![
        (EVENT_ID, id),
        (CORRELATION_ID, id),
        (CAUSATION_ID, "01934f4a-5678-4abc-8def-0123456789ab"),
        (EVENT_TYPE, "KeyGenerated"),
        (TIMESTAMP, "2024-11-21T09:30:00.000000Z"),
        (SOURCE, "keys-service"),
        (MESSAGE_ID, id),
        (CONTENT_TYPE, "application/json"),
        (SCHEMA_VERSION, "1"),
        ("CIM-Meta-Tenant", "blue"),
        (
            TRACEPARENT,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("Other", " ignored "),
    ];
    if stored {
        pairs.extend([(AGGREGATE_VERSION, "2"), (CID, &cid), (PREVIOUS_CID, &cid)]);
    }
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
