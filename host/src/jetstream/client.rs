//! The port on async-nats.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, StatusCode};
use bytes::Bytes;
use cim_core::message::Message;
use cim_core::time::Timestamp;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::circuit::Circuit;
use super::consumer::{ConsumerConfig, ConsumerInfo};
use super::error::JetStreamError;
use super::port::{
    Answer, Batch, Consistency, Get, JetStreamPort, PublishAck, Purge, StoredMessage, Subscribe,
};
use super::raw;
use super::refusals::Refusals;
use super::request::Sent;
use super::server::{AccountInfo, ServerInfo};
use super::stream::{StreamConfig, StreamInfo};
use super::subscription::Subscription;
use crate::clock;

/// How long a call waits for its answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a call that waits looks whether the server has told meanwhile that it is not allowed.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// The most messages that a subscription has on the way, and their bytes.
const AHEAD: i64 = 500;
const AHEAD_BYTES: i64 = 8 << 20;

/// The server's number (`errors.json`) for a batch of which a message is missing.
const BATCH_INCOMPLETE: u32 = 10176;

/// A connection to JetStream. Clones share it.
#[derive(Clone, Debug)]
pub struct JetStreamClient {
    pub(super) client: Client,
    context: jetstream::Context,
    pub(super) api: String,
    pub(super) timeout: Duration,
    pub(super) refusals: Refusals,
    pub(super) circuit: Circuit,
}

impl JetStreamClient {
    /// Takes a connection. `api` is the prefix of JetStream's subjects, such as `$JS.API`;
    /// `refusals` is told the connection's events.
    pub(super) fn new(client: Client, api: &str, timeout: Duration, refusals: Refusals) -> Self {
        let context = ContextBuilder::new()
            .api_prefix(api)
            .timeout(timeout)
            .build(client.clone());
        Self {
            client,
            context,
            api: api.to_owned(),
            timeout,
            refusals,
            circuit: Circuit::default(),
        }
    }

