//! What snapshots change: time, and nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use cim_core::cid::Cid;
use cim_core::snapshot::Snapshot;
use cim_core::version::Head;
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::*;
use crate::snapshot::{MemorySnapshots, SnapshotEntry, SnapshotStoreError};

const KEY: [u8; 32] = [7; 32];

/// Snapshots after each so many events.
fn every(events: u64) -> SnapshotPolicy {
    SnapshotPolicy {
        every_events: Some(events),
        ..SnapshotPolicy::default()
    }
}

/// Another program with the same store and snapshots.
fn with(
    tallies: &Repository<Tally>,
    snapshots: &MemorySnapshots,
    policy: SnapshotPolicy,
) -> Repository<Tally> {
    other(tallies).with_snapshots(Arc::new(snapshots.clone()), KEY.into(), policy)
}

/// A policy that never says so.
const NEVER: SnapshotPolicy = SnapshotPolicy {
    every_events: None,
    max_age: None,
    load_time: None,
};

async fn counted(tallies: &Repository<Tally>, name: &str, words: u64) {
    for _ in 0..words {
        let asked = tallies.execute(&id(name), Ask::Count(vec!["a"])).await;
        asked.expect("counted");
        tallies.settle().await;
    }
}

async fn versions(snapshots: &dyn SnapshotStore) -> Vec<(String, u64)> {
    let entries: Vec<_> = snapshots.list().try_collect().await.expect("listed");
    let entry = |entry: &SnapshotEntry| (entry.aggregate.id.to_string(), entry.version.get());
    entries.iter().map(entry).collect()
}

async fn opened(snapshots: &MemorySnapshots, key: &AggregateKey) -> Snapshot {
    let sealed = snapshots
        .load(key)
        .await
        .expect("an answer")
        .expect("there");
    Snapshot::open(&sealed, &KEY).expect("sealed by us")
}

#[tokio::test]
async fn a_snapshot_is_taken_after_so_many_events_and_saves_folding_them() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    let tallies = with(&plain, &snapshots, every(10));
    counted(&tallies, "t", 9).await;
    assert_eq!(versions(&snapshots).await, []);
    counted(&tallies, "t", 16).await;
    assert_eq!(versions(&snapshots).await, [("t".to_owned(), 20)]);
    assert_eq!(tallies.stats().snapshots_taken, 2);

    let loader = with(&plain, &snapshots, NEVER);
    let loaded = loader.load(&id("t")).await.expect("loaded");
    assert_eq!(
        (loaded.from, loaded.events_folded),
        (LoadedFrom::Snapshot(version(20)), 5)
    );
    assert_eq!(count(&loaded.state, "a"), 25);
    assert_eq!(loaded.reports, []);
    assert_eq!(loader.stats().snapshots_used, 1);

    // What was loaded from a snapshot is followed by the next one.
    let tallies = with(&plain, &snapshots, every(10));
    counted(&tallies, "t", 5).await;
    assert_eq!(versions(&snapshots).await, [("t".to_owned(), 30)]);
}

#[tokio::test]
async fn a_load_takes_a_snapshot_too() {
    let (_, plain) = tallies();
    counted(&plain, "t", 12).await;
    let snapshots = MemorySnapshots::default();
    for (policy, taken) in [
        (every(13), None),
        (every(12), Some(12)),
        (
            SnapshotPolicy {
                load_time: Some(Duration::from_secs(60)),
                ..NEVER
            },
            None,
        ),
        (
            SnapshotPolicy {
                load_time: Some(Duration::from_nanos(1)),
                ..NEVER
            },
            Some(12),
        ),
        (
            SnapshotPolicy {
                max_age: Some(Duration::from_secs(60)),
                ..NEVER
            },
            Some(12),
        ),
    ] {
        snapshots.delete_all().await.expect("deleted");
        let tallies = with(&plain, &snapshots, policy);
        tallies.load(&id("t")).await.expect("loaded");
        tallies.settle().await;
        let found = versions(&snapshots).await;
        assert_eq!(
            found.first().map(|(_, version)| *version),
            taken,
            "{policy:?}"
        );
    }
}

