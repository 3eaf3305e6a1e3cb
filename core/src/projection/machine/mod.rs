//! The projection machine: it decides what a projector does next, and does nothing itself.
//!
//! Deliveries of a store, outcomes and time go in; batches to apply and commits come out.
//!
//! - Events go to the handler in batches, by count and by bytes, and while the projection catches
//!   up in full batches only. Events of types that the handler does not take are passed over, but
//!   move the checkpoint.
//! - A batch that faults is tried again by the [`RetryPolicy`], then searched for the event at
//!   fault by halving. The parts that succeed are committed on the way.
//! - The event at fault is parked with its cause. Later events of its aggregate are diverted to the
//!   parked queue, in order, by the same commit that moves the checkpoint past them. All other
//!   aggregates go on. An invalid event parks its aggregate too.
//!
//! What the machine cannot go on from ends it: [`Output::Failed`].

mod call;
mod delivery;
mod options;
mod output;
mod parked;
mod queue;
mod state;
mod work;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

pub use self::delivery::{Delivery, InvalidEvent, StoreEvent};
pub use self::options::{Options, RetryPolicy};
pub use self::output::{Batch, Commit, Output};
pub use self::parked::{ParkReason, ParkedEvent};
pub use self::state::{Failure, State, StateError};

use self::call::Call;
use self::queue::{Item, Queue};
use self::work::Work;
use super::{Change, Descriptor, Fault};
use crate::id::{AggregateKey, EventType};
use crate::time::Timestamp;
use crate::version::Position;

/// How many commits in a row must go well before batches that were made smaller grow again.
const CALM_COMMITS: u32 = 32;

/// The machine. After every `handle_*`, call [`poll_output`](Self::poll_output) until it gives
/// [`Output::Idle`] or [`Output::Failed`].
///
/// It holds at most two batches of events, invalid ones included, besides the one that is applied,
/// as long as the host delivers only while it [`has_room`](Self::has_room).
#[derive(Debug)]
pub struct Projection<E> {
    /// Empty: all.
    takes: HashSet<EventType>,
    options: Options,
    now: Timestamp,
    checkpoint: Option<Position>,
    delivered: Option<Position>,
    /// Where the store said that all is delivered.
    caught_up_at: Option<Option<Position>>,
    parked: HashSet<AggregateKey>,
    queue: Queue<E>,
    /// How large batches may be at present, and how many commits went well since.
    batch_events: usize,
    calm: u32,
    doing: Doing<E>,
}

#[derive(Debug)]
enum Doing<E> {
    Nothing,
    Applying {
        work: Work<E>,
        step: Range<usize>,
        call: Call,
    },
    Committing {
        work: Work<E>,
        commit: Arc<Commit>,
        call: Call,
    },
    Failed(Failure),
}

impl<E: StoreEvent> Projection<E> {
    /// Goes on from what was committed: the checkpoint and the aggregates that are parked.
    pub fn new(
        descriptor: &Descriptor,
        options: Options,
        checkpoint: Option<Position>,
        parked: impl IntoIterator<Item = AggregateKey>,
        now: Timestamp,
    ) -> Self {
        let options = Options {
            batch_events: options.batch_events.max(1),
            ..options
        };
        Self {
            takes: descriptor.event_types.iter().cloned().collect(),
            now,
            checkpoint,
            delivered: checkpoint,
            caught_up_at: None,
            parked: parked.into_iter().collect(),
            queue: Queue::default(),
            batch_events: options.batch_events,
            calm: 0,
            doing: Doing::Nothing,
            options,
        }
    }

    /// Takes what the store delivers; see [`poll_output`](Self::poll_output).
    ///
    /// An event that was delivered before is ignored.
    pub fn handle_delivery(&mut self, delivery: Delivery<E>, now: Timestamp) {
        self.now = now;
        match delivery {
            Delivery::CaughtUp => {
                self.caught_up_at.get_or_insert(self.delivered);
            }
            Delivery::Event(event) => {
                let position = event.position();
                if Some(position) <= self.delivered {
                    return;
                }
                self.delivered = Some(position);
                if self.takes(&event.recorded().event.event_type) {
                    self.queue.push(position, Item::Event(event));
                } else {
                    self.queue.push(position, Item::Passed(1));
                }
            }
            Delivery::Invalid(invalid) => {
                // One whose position is not even right cannot be a repeat: it stops the projection
                // at the next position that can be named.
                let aggregate = invalid
                    .aggregate
                    .filter(|_| Some(invalid.position) > self.delivered);
                self.delivered = self.delivered.max(Some(invalid.position));
                let invalid = InvalidEvent {
                    aggregate,
                    ..invalid
                };
                self.queue.push(invalid.position, Item::Invalid(invalid));
            }
        }
    }

    /// Takes the changes of the batch that was to be applied; see
    /// [`poll_output`](Self::poll_output).
    ///
    /// # Panics
    ///
    /// When no batch was to be applied.
    pub fn handle_applied(&mut self, changes: Vec<Change>, now: Timestamp) {
        self.now = now;
        let (mut work, step, _) = self.take_applying();
        let checkpoint = work.position_behind(step.end);
        let parked = work.take_diverted(checkpoint);
        let events = step.len() as u64;
        work.done(step.end);
        self.commit(work, checkpoint, changes, events, parked);
    }

