//! A simulation: random events, poison among them, random faults, and a projector that crashes
//! around its commits. Whatever happens, the read model is what a plain loop makes of the events,
//! and each event took effect exactly once.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::tests::host::{descriptor, event};
use super::*;
use crate::append::Stored;
use crate::projection::{Change, DocumentKey, Fault, Name};
use crate::version::Version;

/// The most changes that a call may return in the simulation.
const MAX_CHANGES: u64 = 12;

/// What a store holds at a position.
#[derive(Clone, Debug)]
struct Given {
    aggregate: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The handler makes so many changes of it.
    Sound(u64),
    /// The handler faults on it, always.
    Poison,
    /// The handler does not take its type.
    Other,
    /// It is altered.
    Invalid,
}

/// What outlives a crash: documents, the checkpoint, the parked queues.
#[derive(Clone, Debug, Default, PartialEq)]
struct ReadModel {
    /// For each key the positions of the events that put it, in order.
    documents: BTreeMap<String, Vec<u64>>,
    checkpoint: u64,
    parked: Vec<(u64, u64, &'static str)>,
}

/// What is to come of the events: a loop over them, one by one.
fn model(given: &[Given]) -> ReadModel {
    let mut model = ReadModel::default();
    let mut stuck = HashSet::new();
    for (position, given) in (1..).zip(given) {
        let why = match given.kind {
            Kind::Other => continue,
            Kind::Invalid => Some("invalid"),
            _ if stuck.contains(&given.aggregate) => Some("diverted"),
            Kind::Poison => Some("poison"),
            Kind::Sound(changes) if changes > MAX_CHANGES => Some("too-many-changes"),
            Kind::Sound(_) => None,
        };
        if let Some(why) = why {
            stuck.insert(given.aggregate);
            model.parked.push((position, given.aggregate, why));
        } else if let Kind::Sound(changes) = given.kind {
            for key in keys(given.aggregate, changes) {
                model.documents.entry(key).or_default().push(position);
            }
        }
    }
    model.checkpoint = given.len() as u64;
    model
}

fn keys(aggregate: u64, changes: u64) -> impl Iterator<Item = String> {
    (0..changes).map(move |number| match number {
        0 => "all".to_owned(),
        _ => format!("{aggregate}-{number}"),
    })
}

/// The simulated host and its chances.
struct Simulation<'a> {
    given: &'a [Given],
    options: Options,
    read_model: ReadModel,
    random: u64,
    now: Timestamp,
    /// Retryable faults in a row: fewer than the policy takes.
    in_a_row: u32,
}

