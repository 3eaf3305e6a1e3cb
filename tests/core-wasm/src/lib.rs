//! `cim-core` as a bare WebAssembly module: what each function reaches is linked in, so the module
//! shows that none of it needs the host.
//!
//! The caller writes bytes at `input(length)`, calls a function, and reads as many bytes at `output()`
//! as the function returned: a JSON document with the answer or the `error`.
#![allow(
    unsafe_code,
    reason = "a name is exported by `#[unsafe(no_mangle)]`; no memory is touched by hand"
)]

use std::cell::RefCell;
use std::error::Error;

use cim_core::aggregate::HistorySummary;
use cim_core::append::{self, Append};
use cim_core::chain::{block, verifier::ChainVerifier};
use cim_core::event::{NewEvent, Text};
use cim_core::export::{ExportHeader, ExportVerifier, ExportWriter, to_json};
use cim_core::id::{AggregateKey, EventId};
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::time::Timestamp;
use cim_core::version::ExpectedVersion;
use serde_json::{Value, json};

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes room for the caller's bytes.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Where the last answer is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// Verifies an export, and answers with the document that every tool prints of it.
#[unsafe(no_mangle)]
pub extern "C" fn verify_export() -> usize {
    give(INPUT.with_borrow(|input| {
        let mut verifier = ExportVerifier::new();
        to_json(&verifier.push(input).and_then(|()| verifier.finish()))
    }))
}

/// Reads a block, and answers with `{"cid"}`.
#[unsafe(no_mangle)]
pub extern "C" fn read_block() -> usize {
    answer(|input| {
        let event = block::decode(input)?;
        Ok(json!({ "cid": event.cid.to_string() }))
    })
}

/// Matches `[filter, subject]`, and answers with `{"matches"}`.
#[unsafe(no_mangle)]
pub extern "C" fn match_filter() -> usize {
    answer(|input| {
        let (filter, subject): (String, String) = serde_json::from_slice(input)?;
        Ok(json!({ "matches": SubjectFilter::new(&filter)?.matches(&subject) }))
    })
}

/// Takes `{"aggregate","type","times":[…],"body"}` through the whole core: new events, their places,
/// an export of them, its verification and a fold. Answers with `{"export","head"}`.
#[unsafe(no_mangle)]
pub extern "C" fn round_trip() -> usize {
    answer(|input| {
        let input: Value = serde_json::from_slice(input)?;
        let aggregate: AggregateKey = text(&input["aggregate"]).parse()?;
        let times = input["times"].as_array().map_or(&[][..], Vec::as_slice);
        let event = |time: &Value| -> Result<NewEvent, Box<dyn Error>> {
            let time = Timestamp::parse_lenient(text(time))?.timestamp;
            Ok(NewEvent::json(
                EventId::from_parts(time, [7; 10]),
                &aggregate.entity,
                text(&input["type"]).parse()?,
                time,
                Text::new("core-wasm")?,
                text(&input["body"]).to_owned(),
            )?)
        };
        let events = times.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let template = StoreTemplate::default();
        let new = Append::new(aggregate.clone(), ExpectedVersion::NoStream, events);
        append::validate(&template, std::slice::from_ref(&new)).map_err(|why| why.code())?;
        let recorded = append::record(&aggregate, None, &new.events).map_err(|why| why.code())?;

        let header = ExportHeader {
            store_id: "core-wasm".to_owned(),
            template,
            filter: None,
            exported_at: Timestamp::default(),
        };
        let (mut writer, mut export) = ExportWriter::new(&header);
        let mut verifier = ChainVerifier::from_genesis(aggregate);
        let mut state = HistorySummary::initial_state();
        for event in &recorded {
            export += &writer.line(event)?;
            verifier.push(event)?;
            state = state.evolve(event);
        }
        export += &writer.finish();
        let head = verifier.head().map(|head| head.cid.to_string());
        Ok(json!({ "export": export, "head": head, "events": state.events() }))
    })
}

/// Answers with what `work` makes of the input.
fn answer(work: impl FnOnce(&[u8]) -> Result<Value, Box<dyn Error>>) -> usize {
    let answer = INPUT.with_borrow(|input| work(input));
    let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
    give(answer.to_string())
}

fn give(answer: String) -> usize {
    let length = answer.len();
    OUTPUT.set(answer);
    length
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
