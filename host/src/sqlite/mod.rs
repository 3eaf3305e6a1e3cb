//! The default store: one SQLite file.
//!
//! The file has a write-ahead log and `synchronous=FULL`, so an acknowledged append survives
//! `kill -9` and power loss. One thread of a process writes and commits appends that wait at the
//! same time together; several processes may write to one file. The tables are
//! documented in `schema.sql` and may be queried by anyone. [`ReadModel`] keeps what projectors make
//! of the events, in the same file or another; [`SqliteSnapshots`] keeps snapshots in the same file.

mod connection;
mod health;
mod histories;
#[cfg(feature = "jetstream")]
mod index;
mod listing;
mod page;
mod read;
mod read_model;
mod row;
mod snapshots;
mod subscription;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use cim_core::append::{Append, AppendError, Appended, RetryToken};
use cim_core::id::AggregateKey;
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::version::{Head, Position};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::{mpsc, oneshot, watch};

#[cfg(feature = "jetstream")]
pub(crate) use self::health::longest_in_index;
pub(crate) use self::health::{Health, health};
#[cfg(feature = "jetstream")]
pub(crate) use self::index::{Found, Index, Place};
pub use self::read_model::ReadModel;
pub(crate) use self::read_model::{Begin, NotCommitted, Session};
pub use self::snapshots::SqliteSnapshots;

use self::connection::{Connections, io};
use self::writer::{Request, Writer};
use crate::store::{
    AggregateEntry, AggregateSelect, Delivery, EventStore, Query, ReadEvent, StoreError, StoreInfo,
    StoreStats,
};

/// An event store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    info: StoreInfo,
    connections: Arc<Connections>,
    committed: watch::Receiver<()>,
    writer: Mutex<Option<(mpsc::Sender<Request>, JoinHandle<()>)>>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when there is no file or an empty one, [`StoreError::Foreign`]
    /// when it is no store of ours, [`StoreError::Io`] when it cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let info = connection::read_info(path)?;
        let connections = Arc::new(Connections::new(path));
        let connection = connections
            .open_for_writing()
            .map_err(|error| io("opening the store", error))?;
        let (sender, requests) = mpsc::channel(writer::MAX_WAITING);
        let (notify, committed) = watch::channel(());
        let writer = Writer {
            connections: Arc::clone(&connections),
            template: info.template.clone(),
            requests,
            committed: notify,
            connection: Some(connection),
        };
        let thread = std::thread::Builder::new()
            .name("cim-sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Io {
                doing: "starting the writer's thread".to_owned(),
                source: Box::new(error),
            })?;
        Ok(Self {
            info,
            connections,
            committed,
            writer: Mutex::new(Some((sender, thread))),
        })
    }

    /// Makes a new store in the file at `path` and opens it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Foreign`] when there is a database already, [`StoreError::Io`] when the file
    /// cannot be made.
    pub fn create(path: &Path, template: StoreTemplate) -> Result<Self, StoreError> {
        connection::create(path, &template)?;
        Self::open(path)
    }

    async fn send(&self, appends: Vec<Append>) -> Result<Vec<Appended>, AppendError> {
        let (reply, answer) = oneshot::channel();
        let unknown = |appends| AppendError::Unknown {
            retry_token: RetryToken::new(appends),
            cause: Some(Arc::new(StoreError::Closed)),
        };
        let Some(sender) = self.sender() else {
            return Err(unknown(appends));
        };
        let kept = appends.clone();
        if let Err(unsent) = sender.send(Request { appends, reply }).await {
            return Err(unknown(unsent.0.appends));
        }
        drop(sender);
        answer.await.unwrap_or_else(|_| Err(unknown(kept)))
    }

    fn sender(&self) -> Option<mpsc::Sender<Request>> {
        let writer = self
            .writer
            .lock()
            .expect("no code panics while it holds the lock");
        writer.as_ref().map(|(sender, _)| sender.clone())
    }

    /// Runs `work` with a connection on a blocking thread.
    async fn query<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connections = Arc::clone(&self.connections);
        tokio::task::spawn_blocking(move || connections.with(work))
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(|error| io(doing, error))
    }
}

impl EventStore for SqliteStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(self.send(appends))
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        let key = aggregate.clone();
        Box::pin(async move {
            self.query("reading a head", move |connection| {
                listing::head(connection, &key)
            })
            .await?
        })
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(async move {
            let last = self
                .query("reading the last position", read::last_row)
                .await?;
            Ok(last
                .and_then(|row| u64::try_from(row).ok())
                .and_then(|row| Position::new(row).ok()))
        })
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        read::read(Arc::clone(&self.connections), query)
    }

    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        subscription::subscribe(
            Arc::clone(&self.connections),
            self.info.template.clone(),
            self.committed.clone(),
            after,
            filter,
        )
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        listing::aggregates(Arc::clone(&self.connections), select)
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        let path = self.connections.path().to_owned();
        Box::pin(self.query("counting events", move |connection| {
            listing::stats(connection, &path)
        }))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let writer = self
            .writer
            .lock()
            .expect("no code panics while it holds the lock")
            .take();
        Box::pin(async move {
            let Some((sender, thread)) = writer else {
                return Ok(());
            };
            drop(sender);
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            match joined {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(StoreError::Closed),
            }
        })
    }
}
