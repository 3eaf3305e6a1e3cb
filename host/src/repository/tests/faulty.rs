//! A store with faults, each where a test puts it.

use std::sync::{Arc, Mutex};

use cim_core::append::{Append, AppendError, Appended, RetryToken};
use cim_core::id::AggregateKey;
use cim_core::subject::SubjectFilter;
use cim_core::version::{Head, Position};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _, future};

use crate::memory::MemoryStore;
use crate::store::{
    AggregateEntry, AggregateSelect, Delivery, EventStore, InvalidEvent, Query, ReadEvent,
    StoreError, StoreInfo, StoreStats,
};

/// What goes wrong with an append.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AppendFault {
    /// No answer, and nothing is stored.
    LostBefore,
    /// No answer, but it is stored.
    LostAfter,
    /// The answer does not say whether it is stored, and it is not.
    UnknownBefore,
    /// The answer does not say whether it is stored, and it is.
    UnknownAfter,
    /// The same, for the first append alone.
    UnknownOnce,
}

/// What goes wrong with reads of histories and of the log.
#[derive(Clone, Debug)]
pub(super) enum ReadFault {
    /// Nothing is found from this version on, unless it is read from the start.
    HiddenBehind(u64),
    /// Nothing is found from this version on.
    Hidden(u64),
    /// This follows the events.
    Ends(InvalidEvent),
}

/// Appends to one store, reads another, which may be the same.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) reads: Arc<MemoryStore>,
    pub(super) writes: Arc<MemoryStore>,
    pub(super) append: Mutex<Option<AppendFault>>,
    pub(super) read: Mutex<Option<ReadFault>>,
}

impl Faulty {
    /// A store without a fault yet.
    pub(super) fn new(store: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            reads: Arc::clone(store),
            writes: Arc::clone(store),
            append: Mutex::default(),
            read: Mutex::default(),
        })
    }

    pub(super) fn set(&self, append: Option<AppendFault>, read: Option<ReadFault>) {
        *self.append.lock().expect("no panic") = append;
        *self.read.lock().expect("no panic") = read;
    }
}

impl EventStore for Faulty {
    fn info(&self) -> &StoreInfo {
        self.reads.info()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        let fault = *self.append.lock().expect("no panic");
        Box::pin(async move {
            let unknown = AppendError::Unknown {
                retry_token: RetryToken::new(appends.clone()),
                cause: None,
            };
            match fault {
                None => self.writes.append_many(appends).await,
                Some(AppendFault::LostBefore) => future::pending().await,
                Some(AppendFault::UnknownBefore) => Err(unknown),
                Some(AppendFault::LostAfter) => {
                    self.writes.append_many(appends).await?;
                    future::pending().await
                }
                Some(AppendFault::UnknownAfter) => {
                    self.writes.append_many(appends).await?;
                    Err(unknown)
                }
                Some(AppendFault::UnknownOnce) => {
                    self.writes.append_many(appends).await?;
                    self.set(None, None);
                    Err(unknown)
                }
            }
        })
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        self.reads.head(aggregate)
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        self.reads.last_position()
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        let events = self.reads.read(query.clone());
        let fault = self.read.lock().expect("no panic").clone();
        let hide = |events: BoxStream<'static, Result<ReadEvent, StoreError>>, from: u64| {
            let is_seen = move |read: &ReadEvent| future::ready(read.event.version.get() < from);
            events.try_filter(is_seen).boxed()
        };
        match fault {
            None => events,
            Some(ReadFault::HiddenBehind(_)) if query.from_version.is_none() => events,
            Some(ReadFault::HiddenBehind(from) | ReadFault::Hidden(from)) => hide(events, from),
            Some(ReadFault::Ends(invalid)) => {
                let last = stream::iter([Err(StoreError::Invalid(invalid))]);
                events.chain(last).boxed()
            }
        }
    }

    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        self.reads.subscribe(after, filter)
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        self.reads.aggregates(select)
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        self.reads.stats()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.reads.close()
    }
}
