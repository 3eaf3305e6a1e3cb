//! Feeding the local index from the stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::layout::{position, read_event};
use super::span::Span;
use super::{Inner, fault};
use crate::clock;
use crate::jetstream::{Consistency, Get, StoredMessage};
use crate::sqlite::Found;
use crate::store::StoreError;

/// The events that are added to the index in one transaction.
const STEP: usize = 1000;

/// Up to so many missing messages are read with their bodies in one round trip; more of them
/// without, by a consumer.
const FEW: u64 = 200;

/// So often the leader is asked for what a batch lacks: because a replica lags, a mirror answers, or
/// a message does not come in a batch. Then a consumer is better.
const STEPS: u32 = 3;

/// How often the feeding begins again where the stream has gone back: others may find out at the
/// same time.
const MAX_ANEW: u32 = 8;

/// An index that lacks so many messages is fed beside the reading.
const BEHIND: u64 = 10_000;

/// When the index was last known to have all that the leader had, and up to which sequence.
#[derive(Debug, Default)]
pub(super) struct Synced(Option<(Instant, u64)>);

impl Inner {
    /// Brings the index to the leader's last message.
    ///
    /// # Errors
    ///
    /// [`StoreError::Mismatch`] when the stream is another one by now.
    pub(super) async fn sync(&self) -> Result<u64, StoreError> {
        let asked = clock::moment();
        let mut synced = self.synced.lock().await;
        // While it waited, another one has asked the leader: that is late enough.
        if let Some((at, target)) = synced.0
            && at >= asked
        {
            return Ok(target);
        }
        let begun = clock::moment();
        let target = self.leader_last().await?;
        self.feed(target).await?;
        if self.index.look_again()? {
            // Another process has found out, or we have.
            self.forget_all();
        }
        self.recent.forget_up_to(self.index.looked_up_to());
        synced.0 = Some((begun, target));
        Ok(target)
    }

    /// Feeds the index beside what else is done, if it lacks many messages: for who reads sparse
    /// histories only and needs no more of it.
    pub(super) fn feed_if_behind(self: &Arc<Self>) {
        let missing = self
            .seen
            .load(Ordering::Acquire)
            .saturating_sub(self.index.looked_up_to());
        if missing < BEHIND || self.is_feeding.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = Arc::clone(self);
        tokio::spawn(async move {
            // Who needs the index feeds it too, and is told of faults.
            let _ = store.sync().await;
            store.is_feeding.store(false, Ordering::Release);
        });
    }

    /// The leader's last sequence. A leader that has less than what was acknowledged to us is
    /// none, or not yet.
    pub(super) async fn leader_last(&self) -> Result<u64, StoreError> {
        let seen = self.seen.load(Ordering::Acquire);
        let info = self
            .port
            .stream_info(&self.stream)
            .await
            .map_err(|error| fault("looking at the stream", error))?
            .ok_or_else(|| StoreError::NotFound {
                url: self.info.url.clone(),
            })?;
        let found = super::layout::read_info(&info.config, &self.info.url)?;
        if found.store_id != self.info.store_id {
            return Err(StoreError::Mismatch {
                why: format!(
                    "the stream `{}` was made anew: its store id was `{}` and is `{}`",
                    self.stream, self.info.store_id, found.store_id
                ),
            });
        }
        self.look_at(&info);
        let last = info.state.last_seq;
        if last < seen {
            return Err(StoreError::Unreachable {
                doing: "looking at the stream".to_owned(),
                source: format!("its leader has {last} messages so far, {seen} are acknowledged")
                    .into(),
            });
        }
        self.seen.fetch_max(last, Ordering::AcqRel);
        Ok(last)
    }

