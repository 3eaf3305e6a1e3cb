//! Aggregates as a service works with them: loaded, asked, and stored again.
//!
//! A [`Repository`] knows one kind of aggregate in one namespace of a store. It folds verified histories
//! into states, decides commands on them, appends what was decided, and decides anew where another writer
//! was faster. What it keeps in memory saves time: a history that does not go on from it wins, but what was
//! verified once is not read again for each load.

mod cache;
mod error;
mod execute;
mod fold;
mod load;
mod options;
mod queue;
mod replay;
mod save;
mod snapshots;
mod stats;
mod subscribe;

use std::fmt;
use std::sync::{Arc, Mutex};

use cim_core::aggregate::Aggregate;
use cim_core::id::{AggregateId, AggregateKey, Entity, Namespace};
use cim_core::payload::{self, DomainEvent};
use cim_core::upcast::Upcasters;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::error::{ExecuteError, RepositoryError, SaveError};
pub use self::execute::{Executed, Outcome};
pub use self::load::{At, Loaded, LoadedFrom};
pub use self::options::{CACHE_CAPACITY, RepositoryOptions};
pub use self::replay::{MAX_FAILED, ReplayFailure, ReplayStats, Replayed};
pub use self::snapshots::{MAX_REPORTS, SnapshotPolicy, SnapshotReport};
pub use self::stats::RepositoryStats;
pub use self::subscribe::Delivered;

use self::cache::Cache;
use self::queue::Queue;
use self::snapshots::Snapshots;
use self::stats::Counters;
use crate::snapshot::{SnapshotKey, SnapshotStore};
use crate::store::EventStore;

/// What an aggregate must be for a repository to keep it. It is implemented for all that are.
///
/// That is: its state is `Clone`, its events derive [`DomainEvent`], and both may go to other threads.
/// [`execute`](Repository::execute) asks for `Clone` of commands too, since it may decide twice, and
/// [`with_snapshots`](Repository::with_snapshots) for `Serialize` and `Deserialize` of the state.
pub trait Persistent:
    Aggregate<State: Clone + Send + Sync + 'static, Event: DomainEvent + Send + Sync + 'static>
    + 'static
{
}

impl<A> Persistent for A where
    A: Aggregate<State: Clone + Send + Sync + 'static, Event: DomainEvent + Send + Sync + 'static>
        + 'static
{
}

/// The aggregates of one kind, in one namespace of a store.
///
/// Its clones share everything: the cache, the queues and the counts. All methods may be called at the
/// same time from any number of tasks, within a runtime of tokio.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use cim_core::aggregate::Aggregate;
/// use cim_core::id::{AggregateId, Namespace};
/// use cim_core::payload::DomainEvent;
/// use cim_host::memory::MemoryStore;
/// use cim_host::repository::{At, ExecuteError, Repository};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, DomainEvent)]
/// #[event(entity = "lamp")]
/// enum LampEvent { LampLit { watts: u32 }, LampPutOut {} }
///
/// #[derive(Clone)]
/// enum Ask { Light { watts: u32 }, PutOut }
///
/// #[derive(Debug)]
/// struct IsDark;
///
/// impl std::fmt::Display for IsDark {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         f.write_str("it is dark already")
///     }
/// }
///
/// // So that `?` works on what a repository answers.
/// impl std::error::Error for IsDark {}
///
/// struct Lamp;
///
/// impl Aggregate for Lamp {
///     type State = Option<u32>;
///     type Event = LampEvent;
///     type Command = Ask;
///     type Error = IsDark;
///
///     fn initial_state() -> Option<u32> {
///         None
///     }
///
///     fn evolve(_: Option<u32>, event: &LampEvent) -> Option<u32> {
///         match event {
///             LampEvent::LampLit { watts } => Some(*watts),
///             LampEvent::LampPutOut {} => None,
///         }
///     }
///
///     fn decide(state: &Option<u32>, ask: Ask) -> Result<Vec<LampEvent>, IsDark> {
///         match (state, ask) {
///             (_, Ask::Light { watts }) => Ok(vec![LampEvent::LampLit { watts }]),
///             (Some(_), Ask::PutOut) => Ok(vec![LampEvent::LampPutOut {}]),
///             (None, Ask::PutOut) => Err(IsDark),
///         }
///     }
/// }
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let store = Arc::new(MemoryStore::default());
/// let lamps = Repository::<Lamp>::new(store, Namespace::default());
/// let hall = AggregateId::new("hall")?;
///
/// let lit = lamps.execute(&hall, Ask::Light { watts: 40 }).await?;
/// assert_eq!((*lit.state, lit.events.len()), (Some(40), 1));
/// let dark = lamps.execute(&hall, Ask::PutOut).await?;
/// assert_eq!(*dark.state, None);
/// let refused = lamps.execute(&hall, Ask::PutOut).await;
/// assert!(matches!(refused, Err(ExecuteError::Refused(IsDark))));
///
/// let version = lit.head.expect("an event").version;
/// assert_eq!(*lamps.load_at(&hall, At::Version(version)).await?.state, Some(40));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "AggregateRepository")]
pub struct Repository<A: Persistent> {
    store: Arc<dyn EventStore>,
    namespace: Namespace,
    entity: Entity,
    upcasters: Arc<Upcasters>,
    options: RepositoryOptions,
    cache: Arc<Mutex<Cache<A::State>>>,
    queue: Queue,
    snapshots: Option<Arc<Snapshots<A::State>>>,
    counters: Arc<Counters>,
}