#[tokio::test]
async fn an_old_snapshot_is_replaced_when_something_came_since() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    let policy = SnapshotPolicy {
        max_age: Some(Duration::from_secs(3600)),
        ..NEVER
    };
    let tallies = with(&plain, &snapshots, policy);
    counted(&tallies, "t", 2).await;
    assert_eq!(versions(&snapshots).await, [("t".to_owned(), 1)]);
    let old = Snapshot {
        taken_at: Timestamp::from_micros(clock::now().micros() - 3_600_000_000).expect("a time"),
        ..opened(&snapshots, &plain.key(&id("t"))).await
    };
    let key = &plain.key(&id("t"));
    snapshots
        .save(key, version(1), old.seal(&KEY))
        .await
        .expect("saved");
    let tallies = with(&plain, &snapshots, policy);
    tallies.load(&id("t")).await.expect("loaded");
    tallies.settle().await;
    assert_eq!(versions(&snapshots).await, [("t".to_owned(), 2)]);
    tallies.load(&id("t")).await.expect("loaded");
    tallies.settle().await;
    assert_eq!(tallies.stats().snapshots_taken, 1, "nothing came since");
}

#[tokio::test]
async fn what_was_altered_or_copied_is_not_used() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    counted(&with(&plain, &snapshots, every(10)), "t", 10).await;
    counted(&with(&plain, &snapshots, every(10)), "u", 10).await;
    counted(&plain, "t", 5).await;
    let (_, elsewhere) = tallies_elsewhere().await;
    let key = plain.key(&id("t"));
    let good = opened(&snapshots, &key).await;
    let history = plain.load(&id("t")).await.expect("loaded");

    // Each part altered by somebody who has not the key, and who puts the old seal on it.
    let another = Cid::of_block(b"another event");
    let altered = [
        Snapshot {
            state: Bytes::from_static(br#"{"words":{"a":99},"is_closed":false}"#),
            ..good.clone()
        },
        Snapshot {
            head: Head {
                cid: another,
                ..good.head
            },
            ..good.clone()
        },
        Snapshot {
            head: Head {
                version: version(9),
                ..good.head
            },
            ..good.clone()
        },
        Snapshot {
            state_version: 0,
            ..good.clone()
        },
        Snapshot {
            aggregate: plain.key(&id("u")),
            ..good.clone()
        },
        Snapshot {
            store_id: elsewhere.store_id,
            ..good.clone()
        },
    ];
    let old_seal = |sealed: Bytes| -> Bytes {
        let good = good.seal(&KEY);
        [&sealed[..sealed.len() - 32], &good[good.len() - 32..]]
            .concat()
            .into()
    };
    let mut cases: Vec<(Bytes, &str)> = Vec::new();
    for altered in &altered {
        cases.push((old_seal(altered.seal(&KEY)), "snapshot-forged"));
        cases.push((altered.seal(&[8; 32]), "snapshot-forged"));
    }
    // And with the right key, where the state is all that nobody can tell.
    let codes = [
        "snapshot-of-another-history",
        "snapshot-of-another-history",
        "snapshot-state-version",
        "snapshot-of-another-aggregate",
        "snapshot-of-another-store",
    ];
    cases.extend(
        altered[1..]
            .iter()
            .map(|altered| altered.seal(&KEY))
            .zip(codes),
    );
    // Beyond the end of the history; without a state; copied; cut; nothing.
    let beyond = Snapshot {
        head: Head {
            version: version(16),
            ..good.head
        },
        ..good.clone()
    };
    cases.push((beyond.seal(&KEY), "snapshot-of-another-history"));
    let empty = Snapshot {
        state: Bytes::from_static(b"{}"),
        ..good.clone()
    };
    cases.push((empty.seal(&KEY), "snapshot-state-invalid"));
    let copied = opened(&snapshots, &plain.key(&id("u"))).await;
    cases.push((copied.seal(&KEY), "snapshot-of-another-aggregate"));
    cases.push((elsewhere.seal(&KEY), "snapshot-of-another-store"));
    cases.push((good.seal(&KEY).slice(..100), "snapshot-unreadable"));
    cases.push((Bytes::new(), "snapshot-unreadable"));

    for (sealed, code) in cases {
        snapshots.delete(&key).await.expect("deleted");
        snapshots
            .save(&key, version(100), sealed)
            .await
            .expect("saved");
        let tallies = with(&plain, &snapshots, NEVER);
        for _ in 0..2 {
            let loaded = other_cache(&tallies).load(&id("t")).await;
            let loaded = loaded.expect("loaded");
            assert_eq!(
                (loaded.from, &loaded.state),
                (LoadedFrom::Genesis, &history.state)
            );
            let codes: Vec<_> = loaded.reports.iter().map(|report| report.code).collect();
            assert_eq!(codes, [code]);
        }
        let stats = tallies.stats();
        assert_eq!((stats.snapshots_refused, stats.snapshots_used), (2, 0));
        let reports = tallies.snapshot_reports();
        assert_eq!(reports.len(), 2);
        assert_eq!((&reports[0].aggregate, reports[0].code), (&key, code));
        // The next one takes its place, whatever version it was kept under.
        let tallies = with(&plain, &snapshots, every(10));
        tallies.load(&id("t")).await.expect("loaded");
        tallies.settle().await;
        assert_eq!(
            opened(&snapshots, &key).await.head.version,
            version(15),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_snapshot_of_a_later_program_is_left_to_it() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    counted(&with(&plain, &snapshots, every(10)), "t", 10).await;
    let key = plain.key(&id("t"));
    let good = opened(&snapshots, &key).await;
    let shape = Snapshot {
        state_version: 2,
        ..good.clone()
    };
    let mut format = good.seal(&KEY).to_vec();
    format[7] += 1;
    for (sealed, code) in [
        (shape.seal(&KEY), "snapshot-state-version"),
        (format.into(), "snapshot-newer"),
    ] {
        snapshots.delete(&key).await.expect("deleted");
        let kept = async || snapshots.load(&key).await.expect("an answer");
        // It is there when the aggregate is loaded, or comes while that is kept.
        for comes_later in [false, true] {
            let tallies = with(&plain, &snapshots, every(10));
            if comes_later {
                tallies.load(&id("t")).await.expect("loaded");
                tallies.settle().await;
            }
            snapshots.delete(&key).await.expect("deleted");
            snapshots
                .save(&key, version(10), sealed.clone())
                .await
                .expect("saved");
            counted(&tallies, "t", 20).await;
            assert_eq!(kept().await.as_ref(), Some(&sealed), "{code}");
            let reports = tallies.snapshot_reports();
            assert!(!reports.is_empty());
            assert!(reports.iter().all(|report| report.code == code));
        }
    }
}

/// A tally whose state is not all written.
struct Forgetful;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ForgetfulState {
    words: u64,
    #[serde(skip)]
    last: String,
}

impl Aggregate for Forgetful {
    type State = ForgetfulState;
    type Event = TallyEvent;
    type Command = Ask;
    type Error = Closed;

    fn initial_state() -> ForgetfulState {
        ForgetfulState::default()
    }

    fn evolve(mut state: ForgetfulState, event: &TallyEvent) -> ForgetfulState {
        if let TallyEvent::TallyCounted { word, .. } = event {
            state.words += 1;
            state.last.clone_from(word);
        }
        state
    }

    fn decide(_: &ForgetfulState, _: Ask) -> Result<Vec<TallyEvent>, Closed> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_state_that_is_another_one_when_it_is_read_is_not_kept() {
    let (_, plain) = tallies();
    counted(&plain, "t", 3).await;
    let snapshots = MemorySnapshots::default();
    let forgetful = Repository::<Forgetful>::new(Arc::clone(plain.store()), Namespace::default())
        .with_snapshots(Arc::new(snapshots.clone()), KEY.into(), every(1));
    forgetful.load(&id("t")).await.expect("loaded");
    forgetful.settle().await;
    assert_eq!(versions(&snapshots).await, []);
    let reports = forgetful.snapshot_reports();
    assert_eq!(
        (reports.len(), reports[0].code),
        (1, "snapshot-state-invalid")
    );
    assert_eq!(forgetful.stats().snapshots_failed, 1);
}

#[tokio::test]
async fn a_load_from_the_cache_is_not_what_takes_long() {
    let (_, plain) = tallies();
    counted(&plain, "t", 12).await;
    let snapshots = MemorySnapshots::default();
    let policy = SnapshotPolicy {
        load_time: Some(Duration::from_nanos(1)),
        ..NEVER
    };
    let tallies = with(&plain, &snapshots, policy);
    for version in [12, 13] {
        let loaded = tallies.load(&id("t")).await.expect("loaded");
        tallies.settle().await;
        assert_eq!(loaded.version().map(Version::get), Some(version));
        assert_eq!(versions(&snapshots).await, [("t".to_owned(), 12)]);
        counted(&plain, "t", 1).await;
    }
}

#[test]
fn a_policy_is_what_the_configuration_says() {
    let config = crate::config::EventStoreConfig {
        snapshot_threshold: 7,
        ..Default::default()
    };
    assert_eq!(SnapshotPolicy::from(&config), every(7));
}

/// Snapshots that can be out of reach, and count what is deleted of them.
#[derive(Debug, Default)]
struct Far {
    snapshots: MemorySnapshots,
    is_away: AtomicBool,
    deleted: AtomicU64,
}

impl SnapshotStore for Far {
    fn load<'a>(
        &'a self,
        key: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>> {
        if self.is_away.load(Ordering::Relaxed) {
            let error = SnapshotStoreError::Unreachable {
                doing: "loading a snapshot",
                source: "away".into(),
            };
            return Box::pin(async { Err(error) });
        }
        self.snapshots.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a AggregateKey,
        version: Version,
        sealed: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>> {
        self.snapshots.save(key, version, sealed)
    }

    fn delete<'a>(
        &'a self,
        key: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>> {
        self.deleted.fetch_add(1, Ordering::Relaxed);
        self.snapshots.delete(key)
    }

    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>> {
        self.snapshots.delete_all()
    }

    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>> {
        self.snapshots.list()
    }
}

#[tokio::test]
async fn only_what_does_not_fit_is_deleted_and_once() {
    let (_, plain) = tallies();
    let far = Arc::new(Far::default());
    let key = plain.key(&id("t"));
    counted(&with(&plain, &far.snapshots, every(10)), "t", 10).await;
    let deleted = || far.deleted.load(Ordering::Relaxed);
    let tallies = || other(&plain).with_snapshots(far.clone(), KEY.into(), every(10));

    // Out of reach while it is loaded: that says nothing of it.
    let away = tallies();
    far.is_away.store(true, Ordering::Relaxed);
    let loaded = away.load(&id("t")).await.expect("loaded");
    away.settle().await;
    assert_eq!(
        (loaded.from, loaded.reports.len()),
        (LoadedFrom::Genesis, 1)
    );
    far.is_away.store(false, Ordering::Relaxed);
    counted(&away, "t", 20).await;
    assert_eq!(
        (deleted(), versions(&*far).await),
        (0, vec![("t".to_owned(), 30)])
    );

    // One of another history is deleted for the next one, and not that one for the one behind it.
    let good = opened(&far.snapshots, &key).await;
    let another = Snapshot {
        head: Head {
            cid: Cid::of_block(b"another event"),
            ..good.head
        },
        ..good
    };
    let sealed = another.seal(&KEY);
    far.save(&key, version(100), sealed).await.expect("saved");
    let tallies = tallies();
    tallies.load(&id("t")).await.expect("loaded");
    tallies.settle().await;
    assert_eq!(
        (deleted(), versions(&*far).await),
        (1, vec![("t".to_owned(), 30)])
    );
    counted(&tallies, "t", 10).await;
    assert_eq!(
        (deleted(), versions(&*far).await),
        (1, vec![("t".to_owned(), 40)])
    );
}

/// The same with an empty cache.
fn other_cache(tallies: &Repository<Tally>) -> Repository<Tally> {
    tallies.clone().with_options(RepositoryOptions::default())
}

/// A snapshot of an aggregate of the same name in another store.
async fn tallies_elsewhere() -> (Repository<Tally>, Snapshot) {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    let tallies = with(&plain, &snapshots, every(10));
    counted(&tallies, "t", 10).await;
    let snapshot = opened(&snapshots, &plain.key(&id("t"))).await;
    (tallies, snapshot)
}

#[tokio::test]
async fn a_snapshot_serves_the_past_behind_it_and_no_time() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    counted(&with(&plain, &snapshots, every(10)), "t", 15).await;
    for (number, from) in [
        (9, LoadedFrom::Genesis),
        (10, LoadedFrom::Snapshot(version(10))),
        (12, LoadedFrom::Snapshot(version(10))),
    ] {
        let tallies = with(&plain, &snapshots, NEVER);
        let loaded = tallies
            .load_at(&id("t"), At::Version(version(number)))
            .await;
        let loaded = loaded.expect("loaded");
        assert_eq!((loaded.from, count(&loaded.state, "a")), (from, number));
    }
    let tallies = with(&plain, &snapshots, NEVER);
    let loaded = tallies
        .load_at(&id("t"), At::Time(clock::now()))
        .await
        .expect("loaded");
    assert_eq!(
        (loaded.from, count(&loaded.state, "a")),
        (LoadedFrom::Genesis, 15)
    );
}

#[tokio::test]
async fn deleting_every_snapshot_changes_nothing_but_how_much_is_folded() {
    let (_, plain) = tallies();
    let snapshots = MemorySnapshots::default();
    let tallies = with(&plain, &snapshots, every(3));
    for name in ["t", "u", "v"] {
        counted(&tallies, name, 10).await;
    }
    for name in ["t", "u", "v"] {
        let before = other_cache(&tallies).load(&id(name)).await.expect("loaded");
        assert!(matches!(before.from, LoadedFrom::Snapshot(_)));
        snapshots.delete_all().await.expect("deleted");
        let after = other_cache(&tallies).load(&id(name)).await.expect("loaded");
        assert_eq!((&after.state, after.head), (&before.state, before.head));
        assert_eq!((after.from, after.events_folded), (LoadedFrom::Genesis, 10));
        tallies.settle().await;
        for name in ["t", "u", "v"] {
            other_cache(&tallies).load(&id(name)).await.expect("loaded");
        }
        tallies.settle().await;
    }
}

/// A place for snapshots that is out of order.
#[derive(Debug)]
struct OutOfOrder;

fn out_of_order<T>() -> Result<T, SnapshotStoreError> {
    let why = "a part is missing".to_owned();
    Err(SnapshotStoreError::Damaged { why })
}

impl SnapshotStore for OutOfOrder {
    fn load<'a>(
        &'a self,
        _: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Bytes>, SnapshotStoreError>> {
        Box::pin(async { out_of_order() })
    }

    fn save<'a>(
        &'a self,
        _: &'a AggregateKey,
        _: Version,
        _: Bytes,
    ) -> BoxFuture<'a, Result<(), SnapshotStoreError>> {
        Box::pin(async { out_of_order() })
    }

    fn delete<'a>(
        &'a self,
        _: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<bool, SnapshotStoreError>> {
        Box::pin(async { out_of_order() })
    }

    fn delete_all(&self) -> BoxFuture<'_, Result<u64, SnapshotStoreError>> {
        Box::pin(async { out_of_order() })
    }

    fn list(&self) -> BoxStream<'static, Result<SnapshotEntry, SnapshotStoreError>> {
        Box::pin(futures_util::stream::once(async { out_of_order() }))
    }
}