    /// Calls JetStream's API with JSON.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        name: &str,
        body: &Value,
    ) -> Result<T, JetStreamError> {
        let subject = format!("{}.{name}", self.api);
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let answer = self.request_surely(doing, &subject, body).await?;
        parse(doing, &answer.payload)
    }

    /// All pages of a listing.
    async fn list<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        name: &str,
        member: &str,
    ) -> Result<Vec<T>, JetStreamError> {
        let mut found = Vec::new();
        loop {
            let mut page: Value = self
                .call(doing, name, &json!({ "offset": found.len() }))
                .await?;
            let total = page["total"].as_u64().unwrap_or_default();
            let items = match page[member].take() {
                Value::Array(items) => items,
                _ => Vec::new(),
            };
            let read = items.len();
            for item in items {
                found.push(serde_json::from_value(item).map_err(|error| wrong(doing, &error))?);
            }
            if read == 0 || found.len() as u64 >= total {
                return Ok(found);
            }
        }
    }

    /// Publishes an atomic batch.
    async fn publish_all(&self, messages: Vec<Message>) -> Result<PublishAck, JetStreamError> {
        let subjects: HashSet<String> = messages
            .iter()
            .map(|message| message.subject.clone())
            .collect();
        let mark = self.refusals.mark();
        let published = self.publish_each(messages).await;
        if let Err(error) = &published
            && error.number() == Some(BATCH_INCOMPLETE)
            && let Some(why) = self.refusals.soon_since(mark, &subjects, LOOK).await
        {
            return Err(JetStreamError::NotAllowed {
                doing: PUBLISHING,
                why,
            });
        }
        published
    }

    async fn publish_each(&self, messages: Vec<Message>) -> Result<PublishAck, JetStreamError> {
        let id = clock::store_id().simple().to_string();
        let count = messages.len();
        for (at, message) in messages.into_iter().enumerate() {
            let mut headers = raw::headers(&message.headers);
            headers.insert(BATCH_ID, id.as_str());
            headers.insert(BATCH_SEQUENCE, (at + 1).to_string());
            if at + 1 < count {
                self.client
                    .publish_with_headers(message.subject, headers, message.body)
                    .await
                    .map_err(|error| match error.kind() {
                        async_nats::client::PublishErrorKind::MaxPayloadExceeded => {
                            JetStreamError::TooLarge {
                                limit: self.client.max_payload(),
                            }
                        }
                        _ => JetStreamError::Connection {
                            doing: PUBLISHING,
                            source: Box::new(error),
                        },
                    })?;
                // The task that writes to the connection waits on this thread: it begins now, while
                // another thread goes on here.
                if at % YIELD_EVERY == 0 {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            headers.insert(BATCH_COMMIT, "1");
            let answer = self
                .request(PUBLISHING, &message.subject, Some(headers), message.body)
                .await?;
            return acknowledged(&answer.payload);
        }
        Err(JetStreamError::Answer {
            doing: PUBLISHING,
            why: "a batch has messages".to_owned(),
        })
    }

    /// One ordered consumer, from where the subscription is.
    pub(super) async fn ordered(
        &self,
        stream: &str,
        name: &str,
        from_sequence: u64,
        select: &Subscribe,
    ) -> Result<jetstream::consumer::pull::Ordered, JetStreamError> {
        let connection =
            |error: Box<dyn std::error::Error + Send + Sync>| JetStreamError::Connection {
                doing: SUBSCRIBING,
                source: error,
            };
        let config = OrderedConfig {
            deliver_policy: match from_sequence {
                0 | 1 => DeliverPolicy::All,
                start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
            },
            replay_policy: ReplayPolicy::Instant,
            filter_subject: select.filter.clone().unwrap_or_default(),
            headers_only: select.headers_only,
            name: Some(name.to_owned()),
            max_batch: AHEAD,
            max_bytes: AHEAD_BYTES,
            ..OrderedConfig::default()
        };
        let stream = self
            .context
            .get_stream_no_info(stream)
            .await
            .map_err(|error| connection(Box::new(error)))?;
        let consumer = stream
            .create_consumer(config)
            .await
            .map_err(|error| connection(Box::new(error)))?;
        consumer
            .messages()
            .await
            .map_err(|error| connection(Box::new(error)))
    }
}

impl JetStreamPort for JetStreamClient {
    fn publish(&self, message: Message) -> Answer<'_, PublishAck> {
        Box::pin(async move {
            let headers = raw::headers(&message.headers);
            let publishing =
                self.request(PUBLISHING, &message.subject, Some(headers), message.body);
            let answer = self.circuit.call(PUBLISHING, publishing).await?;
            acknowledged(&answer.payload)
        })
    }

    fn publish_batch(&self, messages: Vec<Message>) -> Answer<'_, PublishAck> {
        Box::pin(self.circuit.call(PUBLISHING, self.publish_all(messages)))
    }

    fn subscribe(
        &self,
        stream: &str,
        select: Subscribe,
    ) -> BoxStream<'static, Result<StoredMessage, JetStreamError>> {
        let subscription = Subscription::new(self.clone(), stream, select);
        stream::unfold(Some(subscription), |subscription| async move {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(message) => Some((Ok(message), Some(subscription))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    fn get(
        &self,
        stream: &str,
        get: Get,
        consistency: Consistency,
    ) -> Answer<'_, Option<StoredMessage>> {
        let stream = stream.to_owned();
        Box::pin(async move {
            match consistency {
                Consistency::Leader => self.get_from_leader(&stream, &get).await,
                Consistency::AnyReplica => self.get_direct(&stream, &get).await,
            }
        })
    }

    fn get_batch(
        &self,
        stream: &str,
        from_sequence: u64,
        filter: &str,
        max: usize,
    ) -> Answer<'_, Batch> {
        let (stream, filter) = (stream.to_owned(), filter.to_owned());
        Box::pin(async move { self.batch(&stream, from_sequence, &filter, max).await })
    }

    fn create_stream(&self, config: &StreamConfig) -> Answer<'_, StreamInfo> {
        let config = config.clone();
        Box::pin(async move {
            for _ in 0..NO_FOLDER_TRIES {
                match self.make_stream(&config).await {
                    Err(error) if error.number() == Some(NO_FOLDER) => {
                        tokio::time::sleep(NO_FOLDER_PAUSE).await;
                    }
                    answer => return answer,
                }
            }
            self.make_stream(&config).await
        })
    }

    fn update_stream(&self, config: &StreamConfig) -> Answer<'_, StreamInfo> {
        self.send_config("changing the stream", "STREAM.UPDATE", config)
    }

    fn stream_info(&self, stream: &str) -> Answer<'_, Option<StreamInfo>> {
        let name = format!("STREAM.INFO.{stream}");
        Box::pin(async move {
            match self
                .call("looking at the stream", &name, &Value::Null)
                .await
            {
                Ok(info) => Ok(Some(info)),
                Err(error) if error.number() == Some(NO_STREAM) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn purge(&self, stream: &str, purge: Purge) -> Answer<'_, u64> {
        #[derive(Deserialize)]
        struct Purged {
            purged: u64,
        }
        let name = format!("STREAM.PURGE.{stream}");
        let mut body = serde_json::Map::new();
        body.extend(purge.filter.map(|it| ("filter".to_owned(), it.into())));
        body.extend(purge.before.map(|it| ("seq".to_owned(), it.into())));
        let body = Value::Object(body);
        Box::pin(async move {
            let purging = self.call::<Purged>("deleting messages", &name, &body);
            Ok(purging.await?.purged)
        })
    }

    fn streams(&self) -> Answer<'_, Vec<StreamInfo>> {
        Box::pin(self.list("listing the streams", "STREAM.LIST", "streams"))
    }

    fn create_consumer(&self, stream: &str, config: &ConsumerConfig) -> Answer<'_, ConsumerInfo> {
        let name = format!("CONSUMER.CREATE.{stream}.{}", config.name);
        let body = json!({ "stream_name": stream, "config": config });
        Box::pin(async move { self.call("making the consumer", &name, &body).await })
    }

    fn consumers(&self, stream: &str) -> Answer<'_, Vec<ConsumerInfo>> {
        let name = format!("CONSUMER.LIST.{stream}");
        Box::pin(async move { self.list("listing the consumers", &name, "consumers").await })
    }

    fn account(&self) -> Answer<'_, AccountInfo> {
        Box::pin(self.call("looking at the account", "INFO", &Value::Null))
    }

    fn connection(&self) -> u64 {
        Sent::now(&self.client).number()
    }

    fn server(&self) -> ServerInfo {
        let info = self.client.server_info();
        ServerInfo {
            name: info.server_name,
            version: info.version,
            jetstream: info.jetstream,
            max_payload: info.max_payload,
            cluster: info.cluster,
            domain: info.domain,
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.client
                .flush()
                .await
                .map_err(|error| JetStreamError::Connection {
                    doing: "closing",
                    source: Box::new(error),
                })
        })
    }
}

