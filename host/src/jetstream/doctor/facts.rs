//! What is known of a server, an account and its streams.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::permissions::Permissions;
use crate::jetstream::plan::{FieldChange, StreamPlan};
use crate::jetstream::{AccountInfo, ServerInfo, StreamInfo};

/// What is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The server that we are connected to.
    pub server: ServerInfo,
    /// The settings of the servers, as far as they were seen.
    pub settings: Result<Vec<ServerSettings>, Unseen>,
    /// Use and limits of JetStream.
    pub account: Result<AccountInfo, Unseen>,
    /// Who we are.
    pub user: Result<User, Unseen>,
    /// The server's clock beside ours.
    pub clock: Option<Clock>,
    /// The streams of `cim.toml`.
    pub streams: Result<Vec<StreamFacts>, Unseen>,
    /// The prefix of JetStream's API.
    pub api: String,
    /// What the subjects of answers begin with.
    pub inbox: String,
    /// The local index of the store, if there is one.
    pub index: Option<IndexFacts>,
    /// `[event_store] max_events_per_aggregate`.
    pub max_events_per_aggregate: u64,
}

/// Why something was not seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unseen {
    /// What was tried, and how it ended.
    pub why: String,
}

/// How a server is set up, as far as it matters to events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerSettings {
    /// The server's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it writes to the disk; none without JetStream.
    pub sync: Option<Sync>,
}

/// When a server writes through to the disk what it has acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sync {
    /// Before it acknowledges.
    Always,
    /// At the latest so long after it.
    Interval(Duration),
}

impl ServerSettings {
    /// Reads what a server tells on `$SYS.REQ.SERVER.PING.VARZ` within `data`, and on `/varz`.
    pub(super) fn read(varz: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        struct Varz {
            server_name: String,
            version: String,
            #[serde(default)]
            jetstream: Jetstream,
        }
        #[derive(Default, Deserialize)]
        struct Jetstream {
            config: Option<Config>,
        }
        #[derive(Deserialize)]
        struct Config {
            sync_interval: u64,
            // The interval stands beside it and does not count then.
            #[serde(default)]
            sync_always: bool,
        }
        let varz = Varz::deserialize(varz).ok()?;
        let sync = varz
            .jetstream
            .config
            .map(|config| match config.sync_always {
                true => Sync::Always,
                false => Sync::Interval(Duration::from_nanos(config.sync_interval)),
            });
        Some(Self {
            name: varz.server_name,
            version: varz.version,
            sync,
        })
    }
}

/// Who a connection is to the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct User {
    /// The user's name or public key.
    #[serde(default)]
    pub user: String,
    /// The account's name or public key.
    #[serde(default)]
    pub account: String,
    /// What it may do; all within its account without it.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// After how many nanoseconds its credentials end; none for never.
    #[serde(default)]
    pub expires: Option<u64>,
}

/// The server's clock beside ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clock {
    /// How many microseconds the server's is ahead of ours; negative when it is behind.
    pub ahead_micros: i64,
    /// How many microseconds the question and its answer took: the difference is no better known.
    pub within_micros: i64,
}

/// A stream of `cim.toml`, beside the server's.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamFacts {
    /// As it should be.
    pub plan: StreamPlan,
    /// As it is; none where there is none.
    pub found: Option<StreamInfo>,
    /// What differs.
    pub changes: Vec<FieldChange>,
    /// The mirrors of it that answer direct gets in its place, as far as they were seen.
    pub mirrors: Vec<String>,
}

/// The local index of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexFacts {
    /// The file.
    pub path: PathBuf,
    /// Its bytes, with its log.
    pub bytes: u64,
    /// The longest history that it knows, and its events.
    pub longest: Option<(String, u64)>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_from_what_a_server_tells() {
        let read = |jetstream: Value| {
            let varz = json!({"server_name": "a", "version": "2.15.1", "jetstream": jetstream});
            ServerSettings::read(&varz).expect("settings").sync
        };
        let interval = json!({"config": {"sync_interval": 120_000_000_000_u64}});
        assert_eq!(
            read(interval),
            Some(Sync::Interval(Duration::from_secs(120)))
        );
        let always = json!({"config": {"sync_interval": 120_000_000_000_u64, "sync_always": true}});
        assert_eq!(read(always), Some(Sync::Always));
        assert_eq!(read(json!({})), None);
        assert_eq!(ServerSettings::read(&json!({"version": "2.15.1"})), None);
    }
}
