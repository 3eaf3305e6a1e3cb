//! The vectors of the wire format, `tests/vectors`, on `cim-core`: every file, with exact codes.
//!
//! Each test counts what it has run, so that a file that lost its rows fails. Of `ids.json` only
//! what the core knows is tested: how a digest becomes an event id, and which type names are valid.
//! How the import makes the hashed list and the type names is the host's.

use std::collections::BTreeMap;

use bytes::Bytes;
use cim_core::chain::verifier::ChainVerifier;
use cim_core::chain::{self, block};
use cim_core::cid::Cid;
use cim_core::event::RecordedEvent;
use cim_core::headers::Carrier;
use cim_core::id::{AggregateKey, Entity, EventId, EventType, Operation};
use cim_core::message::Message;
use cim_core::subject::{StoreTemplate, Subject, SubjectFilter, SubjectTemplate};
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};
use data_encoding::HEXLOWER;
use serde_json::Value;

#[test]
fn events_are_read_and_written_back() {
    let file = file("events");
    let template = store_template(&file["template"]);
    let events = rows(&file["events"]);
    for vector in events {
        check_event(&template, vector);
    }
    assert_eq!(events.len(), 47);
}

#[test]
fn another_template_gives_other_subjects_and_the_same_blocks() {
    let file = file("events");
    let blocks: BTreeMap<&str, &Value> = rows(&file["events"])
        .iter()
        .map(|row| (text(&row["name"]), &row["block_hex"]))
        .collect();
    let mut count = 0;
    for other in rows(&file["others"]) {
        let template = store_template(&other["template"]);
        for vector in rows(&other["events"]) {
            check_event(&template, vector);
            assert_eq!(blocks[text(&vector["same_as"])], &vector["block_hex"]);
            count += 1;
        }
    }
    assert_eq!((rows(&file["others"]).len(), count), (4, 12));
}

#[test]
fn events_of_one_aggregate_make_one_chain() {
    let file = file("events");
    let template = store_template(&file["template"]);
    let mut chains: BTreeMap<AggregateKey, ChainVerifier> = BTreeMap::new();
    let mut late = 0;
    for vector in rows(&file["events"]) {
        let event = decode(&template, vector).expect("a valid event");
        let aggregate = event.aggregate.clone();
        if let Some(from) = vector.get("starts_from") {
            let verifier = ChainVerifier::from_head(aggregate.clone(), head(from));
            assert!(
                chains.insert(aggregate.clone(), verifier).is_none(),
                "{}",
                vector["name"]
            );
            late += 1;
        }
        let verifier = chains
            .entry(aggregate.clone())
            .or_insert_with(|| ChainVerifier::from_genesis(aggregate));
        assert_eq!(verifier.push(&event), Ok(()), "{}", vector["name"]);
        assert_eq!(verifier.head(), Some(event.head()));
    }
    assert_eq!((chains.len(), late), (13, 5));
}

#[test]
fn refuses_headers() {
    let file = file("refused");
    let standard = store_template(&file["template"]);
    refuse(&file, "headers", 381, |vector| {
        let template = match vector.get("template") {
            Some(other) => store_template(other),
            None => standard.clone(),
        };
        let event = match decode(&template, vector) {
            Ok(event) => event,
            Err(code) => return Some(code),
        };
        // The vectors' name for an event by itself that is not what its CID says.
        chain::check_cid(&event)
            .err()
            .map(|error| match error.code() {
                "wrong-cid" => "cid-mismatch",
                other => other,
            })
    });
}

