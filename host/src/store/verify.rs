//! What every adapter checks of the events that it reads.

use cim_core::chain::verifier::ChainVerifier;
use cim_core::chain::{self, ChainError, Verified};
use cim_core::event::RecordedEvent;
use cim_core::version::Position;

use super::{Check, InvalidEvent, Query, ReadEvent, StoreError};

/// Checks the events of one read, one by one, in the order in which they are delivered.
#[derive(Debug)]
pub(crate) struct ReadVerifier(Mode);

#[derive(Debug)]
enum Mode {
    Nothing,
    Cid,
    Chain(Box<ChainVerifier>),
}

impl ReadVerifier {
    /// Takes from a query how much is to be checked: links only where a whole history is read.
    pub(crate) fn new(query: &Query) -> Self {
        Self(match (query.check, &query.aggregate) {
            (Check::Nothing, _) => Mode::Nothing,
            (Check::Verify, Some(aggregate)) if query.is_history() => {
                Mode::Chain(Box::new(ChainVerifier::from_genesis(aggregate.clone())))
            }
            (Check::Verify, _) => Mode::Cid,
        })
    }

    /// For subscriptions, which check each event's CID.
    pub(crate) fn of_cids() -> Self {
        Self(Mode::Cid)
    }

    /// Expects what follows an event that was verified before, with all before it.
    #[cfg(feature = "jetstream")]
    pub(crate) fn trust(&mut self, last: &RecordedEvent) {
        if let Mode::Chain(verifier) = &mut self.0 {
            **verifier = ChainVerifier::from_head(last.aggregate.clone(), last.head());
        }
    }

    /// Checks the next event.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] when it is not what its CID says or does not link.
    pub(crate) fn check(
        &mut self,
        position: Position,
        event: RecordedEvent,
    ) -> Result<ReadEvent, StoreError> {
        match self.verify(&event) {
            Ok(verified) => Ok(ReadEvent {
                position,
                event,
                verified,
            }),
            Err(error) => Err(StoreError::Invalid(invalid_event(position, &event, &error))),
        }
    }

    fn verify(&mut self, event: &RecordedEvent) -> Result<Option<Verified>, ChainError> {
        match &mut self.0 {
            Mode::Nothing => Ok(None),
            Mode::Cid => chain::check_cid(event).map(|_| Some(Verified::Cid)),
            Mode::Chain(verifier) => verifier.push(event).map(|_| Some(Verified::Chain)),
        }
    }
}

/// Says of an event at `position` what is wrong with it.
pub(crate) fn invalid_event(
    position: Position,
    event: &RecordedEvent,
    error: &ChainError,
) -> InvalidEvent {
    InvalidEvent {
        position,
        aggregate: Some(event.aggregate.clone()),
        event: Some(event.event.id),
        code: error.code(),
        why: error.to_string(),
    }
}
