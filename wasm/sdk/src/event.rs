//! An event as a plugin sees it.

use std::fmt;

use crate::bindings::cim::plugin::types::Batch;
use crate::columns::item;
#[cfg(feature = "json")]
use crate::failure::Failure;

/// One event, borrowed from its batch.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    batch: &'a Batch,
    index: usize,
}

impl<'a> Event<'a> {
    /// The event `index` of a batch that was checked.
    pub(crate) fn new(batch: &'a Batch, index: usize) -> Self {
        Self { batch, index }
    }

    /// The name of its type: `KeyGenerated`.
    pub fn event_type(self) -> &'a str {
        &self.batch.types[self.batch.type_of[self.index] as usize]
    }

    /// The version of its payload's schema, from 1.
    pub fn schema_version(self) -> u32 {
        self.batch.schema_versions[self.index]
    }

    /// The kind of its aggregate with the namespace: `organization.unit.domain.entity`.
    ///
    /// Keys of documents should have this form: two domains may use one name for two things.
    pub fn entity(self) -> &'a str {
        &self.batch.entities[self.batch.entity_of[self.index] as usize]
    }

    /// The kind of its aggregate without the namespace: the last token of [`entity`](Self::entity).
    pub fn entity_name(self) -> &'a str {
        let entity = self.entity();
        entity.rsplit_once('.').map_or(entity, |(_, name)| name)
    }

    /// Which aggregate of its entity it belongs to.
    pub fn aggregate_id(self) -> &'a str {
        item(
            &self.batch.aggregate_id_ends,
            self.batch.aggregate_ids.as_str(),
            self.index,
        )
    }

    /// Its number in the history of its aggregate, from 1 without gaps.
    pub fn version(self) -> u64 {
        self.batch.versions[self.index]
    }

    /// Its place in the store's order. Keep it out of documents: a copy of the store has others.
    pub fn position(self) -> u64 {
        self.batch.positions[self.index]
    }

    /// When it happened, as recorded, in microseconds since 1970. Later events may have earlier
    /// times.
    pub fn time_us(self) -> u64 {
        self.batch.times[self.index]
    }

    /// The content type of its payload: `application/json`, unless its producer chose another.
    pub fn content_type(self) -> &'a str {
        &self.batch.content_types[self.batch.content_type_of[self.index] as usize]
    }

    /// The bytes as its producer wrote them.
    pub fn payload(self) -> &'a [u8] {
        item(
            &self.batch.payload_ends,
            self.batch.payloads.as_slice(),
            self.index,
        )
    }

    /// The payload, read as JSON. `T` may borrow from it.
    ///
    /// # Errors
    ///
    /// `payload-invalid`: it is no JSON, or not of `T`'s shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Deserialize<'a>>(self) -> Result<T, Failure> {
        serde_json::from_slice(self.payload()).map_err(|error| {
            let event_type = self.event_type();
            Failure::new(
                "payload-invalid",
                format!("the payload is not that of `{event_type}`: {error}"),
            )
        })
    }

    /// The headers that no other method gives, names and values: `CIM-Event-Id`,
    /// `CIM-Correlation-Id`, `CIM-Causation-Id`, `CIM-Source`, `CIM-Cid`, `CIM-Previous-Cid`,
    /// `CIM-Meta-…`, `traceparent`, `tracestate`; those that it has, in this order.
    pub fn headers(self) -> Headers<'a> {
        Headers::new(item(
            &self.batch.header_ends,
            self.batch.headers.as_slice(),
            self.index,
        ))
    }

    /// The value of one of [`headers`](Self::headers); names are case-sensitive.
    pub fn header(self, name: &str) -> Option<&'a str> {
        self.headers()
            .find_map(|(other, value)| (other == name).then_some(value))
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_type", &self.event_type())
            .field("entity", &self.entity())
            .field("aggregate_id", &self.aggregate_id())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// Headers of an event, read as they are asked for.
///
/// They come from the host as a CBOR map of texts. Anything else would be a fault of the host, and
/// stops the plugin.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Headers<'a> {
    fn new(map: &'a [u8]) -> Self {
        let mut headers = Self { rest: map, left: 0 };
        headers.left = headers.head(MAP);
        headers
    }

    /// The number of an item's head, which must be of type `major` and of definite length.
    fn head(&mut self, major: u8) -> usize {
        let first = self.take(1)[0];
        assert_eq!(first >> 5, major, "{CONTRACT}");
        let length = match first & 0x1f {
            small @ 0..=23 => return usize::from(small),
            24 => 1,
            25 => 2,
            26 => 4,
            _ => panic!("{CONTRACT}"),
        };
        self.take(length)
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).expect(CONTRACT);
        self.rest = rest;
        taken
    }

    fn text(&mut self) -> &'a str {
        let length = self.head(TEXT);
        std::str::from_utf8(self.take(length)).expect(CONTRACT)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.text(), self.text()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The major type of a text in CBOR (RFC 8949, section 3.1).
const TEXT: u8 = 3;
/// The major type of a map.
const MAP: u8 = 5;

const CONTRACT: &str = "the host writes headers as a CBOR map of texts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_headers_of_every_length() {
        for length in [0, 23, 24, 255, 256, 4096, 70_000] {
            let value = "x".repeat(length);
            let mut map = vec![0xa2, 0x61, b'a'];
            match length {
                0..=23 => map.push(0x60 | length as u8),
                24..=255 => map.extend([0x78, length as u8]),
                256..=0xffff => map.extend([0x79, (length >> 8) as u8, length as u8]),
                _ => map.extend([&[0x7a][..], &(length as u32).to_be_bytes()].concat()),
            }
            map.extend_from_slice(value.as_bytes());
            map.extend([0x62, 0xc3, 0xa9, 0x61, b'z']);
            let headers = Headers::new(&map);
            assert_eq!(headers.len(), 2);
            assert!(headers.eq([("a", value.as_str()), ("é", "z")]), "{length}");
        }
        assert_eq!(Headers::new(&[0xa0]).next(), None);
    }

    #[test]
    fn stops_at_what_is_no_map_of_texts() {
        for bytes in [
            &[][..],
            &[0x80],
            &[0xbf],
            &[0xa1],
            &[0xa1, 0x61],
            &[0xa1, 0x61, 0xff],
        ] {
            let read = std::panic::catch_unwind(|| Headers::new(bytes).count());
            assert!(read.is_err(), "{bytes:x?}");
        }
    }
}
