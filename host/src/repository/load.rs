//! Loading an aggregate: as it is now, or as it was.

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cim_core::id::{AggregateId, AggregateKey};
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};

use super::cache::{Cache, Known};
use super::fold::{Begun, Folded, Until};
use super::snapshots::{LastSnapshot, Opened, SnapshotReport};
use super::{Persistent, Repository, RepositoryError};
use crate::clock;

/// An aggregate's state, and where it comes from.
pub struct Loaded<A: Persistent> {
    /// Which aggregate it is.
    pub aggregate: AggregateKey,
    /// Its state; the initial one where there is no event.
    pub state: Arc<A::State>,
    /// The last event that the state has in it; `None` where there is none.
    pub head: Option<Head>,
    /// What the load began with.
    pub from: LoadedFrom,
    /// How many events were read, verified and folded.
    pub events_folded: u64,
    /// How long it took.
    pub took: Duration,
    /// The snapshots that were not used, and why.
    pub reports: Vec<SnapshotReport>,
    /// What is known of the snapshot that there is.
    pub(super) snapshot: LastSnapshot,
}

/// What a load began with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoadedFrom {
    /// The first event: the state is verified with the whole history.
    Genesis,
    /// A state in the cache, of this version: verified when it was put there, by this repository.
    Cache(Version),
    /// A snapshot of this version: verified when it was taken, by who has its key.
    Snapshot(Version),
}

/// A moment in a history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// When it had so many events.
    Version(Version),
    /// Before the first event that is later. By their own times events may stand in disorder, as after a
    /// clock went back; so this is a state that once was, and no later event is passed over.
    Time(Timestamp),
}

impl<A: Persistent> Repository<A> {
    /// The state of an aggregate, verified from its first event on.
    ///
    /// The state is kept, up to the number that the options say. For a state that is kept, the store is
    /// asked for the history's head, and only what came since is read, verified and folded. Where the head
    /// does not fit what is kept, the history is read from its start again.
    ///
    /// Events that an earlier program wrote are upcast. Much memory is never needed: a history is read in
    /// pages, and folded as it comes.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], [`RepositoryError::Broken`] and [`RepositoryError::Unreadable`].
    #[doc(alias("replay_aggregate", "load_with_snapshot"))]
    pub async fn load(&self, id: &AggregateId) -> Result<Loaded<A>, RepositoryError> {
        let known = self.cache().get(id);
        self.load_from(id, known).await
    }

    /// The state that an aggregate had at a version or a time.
    ///
    /// For a time the history is read from its start: neither a state that is kept nor a snapshot tells
    /// whether all its events happened before.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`RepositoryError::NoSuchVersion`].
    pub async fn load_at(&self, id: &AggregateId, at: At) -> Result<Loaded<A>, RepositoryError> {
        let mut load = Load::begin(self, id);
        let until = match at {
            At::Time(time) => Until::Time(time),
            At::Version(version) => Until::Version(version),
        };
        let known = match at {
            At::Time(_) => None,
            At::Version(version) => load.begin_known(until, version).await?,
        };
        let folded = match known {
            Some(folded) => folded,
            None => load.genesis(until).await?,
        };
        let found = folded.head.map(|head| head.version);
        match at {
            At::Version(expected) if found != Some(expected) => {
                let aggregate = load.key;
                Err(RepositoryError::NoSuchVersion {
                    aggregate,
                    expected,
                    found,
                })
            }
            At::Version(_) | At::Time(_) => Ok(load.end(folded)),
        }
    }

    /// Loads the present state, beginning with what is known of it, and keeps it.
    pub(super) async fn load_from(
        &self,
        id: &AggregateId,
        known: Option<Known<A::State>>,
    ) -> Result<Loaded<A>, RepositoryError> {
        let mut load = Load::begin(self, id);
        let mut folded = None;
        if let Some(known) = known {
            folded = load.go_on(known).await?;
        }
        if folded.is_none() {
            folded = load.begin_snapshot(Until::End, None).await?;
        }
        let folded = match folded {
            Some(folded) => folded,
            None => load.genesis(Until::End).await?,
        };
        let mut loaded = load.end(folded);
        if let Some(mut known) = loaded.known() {
            self.take_if_due(&loaded.aggregate, &mut known, loaded.took);
            loaded.snapshot = known.snapshot;
            self.cache().put(id, known);
        }
        Ok(loaded)
    }

    /// Begins to take a snapshot of a state that is known now, if the policy says so.
    pub(super) fn take_if_due(
        &self,
        key: &AggregateKey,
        known: &mut Known<A::State>,
        load_time: Duration,
    ) {
        let Some(snapshots) = &self.snapshots else {
            return;
        };
        let Known {
            state,
            head,
            snapshot,
        } = known;
        if snapshots.is_due(*head, *snapshot, load_time)
            && let Some(taken) = snapshots.take(key, state, *head, *snapshot)
        {
            *snapshot = taken;
        }
    }

