//! `cim copy`.

use std::collections::HashMap;
use std::sync::Arc;

use cim_core::append::{Append, AppendError, Appended};
use cim_core::chain::verifier::StoreVerifier;
use cim_core::event::RecordedEvent;
use cim_core::id::AggregateKey;
use cim_core::version::{ExpectedVersion, Version};
use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::{Output, progress, say};
use super::place::open_at;
use crate::store::{EventStore, Query, StoreError};

/// The most events of one step; an append takes no more.
const STEP: usize = 1000;

/// How often a step of unknown outcome is tried again.
const RETRIES: usize = 3;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim copy sqlite:cim.db sqlite:copy.db
  cim copy --until-broken sqlite:damaged.db sqlite:sound.db

Events are verified while they are copied, in store order. A copy that was stopped goes on where it
was. With --until-broken each history is copied up to its first bad event.")]
pub(crate) struct Copy {
    /// The store to copy from
    from: String,
    /// The store to copy to; made if it is absent
    to: String,
    /// Copy what is sound: leave out an aggregate's events from its first bad one on
    #[arg(long)]
    until_broken: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(crate) async fn run(self, out: &mut Output) -> Result<(), Failure> {
        // Both URLs are named here, so the template of `cim.toml` is not asked.
        let source: Arc<dyn EventStore> = Arc::new(open_at(&self.from, None)?);
        let template = source.info().template.clone();
        let target: Arc<dyn EventStore> = Arc::new(open_at(&self.to, Some(template))?);
        if source.info().store_id == target.info().store_id {
            return Err(Failure::usage("both URLs name the same store")
                .help("name a new file to copy to, for example `sqlite:copy.db`"));
        }
        if source.info().template != target.info().template {
            return Err(StoreError::Mismatch {
                why: format!(
                    "subjects are `{}` here and `{}` there",
                    source.info().template,
                    target.info().template
                ),
            }
            .into());
        }
        let bar = progress("copying");
        if let Some(last) = source.last_position().await? {
            bar.set_length(last.get());
        }
        let mut copied = Copied::default();
        let mut verifier = StoreVerifier::new();
        let mut broken: HashMap<AggregateKey, String> = HashMap::new();
        let mut step: Vec<RecordedEvent> = Vec::new();
        let mut after = None;
        'again: loop {
            let mut events = source.read(Query {
                after,
                ..Query::default()
            });
            loop {
                let read = match events.try_next().await {
                    Ok(Some(read)) => read,
                    Ok(None) => break 'again,
                    Err(StoreError::Invalid(invalid)) if self.until_broken => {
                        if let Some(key) = &invalid.aggregate {
                            broken.entry(key.clone()).or_insert(invalid.why.clone());
                        }
                        copied.left_out += 1;
                        after = Some(invalid.position);
                        continue 'again;
                    }
                    Err(error) => return Err(error.into()),
                };
                if broken.contains_key(&read.event.aggregate) {
                    copied.left_out += 1;
                    continue;
                }
                match verifier.push(&read.event) {
                    Ok(()) => step.push(read.event),
                    Err(error) if self.until_broken => {
                        broken.insert(read.event.aggregate.clone(), error.to_string());
                        copied.left_out += 1;
                        continue;
                    }
                    Err(error) => {
                        return Err(Failure::from(error)
                            .help("`cim copy --until-broken` copies what is sound"));
                    }
                }
                if step.len() == STEP {
                    copied.add(write(&*target, &step).await?);
                    step.clear();
                    bar.set_position(read.position.get());
                }
            }
        }
        if !step.is_empty() {
            copied.add(write(&*target, &step).await?);
        }
        bar.finish_and_clear();
        target.close().await?;
        let mut faults: Vec<_> = broken.into_iter().collect();
        faults.sort();
        self.report(&copied, &faults, out)
    }

    fn report(
        &self,
        copied: &Copied,
        faults: &[(AggregateKey, String)],
        out: &mut Output,
    ) -> Result<(), Failure> {
        let Copied {
            appended,
            present,
            left_out,
        } = copied;
        if self.json {
            let broken: Vec<_> = faults
                .iter()
                .map(|(key, why)| json!({"aggregate": key.to_string(), "why": why}))
                .collect();
            return out.json(&json!({
                "schema": "cim.copy/v1",
                "appended": appended,
                "present": present,
                "left_out": left_out,
                "broken": broken,
            }));
        }
        out.line(&format!(
            "{appended} events appended, {present} were there already, {left_out} left out"
        ))?;
        out.flush()?;
        for (key, why) in faults {
            say(&format!("Left out the broken end of {key}: {why}"));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Copied {
    appended: u64,
    present: u64,
    left_out: u64,
}

impl Copied {
    fn add(&mut self, other: Self) {
        self.appended += other.appended;
        self.present += other.present;
        self.left_out += other.left_out;
    }
}

/// Appends a step: one atomic append if all of it is new, else history by history, so that what is
/// there already is told from what is not.
async fn write(target: &dyn EventStore, step: &[RecordedEvent]) -> Result<Copied, Failure> {
    let mut order: Vec<&AggregateKey> = Vec::new();
    let mut histories: HashMap<&AggregateKey, Vec<&RecordedEvent>> = HashMap::new();
    for event in step {
        let history = histories.entry(&event.aggregate).or_insert_with(|| {
            order.push(&event.aggregate);
            Vec::new()
        });
        history.push(event);
    }
    // Store order is kept where an aggregate's events follow each other directly; else runs of
    // one aggregate would be merged, so each run is its own append.
    let runs = runs(step);
    let once = runs.len() == order.len();
    if once {
        let mut fresh = true;
        for key in &order {
            let first = histories[key][0].version.get();
            let head = target.head(key).await?.map_or(0, |head| head.version.get());
            fresh &= head == first - 1;
        }
        if fresh {
            append(
                target,
                runs.iter().map(|run| to_append(run)).collect(),
                &runs,
            )
            .await?;
            return Ok(Copied {
                appended: step.len() as u64,
                ..Copied::default()
            });
        }
    }
    let mut copied = Copied::default();
    for run in runs {
        let head = target
            .head(&run[0].aggregate)
            .await?
            .map_or(0, |head| head.version.get());
        let present = run
            .iter()
            .take_while(|event| event.version.get() <= head)
            .count();
        let (old, new) = run.split_at(present);
        for part in [old, new].into_iter().filter(|part| !part.is_empty()) {
            append(target, vec![to_append(part)], &[part]).await?;
        }
        copied.present += old.len() as u64;
        copied.appended += new.len() as u64;
    }
    Ok(copied)
}

/// The events of a step cut where the aggregate changes.
fn runs(step: &[RecordedEvent]) -> Vec<&[RecordedEvent]> {
    step.chunk_by(|one, next| one.aggregate == next.aggregate)
        .collect()
}

fn to_append(run: &[RecordedEvent]) -> Append {
    let before = Version::new(run[0].version.get() - 1);
    let expected = before.map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact);
    let events: Vec<_> = run.iter().map(|event| event.event.clone()).collect();
    Append::new(run[0].aggregate.clone(), expected, events)
}

/// Appends runs in one step and checks that they got the CIDs that they had.
async fn append(
    target: &dyn EventStore,
    appends: Vec<Append>,
    runs: &[&[RecordedEvent]],
) -> Result<(), Failure> {
    let mut result = target.append_many(appends).await;
    for _ in 0..RETRIES {
        let Err(AppendError::Unknown { retry_token, .. }) = result else {
            break;
        };
        result = target.append_again(retry_token).await;
    }
    let answers: Vec<Appended> = result?;
    for (answer, run) in answers.iter().zip(runs) {
        let last = &run[run.len() - 1];
        if answer.receipt().head != last.cid {
            let message = format!(
                "`{}` is another history there: expected `{}` at version {}, found `{}`",
                last.aggregate,
                last.cid,
                last.version,
                answer.receipt().head
            );
            return Err(Failure::new(Exit::Conflict, "history-differs", message)
                .help("copy into a new store"));
        }
    }
    Ok(())
}
