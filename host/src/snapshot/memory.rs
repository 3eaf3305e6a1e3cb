//! Snapshots in memory: for tests and small programs. They live as long as their last handle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::version::Version;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use super::{SnapshotEntry, SnapshotStore, SnapshotStoreError, check_len};

/// A handle on snapshots in memory. Its clones are handles on the same ones.
#[derive(Clone, Debug, Default)]
pub struct MemorySnapshots(Arc<Mutex<Kept>>);

type Kept = BTreeMap<AggregateKey, (Version, Bytes)>;

impl MemorySnapshots {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0
            .lock()
            .expect("no code panics while it holds the lock")
    }

    fn put(
        &self,
        aggregate: &AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> Result<(), SnapshotStoreError> {
        check_len(&sealed)?;
        let mut kept = self.lock();
        let is_later = |(found, _): &(Version, Bytes)| *found > version;
        if !kept.get(aggregate).is_some_and(is_later) {
            kept.insert(aggregate.clone(), (version, sealed));
        }
        Ok(())
    }
}

impl SnapshotStore for MemorySnapshots {
    fn load<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>> {
        async move { Ok(self.lock().get(aggregate).map(|(_, sealed)| sealed.clone())) }.boxed()
    }

    fn save<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>> {
        async move { self.put(aggregate, version, sealed) }.boxed()
    }

    fn delete<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>> {
        async move { Ok(self.lock().remove(aggregate).is_some()) }.boxed()
    }

    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>> {
        async move { Ok(std::mem::take(&mut *self.lock()).len() as u64) }.boxed()
    }

    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>> {
        let entry = |(aggregate, (version, sealed)): (&AggregateKey, &(Version, Bytes))| {
            Ok(SnapshotEntry {
                aggregate: aggregate.clone(),
                version: *version,
                bytes: sealed.len() as u64,
            })
        };
        let entries: Vec<_> = self.lock().iter().map(entry).collect();
        stream::iter(entries).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::contract::Fixture;

    struct Memory(MemorySnapshots);

    impl Fixture for Memory {
        fn snapshots(&self) -> Arc<dyn SnapshotStore> {
            Arc::new(self.0.clone())
        }

        async fn open_again(&self) -> Arc<dyn SnapshotStore> {
            self.snapshots()
        }
    }

    async fn memory() -> Memory {
        Memory(MemorySnapshots::default())
    }

    crate::snapshot_contract_tests!(contract, memory);
}
