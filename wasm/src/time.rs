//! Times, read as people and other programs write them.

use cim_core::time::Timestamp;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault::Fault;

/// Reads a time: `{"canonical","micros","offsetMissing"}`, with the microseconds as decimal text.
#[wasm_bindgen(js_name = parseTime)]
pub fn parse_time(text: &str) -> Result<String, Fault> {
    let time = Timestamp::parse_lenient(text)?;
    Ok(json!({
        "canonical": time.timestamp.to_string(),
        "micros": time.timestamp.micros().to_string(),
        "offsetMissing": !time.had_offset,
    })
    .to_string())
}
