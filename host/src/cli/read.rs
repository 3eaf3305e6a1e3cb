//! `cim read`.

use cim_core::id::{EventType, parse_uuid};
use cim_core::time::Timestamp;
use cim_core::version::Version;
use clap::Args;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::append::time;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::place::{Absent, Place};
use super::show;
use crate::store::{Check, Direction, Query};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim read
  cim read order order-7 --from 3
  cim read order --type OrderPaid --since 2026-11-01T00:00:00Z --limit 10
  cim read --correlation 01934f4a-5678-7abc-8def-0123456789ab --json

Every event is checked against its CID; a whole history also by its links.")]
pub(crate) struct Read {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    entity: Option<String>,
    /// The aggregate's id
    id: Option<String>,
    /// From this version on
    #[arg(long, value_name = "VERSION", requires = "id")]
    from: Option<Version>,
    /// Of this type
    #[arg(long, value_name = "TYPE")]
    r#type: Option<EventType>,
    /// Of this conversation
    #[arg(long, value_name = "UUID", value_parser = parse_uuid)]
    correlation: Option<Uuid>,
    /// At or after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// At or before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    backwards: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Read {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let template = &store.info().template;
        let mut query = Query {
            event_type: self.r#type,
            correlation: self.correlation,
            from_version: self.from,
            since: self.since,
            until: self.until,
            limit: self.limit,
            direction: if self.backwards {
                Direction::Backwards
            } else {
                Direction::Forwards
            },
            check: Check::Verify,
            ..Query::default()
        };
        match (&self.entity, &self.id) {
            (Some(entity), Some(id)) => {
                let key = place.aggregate(entity, id, template)?;
                if store.head(&key).await?.is_none() {
                    return Err(no_aggregate(&key.to_string(), entity));
                }
                query.aggregate = Some(key);
            }
            (Some(entity), None) => {
                let (namespace, entity) = place.entity(entity, template)?;
                (query.namespace, query.entity) = (Some(namespace), Some(entity));
            }
            (None, _) => {}
        }
        let mut events = store.read(query);
        while let Some(read) = events.try_next().await? {
            out.line(&if self.json {
                show::json(&read, template)
            } else {
                show::line(&read)
            })?;
        }
        Ok(())
    }
}

/// Takes a number of events or aggregates.
pub(crate) fn limit(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected an integer from 1".to_owned()),
        Ok(limit) => Ok(limit),
    }
}

/// There is no such aggregate.
pub(crate) fn no_aggregate(key: &str, entity: &str) -> Failure {
    Failure::new(
        Exit::NotFound,
        "aggregate-not-found",
        format!("there is no aggregate `{key}`"),
    )
    .help(format!(
        "`cim aggregate list {entity}` lists those that are there"
    ))
}
