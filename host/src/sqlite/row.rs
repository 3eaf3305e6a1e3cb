//! Events as rows and rows as events.

use std::collections::HashMap;

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::event::{NewEvent, RecordedEvent, TraceContext};
use cim_core::id::{AggregateKey, EventId, EventType, Operation};
use cim_core::metadata::Metadata;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{Position, SchemaVersion, Version};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use crate::store::InvalidEvent;

/// The columns of a row, in the order in which [`Rows::event`] takes them.
pub(super) const COLUMNS: &str = "position, aggregate, version, event_id, correlation_id, \
    causation_id, type, operation, schema_version, time, source, content_type, metadata, \
    traceparent, tracestate, previous_cid, cid, body";

const INSERT: &str = "INSERT INTO events (aggregate, version, event_id, correlation_id, \
    causation_id, type, operation, schema_version, time, source, content_type, metadata, \
    traceparent, tracestate, previous_cid, cid, body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// The most names of a kind that are kept: as many as are found sooner than allocated.
const MAX_NAMES: usize = 32;

/// The most aggregates that are kept while rows are read; then they are forgotten.
const MAX_AGGREGATES: usize = 10_000;

/// Turns rows into events, sharing the texts that many events have in common.
#[derive(Debug, Default)]
pub(super) struct Rows {
    aggregates: HashMap<i64, AggregateKey>,
    last_aggregate: Option<(i64, AggregateKey)>,
    types: Names<EventType>,
    operations: Names<Operation>,
    sources: Names<Text>,
    content_types: Names<Text>,
}

impl Rows {
    /// Reads the event of a row that was selected with [`COLUMNS`].
    pub(super) fn event(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
    ) -> rusqlite::Result<Result<(Position, RecordedEvent), InvalidEvent>> {
        let number: i64 = row.get(0)?;
        let Some(position) = u64::try_from(number)
            .ok()
            .and_then(|n| Position::new(n).ok())
        else {
            return Ok(Err(InvalidEvent {
                position: Position::FIRST,
                aggregate: None,
                event: None,
                code: "row-invalid",
                why: format!("the row number {number} is no position"),
            }));
        };
        let aggregate = self.aggregate(connection, row.get(1)?)?;
        let id = row
            .get_ref(3)?
            .as_blob()
            .ok()
            .and_then(uuid_of)
            .map(EventId::from_uuid);
        let invalid = |why: String| InvalidEvent {
            position,
            aggregate: aggregate.clone(),
            event: id.clone().and_then(Result::ok),
            code: "row-invalid",
            why,
        };
        Ok(match (&aggregate, &id) {
            (None, _) => Err(invalid(
                "its aggregate is not in the table of aggregates".to_owned(),
            )),
            (_, None) => Err(invalid("its event id is not 16 bytes".to_owned())),
            (_, Some(Err(error))) => Err(invalid(error.to_string())),
            (Some(aggregate), Some(Ok(id))) => self
                .recorded(row, aggregate.clone(), *id)
                .map(|event| (position, event))
                .map_err(invalid),
        })
    }

    fn recorded(
        &mut self,
        row: &Row<'_>,
        aggregate: AggregateKey,
        id: EventId,
    ) -> Result<RecordedEvent, String> {
        let version = integer(row, 2, "version")?;
        let trace = TraceContext {
            traceparent: optional_text(row, 13, "traceparent")?
                .map(read_text)
                .transpose()?,
            tracestate: optional_text(row, 14, "tracestate")?
                .map(read_text)
                .transpose()?,
        };
        Ok(RecordedEvent {
            aggregate,
            version: Version::new(version).map_err(|error| error.to_string())?,
            previous: match row.get_ref(15).map_err(column)? {
                ValueRef::Null => None,
                value => Some(cid(value, "previous CID")?),
            },
            cid: cid(row.get_ref(16).map_err(column)?, "CID")?,
            event: NewEvent {
                id,
                correlation: uuid(row, 4, "correlation id")?,
                causation: match row.get_ref(5).map_err(column)? {
                    ValueRef::Null => None,
                    _ => Some(uuid(row, 5, "causation id")?),
                },
                event_type: self.types.get(text(row, 6, "type")?, |name| {
                    EventType::new(name).map_err(|error| error.to_string())
                })?,
                operation: self.operations.get(text(row, 7, "operation")?, |name| {
                    Operation::new(name).map_err(|error| error.to_string())
                })?,
                schema_version: SchemaVersion::new(integer(row, 8, "schema version")?)
                    .map_err(|error| error.to_string())?,
                timestamp: Timestamp::from_micros(integer(row, 9, "time")?)
                    .map_err(|error| error.to_string())?,
                source: self.sources.get(text(row, 10, "source")?, read_text)?,
                content_type: self
                    .content_types
                    .get(text(row, 11, "content type")?, read_text)?,
                metadata: match optional_text(row, 12, "metadata")? {
                    None => Metadata::default(),
                    Some(json) => read_metadata(json)?,
                },
                trace: (!trace.is_empty()).then(|| Box::new(trace)),
                body: match row.get_ref(17).map_err(column)? {
                    ValueRef::Blob(body) => Bytes::copy_from_slice(body),
                    _ => return Err("its body is no blob".to_owned()),
                },
            },
        })
    }

