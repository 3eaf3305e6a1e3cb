//! Commands that change identities: all in the same manner.

use cim_core::event::NewEvent;
use cim_core::id::AggregateKey;
use clap::Args;
use serde_json::{Value, json};

use super::folder::FolderArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, count, say};
use crate::cli::place::Place;
use crate::identity::{Change, Draft, Identities, IdentityError};

/// How a command changes identities.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Show what would happen, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a command says once it is done.
pub(crate) struct Told {
    /// The fields of the JSON document, beside its schema.
    pub(crate) document: Value,
    /// The same as lines of data.
    pub(crate) lines: Vec<String>,
    /// What to do next, for people.
    pub(crate) next: Option<String>,
}

impl ChangeArgs {
    /// Decides on a change, stores it unless it is to be looked at alone, and says what was done.
    pub(crate) async fn run<T>(
        &self,
        place: &Place,
        out: &mut Output,
        schema: &str,
        mut decide: impl FnMut(&mut Draft<'_>) -> Result<T, IdentityError>,
        tell: impl FnOnce(&Identities, T) -> Result<Told, Failure>,
    ) -> Result<(), Failure> {
        let mut identities = self.folder.open(place).await?;
        if self.dry_run {
            let (change, _) = identities.draft(decide)?;
            return would(schema, &change, self.json, out);
        }
        let answer = identities.change(&mut decide).await?;
        let told = tell(&identities, answer)?;
        told.print(schema, self.json, out)?;
        Ok(identities.store().close().await?)
    }
}

impl Told {
    pub(crate) fn print(self, schema: &str, json: bool, out: &mut Output) -> Result<(), Failure> {
        if json {
            return out.json(&with_schema(schema, self.document));
        }
        for line in &self.lines {
            out.line(line)?;
        }
        out.flush()?;
        if let Some(next) = &self.next {
            say(next);
        }
        Ok(())
    }
}

/// Prints what would happen.
pub(crate) fn would(
    schema: &str,
    change: &Change,
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    if json {
        let events: Vec<Value> = change.events().map(event).collect();
        let document = json!({"dry_run": true, "events": events});
        return out.json(&with_schema(schema, document));
    }
    let mut events = 0;
    for (aggregate, event) in change.events() {
        events += 1;
        out.line(&format!(
            "{:<8}  {}  {} {}",
            aggregate.entity.as_str(),
            aggregate.id,
            event.event_type,
            String::from_utf8_lossy(&event.body)
        ))?;
    }
    out.flush()?;
    say(&format!(
        "Nothing was done: {} would be stored.",
        count(events, "event")
    ));
    Ok(())
}

fn event((aggregate, event): (&AggregateKey, &NewEvent)) -> Value {
    json!({
        "aggregate": aggregate.to_string(),
        "type": event.event_type.as_str(),
        "data": serde_json::from_slice::<Value>(&event.body).unwrap_or_default(),
    })
}

/// A document with its schema first.
pub(crate) fn with_schema(schema: &str, fields: Value) -> Value {
    let mut document = json!({"schema": schema});
    if let (Value::Object(document), Value::Object(fields)) = (&mut document, fields) {
        document.extend(fields);
    }
    document
}
