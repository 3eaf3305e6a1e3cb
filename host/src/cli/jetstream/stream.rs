//! `cim stream`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ServerArgs, grid};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, count, say};
use crate::cli::place::Place;
use crate::jetstream::plan::{
    Action, FieldChange, Loss, Overlap, Planned, PlannedStream, StreamPlan, apply, parse_store,
    plan, shown,
};
use crate::jetstream::{JetStreamPort as _, StreamConfig, StreamInfo};

#[derive(Debug, Subcommand)]
pub(crate) enum Stream {
    /// Show what differs between the streams of cim.toml and the server
    Plan(Show),
    /// Make and change streams so that they are as cim.toml says
    Apply(Apply),
    /// Show the streams that are there
    Info(Info),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim stream plan
  cim stream plan --nats nats://localhost:4222 --json

cim.toml names the stream of the store with `[event_store]`, and others with tables such as

  [[stream]]
  preset = \"KEYS_EVENTS\"
  replicas = 3

  [[stream]]
  name = \"PERSON_DLQ\"
  kind = \"dead-letters\"
  subjects = [\"person.dlq.>\"]
  retention_days = 30

Kinds: events, published-events, commands, dead-letters.
Presets: KEYS_EVENTS, KEYS_COMMANDS, CIM-EVENTS.")]
pub(crate) struct Show {
    #[command(flatten)]
    server: ServerArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim stream apply
  cim stream apply --allow-loss

`cim stream plan` shows what it would do.")]
pub(crate) struct Apply {
    #[command(flatten)]
    server: ServerArgs,
    /// Also make changes that can lose messages
    #[arg(long)]
    allow_loss: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim stream info
  cim stream info CIM-EVENTS --json")]
pub(crate) struct Info {
    /// The stream; all without it
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Stream {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Plan(command) => command.run(place, out).await,
            Self::Apply(command) => command.run(place, out).await,
            Self::Info(command) => command.run(place, out).await,
        }
    }
}

impl Show {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let server = self.server.connect(place).await?;
        let store = server.store_stream(&place.config);
        let plans = StreamPlan::from_config(&place.config, Some(&store))?;
        let planned = plan(&server.client, &plans).await?;
        let refused = planned.obstacle(Loss::Refuse).map(Failure::from);
        if self.json {
            let mut document = document("cim.stream.plan/v1", &server.url(), &planned);
            document["refused"] = json!(refused.map(|failure| json!({
                "code": failure.code,
                "message": failure.message,
                "help": failure.help,
            })));
            return out.json(&document);
        }
        print(&planned, Tense::Future, out)?;
        out.flush()?;
        match refused {
            Some(failure) => say(&format!(
                "`cim stream apply` will refuse this: {}\nhelp: {}",
                failure.message,
                failure.help.unwrap_or_default()
            )),
            None if planned.is_done() => say("Nothing to change."),
            None => say(&format!(
                "{} to make, {} to change; `cim stream apply` does it.",
                count(of(&planned, Action::Create), "stream"),
                of(&planned, Action::Change)
            )),
        }
        Ok(())
    }
}

impl Apply {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let server = self.server.connect(place).await?;
        let store = server.store_stream(&place.config);
        let plans = StreamPlan::from_config(&place.config, Some(&store))?;
        let planned = plan(&server.client, &plans).await?;
        let loss = if self.allow_loss {
            Loss::Allow
        } else {
            Loss::Refuse
        };
        apply(&server.client, &planned, loss).await?;
        if self.json {
            let document = document("cim.stream.apply/v1", &server.url(), &planned);
            return out.json(&document);
        }
        print(&planned, Tense::Past, out)?;
        out.flush()?;
        if planned.is_done() {
            say("Nothing to change.");
        } else {
            say(&format!(
                "Made {}, changed {}.",
                count(of(&planned, Action::Create), "stream"),
                of(&planned, Action::Change)
            ));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Tense {
    Future,
    Past,
}

fn of(planned: &Planned, action: Action) -> u64 {
    let streams = planned.streams.iter();
    streams.filter(|stream| stream.action() == action).count() as u64
}

fn print(planned: &Planned, tense: Tense, out: &mut Output) -> Result<(), Failure> {
    let rows: Vec<_> = planned
        .streams
        .iter()
        .map(|stream| {
            [
                word(stream.action(), tense).to_owned(),
                stream.config.name.clone(),
                stream.kind.to_string(),
                stream.config.subjects.join(","),
                settings(&stream.config),
            ]
        })
        .collect();
    for (stream, line) in planned.streams.iter().zip(grid::lines(&rows)) {
        out.line(&line)?;
        for change in &stream.changes {
            out.line(&format!("        {}", described(change)))?;
        }
        for overlap in &stream.overlaps {
            out.line(&format!("        overlap: {overlap}"))?;
        }
    }
    Ok(())
}

fn word(action: Action, tense: Tense) -> &'static str {
    match (action, tense) {
        (_, Tense::Future) => action.as_str(),
        (Action::Create, Tense::Past) => "created",
        (Action::Change, Tense::Past) => "changed",
        (Action::Keep, Tense::Past) => "kept",
    }
}

fn settings(config: &StreamConfig) -> String {
    let age = match config.max_age {
        0 => "no age limit".to_owned(),
        age => shown("max_age", &age.into()),
    };
    format!(
        "{}, {age}",
        count(u64::from(config.num_replicas), "replica")
    )
}

fn described(change: &FieldChange) -> String {
    match change.effect.why() {
        Some(why) => format!("{change}   {}: {why}", change.effect.as_str()),
        None => change.to_string(),
    }
}

fn document(schema: &str, server: &str, planned: &Planned) -> Value {
    let streams: Vec<_> = planned.streams.iter().map(stream_json).collect();
    json!({
        "schema": schema,
        "server": server,
        "done": planned.is_done(),
        "streams": streams,
    })
}

fn stream_json(stream: &PlannedStream) -> Value {
    let change = |change: &FieldChange| {
        json!({
            "field": change.field,
            "found": change.found,
            "wanted": change.wanted,
            "effect": change.effect.as_str(),
            "why": change.effect.why(),
        })
    };
    let overlap = |overlap: &Overlap| {
        json!({
            "stream": overlap.stream,
            "subject": overlap.subject,
            "wanted": overlap.wanted.as_str(),
        })
    };
    json!({
        "name": stream.config.name,
        "kind": stream.kind.as_str(),
        "action": stream.action().as_str(),
        "changes": stream.changes.iter().map(change).collect::<Vec<_>>(),
        "overlaps": stream.overlaps.iter().map(overlap).collect::<Vec<_>>(),
        "config": stream.config,
    })
}

impl Info {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let server = self.server.connect(place).await?;
        let streams = match &self.name {
            None => server.client.streams().await?,
            Some(name) => {
                let found = server.client.stream_info(name).await?;
                vec![found.ok_or_else(|| no_stream(name))?]
            }
        };
        if self.json {
            let streams: Vec<_> = streams.iter().map(info_json).collect();
            return out.json(&json!({
                "schema": "cim.stream.info/v1",
                "server": server.url(),
                "streams": streams,
            }));
        }
        match (&self.name, &streams[..]) {
            (Some(_), [stream]) => {
                for (name, value) in page(stream) {
                    out.line(format!("{name:<20}  {value}").trim_end())?;
                }
            }
            (_, []) => say("There is no stream; `cim stream apply` makes those of cim.toml."),
            _ => {
                let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned))
                    .chain(streams.iter().map(row))
                    .collect();
                for line in grid::lines(&rows) {
                    out.line(&line)?;
                }
            }
        }
        Ok(())
    }
}

