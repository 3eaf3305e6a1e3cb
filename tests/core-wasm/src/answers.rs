//! What the core says of messages and exports.
//!
//! Messages come as in `tests/vectors/events.json`: `{"template":…,"events":[{"subject":…,
//! "headers":[[name,value]],"body_hex":…}]}`, with the headers that they have on the wire.

use std::collections::BTreeMap;
use std::error::Error;

use cim_core::aggregate::HistorySummary;
use cim_core::chain::verifier::ChainVerifier;
use cim_core::chain::{block, check_cid};
use cim_core::cid::Cid;
use cim_core::event::RecordedEvent;
use cim_core::export::{
    ExportError, ExportHeader, ExportReader, ExportVerifier, ExportWriter, to_json,
};
use cim_core::headers::Carrier;
use cim_core::id::AggregateKey;
use cim_core::subject::StoreTemplate;
use cim_core::time::Timestamp;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::Answer;

/// Headers and subject are read, the block is made, and its CID is compared with the header's.
pub(crate) fn blocks(input: &[u8]) -> Answer {
    let (_, events) = messages(input)?;
    let mut blocks = Vec::new();
    for event in &events {
        check_cid(event)?;
        let block = block::encode(event);
        block::decode(&block)?;
        blocks.push(json!({
            "block_hex": HEXLOWER.encode(&block),
            "cid": Cid::of_block(&block).to_string(),
        }));
    }
    Ok(Value::from(blocks).to_string())
}

pub(crate) fn make_export(input: &[u8]) -> Answer {
    let (template, events) = messages(input)?;
    let header = ExportHeader {
        store_id: "01934f4a-7c1e-7d3a-9b52-0c4f1e2d3a4b".to_owned(),
        template,
        filter: None,
        exported_at: Timestamp::from_micros(0)?,
    };
    let (mut writer, mut export) = ExportWriter::new(&header);
    for event in &events {
        export += &writer.line(event)?;
    }
    Ok(export + &writer.finish())
}

pub(crate) fn verify_export(input: &[u8]) -> Answer {
    let mut verifier = ExportVerifier::new();
    let report = verifier.push(input).and_then(|()| verifier.finish());
    Ok(to_json(&report))
}

pub(crate) fn histories(input: &[u8]) -> Answer {
    let mut histories: BTreeMap<AggregateKey, Vec<RecordedEvent>> = BTreeMap::new();
    let mut reader = ExportReader::new();
    reader.push(input, |_line, event| {
        let history = histories.entry(event.aggregate.clone()).or_default();
        history.push(event);
        Ok::<_, ExportError>(())
    })?;
    reader.finish()?;

    let mut summaries = serde_json::Map::new();
    for (aggregate, history) in histories {
        let name = aggregate.to_string();
        let mut verifier = ChainVerifier::from_genesis(aggregate);
        let mut summary = HistorySummary::initial_state();
        for event in &history {
            verifier.push(event)?;
            summary = summary.evolve(event);
        }
        let head = verifier.head().map(|head| head.cid.to_string());
        summaries.insert(name, json!({ "events": summary.events(), "head": head }));
    }
    Ok(Value::from(summaries).to_string())
}

fn messages(input: &[u8]) -> Result<(StoreTemplate, Vec<RecordedEvent>), Box<dyn Error>> {
    read_messages(&serde_json::from_slice(input)?)
}

/// The messages of a document, and the template of their subjects.
pub(crate) fn read_messages(
    document: &Value,
) -> Result<(StoreTemplate, Vec<RecordedEvent>), Box<dyn Error>> {
    let template: StoreTemplate = serde_json::from_value(document["template"].clone())?;
    let mut events = Vec::new();
    for message in document["events"].as_array().ok_or("no list `events`")? {
        let text = |name: &str| message[name].as_str().ok_or(format!("no text `{name}`"));
        let headers: Vec<(String, String)> = serde_json::from_value(message["headers"].clone())?;
        let body = HEXLOWER.decode(text("body_hex")?.as_bytes())?;
        events.push(RecordedEvent::decode_parts(
            &template,
            Carrier::Wire,
            text("subject")?,
            headers.iter().map(|(name, value)| (&**name, &**value)),
            body.into(),
        )?);
    }
    Ok((template, events))
}
