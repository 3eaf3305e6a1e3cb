//! How often to try, and when.

use std::time::Duration;

use super::{Backoff, RetryBudget};

/// How a call is tried again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cim_core::policy::{BudgetOptions, Retry, RetryBudget};
///
/// let (retry, now) = (Retry::default(), Duration::ZERO);
/// let mut budget = RetryBudget::new(BudgetOptions::default(), now);
/// budget.called(now);
/// // The call failed once: it is made again within 50 ms, and after five failures no more.
/// assert!(retry.wait(1, &mut budget, now, 42).is_some_and(|wait| wait.as_millis() < 50));
/// assert_eq!(retry.wait(5, &mut budget, now, 42), None);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "RetryHandler")]
#[doc(alias = "RetryPolicy")]
pub struct Retry {
    /// The most attempts, the first one included; 5 by default.
    pub attempts_max: u32,
    /// The wait between two.
    pub backoff: Backoff,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: 5,
            backoff: Backoff::default(),
        }
    }
}

impl Retry {
    /// The wait before the next attempt of a call that has failed so often; `None`: give up. Takes
    /// a retry out of the budget only if there is a next attempt.
    pub fn wait(
        &self,
        failed: u32,
        budget: &mut RetryBudget,
        now: Duration,
        entropy: u64,
    ) -> Option<Duration> {
        let again = failed < self.attempts_max && budget.take(now);
        again.then(|| self.backoff.delay(failed, entropy))
    }
}

#[cfg(test)]
mod tests {
    use super::super::BudgetOptions;
    use super::*;

    fn budget(saved_max: u32) -> RetryBudget {
        let options = BudgetOptions {
            percent: 0,
            per_second: 0,
            saved_max,
        };
        RetryBudget::new(options, Duration::ZERO)
    }

    /// How many attempts a call makes that always fails.
    fn attempts(retry: &Retry, budget: &mut RetryBudget) -> u32 {
        let mut made = 1;
        while retry.wait(made, budget, Duration::ZERO, 0).is_some() {
            made += 1;
        }
        made
    }

    #[test]
    fn gives_up_after_the_last_attempt_and_takes_no_token_for_it() {
        let retry = Retry::default();
        let mut budget = budget(4);
        assert_eq!(attempts(&retry, &mut budget), 5);
        assert_eq!(attempts(&retry, &mut budget), 1, "the budget is used up");
    }

    #[test]
    fn gives_up_when_the_budget_is_empty() {
        assert_eq!(attempts(&Retry::default(), &mut budget(2)), 3);
    }
}