    /// The aggregate of a row number, from what was read before or from its table.
    fn aggregate(
        &mut self,
        connection: &Connection,
        id: i64,
    ) -> rusqlite::Result<Option<AggregateKey>> {
        match &self.last_aggregate {
            Some((last, key)) if *last == id => return Ok(Some(key.clone())),
            _ => {}
        }
        if let Some(key) = self.aggregates.get(&id) {
            self.last_aggregate = Some((id, key.clone()));
            return Ok(Some(key.clone()));
        }
        let key = connection
            .prepare_cached("SELECT namespace, entity, key FROM aggregates WHERE id = ?1")?
            .query_row([id], |row| {
                let text = |at| {
                    row.get_ref(at)
                        .and_then(|value| Ok(value.as_str()?.to_owned()))
                };
                Ok((text(0)?, text(1)?, text(2)?))
            })
            .optional()?
            .and_then(|(namespace, entity, key)| {
                let (namespace, entity) = (namespace.parse().ok()?, entity.parse().ok()?);
                Some(AggregateKey::new(namespace, entity, key.parse().ok()?))
            });
        if let Some(key) = &key {
            if self.aggregates.len() >= MAX_AGGREGATES {
                self.aggregates.clear();
            }
            self.aggregates.insert(id, key.clone());
        }
        Ok(key)
    }
}

/// Prepares the statement that [`insert`] executes.
pub(super) fn prepare_insert(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(INSERT)
}

/// Writes an event behind the last row; the row number is its position.
pub(super) fn insert(
    statement: &mut CachedStatement<'_>,
    aggregate: i64,
    recorded: &RecordedEvent,
) -> rusqlite::Result<()> {
    let event = &recorded.event;
    let trace = event.trace.as_deref();
    let number = |number: u64| i64::try_from(number).expect("integers are at most 2^53 - 1");
    statement.execute(params![
        aggregate,
        number(recorded.version.get()),
        event.id.as_bytes(),
        event.correlation.as_bytes(),
        event.causation.as_ref().map(Uuid::as_bytes),
        event.event_type.as_str(),
        event.operation.as_str(),
        number(event.schema_version.get()),
        number(event.timestamp.micros()),
        event.source.as_str(),
        event.content_type.as_str(),
        write_metadata(&event.metadata),
        trace
            .and_then(|trace| trace.traceparent.as_ref())
            .map(Text::as_str),
        trace
            .and_then(|trace| trace.tracestate.as_ref())
            .map(Text::as_str),
        recorded.previous.map(Cid::to_bytes),
        recorded.cid.to_bytes(),
        &event.body[..],
    ])?;
    Ok(())
}

/// Names that were seen lately, so that a repeated one costs a comparison and no allocation.
#[derive(Debug)]
struct Names<T> {
    seen: Vec<T>,
    oldest: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            seen: Vec::new(),
            oldest: 0,
        }
    }
}

impl<T: AsRef<str> + Clone> Names<T> {
    fn get(
        &mut self,
        text: &str,
        make: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        if let Some(known) = self.seen.iter().find(|known| (*known).as_ref() == text) {
            return Ok(known.clone());
        }
        let made = make(text)?;
        if self.seen.len() < MAX_NAMES {
            self.seen.push(made.clone());
        } else {
            self.seen[self.oldest] = made.clone();
            self.oldest = (self.oldest + 1) % MAX_NAMES;
        }
        Ok(made)
    }
}

fn column(error: rusqlite::Error) -> String {
    error.to_string()
}

fn integer(row: &Row<'_>, at: usize, what: &str) -> Result<u64, String> {
    match row.get_ref(at).map_err(column)? {
        ValueRef::Integer(number) if number >= 0 => Ok(number.unsigned_abs()),
        _ => Err(format!("its {what} is no integer from 0")),
    }
}

fn text<'a>(row: &'a Row<'_>, at: usize, what: &str) -> Result<&'a str, String> {
    optional_text(row, at, what)?.ok_or_else(|| format!("its {what} is missing"))
}

fn optional_text<'a>(row: &'a Row<'_>, at: usize, what: &str) -> Result<Option<&'a str>, String> {
    match row.get_ref(at).map_err(column)? {
        ValueRef::Null => Ok(None),
        value => value
            .as_str()
            .map(Some)
            .map_err(|_| format!("its {what} is no UTF-8 text")),
    }
}

fn uuid(row: &Row<'_>, at: usize, what: &str) -> Result<Uuid, String> {
    let bytes = row.get_ref(at).map_err(column)?.as_blob().ok();
    bytes
        .and_then(uuid_of)
        .ok_or_else(|| format!("its {what} is not 16 bytes"))
}

fn uuid_of(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

fn cid(value: ValueRef<'_>, what: &str) -> Result<Cid, String> {
    let bytes = value
        .as_blob()
        .map_err(|_| format!("its {what} is no blob"))?;
    Cid::from_bytes(bytes).map_err(|error| format!("its {what}: {error}"))
}

fn read_text(text: &str) -> Result<Text, String> {
    Text::new(text).map_err(|error| error.to_string())
}

fn write_metadata(metadata: &Metadata) -> Option<String> {
    let object = || metadata.iter().map(|(name, value)| (name, value.as_str()));
    (!metadata.is_empty()).then(|| {
        let map: serde_json::Map<String, serde_json::Value> = object()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        serde_json::Value::from(map).to_string()
    })
}

fn read_metadata(json: &str) -> Result<Metadata, String> {
    let map: HashMap<String, String> = serde_json::from_str(json)
        .map_err(|error| format!("its metadata is no JSON object of texts: {error}"))?;
    let mut metadata = Metadata::default();
    for (name, value) in map {
        metadata
            .insert(&name, read_text(&value)?)
            .map_err(|error| error.to_string())?;
    }
    Ok(metadata)
}
