//! The local index of a store on JetStream: which event stands at which position.
//!
//! A stream finds messages by sequence and by subject. What else a store is asked for (an event's
//! id, a conversation, a type, a version) is looked up here. The index knows everything up to one
//! position and is fed from there; several processes may feed it, since each addition is one
//! transaction that begins where the last one ended.

mod feeding;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use cim_core::append::Stored;
use cim_core::id::{AggregateKey, EventId};
use cim_core::version::{Position, Version};
use futures_util::stream::BoxStream;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params, params_from_iter,
};
use uuid::Uuid;

use self::feeding::Feeding;
use super::connection::{self, Connections, io};
use super::histories::find_aggregate;
use super::listing;
use super::page::{PageOf, number};
use crate::clock;
use crate::store::{AggregateEntry, AggregateSelect, Query, StoreError, StoreStats};

/// Marks a file as an index of ours: "CIMi".
const APPLICATION_ID: i32 = 0x4349_4d69;

/// The version of the schema. An older or newer index is made again.
const SCHEMA_VERSION: i32 = 4;

/// An index in one SQLite file.
#[derive(Debug)]
pub(crate) struct Index {
    connections: Arc<Connections>,
    /// For single look-ups, which are too short to change threads for.
    looking: Mutex<Connection>,
    feeding: Mutex<Feeding>,
    looked: Mutex<Looked>,
}

/// What was there at the last [`Index::look_again`].
#[derive(Clone, Copy, Debug)]
struct Looked {
    generation: i64,
    up_to: u64,
    /// The greatest id. Ids begin with their time, so that nearly every new one is greater, which
    /// spares a look-up.
    last_id: Option<Uuid>,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) version: u64,
}

/// The last message of an index: the stream has it too, unless it has gone back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Anchor {
    pub(crate) position: Position,
    /// The bytes of its CID; `None` where it is no event.
    pub(crate) cid: Option<Vec<u8>>,
    /// When the server stored it, in microseconds since 1970: the same event that is stored again
    /// is another message.
    pub(crate) stored_at: u64,
}

/// What is added to an index, each in the order of positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) events: Vec<Stored>,
    /// The messages that are no events, with their subjects.
    pub(crate) invalid: Vec<(Position, String)>,
    /// The last of them, and when the server stored it, in microseconds since 1970.
    pub(crate) last: Option<(Position, u64)>,
}

impl Found {
    /// How many messages it is.
    pub(crate) fn len(&self) -> usize {
        self.events.len() + self.invalid.len()
    }
}

