//! `cim stats`.

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::output::Output;
use super::place::{Absent, Place};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cim stats --json")]
pub(crate) struct Stats {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let info = store.info();
        let stats = store.stats().await?;
        if self.json {
            let types: serde_json::Map<_, _> = stats
                .types
                .iter()
                .map(|(name, count)| (name.clone(), Value::from(*count)))
                .collect();
            return out.json(&json!({
                "schema": "cim.stats/v1",
                "store_id": info.store_id.to_string(),
                "url": info.url,
                "template": info.template,
                "events": stats.events,
                "aggregates": stats.aggregates,
                "types": types,
                "first_time": stats.times.map(|(first, _)| first.to_string()),
                "last_time": stats.times.map(|(_, last)| last.to_string()),
                "last_position": stats.last_position.map(|position| position.get()),
                "bytes": stats.bytes,
            }));
        }
        out.line(&format!("store       {}  {}", info.url, info.store_id))?;
        out.line(&format!("events      {}", stats.events))?;
        out.line(&format!("aggregates  {}", stats.aggregates))?;
        out.line(&format!("types       {}", stats.types.len()))?;
        if let Some((first, last)) = stats.times {
            out.line(&format!("times       {first} to {last}"))?;
        }
        if let Some(bytes) = stats.bytes {
            out.line(&format!("bytes       {bytes}"))?;
        }
        for (name, count) in &stats.types {
            out.line(&format!("{count:>10}  {name}"))?;
        }
        Ok(())
    }
}
