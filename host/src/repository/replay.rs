//! Folding all aggregates of a repository again, in the order in which their events were stored.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cim_core::chain::verifier::ChainVerifier;
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateId, AggregateKey, EventId};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use futures_util::TryStreamExt as _;

use super::fold::broken;
use super::{Persistent, Repository, RepositoryError};
use crate::clock;
use crate::store::{InvalidEvent, Query, ReadEvent, StoreError};

/// What a replay has done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplayStats {
    /// Events that were verified and folded, and shown where they are late enough.
    pub events: u64,
    /// Events before the time that the replay is from. They are verified and folded, but not shown.
    pub skipped: u64,
    /// Aggregates whose events were folded.
    pub aggregates: u64,
    /// Events that were left out: the first one of an aggregate that does not fit, and all behind it.
    pub left_out: u64,
    /// The aggregates that could not be folded to their end; the first [`MAX_FAILED`] of them.
    pub failed: Vec<ReplayFailure>,
    /// How many there are.
    pub failures: u64,
    /// The position of the last event that was read.
    pub last_position: Option<Position>,
    /// Since the replay began.
    pub elapsed: Duration,
}

/// Why an aggregate was not folded to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplayFailure {
    /// Which aggregate, where that can be told.
    pub aggregate: Option<AggregateKey>,
    /// Where the event stands that does not fit.
    pub position: Position,
    /// Its id, where that can be told.
    pub event: Option<EventId>,
    /// The stable code of the fault.
    pub code: &'static str,
    /// What is wrong, as a sentence.
    pub why: String,
}

/// An event as a replay shows it.
pub struct Replayed<'a, A: Persistent> {
    /// Its place in the store.
    pub position: Position,
    /// The event as it was stored.
    pub recorded: &'a RecordedEvent,
    /// What it says today; nothing, or several events, where an upcaster says so.
    pub events: &'a [A::Event],
    /// The state of its aggregate after it.
    pub state: &'a A::State,
}

/// The most failures that are listed.
pub const MAX_FAILED: usize = 100;

/// After so many events progress is told, at the latest: some times a second.
const PROGRESS_EVENTS: u64 = 10_000;

impl<A: Persistent> Repository<A> {
    /// Reads all aggregates of the repository from their first events on, verifies and folds them, and
    /// says what there is.
    ///
    /// As [`replay_each`](Self::replay_each), without looking at single events.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`] when the store cannot answer.
    #[doc(alias = "replay_all_events")]
    pub async fn replay_all(
        &self,
        from: Option<Timestamp>,
        progress: impl FnMut(&ReplayStats),
    ) -> Result<ReplayStats, RepositoryError> {
        self.replay_each(from, |_| {}, progress).await
    }

    /// Shows every event with the state that it leads to, in the order of the store.
    ///
    /// With `from`, events that happened before are folded too, so that states are right, but not shown.
    /// `progress` is called after each ten thousand events, and at the end.
    ///
    /// An aggregate with an event that is altered, does not link or cannot be read is reported, and its
    /// further events are left out. Others go on. What is stored meanwhile is not read.
    ///
    /// Held in memory are a state and a head for each aggregate, and some pages of events. The cache is
    /// neither used nor filled.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`] when the store cannot answer.
    pub async fn replay_each(
        &self,
        from: Option<Timestamp>,
        mut show: impl FnMut(Replayed<'_, A>),
        mut progress: impl FnMut(&ReplayStats),
    ) -> Result<ReplayStats, RepositoryError> {
        let mut replay = Replay::new(self, from);
        let end = self.store.last_position().await?;
        let mut query = Query {
            namespace: Some(self.namespace.clone()),
            entity: Some(self.entity.clone()),
            ..Query::default()
        };
        'read: loop {
            let mut events = self.store.read(query.clone());
            loop {
                match events.try_next().await {
                    Ok(Some(read)) if Some(read.position) <= end => replay.take(read, &mut show),
                    Ok(_) => break 'read,
                    // Behind what was there when the replay began.
                    Err(StoreError::Invalid(invalid)) if Some(invalid.position) > end => {
                        break 'read;
                    }
                    // The stream ends there, and what comes behind it is read by another one.
                    Err(StoreError::Invalid(invalid))
                        if Some(invalid.position) > replay.stats.last_position =>
                    {
                        query.after = Some(invalid.position);
                        replay.left_out(invalid);
                        continue 'read;
                    }
                    Err(error) => return Err(error.into()),
                }
                if replay.count.is_multiple_of(PROGRESS_EVENTS) {
                    progress(replay.stats());
                }
            }
        }
        progress(replay.stats());
        Ok(replay.stats)
    }
}

