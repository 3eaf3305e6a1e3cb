//! `cim copy`.

use std::collections::{BTreeMap, BTreeSet};

use cim_core::chain::verifier::StoreVerifier;
use cim_core::id::{AggregateKey, Namespace};
use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::json;

use super::failure::Failure;
use super::output::{Output, count, progress, say};
use super::place::{Place, open_url};
use crate::import::replica::{Counts, Replica};
use crate::open::NewStore;
use crate::store::{AggregateSelect, EventStore, Query, StoreError};

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
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        // Both URLs are named here, so the template of `cim.toml` is not asked.
        let source = open_url(&self.from, &place.config, None).await?;
        let template = source.info().template.clone();
        let mut namespaces = namespaces(&*source).await?;
        if namespaces.is_empty() {
            namespaces.push(place.namespace(&template)?);
        }
        let new = NewStore {
            template,
            namespaces,
        };
        let target = open_url(&self.to, &place.config, Some(new)).await?;
        if source.info().store_id == target.info().store_id {
            return Err(Failure::usage("both URLs name the same store")
                .help("name a new file to copy to, for example `sqlite:copy.db`"));
        }
        if source.info().template != target.info().template {
            let failure = Failure::from(StoreError::Mismatch {
                why: format!(
                    "subjects are `{}` here and `{}` there",
                    source.info().template,
                    target.info().template
                ),
            });
            return Err(failure.help("name a store to copy to that is not there yet"));
        }
        let bar = progress("copying");
        if let Some(last) = source.last_position().await? {
            bar.set_length(last.get());
        }
        let mut replica = Replica::new(&*target);
        let mut verifier = StoreVerifier::new();
        let mut broken: BTreeMap<AggregateKey, String> = BTreeMap::new();
        let mut left_out = 0;
        let mut after = None;
        let mut events = source.read(Query::default());
        loop {
            let read = match events.try_next().await {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(StoreError::Invalid(invalid)) if self.until_broken => {
                    // An event that cannot be read ends the stream. The next one of its history
                    // shows whose it was, where it does not say so itself.
                    if let Some(key) = invalid.aggregate {
                        broken.entry(key).or_insert(invalid.why);
                    }
                    left_out += 1;
                    after = after.max(Some(invalid.position));
                    events = source.read(Query {
                        after,
                        ..Query::default()
                    });
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            after = Some(read.position);
            if broken.contains_key(&read.event.aggregate) {
                left_out += 1;
                continue;
            }
            match verifier.push(&read.event) {
                Ok(()) => replica.push(read.event).await?,
                Err(error) if self.until_broken => {
                    left_out += 1;
                    broken.insert(read.event.aggregate, error.to_string());
                }
                Err(error) => {
                    return Err(Failure::from(error)
                        .help("`cim copy --until-broken FROM TO` copies what is sound"));
                }
            }
            bar.set_position(read.position.get());
        }
        let counts = replica.flush().await?;
        bar.finish_and_clear();
        target.close().await?;
        self.report(counts, left_out, &broken, out)
    }

    fn report(
        &self,
        Counts { appended, present }: Counts,
        left_out: u64,
        broken: &BTreeMap<AggregateKey, String>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        if self.json {
            let broken: Vec<_> = broken
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
            "{}: {appended} appended, {present} were there already, {left_out} left out",
            count(appended + present + left_out, "event")
        ))?;
        out.flush()?;
        for (key, why) in broken {
            say(&format!("Left out the broken end of `{key}`: {why}"));
        }
        Ok(())
    }
}

/// The namespaces of a store's aggregates. Which of them are sound, the copy will find out.
async fn namespaces(store: &dyn EventStore) -> Result<Vec<Namespace>, Failure> {
    let mut found = BTreeSet::new();
    let mut aggregates = store.aggregates(AggregateSelect::default());
    loop {
        match aggregates.try_next().await {
            Ok(Some(entry)) => drop(found.insert(entry.aggregate.namespace)),
            Ok(None) => return Ok(found.into_iter().collect()),
            Err(StoreError::Invalid(invalid)) => {
                found.extend(invalid.aggregate.map(|aggregate| aggregate.namespace));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
