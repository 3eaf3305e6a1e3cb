//! A call that the host is to make, perhaps again.

use super::Output;
use crate::time::Timestamp;

/// How often it has failed, and whether it is due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    pub(super) failures: u32,
    stage: Stage,
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

    /// After a failure: the same call again after a wait in microseconds.
    pub(super) fn again(self, wait: u64, now: Timestamp) -> Self {
        let until = now.micros().saturating_add(wait);
        Self {
            failures: self.failures + 1,
            stage: match wait {
                0 => Stage::Due,
                _ => Stage::Waiting(Timestamp::from_micros(until).unwrap_or(Timestamp::MAX)),
            },
        }
    }
}
