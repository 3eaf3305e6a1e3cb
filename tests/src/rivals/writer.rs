//! One writer of a race.

use std::sync::Arc;
use std::time::Instant;

use cim_core::append::{Append, AppendError};
use cim_core::event::NewEvent;
use cim_core::id::AggregateKey;
use cim_core::version::{ExpectedVersion, Head, Version};
use cim_host::store::EventStore;

use super::{PATIENCE, Race};
use crate::linear::{Answer, Call, Operation, Part};
use crate::random::Random;
use crate::work;

/// A writer's own store, and those of all.
type Stores = (Arc<dyn EventStore>, Vec<Arc<dyn EventStore>>);

struct Writer {
    race: Arc<Race>,
    number: u64,
    random: Random,
    stores: Stores,
    /// The last appends that were acknowledged.
    acknowledged: Vec<Vec<Append>>,
}

/// How many appends a writer remembers.
const REMEMBERED: usize = 50;

/// Works until the race is over.
pub(super) async fn write(race: Arc<Race>, number: u64, random: Random, stores: Stores) {
    let mut writer = Writer {
        race,
        number,
        random,
        stores,
        acknowledged: Vec::new(),
    };
    while writer.race.begin() {
        let appends = writer.draw().await;
        writer.append(appends).await;
        let most = u64::try_from(writer.race.plan.pause.as_micros()).expect("short");
        let pause = writer.random.below(most + 1);
        tokio::time::sleep(std::time::Duration::from_micros(pause)).await;
    }
}

impl Writer {
    async fn draw(&mut self) -> Vec<Append> {
        let chance = self.random.below(100);
        if let (0..6, Some(appends)) = (chance, self.remembered()) {
            return match chance {
                // The same again.
                0..3 => appends,
                // An id that is used, with others for another aggregate.
                3 => {
                    let event = appends[0].events[0].clone();
                    let mut events = self.events(1);
                    events.push(event);
                    let key = self.key();
                    vec![Append::new(key, ExpectedVersion::Any, events)]
                }
                // The same ids with more behind them.
                4 => {
                    let mut appends = appends;
                    let more = self.events(1);
                    appends[0].events.extend(more);
                    appends
                }
                // The same events for another place.
                _ => {
                    let mut append = appends[0].clone();
                    append.expected = exact(1_000_000);
                    vec![append]
                }
            };
        }
        match self.random.below(10) {
            0..6 => vec![self.part(1).await],
            6..8 => {
                let count = self.random.between(2, 10);
                vec![self.part(count).await]
            }
            _ => {
                let mut keys: Vec<_> = (0..self.race.plan.aggregates).collect();
                self.random.shuffle(&mut keys);
                let count = self.random.between(2, 4);
                let mut parts = Vec::new();
                for number in keys.into_iter().take(usize::try_from(count).expect("few")) {
                    let count = self.random.between(1, 3);
                    parts.push(self.part_of(work::key(number), count).await);
                }
                parts
            }
        }
    }

    fn remembered(&mut self) -> Option<Vec<Append>> {
        let count = self.acknowledged.len() as u64;
        let at = self.random.below(count.max(1));
        self.acknowledged
            .get(usize::try_from(at).expect("few"))
            .cloned()
    }

    fn key(&mut self) -> AggregateKey {
        work::key(self.random.below(self.race.plan.aggregates))
    }

    fn events(&mut self, count: u64) -> Vec<NewEvent> {
        let mut event = || {
            let size = self.random.below(300);
            work::event(&mut self.random, size)
        };
        (0..count).map(|_| event()).collect()
    }

    async fn part(&mut self, count: u64) -> Append {
        let key = self.key();
        self.part_of(key, count).await
    }

    async fn part_of(&mut self, key: AggregateKey, count: u64) -> Append {
        let expected = match self.random.below(40) {
            0..16 => ExpectedVersion::Any,
            16 => ExpectedVersion::NoStream,
            chance => {
                let head = self.look(&key).await;
                let version = head.map_or(0, |head| head.version.get());
                exact(match chance {
                    // Old, or not yet there.
                    17 => version.saturating_sub(2),
                    18 => version + 2,
                    _ => version,
                })
            }
        };
        let events = self.events(count);
        Append::new(key, expected, events)
    }

    /// Looks at a head, again while the store cannot tell.
    async fn look(&self, aggregate: &AggregateKey) -> Option<Head> {
        let started = Instant::now();
        loop {
            let begun = self.race.log().now();
            match self.stores.0.head(aggregate).await {
                Ok(found) => {
                    let aggregate = aggregate.clone();
                    self.record(begun, Call::Head { aggregate, found });
                    return found;
                }
                Err(error) => {
                    let number = self.number;
                    self.race
                        .log()
                        .note(format_args!("client {number}: no head: {error:?}"));
                    assert!(started.elapsed() < PATIENCE, "no head for long: {error:?}");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Appends, and appends again while the outcome is unknown, then also through another server.
    async fn append(&mut self, appends: Vec<Append>) {
        let parts: Vec<Part> = appends.iter().map(Part::from).collect();
        let started = Instant::now();
        let mut store = Arc::clone(&self.stores.0);
        let mut begun = self.race.log().now();
        let mut answer = store.append_many(appends.clone()).await;
        loop {
            let parts = parts.clone();
            let answered = Answer::from(&answer);
            self.record(
                begun,
                Call::Append {
                    parts,
                    answer: answered,
                },
            );
            let Err(AppendError::Unknown { retry_token, cause }) = answer else {
                break;
            };
            let number = self.number;
            self.race
                .log()
                .note(format_args!("client {number}: unknown: {cause:?}"));
            // Without a cause it lost every race, which on a slow machine it may do to the end.
            let patience = if cause.is_some() {
                PATIENCE
            } else {
                5 * PATIENCE
            };
            assert!(started.elapsed() < patience, "unknown for long: {cause:?}");
            if self.random.below(2) == 0 {
                let other = self.random.below(self.stores.1.len() as u64);
                store = Arc::clone(&self.stores.1[usize::try_from(other).expect("few")]);
            }
            begun = self.race.log().now();
            answer = store.append_again(retry_token).await;
        }
        match answer {
            Ok(_) => {
                if self.acknowledged.len() == REMEMBERED {
                    let at = self.random.below(REMEMBERED as u64);
                    self.acknowledged
                        .swap_remove(usize::try_from(at).expect("few"));
                }
                self.acknowledged.push(appends);
            }
            Err(AppendError::Conflict { .. } | AppendError::Rejected { .. }) => {}
            Err(error) => panic!("expected a sound store, found {error:?}"),
        }
    }

    fn record(&self, begun: u64, call: Call) {
        self.race.record(Operation {
            client: self.number,
            begun,
            ended: self.race.log().now(),
            call,
        });
    }
}

fn exact(version: u64) -> ExpectedVersion {
    Version::new(version).map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact)
}
