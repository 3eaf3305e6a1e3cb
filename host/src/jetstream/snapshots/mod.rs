//! Snapshots in a bucket beside the stream of their store.
//!
//! The bucket `CIM-SNAPSHOTS-<store id>` is made with the first snapshot. Who saves needs the right to
//! publish to `$KV.CIM-SNAPSHOTS-<store id>.>`, and to call JetStream's `STREAM.INFO`, `STREAM.CREATE`,
//! `STREAM.MSG.GET`, `STREAM.PURGE` and `DIRECT.GET` for the stream `KV_CIM-SNAPSHOTS-<store id>`;
//! listing needs `CONSUMER.CREATE` and `CONSUMER.MSG.NEXT` too.
//!
//! ## Parts
//!
//! A snapshot that fits into a message is one, and one direct get loads it. A larger one is cut into
//! parts. They are stored first, under names that nobody has used, and then the head that names them:
//! until then the head names the snapshot before, whose parts are deleted only after that. So a crash
//! at any point leaves one or the other, and maybe parts that nobody names.
//!
//! Nor can savers of one aggregate spoil each other's parts. Each reads the head before it stores its
//! first part, and its own head is refused if the head has changed meanwhile; then it begins anew,
//! with other parts. Whoever has changed the head deletes only parts that are older than its own:
//! their savers have read the head earlier, and will be refused.

mod layout;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cim_core::id::AggregateKey;
use cim_core::message::Message;
use cim_core::version::Version;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use self::layout::{Bucket, Head, Parts, deleted, part_len};
use super::client::NO_STREAM;
use super::port::{EXPECTED_SEQUENCE, Purge};
use super::{
    Consistency, Get, JetStreamError, JetStreamPort, PublishAck, StoredMessage, Subscribe,
};
use crate::clock;
use crate::snapshot::{SnapshotEntry, SnapshotStore, SnapshotStoreError, check_len};

/// Snapshots in a bucket. Clones share it.
#[derive(Clone, Debug)]
pub struct JetStreamSnapshots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    port: Arc<dyn JetStreamPort>,
    bucket: Bucket,
    replicas: u32,
    /// Whether the bucket was seen to be there.
    is_made: AtomicBool,
}

impl JetStreamSnapshots {
    /// The snapshots of a store. `replicas` is on how many servers its bucket is made, if it is not
    /// there; one that is there stays as it is. Nothing is asked of a server yet.
    pub fn new(port: Arc<dyn JetStreamPort>, store_id: Uuid, replicas: u32) -> Self {
        Self(Arc::new(Inner {
            port,
            bucket: Bucket::new(store_id),
            replicas,
            is_made: AtomicBool::new(false),
        }))
    }
}

impl Inner {
    /// Makes the bucket, if there is none.
    async fn make(&self) -> Result<(), SnapshotStoreError> {
        if self.is_made.load(Ordering::Acquire) {
            return Ok(());
        }
        let name = &self.bucket.stream;
        let found = self.port.stream_info(name).await.map_err(fault(MAKING))?;
        let info = match found {
            Some(info) => info,
            None => {
                let config = self.bucket.config(self.replicas);
                self.port
                    .create_stream(&config)
                    .await
                    .map_err(fault(MAKING))?
            }
        };
        if let Some(why) = self.bucket.fault(&info.config) {
            return Err(self.foreign(why));
        }
        self.is_made.store(true, Ordering::Release);
        Ok(())
    }

    async fn load(&self, aggregate: &AggregateKey) -> Result<Option<Bytes>, SnapshotStoreError> {
        let subject = self.bucket.head(aggregate);
        let mut found = self
            .last(LOADING, &subject, Consistency::AnyReplica)
            .await?;
        for _ in 0..MAX_TRIES {
            let Some(stored) = found else {
                return Ok(None);
            };
            let Some(head) = Head::read(&stored).map_err(damaged)? else {
                return Ok(None);
            };
            let sealed = match &head.parts {
                None => Some(stored.body()),
                Some(parts) => self.load_parts(&subject, parts, head.bytes).await?,
            };
            if let Some(sealed) = sealed {
                return match sealed.len() == head.bytes {
                    true => Ok(Some(sealed)),
                    false => Err(damaged(format!(
                        "expected {} bytes under `{subject}`, found {}",
                        head.bytes,
                        sealed.len()
                    ))),
                };
            }
            // The snapshot was replaced while it was read, or a replica lags behind.
            found = self.last(LOADING, &subject, Consistency::Leader).await?;
            if found.as_ref().map(|found| found.sequence) == Some(stored.sequence) {
                return Err(damaged(format!("a part of `{subject}` is missing")));
            }
        }
        Err(SnapshotStoreError::Busy { doing: LOADING })
    }

