//! The event store in a JetStream stream.
//!
//! One message is one event; a stream's sequence is the position. Appends are guarded by the last
//! sequence of their aggregate's filter, so that rivals on other servers are refused; several
//! events go as one atomic batch. What a stream does not find by sequence or subject is looked up
//! in a local index.

mod append;
mod feed;
mod halves;
mod heads;
mod histories;
mod history;
mod layout;
mod read;
mod recent;
mod share;
mod sight;
mod span;
mod subscription;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cim_core::append::{Append, AppendError, Appended, HeadFound, Rejection, RetryToken};
use cim_core::id::AggregateKey;
use cim_core::subject::SubjectFilter;
use cim_core::version::{Head, Position};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use tokio::sync::Mutex;

use self::feed::Synced;
use self::heads::Heads;
use self::histories::VerifiedHistories;
use self::recent::Recent;
use super::{
    Consistency, JetStreamError, JetStreamPort, Storage, StreamConfig, StreamInfo, version,
};
use crate::sqlite::Index;
use crate::store::{
    AggregateEntry, AggregateSelect, Delivery, EventStore, InvalidEvent, Query, ReadEvent,
    StoreError, StoreInfo, StoreStats,
};

/// An event store in a stream. Clones share it.
#[derive(Clone, Debug)]
#[doc(alias = "JetStreamEventStore")]
pub struct JetStreamStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    port: Arc<dyn JetStreamPort>,
    stream: String,
    info: StoreInfo,
    /// What the stream takes.
    subjects: Vec<SubjectFilter>,
    index: Arc<Index>,
    synced: Mutex<Synced>,
    heads: Heads,
    histories: VerifiedHistories,
    recent: Recent,
    /// Whether the index is being fed beside what else is done.
    is_feeding: AtomicBool,
    /// The last sequence that was seen: a leader that has less is not to be believed.
    seen: AtomicU64,
    /// The connection on which it was last seen that the stream has what the index has.
    checked: AtomicU64,
    /// Whether the stream was found to have other events than before.
    has_gone_back: AtomicBool,
    /// When the stream was made that was last seen to be this store.
    created: std::sync::Mutex<String>,
    /// Whether the stream has one replica, which is then its leader: a direct get sees everything.
    is_alone: AtomicBool,
    /// Where batches of several appends become one; only where that pays.
    shared: Option<share::Shared>,
    /// Why nothing may be appended to the stream as it was last seen to be set up.
    unsafe_to_append: std::sync::Mutex<Option<Rejection>>,
}

impl JetStreamStore {
    /// Opens the store in a stream. `url` is what messages call it, without secrets; its index lies
    /// in `folder`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when there is no such stream, [`StoreError::Foreign`] when it is no
    /// store of ours, [`StoreError::Unreachable`] when no server answers.
    pub async fn open(
        port: Arc<dyn JetStreamPort>,
        stream: &str,
        url: &str,
        folder: &Path,
    ) -> Result<Self, StoreError> {
        let found = port
            .stream_info(stream)
            .await
            .map_err(|error| fault("opening the store", error))?
            .ok_or_else(|| StoreError::NotFound {
                url: url.to_owned(),
            })?;
        let info = layout::read_info(&found.config, url)?;
        let path = index_path(folder, &info);
        let store_id = info.store_id;
        let index = tokio::task::spawn_blocking(move || Index::open(&path, store_id))
            .await
            .map_err(|_| StoreError::Closed)??;
        if index.up_to()? > found.state.last_seq {
            return Err(StoreError::Mismatch {
                why: format!(
                    "the stream `{stream}` has lost messages: it ends at {}, and {} was seen \
                     before; delete `{}` to go on with what is left",
                    found.state.last_seq,
                    index.up_to()?,
                    index_path(folder, &info).display()
                ),
            });
        }
        // A server alone stages each batch on disk, whatever its size.
        let config = &found.config;
        let shared = (config.num_replicas == 1 && config.storage == Storage::File)
            .then(|| share::Shared::new(Arc::clone(&port)));
        let store = Self(Arc::new(Inner {
            created: std::sync::Mutex::default(),
            checked: AtomicU64::new(port.connection()),
            has_gone_back: AtomicBool::new(false),
            port,
            stream: stream.to_owned(),
            subjects: layout::subjects(&found.config, url)?,
            index: Arc::new(index),
            synced: Mutex::default(),
            heads: Heads::default(),
            histories: VerifiedHistories::default(),
            recent: Recent::default(),
            is_feeding: AtomicBool::new(false),
            seen: AtomicU64::new(found.state.last_seq),
            is_alone: AtomicBool::default(),
            shared,
            unsafe_to_append: std::sync::Mutex::default(),
            info,
        }));
        store.0.look_at(&found);
        store.0.compare().await?;
        Ok(store)
    }

    /// Whether the stream was found to have other events than those that were read from it before:
    /// its server lost the last ones after they were acknowledged, or was restored from a copy. What
    /// was remembered of them is forgotten then.
    pub fn has_gone_back(&self) -> bool {
        self.0.has_gone_back.load(Ordering::Acquire)
    }

