//! Loading an aggregate: as it is now, or as it was.

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use cim_core::id::{AggregateId, AggregateKey};
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};

use super::cache::{Cache, Known};
use super::fold::{Begun, Folded, Until};
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
}

/// What a load began with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoadedFrom {
    /// The first event: the state is verified with the whole history.
    Genesis,
    /// A state in the cache, of this version: verified when it was put there, by this repository.
    Cache(Version),
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
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`RepositoryError::NoSuchVersion`].
    pub async fn load_at(&self, id: &AggregateId, at: At) -> Result<Loaded<A>, RepositoryError> {
        let (began, key) = (clock::moment(), self.key(id));
        self.counters.loads.count();
        let (folded, from) = match at {
            // A state that is kept does not tell whether an event of it is later.
            At::Time(time) => {
                let folded = self.fold_all(&key, Until::Time(time)).await?;
                (folded, LoadedFrom::Genesis)
            }
            At::Version(version) => self.load_version(&key, version).await?,
        };
        let found = folded.head.map(|head| head.version);
        if let At::Version(expected) = at
            && found != Some(expected)
        {
            return Err(RepositoryError::NoSuchVersion {
                aggregate: key,
                expected,
                found,
            });
        }
        Ok(loaded(key, folded, from, began.elapsed()))
    }

    async fn load_version(
        &self,
        key: &AggregateKey,
        version: Version,
    ) -> Result<(Folded<A::State>, LoadedFrom), RepositoryError> {
        let until = Until::Version(version);
        let known = self.cache().get(&key.id);
        if let Some(known) = known.filter(|known| known.head.version <= version) {
            let from = LoadedFrom::Cache(known.head.version);
            match self.fold_from(key, known, until).await? {
                Begun::Folded(folded) => {
                    self.counters.cache_hits.count();
                    return Ok((folded, from));
                }
                Begun::Elsewhere => self.cache().remove(&key.id),
            }
        }
        let folded = self.fold_all(key, until).await?;
        Ok((folded, LoadedFrom::Genesis))
    }

    /// Loads the present state, beginning with what is known of it, and keeps it.
    pub(super) async fn load_from(
        &self,
        id: &AggregateId,
        known: Option<Known<A::State>>,
    ) -> Result<Loaded<A>, RepositoryError> {
        let (began, key) = (clock::moment(), self.key(id));
        self.counters.loads.count();
        if let Some(known) = known {
            let from = LoadedFrom::Cache(known.head.version);
            match self.go_on(&key, known).await? {
                Some(folded) => {
                    self.counters.cache_hits.count();
                    self.keep(id, &folded);
                    return Ok(loaded(key, folded, from, began.elapsed()));
                }
                // The history is not what it was: a copy was put in its place, or it was cut.
                None => self.cache().remove(id),
            }
        }
        let folded = self.fold_all(&key, Until::End).await?;
        self.keep(id, &folded);
        Ok(loaded(key, folded, LoadedFrom::Genesis, began.elapsed()))
    }

    /// Brings a known state up to date; `None` when the history does not go on from it.
    async fn go_on(
        &self,
        key: &AggregateKey,
        known: Known<A::State>,
    ) -> Result<Option<Folded<A::State>>, RepositoryError> {
        let Some(head) = self.store.head(key).await? else {
            return Ok(None);
        };
        if head == known.head {
            return Ok(Some(Folded {
                state: known.state,
                head: Some(head),
                events: 0,
            }));
        }
        if head.version <= known.head.version {
            return Ok(None);
        }
        match self.fold_behind(key, known, Until::End).await {
            Ok(folded) => Ok(Some(folded)),
            // Either the known state is of another history, or this one is broken. Reading it from its start
            // tells.
            Err(RepositoryError::Broken { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, id: &AggregateId, folded: &Folded<A::State>) {
        if let Some(head) = folded.head {
            let state = Arc::clone(&folded.state);
            self.cache().put(id, Known { state, head });
        }
    }

    /// The cache. No code of a domain runs while it is held.
    pub(super) fn cache(&self) -> MutexGuard<'_, Cache<A::State>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn loaded<A: Persistent>(
    aggregate: AggregateKey,
    folded: Folded<A::State>,
    from: LoadedFrom,
    took: Duration,
) -> Loaded<A> {
    Loaded {
        aggregate,
        state: folded.state,
        head: folded.head,
        from,
        events_folded: folded.events,
        took,
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
            .finish_non_exhaustive()
    }
}
