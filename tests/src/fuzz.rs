//! What the fuzz targets call, one function each: any bytes in, a panic when a law is broken.
//!
//! `tests/fuzz` runs them on what libFuzzer finds, `tests/tests/fuzz_corpus.rs` on the seeds and
//! on mutations of them. Most laws say that what is read is written back the same.

mod columns;
mod identity;
mod snapshots;

use std::error::Error;

use cim_core::chain::{self, block};
use cim_core::event::RecordedEvent;
use cim_core::export::{ExportError, ExportReader, ExportReport, ExportVerifier, ExportWriter};
use cim_core::export::{ExportHeader, to_json};
use cim_core::headers::{Carrier, Headers, Kind};
use cim_core::id::{AggregateKey, Namespace, Operation};
use cim_core::subject::{Field, StoreTemplate, Subject, SubjectFilter, SubjectTemplate};
use cim_core::time::Timestamp;
use cim_host::import::json::Json;
use cim_host::import::rows::Rows;
use cim_host::import::{self, ImportError, Mapping};

pub use columns::columns;
pub use identity::{claims, creds, nkeys, tokens};
pub use snapshots::snapshots;

use crate::random::Random;

/// A function of this module.
pub type Target = fn(&[u8]);

/// All functions, by the names of their targets.
pub const TARGETS: [(&str, Target); 15] = [
    ("blocks", blocks),
    ("claims", claims),
    ("columns", columns),
    ("creds", creds),
    ("csv", csv),
    ("exports", exports),
    ("filters", filters),
    ("headers", headers),
    ("jsonl", jsonl),
    ("nkeys", nkeys),
    ("snapshots", snapshots),
    ("subjects", subjects),
    ("templates", templates),
    ("timestamps", timestamps),
    ("tokens", tokens),
];

/// Blocks: one block has one event, and an event that its block, its CID and its message agree on.
pub fn blocks(data: &[u8]) {
    let event = match block::decode(data) {
        Ok(event) => event,
        Err(error) => return said(&error, error.code()),
    };
    assert_eq!(
        block::encode(&event),
        data,
        "a block is written as it was read"
    );
    chain::check_cid(&event).expect("an event of a block has the CID of that block");
    let template = StoreTemplate::default();
    let message = event
        .encode(&template)
        .expect("the default template takes every aggregate");
    let read = RecordedEvent::decode(&template, &message);
    assert_eq!(
        read.as_ref(),
        Ok(&event),
        "a message is read as it was written"
    );
}

/// CSV: rows written again from their payloads, with every field quoted, are the same rows; a row
/// at the end of the file is one row more.
pub fn csv(data: &[u8]) {
    for mapping in mappings(["id", "type", "time"]) {
        let Some(rows) = taken(import::read_csv(data, &mapping)) else {
            continue;
        };
        let mut written = String::new();
        let mut last = String::new();
        for row in &rows.rows {
            let Ok(Json::Object(members)) = Json::parse(&row.payload) else {
                panic!("{:?} is no object", row.payload)
            };
            if written.is_empty() {
                written = record(members.iter().map(|(name, _)| name.as_str()));
            }
            last = record(members.iter().map(|(_, value)| text_of(value)));
            written += &last;
        }
        if let Some(row) = rows.rows.last() {
            same(&rows, import::read_csv(written.as_bytes(), &mapping));
            let longer = [data, b"\n", last.as_bytes()].concat();
            let longer = import::read_csv(&longer, &mapping).expect("its last row was taken");
            assert_eq!(longer.rows.len(), rows.rows.len() + 1, "one row more");
            assert_eq!(longer.rows[rows.rows.len()].payload, row.payload);
        }
    }
}

fn text_of(value: &Json) -> &str {
    let Json::Text(text) = value else {
        panic!("a field of CSV is a text, found {value:?}")
    };
    text
}

fn record<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = fields
        .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
        .collect();
    quoted.join(",") + "\n"
}

/// JSON lines: the payload is the line's bytes, so the payloads in lines are the same rows.
pub fn jsonl(data: &[u8]) {
    let names = mappings(["id", "type", "time"]).into_iter();
    for mapping in names.chain(mappings(["/data/id", "/type", "/data/more/0"])) {
        let Some(rows) = taken(import::read_jsonl(data, &mapping)) else {
            continue;
        };
        let mut written = Vec::new();
        for row in &rows.rows {
            Json::parse(&row.payload).expect("a payload is JSON");
            assert!(!row.payload.contains(&b'\n'), "a payload is a line");
            written.extend_from_slice(&row.payload);
            written.extend_from_slice(b"\r\n");
        }
        same(&rows, import::read_jsonl(&written, &mapping));
    }
}

fn mappings(fields: [&str; 3]) -> [Mapping; 2] {
    [false, true].map(|id_encode| {
        let [id_field, type_field, time_field] = fields.map(str::to_owned);
        let entity = "key".parse().expect("valid");
        let namespace = Namespace::default();
        Mapping {
            namespace,
            entity,
            id_field,
            type_field,
            time_field,
            id_encode,
        }
    })
}