impl Simulation<'_> {
    /// Runs projectors, one after the other, until one has done all.
    fn run(&mut self) {
        while !self.run_until_crash() {}
    }

    /// Says whether it ended well.
    fn run_until_crash(&mut self) -> bool {
        let checkpoint = self.read_model.checkpoint;
        let parked: Vec<_> = self.read_model.parked.clone();
        let parked = parked.iter().map(|row| event(1, row.1).event.aggregate);
        let mut projection = Projection::new(
            &Descriptor {
                event_types: vec!["KeyGenerated".parse().expect("a type")],
                ..descriptor()
            },
            self.options.clone(),
            Position::new(checkpoint).ok(),
            parked,
            self.now,
        );
        let mut next = checkpoint + 1;
        let mut said_caught_up = false;
        loop {
            match projection.poll_output() {
                Output::Apply(batch) => match self.apply(&batch) {
                    Ok(changes) => projection.handle_applied(changes, self.now),
                    Err(fault) => projection.handle_fault(fault, self.now),
                },
                Output::Commit(commit) => {
                    if self.chance(20) {
                        return false;
                    }
                    if self.in_a_row < 3 && self.chance(20) {
                        self.in_a_row += 1;
                        // Written or not: the projector cannot tell.
                        if self.chance(2) {
                            self.write(&commit);
                        }
                        projection.handle_commit_failed(fault("busy", true), self.now);
                        continue;
                    }
                    self.in_a_row = 0;
                    self.write(&commit);
                    if self.chance(20) {
                        return false;
                    }
                    projection.handle_committed(self.now);
                }
                Output::Idle {
                    wake_at: Some(wake_at),
                } => {
                    self.now = wake_at;
                    projection.handle_wake(wake_at);
                }
                Output::Idle { wake_at: None } => {
                    if projection.is_caught_up() {
                        assert!(projection.is_drained());
                        let parked = !self.read_model.parked.is_empty();
                        let expected = if parked { State::Parked } else { State::Live };
                        assert_eq!(projection.state(), expected);
                        return true;
                    }
                    assert!(!said_caught_up, "idle, but not caught up");
                    assert!(projection.has_room(), "idle without room");
                    for _ in 0..=self.below(9) {
                        match self.given.get(next as usize - 1) {
                            Some(given) => {
                                projection.handle_delivery(delivery(next, given), self.now);
                                next += 1;
                            }
                            None if said_caught_up => break,
                            None => {
                                projection.handle_delivery(Delivery::CaughtUp, self.now);
                                said_caught_up = true;
                            }
                        }
                    }
                }
                Output::Failed(failure) => panic!("it failed: {failure}"),
            }
        }
    }

    fn apply(&mut self, batch: &[Stored]) -> Result<Vec<Change>, Fault> {
        let events = batch.iter().map(|event| event.position.get());
        let events: Vec<u64> = events.collect();
        assert!(events.len() <= self.options.batch_events);
        let (given, options) = (self.given, &self.options);
        let kind = |at: &u64| given[*at as usize - 1].kind;
        if self.in_a_row < options.retry.retries && self.chance(6) {
            self.in_a_row += 1;
            return Err(fault("busy", true));
        }
        self.in_a_row = 0;
        // Where several events are left, a fault that does not come again harms nothing.
        if events.len() > 1 && self.chance(8) {
            return Err(self.named(fault("moody", false)));
        }
        if events.iter().any(|at| kind(at) == Kind::Poison) {
            return Err(self.named(fault("poison", false)));
        }
        let mut changes = Vec::new();
        for at in &events {
            let Kind::Sound(count) = kind(at) else {
                panic!("the handler got what it does not take: {:?}", kind(at));
            };
            for key in keys(self.given[*at as usize - 1].aggregate, count) {
                changes.push(put(&key, *at));
            }
        }
        if changes.len() as u64 > MAX_CHANGES {
            return Err(self.named(fault("too-many-changes", false)));
        }
        Ok(changes)
    }

    /// Writes a commit as a read model does: all or nothing, on its condition.
    fn write(&mut self, commit: &Commit) {
        let read_model = &mut self.read_model;
        if read_model.checkpoint == commit.checkpoint.get() {
            return;
        }
        assert_eq!(
            read_model.checkpoint,
            commit.before.map_or(0, Position::get)
        );
        for change in &commit.changes {
            let Change::Put { key, document } = change else {
                panic!("the handler puts only");
            };
            let position = std::str::from_utf8(document).expect("a number");
            let events = read_model.documents.entry(key.key.to_string());
            let position = position.parse().expect("a number");
            events.or_default().push(position);
        }
        for event in &commit.parked {
            let aggregate = event.aggregate.id.as_str().parse().expect("a number");
            let why = match &event.reason {
                ParkReason::Diverted => "diverted",
                ParkReason::Invalid { .. } => "invalid",
                ParkReason::Fault { code, .. } if code == "poison" => "poison",
                ParkReason::Fault { code, .. } if code == "too-many-changes" => "too-many-changes",
                ParkReason::Fault { code, .. } => panic!("parked for `{code}`"),
            };
            let row = (event.position.get(), aggregate, why);
            read_model.parked.push(row);
        }
        read_model.checkpoint = commit.checkpoint.get();
    }

    /// Sometimes names an event, which may be any.
    fn named(&mut self, fault: Fault) -> Fault {
        let index = self.chance(2).then(|| self.below(20) as usize);
        Fault { index, ..fault }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn delivery(position: u64, given: &Given) -> Delivery<Stored> {
    let mut event = event(position, given.aggregate);
    event.event.version = Version::new(position).expect("a version");
    match given.kind {
        Kind::Sound(_) | Kind::Poison => Delivery::Event(event),
        Kind::Other => {
            event.event.event.event_type = "KeyRevoked".parse().expect("a type");
            Delivery::Event(event)
        }
        Kind::Invalid => Delivery::Invalid(InvalidEvent {
            position: event.position,
            aggregate: Some(event.event.aggregate),
            event: None,
            code: "wrong-cid".to_owned(),
            message: "it is wrong".to_owned(),
        }),
    }
}

fn put(key: &str, position: u64) -> Change {
    Change::Put {
        key: DocumentKey {
            collection: Name::new("seen").expect("a name"),
            key: key.into(),
        },
        document: position.to_string().into(),
    }
}

fn fault(code: &str, retryable: bool) -> Fault {
    Fault {
        code: code.to_owned(),
        message: "it faults".to_owned(),
        index: None,
        retryable,
    }
}

fn given() -> impl Strategy<Value = Vec<Given>> {
    let kind = prop_oneof![
        20 => (0..4_u64).prop_map(Kind::Sound),
        1 => Just(Kind::Sound(MAX_CHANGES + 1)),
        1 => Just(Kind::Poison),
        6 => Just(Kind::Other),
        1 => Just(Kind::Invalid),
    ];
    let one = (0..12_u64, kind).prop_map(|(aggregate, kind)| Given { aggregate, kind });
    prop::collection::vec(one, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_event_takes_effect_once_or_is_parked(
        given in given(),
        batch_events in 1..20_usize,
        random in any::<u64>(),
    ) {
        let mut simulation = Simulation {
            given: &given,
            options: Options { batch_events, ..Options::default() },
            read_model: ReadModel::default(),
            random,
            now: Timestamp::default(),
            in_a_row: 0,
        };
        simulation.run();
        let mut found = simulation.read_model;
        // Queues are in order within an aggregate, and here even in store order.
        prop_assert!(found.parked.is_sorted_by_key(|row| row.0));
        found.documents.retain(|_, events| !events.is_empty());
        prop_assert_eq!(found, model(&given));
    }
}
