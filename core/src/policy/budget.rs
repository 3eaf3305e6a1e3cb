//! How many retries may be made in all.

use std::time::Duration;

/// How large a [`RetryBudget`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BudgetOptions {
    /// Retries that each hundred calls earn, 20 by default: at worst a fifth more load.
    pub percent: u32,
    /// Retries that each second earns, 10 by default: who calls rarely may try again too.
    pub per_second: u32,
    /// The most retries that can be saved up, and what there is at first; 100 by default.
    pub saved_max: u32,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self {
            percent: 20,
            per_second: 10,
            saved_max: 100,
        }
    }
}

/// A bucket of tokens that keeps retries a bounded share of calls. Calls and time fill it, each
/// retry takes one token, and without one there is no retry.
///
/// It is shared by all calls to one place.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    options: BudgetOptions,
    /// In billionths of a retry, so that neither a call nor a nanosecond is lost by rounding.
    saved: u64,
    now: Duration,
}

/// One retry, in the unit of [`RetryBudget::saved`].
const RETRY: u64 = 1_000_000_000;

impl RetryBudget {
    /// A budget that is full.
    pub fn new(options: BudgetOptions, now: Duration) -> Self {
        Self {
            options,
            saved: most(&options),
            now,
        }
    }

    /// Takes that a call is made, which earns a share of a retry. Retries earn nothing.
    pub fn called(&mut self, now: Duration) {
        self.pass(now);
        self.earn(RETRY / 100 * u64::from(self.options.percent));
    }

    /// Takes a retry out, if there is one.
    #[must_use = "without a token there is no retry"]
    pub fn take(&mut self, now: Duration) -> bool {
        self.pass(now);
        match self.saved.checked_sub(RETRY) {
            Some(rest) => {
                self.saved = rest;
                true
            }
            None => false,
        }
    }

    /// Time earns too. A clock that went back earns nothing.
    fn pass(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.now);
        self.now = self.now.max(now);
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        self.earn(passed.saturating_mul(u64::from(self.options.per_second)));
    }

    fn earn(&mut self, earned: u64) {
        self.saved = self.saved.saturating_add(earned).min(most(&self.options));
    }
}

/// What can be saved up at most.
fn most(options: &BudgetOptions) -> u64 {
    u64::from(options.saved_max) * RETRY
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(percent: u32, per_second: u32, saved_max: u32) -> RetryBudget {
        let options = BudgetOptions {
            percent,
            per_second,
            saved_max,
        };
        RetryBudget::new(options, Duration::ZERO)
    }

    #[test]
    fn five_calls_earn_a_retry_at_twenty_percent() {
        let mut budget = budget(20, 0, 1);
        let now = Duration::ZERO;
        assert!(budget.take(now), "it is full at first");
        for _ in 0..4 {
            budget.called(now);
            assert!(!budget.take(now));
        }
        budget.called(now);
        assert!(budget.take(now));
        assert!(!budget.take(now));
    }

    #[test]
    fn time_earns_retries_up_to_what_can_be_saved() {
        let mut budget = budget(0, 10, 3);
        let taken = |budget: &mut RetryBudget, millis| {
            let now = Duration::from_millis(millis);
            (0..10).filter(|_| budget.take(now)).count()
        };
        assert_eq!(taken(&mut budget, 0), 3);
        assert_eq!(taken(&mut budget, 99), 0);
        assert_eq!(taken(&mut budget, 100), 1);
        assert_eq!(taken(&mut budget, 50), 0, "the clock went back");
        assert_eq!(taken(&mut budget, 60_000), 3);
    }

    proptest! {
        /// The law that it is for.
        #[test]
        fn retries_are_a_bounded_share_of_calls(
            percent in 0_u32..200,
            per_second in 0_u32..50,
            saved_max in 0_u32..20,
            steps in prop::collection::vec((any::<bool>(), 0_u64..200), 0..400),
        ) {
            let mut budget = budget(percent, per_second, saved_max);
            let (mut now, mut calls, mut retries) = (Duration::ZERO, 0.0, 0.0);
            for (is_call, wait) in steps {
                now += Duration::from_millis(wait);
                if is_call {
                    budget.called(now);
                    calls += 1.0;
                } else if budget.take(now) {
                    retries += 1.0;
                }
                let earned = calls * f64::from(percent) / 100.0
                    + now.as_secs_f64() * f64::from(per_second);
                prop_assert!(retries <= f64::from(saved_max) + earned + 1e-6);
            }
        }

        #[test]
        fn nothing_overflows(
            options in (any::<u32>(), any::<u32>(), any::<u32>()),
            times in prop::collection::vec(any::<Duration>(), 0..10),
        ) {
            let (percent, per_second, saved_max) = options;
            let mut budget = budget(percent, per_second, saved_max);
            for now in times {
                budget.called(now);
                let taken = budget.take(now);
                prop_assert!(!taken || saved_max > 0);
            }
        }
    }
}
