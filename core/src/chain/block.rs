//! The block of an event: the canonical DAG-CBOR map whose BLAKE3 digest is its CID.
//!
//! An event has one block and a block one event: [`decode`] refuses every other spelling, so that
//! encoding what it gives returns the same bytes.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use super::cbor::{self, CborError, Reader};
use crate::cid::Cid;
use crate::event::{NewEvent, RecordedEvent};
use crate::id::{AggregateKey, EventId, EventType, Operation};
use crate::metadata::Metadata;
use crate::text::Text;
use crate::time::Timestamp;
use crate::version::{SchemaVersion, Version};

/// The block of `event`.
///
/// # Examples
///
/// ```
/// use cim_core::chain::block;
/// use cim_core::cid::Cid;
/// use cim_core::event::RecordedEvent;
///
/// fn cid(event: &RecordedEvent) -> Cid {
///     Cid::of_block(&block::encode(event))
/// }
/// ```
pub fn encode(event: &RecordedEvent) -> Vec<u8> {
    let mut block = Vec::new();
    encode_into(event, &mut block);
    block
}

/// Appends the block of `event` to `block`, so that one buffer serves many events.
pub fn encode_into(event: &RecordedEvent, block: &mut Vec<u8>) {
    let RecordedEvent {
        aggregate,
        version,
        previous,
        cid: _,
        event,
    } = event;
    // The fixed parts and the heads need less than 256 bytes; names, body and texts vary.
    block.reserve(
        256 + event.body.len()
            + event.content_type.as_str().len()
            + event.operation.as_str().len()
            + event.event_type.as_str().len()
            + event.source.as_str().len()
            + aggregate.namespace.as_str().len()
            + aggregate.entity.as_str().len()
            + aggregate.id.as_str().len(),
    );
    // Keys in the order of DAG-CBOR: by length, then by bytes.
    put_text(block, b"\xb1\x61v\x01\x62ct", event.content_type.as_str());
    put_uuid(block, b"\x62id\x50", event.id.as_bytes());
    put_text(block, b"\x62ns", aggregate.namespace.as_str());
    put_text(block, b"\x62op", event.operation.as_str());
    put_number(block, b"\x62tv", event.schema_version.get());
    put_text(block, b"\x63agg", aggregate.entity.as_str());
    match &event.causation {
        Some(cause) => put_uuid(block, b"\x63cau\x50", cause.as_bytes()),
        None => block.extend_from_slice(b"\x63cau\xf6"),
    }
    put_uuid(block, b"\x63cor\x50", event.correlation.as_bytes());
    put_text(block, b"\x63key", aggregate.id.as_str());
    put_number(block, b"\x63seq", version.get());
    put_text(block, b"\x63src", event.source.as_str());
    block.extend_from_slice(b"\x64data");
    cbor::put_head(block, cbor::BYTES, event.body.len() as u64);
    block.extend_from_slice(&event.body);
    block.extend_from_slice(b"\x64meta");
    let metadata = event.metadata.iter();
    cbor::put_head(block, cbor::MAP, metadata.len() as u64);
    for (name, value) in metadata {
        put_text(block, b"", name);
        put_text(block, b"", value.as_str());
    }
    match previous {
        Some(previous) => {
            block.extend_from_slice(b"\x64prev\xd8\x2a\x58\x25\x00");
            block.extend_from_slice(&previous.to_bytes());
        }
        None => block.extend_from_slice(b"\x64prev\xf6"),
    }
    put_number(block, b"\x64time", event.timestamp.micros());
    put_text(block, b"\x64type", event.event_type.as_str());
}

#[inline]
fn put_text(block: &mut Vec<u8>, key: &[u8], text: &str) {
    block.extend_from_slice(key);
    cbor::put_head(block, cbor::TEXT, text.len() as u64);
    block.extend_from_slice(text.as_bytes());
}

#[inline]
fn put_number(block: &mut Vec<u8>, key: &[u8], number: u64) {
    block.extend_from_slice(key);
    cbor::put_head(block, cbor::UNSIGNED, number);
}

#[inline]
fn put_uuid(block: &mut Vec<u8>, key: &[u8], uuid: &[u8; 16]) {
    block.extend_from_slice(key);
    block.extend_from_slice(uuid);
}

