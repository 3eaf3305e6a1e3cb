//! A stream of a million events against one of ten thousand: what the head and the load of one
//! aggregate cost, what the index costs, and how much memory the server takes.
//!
//! Ten events to an aggregate, spread over the whole stream. `CIM_BENCH_EVENTS` sets the events of
//! the large stream (1 000 000).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::Append;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::clock;
use cim_host::jetstream::JetStreamStore;
use cim_host::store::{EventStore as _, Query};
use cim_tests::nats::{NatsServer, ServerOptions, make_store, new_stream, open_store};
use common::{Events, compare, key, time};
use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The events of an aggregate.
const LENGTH: usize = 10;

/// The appends of one step, and the aggregates that are asked for in one measurement.
const STEP: usize = 1000;
const ASKED: usize = 200;
const FEW: usize = 10;

const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;

fn main() {
    let events = match std::env::var("CIM_BENCH_EVENTS") {
        Ok(text) => text.parse().expect("a number of events"),
        Err(_) => LARGE,
    };
    let runtime = Runtime::new().expect("a runtime");
    let small = Stream::new(&runtime, SMALL);
    let large = Stream::new(&runtime, events);
    println!(
        "{} events of {} aggregates against {SMALL} events of {}, one server each",
        large.aggregates * LENGTH,
        large.aggregates,
        small.aggregates
    );
    compare(
        "head of one aggregate: large / small stream",
        "time ≤ 2",
        ASKED,
        |pair| large.heads(pair),
        |pair| small.heads(pair),
    );
    for stream in [&small, &large] {
        stream.index();
    }
    compare(
        "load of one aggregate, verified: large / small",
        "time ≤ 2",
        ASKED,
        |pair| large.loads(pair, "index", ASKED),
        |pair| small.loads(pair, "index", ASKED),
    );
    compare(
        "the same without an index",
        "(told only)",
        FEW,
        |pair| large.loads(pair, &format!("none-{pair}"), FEW),
        |pair| small.loads(pair, &format!("none-{pair}"), FEW),
    );
}

/// A store on a server of its own.
struct Stream<'a> {
    runtime: &'a Runtime,
    server: NatsServer,
    folder: TempDir,
    aggregates: usize,
}

impl<'a> Stream<'a> {
    /// Fills it in rounds, each with one event of every aggregate.
    fn new(runtime: &'a Runtime, events: usize) -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let folder = tempfile::tempdir().expect("a folder");
        let aggregates = (events / LENGTH).next_multiple_of(STEP);
        let took = time(|| {
            let stream = new_stream(1);
            let store = runtime.block_on(make_store(
                &server.url(),
                &stream,
                &folder.path().join("fill"),
            ));
            let mut source = Events::default();
            for round in 0..LENGTH as u64 {
                for step in 0..aggregates / STEP {
                    let appends = (0..STEP).map(|at| {
                        let expected = Version::new(round)
                            .map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact);
                        let mut event = source.next(None);
                        event.id = clock::event_id();
                        event.correlation = *event.id.as_uuid();
                        Append::new(key(step * STEP + at), expected, vec![event])
                    });
                    runtime
                        .block_on(store.append_many(appends.collect()))
                        .expect("committed");
                }
            }
        });
        println!(
            "filled with {} events in {:.1} s",
            aggregates * LENGTH,
            took.as_secs_f64()
        );
        Self {
            runtime,
            server,
            folder,
            aggregates,
        }
    }

    fn open(&self, index: &Path) -> Arc<JetStreamStore> {
        self.runtime.block_on(open_store(&self.server.url(), index))
    }

    /// Aggregates that are spread over all, others for each pair.
    fn asked(&self, pair: usize) -> impl Iterator<Item = usize> {
        let count = self.aggregates;
        (0..ASKED).map(move |at| (at * 7919 + pair * 131) % count)
    }

    fn heads(&self, pair: usize) -> Duration {
        let store = self.open(&self.folder.path().join("heads"));
        time(|| {
            self.runtime.block_on(async {
                for number in self.asked(pair) {
                    let head = store.head(&key(number)).await.expect("an answer");
                    assert_eq!(head.map(|head| head.version.get()), Some(LENGTH as u64));
                }
            });
        })
    }

    fn loads(&self, pair: usize, index: &str, count: usize) -> Duration {
        let store = self.open(&self.folder.path().join(index));
        time(|| {
            self.runtime.block_on(async {
                for number in self.asked(pair).take(count) {
                    let read = store.read(Query::history(key(number)).verified());
                    assert_eq!(read.count().await, LENGTH);
                }
            });
        })
    }

    /// The first build of the index, and a later start with it.
    fn index(&self) {
        let folder = self.folder.path().join("index");
        for name in ["first build of the index", "later start"] {
            let took = time(|| {
                let store = self.open(&folder);
                let stats = self.runtime.block_on(store.stats()).expect("an answer");
                assert_eq!(stats.events, (self.aggregates * LENGTH) as u64);
            });
            println!(
                "{} events: {name} {:.2} s, until all is answered",
                self.aggregates * LENGTH,
                took.as_secs_f64()
            );
        }
        println!(
            "{} events: server memory {} MiB",
            self.aggregates * LENGTH,
            self.server.memory() >> 20
        );
    }
}