/// A replay under way.
struct Replay<'a, A: Persistent> {
    repository: &'a Repository<A>,
    from: Option<Timestamp>,
    aggregates: HashMap<AggregateId, Replaying<A::State>>,
    began: Instant,
    count: u64,
    stats: ReplayStats,
}

/// An aggregate as far as it was folded.
enum Replaying<S> {
    // The state is `None` only while it evolves.
    Folded(Box<ChainVerifier>, Option<S>),
    Failed,
}

impl<'a, A: Persistent> Replay<'a, A> {
    fn new(repository: &'a Repository<A>, from: Option<Timestamp>) -> Self {
        Self {
            repository,
            from,
            aggregates: HashMap::new(),
            began: clock::moment(),
            count: 0,
            stats: ReplayStats {
                events: 0,
                skipped: 0,
                aggregates: 0,
                left_out: 0,
                failed: Vec::new(),
                failures: 0,
                last_position: None,
                elapsed: Duration::ZERO,
            },
        }
    }

    fn stats(&mut self) -> &ReplayStats {
        self.stats.elapsed = self.began.elapsed();
        &self.stats
    }

    fn take(&mut self, read: ReadEvent, show: &mut impl FnMut(Replayed<'_, A>)) {
        self.count += 1;
        self.stats.last_position = Some(read.position);
        if let Err(failure) = self.fold(&read, show) {
            self.fail(failure);
        }
    }

    fn fold(
        &mut self,
        read: &ReadEvent,
        show: &mut impl FnMut(Replayed<'_, A>),
    ) -> Result<(), ReplayFailure> {
        let recorded = &read.event;
        let key = &recorded.aggregate;
        let aggregate = match self.aggregates.get_mut(&key.id) {
            Some(aggregate) => aggregate,
            None => {
                self.stats.aggregates += 1;
                let verifier = Box::new(ChainVerifier::from_genesis(key.clone()));
                self.aggregates
                    .entry(key.id.clone())
                    .or_insert(Replaying::Folded(verifier, Some(A::initial_state())))
            }
        };
        let Replaying::Folded(verifier, folded) = aggregate else {
            self.stats.left_out += 1;
            return Ok(());
        };
        let payloads = verifier
            .push(recorded)
            .map_err(|error| broken(read, error))
            .and_then(|()| self.repository.read_payloads(read));
        let payloads = payloads.map_err(|error| failure(read, &error))?;
        let state = folded.take().unwrap_or_else(A::initial_state);
        let state = folded.insert(payloads.iter().fold(state, A::evolve));
        if self
            .from
            .is_some_and(|from| recorded.event.timestamp < from)
        {
            self.stats.skipped += 1;
            return Ok(());
        }
        self.stats.events += 1;
        show(Replayed {
            position: read.position,
            recorded,
            events: &payloads,
            state,
        });
        Ok(())
    }

    /// Leaves out an event that is not even one.
    fn left_out(&mut self, invalid: InvalidEvent) {
        self.count += 1;
        self.stats.last_position = Some(invalid.position);
        let (namespace, entity) = (&self.repository.namespace, &self.repository.entity);
        let is_ours = |key: &AggregateKey| key.namespace == *namespace && key.entity == *entity;
        if !invalid.aggregate.as_ref().is_none_or(is_ours) {
            return;
        }
        let InvalidEvent {
            position,
            aggregate,
            event,
            code,
            why,
        } = invalid;
        self.fail(ReplayFailure {
            aggregate,
            position,
            event,
            code,
            why,
        });
    }

    fn fail(&mut self, failure: ReplayFailure) {
        self.stats.left_out += 1;
        if let Some(key) = &failure.aggregate {
            let known = self.aggregates.insert(key.id.clone(), Replaying::Failed);
            match known {
                // It is listed already.
                Some(Replaying::Failed) => return,
                Some(Replaying::Folded(..)) => {}
                None => self.stats.aggregates += 1,
            }
        }
        self.stats.failures += 1;
        if self.stats.failed.len() < MAX_FAILED {
            self.stats.failed.push(failure);
        }
    }
}

fn failure(read: &ReadEvent, error: &RepositoryError) -> ReplayFailure {
    let mut why = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        why = format!("{why}: {source}");
    }
    ReplayFailure {
        aggregate: Some(read.event.aggregate.clone()),
        position: read.position,
        event: Some(read.event.event.id),
        code: error.code(),
        why,
    }
}

impl<A: Persistent> std::fmt::Debug for Replayed<'_, A> {
    /// Everything but the payloads and the state.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replayed")
            .field("position", &self.position)
            .field("recorded", &self.recorded)
            .finish_non_exhaustive()
    }
}
