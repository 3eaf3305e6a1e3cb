//! States as sealed snapshots, and sealed snapshots as states.

use std::fmt;

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::snapshot::{Snapshot, SnapshotError};
use cim_core::time::Timestamp;
use cim_core::version::Head;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::snapshot::{SnapshotKey, SnapshotStoreError};

/// Makes snapshots of the states of one kind of aggregate in one store.
#[derive(Debug)]
pub(super) struct Sealer<S> {
    key: SnapshotKey,
    store_id: Uuid,
    state_version: u64,
    // So that only states of which snapshots are taken need to be written and read.
    write: fn(&S) -> serde_json::Result<Vec<u8>>,
    read: fn(&[u8]) -> serde_json::Result<S>,
    is_same: fn(&S, &S) -> bool,
}

/// A snapshot with its state. Whether the history has its head is not known yet.
#[derive(Debug)]
pub(in super::super) struct Opened<S> {
    pub(in super::super) snapshot: Snapshot,
    pub(in super::super) state: S,
}

impl<S> Sealer<S> {
    pub(super) fn new(key: SnapshotKey, store_id: Uuid, state_version: u64) -> Self
    where
        S: DeserializeOwned + PartialEq + Serialize,
    {
        Self {
            key,
            store_id,
            state_version,
            write: serde_json::to_vec,
            read: |bytes| serde_json::from_slice(bytes),
            is_same: S::eq,
        }
    }

    /// What follows from a misfit for the snapshot that is kept.
    pub(super) fn kept(&self, misfit: &Misfit) -> Kept {
        misfit.of_kept(self.state_version)
    }

    pub(super) fn seal(
        &self,
        aggregate: AggregateKey,
        head: Head,
        taken_at: Timestamp,
        state: &S,
    ) -> Result<Bytes, Misfit> {
        let written = (self.write)(state).map_err(Misfit::State)?;
        // A state that cannot be read again, as with a number that JSON has not, is found here; and one
        // that is read as another, as with a field that is not written.
        let again = (self.read)(&written).map_err(Misfit::State)?;
        if !(self.is_same)(state, &again) {
            return Err(Misfit::AnotherState);
        }
        let snapshot = Snapshot {
            store_id: self.store_id,
            aggregate,
            head,
            state_version: self.state_version,
            taken_at,
            state: written.into(),
        };
        Ok(snapshot.seal(self.key.expose()))
    }

    pub(super) fn open(
        &self,
        sealed: &Bytes,
        aggregate: &AggregateKey,
    ) -> Result<Opened<S>, Misfit> {
        let snapshot = Snapshot::open(sealed, self.key.expose()).map_err(Misfit::Snapshot)?;
        snapshot
            .check(self.store_id, aggregate, self.state_version)
            .map_err(Misfit::Snapshot)?;
        let state = (self.read)(&snapshot.state).map_err(Misfit::State)?;
        Ok(Opened { snapshot, state })
    }
}

/// What is known of a snapshot that is kept and not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kept {
    /// It never fits again.
    Misfit,
    /// It is of a later program, which still needs it.
    Newer,
    NotKnown,
}

/// Why a snapshot is not used, or not taken.
#[derive(Debug)]
pub(super) enum Misfit {
    Snapshot(SnapshotError),
    State(serde_json::Error),
    /// What is read is not what was written.
    AnotherState,
    Store(SnapshotStoreError),
    /// The program ends, or the state's own code has panicked.
    Interrupted,
}

impl Misfit {
    /// What follows for the snapshot that is kept.
    fn of_kept(&self, state_version: u64) -> Kept {
        match self {
            Self::Snapshot(SnapshotError::Newer { .. }) => Kept::Newer,
            Self::Snapshot(SnapshotError::StateVersion { found, .. }) if *found > state_version => {
                Kept::Newer
            }
            Self::Snapshot(_)
            | Self::State(_)
            | Self::AnotherState
            | Self::Store(SnapshotStoreError::Damaged { .. }) => Kept::Misfit,
            Self::Store(_) | Self::Interrupted => Kept::NotKnown,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Snapshot(error) => error.code(),
            Self::State(_) | Self::AnotherState => "snapshot-state-invalid",
            Self::Store(error) => error.code(),
            Self::Interrupted => "snapshot-interrupted",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(error) => error.fmt(f),
            Self::State(error) => write!(f, "the state cannot be read as it is written: {error}"),
            Self::AnotherState => {
                f.write_str("the state is another one when it is read as it is written")
            }
            Self::Store(error) => {
                error.fmt(f)?;
                let mut source = std::error::Error::source(error);
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::Interrupted => f.write_str("it was interrupted while it was written or read"),
        }
    }
}
