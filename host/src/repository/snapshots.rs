//! Snapshots of the states of a repository: when they are taken, and which of them are used.
//!
//! They save time. That the state in one is what its events lead to is trusted to who has the key; all else
//! is checked. One that does not fit is reported, and the history is folded without it; one that cannot be
//! taken is reported too, and taken later.

mod sealer;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::id::{AggregateId, AggregateKey};
use cim_core::snapshot::Snapshot;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use uuid::Uuid;

pub(super) use self::sealer::Opened;

use self::sealer::{Kept, Misfit, Sealer};
use super::stats::Counters;
use crate::clock;
use crate::config::EventStoreConfig;
use crate::snapshot::{SnapshotKey, SnapshotStore};

/// When a snapshot of an aggregate is taken: after a load or a command, as soon as one of these says so
/// and there are events behind the last snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotPolicy {
    /// With so many events behind the last one, or behind the start; 100 by default, the
    /// `snapshot_threshold` of `cim.toml`.
    pub every_events: Option<u64>,
    /// When the last one is so old, or there is none; not by default. For aggregates that get few
    /// events, each of which takes long to fold.
    pub max_age: Option<Duration>,
    /// When a load that did not begin in the cache took so long; not by default. For histories whose length
    /// does not tell.
    pub load_time: Option<Duration>,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self {
            every_events: Some(100),
            max_age: None,
            load_time: None,
        }
    }
}

impl From<&EventStoreConfig> for SnapshotPolicy {
    /// After as many events as `cim.toml` says.
    fn from(config: &EventStoreConfig) -> Self {
        Self {
            every_events: Some(config.snapshot_threshold),
            ..Self::default()
        }
    }
}

/// A snapshot that was not used, or not taken. It costs time and nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotReport {
    /// Whose snapshot it is.
    pub aggregate: AggregateKey,
    /// When that was found.
    pub at: Timestamp,
    /// The stable code of the fault: that of a
    /// [`SnapshotError`](cim_core::snapshot::SnapshotError) or a
    /// [`SnapshotStoreError`](crate::snapshot::SnapshotStoreError), or `snapshot-state-invalid`.
    pub code: &'static str,
    /// What is wrong, as a sentence.
    pub why: String,
}

impl fmt::Display for SnapshotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the snapshot of `{}`: {}", self.aggregate, self.why)
    }
}

/// The most reports that are kept; the newest ones.
pub const MAX_REPORTS: usize = 64;

/// The most snapshots that are taken at the same time. Each holds a state in memory twice. What is not
/// taken now is taken after one of the next commands.
const AT_ONCE: usize = 8;

/// From so many bytes on, a snapshot is opened on a thread where that delays nobody.
const LARGE: usize = 256 << 10;

/// What is known of the last snapshot of an aggregate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct LastSnapshot {
    /// Its version, and when it was taken; of none, or one that does not fit, nothing.
    pub(super) fits: Option<(Version, Timestamp)>,
    /// Whether one is kept that does not fit, which keeps others out until it is deleted.
    pub(super) is_in_the_way: bool,
    /// Whether one of a later program is kept, which is left alone. Its format is told before its seal is
    /// checked: who may write there can keep others out by it, as by deleting them, at the cost of time.
    pub(super) is_newer: bool,
}

impl LastSnapshot {
    /// One that is not used.
    pub(super) const MISFIT: Self = Self {
        fits: None,
        is_in_the_way: true,
        is_newer: false,
    };
}

/// Where snapshots are, and when they are taken.
#[derive(Debug)]
pub(super) struct Snapshots<S> {
    store: Arc<dyn SnapshotStore>,
    sealer: Arc<Sealer<S>>,
    policy: SnapshotPolicy,
    running: Arc<Running>,
    reports: Mutex<VecDeque<SnapshotReport>>,
    counters: Arc<Counters>,
}

