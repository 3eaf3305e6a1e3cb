//! Streams as the server describes them (JetStream API, `STREAM.INFO`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The configuration of a stream. Fields that are not listed are kept in `other`, so that an
/// update sends back what it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// The subjects whose messages it takes.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// When messages go away of themselves.
    #[serde(default)]
    pub retention: Retention,
    /// Where messages lie.
    #[serde(default)]
    pub storage: Storage,
    /// On how many servers.
    #[serde(default = "one")]
    pub num_replicas: u32,
    /// What happens when it is full.
    #[serde(default)]
    pub discard: Discard,
    /// The oldest age of a message in nanoseconds; 0 for no limit.
    #[serde(default)]
    pub max_age: u64,
    /// The most messages; -1 for no limit.
    #[serde(default = "no_limit")]
    pub max_msgs: i64,
    /// The most messages of one subject; -1 for no limit.
    #[serde(default = "no_limit")]
    pub max_msgs_per_subject: i64,
    /// The most bytes; -1 for no limit.
    #[serde(default = "no_limit")]
    pub max_bytes: i64,
    /// The largest message in bytes; -1 for the server's limit.
    #[serde(default = "no_limit")]
    pub max_msg_size: i64,
    /// For how long message ids are remembered, in nanoseconds; 0 for the server's default.
    #[serde(default)]
    pub duplicate_window: u64,
    /// Whether single messages cannot be deleted.
    #[serde(default)]
    pub deny_delete: bool,
    /// Whether messages cannot be purged.
    #[serde(default)]
    pub deny_purge: bool,
    /// Whether any replica answers direct gets.
    #[serde(default)]
    pub allow_direct: bool,
    /// Whether it takes atomic batches (ADR-50).
    #[serde(default)]
    pub allow_atomic: bool,
    /// What its makers wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Every other field, as the server has it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn one() -> u32 {
    1
}

fn no_limit() -> i64 {
    -1
}

impl StreamConfig {
    /// A stream of this name with the server's defaults and no subjects.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            subjects: Vec::new(),
            retention: Retention::Limits,
            storage: Storage::File,
            num_replicas: 1,
            discard: Discard::Old,
            max_age: 0,
            max_msgs: -1,
            max_msgs_per_subject: -1,
            max_bytes: -1,
            max_msg_size: -1,
            duplicate_window: 0,
            deny_delete: false,
            deny_purge: false,
            allow_direct: false,
            allow_atomic: false,
            metadata: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// Which messages it drops by itself, other than by age: those, a phrase says.
    pub(super) fn dropped(&self) -> Option<&'static str> {
        if self.retention != Retention::Limits {
            return Some("that consumers have acknowledged");
        }
        let discards_new = self.discard == Discard::New;
        // Without this, the limit of each subject drops the oldest whatever `discard` says.
        let of_subjects_too = self.other.get("discard_new_per_subject") == Some(&true.into());
        if self.max_msgs_per_subject > 0 && !(discards_new && of_subjects_too) {
            return Some("that are the oldest of their subject");
        }
        let is_limited = self.max_msgs > 0 || self.max_bytes > 0;
        (is_limited && !discards_new).then_some("that are oldest when it is full")
    }
}

/// When messages go away of themselves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// At the limits.
    #[default]
    Limits,
    /// When every consumer has acknowledged them.
    Interest,
    /// When one consumer has acknowledged them.
    WorkQueue,
}

/// Where messages lie.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In memory.
    Memory,
}

/// What happens when a stream is full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// The oldest messages go.
    #[default]
    Old,
    /// New messages are refused.
    New,
}

/// A stream: its configuration and what it holds now.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StreamInfo {
    /// Its configuration.
    pub config: StreamConfig,
    /// What it holds.
    pub state: StreamState,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Its replicas; absent on a single server.
    pub cluster: Option<Cluster>,
}

/// What a stream holds.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize)]
pub struct StreamState {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
    /// The first sequence; 0 in one that never had a message.
    pub first_seq: u64,
    /// The last sequence; 0 in one that never had a message.
    pub last_seq: u64,
    /// Consumers.
    #[serde(default)]
    pub consumer_count: u64,
    /// Different subjects.
    #[serde(default)]
    pub num_subjects: u64,
    /// Messages that were deleted between the first and the last.
    #[serde(default)]
    pub num_deleted: u64,
}

/// The replicas of a stream.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize)]
pub struct Cluster {
    /// The cluster's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The server that leads; `None` while there is none.
    #[serde(default)]
    pub leader: Option<String>,
    /// The other replicas.
    #[serde(default)]
    pub replicas: Vec<Replica>,
}

/// A replica that does not lead.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize)]
pub struct Replica {
    /// Its server.
    pub name: String,
    /// Whether it has all.
    pub current: bool,
    /// Whether it is not reached.
    #[serde(default)]
    pub offline: bool,
    /// How many operations it lags behind.
    #[serde(default)]
    pub lag: u64,
    /// For how many nanoseconds the leader has not heard of it. A server that was killed is
    /// `offline` only after minutes.
    #[serde(default)]
    pub active: u64,
}
