//! Consumers as the server describes them (JetStream API, `CONSUMER.INFO`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The configuration of a durable pull consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerConfig {
    /// Its name.
    #[serde(rename = "durable_name", default)]
    pub name: String,
    /// Which subjects it delivers; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_subject: Option<String>,
    /// How receipt is confirmed: `explicit`, `all` or `none`.
    #[serde(default)]
    pub ack_policy: String,
    /// After how many nanoseconds an unconfirmed message is delivered again.
    #[serde(default)]
    pub ack_wait: u64,
    /// How often a message is delivered at most; -1 for no limit.
    #[serde(default)]
    pub max_deliver: i64,
    /// How many messages may be unconfirmed; -1 for no limit.
    #[serde(default)]
    pub max_ack_pending: i64,
    /// Every other field, as the server has it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A consumer: its configuration and how far it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// The stream.
    #[serde(rename = "stream_name")]
    pub stream: String,
    /// Its configuration.
    pub config: ConsumerConfig,
    /// Messages that it has not delivered yet.
    #[serde(default)]
    pub num_pending: u64,
    /// Messages that were delivered and are not confirmed.
    #[serde(default)]
    pub num_ack_pending: u64,
    /// Messages that were delivered more than once and are not confirmed.
    #[serde(default)]
    pub num_redelivered: u64,
    /// The last message that was delivered.
    #[serde(default)]
    pub delivered: SequencePair,
    /// Up to where all is confirmed.
    #[serde(default)]
    pub ack_floor: SequencePair,
}

/// A place in a consumer's own count and in its stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
pub struct SequencePair {
    /// In the consumer's deliveries.
    pub consumer_seq: u64,
    /// In the stream.
    pub stream_seq: u64,
}
