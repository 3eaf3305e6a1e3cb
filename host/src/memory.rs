//! The event store in memory: for tests and demonstrations. It lives as long as its last handle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cim_core::append::{
    self, Append, AppendError, Appended, HeadFound, Histories, Judgement, Receipt, Stored,
};
use cim_core::chain;
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, EventId, EventType};
use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::version::{Head, Position, Version};
use futures_util::future::{self, BoxFuture};
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock;
use crate::store::verify::ReadVerifier;
use crate::store::{
    AggregateEntry, AggregateSelect, Delivery, Direction, EventStore, Query, ReadEvent, StoreError,
    StoreInfo, StoreStats,
};

/// The most types that [`StoreStats`] counts.
const MAX_TYPES: usize = 1000;

/// A handle on a store in memory. Its clones are handles on the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    info: StoreInfo,
    events: Mutex<Events>,
    committed: watch::Sender<()>,
}

/// The events in store order, and for each thing that is searched for the indexes of its events.
/// An event's position is its index and one.
#[derive(Debug, Default)]
struct Events {
    all: Vec<RecordedEvent>,
    histories: BTreeMap<AggregateKey, Vec<usize>>,
    correlations: HashMap<Uuid, Vec<usize>>,
    types: HashMap<EventType, Vec<usize>>,
    ids: HashMap<EventId, usize>,
}

impl Default for MemoryStore {
    /// An empty store with the canonical layout of subjects, which is what tests of a domain need.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_host::memory::MemoryStore;
    /// use cim_host::store::EventStore;
    ///
    /// let store = MemoryStore::default();
    /// assert!(store.info().url.starts_with("memory:"));
    /// ```
    fn default() -> Self {
        Self::new(StoreTemplate::default())
    }
}

impl MemoryStore {
    /// Makes an empty store whose subjects are built by `template`.
    pub fn new(template: StoreTemplate) -> Self {
        let store_id = clock::store_id();
        let info = StoreInfo {
            store_id,
            template,
            created_at: clock::now(),
            url: format!("memory:{store_id}"),
        };
        let (committed, _) = watch::channel(());
        Self(Arc::new(Shared {
            info,
            events: Mutex::default(),
            committed,
        }))
    }

    /// Alters the event at `position` behind the store's back, for tests of what then happens.
    ///
    /// What the event is found by (aggregate, version, id, type, correlation) stays as it was.
    ///
    /// # Panics
    ///
    /// When there is no event at `position`.
    pub fn tamper(&self, position: Position, alter: impl FnOnce(&mut RecordedEvent)) {
        let mut events = self.0.lock();
        let event = index_of(position).and_then(|index| events.all.get_mut(index));
        alter(event.expect("the test says where an event is"));
    }
}

impl EventStore for MemoryStore {
    fn info(&self) -> &StoreInfo {
        &self.0.info
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(async move {
            let answers = self.0.lock().append(&self.0.info.template, &appends)?;
            self.0.committed.send_replace(());
            Ok(answers)
        })
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        Box::pin(async move { Ok(self.0.lock().last(aggregate).map(|last| last.event.head())) })
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(async move { Ok(self.0.lock().last_position()) })
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        let read = Read {
            candidates: self.0.lock().candidates(&query).into_iter(),
            left: query.limit.unwrap_or(u64::MAX),
            verifier: ReadVerifier::new(&query),
            shared: Arc::clone(&self.0),
            query,
        };
        Box::pin(stream::unfold(read, |mut read| {
            future::ready(read.next().map(|event| (event, read)))
        }))
    }

    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        let subscription = Subscription {
            committed: self.0.committed.subscribe(),
            next: behind(after),
            caught_up_at: Some(self.0.lock().all.len()),
            verifier: ReadVerifier::of_cids(),
            shared: Arc::clone(&self.0),
            filter,
        };
        Box::pin(stream::unfold(
            subscription,
            |mut subscription| async move { Some((subscription.next().await, subscription)) },
        ))
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        let limit = usize::try_from(select.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let events = self.0.lock();
        let selected: Vec<_> = events
            .histories
            .keys()
            .filter(|key| {
                select
                    .namespace
                    .as_ref()
                    .is_none_or(|namespace| key.namespace == *namespace)
                    && select
                        .entity
                        .as_ref()
                        .is_none_or(|entity| key.entity == *entity)
            })
            .filter_map(|key| events.last(key).map(|last| (key, last)))
            .take(limit)
            .map(|(key, last)| {
                Ok(AggregateEntry {
                    aggregate: key.clone(),
                    head: last.event.head(),
                    last_time: last.event.event.timestamp,
                    last_position: last.position,
                })
            })
            .collect();
        Box::pin(stream::iter(selected))
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        Box::pin(async move { Ok(self.0.lock().stats()) })
    }

