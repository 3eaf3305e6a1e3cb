//! Whether to call somebody at all.

use std::fmt;
use std::time::Duration;

/// How a [`CircuitBreaker`] judges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerOptions {
    /// After how many failures in a row it opens, 5 by default.
    pub failures_max: u32,
    /// How long it stays open, and how long a probe may take, 2 s by default.
    pub open_time: Duration,
    /// How many probes may be on the way while it is half open: at least 1, which is the default.
    pub probes_max: u32,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures_max: 5,
            open_time: Duration::from_secs(2),
            probes_max: 1,
        }
    }
}

/// Refuses calls after too many failures in a row, then lets a few probes through: one that
/// succeeds closes it, one that fails opens it again.
///
/// Every call asks [`may_call`](Self::may_call) first and gives its [`Permit`] back with the
/// outcome. Outcomes of calls that began before the last change of state are late, and change
/// nothing. Probes whose outcome never comes are given up after the open time, and new ones let
/// through.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cim_core::policy::{BreakerOptions, CircuitBreaker, Refused};
///
/// let options = BreakerOptions { failures_max: 1, ..BreakerOptions::default() };
/// let mut breaker = CircuitBreaker::new(options);
/// let now = Duration::ZERO;
/// let permit = breaker.may_call(now)?;
/// breaker.failed(permit, now);
/// assert_eq!(breaker.may_call(now), Err(Refused { until: options.open_time }));
///
/// let now = options.open_time;
/// let probe = breaker.may_call(now)?;
/// assert!(breaker.may_call(now).is_err(), "one probe at a time");
/// breaker.succeeded(probe);
/// assert!(breaker.may_call(now).is_ok());
/// # Ok::<(), Refused>(())
/// ```
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    options: BreakerOptions,
    state: State,
    /// Counts changes of state, so that late outcomes are known.
    era: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration },
    HalfOpen { probes: u32, until: Duration },
}

/// What a [`CircuitBreaker`] does at present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CircuitState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// A few probes go through.
    HalfOpen,
}

/// The right to make one call. It goes back with the call's outcome.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "the breaker waits for the call's outcome"]
pub struct Permit {
    era: u64,
}

/// A call that is not to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused {
    /// When to ask again; an outcome of a probe may change it.
    pub until: Duration,
}

