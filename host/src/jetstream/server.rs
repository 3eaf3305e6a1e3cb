//! The server and the account as they describe themselves.

use serde::Deserialize;

/// The server that a connection is to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerInfo {
    /// Its name.
    pub name: String,
    /// Its version, such as `2.15.1`.
    pub version: String,
    /// Whether JetStream is on.
    pub jetstream: bool,
    /// The largest message that it takes, in bytes, headers included.
    pub max_payload: usize,
    /// Its cluster's name; none on a single server.
    pub cluster: Option<String>,
    /// Its JetStream domain.
    pub domain: Option<String>,
}

/// Use and limits of JetStream in an account (JetStream API, `INFO`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct AccountInfo {
    /// Bytes in memory.
    #[serde(default)]
    pub memory: u64,
    /// Bytes on disk.
    #[serde(default)]
    pub storage: u64,
    /// Streams.
    #[serde(default)]
    pub streams: u64,
    /// Consumers.
    #[serde(default)]
    pub consumers: u64,
    /// The domain.
    #[serde(default)]
    pub domain: Option<String>,
    /// What the account may use.
    #[serde(default)]
    pub limits: AccountLimits,
}

/// What an account may use of JetStream; -1 for no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
pub struct AccountLimits {
    /// Bytes in memory.
    #[serde(default)]
    pub max_memory: i64,
    /// Bytes on disk.
    #[serde(default)]
    pub max_storage: i64,
    /// Streams.
    #[serde(default)]
    pub max_streams: i64,
    /// Consumers.
    #[serde(default)]
    pub max_consumers: i64,
}
