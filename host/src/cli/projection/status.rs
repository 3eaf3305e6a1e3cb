//! `cim projection list` and `cim projection show`.

use std::sync::Arc;

use cim_core::projection::Name;
use cim_core::projection::machine::State;
use cim_core::time::Timestamp;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Models;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, count, say};
use crate::cli::place::{Absent, Place};
use crate::cli::show::plain;
use crate::clock;
use crate::projector::{Activity, Lag, ProjectionStatus};
use crate::store::EventStore;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection list
  cim projection list --from sqlite:views.db --json")]
pub(crate) struct List {
    #[command(flatten)]
    models: Models,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection show activity
  cim projection show activity --from sqlite:views.db --json")]
pub(crate) struct Show {
    /// The projection
    name: Name,
    #[command(flatten)]
    models: Models,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let read_model = self.models.open(place)?;
        let projections = read_model
            .projections()
            .map_err(|error| self.models.failure(error))?;
        let store = events(place).await?;
        let now = clock::now();
        let mut listed = Vec::new();
        let mut rows = vec![HEAD.map(str::to_owned)];
        for status in &projections {
            let lag = lag(status, store.as_ref(), now).await?;
            if self.json {
                listed.push(Value::from(object(status, lag, now)));
            } else {
                rows.push(row(status, lag, now));
            }
        }
        if self.json {
            return out.json(&json!({"schema": "cim.projection.list/v1", "projections": listed}));
        }
        if projections.is_empty() {
            say("There is no projection yet; `cim projection run PLUGIN.wasm` makes one.");
            return Ok(());
        }
        let widths = (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].len()).max());
        let widths: Vec<_> = widths.map(Option::unwrap_or_default).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(at, (cell, &width))| match at {
                NUMBERS_FROM..NUMBERS_TO => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            out.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// What a row of the list tells.
const HEAD: [&str; 6] = ["name", "state", "position", "behind", "parked", "projector"];

/// The columns that hold numbers.
const NUMBERS_FROM: usize = 2;
const NUMBERS_TO: usize = 5;

fn row(status: &ProjectionStatus, lag: Option<Lag>, now: Timestamp) -> [String; HEAD.len()] {
    [
        status.name.to_string(),
        status.state.to_string(),
        position(status),
        lag.map_or_else(|| "?".to_owned(), |lag| lag.events.to_string()),
        status.parked_aggregates.to_string(),
        projector(status, now),
    ]
}

impl Show {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let read_model = self.models.open(place)?;
        let status = read_model
            .projection(&self.name)
            .map_err(|error| self.models.failure(error))?;
        let store = events(place).await?;
        let now = clock::now();
        let lag = lag(&status, store.as_ref(), now).await?;
        if self.json {
            let mut document = Map::new();
            document.insert("schema".to_owned(), "cim.projection.show/v1".into());
            document.extend(object(&status, lag, now));
            return out.json(&document.into());
        }
        for (name, value) in page(&status, lag, now) {
            out.line(format!("{name:<12}  {}", plain(&value)).trim_end())?;
        }
        out.flush()?;
        if status.parked_aggregates > 0 {
            let parked = self.models.command(&format!("parked {}", status.name));
            say(&format!("{parked} tells which events, and why."));
        }
        if status.state == State::Failed {
            say(
                "It does not go on by itself: when the cause is gone, run its plugin again with \
                 `cim projection run`.",
            );
        }
        Ok(())
    }
}

/// What people are shown of a projection.
fn page(
    status: &ProjectionStatus,
    lag: Option<Lag>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let behind = match lag {
        Some(Lag { events: 0, .. }) => "0 events".to_owned(),
        Some(lag) => format!(
            "{}, {}",
            count(lag.events, "event"),
            count(lag.seconds, "second")
        ),
        None => "unknown: `--store` is not the store that the events are from".to_owned(),
    };
    let configuration = match &*status.configuration {
        "" => "none".to_owned(),
        hash => hash.to_owned(),
    };
    let mut page = vec![
        ("name", status.name.to_string()),
        ("state", status.state.to_string()),
        ("projector", projector(status, now)),
        ("position", position(status)),
        ("behind", behind),
        ("events", status.events.to_string()),
        (
            "parked",
            format!(
                "{}, {}",
                count(status.parked_aggregates, "aggregate"),
                count(status.parked_events, "event")
            ),
        ),
        ("handler", status.handler.clone()),
        ("config", configuration),
        ("version", status.handler_version.clone()),
        ("store", status.store_id.to_string()),
        ("started", status.started_at.to_string()),
        ("caught up", time(status.caught_up_at)),
        ("last sign", status.updated_at.to_string()),
    ];
    for collection in &status.collections {
        page.push(("collection", collection.to_string()));
    }
    if let Some((code, message)) = &status.error {
        page.push(("error", format!("{code}: {message}")));
    }
    page
}

/// What programs are told of a projection.
fn object(status: &ProjectionStatus, lag: Option<Lag>, now: Timestamp) -> Map<String, Value> {
    let (activity, since) = match status.activity(now) {
        Activity::Running => ("running", None),
        Activity::Stopped(at) => ("stopped", Some(at)),
        Activity::Silent(at) => ("silent", Some(at)),
    };
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let collections: Vec<_> = status.collections.iter().map(Name::as_str).collect();
    let document = json!({
        "projection": status.name.as_str(),
        "state": status.state.as_str(),
        "activity": activity,
        "since": text(since),
        "position": status.position.map(|position| position.get()),
        "lag": lag.map(|lag| json!({"events": lag.events, "seconds": lag.seconds})),
        "events": status.events,
        "parked_aggregates": status.parked_aggregates,
        "parked_events": status.parked_events,
        "collections": collections,
        "handler": status.handler,
        "configuration": Some(&status.configuration).filter(|hash| !hash.is_empty()),
        "handler_version": status.handler_version,
        "store_id": status.store_id.to_string(),
        "started_at": status.started_at.to_string(),
        "updated_at": status.updated_at.to_string(),
        "caught_up_at": text(status.caught_up_at),
        "error": status
            .error
            .as_ref()
            .map(|(code, message)| json!({"code": code, "message": message})),
    });
    match document {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn position(status: &ProjectionStatus) -> String {
    let position = status.position.map_or(0, |position| position.get());
    position.to_string()
}

fn projector(status: &ProjectionStatus, now: Timestamp) -> String {
    match status.activity(now) {
        Activity::Running => "running".to_owned(),
        Activity::Stopped(at) => format!("stopped since {at}"),
        Activity::Silent(at) => format!("silent since {at}: killed, or hangs"),
    }
}

/// The store, if it is there: documents can be read without it.
async fn events(place: &Place) -> Result<Option<Arc<dyn EventStore>>, Failure> {
    match place.open(Absent::Refuse).await {
        Ok(store) => Ok(Some(store)),
        Err(failure) if failure.exit == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// How far a projection is behind `store`; `None` where its events are from another one.
async fn lag(
    status: &ProjectionStatus,
    store: Option<&Arc<dyn EventStore>>,
    now: Timestamp,
) -> Result<Option<Lag>, Failure> {
    let Some(store) = store.filter(|store| store.info().store_id == status.store_id) else {
        return Ok(None);
    };
    Ok(Some(status.lag(store.last_position().await?, now)))
}
