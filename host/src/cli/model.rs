//! Entities that have a model: what commands that work with them have in common.

use std::path::Path;

use cim_core::domain::model::Model;
use cim_core::domain::registry::ENTITIES;
use cim_core::id::{AggregateId, Entity};
use cim_core::payload::EventError;

use super::failure::{Exit, Failure};
use super::output::say;
use super::place::Place;
use super::snapshot::no_key;
use crate::open::Opened;
use crate::repository::{Repository, RepositoryError, SnapshotPolicy, SnapshotReport};
use crate::snapshot::{KEY_FILE_NAME, SnapshotKey};

/// The model of an entity is asked for, and there is none.
pub(crate) fn no_model(entity: &Entity) -> Failure {
    let known: Vec<_> = ENTITIES.iter().map(|name| format!("`{name}`")).collect();
    Failure::usage(format!("`{entity}` has no model")).help(format!(
        "these entities have one: {}; events of any other are stored with `cim append`",
        known.join(", ")
    ))
}

/// The entity of a command that needs no store.
pub(crate) fn entity(text: &str, place: &Place) -> Result<Entity, Failure> {
    let template = place.config.template()?.unwrap_or_default();
    let (_, entity) = place.entity(text, &template)?;
    Ok(entity)
}

/// The repository with the snapshots of its store, if there is a key for them. What stands in the way
/// of that is said, and costs time alone.
pub(crate) async fn with_snapshots<M: Model>(
    repository: Repository<M>,
    opened: &Opened,
    id: &AggregateId,
    policy: SnapshotPolicy,
) -> Repository<M> {
    let snapshots = match opened.snapshots() {
        Ok(snapshots) => snapshots,
        Err(error) => {
            say(&format!("warning: no snapshot is used: {error}"));
            return repository;
        }
    };
    match SnapshotKey::open(Path::new(KEY_FILE_NAME)) {
        Ok(Some(key)) => repository.with_snapshots(snapshots, key, policy),
        Ok(None) => {
            let key = repository.key(id);
            // One that cannot be read is as good as none.
            if let Ok(Some(_)) = snapshots.load(&key).await {
                say(&format!(
                    "warning: the snapshot of `{key}` is not used: there is no `{KEY_FILE_NAME}` \
                     here"
                ));
            }
            repository
        }
        Err(error) => {
            say(&no_key(&error));
            repository
        }
    }
}

/// Says which snapshots were not used or not taken, each once.
pub(crate) fn say_reports(reports: &[SnapshotReport]) {
    let mut said: Vec<String> = Vec::new();
    for report in reports {
        let text = format!("warning: {report}");
        if !said.contains(&text) {
            say(&text);
            said.push(text);
        }
    }
}

impl From<RepositoryError> for Failure {
    fn from(error: RepositoryError) -> Self {
        let exit = match &error {
            RepositoryError::Broken { .. } => Exit::Broken,
            RepositoryError::NoSuchVersion { .. } => Exit::NotFound,
            // What the store says decides, below.
            RepositoryError::Store(_)
            | RepositoryError::Unreadable { .. }
            | RepositoryError::WrongOperation { .. } => Exit::Failed,
        };
        let failure = Self::of(exit, error.code(), &error);
        match error {
            RepositoryError::Store(error) => error.into(),
            RepositoryError::Broken { .. } => failure.help(
                "`cim verify` looks at the whole store; `cim copy --until-broken FROM TO` saves \
                 what is sound",
            ),
            RepositoryError::Unreadable { event, source, .. } => failure.help(match source {
                EventError::Newer { .. } | EventError::UpcasterMissing { .. } => {
                    format!("use a newer `cim`; `cim event show {event}` shows the event")
                }
                _ => format!(
                    "`cim event show {event}` shows the event; another program, or another kind of \
                     history, has this entity's name"
                ),
            }),
            RepositoryError::WrongOperation { .. } => {
                failure.help("this is a mistake in the model: tell its authors")
            }
            RepositoryError::NoSuchVersion { .. } => {
                failure.help("leave `--at` out to see it as it is now")
            }
        }
    }
}
