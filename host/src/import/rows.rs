//! What every row has to have, whatever its file's format: an id, a type, a time and a payload.

use std::collections::HashMap;

use bytes::Bytes;
use cim_core::id::{AggregateId, Entity, EventType, Namespace, Operation};
use cim_core::time::Timestamp;

use super::error::{Column, ImportError, RowFault};
use super::names::TypeNames;

/// How rows become events.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The namespace of all aggregates.
    pub namespace: Namespace,
    /// The entity of all aggregates.
    pub entity: Entity,
    /// The field with the aggregate's id.
    pub id_field: String,
    /// The field with the event's type.
    pub type_field: String,
    /// The field with the event's time.
    pub time_field: String,
    /// Whether every id becomes the unpadded base64url of its UTF-8. Otherwise one that is no token
    /// is an error.
    pub id_encode: bool,
}

/// A row, checked.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its aggregate.
    pub id: AggregateId,
    /// Its event's type.
    pub event_type: EventType,
    /// Its event's operation.
    pub operation: Operation,
    /// When it happened.
    pub time: Timestamp,
    /// Its event's payload.
    pub payload: Bytes,
}

/// The rows of one file.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
    /// The event types.
    pub names: TypeNames,
    /// How many times have no offset and were read as UTC.
    pub without_offset: u64,
    ids: HashMap<String, AggregateId>,
    operations: HashMap<EventType, Operation>,
}

/// The fields of a row as the file has them, each with its place.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) line: u64,
    pub(super) id: (&'a str, Option<Column>),
    pub(super) event_type: (&'a str, Option<Column>),
    pub(super) time: (&'a str, Option<Column>),
}

impl Rows {
    /// Checks a row and keeps it.
    pub(super) fn push(
        &mut self,
        mapping: &Mapping,
        fields: Fields<'_>,
        payload: Bytes,
    ) -> Result<(), ImportError> {
        let Fields {
            line,
            id,
            event_type,
            time,
        } = fields;
        let at = |column, fault| ImportError::row(line, column, fault);
        let id = self.id(mapping, id.0).map_err(|fault| at(id.1, fault))?;
        let (event_type, operation) = self
            .event_type(mapping, event_type.0)
            .map_err(|fault| at(event_type.1, fault))?;
        let found =
            Timestamp::parse_lenient(time.0).map_err(|error| at(time.1, RowFault::Time(error)))?;
        if !found.had_offset {
            self.without_offset += 1;
        }
        self.rows.push(Row {
            line,
            id,
            event_type,
            operation,
            time: found.timestamp,
            payload,
        });
        Ok(())
    }

    fn id(&mut self, mapping: &Mapping, text: &str) -> Result<AggregateId, RowFault> {
        if let Some(known) = self.ids.get(text) {
            return Ok(known.clone());
        }
        let id = aggregate_id(text, mapping.id_encode)?;
        self.ids.insert(text.to_owned(), id.clone());
        Ok(id)
    }

    fn event_type(
        &mut self,
        mapping: &Mapping,
        text: &str,
    ) -> Result<(EventType, Operation), RowFault> {
        let event_type = self.names.get(text).map_err(RowFault::Type)?;
        if let Some(known) = self.operations.get(&event_type) {
            return Ok((event_type, known.clone()));
        }
        let operation =
            Operation::of_event(&event_type, &mapping.entity).map_err(RowFault::Operation)?;
        self.operations
            .insert(event_type.clone(), operation.clone());
        Ok((event_type, operation))
    }
}

/// Makes an aggregate's id of a text; encoded, if it is to be, as unpadded base64url of its UTF-8.
pub(super) fn aggregate_id(text: &str, encode: bool) -> Result<AggregateId, RowFault> {
    if text.is_empty() {
        return Err(RowFault::NoId);
    }
    if encode {
        let encoded = data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        AggregateId::new(&encoded).map_err(RowFault::LongId)
    } else {
        AggregateId::new(text).map_err(RowFault::Id)
    }
}
