//! The event store: one port, several adapters, one contract.
//!
//! An adapter stores what [`cim_core::append::judge`] tells it to, in one atomic step, and reads
//! it back. [`contract`] holds the tests that each adapter passes.

pub mod contract;
mod query;
pub(crate) mod retry;
pub(crate) mod verify;

use std::error::Error;
use std::fmt;

use cim_core::append::{Append, AppendError, Appended, RetryToken};
use cim_core::chain::Verified;
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, EventId};
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::time::Timestamp;
use cim_core::version::{Head, Position};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use uuid::Uuid;

pub use query::{Check, Direction, Query};

/// Where events are stored and read.
///
/// All methods may be called at the same time from any number of tasks. Streams read ahead a
/// bounded number of pages and stop when they are dropped.
#[doc(alias("JetStreamEventStore", "read_events", "append_events"))]
pub trait EventStore: fmt::Debug + Send + Sync {
    /// What the store is.
    fn info(&self) -> &StoreInfo;

    /// Stores the events of several aggregates, each at most once in it, in one atomic step.
    ///
    /// The answers stand in the order of `appends`; they are all `Committed` or all
    /// `AlreadyCommitted`.
    ///
    /// # Errors
    ///
    /// [`AppendError`]: nothing is stored, or, for [`AppendError::Unknown`], it is not known.
    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>>;

    /// Stores the events of one aggregate, all or none.
    ///
    /// # Errors
    ///
    /// As [`append_many`](Self::append_many).
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let mut answers = self.append_many(vec![append]).await?;
            Ok(answers.pop().expect("one answer for one append"))
        })
    }

    /// Appends what an [`AppendError::Unknown`] carries, which tells how it ended.
    ///
    /// # Errors
    ///
    /// As [`append_many`](Self::append_many).
    fn append_again(&self, token: RetryToken) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        self.append_many(token.into_appends())
    }

    /// The head of a history, in O(1); `None` where there is no event.
    #[doc(alias = "get_version")]
    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>>;

    /// The last position; `None` in an empty store.
    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>>;

    /// The events that a query selects, in the order that it asks for.
    ///
    /// With [`Check::Verify`] the stream ends with [`StoreError::Invalid`] at the first event that
    /// is not what its CID says or that does not link.
    #[doc(alias(
        "read_by_correlation",
        "get_events_by_type",
        "read_events_by_time_range"
    ))]
    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>>;

    /// The events behind a position (`None`: from the start), then each new one as it is stored,
    /// also by other processes; without gap or repeat, in store order. Every event is checked
    /// against its CID. It ends only with an error or when it is dropped.
    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>>;

    /// The aggregates with their last event, in the order of their keys.
    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>>;

    /// Counts and sizes. May take time linear in the number of events.
    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>>;

    /// Waits until all that was given to the store is done, and closes it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when the store cannot be closed cleanly; acknowledged events are safe.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What a store is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreInfo {
    /// The store's own id, which checkpoints, exports and caches carry.
    pub store_id: Uuid,
    /// How subjects are built; it never changes.
    pub template: StoreTemplate,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its URL, without secrets.
    pub url: String,
}

/// An event as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadEvent {
    /// Its place in the store's order.
    pub position: Position,
    /// The event.
    pub event: RecordedEvent,
    /// What was checked; `None` when nothing was asked for.
    pub verified: Option<Verified>,
}

/// What a subscription delivers.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every delivery is an event"
)]
pub enum Delivery {
    /// An event.
    Event(ReadEvent),
    /// An event that is altered or unreadable, for the receiver to handle by its policy.
    Invalid(InvalidEvent),
    /// All that was there has been delivered; what follows is new. Delivered once.
    CaughtUp,
}

/// A stored event that is not what it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidEvent {
    /// Its position.
    pub position: Position,
    /// Its aggregate, where it can be told.
    pub aggregate: Option<AggregateKey>,
    /// Its id, where it can be told.
    pub event: Option<EventId>,
    /// The stable code of the fault: `wrong-cid`, `broken-link`, `gap` …
    pub code: &'static str,
    /// What is wrong, as a sentence.
    pub why: String,
}

