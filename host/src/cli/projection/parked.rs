//! `cim projection parked`.

use cim_core::projection::Name;
use cim_core::projection::machine::ParkReason;
use clap::Args;
use serde_json::json;

use super::Models;
use crate::cli::failure::Failure;
use crate::cli::output::{JsonList, Output, say};
use crate::cli::place::Place;
use crate::cli::show::plain;
use crate::projector::ParkedRow;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection parked activity
  cim projection parked activity --from sqlite:views.db --json

An event that the plugin faults on is set aside, and the later events of its aggregate wait behind
it. All other aggregates go on.")]
pub(crate) struct Parked {
    /// The projection
    name: Name,
    #[command(flatten)]
    models: Models,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Parked {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let read_model = self.models.open(place)?;
        let parked = read_model
            .parked(&self.name)
            .map_err(|error| self.models.failure(error))?;
        if self.json {
            let head = json!({
                "schema": "cim.projection.parked/v1",
                "projection": self.name.as_str(),
            });
            let mut list = JsonList::begin(&head, "events", out)?;
            for row in parked {
                list.item(&object(&row?))?;
            }
            return list.end();
        }
        let mut none = true;
        for row in parked {
            out.line(&line(&row?))?;
            none = false;
        }
        out.flush()?;
        say(&if none {
            format!("`{}` has set no event aside.", self.name)
        } else {
            "When the plugin is mended, start over: `cim projection run PLUGIN.wasm --restart`."
                .to_owned()
        });
        Ok(())
    }
}

/// An event on one line.
fn line(row: &ParkedRow) -> String {
    let event = &row.event;
    let version = event
        .version
        .map_or_else(|| "v?".to_owned(), |version| format!("v{version}"));
    let id = event
        .event
        .map_or_else(|| "?".to_owned(), |id| id.to_string());
    let why = match event.reason.cause() {
        Some((code, message)) => format!("{code}: {}", plain(message)),
        None => event.reason.to_string(),
    };
    format!(
        "{:>8}  {} {version}  {id}  {why}",
        event.position, event.aggregate
    )
}

/// An event as one JSON object.
fn object(row: &ParkedRow) -> String {
    let event = &row.event;
    let reason = match &event.reason {
        ParkReason::Fault { .. } => "fault",
        ParkReason::Invalid { .. } => "invalid",
        ParkReason::Diverted => "diverted",
    };
    let cause = event.reason.cause();
    json!({
        "position": event.position.get(),
        "aggregate": event.aggregate.to_string(),
        "version": event.version.map(|version| version.get()),
        "event": event.event.map(|id| id.to_string()),
        "cid": event.cid.map(|cid| cid.to_string()),
        "reason": reason,
        "code": cause.map(|(code, _)| code),
        "message": cause.map(|(_, message)| message),
        "parked_at": row.parked_at.to_string(),
    })
    .to_string()
}
