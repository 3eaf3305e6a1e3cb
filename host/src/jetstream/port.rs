//! The port to JetStream: what the store, the plans of streams and `doctor` ask of a server.

use std::fmt;
use std::num::NonZeroU64;

use bytes::Bytes;
use cim_core::headers::MESSAGE_ID;
use cim_core::message::Message;
use cim_core::time::Timestamp;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::consumer::{ConsumerConfig, ConsumerInfo};
use super::error::JetStreamError;
use super::server::{AccountInfo, ServerInfo};
use super::stream::{StreamConfig, StreamInfo};

/// The header by which a message is stored only if the last one of its subject has this sequence.
pub(super) const EXPECTED_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";

/// The answer of a call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, JetStreamError>>;

/// A connection to JetStream.
///
/// It reconnects by itself. A call fails with [`JetStreamError::NoAnswer`] when none came before
/// the time-out: what was published may then be stored or not.
#[doc(alias = "NatsClient")]
pub trait JetStreamPort: fmt::Debug + Send + Sync {
    /// Publishes a message as it is and waits for the acknowledgement.
    fn publish(&self, message: Message) -> Answer<'_, PublishAck>;

    /// Publishes a message under an id, by which the server knows a repeat within the stream's
    /// duplicate window.
    fn publish_with_id(&self, id: &str, mut message: Message) -> Answer<'_, PublishAck> {
        message.headers.push((MESSAGE_ID.to_owned(), id.to_owned()));
        self.publish(message)
    }

    /// Publishes messages as one atomic batch (ADR-50) and waits for the acknowledgement of all of
    /// them: its sequence is the last message's, those before stand right before it. The headers
    /// of the batch are added here.
    ///
    /// At most 1000 messages; a single one is better published alone.
    fn publish_batch(&self, messages: Vec<Message>) -> Answer<'_, PublishAck>;

    /// The messages of a stream in its order, then each new one as it is stored, without gap or
    /// repeat, also over reconnects. It ends with an error or when it is dropped.
    fn subscribe(
        &self,
        stream: &str,
        select: Subscribe,
    ) -> BoxStream<'static, Result<StoredMessage, JetStreamError>>;

    /// One message; `None` where there is none.
    fn get(
        &self,
        stream: &str,
        get: Get,
        consistency: Consistency,
    ) -> Answer<'_, Option<StoredMessage>>;

    /// The messages from a sequence on whose subjects match a filter, at most `max`, in one round
    /// trip (batched direct get, ADR-31). The server ends it earlier when that is too many bytes.
    /// Any replica may answer, also one that lags.
    ///
    /// What comes is what the stream has, without gaps. That nothing comes says nothing: a mirror of
    /// the stream may have answered, or nobody for a second, or one of the messages does not get
    /// through to us.
    fn get_batch(
        &self,
        stream: &str,
        from_sequence: u64,
        filter: &str,
        max: usize,
    ) -> Answer<'_, Batch>;

    /// Makes a stream; the same again is no error. Takes half a second longer where the server cannot
    /// make the stream's folder, which passes if it has just deleted the account's last stream.
    fn create_stream(&self, config: &StreamConfig) -> Answer<'_, StreamInfo>;

    /// Changes a stream's configuration.
    fn update_stream(&self, config: &StreamConfig) -> Answer<'_, StreamInfo>;

    /// A stream's configuration and state, from its leader; `None` where there is no stream.
    fn stream_info(&self, stream: &str) -> Answer<'_, Option<StreamInfo>>;

    /// Deletes messages of a stream, and tells how many. One that is asked for again because its answer
    /// was late tells fewer.
    fn purge(&self, stream: &str, purge: Purge) -> Answer<'_, u64>;

    /// All streams of the account, by name.
    fn streams(&self) -> Answer<'_, Vec<StreamInfo>>;

    /// Makes a durable consumer; the same again is no error.
    fn create_consumer(&self, stream: &str, config: &ConsumerConfig) -> Answer<'_, ConsumerInfo>;

    /// All consumers of a stream, by name.
    fn consumers(&self, stream: &str) -> Answer<'_, Vec<ConsumerInfo>>;

    /// The limits and the use of JetStream in the account.
    fn account(&self) -> Answer<'_, AccountInfo>;

    /// The number of the connection that the next call goes out on: it grows with each reconnect.
    fn connection(&self) -> u64;

    /// The server that the connection is to.
    fn server(&self) -> ServerInfo;

    /// Sends what waits and ends the connection.
    fn close(&self) -> Answer<'_, ()>;
}

/// That a stream has a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishAck {
    /// The stream's name.
    pub stream: String,
    /// The message's sequence in it, from 1.
    pub sequence: u64,
    /// Whether a message with this id was there already, within the duplicate window.
    pub duplicate: bool,
}

/// A message as a stream has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredMessage {
    /// Its sequence in the stream, from 1.
    pub sequence: u64,
    /// When the server stored it.
    pub stored_at: Timestamp,
    /// The message, with every header that it has.
    pub message: Message,
}

/// The messages of a [`JetStreamPort::get_batch`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// They, in the stream's order.
    pub messages: Vec<StoredMessage>,
    /// How many more match behind them.
    pub pending: u64,
}

/// Which message to get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Get {
    /// The one at this sequence.
    Sequence(u64),
    /// The last one whose subject matches this filter.
    Last(String),
    /// The first one from a sequence on.
    From(u64),
    /// The first one from a sequence on whose subject matches this filter.
    Next(u64, String),
}

/// Which messages are deleted: those that meet all conditions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Purge {
    /// Those whose subjects match this filter.
    pub filter: Option<String>,
    /// Those before this sequence.
    pub before: Option<u64>,
}

/// How fresh the answer to a [`JetStreamPort::get`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Consistency {
    /// The stream's leader: all that is acknowledged is seen.
    Leader,
    /// Any replica, for streams with direct get: faster, but it may lag. That there is no message is
    /// not sure either: a mirror of the stream may say so.
    AnyReplica,
}

/// What a subscription delivers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscribe {
    /// The first sequence; `None` for all.
    pub from_sequence: Option<NonZeroU64>,
    /// The subjects; all of the stream without it.
    pub filter: Option<String>,
    /// Leave the bodies out.
    pub headers_only: bool,
    /// When the stream was made, as [`StreamInfo::created`] tells it: another stream under the same
    /// name, or one that has gone back behind what was delivered, ends the subscription with
    /// [`JetStreamError::AnotherStream`]. `None` to follow whatever has the name.
    pub created: Option<String>,
}

impl StoredMessage {
    /// The value of a header; the first one where it is repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message
            .headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body, shared.
    pub fn body(&self) -> Bytes {
        self.message.body.clone()
    }
}
