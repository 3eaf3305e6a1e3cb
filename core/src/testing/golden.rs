//! Golden files: what stored events of old schemas are read as, written down.

use std::error::Error;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::{RawValue, Value};

use super::difference::Difference;
use super::report::chain;
use crate::aggregate::Aggregate;
use crate::id::EventType;
use crate::payload::{self, DomainEvent, EventError};
use crate::upcast::{Payload, Upcasters};
use crate::version::SchemaVersion;

/// Asserts that the upcasters of an aggregate make of stored events what a golden file says, no more and
/// no less, that its events are decoded from that, and that each step of the upcasters has a case which
/// begins with it.
///
/// The text is JSON, `{"cases":[{"stored":{…},"read":[{…}]}]}`, where each `{…}` is a payload with exactly
/// `type`, `version` and `body`. Take it by `include_str!`, so that a test needs no file when it runs.
/// Bodies are compared as JSON: neither white space nor the order of fields counts. For a new case, write
/// `"read":[]`, run the test, and replace the file by the one that the failure prints, once it is right.
///
/// # Panics
///
/// When the text is no golden file or has no case, when a case cannot be read, when upcasting gives
/// something else, and when a step has no case.
///
/// # Examples
///
/// ```
/// use cim_core::aggregate::Aggregate;
/// use cim_core::payload::DomainEvent;
/// use cim_core::testing::assert_golden;
/// use cim_core::upcast::Upcasters;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, DomainEvent)]
/// #[event(entity = "lamp")]
/// enum LampEvent {
///     #[event(version = 2)]
///     LampLit { milliwatts: u64 },
/// }
///
/// struct Lamp;
///
/// impl Aggregate for Lamp {
///     type State = ();
///     type Event = LampEvent;
///     type Command = ();
///     type Error = ();
///
///     fn initial_state() {}
///
///     fn evolve((): (), _: &LampEvent) {}
///
///     fn decide((): &(), (): ()) -> Result<Vec<LampEvent>, ()> {
///         Ok(Vec::new())
///     }
///
///     fn upcasters() -> Upcasters {
///         Upcasters::default().with("LampLit", 1, |mut old| {
///             let body: serde_json::Value = serde_json::from_slice(&old.body)?;
///             let watts = body["watts"].as_u64().ok_or("expected `watts`")?;
///             let body = serde_json::json!({ "milliwatts": watts * 1000 });
///             old.body = body.to_string().into();
///             Ok(vec![old])
///         })
///     }
/// }
///
/// // In a test: assert_golden::<Lamp>(include_str!("lamp.golden.json"));
/// assert_golden::<Lamp>(
///     r#"{
///       "cases": [
///         {
///           "stored": {"type": "LampLit", "version": 1, "body": {"watts":40}},
///           "read": [
///             {"type": "LampLit", "version": 2, "body": {"milliwatts":40000}}
///           ]
///         }
///       ]
///     }"#,
/// );
/// ```
#[track_caller]
pub fn assert_golden<A: Aggregate<Event: DomainEvent>>(text: &str) {
    if let Err(fault) = check::<A::Event>(text, &A::upcasters()) {
        panic!("{fault}");
    }
}

fn check<E: DomainEvent>(text: &str, upcasters: &Upcasters) -> Result<(), String> {
    let document: Document = serde_json::from_str(text)
        .map_err(|error| format!("the golden file cannot be read: {error}\nexpected {FORM}"))?;
    if document.cases.is_empty() {
        return Err(format!(
            "the golden file has no case, so that nothing is checked\nexpected {FORM}"
        ));
    }
    let mut faults = String::new();
    let (mut as_now, mut is_readable) = (Vec::new(), true);
    for (number, case) in (1..).zip(&document.cases) {
        let stored = case.stored.written();
        match case
            .stored
            .payload()
            .and_then(|stored| Ok(read::<E>(stored, upcasters)?))
        {
            Ok(read) => {
                let found = case.found(&read);
                if !case.says(&read) {
                    let expected = Vec::from_iter(case.read.iter().map(PayloadText::written));
                    let (expected, found) = (expected.join("\n"), found.join("\n"));
                    let difference = Difference::new(&expected, &found);
                    write!(faults, "case {number}, {stored}\n{difference}").expect(STRING);
                }
                as_now.push((stored, found));
            }
            Err(error) => {
                is_readable = false;
                let error = chain(&*error).replace('\n', "\n  ");
                writeln!(faults, "case {number}, {stored}\n  {error}").expect(STRING);
            }
        }
    }
    match (faults.is_empty(), is_readable) {
        (true, _) => check_steps(&document, upcasters),
        (false, true) => Err(format!(
            "upcasting does not give what the golden file says (- expected, + found)\n{faults}the \
             whole file as it should be now:\n{}",
            document_text(&as_now)
        )),
        (false, false) => Err(format!(
            "upcasting does not give what the golden file says (- expected, + found)\n{faults}the \
             whole file is printed here as soon as every case can be read"
        )),
    }
}

