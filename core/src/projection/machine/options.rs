//! How a projection works: batches, limits, retries.

use super::call::Failures;
use crate::projection::Fault;

/// How a projection works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The most events of a batch, 512 by default: the cost of a call and a commit is small then
    /// beside that of its events.
    pub batch_events: usize,
    /// The most bytes of payload in a batch beyond its first event, 256 KiB by default.
    pub batch_bytes: usize,
    /// The most aggregates that may be parked, 1000 by default: more is a fault of the handler.
    pub parked_max: usize,
    /// How faults are tried again.
    pub retry: RetryPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_events: 512,
            batch_bytes: 256 << 10,
            parked_max: 1000,
            retry: RetryPolicy::default(),
        }
    }
}

/// How often and when a call is made again after a fault. A fault that is not retryable is tried
/// again once and at once, since a fresh instance may succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryPolicy {
    /// How often after a retryable fault; 5 by default.
    pub retries: u32,
    /// The wait before the first retry in milliseconds, 100 by default; each further one is twice
    /// as long.
    pub first_wait_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 5,
            first_wait_ms: 100,
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try, in microseconds, after so many failures; `None`: no more.
    pub(super) fn wait(&self, failures: Failures, fault: &Fault) -> Option<u64> {
        let Failures { retryable, lasting } = failures;
        if !fault.retryable {
            return (lasting <= 1).then_some(0);
        }
        let doubled = 1_u64 << retryable.saturating_sub(1).min(20);
        let wait = self.first_wait_ms.saturating_mul(1000 * doubled);
        (retryable <= self.retries).then_some(wait)
    }
}
