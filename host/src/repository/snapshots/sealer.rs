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
        S: DeserializeOwned + Serialize,
    {
        Self {
            key,
            store_id,
            state_version,
            write: serde_json::to_vec,
            read: |bytes| serde_json::from_slice(bytes),
        }
    }

    pub(super) fn seal(
        &self,
        aggregate: AggregateKey,
        head: Head,
        taken_at: Timestamp,
        state: &S,
    ) -> Result<Bytes, Misfit> {
        let written = (self.write)(state).map_err(Misfit::State)?;
        // A state that cannot be read again, as with a number that JSON has not, is found here.
        (self.read)(&written).map_err(Misfit::State)?;
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

/// Why a snapshot is not used, or not taken.
#[derive(Debug)]
pub(super) enum Misfit {
    Snapshot(SnapshotError),
    State(serde_json::Error),
    Store(SnapshotStoreError),
    /// The program ends, or the state's own code has panicked.
    Interrupted,
}

impl Misfit {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Snapshot(error) => error.code(),
            Self::State(_) => "snapshot-state-invalid",
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
