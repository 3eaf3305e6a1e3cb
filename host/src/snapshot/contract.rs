//! The contract of where snapshots are kept: the tests that every adapter passes.
//!
//! An adapter describes itself as a [`Fixture`] and calls
//! [`snapshot_contract_tests!`](crate::snapshot_contract_tests) once, which makes a test of each case.
//!
//! ```
//! use std::sync::Arc;
//!
//! use cim_host::snapshot::contract::Fixture;
//! use cim_host::snapshot::{MemorySnapshots, SnapshotStore};
//!
//! struct Memory(MemorySnapshots);
//!
//! impl Fixture for Memory {
//!     fn snapshots(&self) -> Arc<dyn SnapshotStore> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn open_again(&self) -> Arc<dyn SnapshotStore> {
//!         self.snapshots()
//!     }
//! }
//!
//! async fn memory() -> Memory {
//!     Memory(MemorySnapshots::default())
//! }
//!
//! cim_host::snapshot_contract_tests!(contract, memory);
//! # fn main() {}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::version::Version;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use super::{MAX_SEALED_LEN, SnapshotEntry, SnapshotStore};

/// A fresh, empty place for snapshots. Each case gets one of its own.
pub trait Fixture {
    /// A handle on it; each time the same one, or a clone.
    fn snapshots(&self) -> Arc<dyn SnapshotStore>;

    /// Another handle on the same place, as far from the first as another process.
    fn open_again(&self) -> impl Future<Output = Arc<dyn SnapshotStore>>;
}

/// Makes a module of tests, one for each case of the contract.
///
/// It takes the module's name and an async function that makes a
/// [`Fixture`](crate::snapshot::contract::Fixture).
#[macro_export]
macro_rules! snapshot_contract_tests {
    ($name:ident, $make:expr) => {
        $crate::snapshot_case_tests! { $name, $make,
            what_was_never_saved_is_not_there
            what_is_saved_is_loaded_through_another_handle
            a_later_version_takes_the_place
            the_same_version_takes_the_place
            an_earlier_version_changes_nothing
            after_a_deletion_any_version_is_taken
            deleting_one_leaves_the_others
            deleting_all_leaves_nothing
            aggregates_are_listed_in_the_order_of_their_keys
            keys_that_look_alike_are_different_aggregates
            snapshots_of_any_size_come_back_whole
            what_is_too_large_is_refused
            twenty_savers_of_one_aggregate_leave_the_latest
            twenty_savers_of_twenty_aggregates
            savers_and_deleters_leave_one_whole_or_none
        }
    };
}

/// Makes the tests of [`snapshot_contract_tests!`](crate::snapshot_contract_tests), which lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! snapshot_case_tests {
    ($name:ident, $make:expr, $($case:ident)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the fixture may be named by its path")]
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::store::contract::run($crate::snapshot::contract::$case($make));
                }
            )*
        }
    };
}

/// Nothing comes of nothing, and deleting it is no fault.
pub async fn what_was_never_saved_is_not_there<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    assert_eq!(load(snapshots, &key("a")).await, None);
    assert_eq!(list(snapshots).await, []);
    assert!(!delete(snapshots, &key("a")).await);
    assert_eq!(delete_all(snapshots).await, 0);
    save(snapshots, &key("a"), 1, &sealed(1, 100)).await;
    assert_eq!(load(snapshots, &key("b")).await, None);
    assert!(!delete(snapshots, &key("b")).await);
}

/// Byte for byte.
pub async fn what_is_saved_is_loaded_through_another_handle<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let before = fixture.open_again().await;
    assert_eq!(load(&*before, &key("a")).await, None);
    let snapshots = &*fixture.snapshots();
    save(snapshots, &key("a"), 7, &sealed(7, 1000)).await;
    let after = fixture.open_again().await;
    for handle in [snapshots, &*before, &*after] {
        assert_eq!(load(handle, &key("a")).await, Some(sealed(7, 1000)));
    }
}

/// The one before is gone.
pub async fn a_later_version_takes_the_place<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    for version in [1, 2, 10, cim_core::version::MAX_INTEGER] {
        save(snapshots, &key("a"), version, &sealed(version, 1000)).await;
        let found = load(snapshots, &key("a")).await;
        assert_eq!(found, Some(sealed(version, 1000)));
        assert_eq!(list(snapshots).await, [entry("a", version, 1000)]);
    }
}

