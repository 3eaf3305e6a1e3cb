//! The ids of what we have stored and the index does not have yet.
//!
//! A repeat of `Any` is known by its ids alone. The server knows them too, but only for its duplicate
//! window, and a message may wait for longer than that until it reaches a server that was away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use cim_core::id::EventId;

/// How many ids are remembered before the index is fed: some 20 MB.
const MAX_IDS: usize = 500_000;

/// Ids with a sequence up to which the index must reach for them to be there.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<HashMap<EventId, u64>>);

impl Recent {
    pub(super) fn add(&self, ids: impl IntoIterator<Item = EventId>, sequence: u64) {
        self.lock().extend(ids.into_iter().map(|id| (id, sequence)));
    }

    /// Whether an id is remembered. Ask here first and then the index, into which ids move.
    pub(super) fn has(&self, id: EventId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Forgets what the index has.
    pub(super) fn forget_up_to(&self, sequence: u64) {
        self.lock().retain(|_, at| *at > sequence);
    }

    /// Whether the index should be fed, so that ids can be forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.lock().len() >= MAX_IDS
    }

    /// Forgets every id.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, u64>> {
        self.0
            .lock()
            .expect("no code panics while it holds the lock")
    }
}
