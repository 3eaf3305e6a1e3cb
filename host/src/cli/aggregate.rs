//! `cim aggregate`.

use cim_core::aggregate::HistorySummary;
use cim_core::chain::Verified;
use cim_core::time::Timestamp;
use cim_core::version::Version;
use clap::{Args, Subcommand};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use super::append::time;
use super::failure::{Exit, Failure};
use super::output::{Output, say};
use super::place::{Absent, Place};
use super::read::{limit, no_aggregate};
use crate::store::{AggregateSelect, Query};

#[derive(Debug, Subcommand)]
pub(crate) enum Aggregate {
    /// List aggregates with their version and last time
    List(List),
    /// Show the state of an aggregate, folded from its verified history
    Show(Show),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cim aggregate list\n  cim aggregate list order --json")]
pub(crate) struct List {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    entity: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim aggregate show order order-7
  cim aggregate show order order-7 --at 3
  cim aggregate show order order-7 --at 2026-11-21T08:00:00Z --json")]
pub(crate) struct Show {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    entity: String,
    /// The aggregate's id
    id: String,
    /// As it was at this version or time
    #[arg(long, value_name = "VERSION|TIME", value_parser = at)]
    at: Option<At>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Version(Version),
    Time(Timestamp),
}

fn at(text: &str) -> Result<At, String> {
    match (text.parse(), time(text)) {
        (Ok(version), _) => Ok(At::Version(version)),
        (Err(_), Ok(time)) => Ok(At::Time(time)),
        (Err(_), Err(_)) => Err(
            "expected a version such as `3` or a time such as `2026-11-21T08:00:00Z`".to_owned(),
        ),
    }
}

impl Aggregate {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(place, out).await,
            Self::Show(command) => command.run(place, out).await,
        }
    }
}

impl List {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let mut select = AggregateSelect {
            limit: self.limit,
            ..AggregateSelect::default()
        };
        if let Some(entity) = &self.entity {
            let (namespace, entity) = place.entity(entity, &store.info().template)?;
            (select.namespace, select.entity) = (Some(namespace), Some(entity));
        }
        let mut entries = store.aggregates(select);
        let mut listed = Vec::new();
        while let Some(entry) = entries.try_next().await? {
            if self.json {
                listed.push(json!({
                    "aggregate": entry.aggregate.to_string(),
                    "version": entry.head.version.get(),
                    "head": entry.head.cid.to_string(),
                    "last_time": entry.last_time.to_string(),
                    "last_position": entry.last_position.get(),
                }));
            } else {
                out.line(&format!(
                    "{}  v{}  {}",
                    entry.aggregate, entry.head.version, entry.last_time
                ))?;
            }
        }
        if self.json {
            out.json(&json!({"schema": "cim.aggregate.list/v1", "aggregates": listed}))?;
        }
        Ok(())
    }
}

impl Show {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let key = place.aggregate(&self.entity, &self.id, &store.info().template)?;
        let mut query = Query::history(key.clone()).verified();
        match self.at {
            Some(At::Version(version)) => query.to_version = Some(version),
            Some(At::Time(time)) => query.until = Some(time),
            None => {}
        }
        let mut summary = HistorySummary::initial_state();
        let mut verified = None;
        let mut events = store.read(query);
        while let Some(read) = events.try_next().await? {
            summary = summary.evolve(&read.event);
            verified = read.verified;
        }
        let (Some(head), Some(first), Some(last)) =
            (summary.head, summary.first_time, summary.last_time)
        else {
            if store.head(&key).await?.is_some() {
                return Err(Failure::new(
                    Exit::NotFound,
                    "aggregate-not-found",
                    format!("`{key}` had no event yet then"),
                )
                .help("leave `--at` out to see it as it is now"));
            }
            return Err(no_aggregate(&key.to_string(), &self.entity));
        };
        if let Some(At::Version(version)) = self.at
            && head.version < version
        {
            return Err(Failure::new(
                Exit::NotFound,
                "version-not-found",
                format!(
                    "`{key}` has no version {version}: the last is {}",
                    head.version
                ),
            )
            .help("leave `--at` out to see it as it is now"));
        }
        let verified = verified.unwrap_or(Verified::Cid);
        if self.json {
            let types: Value = summary
                .event_types
                .iter()
                .map(|(name, count)| (name.to_string(), Value::from(*count)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            return out.json(&json!({
                "schema": "cim.aggregate.show/v1",
                "aggregate": key.to_string(),
                "version": head.version.get(),
                "head": head.cid.to_string(),
                "events": summary.events(),
                "first_time": first.to_string(),
                "last_time": last.to_string(),
                "event_types": types,
                "verified": verified.as_str(),
                "not_proven": verified.not_proven(),
            }));
        }
        out.line(&format!("{key}"))?;
        out.line(&format!("version     {}", head.version))?;
        out.line(&format!("head        {}", head.cid))?;
        out.line(&format!("events      {}", summary.events()))?;
        out.line(&format!("first time  {first}"))?;
        out.line(&format!("last time   {last}"))?;
        out.line(&format!("verified    {verified}"))?;
        for (name, count) in &summary.event_types {
            out.line(&format!("{count:>10}  {name}"))?;
        }
        out.flush()?;
        say(verified.not_proven());
        Ok(())
    }
}