impl<S: Send + Sync + 'static> Snapshots<S> {
    /// Snapshots of states of a version, of histories in the store with this id.
    pub(super) fn new(
        store: Arc<dyn SnapshotStore>,
        key: SnapshotKey,
        policy: SnapshotPolicy,
        (store_id, state_version): (Uuid, u64),
        counters: Arc<Counters>,
    ) -> Self
    where
        S: DeserializeOwned + PartialEq + Serialize,
    {
        Self {
            store,
            sealer: Arc::new(Sealer::new(key, store_id, state_version)),
            policy,
            running: Arc::default(),
            reports: Mutex::default(),
            counters,
        }
    }

    /// The snapshot of an aggregate, if one is kept that fits as far as it tells itself. Of one that is not
    /// used, what follows for those that are taken.
    pub(super) async fn open(
        &self,
        key: &AggregateKey,
    ) -> Result<Option<Opened<S>>, (SnapshotReport, LastSnapshot)> {
        self.open_kept(key).await.map_err(|misfit| {
            match misfit {
                Misfit::Store(_) => self.counters.snapshots_failed.count(),
                Misfit::Snapshot(_)
                | Misfit::State(_)
                | Misfit::AnotherState
                | Misfit::Interrupted => self.counters.snapshots_refused.count(),
            }
            let last = match self.sealer.kept(&misfit) {
                Kept::Misfit => LastSnapshot::MISFIT,
                Kept::Newer => LastSnapshot {
                    is_newer: true,
                    ..LastSnapshot::default()
                },
                Kept::NotKnown => LastSnapshot::default(),
            };
            let report = self.report(key, misfit.code(), misfit.to_string());
            (report, last)
        })
    }

    async fn open_kept(&self, key: &AggregateKey) -> Result<Option<Opened<S>>, Misfit> {
        let Some(sealed) = self.store.load(key).await.map_err(Misfit::Store)? else {
            return Ok(None);
        };
        let opened = if sealed.len() < LARGE {
            self.sealer.open(&sealed, key)
        } else {
            let (sealer, key) = (Arc::clone(&self.sealer), key.clone());
            on_a_thread(move || sealer.open(&sealed, &key)).await
        };
        opened.map(Some)
    }

    /// Says of a snapshot that the history has another event in its place.
    pub(super) fn elsewhere(
        &self,
        snapshot: &Snapshot,
        found: Option<&Cid>,
    ) -> Option<SnapshotReport> {
        let error = snapshot.check_history(found).err()?;
        self.counters.snapshots_refused.count();
        Some(self.report(&snapshot.aggregate, error.code(), error.to_string()))
    }

    /// The newest reports, the oldest of them first.
    pub(super) fn reports(&self) -> Vec<SnapshotReport> {
        self.lock_reports().iter().cloned().collect()
    }

    /// Whether a snapshot is to be taken of a state.
    pub(super) fn is_due(&self, head: Head, last: LastSnapshot, load_time: Duration) -> bool {
        let SnapshotPolicy {
            every_events,
            max_age,
            load_time: longest,
        } = self.policy;
        let behind = last.fits.map_or(0, |(version, _)| version.get());
        let behind = head.version.get().saturating_sub(behind);
        let age = |taken_at: Timestamp| {
            Duration::from_micros(clock::now().micros().saturating_sub(taken_at.micros()))
        };
        behind > 0
            && !last.is_newer
            && (every_events.is_some_and(|events| behind >= events)
                || max_age.is_some_and(|oldest| last.fits.is_none_or(|(_, at)| age(at) >= oldest))
                || longest.is_some_and(|longest| load_time >= longest))
    }

    /// Begins to take a snapshot, unless one of the aggregate is being taken, or too many are. Nobody waits
    /// for it.
    pub(super) fn take(
        self: &Arc<Self>,
        key: &AggregateKey,
        state: &Arc<S>,
        head: Head,
        last: LastSnapshot,
    ) -> Option<LastSnapshot> {
        let running = self.running.begin(&key.id)?;
        let (taker, key, state) = (Arc::clone(self), key.clone(), Arc::clone(state));
        let taken_at = clock::now();
        tokio::spawn(async move {
            let _running = running;
            taker.save(key, state, head, taken_at, last).await;
        });
        // Also if it fails: it is not tried again at once. What is in the way then is found by the next look.
        Some(LastSnapshot {
            fits: Some((head.version, taken_at)),
            ..LastSnapshot::default()
        })
    }

    async fn save(
        &self,
        key: AggregateKey,
        state: Arc<S>,
        head: Head,
        taken_at: Timestamp,
        last: LastSnapshot,
    ) {
        let (sealer, aggregate) = (Arc::clone(&self.sealer), key.clone());
        let sealing = on_a_thread(move || sealer.seal(aggregate, head, taken_at, &state));
        let saved = match sealing.await {
            Ok(sealed) => self.replace(&key, head.version, sealed, last).await,
            Err(misfit) => Err(misfit),
        };
        match saved {
            Ok(()) => self.counters.snapshots_taken.count(),
            Err(misfit) => {
                self.counters.snapshots_failed.count();
                self.report(&key, misfit.code(), misfit.to_string());
            }
        }
    }

    async fn replace(
        &self,
        key: &AggregateKey,
        version: Version,
        sealed: Bytes,
        last: LastSnapshot,
    ) -> Result<(), Misfit> {
        // What was loaded with the state may be long ago, and a later program may have come since.
        let is_in_the_way = match self.open_kept(key).await {
            Ok(_) => last.is_in_the_way,
            Err(misfit) => match self.sealer.kept(&misfit) {
                Kept::Misfit => true,
                Kept::Newer | Kept::NotKnown => return Err(misfit),
            },
        };
        if is_in_the_way {
            self.store.delete(key).await.map_err(Misfit::Store)?;
        }
        self.store
            .save(key, version, sealed)
            .await
            .map_err(Misfit::Store)
    }

    /// Waits for the snapshots that are being taken now.
    pub(super) async fn settle(&self) {
        self.running.settle().await;
    }

    fn report(&self, aggregate: &AggregateKey, code: &'static str, why: String) -> SnapshotReport {
        let report = SnapshotReport {
            aggregate: aggregate.clone(),
            at: clock::now(),
            code,
            why,
        };
        let mut reports = self.lock_reports();
        if reports.len() == MAX_REPORTS {
            reports.pop_front();
        }
        reports.push_back(report.clone());
        report
    }

    /// The reports. Nothing panics while they are held.
    fn lock_reports(&self) -> MutexGuard<'_, VecDeque<SnapshotReport>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what takes a while where it delays nobody.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Misfit> + Send + 'static,
) -> Result<T, Misfit> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(Misfit::Interrupted))
}

