//! Where snapshots are kept: one port, several adapters, one contract.
//!
//! What is kept here is sealed ([`cim_core::snapshot`]), and nothing here opens it: an adapter may
//! lose a snapshot, and what it gives back may be altered. Whoever loads one opens and checks it with
//! the [`SnapshotKey`], and deletes what does not fit; the history is the truth, and all snapshots may
//! be deleted at any time.
//!
//! [`MemorySnapshots`] is for tests and small programs, [`SqliteSnapshots`](crate::sqlite::SqliteSnapshots)
//! keeps them in the store's own file, `jetstream::JetStreamSnapshots` in a bucket beside the store's
//! stream. [`contract`] holds the tests that each adapter passes.

pub mod contract;
mod error;
mod key;
mod memory;

use std::fmt;

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::version::Version;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

pub use error::SnapshotStoreError;
pub use key::{KEY_FILE_NAME, SnapshotKey, SnapshotKeyError};
pub use memory::MemorySnapshots;

/// The most bytes of a sealed snapshot, 64 MiB: what a process can be expected to hold in memory
/// beside the state, and to send in a few seconds. A larger aggregate should be cut into smaller ones.
pub const MAX_SEALED_LEN: usize = 64 << 20;

/// Keeps at most one snapshot an aggregate.
///
/// All methods may be called at the same time from any number of tasks and processes. What is loaded
/// is what somebody saved, whole; while others save, or where a replica lags behind, it may be an
/// earlier one. A saved snapshot may be lost when the machine loses power.
pub trait SnapshotStore: fmt::Debug + Send + Sync {
    /// The sealed snapshot of an aggregate, `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError`] when it could not be read. The history is there all the same.
    fn load<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>>;

    /// Keeps a sealed snapshot in the place of the one that is there, unless that is of a higher
    /// version: then nothing happens. Of the same version the last one stays.
    ///
    /// The version is taken as it is told. One that is there and does not fit must be deleted, or
    /// keeps out all others up to its version.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError::TooLarge`] for more than [`MAX_SEALED_LEN`]; others when it could not be
    /// written: then the one before is there, or none.
    fn save<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>>;

    /// Deletes the snapshot of an aggregate, and tells whether there was one.
    ///
    /// # Errors
    ///
    /// [`SnapshotStoreError`]; then it may be there or not.
    fn delete<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>>;

    /// Deletes all snapshots, and tells how many there were. Those that are saved meanwhile may stay, or
    /// be damaged: then loading them says so.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>>;

    /// The snapshots that are kept, in the order of their aggregates' keys. Those that are saved or
    /// deleted meanwhile may be among them or not.
    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>>;
}

/// A snapshot that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotEntry {
    /// Whose it is.
    pub aggregate: AggregateKey,
    /// Its version, as it was told when it was saved.
    pub version: Version,
    /// How many bytes the sealed snapshot has.
    pub bytes: u64,
}

/// Refuses what is larger than any adapter keeps.
pub(crate) fn check_len(sealed: &Bytes) -> Result<(), SnapshotStoreError> {
    if sealed.len() > MAX_SEALED_LEN {
        return Err(SnapshotStoreError::TooLarge {
            bytes: sealed.len(),
        });
    }
    Ok(())
}
