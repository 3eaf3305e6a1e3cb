//! Event ids that follow from rows, so that the same row is the same event.

use cim_core::id::{AggregateId, Entity, EventId, EventType, Namespace};
use cim_core::time::Timestamp;

/// What an event's id follows from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The entity.
    pub entity: &'a Entity,
    /// The aggregate's id.
    pub id: &'a AggregateId,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The event's time.
    pub time: Timestamp,
    /// The event's payload.
    pub payload: &'a [u8],
    /// How many identical rows came before.
    pub ordinal: u64,
}

impl Origin<'_> {
    /// The id: the time's milliseconds, then the first 10 bytes of BLAKE3 over the list of all
    /// parts in canonical DAG-CBOR, then version 7 and the variant.
    pub fn event_id(&self) -> EventId {
        let mut list = CborList::new(7);
        list.text(self.namespace.as_str());
        list.text(self.entity.as_str());
        list.text(self.id.as_str());
        list.text(self.event_type.as_str());
        list.integer(self.time.micros());
        list.bytes(self.payload);
        list.integer(self.ordinal);
        let digest = list.0.finalize();
        let (entropy, _) = digest
            .as_bytes()
            .split_first_chunk()
            .expect("a digest has 32 bytes");
        EventId::from_parts(self.time, *entropy)
    }
}

/// The hash of a list in canonical DAG-CBOR: each head is as short as it can be (RFC 8949, 4.2.1).
struct CborList(blake3::Hasher);

const INTEGER: u8 = 0x00;
const BYTES: u8 = 0x40;
const TEXT: u8 = 0x60;
const LIST: u8 = 0x80;

impl CborList {
    fn new(items: u64) -> Self {
        let mut list = Self(blake3::Hasher::new());
        list.head(LIST, items);
        list
    }

    fn integer(&mut self, value: u64) {
        self.head(INTEGER, value);
    }

    fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.0.update(bytes);
    }

    fn head(&mut self, major: u8, value: u64) {
        let bytes = value.to_be_bytes();
        let (tail, info) = match value {
            0..24 => (&bytes[8..], bytes[7]),
            24..=0xff => (&bytes[7..], 24),
            0x100..=0xffff => (&bytes[6..], 25),
            0x1_0000..=0xffff_ffff => (&bytes[4..], 26),
            _ => (&bytes[..], 27),
        };
        self.0.update(&[major | info]);
        self.0.update(tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_vectors() {
        let vectors = include_str!("../../../tests/vectors/ids.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
        let vectors = vectors["derivations"].as_array().expect("a list");
        assert!(vectors.len() >= 10);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().expect("a text");
            let payload = data_encoding::HEXLOWER.decode(text("payload_hex").as_bytes());
            let micros = text("micros").parse().expect("an integer");
            let origin = Origin {
                namespace: &text("namespace").parse().expect("a namespace"),
                entity: &text("entity").parse().expect("an entity"),
                id: &text("id").parse().expect("an id"),
                event_type: &text("type").parse().expect("a type"),
                time: Timestamp::from_micros(micros).expect("in range"),
                payload: &payload.expect("hex"),
                ordinal: vector["ordinal"].as_u64().expect("an integer"),
            };
            assert_eq!(origin.event_id().to_string(), text("uuid"), "{vector}");
        }
    }
}
