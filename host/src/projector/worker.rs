//! The thread of a projector: it does what the machine says.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_core::projection::Change;
use cim_core::projection::machine::{
    Commit, Delivery, InvalidEvent, Output, ParkReason, ParkedEvent, Projection, State,
};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};

use super::ahead::Chunk;
use super::engine::OnProgress;
use super::{CallError, HEARTBEAT, Handler, Progress, ProjectorError};
use crate::clock;
use crate::sqlite::{NotCommitted, Session};
use crate::store::{self, EventStore, ReadEvent, StoreError};
use cim_core::projection::check::Checks;

/// How old the store's last position may be that progress tells.
const MAX_AGE_OF_LAST: Duration = Duration::from_millis(250);

/// How soon a sign of life is tried again that found the read model busy.
const HEARTBEAT_AGAIN: Duration = Duration::from_millis(500);

/// The machine's time: how long the projector has run, so that waits do not depend on what happens
/// to the system's clock. What is stored has the system's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steady(Instant);

impl Steady {
    pub(super) fn start() -> Self {
        Self(clock::moment())
    }

    pub(super) fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.0.elapsed().as_micros()).ok();
        elapsed
            .and_then(|micros| Timestamp::from_micros(micros).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

/// When the next sign of life is due, and the state that the last one told.
#[derive(Debug)]
pub(super) struct Heart {
    due: Instant,
    told: Option<State>,
}

impl Heart {
    /// The projection was taken over just now, which is a sign too, but tells no state.
    pub(super) fn start() -> Self {
        Self {
            due: clock::moment() + HEARTBEAT,
            told: None,
        }
    }

    fn told(&mut self, state: State) {
        self.due = clock::moment() + HEARTBEAT;
        self.told = Some(state);
    }

    /// The sign could not be given now.
    fn put_off(&mut self) {
        self.due = clock::moment() + HEARTBEAT_AGAIN;
    }

    fn is_due(&self) -> bool {
        self.due <= clock::moment()
    }

    fn wait(&self) -> Duration {
        self.due.saturating_duration_since(clock::moment())
    }
}

pub(super) struct Worker {
    pub(super) machine: Projection<ReadEvent>,
    pub(super) handler: Box<dyn Handler>,
    pub(super) session: Session,
    pub(super) checks: Checks,
    pub(super) chunks: mpsc::Receiver<Chunk>,
    /// Closed when the projector is to stop.
    pub(super) stopped: watch::Receiver<()>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) last: Option<Position>,
    pub(super) steady: Steady,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) runtime: Handle,
    pub(super) ends_caught_up: bool,
    /// How many events took effect.
    pub(super) events: u64,
    pub(super) heart: Heart,
    /// When the store was last asked for its last position.
    pub(super) asked: Option<Instant>,
}

impl Worker {
    /// Works until it is done, stopped, or cannot go on; the projection's row says which.
    pub(super) fn run(mut self) -> Result<Progress, ProjectorError> {
        let ended = self.work();
        let now = clock::now();
        match ended {
            Ok(()) => {
                let state = self.machine.state();
                self.session.end(state, self.caught_up_at(now), None, now)?;
                self.asked = None;
                self.progress()
            }
            Err(error) => {
                let told = error.with_causes();
                // That it cannot be written either adds nothing to what is wrong already.
                let why = Some((error.code(), &*told));
                let _ = self.session.end(State::Failed, None, why, now);
                Err(error)
            }
        }
    }

    fn work(&mut self) -> Result<(), ProjectorError> {
        loop {
            self.take_deliveries()?;
            if self.is_stopped() {
                return Ok(());
            }
            // Also between calls: the search for an event at fault may take long.
            if self.heart.is_due() {
                self.beat()?;
            }
            match self.machine.poll_output() {
                Output::Apply(batch) => {
                    let applied = self.apply(&batch)?;
                    let now = self.steady.now();
                    match applied {
                        Ok(changes) => self.machine.handle_applied(changes, now),
                        Err(CallError::Fault(fault)) => self.machine.handle_fault(fault, now),
                        Err(CallError::NotCalled(fault)) => {
                            self.machine.handle_not_called(fault, now);
                        }
                    }
                }
                Output::Commit(commit) => self.commit(&commit)?,
                Output::Idle { wake_at } => {
                    if self.heart.told != Some(self.machine.state()) {
                        self.beat()?;
                    }
                    if self.ends_caught_up && self.machine.is_caught_up() {
                        return Ok(());
                    }
                    self.wait(wake_at)?;
                }
                Output::Failed(failure) => return Err(self.session.failed(failure)),
                other => unreachable!("the machine asks for nothing else: {other:?}"),
            }
        }
    }

    /// Hands what was read ahead to the machine, as much as it has room for.
    fn take_deliveries(&mut self) -> Result<(), ProjectorError> {
        while self.machine.has_room() {
            match self.chunks.try_recv() {
                Ok(chunk) => self.deliver(chunk)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(StoreError::Closed.into()),
            }
        }
        Ok(())
    }

