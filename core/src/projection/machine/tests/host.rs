//! A host of the machine, and what the tests give it.

use bytes::Bytes;

use super::*;

/// Gives the machine what it asks for, and keeps it.
pub(super) struct Host {
    pub(super) projection: Projection<Stored>,
    pub(super) now: Timestamp,
    pub(super) faults: Faults,
    pub(super) calls: Vec<Vec<u64>>,
    pub(super) commits: Vec<Commit>,
    pub(super) waits_ms: Vec<u64>,
    pub(super) failure: Option<Failure>,
}

pub(super) type Faults = Box<dyn FnMut(&[u64]) -> Option<Fault>>;

impl Host {
    pub(super) fn new(options: Options) -> Self {
        Self::of(Projection::new(&descriptor(), options, None, [], start()))
    }

    pub(super) fn of(projection: Projection<Stored>) -> Self {
        Self {
            projection,
            now: start(),
            faults: Box::new(|_| None),
            calls: Vec::new(),
            commits: Vec::new(),
            waits_ms: Vec::new(),
            failure: None,
        }
    }

    pub(super) fn deliver(&mut self, events: impl IntoIterator<Item = Stored>) {
        for event in events {
            self.projection
                .handle_delivery(Delivery::Event(event), self.now);
        }
        self.drive();
    }

    pub(super) fn deliver_invalid(&mut self, position: u64, aggregate: Option<u64>) {
        let invalid = invalid(position, aggregate);
        self.projection
            .handle_delivery(Delivery::Invalid(invalid), self.now);
        self.drive();
    }

    pub(super) fn caught_up(&mut self) {
        self.projection
            .handle_delivery(Delivery::CaughtUp, self.now);
        self.drive();
    }

    pub(super) fn drive(&mut self) {
        loop {
            match self.projection.poll_output() {
                Output::Apply(batch) => {
                    let call = positions(batch.iter().map(|event| event.position));
                    let fault = (self.faults)(&call);
                    // One change an event tells which events took effect.
                    let changes = call.iter().map(|at| change(*at)).collect();
                    self.calls.push(call);
                    match fault {
                        None => self.projection.handle_applied(changes, self.now),
                        Some(fault) => self.projection.handle_fault(fault, self.now),
                    }
                }
                Output::Commit(commit) => {
                    assert_eq!(commit.before, self.projection.checkpoint());
                    assert!(Some(commit.checkpoint) > commit.before);
                    assert_eq!(commit.events, commit.changes.len() as u64);
                    self.commits.push(Commit::clone(&commit));
                    self.projection.handle_committed(self.now);
                }
                Output::Idle { wake_at: None } => return,
                Output::Idle {
                    wake_at: Some(wake_at),
                } => {
                    let wait = wake_at.micros() - self.now.micros();
                    self.waits_ms.push(wait / 1000);
                    self.now = wake_at;
                    self.projection.handle_wake(self.now);
                }
                Output::Failed(failure) => {
                    self.failure = Some(failure);
                    return;
                }
            }
        }
    }

    pub(super) fn checkpoints(&self) -> Vec<u64> {
        positions(self.commits.iter().map(|commit| commit.checkpoint))
    }

    pub(super) fn parked(&self) -> Vec<ParkedEvent> {
        let commits = self.commits.iter();
        commits.flat_map(|commit| commit.parked.clone()).collect()
    }

    pub(super) fn applied(&self) -> Vec<u64> {
        let changes = self.commits.iter().flat_map(|commit| &commit.changes);
        changes
            .map(|change| change.key().key.parse().expect("a number"))
            .collect()
    }
}

/// Gives a fault to each batch with one of these events; `index` says what the fault names.
pub(super) fn poison(
    events: impl IntoIterator<Item = u64>,
    index: impl Fn(&[u64]) -> Option<usize> + 'static,
) -> Faults {
    let poison: HashSet<u64> = events.into_iter().collect();
    Box::new(move |batch| {
        batch.iter().any(|at| poison.contains(at)).then(|| Fault {
            index: index(batch),
            ..fault("poison")
        })
    })
}

pub(super) fn fault(code: &str) -> Fault {
    Fault {
        code: code.to_owned(),
        message: "it faults".to_owned(),
        index: None,
        retryable: false,
    }
}

pub(super) fn retryable(code: &str) -> Fault {
    Fault {
        retryable: true,
        ..fault(code)
    }
}

pub(super) fn change(position: u64) -> Change {
    Change::Delete {
        key: crate::projection::DocumentKey {
            collection: Name::new("seen").expect("a name"),
            key: position.to_string().into(),
        },
    }
}

pub(super) fn batches_of(events: usize) -> Options {
    Options {
        batch_events: events,
        ..Options::default()
    }
}

pub(super) fn start() -> Timestamp {
    Timestamp::default()
}

pub(super) fn positions(positions: impl Iterator<Item = Position>) -> Vec<u64> {
    positions.map(Position::get).collect()
}

/// A handler that takes all types.
pub(in crate::projection::machine) fn descriptor() -> Descriptor {
    Descriptor {
        name: Name::new("test").expect("a name"),
        version: "1".to_owned(),
        event_types: Vec::new(),
        collections: vec![Name::new("seen").expect("a name")],
    }
}

/// An event at a position, of the aggregate with a number.
pub(in crate::projection::machine) fn event(position: u64, aggregate: u64) -> Stored {
    let time = Timestamp::from_micros(1_700_000_000_000_000 + position).expect("a time");
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&position.to_be_bytes());
    let event = NewEvent::json(
        EventId::from_parts(time, entropy),
        &Entity::new("key").expect("an entity"),
        EventType::new("KeyGenerated").expect("a type"),
        time,
        Text::new("test").expect("a text"),
        Bytes::new(),
    )
    .expect("an operation");
    Stored {
        position: Position::new(position).expect("a position"),
        event: RecordedEvent {
            aggregate: format!("o.u.d.key.{aggregate}").parse().expect("a key"),
            version: Version::new(position).expect("a version"),
            previous: None,
            cid: Cid::of_block(&position.to_be_bytes()),
            event,
        },
    }
}

/// An event that is altered, of the aggregate with a number.
pub(super) fn invalid(position: u64, aggregate: Option<u64>) -> InvalidEvent {
    InvalidEvent {
        position: Position::new(position).expect("a position"),
        aggregate: aggregate.map(|number| event(1, number).event.aggregate),
        event: None,
        code: "wrong-cid".to_owned(),
        message: "it is wrong".to_owned(),
    }
}

pub(super) fn large_event(position: u64, size: usize) -> Stored {
    let mut event = event(position, position);
    event.event.event.body = vec![b' '; size].into();
    event
}
