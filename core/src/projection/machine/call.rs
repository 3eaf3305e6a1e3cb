//! A call that the host is to make, perhaps again.

use super::Output;
use super::options::RetryPolicy;
use crate::projection::Fault;
use crate::time::Timestamp;

/// How often it has failed, and whether it is due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    failures: Failures,
    stage: Stage,
}

/// Failures by kind, so that a busy moment does not use up the second try of a fault that lasts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    /// Those in a row.
    pub(super) retryable: u32,
    pub(super) lasting: u32,
}

impl Failures {
    fn and(mut self, fault: &Fault) -> Self {
        if fault.retryable {
            self.retryable += 1;
        } else {
            self.lasting += 1;
            self.retryable = 0;
        }
        self
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Due,
    Made,
    Waiting(Timestamp),
}

impl Call {
    pub(super) fn poll<E>(
        &mut self,
        now: Timestamp,
        output: impl FnOnce() -> Output<E>,
    ) -> Output<E> {
        match self.stage {
            Stage::Waiting(until) if now < until => Output::Idle {
                wake_at: Some(until),
            },
            Stage::Made => Output::Idle { wake_at: None },
            Stage::Due | Stage::Waiting(_) => {
                self.stage = Stage::Made;
                output()
            }
        }
    }

    /// After a fault: the same call again after a wait, as often as the policy allows.
    pub(super) fn again(self, fault: &Fault, policy: &RetryPolicy, now: Timestamp) -> Option<Self> {
        let failures = self.failures.and(fault);
        let wait = policy.wait(failures, fault)?;
        let until = now.micros().saturating_add(wait);
        let stage = match wait {
            0 => Stage::Due,
            _ => Stage::Waiting(Timestamp::from_micros(until).unwrap_or(Timestamp::MAX)),
        };
        Some(Self { failures, stage })
    }
}
