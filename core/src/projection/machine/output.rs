//! What the machine tells the host to do.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::{Failure, ParkedEvent, State};
use crate::projection::Change;
use crate::time::Timestamp;
use crate::version::Position;

/// What the host has to do. After each `handle_*`, [`Projection::poll_output`] is called until it
/// gives [`Output::Idle`] or [`Output::Failed`].
///
/// [`Projection::poll_output`]: super::Projection::poll_output
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output<E> {
    /// Give these events to the handler, then call [`Projection::handle_applied`] or
    /// [`Projection::handle_fault`], or [`Projection::handle_not_called`] where that was not
    /// possible.
    ///
    /// [`Projection::handle_applied`]: super::Projection::handle_applied
    /// [`Projection::handle_fault`]: super::Projection::handle_fault
    /// [`Projection::handle_not_called`]: super::Projection::handle_not_called
    Apply(Batch<E>),
    /// Write all of this in one atomic step on the condition that the checkpoint is
    /// [`Commit::before`], then call [`Projection::handle_committed`] or
    /// [`Projection::handle_commit_failed`]. The same commit may come again after a failure: what
    /// is written already counts as committed.
    ///
    /// [`Projection::handle_committed`]: super::Projection::handle_committed
    /// [`Projection::handle_commit_failed`]: super::Projection::handle_commit_failed
    Commit(Arc<Commit>),
    /// Nothing until the next `handle_*`; at `wake_at` call [`Projection::handle_wake`].
    ///
    /// [`Projection::handle_wake`]: super::Projection::handle_wake
    Idle {
        /// When a wait before a retry is over.
        wake_at: Option<Timestamp>,
    },
    /// Stop, and tell somebody. Everything before the cause is committed.
    Failed(Failure),
}

/// Events for one call of the handler, in store order.
#[derive(Clone, Debug)]
pub struct Batch<E> {
    pub(super) events: Arc<Vec<E>>,
    pub(super) range: Range<usize>,
}

impl<E> Deref for Batch<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.events[self.range.clone()]
    }
}

/// What is written in one atomic step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// The checkpoint that must be there: the commit's condition.
    pub before: Option<Position>,
    /// The checkpoint behind it: every event up to here has taken effect, is parked, or is passed
    /// over.
    pub checkpoint: Position,
    /// The changes of documents, in the order in which they take effect.
    pub changes: Vec<Change>,
    /// How many events take effect by it.
    pub events: u64,
    /// Events that join the parked queues, in store order.
    pub parked: Vec<ParkedEvent>,
    /// The state behind it.
    pub state: State,
}