fn taken(read: Result<Rows, ImportError>) -> Option<Rows> {
    read.map_err(|error| said(&error, error.code())).ok()
}

#[track_caller]
fn same(rows: &Rows, read: Result<Rows, ImportError>) {
    let read = read.expect("what was taken is taken again");
    assert_eq!(rows.rows.len(), read.rows.len(), "as many rows");
    let mut line = 0;
    for (row, read) in rows.rows.iter().zip(&read.rows) {
        assert!(row.line > line, "lines ascend");
        line = row.line;
        assert_eq!(row.payload, read.payload, "the same payload");
        assert_eq!(
            (&row.id, row.time),
            (&read.id, read.time),
            "the same id and time"
        );
        assert_eq!(
            (&row.event_type, &row.operation),
            (&read.event_type, &read.operation)
        );
    }
    assert_eq!(rows.names.types(), read.names.types(), "the same types");
}

/// Exports: however the file is cut into pieces, the report is the same, also of a written copy.
pub fn exports(data: &[u8]) {
    let whole = verify([data]);
    for seed in 0..3 {
        let json = to_json(&verify(pieces(data, seed)));
        assert_eq!(json, to_json(&whole), "pieces change nothing");
    }
    match whole {
        Ok(report) => {
            let copy = copy(data);
            let json = to_json(&verify([copy.as_bytes()]));
            assert_eq!(json, to_json(&Ok(report)), "a copy is worth as much");
            assert_eq!(
                self::copy(copy.as_bytes()),
                copy,
                "an export has one spelling of ours"
            );
        }
        Err(error) => said(&error, error.code()),
    }
}

fn verify<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<ExportReport, ExportError> {
    let mut verifier = ExportVerifier::new();
    for piece in pieces {
        verifier.push(piece)?;
    }
    verifier.finish()
}

