//! Given, when, then.

use super::*;
use crate::aggregate::fold;

pub(super) struct Given(ComputeState);

pub(super) struct When(Result<Vec<ComputeEvent>, ComputeError>);

pub(super) fn given(events: impl IntoIterator<Item = ComputeEvent>) -> Given {
    let events = Vec::from_iter(events);
    Given(fold::<Compute>(Compute::initial_state(), &events))
}

impl Given {
    pub(super) fn when(self, command: ComputeCommand) -> When {
        When(Compute::decide(&self.0, command))
    }
}

impl When {
    #[track_caller]
    pub(super) fn then(self, events: impl IntoIterator<Item = ComputeEvent>) {
        assert_eq!(self.0, Ok(Vec::from_iter(events)));
    }

    #[track_caller]
    pub(super) fn then_nothing(self) {
        self.then([]);
    }

    #[track_caller]
    pub(super) fn then_refused(self, error: ComputeError) {
        assert_eq!(self.0, Err(error));
    }
}
