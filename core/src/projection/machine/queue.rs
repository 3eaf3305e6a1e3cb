//! What was delivered and is not yet worked on.

use std::collections::{HashSet, VecDeque};

use super::work::Work;
use super::{InvalidEvent, ParkReason, ParkedEvent, StoreEvent};
use crate::id::AggregateKey;
use crate::version::Position;

/// How many events may be passed over before the checkpoint is moved: a restart skips them again.
const MAX_PASSED: usize = 8192;

#[derive(Debug)]
pub(super) enum Item<E> {
    Event(E),
    /// So many events that the handler does not take, up to a position.
    Passed(usize),
    Invalid(InvalidEvent),
}

#[derive(Debug)]
pub(super) struct Queue<E> {
    items: VecDeque<(Position, Item<E>)>,
    events: usize,
    bytes: usize,
    passed: usize,
    invalid: usize,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            events: 0,
            bytes: 0,
            passed: 0,
            invalid: 0,
        }
    }
}

impl<E: StoreEvent> Queue<E> {
    pub(super) fn push(&mut self, position: Position, item: Item<E>) {
        match &item {
            Item::Event(event) => {
                self.events += 1;
                self.bytes += size(event);
            }
            Item::Invalid(_) => self.invalid += 1,
            Item::Passed(more) => {
                self.passed += more;
                // Of many events that are passed over, the last one's position is enough.
                if let Some((last, Item::Passed(count))) = self.items.back_mut() {
                    *last = position;
                    *count += more;
                    return;
                }
            }
        }
        self.items.push_back((position, item));
    }

    /// How many entries have memory of their own.
    pub(super) fn waiting(&self) -> usize {
        self.events + self.invalid
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether work is worth its commit, or stands before an event that must not wait.
    pub(super) fn is_full(&self, events: usize, bytes: usize) -> bool {
        self.events >= events
            || self.bytes >= bytes
            || self.passed >= MAX_PASSED
            || self.invalid > 0
    }

    /// Takes a batch, up to the next invalid event. Events of parked aggregates are diverted.
    pub(super) fn take(
        &mut self,
        max_events: usize,
        max_bytes: usize,
        parked: &HashSet<AggregateKey>,
    ) -> Option<Work<E>> {
        let mut events = Vec::with_capacity(max_events.min(self.events));
        let mut diverted = VecDeque::new();
        let (mut bytes, mut end) = (0, None);
        while let Some((position, item)) = self.items.pop_front() {
            match item {
                Item::Passed(count) => self.passed -= count,
                Item::Event(event) => {
                    let full = events.len() + diverted.len() >= max_events;
                    if full || bytes + size(&event) > max_bytes && !events.is_empty() {
                        self.items.push_front((position, Item::Event(event)));
                        break;
                    }
                    self.events -= 1;
                    self.bytes -= size(&event);
                    if !parked.is_empty() && parked.contains(&event.recorded().aggregate) {
                        diverted.push_back(ParkedEvent::of(&event, ParkReason::Diverted));
                    } else {
                        bytes += size(&event);
                        events.push(event);
                    }
                }
                Item::Invalid(_) => {
                    self.items.push_front((position, item));
                    break;
                }
            }
            end = Some(position);
        }
        end.map(|end| Work::new(events, diverted, end))
    }

    /// The invalid event that is the next, if there is one.
    pub(super) fn next_invalid(&self) -> Option<&InvalidEvent> {
        match self.items.front()? {
            (_, Item::Invalid(invalid)) => Some(invalid),
            (_, Item::Event(_) | Item::Passed(_)) => None,
        }
    }

    /// Takes the invalid event that is the next, if there is one.
    pub(super) fn take_invalid(&mut self) -> Option<InvalidEvent> {
        match self.items.pop_front()? {
            (_, Item::Invalid(invalid)) => {
                self.invalid -= 1;
                Some(invalid)
            }
            other => {
                self.items.push_front(other);
                None
            }
        }
    }
}

/// What an event adds to a batch.
fn size<E: StoreEvent>(event: &E) -> usize {
    event.recorded().event.body.len()
}
