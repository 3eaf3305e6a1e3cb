//! A batch under way: what of it is done, and the search for the event at fault.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{ParkReason, ParkedEvent, StoreEvent};
use crate::id::AggregateKey;
use crate::version::Position;

#[derive(Debug)]
pub(super) struct Work<E> {
    events: Arc<Vec<E>>,
    /// How many of the events are done.
    done: usize,
    /// Events of parked aggregates that wait for a commit, in store order.
    diverted: VecDeque<ParkedEvent>,
    /// The position up to which the work goes, passed-over events included.
    end: Position,
    suspect: Option<Suspect>,
    /// The length of a batch that faulted although each of its parts went well.
    acquitted: Option<usize>,
}

/// A search: the event at fault is one of those that are not done, before `until`.
#[derive(Debug)]
struct Suspect {
    until: usize,
    /// The event that the fault named. It is believed once, and only to try the events before it
    /// and then it alone: a handler may be wrong.
    hint: Option<usize>,
    /// The length of the batch that faulted first.
    faulted: usize,
}

impl<E> Work<E> {
    pub(super) fn new(events: Vec<E>, diverted: VecDeque<ParkedEvent>, end: Position) -> Self {
        Self {
            events: Arc::new(events),
            done: 0,
            diverted,
            end,
            suspect: None,
            acquitted: None,
        }
    }

    /// No events, up to a position.
    pub(super) fn none(end: Position) -> Self {
        Self::new(Vec::new(), VecDeque::new(), end)
    }

    pub(super) fn events(&self) -> Arc<Vec<E>> {
        Arc::clone(&self.events)
    }

    pub(super) fn end(&self) -> Position {
        self.end
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.is_some()
    }

    /// The events to apply next: all that are left, or the part that tells most in a search.
    pub(super) fn next_step(&self) -> Option<Range<usize>> {
        let done = self.done;
        if done == self.events.len() {
            return None;
        }
        let end = match &self.suspect {
            None => self.events.len(),
            Some(suspect) => match suspect.hint {
                Some(hint) if hint > done => hint,
                Some(_) => done + 1,
                None => done + (suspect.until - done).div_ceil(2),
            },
        };
        Some(done..end)
    }

    /// Begins or narrows the search: `step` faulted, which has several events.
    pub(super) fn suspect(&mut self, step: Range<usize>, index: Option<usize>) {
        let hint = index.filter(|index| *index < step.len());
        self.suspect = Some(match self.suspect.take() {
            None => Suspect {
                until: step.end,
                hint: hint.map(|index| step.start + index),
                faulted: step.len(),
            },
            Some(search) => Suspect {
                until: step.end,
                hint: None,
                ..search
            },
        });
    }

    /// Says that the events before `done` are applied.
    pub(super) fn done(&mut self, done: usize) {
        self.done = done;
        let Some(suspect) = &mut self.suspect else {
            return;
        };
        if suspect.hint.is_some_and(|hint| hint < done) {
            suspect.hint = None;
        }
        if suspect.until <= done {
            self.acquitted = Some(suspect.faulted);
            self.suspect = None;
        }
    }

    /// Says that the events before `done` are done, the last of them being the one at fault.
    pub(super) fn done_with_culprit(&mut self, done: usize) {
        self.done = done;
        self.suspect = None;
    }

    /// The length of a batch that faulted although each of its parts went well; tells it once.
    pub(super) fn take_acquitted(&mut self) -> Option<usize> {
        self.acquitted.take()
    }

    /// Takes the diverted events up to a position.
    pub(super) fn take_diverted(&mut self, up_to: Position) -> Vec<ParkedEvent> {
        let count = self
            .diverted
            .iter()
            .take_while(|event| event.position <= up_to)
            .count();
        self.diverted.drain(..count).collect()
    }
}

impl<E: StoreEvent> Work<E> {
    /// The checkpoint once the events before `done` are.
    pub(super) fn position_behind(&self, done: usize) -> Position {
        if done == self.events.len() {
            return self.end;
        }
        self.events[done - 1].position()
    }

    /// Moves the events of an aggregate that are not done to the diverted ones.
    pub(super) fn divert(&mut self, aggregate: &AggregateKey) {
        let (theirs, others): (Vec<_>, Vec<_>) = self.events[self.done..]
            .iter()
            .cloned()
            .partition(|event| event.recorded().aggregate == *aggregate);
        if theirs.is_empty() {
            return;
        }
        let theirs = theirs
            .iter()
            .map(|event| ParkedEvent::of(event, ParkReason::Diverted));
        self.diverted.extend(theirs);
        self.diverted
            .make_contiguous()
            .sort_by_key(|event| event.position);
        self.events = Arc::new(others);
        self.done = 0;
    }
}
