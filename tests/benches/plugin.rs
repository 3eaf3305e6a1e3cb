//! What the border to a plugin costs, columns against lists of records, and what the cache of
//! compiled code saves.
//!
//! `BATCHES` in the environment sets how many batches one run has, 200 by default. Run
//! `cargo xtask plugins` before.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use cim_core::projection::columns;
use cim_core::version::Position;
use cim_host::plugin::{Interruption, Plugin, PluginHandler, PluginOptions};
use cim_host::projector::Handler as _;
use cim_host::store::ReadEvent;
use cim_tests::plugin;
use common::{Events, compare, key, median, time};
use records::exports::cim::records::projection::Event;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

/// The events of a batch, as many as a projector takes at a time.
const BATCH: usize = 512;

#[allow(missing_docs, unreachable_pub, reason = "generated code")]
mod records {
    wasmtime::component::bindgen!({
        path: "guests/records/wit",
        world: "records-plugin",
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

fn main() {
    let batches = std::env::var("BATCHES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200);
    let events = read_events();
    border(&events, batches);
    starts();
}

/// The cost of the border for each event, packing and both calls included.
fn border(events: &[ReadEvent], batches: usize) {
    let records = Records::new(events);
    let mut records = Calls::new(&records);
    for interruption in [Interruption::Epochs, Interruption::Nothing] {
        let mut columns = handler(interruption);
        let mut times = Vec::new();
        compare(
            &format!("border, columns / records ({interruption:?})"),
            ">= 3",
            batches * BATCH,
            |_| {
                let took =
                    time(|| (0..batches).for_each(|turn| call(&mut columns, &events[range(turn)])));
                times.push(took);
                took
            },
            |_| time(|| (0..batches).for_each(|turn| records.call(range(turn)))),
        );
        let each = times.iter().map(|time| per_event(*time, batches));
        println!(
            "a plugin that does nothing ({interruption:?}): {:.0} ns/event at batch {BATCH}",
            median(each)
        );
    }
}

fn per_event(time: Duration, batches: usize) -> f64 {
    time.as_secs_f64() * 1e9 / (batches * BATCH) as f64
}

fn handler(interruption: Interruption) -> PluginHandler {
    let options = PluginOptions {
        cache: None,
        interruption,
        ..PluginOptions::default()
    };
    let plugin = Plugin::load(&plugin("guest-hostile"), &options).expect("a plugin");
    plugin
        .handler(Bytes::from_static(b"nothing"))
        .expect("a handler")
}

/// What the projector calls for a batch.
fn call(handler: &mut PluginHandler, events: &[ReadEvent]) {
    assert_eq!(handler.keys(events).expect("keys"), []);
    assert_eq!(handler.apply(events, &[]).expect("changes"), []);
}

/// Two batches take turns: the handler would know one that it packed before.
fn range(turn: usize) -> Range<usize> {
    let start = turn % 2 * BATCH;
    start..start + BATCH
}

/// Events as owned texts; what crosses borrows from them.
struct Records {
    events: Vec<(ReadEvent, String, Vec<u8>)>,
}

impl Records {
    /// The header blob of each event is made here, not measured.
    fn new(events: &[ReadEvent]) -> Self {
        let pack = |read: &ReadEvent| {
            let batch = columns::Batch::pack([(read.position, &read.event)]).expect("a batch");
            (read.clone(), batch.entities[0].clone(), batch.headers)
        };
        Self {
            events: events.iter().map(pack).collect(),
        }
    }

    fn borrow(&self, batch: Range<usize>) -> Vec<Event<'_>> {
        self.events[batch]
            .iter()
            .map(|(read, entity, headers)| {
                let recorded = &read.event;
                let event = &recorded.event;
                Event {
                    event_type: event.event_type.as_str(),
                    schema_version: u32::try_from(event.schema_version.get()).expect("small"),
                    entity,
                    aggregate_id: recorded.aggregate.id.as_str(),
                    version: recorded.version.get(),
                    position: read.position.get(),
                    time: event.timestamp.micros(),
                    headers,
                    content_type: event.content_type.as_str(),
                    payload: &event.body,
                }
            })
            .collect()
    }
}

/// An instance of the plugin behind record lists.
struct Calls<'a> {
    events: &'a Records,
    store: Store<()>,
    exports: records::RecordsPlugin,
}

impl<'a> Calls<'a> {
    fn new(events: &'a Records) -> Self {
        let mut config = Config::new();
        config.cranelift_nan_canonicalization(true);
        let engine = Engine::new(&config).expect("an engine");
        let file = std::fs::read(plugin("guest-records")).expect("a component");
        let component = Component::from_binary(&engine, &file).expect("a component");
        let mut store = Store::new(&engine, ());
        let linker = Linker::new(&engine);
        let exports = records::RecordsPlugin::instantiate(&mut store, &component, &linker);
        Self {
            events,
            store,
            exports: exports.expect("an instance"),
        }
    }

    fn call(&mut self, batch: Range<usize>) {
        let events = self.events.borrow(batch);
        let projection = self.exports.cim_records_projection();
        let keys = projection.call_keys(&mut self.store, &events);
        assert!(keys.expect("it runs").expect("keys").is_empty());
        let changes = projection.call_apply(&mut self.store, &events, &[]);
        assert!(changes.expect("it runs").expect("changes").is_empty());
    }
}

/// The first start, which compiles, and the second one from the cache.
fn starts() {
    for name in ["activity", "latest", "guest-hostile"] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..5 {
            let cache = tempfile::tempdir().expect("a folder");
            let options = PluginOptions {
                cache: Some(cache.path().to_owned()),
                ..PluginOptions::default()
            };
            for (start, times) in times.iter_mut().enumerate() {
                let took = time(|| {
                    let plugin = Plugin::load(&plugin(name), &options).expect("a plugin");
                    assert_eq!(plugin.was_cached(), start == 1);
                });
                times.push(took.as_secs_f64() * 1e3);
            }
        }
        let [first, second] = times.map(|times| median(times.into_iter()));
        println!("start of {name:<14} first {first:>6.1} ms  cached {second:>5.1} ms  wanted < 20");
    }
}

/// Two batches, of ten aggregates.
fn read_events() -> Vec<ReadEvent> {
    let mut events = Events::default();
    let recorded =
        (0..10).flat_map(|number| events.recorded(&key(number), None, (2 * BATCH).div_ceil(10)));
    recorded
        .take(2 * BATCH)
        .zip(1..)
        .map(|(event, position)| ReadEvent {
            position: Position::new(position).expect("a position"),
            event,
            verified: None,
        })
        .collect()
}