/// So that a state of another shape takes the place of one that does not fit any more.
pub async fn the_same_version_takes_the_place<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    for len in [1000, 10, 2000] {
        save(snapshots, &key("a"), 5, &sealed(5, len)).await;
        assert_eq!(load(snapshots, &key("a")).await, Some(sealed(5, len)));
    }
}

/// Whoever was slow does not undo what is newer.
pub async fn an_earlier_version_changes_nothing<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    save(snapshots, &key("a"), 10, &sealed(10, 1000)).await;
    let other = fixture.open_again().await;
    for (handle, version) in [(snapshots, 9), (&*other, 2)] {
        save(handle, &key("a"), version, &sealed(version, 1000)).await;
        assert_eq!(load(snapshots, &key("a")).await, Some(sealed(10, 1000)));
        assert_eq!(list(snapshots).await, [entry("a", 10, 1000)]);
    }
}

/// What did not fit and was deleted keeps nothing out.
pub async fn after_a_deletion_any_version_is_taken<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    for delete_it in [true, false] {
        save(snapshots, &key("a"), 100, &sealed(100, 1000)).await;
        match delete_it {
            true => assert!(delete(snapshots, &key("a")).await),
            false => assert_eq!(delete_all(snapshots).await, 1),
        }
        save(snapshots, &key("a"), 3, &sealed(3, 1000)).await;
        assert_eq!(load(snapshots, &key("a")).await, Some(sealed(3, 1000)));
        assert_eq!(list(snapshots).await, [entry("a", 3, 1000)]);
        assert!(delete(snapshots, &key("a")).await);
    }
}

/// It tells whether there was one.
pub async fn deleting_one_leaves_the_others<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    for id in ["a", "b", "c"] {
        save(snapshots, &key(id), 1, &sealed(1, LARGE)).await;
    }
    assert!(delete(snapshots, &key("b")).await);
    assert!(!delete(&*fixture.open_again().await, &key("b")).await);
    assert_eq!(load(snapshots, &key("b")).await, None);
    for id in ["a", "c"] {
        assert_eq!(load(snapshots, &key(id)).await, Some(sealed(1, LARGE)));
    }
    let others = [entry("a", 1, LARGE), entry("c", 1, LARGE)];
    assert_eq!(list(snapshots).await, others);
}

/// It tells how many there were, and the next are kept as the first were.
pub async fn deleting_all_leaves_nothing<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    for round in 0..2 {
        for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let len = if n == 2 { LARGE } else { 100 };
            save(snapshots, &key(id), 10 - round, &sealed(10 - round, len)).await;
        }
        assert!(delete(snapshots, &key("d")).await);
        assert_eq!(delete_all(&*fixture.open_again().await).await, 3);
        assert_eq!(list(snapshots).await, []);
        for id in ["a", "b", "c", "d"] {
            assert_eq!(load(snapshots, &key(id)).await, None);
        }
        assert_eq!(delete_all(snapshots).await, 0);
    }
}

/// Namespace, then entity, then id, each byte for byte; more of them than a page has.
pub async fn aggregates_are_listed_in_the_order_of_their_keys<F: Fixture>(
    make: impl AsyncFn() -> F,
) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    let mut expected = BTreeMap::new();
    let many = (0..300).map(|n| format!("a.b.c.key.n{n}"));
    for (version, text) in (1..).zip(ALIKE.map(str::to_owned).into_iter().chain(many)) {
        let len = if version == 4 { LARGE } else { 100 + version };
        let aggregate: AggregateKey = text.parse().expect("a key");
        save(snapshots, &aggregate, version, &sealed(version, len)).await;
        expected.insert(aggregate, (version, len));
    }
    let listed = list(&*fixture.open_again().await).await;
    let listed: Vec<_> = listed
        .into_iter()
        .map(|entry| (entry.aggregate, (entry.version.get(), entry.bytes)))
        .collect();
    assert_eq!(listed, Vec::from_iter(expected));
}

