//! Reading one history, in the way that is fastest for its length.

use std::cmp::Ordering;
use std::sync::Arc;

use cim_core::append::HeadFound;
use cim_core::id::AggregateKey;
use cim_core::version::Version;

use super::histories::Verified;
use super::read::{End, Out, event, from_index};
use super::span::Span;
use super::{Inner, fault};
use crate::jetstream::{Batch, Consistency, StoredMessage};
use crate::sqlite::Place;
use crate::store::{Check, Query, ReadEvent, StoreError};

/// The messages of one batched direct get: best for short histories.
const BATCH: usize = 256;

/// From so many missing events of a history on, a consumer is faster.
const MANY: u64 = 512;

/// With so many messages of others to each of a history, the server takes longer to look through
/// them than to give each event by its sequence.
const SPARSE: u64 = 128;

/// Reads (a part of) one history, forwards. Whole ones that are verified are remembered.
pub(super) async fn history(store: &Arc<Inner>, query: &Query, out: &mut Out) -> Result<(), End> {
    let Some(aggregate) = &query.aggregate else {
        return Ok(());
    };
    let Ok(filter) = store.info.template.aggregate_filter(aggregate) else {
        return Ok(());
    };
    store.check_after_reconnect().await?;
    store.feed_if_behind();
    let reader = Reader {
        store,
        query,
        aggregate,
        filter: filter.as_str(),
    };
    if !(query.is_history() && query.check == Check::Verify) {
        return reader.read_from_start(out).await;
    }
    let read = match store.histories.get(aggregate) {
        Some(known) => reader.go_on(&known, out).await,
        None => reader.read_from_start(out).await,
    };
    match &read {
        Ok(()) => store.histories.put(aggregate, out.collected()),
        Err(End::Fault(_)) => store.histories.forget(aggregate),
        Err(End::Enough) => {}
    }
    read
}

struct Reader<'a> {
    store: &'a Inner,
    query: &'a Query,
    aggregate: &'a AggregateKey,
    filter: &'a str,
}

/// What of a history is missing.
struct Missing {
    /// Where it goes on.
    next: u64,
    /// The version before that.
    version: u64,
    /// Its last message, as the leader said.
    end: u64,
    head: HeadFound,
}