#[tokio::test]
async fn snapshots_that_are_out_of_order_fail_no_command() {
    let (_, plain) = tallies();
    let tallies = other(&plain).with_snapshots(Arc::new(OutOfOrder), KEY.into(), every(5));
    counted(&tallies, "t", 23).await;
    let loaded = other_cache(&tallies).load(&id("t")).await.expect("loaded");
    assert_eq!(count(&loaded.state, "a"), 23);
    assert_eq!(loaded.reports[0].code, "snapshot-damaged");
    tallies.settle().await;
    let stats = tallies.stats();
    // Four by commands, one by the load; asked for twice. None is tried with each command.
    assert_eq!(
        (stats.snapshots_failed, stats.snapshots_taken),
        (4 + 1 + 2, 0)
    );
    let reports = tallies.snapshot_reports();
    assert_eq!(reports.len(), 7);
    assert!(
        reports[0].to_string().contains("a part is missing"),
        "{}",
        reports[0]
    );
}

#[tokio::test]
async fn reports_are_bounded() {
    let (_, plain) = tallies();
    counted(&plain, "t", 1).await;
    let tallies = other(&plain).with_snapshots(Arc::new(OutOfOrder), KEY.into(), NEVER);
    for _ in 0..MAX_REPORTS + 5 {
        other_cache(&tallies).load(&id("t")).await.expect("loaded");
    }
    assert_eq!(tallies.snapshot_reports().len(), MAX_REPORTS);
}
