//! Reading projections, documents and parked events.

use cim_core::cid::Cid;
use cim_core::id::EventId;
use cim_core::projection::Name;
use cim_core::projection::machine::{ParkReason, ParkedEvent};
use cim_core::time::Timestamp;
use cim_core::version::Version;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::position;
use crate::projector::{Document, ParkedRow, ProjectionStatus, Select};

/// The most rows of a page.
const PAGE: usize = 500;

/// The most bytes of documents in a page, beyond its last one.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// A row, or what is wrong with it.
type Read<T> = Result<T, String>;

/// All projections in the order of their names.
pub(super) fn projections(
    connection: &Connection,
) -> rusqlite::Result<Vec<Read<ProjectionStatus>>> {
    let mut collections = connection.prepare_cached(
        "SELECT collection FROM collections WHERE projection = ?1 ORDER BY collection",
    )?;
    let mut statement = connection.prepare_cached(
        "SELECT name, handler, handler_version, store_id, position, state, events, started_at, \
         updated_at, caught_up_at, stopped_at, error_code, error_message, \
         (SELECT count(DISTINCT aggregate) FROM parked WHERE projection = name), \
         (SELECT count(*) FROM parked WHERE projection = name), configuration \
         FROM projections ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let collections: Vec<String> = collections
            .query_map([&name], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        read.push(projection(&name, &collections, row)?);
    }
    Ok(read)
}

fn projection(
    name: &str,
    collections: &[String],
    row: &Row<'_>,
) -> rusqlite::Result<Read<ProjectionStatus>> {
    let store_id: Vec<u8> = row.get(3)?;
    let state: String = row.get(5)?;
    let (started_at, updated_at) = (row.get(7)?, row.get(8)?);
    let (caught_up_at, stopped_at): (Option<i64>, Option<i64>) = (row.get(9)?, row.get(10)?);
    let error: (Option<String>, Option<String>) = (row.get(11)?, row.get(12)?);
    let (handler, configuration, handler_version) = (row.get(1)?, row.get(15)?, row.get(2)?);
    let (checkpoint, events) = (row.get(4)?, count(row, 6)?);
    let (parked_aggregates, parked_events) = (count(row, 13)?, count(row, 14)?);
    let read = || -> Read<ProjectionStatus> {
        Ok(ProjectionStatus {
            name: read_name(name)?,
            handler,
            configuration,
            handler_version,
            store_id: Uuid::from_slice(&store_id).map_err(|error| error.to_string())?,
            position: position(checkpoint),
            state: state
                .parse()
                .map_err(|error: cim_core::projection::machine::StateError| error.to_string())?,
            events,
            parked_aggregates,
            parked_events,
            collections: collections
                .iter()
                .map(|name| read_name(name))
                .collect::<Read<_>>()?,
            started_at: time(started_at)?,
            updated_at: time(updated_at)?,
            caught_up_at: caught_up_at.map(time).transpose()?,
            stopped_at: stopped_at.map(time).transpose()?,
            error: error.0.zip(error.1),
        })
    };
    Ok(read())
}

/// Where a read of documents stands.
#[derive(Debug)]
pub(super) struct DocumentPages {
    table: String,
    select: Select,
    /// The key of the last row.
    last: Option<String>,
    done: bool,
}

impl DocumentPages {
    pub(super) fn new(table: &str, select: Select) -> Self {
        Self {
            table: table.to_owned(),
            select,
            last: None,
            done: false,
        }
    }

    /// The next documents; none at the end.
    pub(super) fn next(&mut self, connection: &Connection) -> rusqlite::Result<Vec<Document>> {
        let mut page = Vec::new();
        if self.done {
            return Ok(page);
        }
        let (from, prefix) = match &self.select {
            Select::All => ("", ""),
            Select::Key(key) => (key.as_str(), key.as_str()),
            Select::Prefix(prefix) => (prefix.as_str(), prefix.as_str()),
        };
        let (condition, from) = match &self.last {
            Some(last) => (">", last.as_str()),
            None => (">=", from),
        };
        let condition = match self.select {
            Select::Key(_) => "=",
            Select::All | Select::Prefix(_) => condition,
        };
        let mut statement = connection.prepare_cached(&format!(
            "SELECT key, document FROM \"{}\" WHERE key {condition} ?1 ORDER BY key LIMIT {PAGE}",
            self.table
        ))?;
        let mut rows = statement.query([from])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let (key, document): (String, String) = (row.get(0)?, row.get(1)?);
            if !key.starts_with(prefix) {
                self.done = true;
                break;
            }
            bytes += document.len();
            page.push(Document { key, document });
            if bytes > MAX_PAGE_BYTES {
                break;
            }
        }
        self.done |= matches!(self.select, Select::Key(_));
        self.last = page.last().map(|document| document.key.clone());
        Ok(page)
    }
}

/// The parked events behind a position, which moves; none at the end.
pub(super) fn parked(
    connection: &Connection,
    projection: &Name,
    after: &mut Option<i64>,
) -> rusqlite::Result<Vec<Read<ParkedRow>>> {
    let Some(from) = *after else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT position, aggregate, version, event_id, cid, reason, code, message, parked_at \
         FROM parked WHERE projection = ?1 AND position > ?2 ORDER BY position LIMIT {PAGE}"
    ))?;
    let mut rows = statement.query(params![projection.as_str(), from])?;
    let mut page = Vec::new();
    *after = None;
    while let Some(row) = rows.next()? {
        *after = Some(row.get(0)?);
        page.push(parked_row(row)?);
    }
    Ok(page)
}

fn parked_row(row: &Row<'_>) -> rusqlite::Result<Read<ParkedRow>> {
    let place: i64 = row.get(0)?;
    let (aggregate, reason): (String, String) = (row.get(1)?, row.get(5)?);
    let version: Option<i64> = row.get(2)?;
    let (event, cid): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
    let (code, message): (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
    let parked_at = row.get(8)?;
    let read = || -> Read<ParkedRow> {
        let missing = |what: &str| format!("a parked event has no {what}");
        Ok(ParkedRow {
            event: ParkedEvent {
                position: position(place).ok_or_else(|| missing("position"))?,
                aggregate: aggregate.parse().map_err(text)?,
                version: version
                    .map(|number| Version::new(u64::try_from(number).unwrap_or(0)).map_err(text))
                    .transpose()?,
                event: event.map(|bytes| read_event_id(&bytes)).transpose()?,
                cid: cid
                    .map(|bytes| Cid::from_bytes(&bytes).map_err(text))
                    .transpose()?,
                reason: match (reason.as_str(), code, message) {
                    ("fault", Some(code), Some(message)) => ParkReason::Fault { code, message },
                    ("invalid", Some(code), Some(message)) => ParkReason::Invalid { code, message },
                    ("diverted", ..) => ParkReason::Diverted,
                    _ => return Err(missing("cause")),
                },
            },
            parked_at: time(parked_at)?,
        })
    };
    Ok(read())
}

fn read_event_id(bytes: &[u8]) -> Read<EventId> {
    let uuid = Uuid::from_slice(bytes).map_err(text)?;
    EventId::from_uuid(uuid).map_err(text)
}

fn read_name(name: &str) -> Read<Name> {
    Name::new(name).map_err(text)
}

fn time(micros: i64) -> Read<Timestamp> {
    let time = u64::try_from(micros).map(Timestamp::from_micros);
    match time {
        Ok(Ok(time)) => Ok(time),
        Ok(Err(_)) | Err(_) => Err(format!("`{micros}` is no time")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at)
        .map(|number| u64::try_from(number).unwrap_or(0))
}
