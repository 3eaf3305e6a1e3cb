//! Accepted commands lead to one state, however it is come by: live, from what a store has kept, from a
//! snapshot at any version on, and compiled to WebAssembly.

#[path = "support/core_module.rs"]
mod core_module;
#[path = "support/drawn.rs"]
mod drawn;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use cim_core::append::Append;
use cim_core::command::Command;
use cim_core::domain::compute::Compute;
use cim_core::domain::model::DomainError as _;
use cim_core::domain::person::Person;
use cim_core::event::RecordedEvent;
use cim_core::history::HistoryFold;
use cim_core::payload::{self, Typed as _};
use cim_core::snapshot::Snapshot;
use cim_core::subject::StoreTemplate;
use cim_core::version::ExpectedVersion;
use cim_host::memory::MemoryStore;
use cim_host::repository::{ExecuteError, LoadedFrom, Repository, SnapshotPolicy};
use cim_host::snapshot::{MemorySnapshots, SnapshotKey, SnapshotStore as _};
use cim_host::sqlite::SqliteStore;
use cim_host::store::{EventStore, Query};
use core_module::CoreModule;
use data_encoding::HEXLOWER;
use drawn::{Answer, Drawn, Life};
use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

#[test]
fn resources_have_one_state() {
    check::<Compute>();
}

#[test]
fn persons_have_one_state() {
    check::<Person>();
}

fn check<M: Drawn>() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let key = SnapshotKey::create(&folder.path().join("key")).expect("a key");
    let module = RefCell::new(CoreModule::load());
    let (events, refused) = (Cell::new(0), Cell::new(0));
    proptest!(ProptestConfig::with_cases(CASES), |(seed: u64, count in 0..40_usize, cut: Index)| {
        let mut life = Life::<M>::begin();
        for payload in M::draw(seed, count) {
            life.take(life.next(payload));
        }
        runtime.block_on(check_stores(&life, &key));
        check_snapshots(&life);
        check_module(&mut module.borrow_mut(), &life, cut);
        events.set(events.get() + life.history().len());
        let not_done = life.answers.iter().filter(|it| matches!(it, Answer::Refused(..)));
        refused.set(refused.get() + not_done.count());
    });
    // A generator whose commands were all refused, or none, would prove little.
    assert!(events.get() > 5 * CASES as usize, "{events:?}");
    assert!(refused.get() > CASES as usize, "{refused:?}");
}

/// A repository decides the same, and loads the same state from the events that a store has kept, from the
/// first one or from the state at any version on.
async fn check_stores<M: Drawn>(life: &Life<M>, key: &SnapshotKey) {
    let memory = Arc::new(MemoryStore::new(StoreTemplate::default()));
    let namespace = &life.aggregate.namespace;
    let repository = Repository::<M>::new(memory.clone(), namespace.clone());
    for (command, answer) in life.commands.iter().zip(&life.answers) {
        let found = repository
            .execute_command(&life.aggregate.id, command.clone())
            .await;
        match (answer, found) {
            (Answer::Events(events), Ok(executed)) => assert_eq!(&executed.events, events),
            (Answer::Refused(code, _), Err(ExecuteError::Refused(refusal))) => {
                assert_eq!(refusal.code(), *code);
            }
            (_, found) => panic!("{answer:?}, but in a repository {found:?}"),
        }
    }
    check_loaded(&repository, life).await;
    check_store(memory, life, key).await;

    let folder = tempfile::tempdir().expect("a folder");
    let template = StoreTemplate::default();
    let sqlite = SqliteStore::create(&folder.path().join("cim.db"), template).expect("a store");
    let events: Vec<_> = life.history().into_iter().map(|it| it.event).collect();
    if !events.is_empty() {
        let append = Append::new(life.aggregate.clone(), ExpectedVersion::NoStream, events);
        sqlite.append(append).await.expect("there is nothing yet");
    }
    let sqlite = Arc::new(sqlite);
    check_store(sqlite.clone(), life, key).await;
    sqlite.close().await.expect("it closes");
}

async fn check_store<M: Drawn>(store: Arc<dyn EventStore>, life: &Life<M>, key: &SnapshotKey) {
    let query = Query::history(life.aggregate.clone()).verified();
    let read: Vec<_> = store
        .read(query)
        .try_collect()
        .await
        .expect("a sound history");
    let history: Vec<RecordedEvent> = read.into_iter().map(|it| it.event).collect();
    assert_eq!(history, life.history());

    let fresh = || Repository::<M>::new(store.clone(), life.aggregate.namespace.clone());
    assert_eq!(check_loaded(&fresh(), life).await, LoadedFrom::Genesis);

    let mut fold = HistoryFold::<M>::new();
    for event in &history {
        fold.push(event).expect("it continues");
        let snapshot = Snapshot {
            store_id: store.info().store_id,
            aggregate: life.aggregate.clone(),
            head: event.head(),
            state_version: M::STATE_VERSION,
            taken_at: event.event.timestamp,
            state: serde_json::to_vec(fold.state())
                .expect("a state is JSON")
                .into(),
        };
        let snapshots = MemorySnapshots::default();
        let sealed = snapshot.seal(key.expose());
        let saved = snapshots.save(&life.aggregate, event.version, sealed).await;
        saved.expect("there is memory");
        let policy = SnapshotPolicy::default();
        let repository = fresh().with_snapshots(Arc::new(snapshots), key.clone(), policy);
        let from = check_loaded(&repository, life).await;
        assert_eq!(from, LoadedFrom::Snapshot(event.version));
    }
}

