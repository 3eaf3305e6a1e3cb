//! `cim aggregate`.

mod diagram;
mod show;

use clap::{Args, Subcommand};
use futures_util::TryStreamExt as _;
use serde_json::json;

use super::failure::Failure;
use super::output::Output;
use super::place::{Absent, Place};
use super::read::limit;
use crate::store::AggregateSelect;

#[derive(Debug, Subcommand)]
pub(crate) enum Aggregate {
    /// List aggregates with their version and last time
    List(List),
    /// Show the state of an aggregate, folded from its verified history
    Show(show::Show),
    /// Draw the state machines of an entity's model
    Diagram(diagram::Diagram),
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

impl Aggregate {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(place, out).await,
            Self::Show(command) => command.run(place, out).await,
            Self::Diagram(command) => command.run(place, out),
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
