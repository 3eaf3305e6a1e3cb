//! `cim aggregate show`.

use cim_core::aggregate::HistorySummary;
use cim_core::chain::Verified;
use cim_core::domain::model::Model;
use cim_core::domain::registry::{self, ENTITIES, ModelVisitor};
use cim_core::id::AggregateKey;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Version};
use clap::Args;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::cli::append::time;
use crate::cli::failure::{Exit, Failure};
use crate::cli::model;
use crate::cli::output::{Output, say};
use crate::cli::place::Place;
use crate::cli::read::no_aggregate;
use crate::cli::show::plain;
use crate::open::Opened;
use crate::repository::{self, Repository, RepositoryError, SnapshotPolicy};
use crate::store::Query;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim aggregate show order order-7
  cim aggregate show order order-7 --at 3
  cim aggregate show order order-7 --at 2026-11-21T08:00:00Z --json

Of an entity that has a model, the state is shown too; `cim command ENTITY --list` tells whether it
has one.")]
pub(crate) struct Show {
    /// The entity: `order`, `domain/order` or the whole `organization.unit.domain.order`
    entity: String,
    /// The aggregate's id
    id: String,
    /// As it was at this version or time
    #[arg(long, value_name = "VERSION|TIME", value_parser = at)]
    at: Option<At>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Version(Version),
    Time(Timestamp),
}

fn at(text: &str) -> Result<At, String> {
    match (text.parse(), time(text)) {
        (Ok(version), _) => Ok(At::Version(version)),
        (Err(_), Ok(time)) => Ok(At::Time(time)),
        (Err(_), Err(_)) => Err(
            "expected a version such as `3` or a time such as `2026-11-21T08:00:00Z`".to_owned(),
        ),
    }
}

/// What is known of an aggregate at a moment.
struct Shown {
    key: AggregateKey,
    head: Head,
    first: Timestamp,
    last: Timestamp,
    summary: HistorySummary,
    verified: Verified,
}

impl Show {
    pub(super) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let opened = place.open_whole().await?;
        let key = place.aggregate(&self.entity, &self.id, &opened.store.info().template)?;
        let shown = self.summary(&opened, key).await?;
        let load = Load {
            key: shown.key.clone(),
            at: shown.head,
            opened: &opened,
        };
        let state = match registry::visit(shown.key.entity.as_str(), load) {
            Some(loading) => Some(loading.await),
            None => None,
        };
        if self.json {
            out.json(&shown.document(state.as_ref()))?;
        } else {
            shown.print(state.as_ref(), out)?;
        }
        out.flush()?;
        if !self.json {
            say(shown.verified.not_proven());
        }
        match state {
            Some(Typed {
                state: Err(failure),
                ..
            }) => Err(failure),
            Some(Typed { state: Ok(_), .. }) | None => Ok(()),
        }
    }

    /// Folds the history, whatever its events say.
    async fn summary(&self, opened: &Opened, key: AggregateKey) -> Result<Shown, Failure> {
        let store = &opened.store;
        let mut query = Query::history(key.clone()).verified();
        let mut until = None;
        match self.at {
            Some(At::Version(version)) => query.to_version = Some(version),
            // A state is that before the first event that is later, also where times stand in disorder.
            Some(At::Time(time)) if ENTITIES.contains(&key.entity.as_str()) => until = Some(time),
            Some(At::Time(time)) => query.until = Some(time),
            None => {}
        }
        let mut summary = HistorySummary::initial_state();
        let mut verified = None;
        let mut events = store.read(query);
        while let Some(read) = events.try_next().await? {
            if until.is_some_and(|until| read.event.event.timestamp > until) {
                break;
            }
            summary = summary.evolve(&read.event);
            verified = read.verified;
        }
        let (Some(head), Some(first), Some(last)) =
            (summary.head, summary.first_time, summary.last_time)
        else {
            if store.head(&key).await?.is_some() {
                return Err(Failure::new(
                    Exit::NotFound,
                    "aggregate-not-found",
                    format!("`{key}` had no event yet then"),
                )
                .help("leave `--at` out to see it as it is now"));
            }
            return Err(no_aggregate(&key.to_string(), &self.entity));
        };
        if let Some(At::Version(version)) = self.at
            && head.version < version
        {
            return Err(Failure::new(
                Exit::NotFound,
                "version-not-found",
                format!(
                    "`{key}` has no version {version}: the last is {}",
                    head.version
                ),
            )
            .help("leave `--at` out to see it as it is now"));
        }
        Ok(Shown {
            key,
            head,
            first,
            last,
            summary,
            verified: verified.unwrap_or(Verified::Cid),
        })
    }
}