/// Also names of the greatest length, and those that look like parts of others.
pub async fn keys_that_look_alike_are_different_aggregates<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    let long = ["x", "y"].map(|last| {
        let token = "x".repeat(128);
        let id = format!("{}{last}", "x".repeat(127));
        format!("{token}.{token}.{token}.{token}.{id}")
    });
    let keys: Vec<AggregateKey> = ALIKE
        .map(str::to_owned)
        .into_iter()
        .chain(long)
        .map(|text| text.parse().expect("a key"))
        .collect();
    for (version, aggregate) in (1..).zip(&keys) {
        save(snapshots, aggregate, version, &sealed(version, LARGE)).await;
    }
    for (version, aggregate) in (1..).zip(&keys) {
        let found = load(snapshots, aggregate).await;
        assert_eq!(found, Some(sealed(version, LARGE)), "{aggregate}");
    }
    for aggregate in &keys {
        assert!(delete(snapshots, aggregate).await, "{aggregate}");
        assert_eq!(load(snapshots, aggregate).await, None, "{aggregate}");
    }
    assert_eq!(list(snapshots).await, []);
}

/// From none to several MiB, each in the place of one of another size.
pub async fn snapshots_of_any_size_come_back_whole<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    let mib = 1 << 20;
    let sizes = [
        0,
        1,
        3 * mib,
        mib / 2,
        mib - 1,
        mib,
        9 * mib + 1,
        10,
        3 * mib,
    ];
    for (version, len) in (1..).zip(sizes) {
        save(snapshots, &key("a"), version, &sealed(version, len)).await;
        let found = load(snapshots, &key("a")).await;
        // Not `assert_eq`: nobody reads a message of 18 MiB.
        assert!(found == Some(sealed(version, len)), "{len} bytes");
        assert_eq!(list(snapshots).await, [entry("a", version, len)]);
    }
}

/// The one before stays.
pub async fn what_is_too_large_is_refused<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let snapshots = &*fixture.snapshots();
    save(snapshots, &key("a"), 1, &sealed(1, 100)).await;
    let large = Bytes::from(vec![0; MAX_SEALED_LEN + 1]);
    let refused = snapshots.save(&key("a"), version(2), large).await;
    let error = refused.expect_err("too large");
    assert_eq!(error.code(), "snapshot-too-large");
    assert_eq!(load(snapshots, &key("a")).await, Some(sealed(1, 100)));
}

/// What is loaded meanwhile is whole, and never earlier than what was loaded before.
pub async fn twenty_savers_of_one_aggregate_leave_the_latest<F: Fixture>(
    make: impl AsyncFn() -> F,
) {
    let fixture = make().await;
    let handles = [fixture.snapshots(), fixture.open_again().await];
    let len_of = |version| if version % 4 == 0 { LARGE } else { 1000 };
    save(&*handles[0], &key("a"), 1, &sealed(1, len_of(1))).await;
    let savers = (2..=21).map(|version| {
        let handle = Arc::clone(&handles[(version % 2) as usize]);
        tokio::spawn(async move {
            save(
                &*handle,
                &key("a"),
                version,
                &sealed(version, len_of(version)),
            )
            .await;
        })
    });
    let savers: Vec<_> = savers.collect();
    let loader = Arc::clone(&handles[0]);
    let loading = tokio::spawn(async move {
        let mut last = 0;
        while last < 21 {
            let found = load(&*loader, &key("a")).await.expect("one is there");
            let version = version_of(&found);
            assert!(found == sealed(version, len_of(version)), "it is whole");
            assert!(version >= last, "{version} after {last}");
            last = version;
        }
    });
    for task in join_all(savers).await {
        task.expect("it is saved");
    }
    loading.await.expect("it is loaded");
    for handle in &handles {
        let found = load(&**handle, &key("a")).await;
        assert!(found == Some(sealed(21, len_of(21))), "the latest");
        let expected = entry("a", 21, len_of(21));
        assert_eq!(list(&**handle).await, [expected]);
    }
}

/// None hinders the others.
pub async fn twenty_savers_of_twenty_aggregates<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let handles = [fixture.snapshots(), fixture.open_again().await];
    let savers = (0..20_u64).map(|n| {
        let handle = Arc::clone(&handles[(n % 2) as usize]);
        tokio::spawn(async move {
            for version in 1..=5 {
                let sealed = sealed(version, 1000 + n);
                save(&*handle, &key(&format!("n{n:02}")), version, &sealed).await;
            }
        })
    });
    let savers: Vec<_> = savers.collect();
    for task in join_all(savers).await {
        task.expect("they are saved");
    }
    let expected: Vec<_> = (0..20)
        .map(|n| entry(&format!("n{n:02}"), 5, 1000 + n))
        .collect();
    assert_eq!(list(&*handles[0]).await, expected);
    for n in 0..20 {
        let found = load(&*handles[1], &key(&format!("n{n:02}"))).await;
        assert_eq!(found, Some(sealed(5, 1000 + n)));
    }
}

