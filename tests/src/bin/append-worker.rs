//! `append-worker STORE (storm SEED | once | few)`: appends to a store and tells what it was
//! answered, for tests that kill it, trace it, or let its disk fail.

use std::path::Path;
use std::sync::Arc;

use cim_core::append::{Append, AppendError};
use cim_core::version::ExpectedVersion;
use cim_host::sqlite::SqliteStore;
use cim_host::store::EventStore as _;
use cim_tests::random::Random;
use cim_tests::work::{Line, event, ids, key};
use tokio::task::JoinSet;

/// How many tasks append at the same time.
const WRITERS: u64 = 8;

/// How many aggregates they share.
const AGGREGATES: u64 = 12;

/// How often an append is tried again whose outcome is unknown.
const TRIES: usize = 4;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (path, work) = words
        .split_first()
        .expect("usage: append-worker STORE WORK");
    let store = match SqliteStore::open(Path::new(path)) {
        Ok(store) => Arc::new(store),
        Err(error) => return Line::Closed(error.to_string()).tell(),
    };
    Line::Ready.tell();
    match work {
        ["storm", seed] => storm(&store, seed.parse().expect("a seed")).await,
        ["once"] => once(&store).await,
        ["few"] => few(&store).await,
        _ => panic!("no such work: {work:?}"),
    }
    match store.close().await {
        Ok(()) => Line::Done.tell(),
        Err(error) => Line::Closed(error.to_string()).tell(),
    }
}

/// Appends until somebody kills the process.
async fn storm(store: &Arc<SqliteStore>, seed: u64) {
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let random = Random::new(seed.wrapping_mul(WRITERS).wrapping_add(number));
        writers.spawn(write(Arc::clone(store), random));
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer does not panic");
    }
}

async fn write(store: Arc<SqliteStore>, mut random: Random) {
    loop {
        let appends = draw(&store, &mut random).await;
        append(&store, appends).await;
    }
}

/// One aggregate or several, of 1 to 10 events in all, with and without an expectation.
async fn draw(store: &SqliteStore, random: &mut Random) -> Vec<Append> {
    let mut count = random.between(1, 10);
    let first = random.below(AGGREGATES);
    let parts = if random.below(3) == 0 {
        random.between(1, count.min(4))
    } else {
        1
    };
    let mut appends = Vec::new();
    for part in 0..parts {
        let aggregate = key((first + part) % AGGREGATES);
        let expected = if random.below(2) == 0 {
            ExpectedVersion::Any
        } else {
            let head = store.head(&aggregate).await.expect("the store answers");
            head.map_or(ExpectedVersion::NoStream, |head| {
                ExpectedVersion::Exact(head.version)
            })
        };
        let left = parts - part;
        let take = if left == 1 {
            count
        } else {
            random.between(1, count - left + 1)
        };
        count -= take;
        let events: Vec<_> = (0..take)
            .map(|_| {
                let size = random.below(1500);
                event(random, size)
            })
            .collect();
        appends.push(Append::new(aggregate, expected, events));
    }
    appends
}

/// One append.
async fn once(store: &SqliteStore) {
    let events = vec![event(&mut Random::new(1), 100)];
    append(
        store,
        vec![Append::new(key(1), ExpectedVersion::Any, events)],
    )
    .await;
}

/// Six appends, then two at once: every form of append, few enough to let each write fail.
async fn few(store: &SqliteStore) {
    let mut random = Random::new(2);
    let mut some = |count: u64| -> Vec<_> { (0..count).map(|_| event(&mut random, 40)).collect() };
    let work = [
        vec![Append::new(key(1), ExpectedVersion::Any, some(1))],
        vec![Append::new(key(2), ExpectedVersion::NoStream, some(3))],
        vec![
            Append::new(key(1), ExpectedVersion::Any, some(2)),
            Append::new(key(3), ExpectedVersion::NoStream, some(1)),
            Append::new(key(4), ExpectedVersion::Any, some(2)),
        ],
    ];
    let second = [
        vec![
            Append::new(key(3), ExpectedVersion::Any, some(1)),
            Append::new(key(5), ExpectedVersion::NoStream, some(1)),
        ],
        vec![Append::new(key(6), ExpectedVersion::Any, some(1))],
    ];
    let at_once = [
        vec![Append::new(key(1), ExpectedVersion::Any, some(1))],
        vec![Append::new(key(7), ExpectedVersion::NoStream, some(2))],
    ];
    let exact = some(2);
    for appends in work {
        append(store, appends).await;
    }
    // What this expects depends on what the disk has let through.
    let head = store.head(&key(2)).await;
    let expected = head.map(|head| {
        head.map_or(ExpectedVersion::NoStream, |head| {
            ExpectedVersion::Exact(head.version)
        })
    });
    let expected = expected.unwrap_or(ExpectedVersion::Any);
    append(store, vec![Append::new(key(2), expected, exact)]).await;
    for appends in second {
        append(store, appends).await;
    }
    let [one, other] = at_once;
    tokio::join!(append(store, one), append(store, other));
}

/// Appends, and appends the same again while the outcome is unknown.
async fn append(store: &SqliteStore, appends: Vec<Append>) {
    Line::Try(ids(&appends)).tell();
    let mut answer = store.append_many(appends.clone()).await;
    Line::answer(&appends, &answer).tell();
    for _ in 1..TRIES {
        let Err(AppendError::Unknown { retry_token, .. }) = answer else {
            return;
        };
        answer = store.append_again(retry_token).await;
        Line::answer(&appends, &answer).tell();
    }
}