    /// Whether the stream still has what was indexed last. A server that lost what it had
    /// acknowledged, or that was restored from a copy, has other events there as soon as somebody
    /// appends: then nothing that is remembered of it holds, and the index is emptied.
    pub(super) async fn compare(&self) -> Result<bool, StoreError> {
        let Some(last) = self.index.last()? else {
            return Ok(true);
        };
        let at = last.position.get();
        let mut found = None;
        // Another stream, such as a mirror, may answer for any replica: the leader has the last word.
        for consistency in [Consistency::AnyReplica, Consistency::Leader] {
            // What is no event may end the connection that a replica sends it on.
            if last.cid.is_none() && consistency == Consistency::AnyReplica {
                continue;
            }
            found = self
                .port
                .get(&self.stream, Get::Sequence(at), consistency)
                .await
                .map_err(|error| fault("looking at the stream", error))?;
            let Some(stored) = &found else { continue };
            let event = read_event(&self.info.template, stored).ok();
            let cid = event.map(|found| found.event.cid.to_bytes());
            if stored.stored_at.micros() == last.stored_at
                && cid.as_ref().map(AsRef::<[u8]>::as_ref) == last.cid.as_deref()
            {
                return Ok(true);
            }
        }
        if found.is_none() {
            let there = self.leader_last().await?;
            if there < at {
                return Err(self.behind(there, at));
            }
        }
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.empty(&last))
            .await
            .map_err(|_| StoreError::Closed)??;
        self.index.look_again()?;
        self.forget_all();
        self.has_gone_back.store(true, Ordering::Release);
        Ok(false)
    }

    /// Looks after each reconnect whether the server came back with what it had. What was
    /// remembered before is remembered of the server before.
    pub(super) async fn check_after_reconnect(&self) -> Result<(), StoreError> {
        let connection = self.port.connection();
        if self.checked.load(Ordering::Acquire) == connection {
            return Ok(());
        }
        self.heads.forget_all();
        self.histories.forget_all();
        self.compare().await?;
        self.checked.fetch_max(connection, Ordering::AcqRel);
        Ok(())
    }

    fn forget_all(&self) {
        self.heads.forget_all();
        self.histories.forget_all();
        self.recent.forget_all();
    }

    /// That the leader has less than what is known.
    fn behind(&self, there: u64, known: u64) -> StoreError {
        StoreError::Unreachable {
            doing: "looking at the stream".to_owned(),
            source: format!(
                "the leader of `{}` has {there} messages so far, {known} are known",
                self.stream
            )
            .into(),
        }
    }

    /// Adds everything up to `target` to the index, and begins again where the index turns out to
    /// be of a stream that has gone back.
    async fn feed(&self, target: u64) -> Result<(), StoreError> {
        for _ in 0..MAX_ANEW {
            if self.feed_once(target).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unreachable {
            doing: "feeding the index".to_owned(),
            source: format!("the stream `{}` changes while it is read", self.stream).into(),
        })
    }

    /// The same; `false` where the index was emptied meanwhile.
    async fn feed_once(&self, target: u64) -> Result<bool, StoreError> {
        let mut known = self.index.up_to()?;
        if known >= target {
            return self.compare().await;
        }
        let mut steps = 0;
        while known < target && target - known <= FEW && steps < STEPS {
            let missing = usize::try_from(target - known).unwrap_or(STEP);
            let read = self
                .port
                .get_batch(&self.stream, known + 1, ">", missing)
                .await
                .map_err(|error| fault("feeding the index", error))?
                .messages;
            let has_gaps = read
                .iter()
                .zip(known + 1..)
                .any(|(stored, expected)| stored.sequence != expected);
            match read.last() {
                Some(last) if !has_gaps => {
                    let up_to = last.sequence;
                    let mut found = Found::default();
                    for stored in &read {
                        self.classify(stored, &mut found);
                    }
                    if !self.add(found, known, up_to).await? {
                        return Ok(false);
                    }
                    known = up_to;
                }
                // An index with a hole would have it for good: the leader tells what comes next.
                Some(_) | None => match self.feed_next(known, target).await? {
                    Some(up_to) => {
                        known = up_to;
                        steps += 1;
                    }
                    None => return Ok(false),
                },
            }
        }
        if known < target {
            return self.feed_many(known, target).await;
        }
        Ok(true)
    }

    async fn feed_many(&self, mut known: u64, target: u64) -> Result<bool, StoreError> {
        let mut span = Span::new(self, known + 1, target, None, true);
        let mut found = Found::default();
        while let Some(stored) = span.next(self).await? {
            self.classify(&stored, &mut found);
            if found.len() == STEP {
                let up_to = stored.sequence;
                if !self.add(std::mem::take(&mut found), known, up_to).await? {
                    return Ok(false);
                }
                known = up_to;
            }
        }
        self.add(found, known, target).await
    }

    /// Takes a message as what it is.
    fn classify(&self, stored: &StoredMessage, found: &mut Found) {
        found.last = Some((position(stored.sequence), stored.stored_at.micros()));
        match read_event(&self.info.template, stored) {
            Ok(event) => found.events.push(event),
            Err(invalid) => {
                let subject = stored.message.subject.clone();
                found.invalid.push((invalid.position, subject));
            }
        }
    }

    /// Adds the messages behind `from` to the index, on a thread that may wait for the disk; `false`
    /// where the index was emptied instead. It is looked whether the stream has gone back after the
    /// messages are read: what is behind a message that is still there was read from the same stream.
    async fn add(&self, found: Found, from: u64, up_to: u64) -> Result<bool, StoreError> {
        if !self.compare().await? {
            return Ok(false);
        }
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.add(&found, from, up_to))
            .await
            .map_err(|_| StoreError::Closed)?
    }

    /// Adds the next message behind `known` as the leader has it, and gives its sequence; `target`
    /// if it has none up to there, so that they were deleted; `None` where the index was emptied
    /// instead.
    async fn feed_next(&self, known: u64, target: u64) -> Result<Option<u64>, StoreError> {
        let next = self
            .port
            .get(&self.stream, Get::From(known + 1), Consistency::Leader)
            .await
            .map_err(|error| fault("feeding the index", error))?;
        let next = next.filter(|stored| stored.sequence <= target);
        let up_to = next.as_ref().map_or(target, |stored| stored.sequence);
        let mut found = Found::default();
        if let Some(stored) = &next {
            self.classify(stored, &mut found);
        }
        let is_fed = self.add(found, known, up_to).await?;
        Ok(is_fed.then_some(up_to))
    }
}