impl Index {
    /// Opens the index in the file at `path`, and makes it where it is absent or of another
    /// version.
    ///
    /// # Errors
    ///
    /// [`StoreError::Mismatch`] when it is that of another store, [`StoreError::Io`] when the file
    /// cannot be made or read.
    pub(crate) fn open(path: &Path, store_id: Uuid) -> Result<Self, StoreError> {
        let fault = |error: rusqlite::Error| io("opening the index", error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Io {
                doing: format!("making the folder of the index, `{}`", folder.display()),
                source: Box::new(error),
            })?;
        }
        let connection = make(path, store_id).map_err(fault)?;
        let found: Vec<u8> = connection
            .query_row("SELECT store_id FROM indexed", [], |row| row.get(0))
            .map_err(fault)?;
        if found != store_id.as_bytes() {
            return Err(StoreError::Mismatch {
                why: format!(
                    "the index `{}` is that of another store; delete it, and it is made again",
                    path.display()
                ),
            });
        }
        let looking = connection::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
        looking
            .pragma_update(None, "query_only", true)
            .map_err(fault)?;
        let looked = look(&looking).map_err(fault)?;
        Ok(Self {
            looked: Mutex::new(looked),
            connections: Arc::new(Connections::new(path)),
            looking: Mutex::new(looking),
            feeding: Mutex::new(Feeding {
                connection,
                generation: looked.generation,
                aggregates: HashMap::new(),
            }),
        })
    }

    /// The position up to which it knows everything; 0 before the first event.
    pub(crate) fn up_to(&self) -> Result<u64, StoreError> {
        up_to(&self.looking()).map_err(reading)
    }

    /// Adds the messages behind the position `from`, those that are in it already left out, and says
    /// that everything up to `up_to` is known. Gives `false` and adds nothing where the index was
    /// emptied meanwhile: what is missing begins earlier then.
    pub(crate) fn add(&self, found: &Found, from: u64, up_to: u64) -> Result<bool, StoreError> {
        let mut feeding = self.feeding();
        feeding.add(found, from, up_to).map_err(|error| {
            // Rows of a transaction that failed are no rows.
            feeding.aggregates.clear();
            io("writing the index", error)
        })
    }

    /// Whether it knows of a message that is no event and whose subject begins so: `prefix` ends
    /// with a full stop.
    pub(crate) fn has_invalid(&self, prefix: &str) -> Result<bool, StoreError> {
        // What sorts right behind all that begins with the prefix: `/` follows `.`.
        let end = format!("{}/", prefix.trim_end_matches('.'));
        self.looking()
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM invalid WHERE subject >= ?1 AND subject < ?2)",
            )
            .and_then(|mut statement| statement.query_row([prefix, &end], |row| row.get(0)))
            .map_err(reading)
    }

    /// Its last message.
    pub(crate) fn last(&self) -> Result<Option<Anchor>, StoreError> {
        last(&self.looking()).map_err(reading)
    }

    /// Forgets every event, unless another process has done so: `wrong` is the last of them.
    pub(crate) fn empty(&self, wrong: &Anchor) -> Result<(), StoreError> {
        self.feeding()
            .empty(wrong)
            .map_err(|error| io("emptying the index", error))
    }

    /// Takes in what was added, also by other processes: [`has_id`](Self::has_id) knows of it.
    /// Gives whether the index was emptied meanwhile.
    pub(crate) fn look_again(&self) -> Result<bool, StoreError> {
        let found = look(&self.looking()).map_err(reading)?;
        let mut looked = self
            .looked
            .lock()
            .expect("no code panics while it holds the lock");
        let is_anew = found.generation > looked.generation;
        // Whoever looked later may be here earlier.
        if (found.generation, found.up_to) >= (looked.generation, looked.up_to) {
            *looked = found;
        }
        Ok(is_anew)
    }

    /// The position up to which [`has_id`](Self::has_id) knows everything.
    pub(crate) fn looked_up_to(&self) -> u64 {
        self.looked().up_to
    }

    /// Whether an event with this id was there at the last [`look_again`](Self::look_again).
    pub(crate) fn has_id(&self, id: EventId) -> Result<bool, StoreError> {
        let last = self.looked().last_id;
        if last.is_none_or(|last| *id.as_uuid() > last) {
            return Ok(false);
        }
        Ok(self.by_id(id)?.is_some())
    }

    /// Where an event stands; where an id is used twice, the first of them.
    pub(crate) fn by_id(&self, id: EventId) -> Result<Option<Position>, StoreError> {
        self.looking()
            .prepare_cached("SELECT min(position) FROM events WHERE event_id = ?1")
            .and_then(|mut statement| statement.query_row([id.as_bytes()], |row| row.get(0)))
            .map(|row: Option<i64>| row.and_then(position))
            .map_err(reading)
    }

    /// Where the event of an aggregate at a version stands; where a foreign message names the same
    /// version, the first of them.
    pub(crate) fn at_version(
        &self,
        aggregate: &AggregateKey,
        version: Version,
    ) -> Result<Option<Position>, StoreError> {
        let connection = self.looking();
        let Some(id) = find_aggregate(&connection, aggregate).map_err(reading)? else {
            return Ok(None);
        };
        connection
            .prepare_cached(
                "SELECT min(position) FROM events WHERE aggregate = ?1 AND version = ?2",
            )
            .and_then(|mut statement| {
                statement.query_row(params![id, number(version.get())], |row| row.get(0))
            })
            .map(|row: Option<i64>| row.and_then(position))
            .map_err(reading)
    }

    /// The first and the last place of a history, as far as it is known.
    pub(crate) fn extent(
        &self,
        aggregate: &AggregateKey,
    ) -> Result<Option<(Place, Place)>, StoreError> {
        let connection = self.looking();
        let Some(id) = find_aggregate(&connection, aggregate).map_err(reading)? else {
            return Ok(None);
        };
        let place = |sql| -> rusqlite::Result<Option<Place>> {
            let found = connection
                .prepare_cached(sql)?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            Ok(found.and_then(|(at, version)| place(at, version)))
        };
        let extent = || {
            let first = place(
                "SELECT position, version FROM events WHERE aggregate = ?1 \
                 ORDER BY version, position LIMIT 1",
            )?;
            let last = place(
                "SELECT position, version FROM events WHERE aggregate = ?1 \
                 ORDER BY version DESC, position DESC LIMIT 1",
            )?;
            Ok(first.zip(last))
        };
        extent().map_err(reading)
    }

    /// A page of the places that a query selects, up to the position `end`, behind the last place
    /// of the page before.
    pub(crate) async fn page(
        &self,
        query: Query,
        end: u64,
        last: Option<Place>,
        limit: u64,
    ) -> Result<Vec<Place>, StoreError> {
        self.blocking(move |connection| {
            let aggregate = match &query.aggregate {
                None => None,
                Some(key) => match find_aggregate(connection, key)? {
                    None => return Ok(Vec::new()),
                    found => found,
                },
            };
            let (sql, params) = PageOf {
                columns: "position, version",
                query: &query,
                aggregate,
                end: Some(number(end)),
                last: last.map(|last| match aggregate {
                    Some(_) => last.version,
                    None => last.position.get(),
                }),
                limit,
            }
            .statement();
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(params), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            let mut places = Vec::new();
            for row in rows {
                let (at, version) = row?;
                places.extend(place(at, version));
            }
            Ok(places)
        })
        .await
    }

    /// The aggregates in the order of their keys, as of what is indexed.
    pub(crate) fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        listing::aggregates(Arc::clone(&self.connections), select)
    }

    /// Counts of what is indexed; `bytes` are those of the index.
    pub(crate) async fn stats(&self) -> Result<StoreStats, StoreError> {
        let path = self.connections.path().to_owned();
        self.blocking(move |connection| listing::stats(connection, &path))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connections = Arc::clone(&self.connections);
        tokio::task::spawn_blocking(move || connections.with(work))
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(reading)
    }

    fn looked(&self) -> Looked {
        *self
            .looked
            .lock()
            .expect("no code panics while it holds the lock")
    }

    fn feeding(&self) -> MutexGuard<'_, Feeding> {
        self.feeding
            .lock()
            .expect("no code panics while it holds the lock")
    }

    fn looking(&self) -> MutexGuard<'_, Connection> {
        self.looking
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

