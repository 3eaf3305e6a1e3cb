//! The messages of a stream through ordered consumers, and past what those cannot deliver.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use bytes::Bytes;
use cim_core::time::Timestamp;
use futures_util::StreamExt as _;

use super::client::{JetStreamClient, LOOK, SUBSCRIBING};
use super::error::JetStreamError;
use super::port::{Get, JetStreamPort as _, StoredMessage, Subscribe};
use super::raw;
use super::refusals::Mark;
use super::request::Sent;
use crate::clock;

/// For how long an ordered consumer's first answer, or the next one after a failure, is waited for
/// before it is made again.
const PAUSE: Duration = Duration::from_millis(250);

/// For how long nothing comes from a consumer before the leader is asked whether there is nothing,
/// and whether the stream is still the same, at first and at last: it takes the longer the longer
/// nothing has come.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_PATIENCE: Duration = Duration::from_secs(5);

/// How long the making of a consumer may take at first, before the leader is asked for the next
/// message: the server may have given it to a replica that hangs, or was just started and takes no
/// note. At last it is as long as for any call; a filter over a long stream takes its time.
const MAKING: Duration = Duration::from_secs(1);

/// A subscription: one ordered consumer after the other, each from where the last one ended.
pub(super) struct Subscription {
    client: JetStreamClient,
    stream: String,
    select: Subscribe,
    /// The next sequence that may be delivered.
    next: u64,
    /// The consumer's name on the server.
    name: String,
    ordered: Option<jetstream::consumer::pull::Ordered>,
    /// Whether `last` is the message before the first one that is asked for, if there is one.
    knows_place: bool,
    /// The connection that the consumer was made on.
    sent: Sent,
    /// Before it was asked for.
    mark: Mark,
    /// Since when nothing has come.
    waits_since: Instant,
    /// For how long that is taken for no more than silence.
    patience: Duration,
    /// How long the making of the next consumer may take.
    making: Duration,
    /// Whether the next message is taken from the leader: the consumer may never deliver it.
    is_stuck: bool,
    /// The consumer that delivered last. async-nats makes a new one under another name where the
    /// one before is gone, also on another stream.
    consumer: Option<String>,
    /// What was delivered last, and when the server had stored it.
    last: Option<(u64, Timestamp)>,
    /// Since when the stream's last message is before that.
    behind_since: Option<Instant>,
}

impl Drop for Subscription {
    /// The server would keep the consumer for minutes, and there may be many loads in that time.
    /// One that was made again after a loss has another name, and is left to the server.
    fn drop(&mut self) {
        if self.ordered.take().is_some() {
            self.delete_consumer();
        }
    }
}

impl Subscription {
    pub(super) fn new(client: JetStreamClient, stream: &str, select: Subscribe) -> Self {
        Self {
            knows_place: select.created.is_none()
                || select.from_sequence.is_none_or(|from| from.get() == 1),
            sent: Sent::now(&client.client),
            mark: client.refusals.mark(),
            client,
            stream: stream.to_owned(),
            next: select.from_sequence.map_or(1, u64::from),
            select,
            name: String::new(),
            ordered: None,
            waits_since: clock::moment(),
            patience: PATIENCE,
            making: MAKING,
            is_stuck: false,
            consumer: None,
            last: None,
            behind_since: None,
        }
    }

