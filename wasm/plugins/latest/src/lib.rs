//! The newest payload of each aggregate.
//!
//! | collection | key | document |
//! |---|---|---|
//! | `latest` | `<entity>/<aggregate id>` | the payload of the aggregate's last event |
//!
//! `<entity>` is `organization.unit.domain.entity`. A payload that is JSON, by its content type and
//! in fact, stands there byte for byte. Another one stands there as
//! `{"content_type":"image/png","base64":"…"}`; if that would be longer than a document may be, with
//! `null` for the text.

#![warn(missing_docs)]

use cim_plugin::{Documents, Event, Failure, MAX_DOCUMENT_BYTES, Projection};
use data_encoding::BASE64;
use serde::Serialize;
use serde::de::IgnoredAny;

/// The projection.
#[derive(Debug, Default)]
pub struct Latest;

impl Projection for Latest {
    const NAME: &str = "latest";
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    const COLLECTIONS: &[&str] = &["latest"];

    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
        let key = format!("{}/{}", event.entity(), event.aggregate_id());
        if is_json_type(event.content_type()) && is_json(event.payload()) {
            return documents.put("latest", key, event.payload());
        }
        let encoded_len = BASE64.encode_len(event.payload().len());
        let fits = encoded_len <= MAX_DOCUMENT_BYTES - MAX_WRAPPING_BYTES;
        let wrapped = Wrapped {
            content_type: event.content_type(),
            base64: fits.then(|| BASE64.encode(event.payload())),
        };
        documents.put_json("latest", key, &wrapped)
    }
}

cim_plugin::export!(Latest);

/// A payload that is not JSON.
#[derive(Serialize)]
struct Wrapped<'a> {
    content_type: &'a str,
    base64: Option<String>,
}

/// Whether a content type says JSON: `application/json` or `…+json`, with or without parameters.
fn is_json_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim_end().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Whether bytes are one JSON text that people's tools take.
fn is_json(payload: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(payload) else {
        return false;
    };
    serde_json::from_str::<IgnoredAny>(text).is_ok() && depth(text) <= MAX_DEPTH
}

/// How deep the lists and objects of a JSON text nest.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut in_text = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' => drop(bytes.next()),
            b'[' | b'{' if !in_text => open += 1,
            b']' | b'}' if !in_text => open -= 1,
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// The most bytes of a document that are not the text in base64: a content type has at most 4096
/// bytes, of which each may be escaped.
const MAX_WRAPPING_BYTES: usize = 2 * 4096 + 64;

/// What most readers of JSON take; SQLite's functions refuse a document above 1000.
const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
