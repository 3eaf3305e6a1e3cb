//! Reading: a history by its subject ([`history`](super::history)), the log in its order, everything
//! else through the index.

use std::sync::Arc;

use cim_core::append::Stored;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;

use super::histories::{Collected, Verified};
use super::history::history;
use super::layout::{position, read_event};
use super::span::Span;
use super::{Inner, fault};
use crate::jetstream::{Consistency, Get, StoredMessage};
use crate::sqlite::Place;
use crate::store::verify::ReadVerifier;
use crate::store::{Direction, InvalidEvent, Query, ReadEvent, StoreError};

/// The places that are taken from the index at once, and how many of their messages are fetched at
/// the same time.
const PLACES: u64 = 512;
const AT_ONCE: usize = 32;

/// The events that are handed over at once, and how many such groups are read ahead.
const GROUP: usize = 64;
const AHEAD: usize = 16;

type Item = Result<ReadEvent, StoreError>;

/// The events that `query` selects.
pub(super) fn read(store: Arc<Inner>, query: Query) -> BoxStream<'static, Item> {
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    let mut out = Out {
        sender,
        group: Vec::new(),
        verifier: ReadVerifier::new(&query),
        collected: Collected::default(),
        remaining: query.limit.unwrap_or(u64::MAX),
    };
    let is_history = is_history(&query);
    let reader = async move {
        let read = if out.remaining == 0 {
            Ok(())
        } else if is_history {
            history(&store, &query, &mut out).await
        } else if is_log(&query) {
            log(&store, &query, &mut out).await
        } else {
            indexed(&store, &query, &mut out).await
        };
        if let Err(End::Fault(error)) = read {
            out.group.push(Err(error));
        }
        out.flush().await.ok();
    };
    let groups = stream::poll_fn(move |context| receiver.poll_recv(context));
    // It begins when it is polled first, and ends with its receiver. Most histories are short: for
    // them, handing over to another thread would take longer than reading.
    let groups = if is_history {
        let reader = stream::once(reader).filter_map(|()| std::future::ready(None));
        stream::select(reader, groups).boxed()
    } else {
        let started = stream::once(async move {
            tokio::spawn(reader);
            groups
        });
        started.flatten().boxed()
    };
    groups.map(stream::iter).flatten().boxed()
}

