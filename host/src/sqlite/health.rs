//! What `cim doctor` asks of a database.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::connection::{self, Connections, io};
use crate::store::{StoreError, StoreInfo};

/// How a store's file is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Health {
    /// What store it is.
    pub(crate) info: StoreInfo,
    /// The version of SQLite.
    pub(crate) sqlite: String,
    /// What `PRAGMA quick_check` says first: `ok`, or a fault.
    pub(crate) check: String,
    /// The journal mode of the file, `wal` in a store of ours.
    pub(crate) journal_mode: String,
    /// `synchronous` of the connection that writes: 2 is FULL.
    pub(crate) synchronous: i64,
    /// The longest history.
    pub(crate) longest: Option<Longest>,
}

/// The longest history, and how many events it has.
pub(crate) type Longest = (String, u64);

/// Looks at a store.
pub(crate) fn health(path: &Path) -> Result<Health, StoreError> {
    let info = connection::read_info(path)?;
    let fault = |error| io("looking at the store", error);
    let connection = Connections::new(path).open_for_writing().map_err(fault)?;
    let text = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    Ok(Health {
        info,
        sqlite: rusqlite::version().to_owned(),
        // The first line is the answer, or the first of many faults.
        check: text("quick_check").map_err(fault)?,
        journal_mode: text("journal_mode").map_err(fault)?,
        synchronous: connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .map_err(fault)?,
        longest: longest(&connection).map_err(fault)?,
    })
}

/// The longest history that an index of a stream knows.
#[cfg(feature = "jetstream")]
pub(crate) fn longest_in_index(path: &Path) -> Result<Option<Longest>, StoreError> {
    let open = || {
        let connection = connection::open(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        longest(&connection)
    };
    open().map_err(|error| io("looking at the index", error))
}

fn longest(connection: &Connection) -> rusqlite::Result<Option<Longest>> {
    // SQLite takes `aggregate` from the row that has the maximum.
    let sql = "SELECT namespace || '.' || entity || '.' || key, longest.version
               FROM (SELECT aggregate, max(version) AS version FROM events) AS longest
               JOIN aggregates ON aggregates.id = longest.aggregate";
    let row = connection.query_row(sql, [], |row| {
        let events: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(events).unwrap_or_default()))
    });
    row.optional()
}
