//! Making and recognising the file of read models.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::super::connection::{self, APPLICATION_ID as STORE};
use super::io;
use crate::projector::ReadModelError;

/// Marks a file of read models alone as ours: "CIMr".
const APPLICATION_ID: i32 = 0x4349_4d72;

/// The version of the tables.
const VERSION: i32 = 2;

/// Checks that the file is one that read models may be in.
pub(super) fn check(path: &Path) -> Result<(), ReadModelError> {
    if !path.is_file() {
        return Err(not_found(path));
    }
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    match found(path, &connection)? {
        Found::Nothing => Err(not_found(path)),
        Found::Store | Found::ReadModel => Ok(()),
    }
}

/// Makes what is absent: the file, its tables.
pub(super) fn create(path: &Path) -> Result<(), ReadModelError> {
    let fault = |error| io("making its tables", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open(path, flags)?;
    if let Found::Nothing = found(path, &connection)? {
        let mode = connection::use_write_ahead_log(&connection).map_err(fault)?;
        if mode != "wal" {
            let why = format!("the file system has no write-ahead log (journal mode `{mode}`)");
            return Err(foreign(path, why));
        }
    }
    if has_tables(&connection).map_err(fault)? {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault)?;
    // Another process may have been quicker.
    if has_tables(&transaction).map_err(fault)? {
        return Ok(());
    }
    if let Found::Nothing = found(path, &transaction)? {
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
            .map_err(fault)?;
    }
    transaction
        .execute_batch(include_str!("schema.sql"))
        .and_then(|()| {
            transaction.execute(
                "INSERT INTO read_model (one, version) VALUES (1, ?1)",
                [VERSION],
            )
        })
        .map_err(fault)?;
    transaction.commit().map_err(fault)
}

/// Whether the file has the tables of read models; a store's has none at first.
pub(super) fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'read_model'")?
        .exists([])
}

enum Found {
    Nothing,
    Store,
    ReadModel,
}

fn found(path: &Path, connection: &Connection) -> Result<Found, ReadModelError> {
    let fault = |error| io("opening it", error);
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => {
                foreign(path, "it is no SQLite database".to_owned())
            }
            _ => fault(error),
        })?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault)?;
    let found = match application {
        0 if tables == 0 => return Ok(Found::Nothing),
        STORE => Found::Store,
        APPLICATION_ID => Found::ReadModel,
        _ => {
            let why = "it is the database of another program".to_owned();
            return Err(foreign(path, why));
        }
    };
    if has_tables(connection).map_err(fault)? {
        let version: Option<i32> = connection
            .query_row("SELECT version FROM read_model", [], |row| row.get(0))
            .optional()
            .map_err(fault)?;
        if version != Some(VERSION) {
            let version = version.map_or("none".to_owned(), |version| version.to_string());
            let why = format!("its tables have version {version}, this program knows {VERSION}");
            return Err(foreign(path, why));
        }
    }
    Ok(found)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, ReadModelError> {
    connection::open(path, flags).map_err(|error| io("opening it", error))
}

fn not_found(path: &Path) -> ReadModelError {
    ReadModelError::NotFound {
        path: path.to_owned(),
    }
}

fn foreign(path: &Path, why: String) -> ReadModelError {
    ReadModelError::Foreign {
        path: path.to_owned(),
        why,
    }
}