/// Cuts `data` into pieces of differing lengths, among them empty ones.
fn pieces(mut data: &[u8], seed: u64) -> Vec<&[u8]> {
    let length = data.len() as u64;
    let longest = [3, 64, 1024][seed as usize % 3].max(length / 256);
    let mut random = Random::new(seed ^ length);
    let mut pieces = Vec::new();
    while !data.is_empty() {
        let (piece, rest) = data.split_at((random.below(longest + 1) as usize).min(data.len()));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// Reads an export that is valid and writes it again.
fn copy(data: &[u8]) -> String {
    let mut events = Vec::new();
    let mut reader = ExportReader::new();
    let read = reader.push(data, |_, event| {
        events.push(event);
        Ok::<_, ExportError>(())
    });
    read.expect("the verifier took it");
    let (header, _): (ExportHeader, _) = reader.finish().expect("the verifier took it");
    let (mut writer, mut copy) = ExportWriter::new(&header);
    for event in &events {
        copy += &writer.line(event).expect("the template takes what it read");
    }
    copy + &writer.finish()
}

/// Filters: the first line, and what it says of the subjects on the others.
pub fn filters(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let line = lines.next().unwrap_or_default();
    let filter = match SubjectFilter::new(line) {
        Ok(filter) => filter,
        Err(error) => return said(&error, error.code()),
    };
    assert_eq!(filter.as_str(), line, "a filter is written as it was read");
    let pattern: Vec<_> = line.split('.').collect();
    for line in lines {
        let Ok(subject) = Subject::new(line) else {
            // NATS has subjects that we have not, but none with an empty token.
            let empty = line.split('.').any(str::is_empty);
            assert!(!(empty && filter.matches(line)), "{filter} matches {line}");
            continue;
        };
        let tokens: Vec<_> = line.split('.').collect();
        assert_eq!(
            filter.matches(&subject),
            model_matches(&pattern, &tokens),
            "{filter} {line}"
        );
        assert!(SubjectFilter::all().matches(&subject), "`>` matches {line}");
        assert!(
            SubjectFilter::from(&subject).matches(&subject),
            "{line} matches itself"
        );
    }
}

/// The rule of NATS for filters, as simple as it can be said.
fn model_matches(pattern: &[&str], tokens: &[&str]) -> bool {
    match (pattern, tokens) {
        ([], []) => true,
        ([">"], [_, ..]) => true,
        ([first, pattern @ ..], [token, tokens @ ..]) => {
            (*first == "*" || first == token) && model_matches(pattern, tokens)
        }
        _ => false,
    }
}

/// Headers, a line each: `Name: value`. What is taken is written in the very words that were read.
pub fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let pairs: Vec<_> = text
        .split('\n')
        .filter_map(|line| line.split_once(": "))
        .collect();
    for kind in [Kind::StoredEvent, Kind::PublishedEvent, Kind::Command] {
        for carrier in [Carrier::Wire, Carrier::Export] {
            let headers = match Headers::parse(kind, carrier, pairs.iter().copied()) {
                Ok(headers) => headers,
                Err(error) => {
                    said(&error, error.code());
                    continue;
                }
            };
            let written = headers.pairs(carrier);
            let written = written
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            for pair in written.clone() {
                assert!(pairs.contains(&pair), "{pair:?} was not read");
            }
            let read = Headers::parse(kind, carrier, written);
            assert_eq!(read, Ok(headers), "headers are read as they were written");
        }
    }
}

/// Subjects: as such, and as every layout that we have reads them.
pub fn subjects(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Subject::new(text) {
        Ok(subject) => assert_eq!(
            subject.as_str(),
            text,
            "a subject is written as it was read"
        ),
        Err(error) => said(&error, error.code()),
    }
    let namespace = Namespace::new("cowboyai.security.keys").expect("valid");
    let entity = "key".parse().expect("valid");
    for template in [
        SubjectTemplate::canonical_events(),
        SubjectTemplate::canonical_commands(),
        SubjectTemplate::keys_events(&namespace),
        SubjectTemplate::keys_commands(&namespace),
        SubjectTemplate::infrastructure_compute(&namespace, &entity),
    ] {
        match template.parse_subject(text) {
            Ok(fields) => {
                assert!(
                    template.filter().matches(text),
                    "{} matches {text}",
                    template.filter()
                );
                for field in Field::ALL
                    .into_iter()
                    .filter(|field| template.shows(*field))
                {
                    let token = fields
                        .get(field)
                        .expect("a field that is shown has a value");
                    assert!(
                        text.split('.').any(|found| found == token),
                        "{token} of {text}"
                    );
                }
            }
            Err(error) => said(&error, error.code()),
        }
        let Ok(template) = StoreTemplate::new(template) else {
            continue;
        };
        if let Ok((aggregate, operation)) = template.parse_event(text) {
            let written = template
                .event_subject(&aggregate, &operation)
                .expect("it was read");
            assert_eq!(
                written.as_str(),
                text,
                "a subject is written as it was read"
            );
            let filter = template.aggregate_filter(&aggregate).expect("it was read");
            assert!(filter.matches(text), "{filter} matches {text}");
        }
    }
}

/// Templates: as JSON, or as a layout with a line `field=value` for each constant.
pub fn templates(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let template = if text.starts_with('{') && text.contains('"') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        let mut lines = text.split('\n');
        let layout = lines.next().unwrap_or_default();
        let constants = lines.filter_map(|line| line.split_once('='));
        SubjectTemplate::parse(layout, constants).map_err(|error| {
            said(&error, error.code());
            error.to_string()
        })
    };
    let Ok(template) = template else { return };
    let json = serde_json::to_string(&template).expect("texts can be written as JSON");
    let read: Result<SubjectTemplate, _> = serde_json::from_str(&json);
    assert_eq!(
        read.expect("our own JSON"),
        template,
        "a template is read as it was written"
    );
    let Ok(template) = StoreTemplate::new(template) else {
        return;
    };
    let value = |field| template.template().constant(field).unwrap_or("x");
    let [organization, unit, domain, entity, id, operation] = Field::ALL.map(value);
    let namespace = Namespace::new(&format!("{organization}.{unit}.{domain}")).expect("tokens");
    let (entity, id) = (
        entity.parse().expect("a token"),
        id.parse().expect("a token"),
    );
    let aggregate = AggregateKey::new(namespace, entity, id);
    let operation = Operation::new(operation).expect("a token");
    let subject = template
        .event_subject(&aggregate, &operation)
        .expect("within the constants");
    let read = template.parse_event(subject.as_str());
    assert_eq!(
        read,
        Ok((aggregate, operation)),
        "a subject is read as it was written"
    );
}

/// Times: what is taken has one canonical text, which means the same time.
pub fn timestamps(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let strict = text.parse::<Timestamp>();
    match Timestamp::parse_lenient(text) {
        Ok(read) => {
            let canonical = read.timestamp.to_string();
            assert_eq!(
                canonical.parse(),
                Ok(read.timestamp),
                "{text} is {canonical}"
            );
            assert_eq!(
                Timestamp::from_micros(read.timestamp.micros()),
                Ok(read.timestamp)
            );
            assert_eq!(strict.is_ok(), canonical == text, "{text} is {canonical}");
        }
        Err(error) => {
            said(&error, error.code());
            assert!(strict.is_err(), "{text} is a time or none");
        }
    }
}

/// Every fault can be said, with all that caused it, and has a code.
fn said(error: &dyn Error, code: &str) {
    let mut cause = Some(error);
    while let Some(error) = cause {
        assert!(!error.to_string().is_empty(), "`{code}` says nothing");
        cause = error.source();
    }
    assert!(!code.is_empty(), "{error}");
}