    /// Does nothing: no append waits, and the events go with the last handle.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(future::ready(Ok(())))
    }
}

impl Shared {
    /// The events. A panic elsewhere leaves them whole: they are changed after all is decided.
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    fn append(
        &mut self,
        template: &StoreTemplate,
        appends: &[Append],
    ) -> Result<Vec<Appended>, AppendError> {
        let Ok(judgement) = append::judge(self, template, appends);
        match judgement {
            Judgement::Refuse(error) => Err(error),
            Judgement::AlreadyCommitted(receipts) => Ok(receipts
                .into_iter()
                .map(Appended::AlreadyCommitted)
                .collect()),
            Judgement::Write(parts) => Ok(parts
                .into_iter()
                .map(|part| Appended::Committed(self.write(part)))
                .collect()),
        }
    }

    fn write(&mut self, events: Vec<RecordedEvent>) -> Receipt {
        let head = events.last().expect("a judged append has events").head();
        for event in events {
            let index = self.all.len();
            self.histories
                .entry(event.aggregate.clone())
                .or_default()
                .push(index);
            self.correlations
                .entry(event.event.correlation)
                .or_default()
                .push(index);
            self.types
                .entry(event.event.event_type.clone())
                .or_default()
                .push(index);
            self.ids.insert(event.event.id, index);
            self.all.push(event);
        }
        let position = self.last_position().expect("an event was just written");
        Receipt {
            version: head.version,
            head: head.cid,
            position,
        }
    }

    fn stored(&self, index: usize) -> Option<Stored> {
        let event = self.all.get(index)?.clone();
        Some(Stored {
            position: position_of(index),
            event,
        })
    }

    fn last(&self, aggregate: &AggregateKey) -> Option<Stored> {
        self.histories
            .get(aggregate)?
            .last()
            .and_then(|&index| self.stored(index))
    }

    fn last_position(&self) -> Option<Position> {
        self.all.len().checked_sub(1).map(position_of)
    }

    /// Where to look for what a query selects: the indexes of the narrowest of its conditions, in
    /// its order.
    fn candidates(&self, query: &Query) -> Vec<usize> {
        let listed = if let Some(id) = &query.event_id {
            Some(self.ids.get(id).map_or(&[][..], std::slice::from_ref))
        } else if let Some(aggregate) = &query.aggregate {
            Some(indexes(self.histories.get(aggregate)))
        } else if let Some(correlation) = &query.correlation {
            Some(indexes(self.correlations.get(correlation)))
        } else {
            query
                .event_type
                .as_ref()
                .map(|event_type| indexes(self.types.get(event_type)))
        };
        let start = behind(query.after);
        let mut candidates = match listed {
            Some(listed) => listed
                .iter()
                .copied()
                .filter(|&index| index >= start)
                .collect(),
            None => (start..self.all.len()).collect::<Vec<_>>(),
        };
        if query.direction == Direction::Backwards {
            candidates.reverse();
        }
        candidates
    }

    fn stats(&self) -> StoreStats {
        let mut types: Vec<_> = self
            .types
            .iter()
            .map(|(name, indexes)| (name.to_string(), count(indexes.len())))
            .collect();
        types.sort_unstable_by(|(one, n), (other, m)| (Reverse(n), one).cmp(&(Reverse(m), other)));
        types.truncate(MAX_TYPES);
        let times = || self.all.iter().map(|event| event.event.timestamp);
        StoreStats {
            events: count(self.all.len()),
            aggregates: count(self.histories.len()),
            types,
            times: times().min().zip(times().max()),
            last_position: self.last_position(),
            bytes: None,
        }
    }
}

impl Histories for Events {
    type Error = Infallible;

    fn head(&mut self, aggregate: &AggregateKey) -> Result<Option<HeadFound>, Infallible> {
        Ok(self
            .last(aggregate)
            .map(|last| match chain::check_cid(&last.event) {
                Ok(()) => HeadFound::Sound(last.event.head()),
                Err(error) => HeadFound::Broken {
                    position: last.position,
                    why: error.to_string(),
                },
            }))
    }

