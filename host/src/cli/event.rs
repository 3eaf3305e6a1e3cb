//! `cim event`.

use cim_core::id::EventId;
use clap::{Args, Subcommand};
use futures_util::TryStreamExt as _;

use super::failure::{Exit, Failure};
use super::output::{Output, say};
use super::place::{Absent, Place};
use super::show;
use crate::store::{Check, Query};

#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Show one event with its headers, its CID and its body
    Show(Show),
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cim event show 01934f4a-5678-7abc-8def-0123456789ab")]
pub(crate) struct Show {
    /// The event's id
    event_id: EventId,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Event {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let Self::Show(Show { event_id, json }) = self;
        let store = place.open(Absent::Refuse).await?;
        let query = Query {
            event_id: Some(event_id),
            check: Check::Verify,
            ..Query::default()
        };
        let Some(read) = store.read(query).try_next().await? else {
            return Err(Failure::new(
                Exit::NotFound,
                "event-not-found",
                format!("there is no event `{event_id}`"),
            )
            .help("`cim read --json` prints the ids of all events"));
        };
        if json {
            return out.line(&show::json(&read, &store.info().template));
        }
        let recorded = &read.event;
        let subject = store
            .info()
            .template
            .event_subject(&recorded.aggregate, &recorded.event.operation)
            .map_err(|error| Failure::of(Exit::Broken, error.code(), &error))?;
        for line in show::page(&read, subject.as_str()) {
            out.line(&line)?;
        }
        out.flush()?;
        if let Some(verified) = read.verified {
            say(verified.not_proven());
        }
        Ok(())
    }
}