    /// Takes the fault of the batch that was to be applied; see
    /// [`poll_output`](Self::poll_output).
    ///
    /// # Panics
    ///
    /// When no batch was to be applied.
    pub fn handle_fault(&mut self, fault: Fault, now: Timestamp) {
        self.now = now;
        let (mut work, step, call) = self.take_applying();
        // While the event at fault is searched, only it is worth a second try.
        let narrowing = work.is_suspect() && step.len() > 1;
        let again = call.again(&fault, &self.options.retry, now);
        match again.filter(|_| !narrowing) {
            Some(call) => {
                self.doing = Doing::Applying { work, step, call };
            }
            None if step.len() > 1 => {
                work.suspect(step, fault.index);
                self.advance(work);
            }
            None => {
                let event = &work.events()[step.start];
                let Fault { code, message, .. } = fault;
                let parked = ParkedEvent::of(event, ParkReason::Fault { code, message });
                self.park(work, parked, step.end);
            }
        }
    }

    /// Takes that the handler could not even be called, which tells nothing of the events: none is
    /// parked for it. The call is made again after waits, then it ends; see
    /// [`poll_output`](Self::poll_output).
    ///
    /// # Panics
    ///
    /// When no batch was to be applied.
    pub fn handle_not_called(&mut self, fault: Fault, now: Timestamp) {
        self.now = now;
        let (work, step, call) = self.take_applying();
        let fault = Fault {
            retryable: true,
            ..fault
        };
        self.doing = match call.again(&fault, &self.options.retry, now) {
            Some(call) => Doing::Applying { work, step, call },
            None => Doing::Failed(Failure::NotCalled(fault)),
        };
    }

    /// Takes that the commit is written; see [`poll_output`](Self::poll_output).
    ///
    /// # Panics
    ///
    /// When there was nothing to commit.
    pub fn handle_committed(&mut self, now: Timestamp) {
        self.now = now;
        let (mut work, commit, _) = self.take_committing();
        self.checkpoint = Some(commit.checkpoint);
        for event in &commit.parked {
            if event.reason != ParkReason::Diverted && self.parked.insert(event.aggregate.clone()) {
                work.divert(&event.aggregate);
            }
        }
        if let Some(faulted) = work.take_acquitted() {
            // Every part went well, so the whole was too much for one call.
            self.batch_events = (faulted / 2).max(1);
            self.calm = 0;
        } else if self.batch_events < self.options.batch_events {
            self.calm += 1;
            if self.calm >= CALM_COMMITS {
                self.batch_events = (self.batch_events * 2).min(self.options.batch_events);
                self.calm = 0;
            }
        }
        self.advance(work);
    }

    /// Takes that the commit is not written, or not known to be; see
    /// [`poll_output`](Self::poll_output).
    ///
    /// # Panics
    ///
    /// When there was nothing to commit.
    pub fn handle_commit_failed(&mut self, fault: Fault, now: Timestamp) {
        self.now = now;
        let (work, commit, call) = self.take_committing();
        let again = call.again(&fault, &self.options.retry, now);
        self.doing = match again.filter(|_| fault.retryable) {
            Some(call) => Doing::Committing { work, commit, call },
            None => Doing::Failed(Failure::Commit(fault)),
        };
    }

    /// Takes that time has passed; see [`poll_output`](Self::poll_output).
    pub fn handle_wake(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// What is to be done next. Nothing else is due while a batch is applied or a commit written,
    /// but deliveries may be handled meanwhile.
    #[must_use]
    pub fn poll_output(&mut self) -> Output<E> {
        if matches!(self.doing, Doing::Nothing) {
            self.begin();
        }
        match &mut self.doing {
            Doing::Nothing => Output::Idle { wake_at: None },
            Doing::Failed(failure) => Output::Failed(failure.clone()),
            Doing::Applying { work, step, call } => call.poll(self.now, || {
                Output::Apply(Batch {
                    events: work.events(),
                    range: step.clone(),
                })
            }),
            Doing::Committing { commit, call, .. } => {
                call.poll(self.now, || Output::Commit(Arc::clone(commit)))
            }
        }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        match self.doing {
            Doing::Failed(_) => State::Failed,
            Doing::Nothing | Doing::Applying { .. } | Doing::Committing { .. } => {
                self.state_at(self.checkpoint, self.parked.len())
            }
        }
    }

    /// The position up to which everything is committed.
    pub fn checkpoint(&self) -> Option<Position> {
        self.checkpoint
    }

    /// The position up to which events were delivered.
    pub fn delivered(&self) -> Option<Position> {
        self.delivered
    }

    /// How many aggregates are parked.
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether an aggregate is parked.
    pub fn is_parked(&self, aggregate: &AggregateKey) -> bool {
        self.parked.contains(aggregate)
    }

    /// Whether all that was delivered is committed.
    pub fn is_drained(&self) -> bool {
        self.checkpoint == self.delivered
    }

    /// Whether everything is committed that was there when the store said that all is delivered.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up_at.is_some_and(|at| self.checkpoint >= at)
    }