/// That each step has a case which begins with it.
fn check_steps(document: &Document, upcasters: &Upcasters) -> Result<(), String> {
    let has_case = |event_type: &EventType, from: SchemaVersion| {
        let mut stored = document.cases.iter().map(|case| &case.stored);
        stored.any(|it| it.r#type == event_type.as_str() && it.version == from.get())
    };
    let steps = upcasters.steps();
    let missing = steps.filter(|(event_type, from)| !has_case(event_type, *from));
    let missing = missing.map(|(event_type, from)| format!("\n  {event_type}, version {from}"));
    let missing = missing.collect::<String>();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the golden file has no case that begins with these steps:{missing}\nexpected {FORM}"
        )),
    }
}

/// What upcasting makes of a payload; each is one that the domain decodes.
fn read<E: DomainEvent>(
    stored: Payload,
    upcasters: &Upcasters,
) -> Result<Vec<Payload>, EventError> {
    let read = upcasters.upcast(stored).map_err(EventError::Upcast)?;
    read.iter()
        .try_for_each(|payload| payload::decode_current::<E>(payload, upcasters).map(drop))?;
    Ok(read)
}

/// A golden file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    stored: PayloadText,
    read: Vec<PayloadText>,
}

impl Case {
    fn says(&self, read: &[Payload]) -> bool {
        let mut pairs = self.read.iter().zip(read);
        self.read.len() == read.len() && pairs.all(|(expected, found)| expected.is(found))
    }

    /// What was read, written as in the file where that says the same.
    fn found(&self, read: &[Payload]) -> Vec<String> {
        let lines = read.iter().enumerate();
        let lines = lines.map(|(index, found)| match self.read.get(index) {
            Some(expected) if expected.is(found) => expected.written(),
            Some(_) | None => written(found),
        });
        lines.collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadText {
    r#type: String,
    version: u64,
    body: Box<RawValue>,
}

impl PayloadText {
    fn payload(&self) -> Result<Payload, Box<dyn Error>> {
        Ok(Payload {
            event_type: EventType::new(&self.r#type)?,
            schema_version: SchemaVersion::new(self.version)?,
            body: self.body.get().to_owned().into(),
        })
    }

    fn written(&self) -> String {
        line(&self.r#type, self.version, self.body.get())
    }

    fn is(&self, payload: &Payload) -> bool {
        self.r#type == payload.event_type.as_str()
            && self.version == payload.schema_version.get()
            && is_same_json(self.body.get().as_bytes(), &payload.body)
    }
}

fn is_same_json(expected: &[u8], found: &[u8]) -> bool {
    let parse = serde_json::from_slice::<Value>;
    match (parse(expected), parse(found)) {
        (Ok(expected), Ok(found)) => expected == found,
        // A number that no value holds.
        (Err(_), _) | (_, Err(_)) => expected == found,
    }
}

/// A payload as a line of a golden file.
fn written(payload: &Payload) -> String {
    let body = String::from_utf8_lossy(&payload.body);
    line(
        payload.event_type.as_str(),
        payload.schema_version.get(),
        &body,
    )
}

fn line(event_type: &str, schema_version: u64, body: &str) -> String {
    let event_type = Value::from(event_type);
    let body = on_one_line(body);
    format!(r#"{{"type": {event_type}, "version": {schema_version}, "body": {body}}}"#)
}

/// JSON without white space between its values. Nothing is parsed, so numbers and the order of fields stay.
fn on_one_line(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let mut kept = json.to_owned();
    kept.retain(|c| {
        let is_kept = in_text || !c.is_ascii_whitespace();
        if c == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = c == '\\' && !escaped;
        is_kept
    });
    kept
}

fn document_text(cases: &[(String, Vec<String>)]) -> String {
    let mut text = "{\n  \"cases\": [".to_owned();
    for (index, (stored, read)) in cases.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(
            text,
            "{comma}\n    {{\n      \"stored\": {stored},\n      \"read\": ["
        )
        .expect(STRING);
        let read = read.iter().map(|line| format!("\n        {line}"));
        let read = Vec::from_iter(read).join(",");
        let end = if read.is_empty() { "" } else { "\n      " };
        write!(text, "{read}{end}]\n    }}").expect(STRING);
    }
    text + "\n  ]\n}\n"
}

const FORM: &str = r#"`{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`"#;

const STRING: &str = "a string takes what is written to it";