impl CircuitBreaker {
    /// A closed one.
    pub fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            state: State::Closed { failures: 0 },
            era: 0,
        }
    }

    /// Asks whether a call may be made.
    ///
    /// # Errors
    ///
    /// [`Refused`] while it is open, and while it is half open and all probes are on the way.
    pub fn may_call(&mut self, now: Duration) -> Result<Permit, Refused> {
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { until } | State::HalfOpen { until, .. } if now >= *until => {
                self.change(State::HalfOpen {
                    probes: 1,
                    until: now.saturating_add(self.options.open_time),
                });
            }
            State::HalfOpen { probes, .. } if *probes < self.options.probes_max => *probes += 1,
            State::Open { until } | State::HalfOpen { until, .. } => {
                return Err(Refused { until: *until });
            }
        }
        Ok(Permit { era: self.era })
    }

    /// Takes that a call succeeded.
    pub fn succeeded(&mut self, permit: Permit) {
        if permit.era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed { failures } => *failures = 0,
            State::HalfOpen { .. } => self.change(State::Closed { failures: 0 }),
            State::Open { .. } => {}
        }
    }

    /// Takes that a call failed in a way that says something of the other side: no answer, not a
    /// refusal with a reason.
    pub fn failed(&mut self, permit: Permit, now: Duration) {
        if permit.era != self.era {
            return;
        }
        let open = State::Open {
            until: now.saturating_add(self.options.open_time),
        };
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures >= self.options.failures_max {
                    self.change(open);
                }
            }
            State::HalfOpen { .. } => self.change(open),
            State::Open { .. } => {}
        }
    }

    /// Takes that a call was given up, which says nothing. Another probe may take its place.
    pub fn given_up(&mut self, permit: Permit) {
        if permit.era == self.era
            && let State::HalfOpen { probes, .. } = &mut self.state
        {
            *probes -= 1;
        }
    }

    /// What it does at present.
    pub fn state(&self) -> CircuitState {
        match self.state {
            State::Closed { .. } => CircuitState::Closed,
            State::Open { .. } => CircuitState::Open,
            State::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not called: too many calls failed before")
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn breaker(failures_max: u32, probes_max: u32) -> CircuitBreaker {
        CircuitBreaker::new(BreakerOptions {
            failures_max,
            open_time: at(10),
            probes_max,
        })
    }

    fn fail(breaker: &mut CircuitBreaker, now: Duration) {
        let permit = breaker.may_call(now).expect("a call may be made");
        breaker.failed(permit, now);
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let mut breaker = breaker(3, 1);
        fail(&mut breaker, at(0));
        fail(&mut breaker, at(0));
        let permit = breaker.may_call(at(0)).expect("still closed");
        breaker.succeeded(permit);
        fail(&mut breaker, at(1));
        fail(&mut breaker, at(1));
        assert_eq!(breaker.state(), CircuitState::Closed);
        fail(&mut breaker, at(1));
        assert_eq!(breaker.state(), CircuitState::Open);
        assert_eq!(breaker.may_call(at(10)), Err(Refused { until: at(11) }));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let mut breaker = breaker(1, 1);
        fail(&mut breaker, at(0));
        fail(&mut breaker, at(10));
        assert_eq!(breaker.may_call(at(19)), Err(Refused { until: at(20) }));
        let probe = breaker.may_call(at(20)).expect("the next probe");
        breaker.succeeded(probe);
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    #[test]
    fn outcomes_from_before_it_opened_change_nothing() {
        let mut breaker = breaker(1, 1);
        let late = [(); 2].map(|()| breaker.may_call(at(0)).expect("closed"));
        fail(&mut breaker, at(0));
        let probe = breaker.may_call(at(10)).expect("a probe");
        let [succeeded, failed] = late;
        breaker.succeeded(succeeded);
        assert_eq!(breaker.state(), CircuitState::HalfOpen);
        breaker.failed(failed, at(10));
        assert_eq!(breaker.state(), CircuitState::HalfOpen);
        breaker.succeeded(probe);
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    #[test]
    fn a_probe_that_was_given_up_makes_room_for_another() {
        let mut breaker = breaker(1, 1);
        fail(&mut breaker, at(0));
        let probe = breaker.may_call(at(10)).expect("a probe");
        assert!(breaker.may_call(at(10)).is_err());
        breaker.given_up(probe);
        assert!(breaker.may_call(at(10)).is_ok());
    }

    #[test]
    fn a_probe_without_outcome_does_not_block_it_for_ever() {
        let mut breaker = breaker(1, 1);
        fail(&mut breaker, at(0));
        let lost = breaker.may_call(at(10)).expect("a probe");
        assert_eq!(breaker.may_call(at(19)), Err(Refused { until: at(20) }));
        let probe = breaker.may_call(at(20)).expect("a probe in its place");
        breaker.failed(lost, at(20));
        assert_eq!(breaker.state(), CircuitState::HalfOpen, "it came too late");
        breaker.succeeded(probe);
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Call,
        /// The outcome of one of the calls on the way.
        Succeed(usize),
        Fail(usize),
        GiveUp(usize),
        Lose(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Call),
            1 => any::<usize>().prop_map(Step::Succeed),
            2 => any::<usize>().prop_map(Step::Fail),
            1 => any::<usize>().prop_map(Step::GiveUp),
            1 => any::<usize>().prop_map(Step::Lose),
            1 => (0_u64..8).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn the_laws_hold(
            failures_max in 1_u32..4,
            probes_max in 1_u32..4,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut breaker = breaker(failures_max, probes_max);
            let mut now = Duration::ZERO;
            let mut calls: Vec<Permit> = Vec::new();
            let take = |calls: &mut Vec<Permit>, index: usize| {
                (!calls.is_empty()).then(|| calls.swap_remove(index % calls.len()))
            };
            for step in steps {
                let before = breaker.state();
                match step {
                    Step::Wait(seconds) => now += at(seconds),
                    Step::Call => match breaker.may_call(now) {
                        Ok(permit) => calls.push(permit),
                        Err(refused) => {
                            prop_assert!(refused.until > now, "there is something to wait for");
                            prop_assert!(refused.until <= now + at(10), "and not for long");
                            prop_assert_ne!(before, CircuitState::Closed);
                        }
                    },
                    Step::Succeed(index) => if let Some(permit) = take(&mut calls, index) {
                        let counts = permit.era == breaker.era;
                        breaker.succeeded(permit);
                        let closed = breaker.state() == CircuitState::Closed;
                        prop_assert_eq!(closed, counts || before == CircuitState::Closed);
                    },
                    Step::Fail(index) => if let Some(permit) = take(&mut calls, index) {
                        let was_probe =
                            permit.era == breaker.era && before == CircuitState::HalfOpen;
                        breaker.failed(permit, now);
                        prop_assert!(!was_probe || breaker.state() == CircuitState::Open);
                    },
                    Step::GiveUp(index) => if let Some(permit) = take(&mut calls, index) {
                        breaker.given_up(permit);
                        prop_assert_eq!(breaker.state(), before);
                    },
                    Step::Lose(index) => drop(take(&mut calls, index)),
                }
                if breaker.state() == CircuitState::HalfOpen {
                    let probes = calls.iter().filter(|permit| permit.era == breaker.era);
                    prop_assert!(probes.count() <= probes_max as usize);
                }
                if breaker.state() == CircuitState::Open {
                    let valid = calls.iter().filter(|permit| permit.era == breaker.era);
                    prop_assert_eq!(valid.count(), 0, "no call is on the way that counts");
                }
            }
        }
    }
}
