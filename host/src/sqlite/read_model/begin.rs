//! Taking a projection over: what was committed before, and whether a projector may go on from it.

use cim_core::id::AggregateKey;
use cim_core::projection::machine::State;
use cim_core::projection::{Descriptor, Name};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::session::{Session, Statements};
use super::{ReadModel, io, micros, number, position, table_name};
use crate::projector::{ProjectorError, ReadModelError, Start};

/// What a projector brings.
#[derive(Debug)]
pub(crate) struct Begin<'a> {
    pub(crate) descriptor: &'a Descriptor,
    /// The handler's identity.
    pub(crate) handler: &'a str,
    /// The identity of the handler's configuration.
    pub(crate) configuration: &'a str,
    pub(crate) store_id: Uuid,
    /// The store's last position.
    pub(crate) last: Option<Position>,
    pub(crate) start: Start,
    pub(crate) now: Timestamp,
}

/// What was committed before.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) checkpoint: Option<Position>,
    pub(crate) parked: Vec<AggregateKey>,
}

impl Session {
    /// Takes the projection over.
    pub(crate) fn begin(
        read_model: &ReadModel,
        begin: &Begin<'_>,
    ) -> Result<(Self, Resumed), ProjectorError> {
        let fault = |error| io("taking the projection over", error);
        let mut connection = read_model
            .connections
            .open_for_writing()
            .map_err(|error| io("opening it", error))?;
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(fault)?;
        let name = &begin.descriptor.name;
        let collections = &begin.descriptor.collections;
        connection.set_prepared_statement_cache_capacity(16 + 3 * collections.len());
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        let found = Found::read(&transaction, name).map_err(fault)?;
        let (epoch, checkpoint) = match (&found, begin.start) {
            (Some(found), Start::Resume) => {
                found.check(begin)?;
                (found.epoch + 1, found.checkpoint)
            }
            (Some(found), Start::Restart) => {
                empty(&transaction, name).map_err(fault)?;
                (found.epoch + 1, None)
            }
            (None, _) => (1, None),
        };
        write_row(&transaction, begin, epoch, checkpoint).map_err(fault)?;
        for collection in collections {
            make_collection(&transaction, name, collection)?;
        }
        let parked = parked_aggregates(&transaction, name).map_err(fault)?;
        transaction.commit().map_err(fault)?;
        let statements = collections
            .iter()
            .map(|collection| {
                let statements = Statements::new(&table_name(name, collection));
                (collection.clone(), statements)
            })
            .collect();
        let session = Self {
            connection,
            name: name.clone(),
            epoch,
            checkpoint,
            statements,
        };
        let parked = parked
            .iter()
            .map(|key| key.parse())
            .collect::<Result<_, _>>()
            .map_err(|error: cim_core::id::NameError| ReadModelError::Foreign {
                path: read_model.path().to_owned(),
                why: error.to_string(),
            })?;
        Ok((session, Resumed { checkpoint, parked }))
    }
}

/// The row of a projection, as far as it decides whether a projector may go on.
struct Found {
    handler: String,
    configuration: String,
    store_id: Vec<u8>,
    epoch: i64,
    checkpoint: Option<Position>,
}

impl Found {
    fn read(connection: &Connection, name: &Name) -> rusqlite::Result<Option<Self>> {
        connection
            .query_row(
                "SELECT handler, configuration, store_id, epoch, position FROM projections \
                 WHERE name = ?1",
                [name.as_str()],
                |row| {
                    Ok(Self {
                        handler: row.get(0)?,
                        configuration: row.get(1)?,
                        store_id: row.get(2)?,
                        epoch: row.get(3)?,
                        checkpoint: position(row.get(4)?),
                    })
                },
            )
            .optional()
    }

