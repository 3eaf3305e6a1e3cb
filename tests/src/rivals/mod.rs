//! Writers that race for a few histories, and what they were answered.
//!
//! Each looks, appends with and without expectations, repeats what it has appended, and uses ids
//! again that are used. Every call is written down with its times; [`check`](crate::linear::check)
//! then judges the whole.

mod log;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cim_core::chain::verifier::StoreVerifier;
use cim_host::store::{Delivery, EventStore, Query};
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use crate::linear::{Answer, Call, Event, Operation};
use crate::random::Random;

pub use self::log::Log;

/// How long a writer may be without a definite answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the writers do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many writers there are.
    pub writers: u64,
    /// How many aggregates they share.
    pub aggregates: u64,
    /// How many appends they make in all; more while they are held (see [`Race::release`]).
    pub appends: u64,
    /// How long a writer pauses between its calls at most.
    pub pause: Duration,
    /// Repeats what is drawn.
    pub seed: u64,
}

/// A race: what its writers and who disturbs them share.
#[derive(Debug)]
pub struct Race {
    plan: Plan,
    log: Log,
    begun: AtomicU64,
    acknowledged: AtomicU64,
    is_released: AtomicBool,
}

impl Race {
    /// A race whose writers stop when they have made their appends.
    pub fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            plan,
            log: Log::new(&format!("{plan:?}")),
            begun: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            is_released: AtomicBool::new(true),
        })
    }

    /// Lets the writers go on until they are released.
    pub fn hold(&self) {
        self.is_released.store(false, Ordering::Release);
    }

    /// Lets the writers stop when they have made their appends.
    pub fn release(&self) {
        self.is_released.store(true, Ordering::Release);
    }

    /// Where calls are written down.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How many appends were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// How many appends were begun so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// What the writers do.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Waits until so many appends are acknowledged.
    ///
    /// # Panics
    ///
    /// When that takes too long.
    pub fn wait_for_acknowledged(&self, count: u64) {
        wait("acknowledged", count, || self.acknowledged());
    }

    /// Waits until so many appends are begun.
    ///
    /// # Panics
    ///
    /// When that takes too long.
    pub fn wait_for_begun(&self, count: u64) {
        wait("begun", count, || self.begun());
    }

    /// Lets the writers work, each through one of the stores, until all are done.
    ///
    /// # Panics
    ///
    /// When one of them gets no definite answer for long.
    pub async fn run(self: &Arc<Self>, stores: &[Arc<dyn EventStore>]) {
        let mut writers = JoinSet::new();
        for number in 0..self.plan.writers {
            let at = usize::try_from(number).expect("few") % stores.len();
            let random = Random::new(self.plan.seed.wrapping_mul(1000).wrapping_add(number));
            let stores = (Arc::clone(&stores[at]), stores.to_vec());
            writers.spawn(writer::write(Arc::clone(self), number, random, stores));
        }
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer does not panic");
        }
    }

    /// Whether a writer goes on with another append.
    fn begin(&self) -> bool {
        let before = self.begun.fetch_add(1, Ordering::AcqRel);
        before < self.plan.appends || !self.is_released.load(Ordering::Acquire)
    }

    fn record(&self, operation: Operation) {
        if let Call::Append {
            answer: Answer::Committed(_) | Answer::AlreadyCommitted(_),
            ..
        } = &operation.call
        {
            self.acknowledged.fetch_add(1, Ordering::AcqRel);
        }
        self.log.record(operation);
    }
}

fn wait(what: &str, count: u64, look: impl Fn() -> u64) {
    let started = Instant::now();
    while look() < count {
        let found = look();
        assert!(
            started.elapsed() < PATIENCE,
            "expected {count} appends to be {what}, found {found}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Everything that a store holds, each event and each chain verified.
///
/// # Panics
///
/// When it cannot be read, or is broken.
pub async fn stored(store: &dyn EventStore) -> Vec<Event> {
    let mut verifier = StoreVerifier::new();
    let mut events = Vec::new();
    let mut read = store.read(Query::default().verified());
    while let Some(read) = read.next().await {
        let read = read.expect("every event can be read");
        verifier.push(&read.event).expect("no chain is broken");
        events.push(event(read));
    }
    events
}

/// Everything that a subscription delivers up to a position.
///
/// # Panics
///
/// When it delivers something else.
pub async fn followed(store: Arc<dyn EventStore>, up_to: impl Future<Output = u64>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut deliveries = store.subscribe(None, None);
    let mut end = None;
    tokio::pin!(up_to);
    while end.is_none_or(|end| events.last().is_none_or(|last| last.position < end)) {
        tokio::select! {
            delivery = deliveries.next() => match delivery.expect("it does not end").expect("it goes on") {
                Delivery::Event(read) => events.push(event(read)),
                Delivery::CaughtUp => {}
                Delivery::Invalid(invalid) => panic!("{invalid}"),
            },
            last = &mut up_to, if end.is_none() => end = Some(last),
        }
    }
    events
}

fn event(read: cim_host::store::ReadEvent) -> Event {
    Event {
        position: read.position.get(),
        aggregate: read.event.aggregate,
        version: read.event.version.get(),
        id: read.event.event.id,
        cid: read.event.cid,
    }
}