    /// The parts of a snapshot as one; `None` when one of them is missing.
    async fn load_parts(
        &self,
        head: &str,
        parts: &Parts,
        bytes: usize,
    ) -> Result<Option<Bytes>, SnapshotStoreError> {
        let mut gets = stream::iter(0..parts.count)
            .map(|number| self.part(parts.subject(head, number)))
            .buffered(AT_ONCE);
        let mut sealed = BytesMut::new();
        while let Some(part) = gets.try_next().await? {
            let Some(part) = part else {
                return Ok(None);
            };
            if sealed.len() + part.len() > bytes {
                let why = format!("the parts of `{head}` have more than {bytes} bytes");
                return Err(damaged(why));
            }
            sealed.extend_from_slice(&part);
        }
        Ok(Some(sealed.freeze()))
    }

    async fn part(&self, subject: String) -> Result<Option<Bytes>, SnapshotStoreError> {
        for consistency in [Consistency::AnyReplica, Consistency::Leader] {
            if let Some(found) = self.last(LOADING, &subject, consistency).await? {
                return Ok(Some(found.body()));
            }
        }
        Ok(None)
    }

    async fn save(
        &self,
        aggregate: &AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> Result<(), SnapshotStoreError> {
        check_len(&sealed)?;
        self.make().await?;
        let subject = self.bucket.head(aggregate);
        // A replica that lags says what is refused then.
        let mut consistency = Consistency::AnyReplica;
        for _ in 0..MAX_TRIES {
            let found = self.last(SAVING, &subject, consistency).await?;
            // What nobody can read is replaced as if it were not there.
            let before = found.as_ref().and_then(|found| Head::read(found).ok()?);
            if before.is_some_and(|before| before.version > version) {
                return Ok(());
            }
            let expected = found.map_or(0, |found| found.sequence);
            let stored = self.replace(&subject, expected, version, &sealed).await?;
            let Some(stored) = stored else {
                consistency = Consistency::Leader;
                continue;
            };
            let is_whole = |head: Head| head.parts.is_none();
            if !(before.is_some_and(is_whole) && is_whole(stored.head)) {
                // What stays for now is deleted the next time.
                let _ = self.purge_parts(&subject, stored.from_sequence).await;
            }
            return Ok(());
        }
        Err(SnapshotStoreError::Busy { doing: SAVING })
    }

    /// Stores a snapshot, unless another head has come since that of the sequence `expected`: then
    /// `None`.
    async fn replace(
        &self,
        subject: &str,
        expected: u64,
        version: Version,
        sealed: &Bytes,
    ) -> Result<Option<Replaced>, SnapshotStoreError> {
        let part_len = part_len(self.port.server().max_payload);
        let mut head = Head {
            version,
            bytes: sealed.len(),
            parts: None,
        };
        if sealed.len() <= part_len {
            let ack = self
                .put_head(subject, expected, head.headers(), sealed.clone())
                .await?;
            return Ok(ack.map(|ack| Replaced {
                head,
                from_sequence: ack.sequence,
            }));
        }
        let parts = Parts {
            generation: clock::store_id(),
            count: sealed.len().div_ceil(part_len),
        };
        head.parts = Some(parts);
        let stored = self.put_parts(subject, &parts, sealed, part_len).await;
        let ack = match &stored {
            Ok(_) => {
                let headers = head.headers();
                self.put_head(subject, expected, headers, Bytes::new())
                    .await
            }
            Err(_) => Ok(None),
        };
        // Where the outcome is not known, the head may be there: then its parts must stay.
        if let Ok(None) = ack {
            let own = Purge {
                filter: Some(parts.all(subject)),
                before: None,
            };
            // The next who saves in parts deletes them otherwise.
            let _ = self.port.purge(&self.bucket.stream, own).await;
        }
        let from_sequence = stored?;
        Ok(ack?.map(|_| Replaced {
            head,
            from_sequence,
        }))
    }

    /// Stores parts, and gives the lowest sequence of one.
    async fn put_parts(
        &self,
        subject: &str,
        parts: &Parts,
        sealed: &Bytes,
        part_len: usize,
    ) -> Result<u64, SnapshotStoreError> {
        let puts = (0..parts.count).map(|number| {
            let from = number * part_len;
            let to = sealed.len().min(from + part_len);
            self.put(Message {
                subject: parts.subject(subject, number),
                headers: Vec::new(),
                body: sealed.slice(from..to),
            })
        });
        let mut puts = stream::iter(puts).buffer_unordered(AT_ONCE);
        let mut first = u64::MAX;
        while let Some(ack) = puts.next().await {
            first = first.min(ack.map_err(fault(SAVING))?.sequence);
        }
        Ok(first)
    }

    /// Stores a head, unless another one has come since that of the sequence `expected`: then `None`.
    async fn put_head(
        &self,
        subject: &str,
        expected: u64,
        mut headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<Option<PublishAck>, SnapshotStoreError> {
        headers.push((EXPECTED_SEQUENCE.to_owned(), expected.to_string()));
        let message = Message {
            subject: subject.to_owned(),
            headers,
            body,
        };
        match self.put(message).await {
            Ok(ack) => Ok(Some(ack)),
            // Wrong last sequence; wrong last sequence of one that is under way.
            Err(error) if matches!(error.number(), Some(10071 | 10164)) => Ok(None),
            Err(error) => Err(fault(SAVING)(error)),
        }
    }

    async fn put(&self, message: Message) -> Result<PublishAck, JetStreamError> {
        let put = self.port.publish(message).await;
        if let Err(JetStreamError::NobodyListens { .. }) = put {
            // Somebody has deleted the bucket: the next one makes it.
            self.is_made.store(false, Ordering::Release);
        }
        put
    }

    /// Deletes the parts of an aggregate that were stored before a sequence.
    async fn purge_parts(&self, subject: &str, before: u64) -> Result<u64, JetStreamError> {
        let purge = Purge {
            filter: Some(format!("{subject}.>")),
            before: Some(before),
        };
        self.port.purge(&self.bucket.stream, purge).await
    }

    async fn delete(&self, aggregate: &AggregateKey) -> Result<bool, SnapshotStoreError> {
        let subject = self.bucket.head(aggregate);
        for _ in 0..MAX_TRIES {
            let found = self.last(DELETING, &subject, Consistency::Leader).await?;
            let Some(found) = found.filter(|found| !matches!(Head::read(found), Ok(None))) else {
                return Ok(false);
            };
            // A marker instead of nothing: who saves parts meanwhile must see that the head has changed.
            let ack = self
                .put_head(&subject, found.sequence, deleted(), Bytes::new())
                .await?;
            if let Some(ack) = ack {
                self.purge_parts(&subject, ack.sequence)
                    .await
                    .map_err(fault(DELETING))?;
                return Ok(true);
            }
        }
        Err(SnapshotStoreError::Busy { doing: DELETING })
    }

    async fn delete_all(&self) -> Result<u64, SnapshotStoreError> {
        let count = self.list().await?.len() as u64;
        match self.port.purge(&self.bucket.stream, Purge::default()).await {
            Err(error) if error.number() != Some(NO_STREAM) => Err(fault(DELETING)(error)),
            _ => Ok(count),
        }
    }

    /// The heads, without their bodies. There is nothing to tell that a stream of messages has come to
    /// its end but the sequence of the last one, which may be replaced while they are read.
    async fn list(&self) -> Result<Vec<SnapshotEntry>, SnapshotStoreError> {
        let heads = self.bucket.heads();
        let Some(last) = self.last(LISTING, &heads, Consistency::Leader).await? else {
            return Ok(Vec::new());
        };
        let select = Subscribe {
            from_sequence: None,
            filter: Some(heads.clone()),
            headers_only: true,
            created: None,
        };
        let mut messages = self.port.subscribe(&self.bucket.stream, select);
        let mut found = BTreeMap::new();
        let mut seen = 0;
        while seen < last.sequence {
            match tokio::time::timeout(SILENCE, messages.next()).await {
                Ok(Some(stored)) => {
                    let stored = stored.map_err(fault(LISTING))?;
                    seen = stored.sequence;
                    self.take(&mut found, &stored)?;
                }
                Ok(None) => break,
                Err(_) => {
                    let next = Get::Next(seen + 1, heads.clone());
                    let next = self.get(LISTING, next, Consistency::Leader).await?;
                    if next.is_none_or(|next| next.sequence > last.sequence) {
                        break;
                    }
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Takes in what a head says; a later one of the same aggregate counts.
    fn take(
        &self,
        found: &mut BTreeMap<AggregateKey, SnapshotEntry>,
        stored: &StoredMessage,
    ) -> Result<(), SnapshotStoreError> {
        let subject = &stored.message.subject;
        let Some(aggregate) = self.bucket.aggregate(subject) else {
            return Err(damaged(format!("`{subject}` is no aggregate's")));
        };
        match Head::read(stored).map_err(damaged)? {
            Some(head) => found.insert(aggregate.clone(), head.entry(aggregate)),
            None => found.remove(&aggregate),
        };
        Ok(())
    }

    /// The last message of a subject; none where there is no bucket either.
    async fn last(
        &self,
        doing: &'static str,
        subject: &str,
        consistency: Consistency,
    ) -> Result<Option<StoredMessage>, SnapshotStoreError> {
        self.get(doing, Get::Last(subject.to_owned()), consistency)
            .await
    }

    async fn get(
        &self,
        doing: &'static str,
        get: Get,
        consistency: Consistency,
    ) -> Result<Option<StoredMessage>, SnapshotStoreError> {
        match self.port.get(&self.bucket.stream, get, consistency).await {
            Err(error) if error.number() == Some(NO_STREAM) => Ok(None),
            found => found.map_err(fault(doing)),
        }
    }

    fn foreign(&self, why: String) -> SnapshotStoreError {
        SnapshotStoreError::Foreign {
            place: self.bucket.stream.clone(),
            why,
        }
    }
}

/// A snapshot that was stored in the place of another.
struct Replaced {
    head: Head,
    /// The lowest sequence of its messages.
    from_sequence: u64,
}

impl SnapshotStore for JetStreamSnapshots {
    fn load<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>> {
        self.0.load(aggregate).boxed()
    }

    fn save<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>> {
        self.0.save(aggregate, version, sealed).boxed()
    }

    fn delete<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>> {
        self.0.delete(aggregate).boxed()
    }

    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>> {
        self.0.delete_all().boxed()
    }

    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>> {
        let inner = Arc::clone(&self.0);
        let listed = async move { inner.list().await };
        stream::once(listed)
            .map_ok(|entries| stream::iter(entries).map(Ok))
            .try_flatten()
            .boxed()
    }
}

/// For `map_err`: what a fault of JetStream is for snapshots.
fn fault(doing: &'static str) -> impl FnOnce(JetStreamError) -> SnapshotStoreError {
    move |error| {
        let source = Box::new(error);
        match *source {
            JetStreamError::NotAllowed { .. } => SnapshotStoreError::NotAllowed { doing, source },
            JetStreamError::NoAnswer { .. }
            | JetStreamError::ConnectionLost { .. }
            | JetStreamError::CircuitOpen { .. }
            | JetStreamError::NobodyListens { .. }
            | JetStreamError::Connection { .. } => {
                SnapshotStoreError::Unreachable { doing, source }
            }
            JetStreamError::Refused { .. }
            | JetStreamError::TooLarge { .. }
            | JetStreamError::Answer { .. }
            | JetStreamError::AnotherStream { .. }
            | JetStreamError::Closed => SnapshotStoreError::Io { doing, source },
        }
    }
}

fn damaged(why: String) -> SnapshotStoreError {
    SnapshotStoreError::Damaged { why }
}

const MAKING: &str = "making the bucket";
const LOADING: &str = "loading a snapshot";
const SAVING: &str = "saving a snapshot";
const DELETING: &str = "deleting a snapshot";
const LISTING: &str = "listing the snapshots";

/// How often something begins anew because others were quicker: each time one of them is done, so
/// that this is a matter of more savers of one aggregate than anybody has.
const MAX_TRIES: usize = 64;

/// How many parts are on the way at once: enough to hide the round trips, few enough to leave room for
/// the events.
const AT_ONCE: usize = 4;

/// After such a silence it is looked whether there is more to come.
const SILENCE: Duration = Duration::from_millis(500);