impl JetStreamClient {
    fn make_stream(
        &self,
        config: &StreamConfig,
    ) -> BoxFuture<'_, Result<StreamInfo, JetStreamError>> {
        self.send_config("making the stream", "STREAM.CREATE", config)
    }

    fn send_config(
        &self,
        doing: &'static str,
        name: &str,
        config: &StreamConfig,
    ) -> BoxFuture<'_, Result<StreamInfo, JetStreamError>> {
        let name = format!("{name}.{}", config.name);
        let body = serde_json::to_value(config).map_err(|error| wrong(doing, &error));
        async move { self.call(doing, &name, &body?).await }.boxed()
    }
}

/// Reads an answer of the API, which may be a refusal.
fn parse<T: DeserializeOwned>(doing: &'static str, body: &[u8]) -> Result<T, JetStreamError> {
    #[derive(Deserialize)]
    struct Outcome {
        error: Option<Fault>,
    }
    let outcome: Outcome = serde_json::from_slice(body).map_err(|error| wrong(doing, &error))?;
    match outcome.error {
        Some(fault) => Err(fault.refused(doing)),
        None => serde_json::from_slice(body).map_err(|error| wrong(doing, &error)),
    }
}

#[derive(Deserialize)]
struct Fault {
    code: u16,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

impl Fault {
    fn refused(self, doing: &'static str) -> JetStreamError {
        JetStreamError::Refused {
            doing,
            status: self.code,
            number: self.err_code,
            description: self.description,
        }
    }
}

/// Reads the acknowledgement of a message.
fn acknowledged(body: &[u8]) -> Result<PublishAck, JetStreamError> {
    #[derive(Deserialize)]
    struct Ack {
        stream: String,
        seq: u64,
        #[serde(default)]
        duplicate: bool,
    }
    let ack: Ack = parse(PUBLISHING, body)?;
    Ok(PublishAck {
        stream: ack.stream,
        sequence: ack.seq,
        duplicate: ack.duplicate,
    })
}

pub(super) fn wrong(doing: &'static str, error: &dyn std::fmt::Display) -> JetStreamError {
    JetStreamError::Answer {
        doing,
        why: error.to_string(),
    }
}

/// A refusal by a status line.
pub(super) fn refused(
    doing: &'static str,
    status: StatusCode,
    description: Option<String>,
) -> JetStreamError {
    JetStreamError::Refused {
        doing,
        status: status.as_u16(),
        number: 0,
        description: description.unwrap_or_else(|| format!("status {}", status.as_u16())),
    }
}

/// A time of the server, cut to microseconds.
pub(super) fn server_time(text: &str) -> Result<Timestamp, JetStreamError> {
    Timestamp::parse_lenient(text)
        .map(|time| time.timestamp)
        .map_err(|error| wrong(GETTING, &error))
}

const PUBLISHING: &str = "publishing";
pub(super) const GETTING: &str = "reading a message";
pub(super) const SUBSCRIBING: &str = "subscribing";

/// After so many messages of a batch, the task that writes them is let in.
const YIELD_EVERY: usize = 16;

/// The headers of an atomic batch (ADR-50).
const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The server's number (`errors.json`) for a stream that is not there.
pub(super) const NO_STREAM: u32 = 10059;

/// The server's number for a stream whose folder cannot be made. When the last stream of an account
/// was deleted a moment ago, that is because the server is still removing the account's folder.
const NO_FOLDER: u32 = 10049;

/// How often, and after which pause, a stream without a folder is asked for again: the removal takes
/// milliseconds, and who has no room on the disk shall not wait long to be told.
const NO_FOLDER_TRIES: u32 = 5;
const NO_FOLDER_PAUSE: Duration = Duration::from_millis(100);