impl<A: Persistent> Repository<A> {
    /// The aggregates of this kind in `namespace` of `store`, with the default options.
    pub fn new(store: Arc<dyn EventStore>, namespace: Namespace) -> Self {
        let options = RepositoryOptions::default();
        Self {
            store,
            namespace,
            entity: payload::entity::<A::Event>(),
            upcasters: Arc::new(A::upcasters()),
            cache: Arc::new(Mutex::new(Cache::new(options.cache_capacity))),
            options,
            queue: Queue::default(),
            snapshots: None,
            counters: Arc::default(),
        }
    }

    /// The same with these options, and an empty cache.
    #[must_use]
    pub fn with_options(self, options: RepositoryOptions) -> Self {
        Self {
            cache: Arc::new(Mutex::new(Cache::new(options.cache_capacity))),
            options,
            ..self
        }
    }

    /// The same with snapshots, which are kept in `snapshots` under the seal of `key` and taken as
    /// `policy` says.
    ///
    /// A snapshot is used when its seal, its store, its aggregate and the
    /// [`STATE_VERSION`](Aggregate::STATE_VERSION) are right and the history has its event. Then what it
    /// says of the events up to there is trusted as far as its key is; what follows is verified. Whatever
    /// does not fit is ignored and reported, so that deleting all snapshots changes nothing but time. One
    /// that never fits gives way to the next one that is taken; one of a later state version or format is
    /// left to the program that took it, and none is taken meanwhile.
    ///
    /// A state must be the same when it is read as it is written: that is compared for each snapshot, and
    /// one of another state is not kept but reported. That the same `STATE_VERSION` still means the same
    /// fold of the events is for the domain to see to.
    ///
    /// A snapshot is taken in the background, from a state that is there anyway, by a task that nobody
    /// waits for but [`settle`](Self::settle).
    #[must_use]
    pub fn with_snapshots(
        self,
        snapshots: Arc<dyn SnapshotStore>,
        key: SnapshotKey,
        policy: SnapshotPolicy,
    ) -> Self
    where
        A::State: DeserializeOwned + PartialEq + Serialize,
    {
        let of = (self.store.info().store_id, A::STATE_VERSION);
        let counters = Arc::clone(&self.counters);
        let snapshots = Snapshots::new(snapshots, key, policy, of, counters);
        Self {
            snapshots: Some(Arc::new(snapshots)),
            ..self
        }
    }

    /// The last snapshots that were not used or could not be taken, at most [`MAX_REPORTS`], the newest
    /// one last.
    pub fn snapshot_reports(&self) -> Vec<SnapshotReport> {
        self.snapshots
            .as_ref()
            .map_or_else(Vec::new, |snapshots| snapshots.reports())
    }

    /// Waits for the snapshots that are being taken at the call, for who ends the program or wants to see
    /// them. Of one that a program does not wait for, nothing is lost but the time that it would have saved.
    #[doc(alias = "close")]
    pub async fn settle(&self) {
        if let Some(snapshots) = &self.snapshots {
            snapshots.settle().await;
        }
    }

    /// The store that it reads and writes.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// The namespace of the aggregates.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The entity of the aggregates.
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// The full key of one of them.
    pub fn key(&self, id: &AggregateId) -> AggregateKey {
        AggregateKey::new(self.namespace.clone(), self.entity.clone(), id.clone())
    }

    /// What was done so far, by all clones.
    pub fn stats(&self) -> RepositoryStats {
        self.counters.read()
    }
}

impl<A: Persistent> Clone for Repository<A> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            namespace: self.namespace.clone(),
            entity: self.entity.clone(),
            upcasters: Arc::clone(&self.upcasters),
            options: self.options.clone(),
            cache: Arc::clone(&self.cache),
            queue: self.queue.clone(),
            snapshots: self.snapshots.clone(),
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<A: Persistent> fmt::Debug for Repository<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository")
            .field("store", &self.store.info().store_id)
            .field("namespace", &self.namespace)
            .field("entity", &self.entity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
