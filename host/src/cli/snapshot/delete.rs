//! `cim snapshot delete`.

use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::output::{Output, count, say};
use crate::cli::place::Place;

#[derive(Args, Debug)]
#[command(
    override_usage = "cim snapshot delete [OPTIONS] <ENTITY> [ID] | --all",
    after_help = "\
Examples:
  cim snapshot delete compute 018f2b5c-0000-7000-8000-000000000001
  cim snapshot delete compute
  cim snapshot delete --all

Whatever is deleted is taken again from the history when it is due."
)]
pub(crate) struct Delete {
    /// The entity: `compute`, `domain/compute` or the whole `organization.unit.domain.compute`
    #[arg(required_unless_present = "all")]
    entity: Option<String>,
    /// The aggregate's id
    id: Option<String>,
    /// The snapshots of all aggregates
    #[arg(long, conflicts_with = "entity")]
    all: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Delete {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let (opened, snapshots) = super::open(place).await?;
        let template = &opened.store.info().template;
        let deleted = match (&self.entity, &self.id) {
            (None, _) => snapshots.delete_all().await?,
            (Some(entity), Some(id)) => {
                let key = place.aggregate(entity, id, template)?;
                snapshots.delete(&key).await?.into()
            }
            (Some(entity), None) => {
                let (namespace, entity) = place.entity(entity, template)?;
                let mut entries = snapshots.list();
                let mut deleted = 0;
                while let Some(entry) = entries.try_next().await? {
                    let key = entry.aggregate;
                    if key.namespace == namespace && key.entity == entity {
                        deleted += u64::from(snapshots.delete(&key).await?);
                    }
                }
                deleted
            }
        };
        if self.json {
            return out.json(&json!({"schema": "cim.snapshot.delete/v1", "deleted": deleted}));
        }
        let deleted = count(deleted, "snapshot");
        say(&format!("Deleted {deleted}. The events are as they were."));
        Ok(())
    }
}
