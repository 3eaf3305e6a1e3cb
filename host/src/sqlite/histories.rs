//! What [`cim_core::append::judge`] asks, answered inside the writer's transaction.

use std::collections::HashMap;

use cim_core::append::{HeadFound, Histories, Stored};
use cim_core::chain;
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, EventId};
use cim_core::version::{Head, Position, Version};
use rusqlite::{Connection, OptionalExtension as _, Params};

use super::row::{COLUMNS, Rows};
use crate::store::InvalidEvent;

/// The most aggregates that are remembered.
const MAX_AGGREGATES: usize = 100_000;

/// What the writer remembers between appends.
///
/// Heads are those that it wrote itself, and only as long as no other connection has written: the
/// file's `data_version` tells. Row numbers of aggregates never change.
#[derive(Debug, Default)]
pub(super) struct Memory {
    rows: Rows,
    aggregates: HashMap<AggregateKey, i64>,
    heads: HashMap<AggregateKey, Head>,
    data_version: Option<i64>,
}

/// The first rows that an append wrote: those behind them are its own too, since rows are numbered
/// upwards and nobody else writes in the transaction.
#[derive(Debug, Default)]
struct FirstRows {
    event: Option<i64>,
    aggregate: Option<i64>,
}

/// The histories as a connection sees them in its transaction.
pub(super) struct SqliteHistories<'a> {
    connection: &'a Connection,
    memory: &'a mut Memory,
    ids: Ids,
    first_rows: FirstRows,
}

/// Whether event ids are looked up before they are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ids {
    /// They are: the answer is final.
    Checked,
    /// They are taken for new, as nearly all are; the unique index finds those that are not.
    Unchecked,
}

impl<'a> SqliteHistories<'a> {
    /// Takes what is remembered into a transaction that has begun.
    pub(super) fn new(
        connection: &'a Connection,
        memory: &'a mut Memory,
    ) -> rusqlite::Result<Self> {
        let data_version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if memory.data_version != Some(data_version) {
            memory.heads.clear();
            memory.data_version = Some(data_version);
        }
        Ok(Self {
            connection,
            memory,
            ids: Ids::Checked,
            first_rows: FirstRows::default(),
        })
    }

    /// Begins a new append, which [`take_back`](Self::take_back) can undo.
    pub(super) fn begin_append(&mut self) {
        self.first_rows = FirstRows::default();
    }

    /// Says that an event was written.
    pub(super) fn wrote_event(&mut self) {
        self.first_rows
            .event
            .get_or_insert_with(|| self.connection.last_insert_rowid());
    }

    /// The same, with event ids looked up or not.
    pub(super) fn with_ids(&mut self, ids: Ids) -> &mut Self {
        self.ids = ids;
        self
    }

    /// Remembers the head of a history that was written in this transaction. If the transaction
    /// fails, the whole memory is to be thrown away.
    pub(super) fn remember_head(&mut self, event: &RecordedEvent) {
        if self.memory.heads.len() >= MAX_AGGREGATES {
            self.memory.heads.clear();
        }
        self.memory
            .heads
            .insert(event.aggregate.clone(), event.head());
    }

    /// The position of the row that was written last.
    pub(super) fn last_position(&self) -> Position {
        u64::try_from(self.connection.last_insert_rowid())
            .ok()
            .and_then(|number| Position::new(number).ok())
            .expect("row numbers begin with 1 and no disk holds 2^53 rows")
    }

    /// Takes back, and forgets, all rows that the append has written.
    pub(super) fn take_back(&mut self) -> rusqlite::Result<()> {
        let FirstRows { event, aggregate } = std::mem::take(&mut self.first_rows);
        if let Some(first) = event {
            self.connection
                .prepare_cached("DELETE FROM events WHERE position >= ?1")?
                .execute([first])?;
        }
        if let Some(first) = aggregate {
            self.connection
                .prepare_cached("DELETE FROM aggregates WHERE id >= ?1")?
                .execute([first])?;
            self.memory.aggregates.retain(|_, id| *id < first);
        }
        Ok(())
    }

