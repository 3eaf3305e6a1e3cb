//! `cim projection list`.

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::place::Place;
use super::From;

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cim projection list\n  cim projection list --from sqlite:views.db --json"
)]
pub(crate) struct List {
    #[command(flatten)]
    from: From,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let projections = self.from.open(place)?.projections()?;
        if self.json {
            let listed: Vec<_> = projections
                .iter()
                .map(|status| {
                    json!({
                        "projection": status.name.as_str(),
                        "state": status.state.as_str(),
                        "position": status.position.map(|position| position.get()),
                        "events": status.events,
                        "parked_aggregates": status.parked_aggregates,
                        "updated_at": status.updated_at.to_string(),
                    })
                })
                .collect();
            return out.json(&json!({
                "schema": "cim.projection.list/v1",
                "projections": listed,
            }));
        }
        for status in projections {
            out.line(&format!(
                "{}  {}  position {}  {} events  {}",
                status.name,
                status.state,
                status.position.map_or(0, |position| position.get()),
                status.events,
                status.updated_at
            ))?;
        }
        Ok(())
    }
}