#[test]
fn an_export_is_read_as_strictly_but_ignores_the_message_id() {
    let file = file("refused");
    let template = store_template(&file["template"]);
    let mut counts = (0, 0);
    for vector in rows(&file["vectors"]) {
        if vector["kind"] != "headers" || vector.get("template").is_some() {
            continue;
        }
        let pairs = pairs(vector);
        let body = Bytes::from(hex(&vector["body_hex"]));
        let subject = text(&vector["subject"]);
        let read = RecordedEvent::decode_parts(&template, Carrier::Export, subject, pairs, body);
        match read {
            Ok(event) if text(&vector["code"]) == "cid-mismatch" => {
                assert!(chain::check_cid(&event).is_err(), "{}", vector["why"]);
            }
            Ok(_) => {
                assert!(
                    text(&vector["why"]).to_lowercase().contains("nats-msg-id"),
                    "{vector}"
                );
                counts.1 += 1;
                continue;
            }
            Err(error) => assert_eq!(error.code(), vector["code"], "{}", vector["why"]),
        }
        counts.0 += 1;
    }
    assert_eq!(counts, (367, 9));
}

#[test]
fn refuses_blocks() {
    refuse(&file("refused"), "block", 212, |vector| {
        block::decode(&hex(&vector["block_hex"]))
            .err()
            .map(|error| error.code())
    });
}

#[test]
fn refuses_chains_at_the_first_bad_event() {
    let file = file("refused");
    let template = store_template(&file["template"]);
    let known = self::file("events");
    refuse(&file, "chain", 35, |vector| {
        let aggregate = aggregate(&vector["aggregate"]);
        let mut verifier = match &vector["from"] {
            Value::Null => ChainVerifier::from_genesis(aggregate),
            from => ChainVerifier::from_head(aggregate, head(from)),
        };
        for (at, event) in rows(&vector["events"]).iter().enumerate() {
            let message = event
                .as_u64()
                .map_or(event, |place| &known["events"][place as usize]);
            let event = decode(&template, message).expect("each message can be read");
            if let Err(error) = verifier.push(&event) {
                assert_eq!(vector["at"], at, "{}: {error}", vector["why"]);
                return Some(error.code());
            }
        }
        None
    });
}

#[test]
fn refuses_subjects_and_filters() {
    let file = file("refused");
    refuse(&file, "subject", 28, |vector| {
        let read = StoreTemplate::default().parse_event(text(&vector["text"]));
        assert_eq!(
            read.map_err(|error| error.code()),
            Err(text(&vector["code"]))
        );
        Subject::new(text(&vector["text"]))
            .err()
            .map(|error| error.code())
    });
    refuse(&file, "filter", 22, |vector| {
        SubjectFilter::new(text(&vector["text"]))
            .err()
            .map(|error| error.code())
    });
}

#[test]
fn refuses_templates() {
    refuse(&file("refused"), "template", 40, |vector| {
        let read = SubjectTemplate::parse(text(&vector["text"]), constants(&vector["constants"]));
        match text(&vector["use"]) {
            "publish" => read.err().map(|error| error.code()),
            "store" => {
                let template = read.expect("it can publish");
                StoreTemplate::new(template).err().map(|error| error.code())
            }
            other => panic!("no use of a template: {other}"),
        }
    });
}

#[test]
fn refuses_types_and_operations() {
    refuse(&file("refused"), "operation", 18, |vector| {
        operation(text(&vector["for"]), vector).err()
    });
}

#[test]
fn operations_are_the_default_ones() {
    let file = file("operations");
    let vectors = rows(&file["vectors"]);
    for vector in vectors {
        let expect = match vector.get("error") {
            Some(code) => Err(text(code)),
            None => Ok(text(&vector["operation"]).to_owned()),
        };
        assert_eq!(operation(text(&vector["kind"]), vector), expect, "{vector}");
    }
    assert_eq!(vectors.len(), 73);
}

#[test]
fn cids_have_one_text_and_one_binary_form() {
    let file = file("cids");
    let vectors = rows(&file["vectors"]);
    let mut hashed = 0;
    for vector in vectors {
        let cid: Cid = text(&vector["cid"]).parse().expect("a CID");
        assert_eq!(cid.to_string(), vector["cid"]);
        assert_eq!(Cid::from_bytes(&hex(&vector["bytes_hex"])), Ok(cid));
        assert_eq!(cid.to_bytes()[..], hex(&vector["bytes_hex"]));
        if let Some(of) = vector.get("of_hex") {
            assert_eq!(Cid::of_block(&hex(of)), cid, "{}", vector["of"]);
            hashed += 1;
        }
    }
    assert_eq!((vectors.len(), hashed), (13, 7));
}

