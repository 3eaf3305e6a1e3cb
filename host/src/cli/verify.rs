//! `cim verify`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cim_core::chain::verifier::{StoreSummary, StoreVerifier};
use cim_core::chain::{NOT_PROVEN, Verified};
use cim_core::export::{self, ExportVerifier};
use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::{Output, progress, say};
use super::place::{Absent, Place};
use super::read::no_aggregate;
use crate::import::export_help;
use crate::store::{Query, ReadEvent, StoreError};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim verify
  cim verify order order-7
  cim verify --export events.jsonl --json

Exit code 6 when an event is not what its CID says or does not link to the one before it.")]
pub(crate) struct Verify {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    #[arg(conflicts_with = "export")]
    entity: Option<String>,
    /// The aggregate's id
    id: Option<String>,
    /// Verify this export instead of a store; `-` for standard input
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) async fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        match &self.export {
            Some(path) => self.verify_export(path, out),
            None => self.verify_store(&Place::find(store)?, out).await,
        }
    }

    async fn verify_store(&self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let template = &store.info().template;
        let mut query = Query::default();
        match (&self.entity, &self.id) {
            (Some(entity), Some(id)) => {
                let key = place.aggregate(entity, id, template)?;
                query.aggregate = Some(key.clone());
                if store.head(&key).await?.is_none() {
                    return Err(no_aggregate(&key.to_string(), entity));
                }
            }
            (Some(entity), None) => {
                let (namespace, entity) = place.entity(entity, template)?;
                (query.namespace, query.entity) = (Some(namespace), Some(entity));
            }
            (None, _) => {}
        }
        let bar = progress("verifying");
        if let Some(last) = store.last_position().await? {
            bar.set_length(last.get());
        }
        let mut verifier = StoreVerifier::new();
        let mut events = store.read(query);
        let mut count = 0;
        loop {
            let read = match events.try_next().await {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(StoreError::Invalid(invalid)) => {
                    bar.finish_and_clear();
                    let failure = Failure::new(Exit::Broken, invalid.code, invalid.to_string());
                    let event = invalid.event.map(|id| id.to_string());
                    let aggregate = invalid.aggregate.map(|key| key.to_string());
                    return Err(self.refuse(
                        failure,
                        event,
                        aggregate,
                        None,
                        Some(invalid.position.get()),
                        out,
                    )?);
                }
                Err(error) => return Err(error.into()),
            };
            count += 1;
            if count % 4096 == 0 {
                bar.set_position(count);
            }
            if let Err(error) = verifier.push(&read.event) {
                bar.finish_and_clear();
                let ReadEvent {
                    position, event, ..
                } = &read;
                return Err(self.refuse(
                    Failure::from(error),
                    Some(event.event.id.to_string()),
                    Some(event.aggregate.to_string()),
                    Some(event.version.get()),
                    Some(position.get()),
                    out,
                )?);
            }
        }
        bar.finish_and_clear();
        if let (0, Some(entity)) = (count, &self.entity) {
            let message = format!("there is no aggregate of `{entity}`");
            return Err(Failure::new(Exit::NotFound, "aggregate-not-found", message)
                .help("`cim stats` and `cim aggregate list` show what is there"));
        }
        let summary = verifier.finish();
        if self.json {
            return out.json(&json!({
                "schema": "cim.verify/v1",
                "ok": true,
                "events": summary.events,
                "aggregates": summary.aggregates,
                "digest": summary.digest,
                "heads": summary.heads,
                "verified": "chain",
                "not_proven": NOT_PROVEN,
                "store_id": store.info().store_id.to_string(),
            }));
        }
        print_summary(&summary, Verified::Chain, out)
    }

    /// Says which event is bad: as JSON on standard output if that is asked for.
    fn refuse(
        &self,
        mut failure: Failure,
        event: Option<String>,
        aggregate: Option<String>,
        version: Option<u64>,
        position: Option<u64>,
        out: &mut Output,
    ) -> Result<Failure, Failure> {
        if self.json {
            out.json(&json!({
                "schema": "cim.verify/v1",
                "ok": false,
                "error": {
                    "code": failure.code,
                    "message": failure.message,
                    "event": event,
                    "aggregate": aggregate,
                    "version": version,
                    "position": position,
                },
            }))?;
            out.flush()?;
            failure.quiet = true;
            return Ok(failure);
        }
        if let Some(position) = position {
            failure.message = format!("{} (position {position})", failure.message);
        }
        Ok(failure.help("`cim copy --until-broken FROM TO` saves what is sound into a new store"))
    }

    fn verify_export(&self, path: &Path, out: &mut Output) -> Result<(), Failure> {
        let mut input: Box<dyn std::io::Read> = if path == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(|error| {
                Failure::file("read", path, &error)
                    .help("give the path of an export, as `cim export FILE` writes it")
            })?)
        };
        let mut verifier = ExportVerifier::new();
        let mut chunk = vec![0; 1 << 16];
        let result = loop {
            let read = match input.read(&mut chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::file("read", path, &error)),
            };
            if read == 0 {
                break verifier.finish();
            }
            if let Err(error) = verifier.push(&chunk[..read]) {
                break Err(error);
            }
        };
        if self.json {
            out.line(&export::to_json(&result))?;
            out.flush()?;
        }
        match result {
            Ok(_) if self.json => Ok(()),
            Ok(report) => {
                let summary = StoreSummary {
                    events: report.events,
                    aggregates: report.aggregates,
                    digest: report.digest,
                    heads: report.heads,
                };
                print_summary(&summary, report.verified, out)
            }
            Err(error) => {
                let mut failure =
                    Failure::of(Exit::Broken, error.code(), &error).help(export_help(&error));
                failure.quiet = self.json;
                Err(failure)
            }
        }
    }
}

fn print_summary(
    summary: &StoreSummary,
    verified: Verified,
    out: &mut Output,
) -> Result<(), Failure> {
    out.line(&format!("verified    {verified}"))?;
    out.line(&format!("events      {}", summary.events))?;
    out.line(&format!("aggregates  {}", summary.aggregates))?;
    out.line(&format!("digest      {}", summary.digest))?;
    if let Some(heads) = &summary.heads {
        out.line(&format!("heads       {heads}"))?;
    }
    out.flush()?;
    say(verified.not_proven());
    Ok(())
}
