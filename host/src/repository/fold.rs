//! Folding a history into a state: no event is folded that is not verified.

use std::sync::Arc;

use cim_core::chain::verifier::ChainVerifier;
use cim_core::chain::{self, ChainError};
use cim_core::cid::Cid;
use cim_core::id::AggregateKey;
use cim_core::payload;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::cache::Known;
use super::{Persistent, Repository, RepositoryError};
use crate::store::{InvalidEvent, Query, ReadEvent, StoreError};

/// How far to fold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    End,
    /// Up to this version, inclusive.
    Version(Version),
    /// Up to the first event that is later.
    Time(Timestamp),
}

/// A state, and the events that it was folded from.
#[derive(Debug)]
pub(super) struct Folded<S> {
    pub(super) state: Arc<S>,
    pub(super) head: Option<Head>,
    /// How many events were folded now.
    pub(super) events: u64,
}

/// What became of a fold that was to begin with a known state.
#[derive(Debug)]
pub(super) enum Begun<S> {
    Folded(Folded<S>),
    /// The history has another event at its version, or none.
    Elsewhere(Option<Cid>),
}

/// What became of a known state that was to be brought up to date.
#[derive(Debug)]
pub(super) enum BroughtUp<S> {
    Folded(Folded<S>),
    /// The history does not go on from it. Its head is this one, as the store says.
    Not(Option<Head>),
}

impl<S> Folded<S> {
    /// Whether it has all events up to a head, or more.
    pub(super) fn reaches(&self, head: Head) -> bool {
        self.head.is_some_and(|found| found.version >= head.version)
    }
}

type Events = BoxStream<'static, Result<ReadEvent, StoreError>>;

impl<A: Persistent> Repository<A> {
    /// Folds a history from its first event on.
    pub(super) async fn fold_all(
        &self,
        key: &AggregateKey,
        until: Until,
    ) -> Result<Folded<A::State>, RepositoryError> {
        let events = self.store.read(query(key, None, until));
        let verifier = ChainVerifier::from_genesis(key.clone());
        self.fold(Arc::new(A::initial_state()), verifier, events, until)
            .await
    }

    /// Folds what follows a known state, as far as it links to that.
    pub(super) async fn fold_behind(
        &self,
        key: &AggregateKey,
        known: Known<A::State>,
        until: Until,
    ) -> Result<Folded<A::State>, RepositoryError> {
        let Known { state, head, .. } = known;
        let Ok(next) = Version::after(Some(&head)) else {
            // Versions count no further.
            return Ok(Folded {
                state,
                head: Some(head),
                events: 0,
            });
        };
        let events = self.store.read(query(key, Some(next), until));
        let verifier = ChainVerifier::from_head(key.clone(), head);
        self.fold(state, verifier, events, until).await
    }

    /// Fetches the event that a known state ends with, and folds what follows it.
    pub(super) async fn fold_from(
        &self,
        key: &AggregateKey,
        known: Known<A::State>,
        until: Until,
    ) -> Result<Begun<A::State>, RepositoryError> {
        let Known { state, head, .. } = known;
        let mut events = self.store.read(query(key, Some(head.version), until));
        let first = events.try_next().await;
        let first = first.map_err(|error| read_fault(key, error))?;
        let found = first
            .filter(|read| read.event.aggregate == *key && read.event.version == head.version)
            // What it says it is counts for nothing.
            .map(|read| chain::cid_of(&read.event));
        if found != Some(head.cid) {
            return Ok(Begun::Elsewhere(found));
        }
        let verifier = ChainVerifier::from_head(key.clone(), head);
        let folded = self.fold(state, verifier, events, until).await?;
        Ok(Begun::Folded(folded))
    }

    /// Brings a known state up to date.
    pub(super) async fn bring_up_to_date(
        &self,
        key: &AggregateKey,
        known: Known<A::State>,
    ) -> Result<BroughtUp<A::State>, RepositoryError> {
        let head = self.store.head(key).await;
        let Some(head) = head.map_err(|error| read_fault(key, error))? else {
            return Ok(BroughtUp::Not(None));
        };
        if head == known.head {
            return Ok(BroughtUp::Folded(Folded {
                state: known.state,
                head: Some(head),
                events: 0,
            }));
        }
        if head.version <= known.head.version {
            return Ok(BroughtUp::Not(Some(head)));
        }
        match self.fold_behind(key, known, Until::End).await {
            Ok(folded) if folded.reaches(head) => Ok(BroughtUp::Folded(folded)),
            // Either the known state is of another history, or this one is broken or not whole. Reading it
            // from its start tells.
            Ok(_) | Err(RepositoryError::Broken { .. }) => Ok(BroughtUp::Not(Some(head))),
            Err(error) => Err(error),
        }
    }

    async fn fold(
        &self,
        state: Arc<A::State>,
        mut verifier: ChainVerifier,
        mut events: Events,
        until: Until,
    ) -> Result<Folded<A::State>, RepositoryError> {
        let (mut evolved, mut count) = (None, 0);
        loop {
            let read = events.try_next().await;
            let read = read.map_err(|error| read_fault(verifier.aggregate(), error))?;
            let Some(read) = read else {
                break;
            };
            if matches!(until, Until::Time(time) if read.event.event.timestamp > time) {
                break;
            }
            verifier
                .push(&read.event)
                .map_err(|error| broken(&read, error))?;
            let payloads = self.read_payloads(&read)?;
            let state = evolved.take().unwrap_or_else(|| A::State::clone(&state));
            evolved = Some(payloads.iter().fold(state, A::evolve));
            count += 1;
        }
        self.counters.events_folded.add(count);
        Ok(Folded {
            state: evolved.map_or(state, Arc::new),
            head: verifier.head(),
            events: count,
        })
    }

    /// What a stored event says today.
    pub(super) fn read_payloads(&self, read: &ReadEvent) -> Result<Vec<A::Event>, RepositoryError> {
        payload::read(&read.event.event, &self.upcasters).map_err(|source| {
            RepositoryError::Unreadable {
                aggregate: read.event.aggregate.clone(),
                event: read.event.event.id,
                version: Some(read.event.version),
                source,
            }
        })
    }
}

pub(super) fn broken(read: &ReadEvent, source: ChainError) -> RepositoryError {
    RepositoryError::Broken {
        aggregate: source.aggregate().clone(),
        position: read.position,
        code: source.code(),
        source: Box::new(source),
    }
}

/// Why a history could not be read. What the store itself finds to be no event breaks it like any other.
pub(super) fn read_fault(key: &AggregateKey, error: StoreError) -> RepositoryError {
    match error {
        StoreError::Invalid(InvalidEvent {
            position,
            code,
            why,
            ..
        }) => RepositoryError::Broken {
            aggregate: key.clone(),
            position,
            code,
            source: why.into(),
        },
        error => RepositoryError::Store(error),
    }
}

/// What to say of a history that ends before its head.
pub(super) fn shorter(key: &AggregateKey, head: Head, found: Option<Head>) -> RepositoryError {
    let found = found.map_or(0, |found| found.version.get());
    RepositoryError::Store(StoreError::Mismatch {
        why: format!(
            "the head of `{key}` is version {}, but only {found} events can be read; read again",
            head.version
        ),
    })
}

/// Which events to read. They are verified while they are folded.
fn query(key: &AggregateKey, from: Option<Version>, until: Until) -> Query {
    Query {
        from_version: from,
        to_version: match until {
            Until::Version(version) => Some(version),
            // By time a query would leave out single events, and go on behind them.
            Until::End | Until::Time(_) => None,
        },
        ..Query::history(key.clone())
    }
}
