//! `cim snapshot`.

mod delete;
mod key;
mod list;

use std::sync::Arc;

use clap::Subcommand;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::place::Place;
use crate::open::Opened;
use crate::snapshot::{SnapshotKeyError, SnapshotStore, SnapshotStoreError};

#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    /// List snapshots, and whether they can be used
    List(list::List),
    /// Delete snapshots; the history stays as it is
    Delete(delete::Delete),
    /// Make the key that seals snapshots
    Key(key::Key),
}

impl Snapshot {
    pub(crate) async fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(&Place::find(store)?, out).await,
            Self::Delete(command) => command.run(&Place::find(store)?, out).await,
            Self::Key(command) => command.run(out),
        }
    }
}

/// Why a key that is there is not used, as a warning.
pub(crate) fn no_key(error: &SnapshotKeyError) -> String {
    let failure = key_failure(error);
    let causes: String = failure
        .causes
        .iter()
        .map(|why| format!(": {why}"))
        .collect();
    let help = failure.help.unwrap_or_default();
    let message = failure.message;
    format!("warning: no snapshot is used: {message}{causes}\nhelp: {help}")
}

/// What a key that cannot be had means for a command that needs it.
fn key_failure(error: &SnapshotKeyError) -> Failure {
    let exit = match error {
        SnapshotKeyError::Unsafe { .. } => Exit::NotAllowed,
        SnapshotKeyError::Io { source, .. } => super::failure::exit_of(source),
        SnapshotKeyError::Malformed { .. } | SnapshotKeyError::Exists { .. } => Exit::Failed,
    };
    let failure = Failure::of(exit, error.code(), error);
    let help = match error {
        SnapshotKeyError::Unsafe { .. } => return failure.help(error.help().unwrap_or_default()),
        SnapshotKeyError::Malformed { .. } => {
            "restore it, or delete it and make another with `cim snapshot key`"
        }
        SnapshotKeyError::Exists { .. } => {
            "it stays as it is: another key would make all snapshots worthless; to have another \
             one, move this one away first"
        }
        SnapshotKeyError::Io { .. } => {
            "check that the folder is there and that you may read and write in it"
        }
    };
    failure.help(help)
}

/// Opens a store with its snapshots.
async fn open(place: &Place) -> Result<(Opened, Arc<dyn SnapshotStore>), Failure> {
    let opened = place.open_whole().await?;
    let snapshots = opened.snapshots()?;
    Ok((opened, snapshots))
}

impl From<SnapshotStoreError> for Failure {
    fn from(error: SnapshotStoreError) -> Self {
        let exit = match &error {
            SnapshotStoreError::NotAllowed { .. } => Exit::NotAllowed,
            SnapshotStoreError::Unreachable { .. } => Exit::Unknown,
            SnapshotStoreError::TooLarge { .. }
            | SnapshotStoreError::Damaged { .. }
            | SnapshotStoreError::Foreign { .. }
            | SnapshotStoreError::Busy { .. }
            | SnapshotStoreError::Io { .. } => Exit::Failed,
        };
        let failure = Self::of(exit, error.code(), &error);
        failure.help(match &error {
            SnapshotStoreError::Damaged { .. } => {
                "delete all snapshots with `cim snapshot delete --all`: it costs time alone"
            }
            SnapshotStoreError::TooLarge { .. } | SnapshotStoreError::Foreign { .. } => {
                "nothing of the history is lost: snapshots only save time"
            }
            SnapshotStoreError::NotAllowed { .. } => {
                "ask for the right; nothing else than snapshots needs it"
            }
            SnapshotStoreError::Busy { .. }
            | SnapshotStoreError::Io { .. }
            | SnapshotStoreError::Unreachable { .. } => {
                "check that the store can be reached, then try again"
            }
        })
    }
}
