//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential backoff with full jitter: the wait is drawn evenly from nothing up to a ceiling that
/// doubles with each failed attempt, up to a cap.
///
/// Many who failed at the same moment do not come back at the same moment, which a wait of the
/// ceiling itself, or with a little jitter, would make them do.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cim_core::policy::Backoff;
///
/// let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };
/// assert_eq!(backoff.ceiling(3), Duration::from_millis(400));
/// assert_eq!(backoff.delay(3, u64::MAX / 2), Duration::from_nanos(199_999_999));
/// assert_eq!(backoff.ceiling(30), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The ceiling after the first failed attempt, 50 ms by default.
    pub base: Duration,
    /// What no ceiling goes over, 4 s by default.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(50),
            cap: Duration::from_secs(4),
        }
    }
}

impl Backoff {
    /// The wait before the next attempt, after so many failed ones. Nothing after none.
    pub fn delay(&self, failed: u32, entropy: u64) -> Duration {
        let ceiling = nanos(self.ceiling(failed));
        // The upper half of the product is `ceiling` times the fraction `entropy` / 2^64.
        let drawn = (u128::from(ceiling) * u128::from(entropy)) >> 64;
        Duration::from_nanos(drawn as u64)
    }

    /// What the wait is shorter than, after so many failed attempts. Nothing after none.
    pub fn ceiling(&self, failed: u32) -> Duration {
        let Some(doublings) = failed.checked_sub(1).filter(|_| !self.base.is_zero()) else {
            return Duration::ZERO;
        };
        2_u32
            .checked_pow(doublings)
            .and_then(|factor| self.base.checked_mul(factor))
            .map_or(self.cap, |ceiling| ceiling.min(self.cap))
    }
}

/// Whole nanoseconds; 584 years for all that is longer.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(10),
            cap: Duration::from_millis(65),
        };
        let ceilings: Vec<_> = (0..6)
            .map(|failed| backoff.ceiling(failed).as_millis())
            .collect();
        assert_eq!(ceilings, [0, 10, 20, 40, 65, 65]);
        assert_eq!(backoff.ceiling(u32::MAX), backoff.cap);
    }

    #[test]
    fn a_base_over_the_cap_is_the_cap() {
        let backoff = Backoff {
            base: Duration::from_secs(9),
            cap: Duration::from_secs(1),
        };
        assert_eq!(backoff.ceiling(1), Duration::from_secs(1));
    }

    #[test]
    fn a_base_of_nothing_waits_for_nothing() {
        let backoff = Backoff {
            base: Duration::ZERO,
            cap: Duration::from_secs(1),
        };
        assert_eq!(backoff.ceiling(99), Duration::ZERO);
    }

    #[test]
    fn waits_are_spread_over_the_whole_range() {
        let backoff = Backoff::default();
        let quarter = |part: u64| {
            backoff
                .delay(1, (u64::MAX / 4).saturating_mul(part))
                .as_micros()
        };
        assert_eq!([0, 1, 2, 3].map(quarter), [0, 12_499, 24_999, 37_499]);
    }

    proptest! {
        #[test]
        fn no_wait_is_over_its_ceiling_and_no_ceiling_over_the_cap(
            base in any::<Duration>(),
            cap in any::<Duration>(),
            failed in any::<u32>(),
            entropy in any::<u64>(),
        ) {
            let backoff = Backoff { base, cap };
            prop_assert!(backoff.delay(failed, entropy) <= backoff.ceiling(failed));
            prop_assert!(backoff.ceiling(failed) <= cap);
        }

        #[test]
        fn ceilings_never_fall_and_more_entropy_never_waits_less(
            base in 1_u64..1_000_000,
            cap in 1_u64..1_000_000_000,
            failed in 0_u32..100,
            entropy in any::<u64>(),
            more in any::<u64>(),
        ) {
            let (base, cap) = (Duration::from_micros(base), Duration::from_micros(cap));
            let backoff = Backoff { base, cap };
            prop_assert!(backoff.ceiling(failed) <= backoff.ceiling(failed + 1));
            let more = entropy.saturating_add(more);
            prop_assert!(backoff.delay(failed, entropy) <= backoff.delay(failed, more));
        }
    }
}