    /// The next message, however long it takes to come.
    pub(super) async fn next(&mut self) -> Result<StoredMessage, JetStreamError> {
        self.waits_since = clock::moment();
        loop {
            if !self.knows_place && !self.look_back().await? {
                continue;
            }
            if self.is_stuck {
                if !self.check_stream().await? {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                match self.next_from_leader().await {
                    Ok(Some(message)) => return Ok(message),
                    Ok(None) => {}
                    Err(error) => {
                        self.wait_after(error).await?;
                        continue;
                    }
                }
            }
            let ordered = match &mut self.ordered {
                Some(ordered) => ordered,
                None => {
                    self.sent = Sent::now(&self.client.client);
                    self.mark = self.client.refusals.mark();
                    self.name = format!("cim-{}", clock::store_id().simple());
                    let making =
                        self.client
                            .ordered(&self.stream, &self.name, self.next, &self.select);
                    match tokio::time::timeout(self.making, making).await {
                        Ok(Ok(ordered)) => {
                            self.making = MAKING;
                            self.consumer.get_or_insert_with(|| self.name.clone());
                            self.ordered.insert(ordered)
                        }
                        Ok(Err(error)) => {
                            self.wait_after(error).await?;
                            continue;
                        }
                        Err(_) => {
                            self.delete_consumer();
                            self.making = (self.making * 2).min(self.client.timeout);
                            self.is_stuck = true;
                            let doing = SUBSCRIBING;
                            self.wait_after(JetStreamError::NoAnswer { doing }).await?;
                            continue;
                        }
                    }
                }
            };
            match tokio::time::timeout(LOOK, ordered.next()).await {
                Ok(Some(Ok(message))) => {
                    let consumer = message.info().ok().map(|info| info.consumer.to_owned());
                    if self.consumer.is_some() && self.consumer != consumer {
                        while !self.check_stream().await? {
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                    self.consumer = consumer;
                    let message = raw::delivered(message.message)?;
                    // After a reconnect the consumer begins anew behind what it has delivered;
                    // that is not relied upon.
                    if message.sequence >= self.next {
                        self.passed(&message);
                        return Ok(message);
                    }
                }
                // The consumer is gone, or the connection was: the next one goes on.
                Ok(Some(Err(_)) | None) => {
                    self.ordered = None;
                    self.is_stuck = true;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(_) if self.sent.is_lost(&self.client.client) => {
                    self.ordered = None;
                    self.is_stuck = true;
                }
                Err(_) if self.waits_since.elapsed() >= self.patience => {
                    self.waits_since = clock::moment();
                    self.patience = (self.patience * 2).min(MAX_PATIENCE);
                    self.is_stuck = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Looks at the message that was the last one before: by it, another stream in the place of this
    /// one is known. `false` if the leader does not answer yet.
    async fn look_back(&mut self) -> Result<bool, JetStreamError> {
        let get = Get::Sequence(self.next - 1);
        match self.client.get_from_leader(&self.stream, &get).await {
            Ok(found) => {
                self.last = found.map(|found| (found.sequence, found.stored_at));
                self.knows_place = true;
            }
            Err(error) => self.wait_after(error).await?,
        }
        Ok(self.knows_place)
    }

    /// Deletes the consumer that was made last, or is still being made. Without an answer: where it
    /// fails, the server deletes it later.
    fn delete_consumer(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let client = self.client.client.clone();
        let subject = format!(
            "{}.CONSUMER.DELETE.{}.{}",
            self.client.api, self.stream, self.name
        );
        runtime.spawn(async move { client.publish(subject, Bytes::new()).await });
    }

    fn passed(&mut self, message: &StoredMessage) {
        self.next = message.sequence + 1;
        self.last = Some((message.sequence, message.stored_at));
        self.behind_since = None;
        self.patience = PATIENCE;
    }

    /// Whether the stream is surely the one that the subscription began with; not if the leader
    /// does not answer.
    async fn check_stream(&mut self) -> Result<bool, JetStreamError> {
        let Some(created) = &self.select.created else {
            return Ok(true);
        };
        let another = |why: String| JetStreamError::AnotherStream {
            stream: self.stream.clone(),
            why,
        };
        let info = match self.client.stream_info(&self.stream).await {
            Ok(Some(info)) => info,
            Ok(None) => return Err(another("was deleted".to_owned())),
            Err(error @ JetStreamError::NotAllowed { .. }) => return Err(error),
            Err(_) => return Ok(false),
        };
        if info.created != *created {
            return Err(another("was made anew".to_owned()));
        }
        let Some((seen, stored_at)) = self.last else {
            return Ok(true);
        };
        let there = info.state.last_seq;
        if there < seen {
            // A new leader may not have read all of its log yet.
            let since = self.behind_since.get_or_insert_with(clock::moment);
            if since.elapsed() < MAX_PATIENCE {
                return Ok(false);
            }
            return Err(another(format!("has gone back from {seen} to {there}")));
        }
        match self
            .client
            .get_from_leader(&self.stream, &Get::Sequence(seen))
            .await
        {
            Ok(Some(found)) if found.stored_at != stored_at => Err(another(format!(
                "has another message at {seen} than before"
            ))),
            Ok(_) => Ok(true),
            Err(error @ JetStreamError::NotAllowed { .. }) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Takes the next message from the leader, which sends it as JSON: one with headers that
    /// async-nats cannot read ends the connection whenever a consumer delivers it, and one that
    /// looks like a status is taken for one. `None` if there is no further message.
    async fn next_from_leader(&mut self) -> Result<Option<StoredMessage>, JetStreamError> {
        let filter = self.select.filter.as_deref().unwrap_or(">");
        let get = Get::Next(self.next, filter.to_owned());
        let found = self.client.get_from_leader(&self.stream, &get).await?;
        // The next one goes the same way until one has headers: what is foreign seldom comes alone.
        self.is_stuck = found
            .as_ref()
            .is_some_and(|found| found.message.headers.is_empty());
        if let Some(found) = &found {
            self.ordered = None;
            self.passed(found);
        }
        Ok(found)
    }

    /// Waits before the next try, unless trying again cannot help.
    async fn wait_after(&mut self, error: JetStreamError) -> Result<(), JetStreamError> {
        if matches!(
            error,
            JetStreamError::Answer { .. } | JetStreamError::NotAllowed { .. }
        ) {
            return Err(error);
        }
        match self.client.stream_info(&self.stream).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(error),
            Err(error @ JetStreamError::NotAllowed { .. }) => return Err(error),
            Err(_) => {}
        }
        let consuming = format!("{}.CONSUMER.CREATE", self.client.api);
        let refused = self.client.refusals.since_prefixed(self.mark, &consuming);
        if let Some(why) = refused {
            return Err(JetStreamError::NotAllowed {
                doing: SUBSCRIBING,
                why,
            });
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