    fn deliver(&mut self, chunk: Chunk) -> Result<(), ProjectorError> {
        let now = self.steady.now();
        for delivery in chunk {
            let delivery = match delivery? {
                store::Delivery::Event(event) => Delivery::Event(event),
                store::Delivery::CaughtUp => Delivery::CaughtUp,
                store::Delivery::Invalid(invalid) => Delivery::Invalid(InvalidEvent {
                    position: invalid.position,
                    aggregate: invalid.aggregate,
                    event: invalid.event,
                    code: invalid.code.to_owned(),
                    message: invalid.why,
                }),
            };
            self.machine.handle_delivery(delivery, now);
        }
        Ok(())
    }

    /// Calls the handler. The documents that it reads are those of the last commit, and no other
    /// call stands between them and the next one.
    fn apply(
        &mut self,
        batch: &[ReadEvent],
    ) -> Result<Result<Vec<Change>, CallError>, ProjectorError> {
        let keys = match self.handler.keys(batch) {
            Ok(keys) => keys,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(fault) = self.checks.keys(&keys) {
            return Ok(Err(fault.into()));
        }
        let documents = match self.session.documents(&keys, self.checks.limits())? {
            Ok(documents) => documents,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let changes = self.handler.apply(batch, &documents);
        Ok(changes.and_then(|changes| {
            self.checks.changes(&changes)?;
            Ok(changes)
        }))
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), ProjectorError> {
        let now = clock::now();
        let is_new = commit.state != State::CatchingUp
            && Some(commit.checkpoint) == self.machine.delivered()
            && self.chunks.is_empty();
        match self.session.commit(commit, is_new.then_some(now), now) {
            Ok(()) => {
                let newly_parked = self.newly_parked(commit);
                self.machine.handle_committed(self.steady.now());
                self.events += commit.events;
                self.heart.told(commit.state);
                self.tell_progress(newly_parked)
            }
            Err(NotCommitted::Fault(fault)) => {
                self.machine.handle_commit_failed(fault, self.steady.now());
                Ok(())
            }
            Err(NotCommitted::Fenced(error)) => Err(error),
        }
    }

    /// The first event of each aggregate that `commit` parks.
    fn newly_parked(&self, commit: &Commit) -> Vec<ParkedEvent> {
        let mut seen = HashSet::new();
        let parked = commit.parked.iter();
        parked
            .filter(|event| event.reason != ParkReason::Diverted)
            .filter(|event| !self.machine.is_parked(&event.aggregate))
            .filter(|event| seen.insert(&event.aggregate))
            .cloned()
            .collect()
    }

    /// Gives a sign of life, and tells a state that has changed.
    fn beat(&mut self) -> Result<(), ProjectorError> {
        let state = self.machine.state();
        let changed = self.heart.told != Some(state);
        let now = clock::now();
        if !self.session.beat(state, self.caught_up_at(now), now)? {
            self.heart.put_off();
            return Ok(());
        }
        self.heart.told(state);
        if changed {
            self.tell_progress(Vec::new())?;
        }
        Ok(())
    }

    /// The time of now if the documents are as new as the store.
    fn caught_up_at(&self, now: Timestamp) -> Option<Timestamp> {
        let is_new = self.machine.state() != State::CatchingUp
            && self.machine.is_drained()
            && self.chunks.is_empty();
        is_new.then_some(now)
    }

    /// Waits for deliveries, for the machine's time, for the next sign of life, or for the stop.
    fn wait(&mut self, wake_at: Option<Timestamp>) -> Result<(), ProjectorError> {
        let beat = self.heart.wait();
        let now = self.steady.now();
        let wake =
            wake_at.map(|at| Duration::from_micros(at.micros().saturating_sub(now.micros())));
        let wait = wake.map_or(beat, |wake| wake.min(beat));
        let has_room = self.machine.has_room();
        let (chunks, stopped) = (&mut self.chunks, &mut self.stopped);
        let woken = self.runtime.block_on(async {
            tokio::select! {
                _ = stopped.changed() => Woken::ByTime,
                () = tokio::time::sleep(wait) => Woken::ByTime,
                chunk = chunks.recv(), if has_room => Woken::By(chunk),
            }
        });
        match woken {
            Woken::By(Some(chunk)) => self.deliver(chunk)?,
            Woken::By(None) => return Err(StoreError::Closed.into()),
            Woken::ByTime => {}
        }
        self.machine.handle_wake(self.steady.now());
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.has_changed().is_err()
    }

    fn tell_progress(&mut self, newly_parked: Vec<ParkedEvent>) -> Result<(), ProjectorError> {
        if self.on_progress.is_none() {
            return Ok(());
        }
        let progress = Progress {
            newly_parked,
            ..self.progress()?
        };
        if let Some(tell) = &mut self.on_progress {
            tell(&progress);
        }
        Ok(())
    }

    fn progress(&mut self) -> Result<Progress, ProjectorError> {
        if self.asked.is_none_or(|at| at.elapsed() >= MAX_AGE_OF_LAST) {
            self.last = self.runtime.block_on(self.store.last_position())?;
            self.asked = Some(clock::moment());
        }
        let position = self.machine.checkpoint();
        Ok(Progress {
            state: self.machine.state(),
            position,
            last: self.last.max(position),
            events: self.events,
            parked_aggregates: self.machine.parked(),
            newly_parked: Vec::new(),
        })
    }
}

enum Woken {
    By(Option<Chunk>),
    ByTime,
}
