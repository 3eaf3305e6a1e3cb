//! Opening the file, and the connections that read it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use cim_core::subject::StoreTemplate;
use cim_core::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior, params,
};
use uuid::Uuid;

use crate::clock;
use crate::store::{StoreError, StoreInfo};

/// Marks a file as ours: "CIMe".
pub(super) const APPLICATION_ID: i32 = 0x4349_4d65;

/// The version of the schema.
const SCHEMA_VERSION: i32 = 1;

/// How long a connection waits for another process's commit.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// After which pause that is tried again which SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// How many idle connections are kept for reading.
const MAX_IDLE: usize = 4;

/// Connections of one file.
#[derive(Debug)]
pub(super) struct Connections {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lends a connection to `use_it` and keeps it for the next one unless that fails.
    pub(super) fn with<T>(
        &self,
        use_it: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let kept = self
            .idle
            .lock()
            .expect("no code panics while it holds the lock")
            .pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.open_for_reading()?,
        };
        let answer = use_it(&connection)?;
        let mut idle = self
            .idle
            .lock()
            .expect("no code panics while it holds the lock");
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// Opens a connection that may write.
    pub(super) fn open_for_writing(&self) -> rusqlite::Result<Connection> {
        let connection = open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }

    /// Opens a connection that only reads. It is opened for writing all the same, since a reader
    /// of a write-ahead log has to write its index; `query_only` keeps it from the data.
    fn open_for_reading(&self) -> rusqlite::Result<Connection> {
        let connection = open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// Makes the tables of a new store.
pub(super) fn create(path: &Path, template: &StoreTemplate) -> Result<(), StoreError> {
    let fault = |source: rusqlite::Error| io("creating the store", source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open(path, flags).map_err(fault)?;
    let mode = use_write_ahead_log(&connection).map_err(|error| foreign(path, error))?;
    if mode != "wal" {
        let why = format!("the file system has no write-ahead log (journal mode `{mode}`)");
        return Err(StoreError::Foreign {
            url: url(path),
            why,
        });
    }
    let template = serde_json::to_string(template).expect("a template is plain JSON");
    // Looked at under the lock: another process may be making the same store.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault)?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| foreign(path, error))?;
    if tables > 0 {
        let why = "there is a database already".to_owned();
        return Err(StoreError::Foreign {
            url: url(path),
            why,
        });
    }
    transaction
        .execute_batch(include_str!("schema.sql"))
        .map_err(fault)?;
    let created_at = i64::try_from(clock::now().micros()).expect("times fit");
    transaction
        .execute(
            "INSERT INTO store (one, store_id, template, created_at) VALUES (1, ?1, ?2, ?3)",
            params![clock::store_id().as_bytes(), template, created_at],
        )
        .map_err(fault)?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(fault)?;
    transaction
        .pragma_update(None, "user_version", SCHEMA_VERSION)
        .map_err(fault)?;
    transaction.commit().map_err(fault)
}

/// Checks that the file is a store that this program knows, and reads what it is.
pub(super) fn read_info(path: &Path) -> Result<StoreInfo, StoreError> {
    let strange = |why: String| StoreError::Foreign {
        url: url(path),
        why,
    };
    if path.is_dir() {
        return Err(strange("it is a folder".to_owned()));
    }
    if !path.is_file() {
        return Err(StoreError::NotFound { url: url(path) });
    }
    let fault = |error: rusqlite::Error| foreign(path, error);
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (
        pragma("application_id").map_err(fault)?,
        pragma("user_version").map_err(fault)?,
    );
    if application == 0 && version == 0 {
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(fault)?;
        if tables == 0 {
            return Err(StoreError::NotFound { url: url(path) });
        }
    }
    if application != APPLICATION_ID {
        return Err(strange("it is the database of another program".to_owned()));
    }
    if version != SCHEMA_VERSION {
        return Err(StoreError::Newer {
            url: url(path),
            found: version,
            known: SCHEMA_VERSION,
        });
    }
    let row = connection
        .query_row(
            "SELECT store_id, template, created_at FROM store",
            [],
            |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )
        .optional()
        .map_err(fault)?;
    let (id, template, created_at) =
        row.ok_or_else(|| strange("its table `store` is empty".to_owned()))?;
    Ok(StoreInfo {
        store_id: Uuid::from_slice(&id).map_err(|error| strange(error.to_string()))?,
        template: serde_json::from_str(&template)
            .map_err(|error| strange(format!("its subject template: {error}")))?,
        created_at: u64::try_from(created_at)
            .ok()
            .and_then(|micros| Timestamp::from_micros(micros).ok())
            .ok_or_else(|| strange("its time of creation is no time".to_owned()))?,
        url: url(path),
    })
}

/// A failure of the database or the disk.
pub(super) fn io(doing: &str, source: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{PermissionDenied, ReadOnly};
    let doing = doing.to_owned();
    match source.sqlite_error_code() {
        Some(PermissionDenied | ReadOnly) => StoreError::NotAllowed {
            doing,
            source: Box::new(source),
        },
        _ => StoreError::Io {
            doing,
            source: Box::new(source),
        },
    }
}

pub(super) fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Otherwise a statement is prepared anew for every value that is bound to it, in case another
    // plan were better for that; our plans are the same for all.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Switches a database to a write-ahead log, and gives the mode that it is in then. Of several
/// connections that switch a new file at once, SQLite makes some fail without waiting.
pub(super) fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<String> {
    let started = clock::moment();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error) if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(BUSY_PAUSE);
            }
            mode => return mode,
        }
    }
}

/// Whether another connection holds what is asked for.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn foreign(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign {
            url: url(path),
            why: "it is no SQLite database".to_owned(),
        },
        _ => io("opening the store", error),
    }
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn several_switch_a_new_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        for round in 0..100 {
            let path = folder.path().join(format!("{round}.db"));
            let begin = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        begin.wait();
                        let connection = open(&path, flags).expect("opened");
                        assert_eq!(use_write_ahead_log(&connection).expect("switched"), "wal");
                    });
                }
            });
        }
    }

    #[test]
    fn statements_are_prepared_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cim.db");
        create(&path, &StoreTemplate::default()).expect("made");
        let connection = Connections::new(&path).open_for_reading().expect("opened");
        let mut statement = connection
            .prepare("SELECT position FROM events WHERE aggregate = ?1 ORDER BY version LIMIT 1")
            .expect("sound SQL");
        for aggregate in 1..=3 {
            assert!(!statement.exists([aggregate]).expect("an answer"));
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