    fn check(&self, begin: &Begin<'_>) -> Result<(), ProjectorError> {
        let name = begin.descriptor.name.clone();
        if self.store_id != begin.store_id.as_bytes() {
            return Err(ProjectorError::OtherStore {
                name,
                stored: Uuid::from_slice(&self.store_id).unwrap_or_default(),
                found: begin.store_id,
            });
        }
        if self.handler != begin.handler {
            return Err(ProjectorError::HandlerChanged {
                name,
                stored: self.handler.clone(),
                found: begin.handler.to_owned(),
            });
        }
        if self.configuration != begin.configuration {
            return Err(ProjectorError::ConfigurationChanged {
                name,
                stored: self.configuration.clone(),
                found: begin.configuration.to_owned(),
            });
        }
        match self.checkpoint {
            Some(checkpoint) if Some(checkpoint) > begin.last => {
                Err(ProjectorError::AheadOfStore {
                    name,
                    checkpoint,
                    last: begin.last,
                })
            }
            _ => Ok(()),
        }
    }
}

fn write_row(
    transaction: &Transaction<'_>,
    begin: &Begin<'_>,
    epoch: i64,
    checkpoint: Option<Position>,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO projections (name, handler, configuration, handler_version, store_id, epoch, \
         position, state, events, started_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?9) \
         ON CONFLICT (name) DO UPDATE SET handler_version = ?4, epoch = ?6, state = ?8, \
         started_at = ?9, updated_at = ?9, stopped_at = NULL, error_code = NULL, \
         error_message = NULL",
        params![
            begin.descriptor.name.as_str(),
            begin.handler,
            begin.configuration,
            begin.descriptor.version,
            begin.store_id.as_bytes(),
            epoch,
            number(checkpoint),
            State::CatchingUp.as_str(),
            micros(begin.now),
        ],
    )?;
    Ok(())
}

/// Takes away all that a projection has.
fn empty(transaction: &Transaction<'_>, name: &Name) -> rusqlite::Result<()> {
    let tables: Vec<String> = transaction
        .prepare("SELECT table_name FROM collections WHERE projection = ?1")?
        .query_map([name.as_str()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        // People may have taken it away themselves.
        transaction.execute_batch(&format!("DROP TABLE IF EXISTS \"{table}\""))?;
    }
    for table in ["collections", "parked"] {
        let sql = format!("DELETE FROM {table} WHERE projection = ?1");
        transaction.execute(&sql, [name.as_str()])?;
    }
    transaction.execute("DELETE FROM projections WHERE name = ?1", [name.as_str()])?;
    Ok(())
}

/// Makes the table of a collection, unless it is there.
fn make_collection(
    transaction: &Transaction<'_>,
    projection: &Name,
    collection: &Name,
) -> Result<(), ProjectorError> {
    let fault = |error| io("making its tables", error);
    let table = table_name(projection, collection);
    let declared = transaction
        .prepare_cached("SELECT 1 FROM collections WHERE projection = ?1 AND collection = ?2")
        .and_then(|mut statement| statement.exists([projection.as_str(), collection.as_str()]))
        .map_err(fault)?;
    let exists = transaction
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")
        .and_then(|mut statement| statement.exists([&table]))
        .map_err(fault)?;
    match (declared, exists) {
        (true, true) => return Ok(()),
        (true, false) => {
            return Err(ProjectorError::ReadModel(ReadModelError::TableGone {
                table,
                projection: projection.clone(),
                collection: collection.clone(),
            }));
        }
        (false, true) => {
            return Err(ProjectorError::ReadModel(ReadModelError::TableTaken {
                table,
                projection: projection.clone(),
                collection: collection.clone(),
            }));
        }
        (false, false) => {}
    }
    transaction
        .execute_batch(&format!(
            "CREATE TABLE \"{table}\" (\n    key         TEXT NOT NULL PRIMARY KEY,\n    \
             document    TEXT NOT NULL               -- JSON\n) STRICT"
        ))
        .and_then(|()| {
            transaction.execute(
                "INSERT INTO collections (projection, collection, table_name) VALUES (?1, ?2, ?3)",
                [projection.as_str(), collection.as_str(), &table],
            )
        })
        .map_err(fault)?;
    Ok(())
}

fn parked_aggregates(connection: &Connection, name: &Name) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT DISTINCT aggregate FROM parked WHERE projection = ?1")?
        .query_map([name.as_str()], |row| row.get(0))?
        .collect()
}
