//! The messages of a stream through ordered consumers, and past what those cannot deliver.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::client::{JetStreamClient, LOOK, SUBSCRIBING};
use super::error::JetStreamError;
use super::port::{Get, JetStreamPort as _, StoredMessage, Subscribe};
use super::raw;
use super::request::Sent;
use crate::clock;

/// For how long an ordered consumer's first answer, or the next one after a failure, is waited for
/// before it is made again.
const PAUSE: Duration = Duration::from_millis(250);

/// For how long nothing comes from a consumer before the leader is asked whether there is nothing,
/// at first and at last: it takes the longer the longer nothing has come.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_PATIENCE: Duration = Duration::from_secs(60);

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
    /// The connection that the consumer was made on.
    sent: Sent,
    /// Since when nothing has come.
    waits_since: Instant,
    /// For how long that is taken for no more than silence.
    patience: Duration,
    /// Whether the next message is taken from the leader: the consumer may never deliver it.
    is_stuck: bool,
}

impl Drop for Subscription {
    /// The server would keep the consumer for minutes, and there may be many loads in that time.
    /// One that was made again after a loss has another name, and is left to the server.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.ordered.take().is_none() {
            return;
        }
        let client = self.client.client.clone();
        let subject = format!(
            "{}.CONSUMER.DELETE.{}.{}",
            self.client.api, self.stream, self.name
        );
        // Without an answer: where it fails, the server deletes it later.
        runtime.spawn(async move { client.publish(subject, Bytes::new()).await });
    }
}

impl Subscription {
    pub(super) fn new(client: JetStreamClient, stream: &str, select: Subscribe) -> Self {
        Self {
            sent: Sent::now(&client.client),
            client,
            stream: stream.to_owned(),
            next: select.from_sequence.map_or(1, u64::from),
            select,
            name: String::new(),
            ordered: None,
            waits_since: clock::moment(),
            patience: PATIENCE,
            is_stuck: false,
        }
    }

    /// The next message, however long it takes to come.
    pub(super) async fn next(&mut self) -> Result<StoredMessage, JetStreamError> {
        self.waits_since = clock::moment();
        loop {
            if self.is_stuck {
                match self.step().await {
                    Ok(Some(message)) => return Ok(message),
                    Ok(None) => {}
                    Err(error @ JetStreamError::Answer { .. }) => return Err(error),
                    Err(error) => {
                        self.check(error).await?;
                        continue;
                    }
                }
            }
            let ordered = match &mut self.ordered {
                Some(ordered) => ordered,
                None => {
                    self.sent = Sent::now(&self.client.client);
                    self.name = format!("cim-{}", clock::store_id().simple());
                    let made = self
                        .client
                        .ordered(&self.stream, &self.name, self.next, &self.select)
                        .await;
                    match made {
                        Ok(ordered) => self.ordered.insert(ordered),
                        Err(error) => {
                            self.check(error).await?;
                            continue;
                        }
                    }
                }
            };
            match tokio::time::timeout(LOOK, ordered.next()).await {
                Ok(Some(Ok(message))) => {
                    let message = raw::delivered(message.message)?;
                    // After a reconnect the consumer begins anew behind what it has delivered;
                    // that is not relied upon.
                    if message.sequence >= self.next {
                        self.passed(message.sequence);
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

    fn passed(&mut self, sequence: u64) {
        self.next = sequence + 1;
        self.patience = PATIENCE;
    }

    /// Takes the next message from the leader, which sends it as JSON: one with headers that
    /// async-nats cannot read ends the connection whenever a consumer delivers it, and one that
    /// looks like a status is taken for one. `None` if there is no further message.
    async fn step(&mut self) -> Result<Option<StoredMessage>, JetStreamError> {
        let filter = self.select.filter.as_deref().unwrap_or(">");
        let get = Get::Next(self.next, filter.to_owned());
        let found = self.client.get_from_leader(&self.stream, &get).await?;
        // The next one goes the same way until one has headers: what is foreign seldom comes alone.
        self.is_stuck = found
            .as_ref()
            .is_some_and(|found| found.message.headers.is_empty());
        if let Some(found) = &found {
            self.ordered = None;
            self.passed(found.sequence);
        }
        Ok(found)
    }

    /// Whether trying again can help.
    async fn check(&mut self, error: JetStreamError) -> Result<(), JetStreamError> {
        match self.client.stream_info(&self.stream).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(error),
            Err(error @ JetStreamError::NotAllowed { .. }) => return Err(error),
            Err(_) => {}
        }
        let consuming = format!("{}.CONSUMER.CREATE", self.client.api);
        let refused = self.client.refusals.take_prefixed(&consuming);
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