    /// The cache. No code of a domain runs while it is held.
    pub(super) fn cache(&self) -> MutexGuard<'_, Cache<A::State>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load under way.
struct Load<'a, A: Persistent> {
    repository: &'a Repository<A>,
    key: AggregateKey,
    began: Instant,
    from: LoadedFrom,
    reports: Vec<SnapshotReport>,
    snapshot: LastSnapshot,
}

impl<'a, A: Persistent> Load<'a, A> {
    fn begin(repository: &'a Repository<A>, id: &AggregateId) -> Self {
        repository.counters.loads.count();
        Self {
            key: repository.key(id),
            repository,
            began: clock::moment(),
            from: LoadedFrom::Genesis,
            reports: Vec::new(),
            snapshot: LastSnapshot::default(),
        }
    }

    fn end(self, folded: Folded<A::State>) -> Loaded<A> {
        Loaded {
            aggregate: self.key,
            state: folded.state,
            head: folded.head,
            from: self.from,
            events_folded: folded.events,
            took: self.began.elapsed(),
            reports: self.reports,
            snapshot: self.snapshot,
        }
    }

    async fn genesis(&mut self, until: Until) -> Result<Folded<A::State>, RepositoryError> {
        self.from = LoadedFrom::Genesis;
        self.repository.fold_all(&self.key, until).await
    }

    /// Folds what follows a state that is kept or a snapshot, of a version of at most `most`.
    async fn begin_known(
        &mut self,
        until: Until,
        most: Version,
    ) -> Result<Option<Folded<A::State>>, RepositoryError> {
        let known = self.repository.cache().get(&self.key.id);
        let Some(known) = known.filter(|known| known.head.version <= most) else {
            return self.begin_snapshot(until, Some(most)).await;
        };
        let version = known.head.version;
        match self.repository.fold_from(&self.key, known, until).await? {
            Begun::Folded(folded) => {
                self.from = LoadedFrom::Cache(version);
                self.repository.counters.cache_hits.count();
                Ok(Some(folded))
            }
            Begun::Elsewhere(_) => {
                self.repository.cache().remove(&self.key.id);
                self.begin_snapshot(until, Some(most)).await
            }
        }
    }

    /// Folds what follows the snapshot, if there is one that fits, of a version of at most `most`.
    async fn begin_snapshot(
        &mut self,
        until: Until,
        most: Option<Version>,
    ) -> Result<Option<Folded<A::State>>, RepositoryError> {
        let Some(snapshots) = &self.repository.snapshots else {
            return Ok(None);
        };
        let Opened { snapshot, state } = match snapshots.open(&self.key).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            Err(report) => {
                self.reports.push(report);
                self.snapshot = LastSnapshot::MISFIT;
                return Ok(None);
            }
        };
        let version = snapshot.head.version;
        if most.is_some_and(|most| version > most) {
            return Ok(None);
        }
        let known = Known {
            state: Arc::new(state),
            head: snapshot.head,
            snapshot: LastSnapshot {
                fits: Some((version, snapshot.taken_at)),
                is_in_the_way: false,
            },
        };
        let last = known.snapshot;
        match self.repository.fold_from(&self.key, known, until).await? {
            Begun::Folded(folded) => {
                (self.from, self.snapshot) = (LoadedFrom::Snapshot(version), last);
                self.repository.counters.snapshots_used.count();
                Ok(Some(folded))
            }
            Begun::Elsewhere(found) => {
                self.reports
                    .push(snapshots.elsewhere(&snapshot, found.as_ref()));
                self.snapshot = LastSnapshot::MISFIT;
                Ok(None)
            }
        }
    }

    /// Brings a known state up to date; `None` when the history does not go on from it.
    async fn go_on(
        &mut self,
        known: Known<A::State>,
    ) -> Result<Option<Folded<A::State>>, RepositoryError> {
        let (version, snapshot) = (known.head.version, known.snapshot);
        let folded = self.repository.bring_up_to_date(&self.key, known).await?;
        if folded.is_some() {
            (self.from, self.snapshot) = (LoadedFrom::Cache(version), snapshot);
            self.repository.counters.cache_hits.count();
        } else {
            // The history is not what it was: a copy was put in its place, or it was cut.
            self.repository.cache().remove(&self.key.id);
        }
        Ok(folded)
    }
}

impl<A: Persistent> Loaded<A> {
    /// The version of the last event; `None` where there is none.
    pub fn version(&self) -> Option<Version> {
        self.head.map(|head| head.version)
    }

    /// What is known when it is loaded again.
    pub(super) fn known(&self) -> Option<Known<A::State>> {
        self.head.map(|head| Known {
            state: Arc::clone(&self.state),
            head,
            snapshot: self.snapshot,
        })
    }
}

impl<A: Persistent> fmt::Debug for Loaded<A> {
    /// Everything but the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("aggregate", &self.aggregate)
            .field("head", &self.head)
            .field("from", &self.from)
            .field("events_folded", &self.events_folded)
            .field("took", &self.took)
            .field("reports", &self.reports)
            .finish_non_exhaustive()
    }
}
