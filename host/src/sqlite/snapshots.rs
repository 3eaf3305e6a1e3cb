//! Snapshots in the store's own file.
//!
//! They have connections of their own, so that a large snapshot delays the next append by no more
//! than its own write. These have `synchronous=NORMAL`, without a wait for the disk at each commit:
//! with a write-ahead log a loss of power takes the last snapshots along and leaves the file whole,
//! and what is acknowledged of the events stays durable, since their writer waits for all of the log
//! that stands before its own commit.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::version::Version;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, TransactionBehavior, params};

use super::connection::{self, Connections};
use crate::snapshot::{SnapshotEntry, SnapshotStore, SnapshotStoreError, check_len};
use crate::store::StoreError;

/// Snapshots in a SQLite store's file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteSnapshots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: Connections,
    writer: Mutex<Option<Connection>>,
}

impl SqliteSnapshots {
    /// Opens the snapshots in the file of the store at `path`. The table is made with the first one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Foreign`], [`StoreError::Newer`] as when the store is
    /// opened, [`StoreError::Io`] when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        connection::read_info(path)?;
        Ok(Self(Arc::new(Inner {
            readers: Connections::new(path),
            writer: Mutex::default(),
        })))
    }

    /// Runs `work` on a blocking thread with a connection that reads; its answer is `T::default()`
    /// where there is no table yet.
    async fn read<T: Default + Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SnapshotStoreError> {
        let inner = Arc::clone(&self.0);
        blocking(doing, move || {
            inner
                .readers
                .with(|connection| match has_table(connection)? {
                    true => work(connection),
                    false => Ok(T::default()),
                })
        })
        .await
    }

    /// Runs `work` on a blocking thread with the one connection that writes, in a transaction.
    async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SnapshotStoreError> {
        let inner = Arc::clone(&self.0);
        blocking(doing, move || inner.write(work)).await
    }
}

impl Inner {
    fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let mut kept = self
            .writer
            .lock()
            .expect("no code panics while it holds the lock");
        // One that fails is not kept.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let connection = self.readers.open_for_writing()?;
                connection.pragma_update(None, "synchronous", "NORMAL")?;
                connection
            }
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        *kept = Some(connection);
        Ok(answer)
    }
}

impl SnapshotStore for SqliteSnapshots {
    fn load<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>> {
        let key = aggregate.clone();
        let sealed = self.read("loading a snapshot", move |connection| {
            connection
                .prepare_cached(
                    "SELECT sealed FROM snapshots
                     WHERE namespace = ?1 AND entity = ?2 AND key = ?3",
                )?
                .query_row(names(&key), |row| row.get::<_, Vec<u8>>(0))
                .optional()
        });
        async move { Ok(sealed.await?.map(Bytes::from)) }.boxed()
    }

    fn save<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>> {
        let key = aggregate.clone();
        async move {
            check_len(&sealed)?;
            self.write("saving a snapshot", move |connection| {
                if !has_table(connection)? {
                    connection.execute_batch(include_str!("snapshots.sql"))?;
                }
                let [namespace, entity, key] = names(&key);
                connection
                    .prepare_cached(
                        "INSERT INTO snapshots (namespace, entity, key, version, sealed)
                         VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT (namespace, entity, key)
                         DO UPDATE SET version = excluded.version, sealed = excluded.sealed
                         WHERE excluded.version >= version",
                    )?
                    .execute(params![
                        namespace,
                        entity,
                        key,
                        number(version),
                        &sealed[..]
                    ])
                    .map(drop)
            })
            .await
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>> {
        let key = aggregate.clone();
        self.write("deleting a snapshot", move |connection| {
            if !has_table(connection)? {
                return Ok(false);
            }
            let sql = "DELETE FROM snapshots WHERE namespace = ?1 AND entity = ?2 AND key = ?3";
            let deleted = connection.prepare_cached(sql)?.execute(names(&key))?;
            Ok(deleted > 0)
        })
        .boxed()
    }

    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>> {
        self.write("deleting the snapshots", |connection| {
            if !has_table(connection)? {
                return Ok(0);
            }
            Ok(connection.execute("DELETE FROM snapshots", [])? as u64)
        })
        .boxed()
    }

    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>> {
        let pages = stream::try_unfold(
            (self.clone(), Some(None)),
            |(snapshots, after): (Self, Option<Option<AggregateKey>>)| async move {
                let Some(after) = after else {
                    return Ok(None);
                };
                let page: Vec<_> = snapshots
                    .read("listing the snapshots", move |connection| {
                        page(connection, after.as_ref())
                    })
                    .await?;
                let last = page.last().and_then(|entry| entry.as_ref().ok());
                let after = last.map(|entry| Some(entry.aggregate.clone()));
                Ok(Some((stream::iter(page), (snapshots, after))))
            },
        );
        pages.try_flatten().boxed()
    }
}

/// The entries behind an aggregate.
fn page(
    connection: &Connection,
    after: Option<&AggregateKey>,
) -> rusqlite::Result<Vec<Result<SnapshotEntry, SnapshotStoreError>>> {
    let [namespace, entity, key] = after.map_or([""; 3], names);
    connection
        .prepare_cached(
            "SELECT namespace, entity, key, version, length(sealed) FROM snapshots
             WHERE (namespace, entity, key) > (?1, ?2, ?3)
             ORDER BY namespace, entity, key LIMIT ?4",
        )?
        .query_map(params![namespace, entity, key, PAGE], entry)?
        .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Result<SnapshotEntry, SnapshotStoreError>> {
    let name = |at| row.get::<_, String>(at);
    let name = format!("{}.{}.{}", name(0)?, name(1)?, name(2)?);
    let (version, bytes): (i64, i64) = (row.get(3)?, row.get(4)?);
    let version = u64::try_from(version)
        .ok()
        .and_then(|version| Version::new(version).ok());
    let entry = name
        .parse()
        .ok()
        .zip(version)
        .map(|(aggregate, version)| SnapshotEntry {
            aggregate,
            version,
            bytes: u64::try_from(bytes).unwrap_or_default(),
        });
    Ok(entry.ok_or_else(|| SnapshotStoreError::Damaged {
        why: format!("a row of `{name}` has no valid name or version"),
    }))
}

fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'snapshots'")?
        .exists([])
}

fn names(aggregate: &AggregateKey) -> [&str; 3] {
    [
        aggregate.namespace.as_str(),
        aggregate.entity.as_str(),
        aggregate.id.as_str(),
    ]
}

fn number(version: Version) -> i64 {
    i64::try_from(version.get()).expect("versions are at most 2^53 - 1")
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, SnapshotStoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| fault(doing, error)),
        Err(error) => Err(SnapshotStoreError::Io {
            doing,
            source: Box::new(error),
        }),
    }
}

