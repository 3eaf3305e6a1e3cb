//! `cim projection parked`.

use cim_core::projection::Name;
use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::place::Place;
use super::{From, name};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection parked activity
  cim projection parked activity --json

An event that the plugin cannot handle is set aside; later events of its aggregate wait behind it.")]
pub(crate) struct Parked {
    /// The projection
    #[arg(value_parser = name)]
    name: Name,
    #[command(flatten)]
    from: From,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Parked {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        for row in self.from.open(place)?.parked(&self.name)? {
            let row = row?;
            let event = &row.event;
            let version = event.version.map(|version| version.get());
            let cause = event.reason.cause();
            if self.json {
                out.json(&json!({
                    "position": event.position.get(),
                    "aggregate": event.aggregate.to_string(),
                    "version": version,
                    "event": event.event.map(|id| id.to_string()),
                    "cid": event.cid.map(|cid| cid.to_string()),
                    "waits": cause.is_none(),
                    "code": cause.map(|(code, _)| code),
                    "message": cause.map(|(_, message)| message),
                    "parked_at": row.parked_at.to_string(),
                }))?;
                continue;
            }
            let version = version.map_or(String::new(), |version| format!(" v{version}"));
            let why = match cause {
                Some((code, message)) => format!("{code}: {message}"),
                None => "waits behind it".to_owned(),
            };
            out.line(&format!(
                "{:>8}  {}{version}  {why}",
                event.position, event.aggregate
            ))?;
        }
        Ok(())
    }
}