async fn check_loaded<M: Drawn>(repository: &Repository<M>, life: &Life<M>) -> LoadedFrom {
    let loaded = repository
        .load(&life.aggregate.id)
        .await
        .expect("a sound history");
    assert_eq!((&*loaded.state, loaded.head), (&life.state, life.head()));
    loaded.from
}

/// The state at each version, written and read, leads on to the same state.
fn check_snapshots<M: Drawn>(life: &Life<M>) {
    let history = life.history();
    let mut fold = HistoryFold::<M>::new();
    for (version, event) in history.iter().enumerate() {
        fold.push(event).expect("it continues");
        let state = serde_json::to_string(fold.state()).expect("a state is JSON");
        let (aggregate, head) = (life.aggregate.clone(), event.head());
        let restored = HistoryFold::<M>::restore(aggregate, head, M::STATE_VERSION, &state);
        let restored = restored.expect("its own state");
        assert_eq!(restored.state(), fold.state());
        let restored = folded(restored, &history[version + 1..]);
        assert_eq!(restored.state(), &life.state);
    }
}

/// The same in WebAssembly: live, from the stored events, and from the state at a version on.
fn check_module<M: Drawn>(module: &mut CoreModule, life: &Life<M>, cut: Index) {
    let state = serde_json::to_string(&life.state).expect("a state is JSON");
    let history = life.history();
    let commands: Vec<Value> = life.commands.iter().map(command_json).collect();
    let answers: Vec<Value> = life.answers.iter().map(answer_json).collect();
    let live = ask(module, life, &Value::Null, &[], &commands);
    assert_eq!(live, json!({ "state": state, "answers": answers }));

    let stored = ask(module, life, &Value::Null, &history, &[]);
    assert_eq!(stored, json!({ "state": state, "answers": [] }));

    let (before, after) = history.split_at(cut.index(history.len() + 1));
    let fold = folded::<M>(HistoryFold::new(), before);
    let snapshot = fold.head().map_or(Value::Null, |head| {
        let state = serde_json::to_string(fold.state()).expect("a state is JSON");
        let head = json!({ "version": head.version.get(), "cid": head.cid.to_string() });
        json!({ "head": head, "state": state })
    });
    let resumed = ask(module, life, &snapshot, after, &[]);
    assert_eq!(resumed, json!({ "state": state, "answers": [] }));
}

fn ask<M: Drawn>(
    module: &mut CoreModule,
    life: &Life<M>,
    snapshot: &Value,
    events: &[RecordedEvent],
    commands: &[Value],
) -> Value {
    let asked = json!({
        "entity": M::Event::ENTITY,
        "aggregate": life.aggregate.to_string(),
        "template": StoreTemplate::default(),
        "snapshot": snapshot,
        "events": events.iter().map(message_json).collect::<Vec<_>>(),
        "commands": commands,
    });
    let answer = module.call("models", &asked.to_string());
    serde_json::from_str(&answer).expect("an answer is JSON")
}

fn command_json<C: payload::Typed>(command: &Command<C>) -> Value {
    let (name, body) = payload::encode(&command.payload);
    json!({
        "type": name.as_str(),
        "data": str::from_utf8(&body).expect("JSON is text"),
        "id": command.id.to_string(),
        "timestamp": command.timestamp.to_string(),
        "source": command.source.as_str(),
    })
}

fn answer_json(answer: &Answer) -> Value {
    match answer {
        Answer::Events(events) => events.iter().map(message_json).collect(),
        Answer::Refused(code, message) => json!({ "code": code, "message": message }),
    }
}

fn message_json(event: &RecordedEvent) -> Value {
    let message = event.encode(&StoreTemplate::default()).expect("it fits");
    json!({
        "subject": message.subject,
        "headers": message.headers,
        "body_hex": HEXLOWER.encode(&message.body),
    })
}

fn folded<M: Drawn>(mut fold: HistoryFold<M>, events: &[RecordedEvent]) -> HistoryFold<M> {
    for event in events {
        fold.push(event).expect("it continues");
    }
    fold
}

const CASES: u32 = 64;
