//! Reading: a history by its subject, the log in its order, everything else through the index.

use std::sync::Arc;

use cim_core::append::Stored;
use cim_core::id::AggregateKey;
use cim_core::version::Version;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;

use super::heads::KnownHead;
use super::layout::{position, read_event};
use super::span::Span;
use super::{Inner, fault};
use crate::jetstream::{Batch, Consistency, Get, StoredMessage};
use crate::store::verify::ReadVerifier;
use crate::store::{Direction, InvalidEvent, Query, ReadEvent, StoreError};
use cim_core::append::HeadFound;

/// The messages of one batched direct get: best for short histories.
const BATCH: usize = 256;

/// From so many missing events of a history on, a consumer is faster.
const MANY: u64 = 512;

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
        group: Vec::with_capacity(GROUP),
        verifier: ReadVerifier::new(&query),
        remaining: query.limit.unwrap_or(u64::MAX),
    };
    let reader = async move {
        let read = if out.remaining == 0 {
            Ok(())
        } else if is_history(&query) {
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
    // It begins when it is polled first, and ends with its receiver.
    let groups = stream::once(async move {
        tokio::spawn(reader);
        stream::poll_fn(move |context| receiver.poll_recv(context))
    });
    groups.flatten().map(stream::iter).flatten().boxed()
}

/// Why a read ends before its end.
enum End {
    /// Nobody receives any more, or the limit is reached.
    Enough,
    Fault(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

/// Where events go: checked, counted, in groups.
struct Out {
    sender: mpsc::Sender<Vec<Item>>,
    group: Vec<Item>,
    verifier: ReadVerifier,
    remaining: u64,
}

impl Out {
    async fn put(&mut self, stored: Stored) -> Result<(), End> {
        let checked = self.verifier.check(stored.position, stored.event)?;
        self.group.push(Ok(checked));
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
        let group = std::mem::replace(&mut self.group, Vec::with_capacity(GROUP));
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

/// Reads one history: its first events and its head at the same time, then what is missing between
/// them.
async fn history(store: &Inner, query: &Query, out: &mut Out) -> Result<(), End> {
    let Some(aggregate) = &query.aggregate else {
        return Ok(());
    };
    let Ok(filter) = store.info.template.aggregate_filter(aggregate) else {
        return Ok(());
    };
    let filter = filter.as_str();
    let from = query.from_version.map_or(1, Version::get);
    let mut next = match query.from_version {
        Some(version) if version != Version::FIRST => {
            store.sync().await?;
            match store.index.at_version(aggregate, version)? {
                Some(position) => position.get(),
                None => return Ok(()),
            }
        }
        _ => 1,
    };
    let wanted = |event: &Stored| {
        let version = event.event.version.get();
        version >= from && query.to_version.is_none_or(|last| version <= last.get())
    };
    // A history that is known to be long is not begun with what is best for short ones.
    let known = store.heads.get(aggregate);
    let is_long = known.is_some_and(|known| known.head.version.get() >= from + MANY);
    let batch = async {
        match is_long {
            true => Ok(Batch::default()),
            false => {
                store
                    .port
                    .get_batch(&store.stream, next, filter, BATCH)
                    .await
            }
        }
    };
    let (head, batch) = if store.is_alone && !is_long {
        let batch = batch.await;
        // What one server says is all there is.
        let is_whole = batch.as_ref().is_ok_and(|batch| batch.pending == 0);
        let last = batch.as_ref().ok().and_then(|batch| batch.messages.last());
        match last.filter(|_| is_whole) {
            Some(last) => (Ok(Some((last.sequence, store.head_of(last)))), batch),
            None => (store.last(aggregate, Consistency::Leader).await, batch),
        }
    } else {
        tokio::join!(store.last(aggregate, Consistency::Leader), batch)
    };
    let Some((end, head)) = head? else {
        return Ok(());
    };
    remember(store, aggregate, end, &head);
    let mut version = from - 1;
    let mut batch = batch
        .map_err(|error| fault("reading a history", error))?
        .messages;
    loop {
        for stored in batch {
            if stored.sequence > end {
                return Ok(());
            }
            next = stored.sequence + 1;
            let event = event(store, &stored)?;
            version = event.event.version.get();
            if query
                .to_version
                .is_some_and(|last| event.event.version > last)
            {
                return Ok(());
            }
            if wanted(&event) {
                out.put(event).await?;
            }
        }
        if next > end {
            return Ok(());
        }
        let missing = match &head {
            HeadFound::Sound(head) => head.version.get().saturating_sub(version),
            HeadFound::Broken { .. } => 0,
        };
        if missing >= MANY || is_long {
            break;
        }
        batch = store
            .port
            .get_batch(&store.stream, next, filter, BATCH)
            .await
            .map_err(|error| fault("reading a history", error))?
            .messages;
        if batch.is_empty() {
            break;
        }
    }
    let mut span = Span::new(store, next, end, Some(filter.to_owned()), false);
    while let Some(stored) = span.next(store).await? {
        let event = event(store, &stored)?;
        if query
            .to_version
            .is_some_and(|last| event.event.version > last)
        {
            return Ok(());
        }
        if wanted(&event) {
            out.put(event).await?;
        }
    }
    Ok(())
}

fn remember(store: &Inner, aggregate: &AggregateKey, sequence: u64, head: &HeadFound) {
    if let HeadFound::Sound(head) = *head {
        let head = KnownHead {
            sequence,
            head,
            is_known: false,
        };
        store.heads.put(aggregate, head);
    }
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
async fn indexed(store: &Arc<Inner>, query: &Query, out: &mut Out) -> Result<(), End> {
    let end = store.sync().await?;
    let mut last = None;
    loop {
        let limit = PLACES.min(out.remaining);
        let places = store.index.page(query.clone(), end, last, limit).await?;
        let count = places.len() as u64;
        last = places.last().copied();
        let mut messages = stream::iter(places)
            .map(|place| store.message(place.position.get()))
            .buffered(AT_ONCE);
        while let Some(stored) = messages.next().await {
            out.put(event(store, &stored?)?).await?;
        }
        if count < limit {
            return Ok(());
        }
    }
}

fn event(store: &Inner, stored: &StoredMessage) -> Result<Stored, StoreError> {
    read_event(&store.info.template, stored).map_err(StoreError::Invalid)
}

impl Inner {
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
