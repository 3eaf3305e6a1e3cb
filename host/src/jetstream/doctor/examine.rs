//! Gathers the facts. Nothing is written, and what cannot be seen is a fact too.

use std::path::{Path, PathBuf};

use cim_core::time::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use super::facts::{Clock, Facts, IndexFacts, ServerSettings, StreamFacts, Unseen, User};
use super::monitor;
use crate::clock;
use crate::jetstream::plan::{StreamPlan, difference, parse_store};
use crate::jetstream::{
    JetStreamClient, JetStreamError, JetStreamPort as _, NatsOptions, StreamConfig,
};
use crate::sqlite::longest_in_index;
use crate::store::StoreError;

/// What is looked at, and how.
#[derive(Debug)]
pub struct Examination<'a> {
    /// The connection of the user that the store works with.
    pub client: &'a JetStreamClient,
    /// How it was made.
    pub options: &'a NatsOptions,
    /// A connection of a user of the system account, if there is one.
    pub system: Option<&'a JetStreamClient>,
    /// Monitoring ports, `http://host:8222`.
    pub monitors: &'a [String],
    /// How streams should be.
    pub plans: &'a [StreamPlan],
    /// Where the indexes of stores lie.
    pub index_folder: Option<PathBuf>,
    /// `[event_store] max_events_per_aggregate`.
    pub max_events_per_aggregate: u64,
}

/// Gathers the facts.
///
/// # Errors
///
/// [`StoreError`] when a local index is there and cannot be read.
pub async fn examine(examination: Examination<'_>) -> Result<Facts, StoreError> {
    let Examination {
        client, options, ..
    } = examination;
    let (user, clock) = user(client).await;
    let streams = streams(client, examination.plans).await;
    let index = index(&examination, &streams)?;
    Ok(Facts {
        server: client.server(),
        settings: settings(&examination).await,
        account: client.account().await.map_err(|error| unseen(&error)),
        user,
        clock,
        streams,
        api: options.api.prefix(),
        inbox: options
            .inbox_prefix
            .clone()
            .unwrap_or_else(|| "_INBOX".to_owned()),
        index,
        max_events_per_aggregate: examination.max_events_per_aggregate,
    })
}

fn unseen(error: &JetStreamError) -> Unseen {
    Unseen {
        why: error.to_string(),
    }
}

/// The settings of servers, from whoever tells them.
async fn settings(examination: &Examination<'_>) -> Result<Vec<ServerSettings>, Unseen> {
    let mut seen: Vec<ServerSettings> = Vec::new();
    let mut reasons = Vec::new();
    for url in examination.monitors {
        let url = url.clone();
        let asked = tokio::task::spawn_blocking(move || monitor::settings(&url)).await;
        match asked {
            Ok(Ok(settings)) => seen.push(settings),
            Ok(Err(unseen)) => reasons.push(unseen.why),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let client = examination.system.unwrap_or(examination.client);
    if seen.is_empty() || examination.system.is_some() {
        match client.ask_servers("asking for settings", VARZ).await {
            Ok(answers) => {
                let told = answers.iter();
                let told = told.filter_map(|answer| ServerSettings::read(&answer["data"]));
                for settings in told {
                    if !seen.iter().any(|other| other.name == settings.name) {
                        seen.push(settings);
                    }
                }
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if seen.is_empty() {
        let why = reasons.join("; ");
        return Err(Unseen { why });
    }
    Ok(seen)
}

/// Who we are, and what the server's clock says.
async fn user(client: &JetStreamClient) -> (Result<User, Unseen>, Option<Clock>) {
    let asked = clock::now();
    let answer = client.ask_one("asking who we are", USER).await;
    let answered = clock::now();
    match answer {
        Ok(answer) => {
            let user = User::deserialize(&answer["data"]).map_err(|error| Unseen {
                why: error.to_string(),
            });
            (user, difference_of_clocks(&answer, asked, answered))
        }
        Err(error) => (Err(unseen(&error)), None),
    }
}

fn difference_of_clocks(answer: &Value, asked: Timestamp, answered: Timestamp) -> Option<Clock> {
    let told = Timestamp::parse_lenient(answer["server"]["time"].as_str()?).ok()?;
    let micros = |time: Timestamp| i64::try_from(time.micros()).ok();
    let (asked, answered) = (micros(asked)?, micros(answered)?);
    Some(Clock {
        ahead_micros: micros(told.timestamp)? - i64::midpoint(asked, answered),
        within_micros: answered - asked,
    })
}

async fn streams(
    client: &JetStreamClient,
    plans: &[StreamPlan],
) -> Result<Vec<StreamFacts>, Unseen> {
    let mut streams = Vec::with_capacity(plans.len());
    let others = match client.streams().await {
        // Who may not list the streams sees no mirrors; that is no fault.
        Err(JetStreamError::NotAllowed { .. }) => Vec::new(),
        others => others.map_err(|error| unseen(&error))?,
    };
    for plan in plans {
        let found = client.stream_info(&plan.name).await;
        let found = found.map_err(|error| unseen(&error))?;
        let changes = found
            .as_ref()
            .map(|info| difference(&info.config, &plan.wanted()));
        let mirrors = others
            .iter()
            .filter(|info| answers_for(&info.config, &plan.name));
        streams.push(StreamFacts {
            mirrors: mirrors.map(|info| info.config.name.clone()).collect(),
            plan: plan.clone(),
            changes: changes.unwrap_or_default(),
            found,
        });
    }
    Ok(streams)
}

/// Whether a stream is a mirror of another one that answers its direct gets. The server makes it so
/// by itself where the other allows direct gets.
fn answers_for(config: &StreamConfig, stream: &str) -> bool {
    let mirror = config
        .other
        .get("mirror")
        .and_then(|mirror| mirror.get("name"));
    let is_direct = config.other.get("mirror_direct").and_then(Value::as_bool);
    mirror.and_then(Value::as_str) == Some(stream) && is_direct == Some(true)
}

/// The index of the first stream that is a store.
fn index(
    examination: &Examination<'_>,
    streams: &Result<Vec<StreamFacts>, Unseen>,
) -> Result<Option<IndexFacts>, StoreError> {
    let streams = streams.as_ref().map(Vec::as_slice).unwrap_or_default();
    let mut stores = streams.iter().filter_map(|stream| {
        let info = stream.found.as_ref()?;
        parse_store(&info.config).ok()
    });
    let (Some(folder), Some(store)) = (&examination.index_folder, stores.next()) else {
        return Ok(None);
    };
    let path = folder.join(format!("{}.db", store.store_id));
    if !path.is_file() {
        return Ok(None);
    }
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    Ok(Some(IndexFacts {
        bytes: size(&path) + size(&PathBuf::from(format!("{}-wal", path.display()))),
        longest: longest_in_index(&path)?,
        path,
    }))
}

/// Where every server of a cluster tells its settings to the system account.
pub(super) const VARZ: &str = "$SYS.REQ.SERVER.PING.VARZ";

/// Where the server that we are connected to tells who we are.
pub(super) const USER: &str = "$SYS.REQ.USER.INFO";