/// Reads a block; the event gets the CID of these bytes and no trace context, which no block has.
///
/// # Errors
///
/// [`BlockError::NotCanonical`] for bytes that are not one canonical DAG-CBOR item, and only then
/// the other variants, for one that is not the block of an event.
pub fn decode(block: &[u8]) -> Result<RecordedEvent, BlockError> {
    cbor::check(block)?;
    let mut fields = Fields {
        reader: Reader::new(block),
        key: "v",
    };
    if fields.reader.map() != Some(FIELDS) {
        return Err(BlockError::NoEvent);
    }
    fields.version_of_block()?;
    let content_type = fields.parsed("ct", Text::new)?;
    let id = fields.uuid("id")?;
    let id = EventId::from_uuid(id).map_err(|source| fields.wrong(source))?;
    let namespace = fields.parsed("ns", str::parse)?;
    let operation = fields.parsed("op", Operation::new)?;
    let schema_version = fields.number("tv", SchemaVersion::new)?;
    let entity = fields.parsed("agg", str::parse)?;
    let causation = fields.optional_uuid("cau")?;
    let correlation = fields.uuid("cor")?;
    let aggregate_id = fields.parsed("key", str::parse)?;
    let version = fields.number("seq", Version::new)?;
    let source = fields.parsed("src", Text::new)?;
    let body = Bytes::copy_from_slice(fields.bytes("data")?);
    let metadata = fields.metadata("meta")?;
    let previous = fields.link("prev")?;
    if previous.is_none() != (version == Version::FIRST) {
        return Err(BlockError::Previous { version });
    }
    let timestamp = fields.number("time", Timestamp::from_micros)?;
    let event_type = fields.parsed("type", EventType::new)?;
    Ok(RecordedEvent {
        aggregate: AggregateKey::new(namespace, entity, aggregate_id),
        version,
        previous,
        cid: Cid::of_block(block),
        event: NewEvent {
            id,
            correlation,
            causation,
            event_type,
            operation,
            schema_version,
            timestamp,
            source,
            content_type,
            metadata,
            trace: None,
            body,
        },
    })
}

/// How many keys a block has.
const FIELDS: u64 = 17;

/// Reads key by key, in the one order in which they can stand.
struct Fields<'a> {
    reader: Reader<'a>,
    /// The key at which the reader is, for errors.
    key: &'static str,
}

impl<'a> Fields<'a> {
    fn enter(&mut self, key: &'static str) -> Result<(), BlockError> {
        self.key = key;
        match self.reader.text() {
            Some(found) if found == key => Ok(()),
            _ => Err(BlockError::Key { expected: key }),
        }
    }

    fn wrong(&self, source: impl Error + Send + Sync + 'static) -> BlockError {
        BlockError::Value {
            key: self.key,
            source: Some(Box::new(source)),
        }
    }

    fn of_other_kind(&self) -> BlockError {
        BlockError::Value {
            key: self.key,
            source: None,
        }
    }

    fn version_of_block(&mut self) -> Result<(), BlockError> {
        self.enter("v")?;
        if self.reader.unsigned() == Some(1) {
            Ok(())
        } else {
            Err(self.of_other_kind())
        }
    }

    fn parsed<T, E: Error + Send + Sync + 'static>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Result<T, BlockError> {
        self.enter(key)?;
        let text = self.reader.text().ok_or_else(|| self.of_other_kind())?;
        parse(text).map_err(|source| self.wrong(source))
    }

    fn number<T, E: Error + Send + Sync + 'static>(
        &mut self,
        key: &'static str,
        take: impl FnOnce(u64) -> Result<T, E>,
    ) -> Result<T, BlockError> {
        self.enter(key)?;
        let number = self.reader.unsigned().ok_or_else(|| self.of_other_kind())?;
        take(number).map_err(|source| self.wrong(source))
    }

    fn bytes(&mut self, key: &'static str) -> Result<&'a [u8], BlockError> {
        self.enter(key)?;
        self.reader.bytes().ok_or_else(|| self.of_other_kind())
    }

    fn uuid(&mut self, key: &'static str) -> Result<Uuid, BlockError> {
        let bytes = self.bytes(key)?;
        Uuid::from_slice(bytes).map_err(|_| self.of_other_kind())
    }

    fn optional_uuid(&mut self, key: &'static str) -> Result<Option<Uuid>, BlockError> {
        self.enter(key)?;
        if self.reader.null() {
            return Ok(None);
        }
        let uuid = self
            .reader
            .bytes()
            .and_then(|bytes| Uuid::from_slice(bytes).ok());
        uuid.map(Some).ok_or_else(|| self.of_other_kind())
    }

    fn metadata(&mut self, key: &'static str) -> Result<Metadata, BlockError> {
        self.enter(key)?;
        let count = self.reader.map().ok_or_else(|| self.of_other_kind())?;
        let mut metadata = Metadata::default();
        for _ in 0..count {
            let name = self.reader.text().ok_or_else(|| self.of_other_kind())?;
            let value = self.reader.text().ok_or_else(|| self.of_other_kind())?;
            let value = Text::new(value).map_err(|source| self.wrong(source))?;
            metadata
                .insert(name, value)
                .map_err(|source| self.wrong(source))?;
        }
        Ok(metadata)
    }

    fn link(&mut self, key: &'static str) -> Result<Option<Cid>, BlockError> {
        self.enter(key)?;
        if self.reader.null() {
            return Ok(None);
        }
        let cid = self.reader.link().ok_or_else(|| self.of_other_kind())?;
        Cid::from_bytes(cid)
            .map(Some)
            .map_err(|source| self.wrong(source))
    }
}

