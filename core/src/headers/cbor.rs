//! The headers that a plugin gets beside its columns, as one CBOR map of texts (RFC 8949).

use crate::chain::cbor::{MAP, TEXT, put_head};
use crate::event::RecordedEvent;

use super::{
    CAUSATION_ID, CID, CORRELATION_ID, EVENT_ID, META_PREFIX, PREVIOUS_CID, SOURCE, TRACEPARENT,
    TRACESTATE,
};

/// Appends the map of the headers that no column of a batch has.
pub(crate) fn put_cbor(out: &mut Vec<u8>, recorded: &RecordedEvent) {
    let event = &recorded.event;
    let trace = event.trace.as_deref();
    let traceparent = trace.and_then(|trace| trace.traceparent.as_ref());
    let tracestate = trace.and_then(|trace| trace.tracestate.as_ref());
    let optional = [
        event.causation.is_some(),
        recorded.previous.is_some(),
        traceparent.is_some(),
        tracestate.is_some(),
    ];
    let entries = REQUIRED
        + optional.into_iter().filter(|there| *there).count()
        + event.metadata.iter().len();
    put_head(out, MAP, entries as u64);
    let mut uuid = [0; uuid::fmt::Hyphenated::LENGTH];
    put(
        out,
        EVENT_ID,
        event.id.as_uuid().as_hyphenated().encode_lower(&mut uuid),
    );
    put(
        out,
        CORRELATION_ID,
        event.correlation.as_hyphenated().encode_lower(&mut uuid),
    );
    if let Some(causation) = &event.causation {
        put(
            out,
            CAUSATION_ID,
            causation.as_hyphenated().encode_lower(&mut uuid),
        );
    }
    put(out, SOURCE, event.source.as_str());
    put_bytes(out, CID, &recorded.cid.text());
    if let Some(previous) = recorded.previous {
        put_bytes(out, PREVIOUS_CID, &previous.text());
    }
    for (name, value) in event.metadata.iter() {
        put_head(out, TEXT, (META_PREFIX.len() + name.len()) as u64);
        out.extend_from_slice(META_PREFIX.as_bytes());
        out.extend_from_slice(name.as_bytes());
        put_text(out, value.as_str().as_bytes());
    }
    if let Some(parent) = traceparent {
        put(out, TRACEPARENT, parent.as_str());
    }
    if let Some(state) = tracestate {
        put(out, TRACESTATE, state.as_str());
    }
}

/// The headers that every recorded event has: id, correlation, source, CID.
const REQUIRED: usize = 4;

fn put(out: &mut Vec<u8>, name: &str, value: &str) {
    put_bytes(out, name, value.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put_text(out, name.as_bytes());
    put_text(out, value);
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text);
}