#[test]
fn times_are_taken_or_refused() {
    let file = file("timestamps");
    let (accepted, refused) = (rows(&file["accepted"]), rows(&file["refused"]));
    for vector in accepted {
        let time = Timestamp::parse_lenient(text(&vector["input"])).expect("a time");
        assert_eq!(time.timestamp.to_string(), vector["canonical"], "{vector}");
        assert_eq!(
            time.timestamp.micros().to_string(),
            vector["micros"],
            "{vector}"
        );
        assert_eq!(!time.had_offset, vector["offset_missing"], "{vector}");
        assert_eq!(text(&vector["canonical"]).parse(), Ok(time.timestamp));
        let canonical = vector["input"] == vector["canonical"];
        assert_eq!(
            text(&vector["input"]).parse::<Timestamp>().is_ok(),
            canonical,
            "{vector}"
        );
    }
    for vector in refused {
        let code = Timestamp::parse_lenient(text(&vector["input"])).map_err(|error| error.code());
        assert_eq!(code, Err(text(&vector["code"])), "{}", vector["why"]);
    }
    assert_eq!((accepted.len(), refused.len()), (41, 52));
}

#[test]
fn filters_match_as_the_server_does() {
    let file = file("filters");
    let vectors = rows(&file["vectors"]);
    for vector in vectors {
        let filter = SubjectFilter::new(text(&vector["filter"])).expect("a filter");
        let subject = Subject::new(text(&vector["subject"])).expect("a subject");
        assert_eq!(filter.matches(&subject), vector["matches"], "{vector}");
    }
    assert_eq!(vectors.len(), 47);
}

#[test]
fn ids_of_an_import_are_ids_of_ours() {
    let file = file("ids");
    let (derivations, names) = (rows(&file["derivations"]), rows(&file["type_names"]));
    for vector in derivations {
        let key = ["namespace", "entity", "id"]
            .map(|part| text(&vector[part]))
            .join(".");
        assert!(key.parse::<AggregateKey>().is_ok(), "{key}");
        assert!(EventType::new(text(&vector["type"])).is_ok(), "{vector}");
        let micros = text(&vector["micros"]).parse().expect("microseconds");
        let time = Timestamp::from_micros(micros).expect("a time");
        let digest = blake3::hash(&hex(&vector["list_hex"]));
        let entropy = digest.as_bytes()[..10].try_into().expect("ten bytes");
        let id = EventId::from_parts(time, entropy);
        assert_eq!(id.to_string(), vector["uuid"], "{vector}");
        assert_eq!(text(&vector["uuid"]).parse(), Ok(id));
    }
    for vector in names.iter().filter(|vector| vector.get("type").is_some()) {
        assert!(EventType::new(text(&vector["type"])).is_ok(), "{vector}");
    }
    assert_eq!((derivations.len(), names.len()), (14, 33));
}