    /// The row number of an aggregate.
    pub(super) fn aggregate(&mut self, key: &AggregateKey) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.memory.aggregates.get(key) {
            return Ok(Some(*id));
        }
        let found = find_aggregate(self.connection, key)?;
        if let Some(id) = found {
            self.remember(key, id);
        }
        Ok(found)
    }

    /// The row number of an aggregate, which is made if it is new.
    pub(super) fn make_aggregate(&mut self, key: &AggregateKey) -> rusqlite::Result<i64> {
        if let Some(id) = self.aggregate(key)? {
            return Ok(id);
        }
        let id = self
            .connection
            .prepare_cached("INSERT INTO aggregates (namespace, entity, key) VALUES (?1, ?2, ?3)")?
            .insert([key.namespace.as_str(), key.entity.as_str(), key.id.as_str()])?;
        self.first_rows.aggregate.get_or_insert(id);
        self.remember(key, id);
        Ok(id)
    }

    fn remember(&mut self, key: &AggregateKey, id: i64) {
        if self.memory.aggregates.len() >= MAX_AGGREGATES {
            self.memory.aggregates.clear();
        }
        self.memory.aggregates.insert(key.clone(), id);
    }

    fn one(
        &mut self,
        condition: &str,
        params: impl Params,
    ) -> rusqlite::Result<Option<Result<Stored, InvalidEvent>>> {
        let (connection, rows) = (self.connection, &mut self.memory.rows);
        connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE {condition}"))?
            .query_row(params, |row| rows.event(connection, row))
            .optional()
            .map(|found| found.map(|row| row.map(|(position, event)| Stored { position, event })))
    }
}

impl Histories for SqliteHistories<'_> {
    type Error = rusqlite::Error;

    fn head(&mut self, aggregate: &AggregateKey) -> rusqlite::Result<Option<HeadFound>> {
        if let Some(head) = self.memory.heads.get(aggregate) {
            return Ok(Some(HeadFound::Sound(*head)));
        }
        let Some(id) = self.aggregate(aggregate)? else {
            return Ok(None);
        };
        let last = self.one("aggregate = ?1 ORDER BY version DESC LIMIT 1", [id])?;
        Ok(last.map(|found| match found {
            Ok(stored) => match chain::check_cid(&stored.event) {
                Ok(()) => HeadFound::Sound(stored.event.head()),
                Err(error) => HeadFound::Broken {
                    position: stored.position,
                    why: error.to_string(),
                },
            },
            Err(invalid) => HeadFound::Broken {
                position: invalid.position,
                why: invalid.why,
            },
        }))
    }

    fn at_version(
        &mut self,
        aggregate: &AggregateKey,
        version: Version,
    ) -> rusqlite::Result<Option<Stored>> {
        let Some(id) = self.aggregate(aggregate)? else {
            return Ok(None);
        };
        let version = i64::try_from(version.get()).expect("versions are at most 2^53 - 1");
        let found = self.one("aggregate = ?1 AND version = ?2", [id, version])?;
        Ok(found.and_then(Result::ok))
    }

    fn by_id(&mut self, id: EventId) -> rusqlite::Result<Option<Stored>> {
        let found = self.one("event_id = ?1", [id.as_bytes()])?;
        Ok(found.and_then(Result::ok))
    }

    fn has_id(&mut self, id: EventId) -> rusqlite::Result<bool> {
        if self.ids == Ids::Unchecked {
            return Ok(false);
        }
        self.connection
            .prepare_cached("SELECT 1 FROM events WHERE event_id = ?1")?
            .exists([id.as_bytes()])
    }
}

/// Finds the row number of an aggregate.
pub(super) fn find_aggregate(
    connection: &Connection,
    key: &AggregateKey,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM aggregates WHERE namespace = ?1 AND entity = ?2 AND key = ?3",
        )?
        .query_row(
            [key.namespace.as_str(), key.entity.as_str(), key.id.as_str()],
            |row| row.get(0),
        )
        .optional()
}