    /// Makes the stream of a new store, as [`event_stream`](super::plan::event_stream) describes it, and opens it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Foreign`] when there is a stream of this name already, or one that takes the
    /// same subjects; [`StoreError::ServerTooOld`]; otherwise as [`open`](Self::open).
    pub async fn create(
        port: Arc<dyn JetStreamPort>,
        config: &StreamConfig,
        url: &str,
        folder: &Path,
    ) -> Result<Self, StoreError> {
        layout::read_info(config, url)?;
        version::check(&port.server())?;
        let made = port.create_stream(config).await;
        match made {
            Ok(_) => Self::open(port, &config.name, url, folder).await,
            Err(error) if matches!(error.number(), Some(NAME_IN_USE | SUBJECTS_OVERLAP)) => {
                Err(StoreError::Foreign {
                    url: url.to_owned(),
                    why: error.to_string(),
                })
            }
            Err(error) => Err(fault("making the store", error)),
        }
    }
}

impl Inner {
    /// Takes in how the stream is set up: that may change while it is open.
    fn look_at(&self, info: &StreamInfo) {
        let config = &info.config;
        info.created.clone_into(&mut self.lock_created());
        let is_alone = config.num_replicas == 1 && config.allow_direct;
        self.is_alone.store(is_alone, Ordering::Release);
        let found = too_old(&*self.port)
            .or_else(|| expires(config))
            .or_else(|| drops(config));
        *self.lock_unsafe() = found;
    }

    /// Why nothing may be appended to the stream as it was last seen to be set up.
    fn unsafe_to_append(&self) -> Option<Rejection> {
        self.lock_unsafe().clone()
    }

    /// When the stream was made that was last seen to be this store.
    fn created(&self) -> String {
        self.lock_created().clone()
    }

    fn lock_created(&self) -> std::sync::MutexGuard<'_, String> {
        self.created
            .lock()
            .expect("no code panics while it holds the lock")
    }

    fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Acquire)
    }

    fn lock_unsafe(&self) -> std::sync::MutexGuard<'_, Option<Rejection>> {
        self.unsafe_to_append
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

/// Numbers of the server's faults (`errors.json` of nats-server).
const NAME_IN_USE: u32 = 10058;
const SUBJECTS_OVERLAP: u32 = 10065;

fn index_path(folder: &Path, info: &StoreInfo) -> PathBuf {
    folder.join(format!("{}.db", info.store_id))
}

/// Why nothing may be appended through a server. An old one takes the messages of a batch one by
/// one, or checks expectations not at all.
fn too_old(port: &dyn JetStreamPort) -> Option<Rejection> {
    let error = version::check(&port.server()).err()?;
    Some(Rejection::Store {
        code: error.code(),
        why: error.to_string(),
    })
}

/// Why nothing may be appended to a stream that is set up like this.
fn expires(config: &StreamConfig) -> Option<Rejection> {
    (config.max_age > 0).then(|| Rejection::Store {
        code: "stream-expires",
        why: format!(
            "the stream `{}` has an age limit: when a history has expired, its version 1 could be \
             written again",
            config.name
        ),
    })
}

/// Why nothing may be appended to a stream whose messages go away, other than by age.
fn drops(config: &StreamConfig) -> Option<Rejection> {
    let dropped = config.dropped()?;
    Some(Rejection::Store {
        code: "stream-drops",
        why: format!(
            "the stream `{}` drops messages {dropped}: when a history is gone, its version 1 could \
             be written again",
            config.name
        ),
    })
}

/// What a fault of JetStream is for a store.
fn fault(doing: &str, error: JetStreamError) -> StoreError {
    let (doing, source) = (doing.to_owned(), Box::new(error));
    match *source {
        JetStreamError::NotAllowed { .. } => StoreError::NotAllowed { doing, source },
        JetStreamError::NoAnswer { .. }
        | JetStreamError::ConnectionLost { .. }
        | JetStreamError::CircuitOpen { .. }
        | JetStreamError::NobodyListens { .. }
        | JetStreamError::Connection { .. } => StoreError::Unreachable { doing, source },
        JetStreamError::AnotherStream { .. } => StoreError::Mismatch {
            why: source.to_string(),
        },
        JetStreamError::Closed => StoreError::Closed,
        _ => StoreError::Io { doing, source },
    }
}

impl EventStore for JetStreamStore {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(self.0.append(appends, false))
    }

    fn append_again(&self, token: RetryToken) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(self.0.append(token.into_appends(), true))
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        Box::pin(async move {
            let found = self.0.last(aggregate, Consistency::Leader).await?;
            if let Some((sequence, head)) = &found {
                self.0.heads.saw(aggregate, *sequence, head);
            }
            match found {
                None => Ok(None),
                Some((_, HeadFound::Sound(head))) => Ok(Some(head)),
                Some((_, HeadFound::Broken { position, why })) => {
                    Err(StoreError::Invalid(InvalidEvent {
                        position,
                        aggregate: Some(aggregate.clone()),
                        event: None,
                        code: "history-broken",
                        why,
                    }))
                }
            }
        })
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(async move { Ok(Position::new(self.0.leader_last().await?).ok()) })
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        read::read(Arc::clone(&self.0), query)
    }

    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        subscription::subscribe(Arc::clone(&self.0), after, filter)
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        let store = Arc::clone(&self.0);
        stream::once(async move {
            match store.sync().await {
                Ok(_) => store.index.aggregates(select),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        Box::pin(async move {
            self.0.sync().await?;
            let info = self
                .0
                .port
                .stream_info(&self.0.stream)
                .await
                .map_err(|error| fault("looking at the stream", error))?;
            Ok(StoreStats {
                bytes: info.map(|info| info.state.bytes),
                ..self.0.index.stats().await?
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.0
                .port
                .close()
                .await
                .map_err(|error| fault("closing the store", error))
        })
    }
}