/// In whatever order they come: what is loaded is whole, and what is saved last stays.
pub async fn savers_and_deleters_leave_one_whole_or_none<F: Fixture>(make: impl AsyncFn() -> F) {
    let fixture = make().await;
    let handles = [fixture.snapshots(), fixture.open_again().await];
    let len_of = |version| if version % 2 == 0 { LARGE } else { 1000 };
    let tasks = (1..=20).map(|n| {
        let handle = Arc::clone(&handles[(n % 2) as usize]);
        tokio::spawn(async move {
            match n % 5 {
                0 => drop(delete(&*handle, &key("a")).await),
                _ => save(&*handle, &key("a"), n, &sealed(n, len_of(n))).await,
            }
            if let Some(found) = load(&*handle, &key("a")).await {
                let version = version_of(&found);
                assert!(found == sealed(version, len_of(version)), "it is whole");
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in join_all(tasks).await {
        task.expect("it is done");
    }
    save(&*handles[1], &key("a"), 30, &sealed(30, LARGE)).await;
    let found = load(&*handles[0], &key("a")).await;
    assert!(found == Some(sealed(30, LARGE)), "the last one");
}

/// The bytes of a sealed snapshot of a version: as an adapter sees them, any bytes at all.
fn sealed(version: u64, len: u64) -> Bytes {
    let pattern = (0..len).map(|at| (at * 31 + at / 257 + version * 7) as u8);
    let mut bytes: Vec<u8> = pattern.collect();
    let number = version.to_be_bytes();
    let known = bytes.len().min(number.len());
    bytes[..known].copy_from_slice(&number[..known]);
    bytes.into()
}

/// The version that [`sealed`] has written.
fn version_of(sealed: &Bytes) -> u64 {
    let number = sealed.first_chunk().expect("more than eight bytes");
    u64::from_be_bytes(*number)
}

fn key(id: &str) -> AggregateKey {
    format!("acme.contract.tests.key.{id}")
        .parse()
        .expect("the case gives a valid id")
}

fn version(number: u64) -> Version {
    Version::new(number).expect("versions begin with 1")
}

fn entry(id: &str, number: u64, bytes: u64) -> SnapshotEntry {
    SnapshotEntry {
        aggregate: key(id),
        version: version(number),
        bytes,
    }
}

async fn load(snapshots: &dyn SnapshotStore, aggregate: &AggregateKey) -> Option<Bytes> {
    snapshots.load(aggregate).await.expect("it is loaded")
}

async fn save(
    snapshots: &dyn SnapshotStore,
    aggregate: &AggregateKey,
    number: u64,
    sealed: &Bytes,
) {
    let saved = snapshots.save(aggregate, version(number), sealed.clone());
    saved.await.expect("it is saved");
}

async fn delete(snapshots: &dyn SnapshotStore, aggregate: &AggregateKey) -> bool {
    snapshots.delete(aggregate).await.expect("it is deleted")
}

async fn delete_all(snapshots: &dyn SnapshotStore) -> u64 {
    snapshots.delete_all().await.expect("they are deleted")
}

async fn list(snapshots: &dyn SnapshotStore) -> Vec<SnapshotEntry> {
    snapshots
        .list()
        .try_collect()
        .await
        .expect("they are listed")
}

/// More than a message of NATS has room for.
const LARGE: u64 = (5 << 20) / 2;

const ALIKE: [&str; 14] = [
    "b.c.d.key.x",
    "a.b.c.key.b",
    "a.b.c.key.a",
    "a.b.c.key.a-1",
    "a.b.c.key.a1",
    "a.b.c.key.B",
    "a.b.c.key._",
    "a.b.c.key-1.a",
    "a.b.c.keys.a",
    "a.b.c.Key.a",
    "a.b.c-d.key.a",
    "a.b.c1.key.a",
    "A.b.c.key.a",
    "a.b-b.c.key.a",
];