/// Opens the file for feeding; makes the tables unless they are there in this version.
fn make(path: &Path, store_id: Uuid) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connection::open(path, flags)?;
    connection::use_write_ahead_log(&connection)?;
    // What a power failure takes away is read from the stream again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let found = (pragma("application_id")?, pragma("user_version")?);
    if found.0 != APPLICATION_ID {
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
            let why = "it is the database of another program".to_owned();
            return Err(rusqlite::Error::SqliteFailure(code, Some(why)));
        }
    }
    if found != (APPLICATION_ID, SCHEMA_VERSION) {
        transaction.execute_batch(
            "DROP TABLE IF EXISTS events; DROP TABLE IF EXISTS invalid; \
             DROP TABLE IF EXISTS aggregates; \
             DROP TABLE IF EXISTS indexed;",
        )?;
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.execute(
            "INSERT INTO indexed (one, store_id, up_to, last_stored_at, generation) \
             VALUES (1, ?1, 0, 0, ?2)",
            // Another than that of the index which stood here before.
            params![store_id.as_bytes(), number(clock::now().micros())],
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    Ok(connection)
}

fn up_to(connection: &Connection) -> rusqlite::Result<u64> {
    let row: Option<i64> = connection
        .prepare_cached("SELECT up_to FROM indexed")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(row.and_then(|row| u64::try_from(row).ok()).unwrap_or(0))
}

/// What grows whenever the index is emptied or made again.
fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT generation FROM indexed")?
        .query_row([], |row| row.get(0))
}

fn last(connection: &Connection) -> rusqlite::Result<Option<Anchor>> {
    let found = connection
        .prepare_cached(
            "SELECT * FROM (SELECT position, cid FROM events ORDER BY position DESC LIMIT 1) \
             UNION ALL \
             SELECT * FROM (SELECT position, NULL FROM invalid ORDER BY position DESC LIMIT 1) \
             ORDER BY position DESC LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let stored_at: i64 = connection
        .prepare_cached("SELECT last_stored_at FROM indexed")?
        .query_row([], |row| row.get(0))?;
    Ok(found.and_then(|(at, cid)| {
        Some(Anchor {
            position: position(at)?,
            cid,
            stored_at: u64::try_from(stored_at).unwrap_or(0),
        })
    }))
}

fn look(connection: &Connection) -> rusqlite::Result<Looked> {
    // In this order: the id may be later than the position, not earlier.
    let (generation, up_to) = connection
        .prepare_cached("SELECT generation, up_to FROM indexed")?
        .query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let up_to = u64::try_from(up_to).unwrap_or(0);
    let id: Option<Vec<u8>> = connection
        .prepare_cached("SELECT max(event_id) FROM events")?
        .query_row([], |row| row.get(0))?;
    let last_id = id.and_then(|id| Uuid::from_slice(&id).ok());
    Ok(Looked {
        generation,
        up_to,
        last_id,
    })
}

fn place(at: i64, version: i64) -> Option<Place> {
    Some(Place {
        position: position(at)?,
        version: u64::try_from(version).unwrap_or(0),
    })
}

fn position(row: i64) -> Option<Position> {
    u64::try_from(row)
        .ok()
        .and_then(|row| Position::new(row).ok())
}

fn reading(error: rusqlite::Error) -> StoreError {
    io("reading the index", error)
}