/// Which aggregates to list.
#[derive(Clone, Debug, Default)]
pub struct AggregateSelect {
    /// Only those of this namespace.
    pub namespace: Option<cim_core::id::Namespace>,
    /// Only those of this entity.
    pub entity: Option<cim_core::id::Entity>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// An aggregate with its last event's place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AggregateEntry {
    /// Which.
    pub aggregate: AggregateKey,
    /// Its head.
    pub head: Head,
    /// When its last event happened.
    pub last_time: Timestamp,
    /// Where its last event stands.
    pub last_position: Position,
}

/// Counts and sizes of a store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StoreStats {
    /// Events.
    pub events: u64,
    /// Aggregates.
    pub aggregates: u64,
    /// Events by type, most frequent first, at most 1000 types.
    pub types: Vec<(String, u64)>,
    /// The first and the last time of an event.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The last position.
    pub last_position: Option<Position>,
    /// Bytes that the store takes on disk, where that is known.
    pub bytes: Option<u64>,
}

/// Why a store could not answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store at this URL. Make one with `cim init`.
    NotFound {
        /// The URL.
        url: String,
    },
    /// What is there is no store of ours.
    Foreign {
        /// The URL.
        url: String,
        /// What was found.
        why: String,
    },
    /// The store was made by a later version of this program.
    Newer {
        /// The URL.
        url: String,
        /// The version of its schema.
        found: i32,
        /// The latest version that this program knows.
        known: i32,
    },
    /// The store is another one than the caller expects: its template or id differs.
    Mismatch {
        /// What differs, with both values.
        why: String,
    },
    /// The server is too old to be relied on: histories could fork in it.
    ServerTooOld {
        /// What it calls itself.
        name: String,
        /// Its version.
        version: String,
        /// Which versions are good.
        needed: &'static str,
    },
    /// An event is altered, or does not link.
    Invalid(InvalidEvent),
    /// The disk, the network or the database failed.
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server does not answer.
    Unreachable {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The user may not do this with the store: its file, its folder or its subjects.
    NotAllowed {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store was closed.
    Closed,
}

impl StoreError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "store-not-found",
            Self::Foreign { .. } => "store-foreign",
            Self::Newer { .. } => "store-newer",
            Self::Mismatch { .. } => "store-mismatch",
            Self::ServerTooOld { .. } => "server-too-old",
            Self::Invalid(invalid) => invalid.code,
            Self::Io { .. } => "store-io",
            Self::Unreachable { .. } => "store-unreachable",
            Self::NotAllowed { .. } => "store-not-allowed",
            Self::Closed => "store-closed",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { url } => write!(f, "there is no store at `{url}`"),
            Self::Foreign { url, why } => write!(f, "`{url}` is not a store of ours: {why}"),
            Self::Newer { url, found, known } => write!(
                f,
                "`{url}` was made by a later version: expected a schema of at most version \
                 {known}, found {found}"
            ),
            Self::Mismatch { why } => write!(f, "the store is another one than expected: {why}"),
            Self::ServerTooOld {
                name,
                version,
                needed,
            } => write!(
                f,
                "nats-server {version} on `{name}` is too old for a store: expected {needed}"
            ),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Io { doing, .. } => write!(f, "the store failed while {doing}"),
            Self::Unreachable { doing, .. } => write!(f, "the store does not answer while {doing}"),
            Self::NotAllowed { doing, .. } => write!(f, "not allowed while {doing}"),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the event at position {} is invalid: {}",
            self.position, self.why
        )
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. }
            | Self::Unreachable { source, .. }
            | Self::NotAllowed { source, .. } => Some(source.as_ref()),
            Self::NotFound { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Mismatch { .. }
            | Self::ServerTooOld { .. }
            | Self::Invalid(_)
            | Self::Closed => None,
        }
    }
}
