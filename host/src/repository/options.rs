//! How a repository works, as its user wants it.

use std::time::Duration;

use cim_core::policy::{Backoff, Retry};
use cim_core::text::Text;

/// The aggregates whose state is kept by default: what a busy service touches within minutes, in some
/// megabytes where a state takes kilobytes.
pub const CACHE_CAPACITY: usize = 1_000;

/// How a [`Repository`](super::Repository) works.
#[derive(Clone, Debug)]
pub struct RepositoryOptions {
    /// The service that gives the commands and so writes the events; `cim` by default.
    pub source: Text,
    /// How often a command is decided, and how long to wait in between, when other writers were faster.
    ///
    /// By default 20 times, with waits of at most 5 ms that double up to a second. Each conflict means that
    /// somebody else got on, so retries do not pile up on a store that fails and take from no budget.
    /// Twenty writers on one aggregate spread out within a few tries.
    pub retry: Retry,
    /// The most aggregates whose state is kept; [`CACHE_CAPACITY`] by default. With 0, none is.
    pub cache_capacity: usize,
}

impl Default for RepositoryOptions {
    fn default() -> Self {
        Self {
            source: Text::new("cim").expect("a text"),
            retry: Retry {
                attempts_max: 20,
                backoff: Backoff {
                    base: Duration::from_millis(5),
                    cap: Duration::from_secs(1),
                },
            },
            cache_capacity: CACHE_CAPACITY,
        }
    }
}
