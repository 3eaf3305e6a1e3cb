//! `cim schema check`.

use std::path::PathBuf;

use cim_core::chain::Verified;
use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, count, progress, say};
use super::super::place::{Absent, Place};
use super::super::show::plain;
use super::place as shown_place;
use crate::schema::{Fault, Finding, Known, MAX_FINDINGS, SchemaCheck, SchemaReport};
use crate::store::{EventStore, Query};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim schema check
  cim schema check --schemas mine.json --json
  cim schema check --against schemas-1.4.json
  cim schema check --schemas mine.json --against mine-1.4.json

Every event of the store is read and compared with what is registered of its entity: is its type
known, and its version; does an upcaster lead from an earlier version, and is what it makes of the
event valid; does the body have all fields that its schema requires, no other ones, and the right
types. Events of other entities are counted. Each event is checked against its CID; links and heads
are what `cim verify` checks.

With --against no store is read: the types are compared with those of an earlier list, for example
that of the last release. A version's schema may only grow wider: a new optional field or a new type
is accepted; a removed field, a new required field, a changed type, a removed type without an
upcaster, a removed upcaster, and a version that went down are not.

Exit code 1 when something does not fit: the events are sound, the program is not made for them.
Exit code 6 when an event is not what its CID says.")]
pub(crate) struct Check {
    /// Take the types of this list of schemas too, instead of built-in ones of the same entities;
    /// may be given again
    #[arg(long, value_name = "FILE")]
    schemas: Vec<PathBuf>,
    /// Compare the types with those of this earlier list, instead of a store's events
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        let known = super::known(&self.schemas)?;
        if let Some(file) = &self.against {
            return super::against::run(known.schemas(), file, self.json, out);
        }
        let store = Place::find(store)?.open(Absent::Refuse).await?;
        let report = check(&*store, known).await?;
        let failure = failure(&report);
        if self.json {
            out.json(&json(&report, failure.is_none()))?;
        } else {
            print(&report, out)?;
        }
        out.flush()?;
        match failure {
            None => Ok(()),
            Some(mut failure) => {
                failure.quiet = self.json;
                Err(failure)
            }
        }
    }
}

async fn check(store: &dyn EventStore, known: Known) -> Result<SchemaReport, Failure> {
    let mut check = SchemaCheck::new(known).map_err(|error| {
        Failure::of(Exit::Failed, error.code(), &error)
            .help("a schema is one of JSON Schema 2020-12, and refers to nothing outside of itself")
    })?;
    let bar = progress("checking");
    if let Some(last) = store.last_position().await? {
        bar.set_length(last.get());
    }
    let mut events = store.read(Query::default().verified());
    let mut done = 0_u64;
    while let Some(read) = events.try_next().await? {
        check.push(read.position, &read.event);
        done += 1;
        if done.is_multiple_of(4096) {
            bar.set_position(read.position.get());
        }
    }
    bar.finish_and_clear();
    Ok(check.finish())
}

/// Why the check fails, if it does.
fn failure(report: &SchemaReport) -> Option<Failure> {
    if !report.is_sound() {
        let found = count(report.findings.len() as u64, "finding");
        return Some(
            Failure::new(
                Exit::Failed,
                "schema-breaks",
                format!("stored events do not fit the registered schemas: {found}"),
            )
            .help(help(report)),
        );
    }
    if report.events > 0 && report.known == 0 {
        return Some(
            Failure::new(
                Exit::Failed,
                "schema-nothing-registered",
                "no entity of this store is registered, so that nothing was checked",
            )
            .help(
                "write the schemas of its types with `cim_core::schema::SchemaList`, and give them \
                 with `--schemas FILE`; `cim schema list` lists those that are registered",
            ),
        );
    }
    None
}

/// What to do about findings.
fn help(report: &SchemaReport) -> &'static str {
    let is_newer = |it: &Finding| matches!(it.fault, Fault::Newer { .. });
    match report.findings.iter().all(is_newer) {
        true => {
            "use a program that knows these versions, a newer `cim` if the domain is built in; or \
             give its list of schemas with `--schemas FILE`"
        }
        false => {
            "keep the schema of a version as it was, or wider: make new fields optional; for \
             anything else declare a new version, with an upcaster from the old one. `cim event \
             show EVENT-ID` shows an event"
        }
    }
}

fn print(report: &SchemaReport, out: &mut Output) -> Result<(), Failure> {
    out.line(&format!("verified    {}", Verified::Cid))?;
    out.line(&format!("events      {}", report.events))?;
    for (entity, events) in &report.entities {
        out.line(&format!("{events:>10}  {entity}"))?;
    }
    for (entity, events) in &report.unknown_entities {
        out.line(&format!("{events:>10}  {entity} (not registered)"))?;
    }
    for it in &report.unchecked {
        out.line(&format!(
            "{:>10}  {} {} v{} (not checked: its upcaster is not in this program)",
            it.events, it.entity, it.event_type, it.schema_version
        ))?;
    }
    out.line(&format!("findings    {}", report.findings.len()))?;
    for it in &report.findings {
        out.line(&plain(&line(it)))?;
    }
    if report.left_out > 0 {
        say(&format!(
            "Only the first {MAX_FINDINGS} findings are shown; something else did not fit {}.",
            count(report.left_out, "time")
        ));
    }
    Ok(())
}

fn line(it: &Finding) -> String {
    let read_as = match &it.read_as {
        None => String::new(),
        Some(read) => format!(" read as {} v{}", read.event_type, read.schema_version),
    };
    let says = match &it.says {
        None => String::new(),
        Some(says) => format!(" ({says})"),
    };
    format!(
        "{:>10}  {} {} v{}{read_as}  {}: {}{says}; first {} at position {}",
        it.events,
        it.entity,
        it.event_type,
        it.schema_version,
        shown_place(&it.path),
        it.fault,
        it.first_event,
        it.first_position,
    )
}

fn json(report: &SchemaReport, ok: bool) -> Value {
    let entities = |entities: &[(cim_core::id::Entity, u64)]| {
        let entities = entities.iter();
        let entities =
            entities.map(|(entity, events)| json!({"entity": entity.as_str(), "events": events}));
        entities.collect::<Vec<_>>()
    };
    let unchecked = report.unchecked.iter().map(|it| {
        json!({
            "entity": it.entity.as_str(),
            "type": it.event_type.as_str(),
            "schema_version": it.schema_version.get(),
            "events": it.events,
        })
    });
    let findings = report.findings.iter().map(|it| {
        let read_as = it.read_as.as_ref().map(|read| {
            json!({
                "type": read.event_type.as_str(),
                "schema_version": read.schema_version.get(),
            })
        });
        json!({
            "entity": it.entity.as_str(),
            "type": it.event_type.as_str(),
            "schema_version": it.schema_version.get(),
            "read_as": read_as,
            "path": it.path,
            "code": it.fault.code(),
            "what": it.fault.to_string(),
            "says": it.says,
            "events": it.events,
            "first": {
                "event": it.first_event.to_string(),
                "position": it.first_position.get(),
            },
        })
    });
    json!({
        "schema": "cim.schema.check/v1",
        "ok": ok,
        "verified": Verified::Cid.as_str(),
        "events": report.events,
        "known": report.known,
        "entities": entities(&report.entities),
        "not_registered": entities(&report.unknown_entities),
        "not_checked": unchecked.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "findings_left_out": report.left_out,
    })
}
