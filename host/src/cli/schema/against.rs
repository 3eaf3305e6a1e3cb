//! `cim schema check --against`.

use std::path::Path;

use cim_core::schema::{Break, SchemaList};
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, count};
use super::super::show::plain;
use super::place;

/// Compares what is known with an earlier list.
pub(super) fn run(
    known: &SchemaList,
    file: &Path,
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let earlier = super::read(file)?;
    let breaks = known.breaks(&earlier);
    if json {
        let findings: Vec<_> = breaks.iter().map(finding).collect();
        out.json(&json!({
            "schema": "cim.schema.check-against/v1",
            "ok": breaks.is_empty(),
            "against": file.display().to_string(),
            "types": earlier.types.len(),
            "findings": findings,
        }))?;
    } else {
        out.line(&format!("types       {}", earlier.types.len()))?;
        out.line(&format!("findings    {}", breaks.len()))?;
        for it in &breaks {
            let (entity, event_type, version) = (&it.entity, &it.event_type, it.schema_version);
            let place = place(&it.path);
            let line = format!("{entity} {event_type} v{version}  {place}: {}", it.what);
            out.line(&plain(&line))?;
        }
    }
    out.flush()?;
    if breaks.is_empty() {
        return Ok(());
    }
    let found = count(breaks.len() as u64, "finding");
    let message = format!("the schemas break events of `{}`: {found}", file.display());
    let mut failure = Failure::new(Exit::Failed, "schema-breaks", message).help(
        "keep the schema of a version as it was, or wider: make new fields optional; for anything \
         else declare a new version, with an upcaster from the old one",
    );
    failure.quiet = json;
    Err(failure)
}

fn finding(it: &Break) -> serde_json::Value {
    json!({
        "entity": it.entity.as_str(),
        "type": it.event_type.as_str(),
        "schema_version": it.schema_version.get(),
        "path": it.path,
        "code": it.what.code(),
        "what": it.what.to_string(),
    })
}
