//! The states that were used last.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cim_core::id::AggregateId;
use cim_core::version::Head;

use super::snapshots::LastSnapshot;

/// A state that was folded from a verified history, and where that ended.
#[derive(Debug)]
pub(super) struct Known<S> {
    pub(super) state: Arc<S>,
    pub(super) head: Head,
    /// The snapshot that it was folded from, or that was taken since.
    pub(super) snapshot: LastSnapshot,
}

impl<S> Clone for Known<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            ..*self
        }
    }
}

/// A bounded number of states. The one that was not used for longest goes first.
#[derive(Debug)]
pub(super) struct Cache<S> {
    capacity: usize,
    entries: HashMap<AggregateId, (u64, Known<S>)>,
    /// The entries by when they were used last.
    by_use: BTreeMap<u64, AggregateId>,
    uses: u64,
}

impl<S> Cache<S> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// What is known of an aggregate.
    pub(super) fn get(&mut self, id: &AggregateId) -> Option<Known<S>> {
        let (used, known) = self.entries.get_mut(id)?;
        let id = self.by_use.remove(used)?;
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, id);
        Some(known.clone())
    }

    /// Keeps what is known, unless more is known already: of two who load at the same time, the slower
    /// one may have seen less.
    pub(super) fn put(&mut self, id: &AggregateId, known: Known<S>) {
        let newer = |(_, kept): &(u64, Known<S>)| kept.head.version > known.head.version;
        if self.capacity == 0 || self.entries.get(id).is_some_and(newer) {
            return;
        }
        self.remove(id);
        if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, id.clone());
        self.entries.insert(id.clone(), (self.uses, known));
    }

    /// Forgets an aggregate.
    pub(super) fn remove(&mut self, id: &AggregateId) {
        if let Some((used, _)) = self.entries.remove(id) {
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use cim_core::cid::Cid;
    use cim_core::version::Version;

    use super::*;

    fn known(version: u64) -> Known<u64> {
        Known {
            state: Arc::new(version),
            head: Head {
                version: Version::new(version).expect("a version"),
                cid: Cid::of_block(&version.to_be_bytes()),
            },
            snapshot: LastSnapshot::default(),
        }
    }

    fn id(text: &str) -> AggregateId {
        AggregateId::new(text).expect("a token")
    }

    fn state(cache: &mut Cache<u64>, text: &str) -> Option<u64> {
        cache.get(&id(text)).map(|known| *known.state)
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut cache = Cache::new(2);
        cache.put(&id("a"), known(1));
        cache.put(&id("b"), known(2));
        assert_eq!(state(&mut cache, "a"), Some(1));
        cache.put(&id("c"), known(3));
        assert_eq!(state(&mut cache, "b"), None);
        assert_eq!(state(&mut cache, "a"), Some(1));
        assert_eq!(state(&mut cache, "c"), Some(3));
        assert_eq!((cache.entries.len(), cache.by_use.len()), (2, 2));
    }

    #[test]
    fn less_does_not_replace_more() {
        let mut cache = Cache::new(2);
        cache.put(&id("a"), known(5));
        cache.put(&id("a"), known(4));
        assert_eq!(state(&mut cache, "a"), Some(5));
        cache.remove(&id("a"));
        cache.put(&id("a"), known(4));
        assert_eq!(state(&mut cache, "a"), Some(4));
        assert_eq!((cache.entries.len(), cache.by_use.len()), (1, 1));
    }

    #[test]
    fn without_capacity_nothing_is_kept() {
        let mut cache = Cache::new(0);
        cache.put(&id("a"), known(1));
        assert_eq!(state(&mut cache, "a"), None);
    }
}
