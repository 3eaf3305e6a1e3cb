//! What to do when a call fails: wait and try again, or leave the other side alone for a while.
//!
//! All of it decides and does nothing: it never waits, asks no clock and draws no random numbers.
//! `now` is the time since any fixed start, by a clock that does not go back; `entropy` is a random
//! number of which every bit counts.
//!
//! [`Backoff`] says how long to wait. [`Retry`] adds how often to try, and a [`RetryBudget`] that
//! keeps retries a small share of all calls: when everything fails, retries only add to the load. A
//! [`CircuitBreaker`] refuses calls to somebody who does not answer, and finds out when that is over.

mod backoff;
mod breaker;
mod budget;
mod retry;

pub use self::backoff::Backoff;
pub use self::breaker::{BreakerOptions, CircuitBreaker, CircuitState, Permit, Refused};
pub use self::budget::{BudgetOptions, RetryBudget};
pub use self::retry::Retry;