impl Shown {
    fn document(&self, state: Option<&Typed>) -> Value {
        let types: Value = self
            .summary
            .event_types
            .iter()
            .map(|(name, count)| (name.to_string(), Value::from(*count)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut document = json!({
            "schema": "cim.aggregate.show/v1",
            "aggregate": self.key.to_string(),
            "version": self.head.version.get(),
            "head": self.head.cid.to_string(),
            "events": self.summary.events(),
            "first_time": self.first.to_string(),
            "last_time": self.last.to_string(),
            "event_types": types,
            "verified": self.verified.as_str(),
            "not_proven": self.verified.not_proven(),
        });
        if let Some(typed) = state {
            document["state_version"] = typed.version.into();
            match &typed.state {
                Ok(state) => document["state"] = state.clone(),
                Err(failure) => {
                    document["state"] = Value::Null;
                    document["state_error"] = json!({
                        "code": failure.code,
                        "message": failure.message,
                        "causes": failure.causes,
                    });
                }
            }
        }
        document
    }

    fn print(&self, state: Option<&Typed>, out: &mut Output) -> Result<(), Failure> {
        out.line(&format!("{}", self.key))?;
        out.line(&format!("version     {}", self.head.version))?;
        out.line(&format!("head        {}", self.head.cid))?;
        out.line(&format!("events      {}", self.summary.events()))?;
        out.line(&format!("first time  {}", self.first))?;
        out.line(&format!("last time   {}", self.last))?;
        out.line(&format!("verified    {}", self.verified))?;
        for (name, count) in &self.summary.event_types {
            out.line(&format!("{count:>10}  {name}"))?;
        }
        match state.map(|typed| &typed.state) {
            None => Ok(()),
            Some(Err(_)) => out.line("state       not readable"),
            Some(Ok(state)) => {
                out.line("state")?;
                for line in format!("{state:#}").lines() {
                    out.line(&plain(line))?;
                }
                Ok(())
            }
        }
    }
}

/// A state as its model has it.
struct Typed {
    /// Which shape the model gives its states.
    version: u64,
    state: Result<Value, Failure>,
}

/// Folds the state that an aggregate had at its head of then.
struct Load<'a> {
    key: AggregateKey,
    at: Head,
    opened: &'a Opened,
}

impl<'a> ModelVisitor for Load<'a> {
    type Output = LocalBoxFuture<'a, Typed>;

    fn visit<M: Model>(self) -> Self::Output {
        async move {
            Typed {
                version: M::STATE_VERSION,
                state: self.state::<M>().await,
            }
        }
        .boxed_local()
    }
}

impl Load<'_> {
    async fn state<M: Model>(&self) -> Result<Value, Failure> {
        // Looking at an aggregate writes nothing.
        let policy = SnapshotPolicy {
            every_events: None,
            max_age: None,
            load_time: None,
        };
        let (key, store) = (&self.key, &self.opened.store);
        let repository = Repository::<M>::new(store.clone(), key.namespace.clone());
        let repository = model::with_snapshots(repository, self.opened, &key.id, policy).await;
        let at = repository::At::Version(self.at.version);
        let loaded = repository.load_at(&key.id, at).await;
        model::say_reports(&repository.snapshot_reports());
        let loaded = loaded?;
        if loaded.head != Some(self.at) {
            let why = format!("the history of `{key}` was replaced while it was read");
            let error = crate::store::StoreError::Mismatch { why };
            return Err(RepositoryError::Store(error).into());
        }
        serde_json::to_value(&*loaded.state).map_err(|error| {
            let message = format!("the state of `{key}` has no form in JSON");
            let mut failure = Failure::new(Exit::Failed, "state-invalid", message);
            failure.causes.push(error.to_string());
            failure.help("this is a mistake in the model: tell its authors")
        })
    }
}
