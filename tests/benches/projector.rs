//! A projector end to end against draining the same subscription, which reads, decodes and verifies
//! the same events.
//!
//! `EVENTS` in the environment sets the size of the store, 200 000 by default.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cim_activity::Activity;
use cim_core::append::Append;
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault, Limits, Name};
use cim_core::version::{ExpectedVersion, Position};
use cim_host::plugin::{Interruption, Plugin, PluginOptions};
use cim_host::projector::{CallError, Handler, Projector, ProjectorOptions, Until};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_host::store::{Delivery, EventStore, ReadEvent};
use cim_plugin::bindings::cim::plugin::types::Batch;
use cim_plugin::guest;
use cim_plugin::test::{Native, columns};
use common::{Events, compare, key, time};
use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let count = std::env::var("EVENTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200_000);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cim.db");
    let store = fill(&runtime, &path, count);
    println!("projectors, median of {} interleaved pairs", common::PAIRS);
    plugins(&runtime, &store, folder.path(), count);
    for (what, puts, wanted) in [
        ("a handler that does nothing", false, "≥ 0.60"),
        ("a handler that puts each event", true, "(told only)"),
    ] {
        for (place, file) in [("another file", "read.db"), ("the store's file", "cim.db")] {
            let read_model = folder.path().join(file);
            compare(
                &format!("{what}, into {place} / draining"),
                wanted,
                count,
                |_| {
                    let handler = Box::new(Simple::new(puts));
                    time(|| project(&runtime, &store, &read_model, handler, count))
                },
                |_| time(|| drain(&runtime, &store, count)),
            );
        }
    }
}

/// Plugins in their sandbox: one that does nothing against draining, and `activity` against the
/// same code, run natively by the same engine.
fn plugins(runtime: &Runtime, store: &Arc<dyn EventStore>, folder: &Path, count: usize) {
    let load = |name: &str, interruption| {
        let options = PluginOptions {
            interruption,
            ..PluginOptions::default()
        };
        Plugin::load(&cim_tests::plugin(name), &options).expect("a plugin")
    };
    let read_model = folder.join("plugins.db");
    let run =
        |handler: Box<dyn Handler>| time(|| project(runtime, store, &read_model, handler, count));
    let nothing = load("guest-hostile", Interruption::Epochs);
    compare(
        "a plugin that does nothing / draining",
        "≥ 0.60",
        count,
        |_| {
            run(Box::new(
                nothing.handler("nothing".into()).expect("a handler"),
            ))
        },
        |_| time(|| drain(runtime, store, count)),
    );
    for (interruption, wanted) in [
        (Interruption::Epochs, "≥ 0.40"),
        (Interruption::Nothing, "(told only)"),
    ] {
        let activity = load("activity", interruption);
        compare(
            &format!("activity in a plugin, {interruption:?} / natively"),
            wanted,
            count,
            |_| run(Box::new(activity.handler(Bytes::new()).expect("a handler"))),
            |_| run(Box::new(NativeActivity::new())),
        );
    }
}

/// `activity` as a native handler that does what the sandbox does, but for crossing the border:
/// columns are packed once for a batch, and the engine checks the answers.
struct NativeActivity {
    activity: Activity,
    descriptor: Descriptor,
    limits: Limits,
    /// The last batch, and the position of its first event.
    packed: Option<(Position, Batch)>,
}

impl NativeActivity {
    fn new() -> Self {
        let native = Native::<Activity>::new(b"").expect("an instance");
        Self {
            activity: Activity,
            descriptor: native.descriptor().clone(),
            limits: Limits::default(),
            packed: None,
        }
    }

    /// The columns of these events, for a call of `activity`.
    fn with<R>(
        &mut self,
        events: &[ReadEvent],
        call: impl FnOnce(&Activity, &Batch) -> R,
    ) -> Result<R, Fault> {
        let first = events[0].position;
        let batch = match self.packed.take() {
            Some((packed, batch)) if packed == first && batch.type_of.len() == events.len() => {
                batch
            }
            _ => columns::pack(events.iter().map(|read| (read.position, &read.event)))?,
        };
        let answer = call(&self.activity, &batch);
        self.packed = Some((first, batch));
        Ok(answer)
    }
}

impl Handler for NativeActivity {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn identity(&self) -> &str {
        "native"
    }

    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        let keys = self.with(events, guest::keys)?;
        Ok(columns::unpack_keys(
            keys.expect("sound events"),
            &self.limits,
        )?)
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        let read = columns::pack_documents(documents, &self.limits)?;
        let apply = |activity: &Activity, batch: &Batch| guest::apply(activity, batch, read);
        let changes = self.with(events, apply)?.expect("sound events");
        Ok(columns::unpack_changes(changes, &self.limits)?)
    }
}

fn fill(runtime: &Runtime, path: &Path, count: usize) -> Arc<dyn EventStore> {
    let store = SqliteStore::create(path, Default::default()).expect("a store");
    let mut events = Events::default();
    runtime.block_on(async {
        for number in 0..count / 1000 {
            let batch = events.take(1000);
            let append = Append::new(key(number), ExpectedVersion::NoStream, batch);
            store.append(append).await.expect("committed");
        }
    });
    Arc::new(store)
}

fn drain(runtime: &Runtime, store: &Arc<dyn EventStore>, count: usize) {
    let mut deliveries = store.subscribe(None, None);
    let drained = runtime.block_on(async move {
        tokio::spawn(async move {
            let mut drained = 0;
            loop {
                match deliveries.next().await.expect("a delivery").expect("sound") {
                    Delivery::CaughtUp => return drained,
                    delivery => {
                        std::hint::black_box(delivery);
                        drained += 1;
                    }
                }
            }
        })
        .await
        .expect("no panic")
    });
    assert_eq!(drained, count);
}

fn project(
    runtime: &Runtime,
    store: &Arc<dyn EventStore>,
    read_model: &Path,
    handler: Box<dyn Handler>,
    count: usize,
) {
    let read_model = ReadModel::open_or_create(read_model).expect("a read model");
    let options = ProjectorOptions {
        start: cim_host::projector::Start::Restart,
        ..ProjectorOptions::default()
    };
    let projector = Projector::new(Arc::clone(store), handler, read_model, options);
    let ended = runtime.block_on(projector.run(Until::CaughtUp));
    assert_eq!(ended.expect("caught up").events, count as u64);
}

/// Does nothing, or puts the payload of each event as a document of its aggregate.
struct Simple {
    descriptor: Descriptor,
    puts: bool,
}

impl Simple {
    fn new(puts: bool) -> Self {
        let name = |text| Name::new(text).expect("a name");
        let descriptor = Descriptor {
            name: name("simple"),
            version: "1".to_owned(),
            event_types: Vec::new(),
            collections: vec![name("payloads")],
        };
        Self { descriptor, puts }
    }
}

impl Handler for Simple {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn identity(&self) -> &str {
        "simple-1"
    }

    fn keys(&mut self, _: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        Ok(Vec::new())
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        _: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        let put = |event: &ReadEvent| Change::Put {
            key: DocumentKey {
                collection: self.descriptor.collections[0].clone(),
                key: event.event.aggregate.id.as_str().into(),
            },
            document: event.event.event.body.clone(),
        };
        Ok(match self.puts {
            true => events.iter().map(put).collect(),
            false => Vec::new(),
        })
    }
}
