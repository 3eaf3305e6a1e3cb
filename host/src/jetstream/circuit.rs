//! Who does not answer is left alone for a while, and asked again only so often.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use cim_core::policy::{BreakerOptions, BudgetOptions, CircuitBreaker, Permit, RetryBudget};

use super::JetStreamError;
use crate::clock;

/// What the calls of one connection found out. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Circuit(Arc<Mutex<Found>>);

#[derive(Debug)]
struct Found {
    start: Instant,
    breaker: CircuitBreaker,
    again: RetryBudget,
}

impl Default for Circuit {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Found {
            start: clock::moment(),
            breaker: CircuitBreaker::new(BreakerOptions::default()),
            again: RetryBudget::new(BudgetOptions::default(), Duration::ZERO),
        })))
    }
}

impl Circuit {
    /// Makes a call, unless too many before it had no answer.
    ///
    /// # Errors
    ///
    /// [`JetStreamError::CircuitOpen`], with nothing sent; otherwise what the call ends with.
    pub(super) async fn call<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, JetStreamError>>,
    ) -> Result<T, JetStreamError> {
        let mut outcome = self.begin(doing)?;
        let answer = call.await;
        outcome.tell(&answer);
        answer
    }

    /// Makes a call that may be given up, with `None`: that says neither that the other side answers
    /// nor that it does not.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub(super) async fn try_call<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<Option<T>, JetStreamError>>,
    ) -> Result<Option<T>, JetStreamError> {
        let mut outcome = self.begin(doing)?;
        let answer = call.await;
        if !matches!(answer, Ok(None)) {
            outcome.tell(&answer);
        }
        answer
    }

    fn begin(&self, doing: &'static str) -> Result<Outcome<'_>, JetStreamError> {
        Ok(Outcome {
            circuit: self,
            permit: Some(self.permit(doing)?),
        })
    }

    /// Whether something may be asked a second time while the first is on the way.
    pub(super) fn may_ask_again(&self) -> bool {
        let mut found = self.lock();
        let now = found.now();
        found.again.take(now)
    }

    fn permit(&self, doing: &'static str) -> Result<Permit, JetStreamError> {
        let mut found = self.lock();
        let now = found.now();
        found.again.called(now);
        let permit = found.breaker.may_call(now);
        permit.map_err(|refused| JetStreamError::CircuitOpen {
            doing,
            wait: refused.until.saturating_sub(now),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

impl Found {
    fn now(&self) -> Duration {
        clock::moment() - self.start
    }
}

/// Tells how a call ended, also when it is dropped.
struct Outcome<'a> {
    circuit: &'a Circuit,
    permit: Option<Permit>,
}

impl Outcome<'_> {
    fn tell<T>(&mut self, answer: &Result<T, JetStreamError>) {
        let is_answered = match answer {
            Ok(_)
            | Err(
                JetStreamError::Refused { .. }
                | JetStreamError::NobodyListens { .. }
                | JetStreamError::NotAllowed { .. }
                | JetStreamError::Answer { .. },
            ) => true,
            Err(JetStreamError::NoAnswer { .. }) => false,
            // The next connection may be better.
            Err(
                JetStreamError::ConnectionLost { .. }
                | JetStreamError::Connection { .. }
                | JetStreamError::CircuitOpen { .. }
                | JetStreamError::TooLarge { .. }
                | JetStreamError::AnotherStream { .. }
                | JetStreamError::Closed,
            ) => return,
        };
        if let Some(permit) = self.permit.take() {
            let mut found = self.circuit.lock();
            let now = found.now();
            match is_answered {
                true => found.breaker.succeeded(permit),
                false => found.breaker.failed(permit, now),
            }
        }
    }
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.circuit.lock().breaker.given_up(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOING: &str = "testing";

    async fn call(circuit: &Circuit, answer: Result<(), JetStreamError>) -> &'static str {
        match circuit.call(DOING, async { answer }).await {
            Ok(()) => "ok",
            Err(error) => error.code(),
        }
    }

    fn silence() -> Result<(), JetStreamError> {
        Err(JetStreamError::NoAnswer { doing: DOING })
    }

    #[tokio::test]
    async fn only_silence_in_a_row_opens_it() {
        let circuit = Circuit::default();
        for _ in 0..20 {
            for _ in 0..4 {
                assert_eq!(call(&circuit, silence()).await, "nats-no-answer");
            }
            let lost = Err(JetStreamError::ConnectionLost { doing: DOING });
            assert_eq!(call(&circuit, lost).await, "nats-connection-lost");
            let refused = Err(JetStreamError::NotAllowed {
                doing: DOING,
                why: String::new(),
            });
            assert_eq!(call(&circuit, refused).await, "nats-not-allowed");
        }
        for _ in 0..5 {
            assert_eq!(call(&circuit, silence()).await, "nats-no-answer");
        }
        assert_eq!(call(&circuit, Ok(())).await, "nats-circuit-open");
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_says_nothing() {
        let circuit = Circuit::default();
        for _ in 0..20 {
            let never = circuit.call(DOING, std::future::pending::<Result<(), _>>());
            assert!(tokio::time::timeout(Duration::ZERO, never).await.is_err());
        }
        assert_eq!(call(&circuit, Ok(())).await, "ok");
    }

    #[test]
    fn asking_again_has_a_budget() {
        let circuit = Circuit::default();
        let asked = (0..1000).filter(|_| circuit.may_ask_again()).count();
        let saved = BudgetOptions::default().saved_max as usize;
        assert!((saved..saved + 20).contains(&asked), "{asked}");
    }
}
