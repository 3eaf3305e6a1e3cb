//! Random operations against a model that is as simple as the contract's words.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use cim_core::append::{Append, AppendError, Appended, MAX_WINNERS, Rejection, record};
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::id::{AggregateKey, EventId};
use cim_core::subject::StoreTemplate;
use cim_core::version::{ExpectedVersion, Version};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use super::Fixture;
use super::given::{event, exact, history, key, last_version, numbers, template, version};
use crate::store::{Direction, EventStore, Query};

const CASES: u64 = 200;
const OPERATIONS: u64 = 30;
const AGGREGATES: u64 = 4;

/// How many cases run at the same time on the store; each has aggregates and events of its own.
const AT_ONCE: u64 = 16;

/// Random numbers that a seed decides: xorshift64*, good enough to pick operations.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins the numbers of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    ///
    /// # Panics
    ///
    /// When `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len() as u64);
        &from[usize::try_from(at).expect("an index")]
    }
}

/// 200 times 30 operations; a failure says its seed.
pub async fn random_operations_agree_with_a_simple_model<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let store = fixture.store();
        tasks.spawn(async move {
            for seed in (task..CASES).step_by(usize::try_from(AT_ONCE).expect("few")) {
                let case = AssertUnwindSafe(Case::new(seed).run(&*store));
                if let Err(panic) = case.catch_unwind().await {
                    let why = panic.downcast_ref::<String>().map_or("", String::as_str);
                    panic!("seed {seed}: {why}");
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// What should be in the store, and what was asked of it.
struct Case {
    random: Random,
    /// The number of the next new event; those of different cases never meet.
    next: u64,
    keys: Vec<AggregateKey>,
    histories: HashMap<AggregateKey, Vec<NewEvent>>,
    places: HashMap<EventId, (AggregateKey, usize)>,
    asked: Vec<Vec<Append>>,
}

/// What the model says of an append.
#[derive(Debug, PartialEq)]
enum Outcome {
    Committed(Vec<Version>),
    AlreadyCommitted(Vec<Version>),
    Reused,
    Conflict(AggregateKey, Option<Version>, Vec<EventId>),
}

impl Case {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            next: seed * 100_000,
            keys: (0..AGGREGATES)
                .map(|n| key(&format!("case-{seed}-{n}")))
                .collect(),
            histories: HashMap::new(),
            places: HashMap::new(),
            asked: Vec::new(),
        }
    }

    async fn run(mut self, store: &dyn EventStore) {
        for _ in 0..OPERATIONS {
            match self.random.below(10) {
                0..=3 => {
                    let key = self.random.pick(&self.keys).clone();
                    let part = self.new_part(key);
                    self.append(store, vec![part]).await;
                }
                4 => {
                    let mut parts: Vec<_> = self
                        .keys
                        .clone()
                        .into_iter()
                        .map(|key| self.new_part(key))
                        .collect();
                    parts.rotate_left(usize::try_from(self.random.below(AGGREGATES)).expect("few"));
                    parts
                        .truncate(usize::try_from(1 + self.random.below(AGGREGATES)).expect("few"));
                    self.append(store, parts).await;
                }
                5 | 6 if !self.asked.is_empty() => {
                    let again = self.random.pick(&self.asked).clone();
                    self.append(store, again).await;
                }
                7 | 8 if !self.asked.is_empty() => {
                    let again = self.random.pick(&self.asked).clone();
                    let altered = self.altered(again);
                    self.append(store, altered).await;
                }
                _ => self.read(store).await,
            }
        }
        for key in &self.keys {
            let given = self.history(key);
            let recorded = record(key, None, given).expect("a short history");
            assert_eq!(history(store, key).await, recorded);
            assert_eq!(last_version(store, key).await, given.len() as u64);
        }
    }

    fn history(&self, key: &AggregateKey) -> &[NewEvent] {
        self.histories.get(key).map_or(&[], Vec::as_slice)
    }

    fn expectation(&mut self, key: &AggregateKey) -> ExpectedVersion {
        let length = self.history(key).len() as u64;
        match self.random.below(8) {
            0..=2 => ExpectedVersion::Any,
            3..=5 => exact(length),
            6 => ExpectedVersion::NoStream,
            _ => exact(self.random.below(length + 3)),
        }
    }

    fn new_part(&mut self, key: AggregateKey) -> Append {
        let expected = self.expectation(&key);
        let first = self.next;
        self.next += 1 + self.random.below(4);
        Append::new(
            key,
            expected,
            (first..self.next).map(event).collect::<Vec<_>>(),
        )
    }

    /// Something near an append that was asked for before.
    fn altered(&mut self, mut appends: Vec<Append>) -> Vec<Append> {
        let at = usize::try_from(self.random.below(appends.len() as u64)).expect("an index");
        let parts = appends.len();
        let part = &mut appends[at];
        let count = part.events.len();
        match self.random.below(7) {
            0 => part.expected = ExpectedVersion::Any,
            1 => {
                let key = part.aggregate.clone();
                let expected = self.expectation(&key);
                appends[at].expected = expected;
            }
            2 if count > 1 => drop(part.events.remove(0)),
            3 if count > 1 => drop(part.events.pop()),
            4 => part.events.rotate_left(1.min(count - 1)),
            5 => {
                self.next += 1;
                part.events.push(event(self.next - 1));
            }
            6 if parts == 1 => part.aggregate = self.random.pick(&self.keys).clone(),
            _ if parts > 1 => drop(appends.remove(at)),
            _ => part.events[0].body = "[]".into(),
        }
        appends
    }

    async fn append(&mut self, store: &dyn EventStore, appends: Vec<Append>) {
        let expected = self.judge(&appends);
        let answer = store.append_many(appends.clone()).await;
        let found = match &answer {
            Ok(answers) => {
                let versions = answers
                    .iter()
                    .map(|answer| answer.receipt().version)
                    .collect();
                match answers[0] {
                    Appended::Committed(_) => Outcome::Committed(versions),
                    Appended::AlreadyCommitted(_) => Outcome::AlreadyCommitted(versions),
                }
            }
            Err(AppendError::Rejected {
                why: Rejection::EventIdReused { .. },
            }) => Outcome::Reused,
            Err(AppendError::Conflict {
                aggregate,
                actual,
                winners,
                ..
            }) => {
                let winners = winners.iter().map(|winner: &RecordedEvent| winner.event.id);
                Outcome::Conflict(aggregate.clone(), *actual, winners.collect())
            }
            Err(error) => panic!("{error}: {}", shown(&appends)),
        };
        assert_eq!(found, expected, "{}", shown(&appends));
        if let Ok(answers) = answer {
            for (part, answer) in appends.iter().zip(answers) {
                if let Appended::Committed(_) = answer {
                    self.commit(part);
                }
                let place = usize::try_from(answer.receipt().version.get()).expect("short");
                let ours = record(
                    &part.aggregate,
                    None,
                    &self.history(&part.aggregate)[..place],
                );
                let last = ours.expect("a short history").pop().expect("an event");
                assert_eq!(answer.receipt().head, last.cid);
            }
        }
        self.asked.push(appends);
    }

    fn commit(&mut self, part: &Append) {
        let history = self.histories.entry(part.aggregate.clone()).or_default();
        for event in &part.events {
            self.places
                .insert(event.id, (part.aggregate.clone(), history.len()));
            history.push(event.clone());
        }
    }

    fn judge(&self, appends: &[Append]) -> Outcome {
        let last = |place: usize, part: &Append| version((place + part.events.len()) as u64);
        if appends
            .iter()
            .flat_map(|part| &part.events)
            .any(|e| self.places.contains_key(&e.id))
        {
            let found: Option<Vec<_>> = appends
                .iter()
                .map(|part| self.find(part).map(|place| last(place, part)))
                .collect();
            return found.map_or(Outcome::Reused, Outcome::AlreadyCommitted);
        }
        for part in appends {
            let history = self.history(&part.aggregate);
            let met = match part.expected {
                ExpectedVersion::Any => true,
                ExpectedVersion::NoStream => history.is_empty(),
                ExpectedVersion::Exact(version) => history.len() as u64 == version.get(),
            };
            if !met {
                let behind = place_behind(part.expected).unwrap_or(0);
                let winners = history.iter().skip(behind).take(MAX_WINNERS).map(|e| e.id);
                let actual = Version::new(history.len() as u64).ok();
                return Outcome::Conflict(part.aggregate.clone(), actual, winners.collect());
            }
        }
        Outcome::Committed(
            appends
                .iter()
                .map(|part| last(self.history(&part.aggregate).len(), part))
                .collect(),
        )
    }

    /// Where the events of an append stand, if they stand together where they are expected.
    fn find(&self, part: &Append) -> Option<usize> {
        let (aggregate, first) = self.places.get(&part.events[0].id)?;
        let there = self
            .history(aggregate)
            .get(*first..*first + part.events.len())?;
        let fits = *aggregate == part.aggregate
            && place_behind(part.expected).is_none_or(|place| place == *first)
            && there == part.events;
        fits.then_some(*first)
    }

    async fn read(&mut self, store: &dyn EventStore) {
        let key = self.random.pick(&self.keys).clone();
        let from = self.random.below(6);
        let limit = self.random.below(6);
        let backwards = self.random.below(2) == 1;
        let mut expected: Vec<_> = self
            .history(&key)
            .iter()
            .map(|event| event.id)
            .skip(usize::try_from(from).expect("few"))
            .collect();
        let mut query = Query {
            from_version: Some(version(from + 1)),
            ..Query::history(key)
        };
        if backwards {
            expected.reverse();
            query.direction = Direction::Backwards;
        }
        if limit > 0 {
            expected.truncate(usize::try_from(limit).expect("few"));
            query.limit = Some(limit);
        }
        let found = numbers(store, query.verified()).await;
        assert_eq!(
            found.into_iter().map(|n| event(n).id).collect::<Vec<_>>(),
            expected
        );
    }
}

fn shown(appends: &[Append]) -> String {
    let parts = appends.iter().map(|part| {
        let ids: Vec<_> = part.events.iter().map(|event| event.id).collect();
        format!("{} expecting {}: {ids:?}", part.aggregate, part.expected)
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// How many events an expectation counts; `None` for `Any`.
fn place_behind(expected: ExpectedVersion) -> Option<usize> {
    let version = expected.version()?;
    Some(version.map_or(0, |version| usize::try_from(version.get()).expect("short")))
}
