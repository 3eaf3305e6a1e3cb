//! `cim snapshot list`.

use std::path::Path;
use std::sync::Arc;

use cim_core::chain;
use cim_core::domain::model::Model;
use cim_core::domain::registry::{self, ModelVisitor};
use cim_core::snapshot::Snapshot;
use clap::Args;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::{JsonList, Output, count, say};
use crate::cli::place::Place;
use crate::cli::show::plain;
use crate::snapshot::{KEY_FILE_NAME, SnapshotEntry, SnapshotKey, SnapshotStore};
use crate::store::{EventStore, Query};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim snapshot list
  cim snapshot list compute --json

A snapshot can be used when the key has sealed it, it is of this store, this aggregate and the
present shape of its state, and the history has its event. What cannot be used is ignored, and
taken anew.")]
pub(crate) struct List {
    /// The entity: `compute`, `domain/compute` or the whole `organization.unit.domain.compute`
    entity: Option<String>,
    /// The aggregate's id
    id: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Whether a snapshot can be used.
enum Use {
    /// It can.
    Yes(Snapshot),
    /// It cannot: a code, and why.
    No(&'static str, String),
    /// Nobody knows without a key.
    NoKey,
}

impl List {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let (opened, snapshots) = super::open(place).await?;
        let template = &opened.store.info().template;
        let (of, id) = match (&self.entity, &self.id) {
            (None, _) => (None, None),
            (Some(entity), None) => (Some(place.entity(entity, template)?), None),
            (Some(entity), Some(id)) => {
                let key = place.aggregate(entity, id, template)?;
                (Some((key.namespace, key.entity)), Some(key.id))
            }
        };
        let key = match SnapshotKey::open(Path::new(KEY_FILE_NAME)) {
            Ok(key) => key,
            Err(error) => {
                say(&super::no_key(&error));
                None
            }
        };
        let judge = Judge {
            store: Arc::clone(&opened.store),
            snapshots: Arc::clone(&snapshots),
            key,
        };
        let head = json!({"schema": "cim.snapshot.list/v1", "has_key": judge.key.is_some()});
        let mut list = match self.json {
            true => Listed::Json(JsonList::begin(&head, "snapshots", out)?),
            false => Listed::Lines(out),
        };
        let (mut entries, mut unused) = (snapshots.list(), 0);
        while let Some(entry) = entries.try_next().await? {
            let key = &entry.aggregate;
            let other = of.as_ref().is_some_and(|(namespace, entity)| {
                key.namespace != *namespace || key.entity != *entity
            });
            if other || id.as_ref().is_some_and(|id| key.id != *id) {
                continue;
            }
            let Some(usable) = judge.judge(&entry).await? else {
                continue;
            };
            unused += u64::from(!matches!(usable, Use::Yes(_)));
            match &mut list {
                Listed::Json(list) => list.item(&object(&entry, &usable).to_string())?,
                Listed::Lines(out) => out.line(&line(&entry, &usable))?,
            }
        }
        if let Listed::Json(list) = list {
            return list.end();
        }
        out.flush()?;
        if judge.key.is_none() && unused > 0 {
            say(&format!(
                "There is no key here, so that {} cannot be used; `cim snapshot key` makes one.",
                count(unused, "snapshot")
            ));
        }
        Ok(())
    }
}

enum Listed<'a> {
    Json(JsonList<'a>),
    Lines(&'a mut Output),
}

/// What snapshots are judged with.
struct Judge {
    store: Arc<dyn EventStore>,
    snapshots: Arc<dyn SnapshotStore>,
    key: Option<SnapshotKey>,
}

impl Judge {
    /// Whether a snapshot can be used; `None` when it is gone by now.
    async fn judge(&self, entry: &SnapshotEntry) -> Result<Option<Use>, Failure> {
        let Some(key) = &self.key else {
            return Ok(Some(Use::NoKey));
        };
        let aggregate = &entry.aggregate;
        let sealed = match self.snapshots.load(aggregate).await {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(Use::No(error.code(), error.to_string()))),
        };
        let no =
            |error: cim_core::snapshot::SnapshotError| Use::No(error.code(), error.to_string());
        let snapshot = match Snapshot::open(&sealed, key.expose()) {
            Ok(snapshot) => snapshot,
            Err(error) => return Ok(Some(no(error))),
        };
        let shape = registry::visit(aggregate.entity.as_str(), Shape(&snapshot));
        let (state_version, state_fault) = shape.unwrap_or((snapshot.state_version, None));
        let store_id = self.store.info().store_id;
        if let Err(error) = snapshot.check(store_id, aggregate, state_version) {
            return Ok(Some(no(error)));
        }
        let at = Query {
            from_version: Some(snapshot.head.version),
            to_version: Some(snapshot.head.version),
            ..Query::history(aggregate.clone())
        };
        let event = self.store.read(at).try_next().await?;
        let cid = event.map(|read| chain::cid_of(&read.event));
        Ok(Some(
            match (snapshot.check_history(cid.as_ref()), state_fault) {
                (Err(error), _) => no(error),
                (Ok(()), Some(why)) => Use::No("snapshot-state-invalid", why),
                (Ok(()), None) => Use::Yes(snapshot),
            },
        ))
    }
}

/// The version of the state of a snapshot's aggregate, and why the state cannot be read, if it cannot.
struct Shape<'a>(&'a Snapshot);

impl ModelVisitor for Shape<'_> {
    type Output = (u64, Option<String>);

    fn visit<M: Model>(self) -> Self::Output {
        let state = serde_json::from_slice::<M::State>(&self.0.state);
        (M::STATE_VERSION, state.err().map(|error| error.to_string()))
    }
}

/// A snapshot on one line.
fn line(entry: &SnapshotEntry, usable: &Use) -> String {
    let verdict = match usable {
        Use::Yes(snapshot) => format!("taken {}", snapshot.taken_at),
        Use::No(code, why) => format!("not used: {code}: {}", plain(why)),
        Use::NoKey => "not used: no key".to_owned(),
    };
    let (aggregate, version) = (&entry.aggregate, entry.version);
    let bytes = count(entry.bytes, "byte");
    format!("{aggregate}  v{version}  {bytes}  {verdict}")
}

/// A snapshot as a JSON object.
fn object(entry: &SnapshotEntry, usable: &Use) -> Value {
    let (is_usable, taken_at, fault) = match usable {
        Use::Yes(snapshot) => (Some(true), Some(snapshot.taken_at.to_string()), None),
        Use::No(code, why) => (
            Some(false),
            None,
            Some(json!({"code": code, "message": why})),
        ),
        Use::NoKey => (None, None, None),
    };
    json!({
        "aggregate": entry.aggregate.to_string(),
        "version": entry.version.get(),
        "bytes": entry.bytes,
        "usable": is_usable,
        "taken_at": taken_at,
        "fault": fault,
    })
}