    /// Whether more should be delivered now. While nothing is to be done there always is room.
    pub fn has_room(&self) -> bool {
        let Options {
            batch_events,
            batch_bytes,
            ..
        } = self.options;
        self.queue.waiting() < 2 * batch_events && self.queue.bytes() < 2 * batch_bytes
    }

    fn takes(&self, event_type: &EventType) -> bool {
        self.takes.is_empty() || self.takes.contains(event_type)
    }

    fn state_at(&self, checkpoint: Option<Position>, parked: usize) -> State {
        match (self.caught_up_at, parked) {
            (Some(at), 0) if checkpoint >= at => State::Live,
            (Some(at), _) if checkpoint >= at => State::Parked,
            _ => State::CatchingUp,
        }
    }

    /// Takes new work from the queue, if there is enough.
    fn begin(&mut self) {
        let (events, bytes) = (self.batch_events, self.options.batch_bytes);
        // An event that was said to be there is not kept waiting for others.
        if !(self.caught_up_at.is_some() || self.queue.is_full(events, bytes)) {
            return;
        }
        if let Some(work) = self.queue.take(events, bytes, &self.parked) {
            return self.advance(work);
        }
        self.park_invalid();
    }

    /// Parks the invalid events that come next, as many as a batch has, by one commit.
    fn park_invalid(&mut self) {
        let (mut parked, mut joining) = (Vec::new(), HashSet::new());
        while parked.len() < self.options.batch_events {
            let Some(invalid) = self.queue.next_invalid() else {
                break;
            };
            let event = ParkedEvent::of_invalid(invalid.clone());
            match event.and_then(|event| self.check_parked(event, &joining)) {
                Ok(event) => {
                    self.queue.take_invalid();
                    if !self.parked.contains(&event.aggregate) {
                        joining.insert(event.aggregate.clone());
                    }
                    parked.push(event);
                }
                Err(failure) if parked.is_empty() => {
                    self.doing = Doing::Failed(failure);
                    return;
                }
                // Those before it come first.
                Err(_) => break,
            }
        }
        if let Some(last) = parked.last() {
            let end = last.position;
            self.commit(Work::none(end), end, Vec::new(), 0, parked);
        }
    }

    /// Refuses to park an event of one more aggregate than may be; `joining` are not parked yet, but
    /// about to be.
    fn check_parked(
        &self,
        event: ParkedEvent,
        joining: &HashSet<AggregateKey>,
    ) -> Result<ParkedEvent, Failure> {
        let parked = self.parked.len() + joining.len();
        let is_parked =
            self.parked.contains(&event.aggregate) || joining.contains(&event.aggregate);
        if is_parked || parked < self.options.parked_max {
            return Ok(event);
        }
        Err(Failure::TooManyParked {
            parked,
            event: Box::new(event),
        })
    }

    /// Goes on with the work at hand.
    fn advance(&mut self, mut work: Work<E>) {
        if let Some(step) = work.next_step() {
            let call = Call::default();
            self.doing = Doing::Applying { work, step, call };
            return;
        }
        let end = work.end();
        if self.checkpoint < Some(end) {
            let parked = work.take_diverted(end);
            self.commit(work, end, Vec::new(), 0, parked);
        } else {
            self.doing = Doing::Nothing;
        }
    }

    /// Parks an event; with it `done` events of the work are done.
    fn park(&mut self, mut work: Work<E>, event: ParkedEvent, done: usize) {
        let event = match self.check_parked(event, &HashSet::new()) {
            Ok(event) => event,
            Err(failure) => {
                self.doing = Doing::Failed(failure);
                return;
            }
        };
        let checkpoint = event.position;
        let mut parked = work.take_diverted(checkpoint);
        parked.push(event);
        work.done_with_culprit(done);
        self.commit(work, checkpoint, Vec::new(), 0, parked);
    }

    fn commit(
        &mut self,
        work: Work<E>,
        checkpoint: Position,
        changes: Vec<Change>,
        events: u64,
        parked: Vec<ParkedEvent>,
    ) {
        let state = self.state_at(Some(checkpoint), self.parked.len() + parked.len());
        let commit = Arc::new(Commit {
            before: self.checkpoint,
            checkpoint,
            changes,
            events,
            parked,
            state,
        });
        let call = Call::default();
        self.doing = Doing::Committing { work, commit, call };
    }

    fn take_applying(&mut self) -> (Work<E>, Range<usize>, Call) {
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        let Doing::Applying { work, step, call } = doing else {
            panic!("the outcome of a batch, but none was to be applied");
        };
        (work, step, call)
    }

    fn take_committing(&mut self) -> (Work<E>, Arc<Commit>, Call) {
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        let Doing::Committing { work, commit, call } = doing else {
            panic!("the outcome of a commit, but none was to be written");
        };
        (work, commit, call)
    }
}