/// Checks an event of `events.json` in every form that it has there.
#[track_caller]
fn check_event(template: &StoreTemplate, vector: &Value) {
    let name = text(&vector["name"]);
    let event = decode(template, vector).unwrap_or_else(|code| panic!("{name}: {code}"));
    assert_eq!(event.aggregate, aggregate(&vector["aggregate"]), "{name}");
    assert_eq!(event.version.get(), vector["version"], "{name}");
    let previous = event.previous.map(|cid| Value::String(cid.to_string()));
    assert_eq!(previous.unwrap_or_default(), vector["previous"], "{name}");
    assert_eq!(event.cid.to_string(), vector["cid"], "{name}");
    assert_eq!(event.event.body[..], hex(&vector["body_hex"]), "{name}");
    assert_eq!(chain::check_cid(&event), Ok(()), "{name}");

    let block = block::encode(&event);
    assert_eq!(HEXLOWER.encode(&block), vector["block_hex"], "{name}");
    let mut untraced = event.clone();
    untraced.event.trace = None;
    assert_eq!(block::decode(&block).expect("a block"), untraced, "{name}");

    let message = event.encode(template).expect("it came from this template");
    assert_eq!(message.subject, vector["subject"], "{name}");
    assert_eq!(message.body, event.event.body, "{name}");
    let mut written = message.headers.clone();
    let mut ours: Vec<_> = pairs(vector)
        .filter(|(name, _)| is_ours(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    written.sort();
    ours.sort();
    assert_eq!(written, ours, "{name}");
    assert_eq!(
        RecordedEvent::decode(template, &message),
        Ok(event.clone()),
        "{name}"
    );

    let exported = event.headers().pairs(Carrier::Export);
    let exported = exported
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let (subject, body) = (text(&vector["subject"]), message.body);
    let read = RecordedEvent::decode_parts(template, Carrier::Export, subject, exported, body);
    assert_eq!(read, Ok(event), "{name}");
}

/// Runs the rows of `kind` in `refused.json`: `fault` gives the code, `None` if nothing is refused.
#[track_caller]
fn refuse(file: &Value, kind: &str, count: usize, fault: impl Fn(&Value) -> Option<&'static str>) {
    let vectors = rows(&file["vectors"])
        .iter()
        .filter(|vector| vector["kind"] == kind);
    let vectors: Vec<&Value> = vectors.collect();
    let wrong: Vec<String> = vectors
        .iter()
        .map(|vector| (vector, fault(vector)))
        .filter(|(vector, found)| found.is_none_or(|code| vector["code"] != code))
        .map(|(vector, found)| format!("{}: {}, found {found:?}", vector["why"], vector["code"]))
        .collect();
    assert!(wrong.is_empty(), "{kind}:\n{}", wrong.join("\n"));
    assert_eq!(vectors.len(), count, "{kind}");
}

/// The default operation of a row with `type` and `entity`, or the code.
fn operation(kind: &str, vector: &Value) -> Result<String, &'static str> {
    let of_kind = match kind {
        "event" => Operation::of_event,
        "command" => Operation::of_command,
        other => panic!("no kind of message: {other}"),
    };
    let entity = Entity::new(text(&vector["entity"])).expect("an entity");
    let name = EventType::new(text(&vector["type"])).map_err(|error| error.code())?;
    of_kind(&name, &entity)
        .map(|operation| operation.to_string())
        .map_err(|error| error.code())
}

fn decode(template: &StoreTemplate, vector: &Value) -> Result<RecordedEvent, &'static str> {
    let message = Message {
        subject: text(&vector["subject"]).to_owned(),
        headers: pairs(vector)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: hex(&vector["body_hex"]).into(),
    };
    RecordedEvent::decode(template, &message).map_err(|error| error.code())
}

/// Whether a header of a valid message is one of version 1; the others are foreign.
fn is_ours(name: &str) -> bool {
    const OTHERS: [&str; 4] = ["Nats-Msg-Id", "Content-Type", "traceparent", "tracestate"];
    name.starts_with("CIM-") || OTHERS.contains(&name)
}

fn pairs(vector: &Value) -> impl Iterator<Item = (&str, &str)> {
    rows(&vector["headers"])
        .iter()
        .map(|pair| (text(&pair[0]), text(&pair[1])))
}

fn aggregate(value: &Value) -> AggregateKey {
    let parts = ["namespace", "entity", "id"].map(|part| text(&value[part]));
    parts.join(".").parse().expect("an aggregate's key")
}

fn head(value: &Value) -> Head {
    let version = value["version"].as_u64().expect("a version");
    Head {
        version: Version::new(version).expect("a version"),
        cid: text(&value["cid"]).parse().expect("a CID"),
    }
}

fn store_template(value: &Value) -> StoreTemplate {
    StoreTemplate::parse(text(&value["subject"]), constants(&value["constants"]))
        .expect("a template of a store")
}

fn constants(value: &Value) -> impl Iterator<Item = (&String, &str)> {
    value
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| (name, text(value)))
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[track_caller]
fn rows(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
}

#[track_caller]
fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER
        .decode(text(value).as_bytes())
        .expect("lower-case hex")
}

fn file(name: &str) -> Value {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}