/// Why a read ends before its end.
pub(super) enum End {
    /// Nobody receives any more, or all that was asked for is there.
    Enough,
    Fault(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

/// Where events go: checked, counted, in groups.
pub(super) struct Out {
    sender: mpsc::Sender<Vec<Item>>,
    group: Vec<Item>,
    verifier: ReadVerifier,
    collected: Collected,
    remaining: u64,
}

impl Out {
    pub(super) async fn put(&mut self, stored: Stored) -> Result<(), End> {
        let checked = self.verifier.check(stored.position, stored.event)?;
        self.collected.add(&checked);
        self.recall(checked).await
    }

    /// Expects what follows a history that was recalled.
    pub(super) fn goes_on(&mut self, history: &Verified, last: &ReadEvent) {
        self.verifier.trust(&last.event);
        self.collected = Collected::of(history);
    }

    /// What was put, if it was a chain.
    pub(super) fn collected(&mut self) -> Collected {
        std::mem::take(&mut self.collected)
    }

    /// Takes an event that is verified already.
    pub(super) async fn recall(&mut self, event: ReadEvent) -> Result<(), End> {
        self.group.push(Ok(event));
        self.remaining -= 1;
        if self.group.len() >= GROUP {
            self.flush().await?;
        }
        match self.remaining {
            0 => Err(End::Enough),
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.group.is_empty() {
            return Ok(());
        }
        // Most histories are short: room for a whole group is made where there was a whole one.
        let room = if self.group.len() < GROUP { 0 } else { GROUP };
        let group = std::mem::replace(&mut self.group, Vec::with_capacity(room));
        self.sender.send(group).await.map_err(|_| End::Enough)
    }
}

/// Whether it is (a part of) one history, forwards.
fn is_history(query: &Query) -> bool {
    query.aggregate.is_some()
        && query.direction == Direction::Forwards
        && is_plain(query)
        && query.after.is_none()
        && query.since.is_none()
        && query.until.is_none()
        && query.namespace.is_none()
        && query.entity.is_none()
}

/// Whether it is (a part of) the log, forwards.
fn is_log(query: &Query) -> bool {
    query.aggregate.is_none() && query.direction == Direction::Forwards && is_plain(query)
}

/// Whether nothing is asked for that only the index finds.
fn is_plain(query: &Query) -> bool {
    query.event_id.is_none() && query.event_type.is_none() && query.correlation.is_none()
}

/// Reads the log as it was when the read began.
async fn log(store: &Inner, query: &Query, out: &mut Out) -> Result<(), End> {
    let template = store.info.template.template();
    let filter = match (&query.namespace, &query.entity) {
        (None, _) => None,
        (Some(namespace), None) => Some(template.namespace_filter(namespace)),
        (Some(namespace), Some(entity)) => Some(template.entity_filter(namespace, entity)),
    };
    let filter = match filter {
        None => None,
        // No event of this store has such a subject.
        Some(Err(_)) => return Ok(()),
        Some(Ok(filter)) => Some(filter.as_str().to_owned()),
    };
    let end = store.last_matching(filter.as_deref()).await?;
    let from = query.after.map_or(1, |after| after.get() + 1);
    if end < from {
        return Ok(());
    }
    let mut span = Span::new(store, from, end, filter, false);
    while let Some(stored) = span.next(store).await? {
        let event = event(store, &stored)?;
        if is_selected(query, &event) {
            out.put(event).await?;
        }
    }
    Ok(())
}

fn is_selected(query: &Query, Stored { event, .. }: &Stored) -> bool {
    let time = event.event.timestamp;
    let key = &event.aggregate;
    query
        .namespace
        .as_ref()
        .is_none_or(|found| *found == key.namespace)
        && query
            .entity
            .as_ref()
            .is_none_or(|found| *found == key.entity)
        && query
            .from_version
            .is_none_or(|version| event.version >= version)
        && query
            .to_version
            .is_none_or(|version| event.version <= version)
        && query.since.is_none_or(|since| time >= since)
        && query.until.is_none_or(|until| time <= until)
}

/// Reads what the index finds.
async fn indexed(store: &Inner, query: &Query, out: &mut Out) -> Result<(), End> {
    let end = store.sync().await?;
    from_index(store, query, end, out).await.map(drop)
}

/// Reads what the index has up to a sequence, and gives the last place.
pub(super) async fn from_index(
    store: &Inner,
    query: &Query,
    end: u64,
    out: &mut Out,
) -> Result<Option<Place>, End> {
    let mut last = None;
    loop {
        let limit = PLACES.min(out.remaining);
        let places = store.index.page(query.clone(), end, last, limit).await?;
        let count = places.len() as u64;
        last = places.last().copied().or(last);
        let mut messages = stream::iter(places)
            .map(|place| async move { (place, store.message(place.position.get()).await) })
            .buffered(AT_ONCE);
        while let Some((place, stored)) = messages.next().await {
            let found = event(store, &stored?)?;
            if !is_the_one(query, place, &found) {
                return Err(End::Fault(store.another_event(place).await?));
            }
            out.put(found).await?;
        }
        if count < limit {
            return Ok(last);
        }
    }
}

/// Whether an event can be the one that the index told of.
fn is_the_one(query: &Query, place: Place, Stored { event, .. }: &Stored) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
        wanted.is_none_or(|wanted| wanted == found)
    }
    event.version.get() == place.version
        && is(query.aggregate.as_ref(), &event.aggregate)
        && is(query.event_id.as_ref(), &event.event.id)
        && is(query.correlation.as_ref(), &event.event.correlation)
        && is(query.event_type.as_ref(), &event.event.event_type)
}

pub(super) fn event(store: &Inner, stored: &StoredMessage) -> Result<Stored, StoreError> {
    read_event(&store.info.template, stored).map_err(StoreError::Invalid)
}

impl Inner {
    /// What to say where another event stands than the index told of; the index is made right for
    /// who reads again.
    async fn another_event(&self, place: Place) -> Result<StoreError, StoreError> {
        self.sync().await?;
        Ok(StoreError::Mismatch {
            why: format!(
                "the stream `{}` has another event at {} than before: messages of it were lost; \
                 read again",
                self.stream, place.position
            ),
        })
    }

    /// The message at a sequence: from any replica that has it, else from the leader.
    async fn message(&self, sequence: u64) -> Result<StoredMessage, StoreError> {
        for consistency in [Consistency::AnyReplica, Consistency::Leader] {
            let found = self
                .port
                .get(&self.stream, Get::Sequence(sequence), consistency)
                .await
                .map_err(|error| fault("reading an event", error))?;
            if let Some(stored) = found {
                return Ok(stored);
            }
        }
        Err(StoreError::Invalid(InvalidEvent {
            position: position(sequence),
            aggregate: None,
            event: None,
            code: "message-missing",
            why: "the message was deleted".to_owned(),
        }))
    }

    /// The sequence of the last message that matches a filter; 0 where there is none.
    pub(super) async fn last_matching(&self, filter: Option<&str>) -> Result<u64, StoreError> {
        let Some(filter) = filter else {
            return self.leader_last().await;
        };
        let get = Get::Last(filter.to_owned());
        let found = self
            .port
            .get(&self.stream, get, Consistency::Leader)
            .await
            .map_err(|error| fault("looking at the stream", error))?;
        Ok(found.map_or(0, |stored| stored.sequence))
    }
}
