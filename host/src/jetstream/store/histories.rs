//! Histories that were read and verified, for those who read them again.
//!
//! What is here is the beginning of a history. Whoever takes it asks the leader for the head, and
//! the chain tells whether it is the beginning of that history. Appends never look here.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use cim_core::chain;
use cim_core::id::AggregateKey;
use cim_core::message::event_size;

use super::halves::Halves;
use crate::store::ReadEvent;

/// The most bytes of a half: 32 MiB in both.
const MAX_HALF: usize = 16 << 20;

/// The most bytes of one history: a longer one would drive too many others out.
const MAX_HISTORY: usize = 4 << 20;

/// The first events of a history, verified as a chain from version 1.
pub(super) type Verified = Arc<Vec<ReadEvent>>;

/// Histories by aggregate; those that are not used for long are forgotten.
#[derive(Debug)]
pub(super) struct VerifiedHistories(Mutex<Halves<Verified>>);

impl Default for VerifiedHistories {
    fn default() -> Self {
        Self(Mutex::new(Halves::new(MAX_HALF)))
    }
}

impl VerifiedHistories {
    pub(super) fn get(&self, aggregate: &AggregateKey) -> Option<Verified> {
        self.lock().get(aggregate).cloned()
    }

    pub(super) fn put(&self, aggregate: &AggregateKey, read: Collected) {
        if let Some(events) = read.events.filter(|events| !events.is_empty()) {
            let (history, size) = (Arc::new(events), read.size);
            self.lock().put(aggregate.clone(), history, size);
        }
    }

    /// Forgets a history that is not what the stream has.
    pub(super) fn forget(&self, aggregate: &AggregateKey) {
        self.lock().remove(aggregate);
    }

    /// Forgets every history.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Halves<Verified>> {
        self.0
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

/// The events of a history while they are read, until they are too many.
#[derive(Debug)]
pub(super) struct Collected {
    events: Option<Vec<ReadEvent>>,
    size: usize,
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            events: Some(Vec::new()),
            size: 0,
        }
    }
}

impl Collected {
    pub(super) fn of(history: &Verified) -> Self {
        Self {
            size: history.iter().map(size).sum(),
            events: Some(history.to_vec()),
        }
    }

    /// Takes the next event. One that is not verified as part of a chain ends it.
    pub(super) fn add(&mut self, event: &ReadEvent) {
        self.size += size(event);
        let fits = self.size <= MAX_HISTORY && event.verified == Some(chain::Verified::Chain);
        let Some(events) = self.events.as_mut().filter(|_| fits) else {
            self.events = None;
            return;
        };
        let mut event = event.clone();
        // The body is a piece of what came over the network at once, and would keep it all.
        event.event.event.body = Bytes::copy_from_slice(&event.event.event.body);
        events.push(event);
    }
}

fn size(event: &ReadEvent) -> usize {
    event_size(&event.event.event) + size_of::<ReadEvent>()
}