impl Reader<'_> {
    /// Reads a history's first events and its head at the same time, then what is missing between
    /// them.
    async fn read_from_start(&self, out: &mut Out) -> Result<(), End> {
        let store = self.store;
        let from = self.query.from_version.unwrap_or(Version::FIRST);
        let extent = store.index.extent(self.aggregate)?;
        let next = match extent {
            // The index gives events alone. Asked after the extent, so that it holds up to its end.
            Some((first, last)) if is_sparse(first, last) && !self.has_invalid()? => {
                return self.read_by_index(last, out).await;
            }
            // Not where the index knows it to begin: from a sequence within the stream on, the server
            // counts what is pending by going through messages.
            _ if from == Version::FIRST => 1,
            _ => {
                store.sync().await?;
                match store.index.at_version(self.aggregate, from)? {
                    Some(position) => position.get(),
                    None => return Ok(()),
                }
            }
        };
        // A history that is known to be long is not begun with what is best for short ones.
        let known = store.heads.get(self.aggregate);
        let length = known
            .map(|known| known.head.version.get())
            .max(extent.map(|(_, last)| last.version));
        let is_long = length.is_some_and(|length| length >= from.get() + MANY);
        let count = length.map_or(BATCH, |length| {
            batch_of(length.saturating_sub(from.get() - 1))
        });
        let batch = async {
            match is_long {
                true => Ok(Batch::default()),
                false => {
                    store
                        .port
                        .get_batch(&store.stream, next, self.filter, count)
                        .await
                }
            }
        };
        let (head, batch) = if store.is_alone() && !is_long {
            let batch = batch.await;
            // What one server says is all there is.
            let is_whole = batch.as_ref().is_ok_and(|batch| batch.pending == 0);
            let last = batch.as_ref().ok().and_then(|batch| batch.messages.last());
            match last {
                Some(last) if is_whole => (Ok(Some((last.sequence, store.head_of(last)))), batch),
                Some(_) => (self.last().await, batch),
                // A mirror of the stream may have none of what the stream has.
                None => (
                    store.ask_last(self.aggregate, Consistency::Leader).await,
                    batch,
                ),
            }
        } else {
            tokio::join!(self.last(), batch)
        };
        let Some((end, head)) = head? else {
            return Ok(());
        };
        self.store.heads.saw(self.aggregate, end, &head);
        let missing = Missing {
            next,
            version: from.get() - 1,
            end,
            head,
        };
        let first = batch.map_err(|error| fault("reading a history", error))?;
        self.rest(missing, first.messages, out).await
    }

    /// Whether messages of the history are known that are no events.
    fn has_invalid(&self) -> Result<bool, StoreError> {
        let prefix = self.filter.trim_end_matches('>');
        self.store.index.has_invalid(prefix)
    }

    /// Reads each event that the index has by its sequence, up to `last`, then what came since.
    async fn read_by_index(&self, last: Place, out: &mut Out) -> Result<(), End> {
        let Some((end, head)) = self.last().await? else {
            return Ok(());
        };
        self.store.heads.saw(self.aggregate, end, &head);
        let known = end.min(last.position.get());
        let read = from_index(self.store, self.query, known, out).await?;
        let last = read.unwrap_or(last);
        let to_version = self.query.to_version.map_or(u64::MAX, Version::get);
        if last.version >= to_version {
            return Err(End::Enough);
        }
        let missing = Missing {
            next: last.position.get() + 1,
            version: last.version,
            end,
            head,
        };
        self.rest(missing, Vec::new(), out).await
    }

    /// Reads what came since a history was verified.
    async fn go_on(&self, known: &Verified, out: &mut Out) -> Result<(), End> {
        let Some(last) = known.last() else {
            return self.read_from_start(out).await;
        };
        let (end, head) = match self.last().await? {
            Some((end, head)) if is_beginning(last, end, &head) => (end, head),
            // It is another stream by now.
            _ => return self.read_from_start(out).await,
        };
        self.store.heads.saw(self.aggregate, end, &head);
        let missing = Missing {
            next: last.position.get() + 1,
            version: last.event.version.get(),
            end,
            head,
        };
        for event in known.iter() {
            self.check_wanted(event.event.version)?;
            out.recall(event.clone()).await?;
        }
        if missing.next > missing.end {
            return Ok(());
        }
        out.goes_on(known, last);
        self.rest(missing, Vec::new(), out).await
    }

    /// Reads to the end; `batch` is where it begins, if that is there already.
    async fn rest(
        &self,
        mut missing: Missing,
        mut batch: Vec<StoredMessage>,
        out: &mut Out,
    ) -> Result<(), End> {
        let store = self.store;
        loop {
            for stored in batch {
                if stored.sequence > missing.end {
                    return Ok(());
                }
                missing.next = stored.sequence + 1;
                missing.version = self.put(&stored, out).await?;
            }
            if missing.next > missing.end {
                return Ok(());
            }
            let count = match &missing.head {
                HeadFound::Sound(head) => head.version.get().saturating_sub(missing.version),
                // Its messages may be such as do not come in a batch.
                HeadFound::Broken { .. } => MANY,
            };
            if count >= MANY {
                break;
            }
            batch = store
                .port
                .get_batch(&store.stream, missing.next, self.filter, batch_of(count))
                .await
                .map_err(|error| fault("reading a history", error))?
                .messages;
            if batch.is_empty() {
                break;
            }
        }
        let filter = Some(self.filter.to_owned());
        let mut span = Span::new(store, missing.next, missing.end, filter, false);
        while let Some(stored) = span.next(store).await? {
            self.put(&stored, out).await?;
        }
        Ok(())
    }

    /// Puts an event, if it is one that is asked for, and gives its version.
    async fn put(&self, stored: &StoredMessage, out: &mut Out) -> Result<u64, End> {
        let event = event(self.store, stored)?;
        let version = event.event.version;
        self.check_wanted(version)?;
        if self.query.from_version.is_none_or(|from| version >= from) {
            out.put(event).await?;
        }
        Ok(version.get())
    }

    fn check_wanted(&self, version: Version) -> Result<(), End> {
        match self.query.to_version {
            Some(last) if version > last => Err(End::Enough),
            _ => Ok(()),
        }
    }

    async fn last(&self) -> Result<Option<(u64, HeadFound)>, StoreError> {
        self.store.last(self.aggregate, Consistency::Leader).await
    }
}

/// How many messages to ask for at once where so many are missing. Asked for more than there are, the
/// server looks for the next one through all messages to the end of the stream.
fn batch_of(missing: u64) -> usize {
    usize::try_from(missing).map_or(BATCH, |missing| missing.clamp(1, BATCH))
}

/// Whether a history has many messages of others between its own.
fn is_sparse(first: Place, last: Place) -> bool {
    let events = last.version.saturating_sub(first.version) + 1;
    let messages = last.position.get().saturating_sub(first.position.get());
    messages / events > SPARSE
}

/// Whether a history that ends with `head` at the sequence `end` can begin with one that ends with
/// `last`. The chain tells the rest.
fn is_beginning(last: &ReadEvent, end: u64, head: &HeadFound) -> bool {
    match end.cmp(&last.position.get()) {
        Ordering::Less => false,
        Ordering::Equal => *head == HeadFound::Sound(last.event.head()),
        Ordering::Greater => true,
    }
}
