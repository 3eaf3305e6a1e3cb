//! What a repository has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a [`Repository`](super::Repository) has done so far.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
        #[non_exhaustive]
        pub struct RepositoryStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The same, while it is counted.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        impl Counters {
            /// The counts. They are read one by one, while others may count on.
            pub(super) fn read(&self) -> RepositoryStats {
                RepositoryStats { $($name: self.$name.0.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// States that were loaded, also to decide a command on.
    loads,
    /// Loads that began with a state in the cache.
    cache_hits,
    /// Events that were read, verified and folded.
    events_folded,
    /// Loads that began with a snapshot.
    snapshots_used,
    /// Snapshots that did not fit, so that the history was folded without them.
    snapshots_refused,
    /// Snapshots that were taken.
    snapshots_taken,
    /// Snapshots that could not be taken or loaded.
    snapshots_failed,
    /// Commands on which events were stored, on the history that they were decided on.
    executed,
    /// Commands that had been executed before, and were answered with what was stored then.
    repeated,
    /// Commands that the domain refused.
    refused,
    /// Appends that another writer was faster than.
    conflicts,
    /// Commands that were decided anew after a conflict, each time counted.
    retries,
    /// Commands that were given up after too many conflicts.
    contended,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn count(&self) {
        self.add(1);
    }
}