    fn at_version(
        &mut self,
        aggregate: &AggregateKey,
        version: Version,
    ) -> Result<Option<Stored>, Infallible> {
        let index = usize::try_from(version.get() - 1)
            .ok()
            .and_then(|index| self.histories.get(aggregate)?.get(index).copied());
        Ok(index.and_then(|index| self.stored(index)))
    }

    fn by_id(&mut self, id: EventId) -> Result<Option<Stored>, Infallible> {
        Ok(self.ids.get(&id).and_then(|&index| self.stored(index)))
    }
}

/// A read under way. It covers what was there when it was asked for.
struct Read {
    shared: Arc<Shared>,
    candidates: std::vec::IntoIter<usize>,
    query: Query,
    left: u64,
    verifier: ReadVerifier,
}

impl Read {
    fn next(&mut self) -> Option<Result<ReadEvent, StoreError>> {
        self.left = self.left.checked_sub(1)?;
        let events = self.shared.lock();
        let index = self
            .candidates
            .find(|&index| selects(&self.query, &events.all[index]))?;
        let event = events.all[index].clone();
        drop(events);
        let checked = self.verifier.check(position_of(index), event);
        if checked.is_err() {
            self.left = 0;
        }
        Some(checked)
    }
}

/// A subscription under way.
struct Subscription {
    shared: Arc<Shared>,
    committed: watch::Receiver<()>,
    filter: Option<SubjectFilter>,
    /// The index of the next event to look at.
    next: usize,
    /// The index from which on events are new, until that has been said.
    caught_up_at: Option<usize>,
    verifier: ReadVerifier,
}

impl Subscription {
    async fn next(&mut self) -> Result<Delivery, StoreError> {
        loop {
            // Seen before the events are looked at, so that no later commit is slept through.
            self.committed.borrow_and_update();
            if let Some(delivery) = self.look() {
                return Ok(delivery);
            }
            if self.committed.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
        }
    }

    fn look(&mut self) -> Option<Delivery> {
        let events = self.shared.lock();
        loop {
            if self.caught_up_at.is_some_and(|end| self.next >= end) {
                self.caught_up_at = None;
                return Some(Delivery::CaughtUp);
            }
            let event = events.all.get(self.next)?;
            let position = position_of(self.next);
            self.next += 1;
            if self.wants(event) {
                return Some(match self.verifier.check(position, event.clone()) {
                    Ok(read) => Delivery::Event(read),
                    Err(StoreError::Invalid(invalid)) => Delivery::Invalid(invalid),
                    Err(error) => unreachable!("a check only says what is invalid: {error}"),
                });
            }
        }
    }

    /// Whether an event passes the filter. One without a subject is foreign, and never kept back.
    fn wants(&self, event: &RecordedEvent) -> bool {
        let template = &self.shared.info.template;
        self.filter.as_ref().is_none_or(|filter| {
            template
                .event_subject(&event.aggregate, &event.event.operation)
                .map_or(true, |subject| filter.matches(&subject))
        })
    }
}

/// Whether all conditions of a query hold, but for its position and limit.
fn selects(query: &Query, recorded: &RecordedEvent) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, value: &T) -> bool {
        wanted.as_ref().is_none_or(|wanted| wanted == value)
    }
    let event = &recorded.event;
    is(&query.aggregate, &recorded.aggregate)
        && is(&query.namespace, &recorded.aggregate.namespace)
        && is(&query.entity, &recorded.aggregate.entity)
        && is(&query.event_id, &event.id)
        && is(&query.event_type, &event.event_type)
        && is(&query.correlation, &event.correlation)
        && query
            .from_version
            .is_none_or(|from| recorded.version >= from)
        && query.to_version.is_none_or(|to| recorded.version <= to)
        && query.since.is_none_or(|since| event.timestamp >= since)
        && query.until.is_none_or(|until| event.timestamp <= until)
}

fn indexes(listed: Option<&Vec<usize>>) -> &[usize] {
    listed.map_or(&[], Vec::as_slice)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a count fits 64 bits")
}

fn position_of(index: usize) -> Position {
    Position::new(count(index) + 1).expect("no memory holds 2^53 events")
}

fn index_of(position: Position) -> Option<usize> {
    usize::try_from(position.get() - 1).ok()
}

/// The index of the first event behind a position.
fn behind(position: Option<Position>) -> usize {
    position.map_or(0, |position| {
        usize::try_from(position.get()).unwrap_or(usize::MAX)
    })
}