/// Bytes that are not the block of an event.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlockError {
    /// They are not one canonical DAG-CBOR item; the source says where and why.
    NotCanonical {
        /// What the CBOR reader says.
        source: CborError,
    },
    /// They nest deeper than any block of an event; whether they are canonical was not found out.
    TooDeep,
    /// They are no map, or one with more or fewer keys.
    NoEvent,
    /// Another key stands where `expected` belongs.
    Key {
        /// The key that belongs there.
        expected: &'static str,
    },
    /// The value of a key is of another kind or breaks the rule of its field.
    Value {
        /// The key.
        key: &'static str,
        /// The rule that it breaks; `None` for a value of another kind or length.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The link to the event before is absent after version 1, or present at version 1.
    Previous {
        /// The version.
        version: Version,
    },
}

impl BlockError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical { .. } => "block-not-canonical",
            _ => "block-invalid",
        }
    }
}

impl From<CborError> for BlockError {
    fn from(source: CborError) -> Self {
        match source {
            CborError::TooDeep { .. } => Self::TooDeep,
            source => Self::NotCanonical { source },
        }
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCanonical { .. } => f.write_str("the block is not canonical DAG-CBOR"),
            Self::TooDeep => f.write_str("the block nests deeper than that of an event"),
            Self::NoEvent => write!(f, "the block is no map of {FIELDS} keys"),
            Self::Key { expected } => {
                write!(
                    f,
                    "the block has another key where `{expected}` is expected"
                )
            }
            Self::Value { key, .. } => write!(f, "the value of `{key}` in the block is not valid"),
            Self::Previous { version } if *version == Version::FIRST => {
                f.write_str("the block has a link at version 1")
            }
            Self::Previous { version } => write!(f, "the block has no link at version {version}"),
        }
    }
}

impl Error for BlockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotCanonical { source } => Some(source),
            Self::Value { source, .. } => source
                .as_ref()
                .map(|source| &**source as &(dyn Error + 'static)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn vectors(file: &str) -> serde_json::Value {
        serde_json::from_str(file).expect("the vectors are JSON")
    }

    fn hex(value: &serde_json::Value) -> Vec<u8> {
        let text = value.as_str().expect("hex is text");
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .expect("lower-case hex")
    }

    static BLOCKS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let events = vectors(include_str!("../../../tests/vectors/events.json"));
        let events = events["events"].as_array().expect("a list").iter();
        events.map(|vector| hex(&vector["block_hex"])).collect()
    });

    #[test]
    fn every_block_is_read_and_written_back() {
        let events = vectors(include_str!("../../../tests/vectors/events.json"));
        for vector in events["events"].as_array().expect("a list") {
            let block = hex(&vector["block_hex"]);
            let event = decode(&block).expect("a valid block");
            assert_eq!(encode(&event), block, "{}", vector["name"]);
            assert_eq!(event.cid.to_string(), vector["cid"], "{}", vector["name"]);
            assert_eq!(event.version.get(), vector["version"], "{}", vector["name"]);
            assert_eq!(event.aggregate.id.as_str(), vector["aggregate"]["id"]);
            assert_eq!(&event.event.body[..], hex(&vector["body_hex"]));
        }
    }

    #[test]
    fn refuses_what_is_no_block() {
        let refused = vectors(include_str!("../../../tests/vectors/refused.json"));
        let rows = refused["vectors"].as_array().expect("a list").iter();
        let rows: Vec<_> = rows.filter(|vector| vector["kind"] == "block").collect();
        assert!(rows.len() > 200, "{}", rows.len());
        for vector in rows {
            let error = decode(&hex(&vector["block_hex"])).expect_err("a refused block");
            assert_eq!(error.code(), vector["code"], "{}: {error}", vector["why"]);
        }
    }

    #[test]
    fn nesting_is_bounded_and_claimed_lengths_are_not_believed() {
        for head in [0x81, 0xa1, 0xc6, 0xd8] {
            let error = decode(&vec![head; 1 << 20]).expect_err("no block");
            assert!(!error.to_string().is_empty());
        }
        let error = decode(&[0x81; 1 << 20]).expect_err("a deep list");
        assert!(matches!(error, BlockError::TooDeep), "{error}");
        let huge = [0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            decode(&huge).expect_err("a long list").code(),
            "block-not-canonical"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_changed_block_is_refused_or_another_event(
            which in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut block = which.get(&BLOCKS).clone();
            let at = at.index(block.len());
            block[at] = byte;
            if let Ok(event) = decode(&block) {
                prop_assert_eq!(encode(&event), block);
            }
        }
    }
}