/// The stream is not there.
pub(super) fn no_stream(name: &str) -> Failure {
    let message = format!("there is no stream `{name}`");
    Failure::new(Exit::NotFound, "stream-not-found", message).help(
        "`cim stream info` lists those that are there; `cim stream apply` makes those of cim.toml",
    )
}

const HEAD: [&str; 7] = [
    "name",
    "messages",
    "bytes",
    "replicas",
    "max_age",
    "consumers",
    "subjects",
];

fn row(info: &StreamInfo) -> [String; HEAD.len()] {
    [
        info.config.name.clone(),
        info.state.messages.to_string(),
        info.state.bytes.to_string(),
        info.config.num_replicas.to_string(),
        shown("max_age", &info.config.max_age.into()),
        info.state.consumer_count.to_string(),
        info.config.subjects.join(","),
    ]
}

/// What people are shown of a stream.
fn page(info: &StreamInfo) -> Vec<(String, String)> {
    let StreamInfo { config, state, .. } = info;
    let line = |name: &str, value: String| (name.to_owned(), value);
    let mut page = vec![line("name", config.name.clone())];
    if let Ok(store) = parse_store(config) {
        page.push(line("store", store.store_id.to_string()));
        page.push(line("template", store.template.to_string()));
    }
    let fields = serde_json::to_value(config).unwrap_or_default();
    for field in FIELDS {
        page.push(line(field, shown(field, &fields[field])));
    }
    page.push(line("messages", state.messages.to_string()));
    page.push(line("bytes", state.bytes.to_string()));
    let sequences = format!("{} to {}", state.first_seq, state.last_seq);
    page.push(line("sequences", sequences));
    page.push(line("consumers", state.consumer_count.to_string()));
    page.push(line("created", info.created.clone()));
    if let Some(cluster) = &info.cluster {
        let leader = cluster.leader.clone();
        page.push(line("leader", leader.unwrap_or_else(|| "none".to_owned())));
        for replica in &cluster.replicas {
            let state = match (replica.offline, replica.current) {
                (true, _) => "offline".to_owned(),
                (false, true) => "current".to_owned(),
                (false, false) => format!(
                    "not current, {} behind, last heard of {} s ago",
                    count(replica.lag, "operation"),
                    replica.active / 1_000_000_000
                ),
            };
            page.push(line("replica", format!("{}  {state}", replica.name)));
        }
    }
    page
}

/// The fields of the configuration that people are shown.
const FIELDS: [&str; 14] = [
    "subjects",
    "retention",
    "storage",
    "num_replicas",
    "discard",
    "max_age",
    "max_msgs",
    "max_msgs_per_subject",
    "max_bytes",
    "duplicate_window",
    "deny_delete",
    "deny_purge",
    "allow_direct",
    "allow_atomic",
];

/// What programs are told of a stream.
fn info_json(info: &StreamInfo) -> Value {
    let StreamInfo {
        config,
        state,
        created,
        cluster,
    } = info;
    json!({
        "name": config.name,
        "store_id": parse_store(config).ok().map(|store| store.store_id.to_string()),
        "created": created,
        "config": config,
        "state": {
            "messages": state.messages,
            "bytes": state.bytes,
            "first_seq": state.first_seq,
            "last_seq": state.last_seq,
            "consumers": state.consumer_count,
        },
        "cluster": cluster.as_ref().map(|cluster| json!({
            "name": cluster.name,
            "leader": cluster.leader,
            "replicas": cluster.replicas.iter().map(|replica| json!({
                "name": replica.name,
                "current": replica.current,
                "offline": replica.offline,
                "lag": replica.lag,
                "active_seconds": replica.active / 1_000_000_000,
            })).collect::<Vec<_>>(),
        })),
    })
}