/// The aggregates whose snapshot is being taken.
#[derive(Debug, Default)]
struct Running {
    begun: Mutex<Begun>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Begun {
    /// Each with the number under which it was begun.
    ids: HashMap<AggregateId, u64>,
    /// How many were begun so far.
    count: u64,
}

/// That a snapshot is being taken, until it is dropped.
#[derive(Debug)]
struct RunningOne {
    running: Arc<Running>,
    id: AggregateId,
}

impl Running {
    fn begin(self: &Arc<Self>, id: &AggregateId) -> Option<RunningOne> {
        let mut begun = self.lock();
        if begun.ids.len() >= AT_ONCE || begun.ids.contains_key(id) {
            return None;
        }
        begun.count += 1;
        let number = begun.count;
        begun.ids.insert(id.clone(), number);
        drop(begun);
        Some(RunningOne {
            running: Arc::clone(self),
            id: id.clone(),
        })
    }

    async fn settle(&self) {
        let last = self.lock().count;
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // From now on no end is missed.
            ended.as_mut().enable();
            if self.lock().ids.values().all(|number| *number > last) {
                return;
            }
            ended.await;
        }
    }

    /// The ids. Nothing panics while they are held.
    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningOne {
    fn drop(&mut self) {
        self.running.lock().ids.remove(&self.id);
        self.running.ended.notify_waiters();
    }
}
