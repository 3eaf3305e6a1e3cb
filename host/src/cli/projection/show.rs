//! `cim projection show`.

use cim_core::projection::Name;
use clap::Args;
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::super::place::{Absent, Place};
use super::{From, name};
use crate::clock;
use crate::projector::Activity;

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cim projection show activity\n  cim projection show activity --json"
)]
pub(crate) struct Show {
    /// The projection
    #[arg(value_parser = name)]
    name: Name,
    #[command(flatten)]
    from: From,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let status = self.from.open(place)?.projection(&self.name)?;
        let now = clock::now();
        // The store of the events may be away; the read model stands by itself.
        let lag = match place.open(Absent::Refuse) {
            Ok(store) if store.info().store_id == status.store_id => {
                Some(status.lag(store.last_position().await?, now))
            }
            Ok(_) => None,
            Err(failure) if failure.exit == Exit::NotFound => None,
            Err(failure) => return Err(failure),
        };
        let (activity, since) = match status.activity(now) {
            Activity::Running => ("running", None),
            Activity::Stopped(at) => ("stopped", Some(at)),
            Activity::Silent(since) => ("silent", Some(since)),
        };
        let collections: Vec<_> = status.collections.iter().map(Name::as_str).collect();
        if self.json {
            return out.json(&json!({
                "schema": "cim.projection.show/v1",
                "projection": status.name.as_str(),
                "state": status.state.as_str(),
                "position": status.position.map(|position| position.get()),
                "events": status.events,
                "lag": lag.map(|lag| json!({"events": lag.events, "seconds": lag.seconds})),
                "activity": activity,
                "since": since.map(|at| at.to_string()),
                "started_at": status.started_at.to_string(),
                "updated_at": status.updated_at.to_string(),
                "handler": status.handler,
                "handler_version": status.handler_version,
                "store_id": status.store_id.to_string(),
                "collections": collections,
                "parked_aggregates": status.parked_aggregates,
                "parked_events": status.parked_events,
                "error": status.error.map(|(code, message)| json!({"code": code, "message": message})),
            }));
        }
        let mut lines = vec![
            ("projection", status.name.to_string()),
            ("state", status.state.to_string()),
            (
                "position",
                status
                    .position
                    .map_or(0, |position| position.get())
                    .to_string(),
            ),
            ("events", status.events.to_string()),
            (
                "behind",
                lag.map_or("unknown: another store is open".to_owned(), |lag| {
                    format!("{} events, {} s", lag.events, lag.seconds)
                }),
            ),
            (
                "projector",
                since.map_or(activity.to_owned(), |at| format!("{activity} since {at}")),
            ),
            (
                "handler",
                format!("{}  {}", status.handler_version, status.handler),
            ),
            ("collections", collections.join(" ")),
            (
                "parked",
                format!(
                    "{} aggregates, {} events",
                    status.parked_aggregates, status.parked_events
                ),
            ),
        ];
        if let Some((code, message)) = status.error {
            lines.push(("error", format!("{code}: {message}")));
        }
        for (name, value) in lines {
            out.line(&format!("{name:<12} {value}"))?;
        }
        Ok(())
    }
}