fn fault(doing: &'static str, source: rusqlite::Error) -> SnapshotStoreError {
    let source = Box::new(source);
    match source.sqlite_error_code() {
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            SnapshotStoreError::NotAllowed { doing, source }
        }
        _ => SnapshotStoreError::Io { doing, source },
    }
}

/// How many entries are read at once.
const PAGE: i64 = 256;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use cim_core::subject::StoreTemplate;
    use tempfile::TempDir;

    use super::*;
    use crate::snapshot::contract::Fixture;
    use crate::sqlite::SqliteStore;

    struct Sqlite {
        path: PathBuf,
        snapshots: SqliteSnapshots,
        _folder: TempDir,
    }

    impl Fixture for Sqlite {
        fn snapshots(&self) -> Arc<dyn SnapshotStore> {
            Arc::new(self.snapshots.clone())
        }

        async fn open_again(&self) -> Arc<dyn SnapshotStore> {
            Arc::new(SqliteSnapshots::open(&self.path).expect("opened"))
        }
    }

    async fn sqlite() -> Sqlite {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cim.db");
        connection::create(&path, &StoreTemplate::default()).expect("made");
        Sqlite {
            snapshots: SqliteSnapshots::open(&path).expect("opened"),
            path,
            _folder: folder,
        }
    }

    crate::snapshot_contract_tests!(contract, sqlite);

    fn key() -> AggregateKey {
        "acme.lab.lamps.lamp.hall".parse().expect("a key")
    }

    async fn save(snapshots: &SqliteSnapshots, number: u64, sealed: &[u8]) {
        let version = Version::new(number).expect("a version");
        snapshots
            .save(&key(), version, Bytes::copy_from_slice(sealed))
            .await
            .expect("saved");
    }

    #[tokio::test]
    async fn the_table_is_made_with_the_first_one() {
        let fixture = sqlite().await;
        let tables = || {
            let connection = Connection::open(&fixture.path).expect("opened");
            has_table(&connection).expect("an answer")
        };
        let snapshots = &fixture.snapshots;
        assert_eq!(snapshots.load(&key()).await.expect("an answer"), None);
        assert!(!snapshots.delete(&key()).await.expect("an answer"));
        assert_eq!(snapshots.delete_all().await.expect("an answer"), 0);
        assert!(!tables(), "reading and deleting makes nothing");
        save(snapshots, 1, b"x").await;
        assert!(tables());
    }

    #[tokio::test]
    async fn there_is_a_store_or_no_place_for_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = SqliteSnapshots::open(&folder.path().join("none.db")).expect_err("no store");
        assert_eq!(error.code(), "store-not-found");
    }

    #[tokio::test]
    async fn the_store_goes_on_beside_them() {
        let fixture = sqlite().await;
        let store = SqliteStore::open(&fixture.path).expect("opened");
        let sealed = vec![7; 1 << 20];
        let saving = async {
            for version in 1..=20 {
                save(&fixture.snapshots, version, &sealed).await;
            }
        };
        let appending = async {
            for n in 1..=20 {
                use crate::store::EventStore as _;
                use crate::store::contract::given;

                given::commit_any(&store, &key(), n..=n).await;
                assert!(store.head(&key()).await.expect("an answer").is_some());
            }
        };
        futures_util::future::join(saving, appending).await;
        let found = fixture.snapshots.load(&key()).await.expect("an answer");
        assert!(found == Some(sealed.into()), "the last one");
    }

    #[tokio::test]
    async fn a_row_that_nobody_wrote_is_said_to_be_damaged() {
        let fixture = sqlite().await;
        save(&fixture.snapshots, 1, b"x").await;
        let connection = Connection::open(&fixture.path).expect("opened");
        connection
            .execute("UPDATE snapshots SET version = -1", [])
            .expect("altered");
        let listed: Result<Vec<_>, _> = fixture.snapshots.list().try_collect().await;
        assert_eq!(listed.expect_err("no version").code(), "snapshot-damaged");
    }
}
