//! Heads, lists of aggregates and counts.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use cim_core::cid::Cid;
use cim_core::id::AggregateKey;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Position, Version};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::connection::{Connections, io};
use super::histories::find_aggregate;
use crate::store::{AggregateEntry, AggregateSelect, InvalidEvent, StoreError, StoreStats};

/// The aggregates of a page.
const PAGE: u64 = 500;

/// The most event types that [`StoreStats`] lists.
const MAX_TYPES: i64 = 1000;

/// The version and CID of an aggregate's last event.
pub(super) fn head(
    connection: &Connection,
    key: &AggregateKey,
) -> rusqlite::Result<Result<Option<Head>, StoreError>> {
    let Some(id) = find_aggregate(connection, key)? else {
        return Ok(Ok(None));
    };
    let last = connection
        .prepare_cached(
            "SELECT version, cid, time, position FROM events \
             WHERE aggregate = ?1 ORDER BY version DESC LIMIT 1",
        )?
        .query_row([id], |row| entry(key.clone(), row))
        .optional()?;
    Ok(last.transpose().map(|entry| entry.map(|entry| entry.head)))
}

/// The aggregates in the order of their keys.
pub(super) fn aggregates(
    connections: Arc<Connections>,
    select: AggregateSelect,
) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
    let limit = select.limit.unwrap_or(u64::MAX);
    let lister = Lister {
        connections,
        select,
        last: None,
        remaining: limit,
        done: false,
    };
    stream::unfold(
        (lister, VecDeque::new()),
        |(mut lister, mut page)| async move {
            loop {
                if let Some(item) = page.pop_front() {
                    return Some((item, (lister, page)));
                }
                if lister.done {
                    return None;
                }
                let Ok(next) = tokio::task::spawn_blocking(|| lister.page()).await else {
                    return None;
                };
                (lister, page) = next;
            }
        },
    )
    .boxed()
}

struct Lister {
    connections: Arc<Connections>,
    select: AggregateSelect,
    last: Option<[String; 3]>,
    remaining: u64,
    done: bool,
}

type Entries = VecDeque<Result<AggregateEntry, StoreError>>;

impl Lister {
    fn page(mut self) -> (Self, Entries) {
        let connections = Arc::clone(&self.connections);
        let mut page = VecDeque::new();
        if let Err(error) = connections.with(|connection| self.fill(connection, &mut page)) {
            page.push_back(Err(io("listing aggregates", error)));
            self.done = true;
        }
        (self, page)
    }

    fn fill(&mut self, connection: &Connection, page: &mut Entries) -> rusqlite::Result<()> {
        let mut keys = connection.prepare_cached(
            "SELECT id, namespace, entity, key FROM aggregates \
             WHERE (namespace, entity, key) > (?1, ?2, ?3) \
             AND (?4 IS NULL OR namespace = ?4) AND (?5 IS NULL OR entity = ?5) \
             ORDER BY namespace, entity, key LIMIT ?6",
        )?;
        let mut last = connection.prepare_cached(
            "SELECT version, cid, time, position FROM events \
             WHERE aggregate = ?1 ORDER BY version DESC LIMIT 1",
        )?;
        let limit = PAGE.min(self.remaining);
        let [namespace, entity, key] = self.last.take().unwrap_or_default();
        let mut rows = keys.query(params![
            namespace,
            entity,
            key,
            self.select
                .namespace
                .as_ref()
                .map(|namespace| namespace.as_str()),
            self.select.entity.as_ref().map(|entity| entity.as_str()),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let names: [String; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
            let parsed = names.join(".").parse::<AggregateKey>();
            self.last = Some(names);
            match parsed {
                Ok(aggregate) => {
                    let found = last
                        .query_row([row.get::<_, i64>(0)?], |row| entry(aggregate, row))
                        .optional()?;
                    page.extend(found);
                }
                Err(error) => page.push_back(Err(StoreError::Foreign {
                    url: format!("sqlite:{}", self.connections.path().display()),
                    why: error.to_string(),
                })),
            }
        }
        self.remaining -= count;
        self.done = count < limit || self.remaining == 0;
        Ok(())
    }
}

fn entry(
    aggregate: AggregateKey,
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Result<AggregateEntry, StoreError>> {
    let number = |at| {
        row.get::<_, i64>(at)
            .map(|number| u64::try_from(number).unwrap_or(0))
    };
    let (version, time, position) = (number(0)?, number(2)?, number(3)?);
    let cid = row
        .get_ref(1)?
        .as_blob()
        .ok()
        .and_then(|bytes| Cid::from_bytes(bytes).ok());
    let position = Position::new(position).unwrap_or(Position::FIRST);
    Ok(
        match (Version::new(version), cid, Timestamp::from_micros(time)) {
            (Ok(version), Some(cid), Ok(last_time)) => Ok(AggregateEntry {
                aggregate,
                head: Head { version, cid },
                last_time,
                last_position: position,
            }),
            _ => Err(StoreError::Invalid(InvalidEvent {
                position,
                aggregate: Some(aggregate),
                event: None,
                code: "row-invalid",
                why: "its version, CID or time is not valid".to_owned(),
            })),
        },
    )
}

/// Counts of the whole store.
pub(super) fn stats(connection: &Connection, path: &Path) -> rusqlite::Result<StoreStats> {
    let (events, first, last, position) = connection.query_row(
        "SELECT count(*), min(time), max(time), max(position) FROM events",
        [],
        |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get::<_, Option<i64>>(3)?,
            ))
        },
    )?;
    let aggregates = connection.query_row(
        "SELECT count(*) FROM aggregates WHERE EXISTS \
         (SELECT 1 FROM events WHERE aggregate = aggregates.id)",
        [],
        |row| row.get(0),
    )?;
    let types = connection
        .prepare(
            "SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY n DESC, type LIMIT ?1",
        )?
        .query_map([MAX_TYPES], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let time = |micros: Option<i64>| {
        micros.and_then(|micros| Timestamp::from_micros(u64::try_from(micros).ok()?).ok())
    };
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    Ok(StoreStats {
        events: unsigned(events),
        aggregates: unsigned(aggregates),
        types,
        times: time(first).zip(time(last)),
        last_position: position.and_then(|row| Position::new(unsigned(row)).ok()),
        bytes: Some(size("") + size("-wal")),
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
