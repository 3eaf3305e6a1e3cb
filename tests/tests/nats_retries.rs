//! Appends that are repeated on NATS are stored once: at once, after the server has forgotten their
//! message ids, after it was away, and by somebody who knows nothing but the events.

use std::sync::Arc;

use cim_core::append::{Append, AppendError, Appended, Receipt, Rejection, RetryToken};
use cim_core::id::AggregateKey;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::store::EventStore;
use cim_tests::nats::{
    FORGOTTEN, NatsCluster, NatsServer, STREAM, ServerOptions, forgetful_stream, make_store,
    open_store,
};
use cim_tests::random::Random;
use cim_tests::rivals::stored;
use cim_tests::work::{event, key};

/// What is appended, and repeated: each expectation with one event, several, and several histories.
struct Appends {
    random: Random,
    appends: Vec<Vec<Append>>,
    receipts: Vec<Vec<Receipt>>,
}

impl Appends {
    /// Stores them all, each on aggregates of its own that have two events, or none for `NoStream`.
    async fn commit(store: &dyn EventStore) -> Self {
        let mut all = Self {
            random: Random::new(1),
            appends: Vec::new(),
            receipts: Vec::new(),
        };
        let mut keys = (0..).map(key);
        for expected in [
            ExpectedVersion::Any,
            ExpectedVersion::NoStream,
            ExpectedVersion::Exact(Version::new(2).expect("from 1")),
        ] {
            for counts in [&[1][..], &[3], &[2, 1, 1]] {
                let mut appends = Vec::new();
                for count in counts {
                    let key = keys.next().expect("endless");
                    if expected != ExpectedVersion::NoStream {
                        all.more(store, &key, 2).await;
                    }
                    appends.push(all.append(key, expected, *count));
                }
                let answers = store.append_many(appends.clone()).await;
                let answers = answers.expect("nothing is in the way");
                assert!(matches!(answers[0], Appended::Committed(_)), "{answers:?}");
                all.receipts.push(receipts(&answers));
                all.appends.push(appends);
            }
        }
        all
    }

    fn append(&mut self, key: AggregateKey, expected: ExpectedVersion, count: u64) -> Append {
        let events: Vec<_> = (0..count).map(|_| event(&mut self.random, 10)).collect();
        Append::new(key, expected, events)
    }

    /// Further events of an aggregate.
    async fn more(&mut self, store: &dyn EventStore, key: &AggregateKey, count: u64) {
        let append = self.append(key.clone(), ExpectedVersion::Any, count);
        let answer = store.append(append).await.expect("nothing is in the way");
        assert!(matches!(answer, Appended::Committed(_)), "{answer:?}");
    }

    /// Repeats each and expects the first receipts.
    async fn repeat(&self, store: &dyn EventStore, when: &str) {
        for (appends, receipts) in self.appends.iter().zip(&self.receipts) {
            let answers = appended(store, appends).await;
            let expected: Vec<_> = receipts
                .iter()
                .map(|receipt| Appended::AlreadyCommitted(*receipt))
                .collect();
            assert_eq!(answers, expected, "{when}: {appends:?}");
        }
    }
}

fn receipts(answers: &[Appended]) -> Vec<Receipt> {
    answers.iter().map(|answer| *answer.receipt()).collect()
}

/// Appends until the outcome is known.
async fn appended(store: &dyn EventStore, appends: &[Append]) -> Vec<Appended> {
    let mut token = RetryToken::new(appends.to_vec());
    loop {
        match store.append_again(token).await {
            Err(AppendError::Unknown { retry_token, .. }) => token = retry_token,
            answer => return answer.expect("a repeat is no fault"),
        }
    }
}

/// Repeats over everything that may lie between an append and its repeat. `restart` ends the server
/// that the store is connected to and starts it again.
async fn check(url: &str, replicas: u32, restart: impl FnOnce() + Send + 'static) {
    let folder = tempfile::tempdir().expect("a folder");
    let index = |name: &str| folder.path().join(name);
    let stream = forgetful_stream(replicas);
    let store = make_store(url, &stream, &index("first")).await;
    let mut appends = Appends::commit(&*store).await;
    appends.repeat(&*store, "at once").await;
    for append in appends.appends.concat() {
        appends.more(&*store, &append.aggregate, 1).await;
    }
    let before = stored(&*store).await;
    appends.repeat(&*store, "behind others").await;
    tokio::time::sleep(FORGOTTEN).await;
    appends.repeat(&*store, "forgotten").await;
    appends
        .repeat(&*open_store(url, &index("second")).await, "elsewhere")
        .await;
    tokio::task::spawn_blocking(restart)
        .await
        .expect("it starts again");
    appends
        .repeat(&*store, "when the server was restarted")
        .await;
    let again = open_store(url, &index("first")).await;
    appends.repeat(&*again, "from an index that was kept").await;
    let fresh = open_store(url, &index("third")).await;
    appends.repeat(&*fresh, "after all").await;
    assert!(stored(&*fresh).await == before, "a repeat writes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_on_one_server() {
    let mut server = one_server();
    let url = server.url();
    let (sender, _server) = std::sync::mpsc::channel();
    let restart = move || {
        server.kill9();
        server.restart();
        sender.send(server).expect("the test waits");
    };
    check(&url, 1, restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_on_three_servers() {
    let mut cluster = NatsCluster::start(3);
    // All stores are connected to this one at first.
    let url = cluster.server(0).url();
    let (sender, _cluster) = std::sync::mpsc::channel();
    let restart = move || {
        cluster.kill9(0);
        cluster.restart(0);
        cluster.wait_until_current(STREAM);
        sender.send(cluster).expect("the test waits");
    };
    check(&url, 3, restart).await;
}

fn one_server() -> NatsServer {
    NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        ..ServerOptions::default()
    })
}

/// What is published while there is no connection waits in the client, also when nobody waits for
/// its answer any more, and reaches the server when that is back. If the server has forgotten the
/// message id meanwhile, and the append rests on a head behind its own first commit, nothing but
/// the index stands between the repeat and a second copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_waits_for_the_server_is_not_stored_again() {
    let mut server = one_server();
    let folder = tempfile::tempdir().expect("a folder");
    let stream = forgetful_stream(1);
    let store = make_store(&server.url(), &stream, folder.path()).await;
    let mut random = Random::new(2);
    let mut append = |count| {
        let events: Vec<_> = (0..count).map(|_| event(&mut random, 10)).collect();
        vec![Append::new(key(1), ExpectedVersion::Any, events)]
    };
    // The index is brought up to date for the first of them, and is fresh for the next.
    appended(&*store, &append(1)).await;
    let appends = append(1);
    let first = appended(&*store, &appends).await;
    assert!(matches!(first[..], [Appended::Committed(_)]), "{first:?}");
    server.kill9();
    let repeat = {
        let (store, appends) = (Arc::clone(&store), appends.clone());
        tokio::spawn(async move { appended(&*store, &appends).await })
    };
    tokio::time::sleep(2 * FORGOTTEN).await;
    tokio::task::block_in_place(|| server.restart());
    let repeat = repeat.await.expect("it does not panic");
    let receipt = *first[0].receipt();
    assert_eq!(repeat, [Appended::AlreadyCommitted(receipt)]);
    assert_eq!(stored(&*store).await.len(), 2);
}

/// An id that is used is refused for another place, also when the server knows it no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_stays_used_when_the_server_has_forgotten_it() {
    let server = one_server();
    let folder = tempfile::tempdir().expect("a folder");
    let stream = forgetful_stream(1);
    let store = make_store(&server.url(), &stream, folder.path()).await;
    let mut random = Random::new(3);
    let mut some = |count| -> Vec<_> { (0..count).map(|_| event(&mut random, 10)).collect() };
    let (used, new) = (some(1).remove(0), some(1).remove(0));
    let append = Append::new(key(1), ExpectedVersion::Any, [used.clone()]);
    appended(&*store, &[append]).await;
    let exact = ExpectedVersion::Exact(Version::FIRST);
    tokio::time::sleep(FORGOTTEN).await;
    for (number, expected, events) in [
        (1, exact, vec![used.clone()]),
        (1, exact, vec![used.clone(), new.clone()]),
        (1, exact, vec![new.clone(), used.clone()]),
        (1, ExpectedVersion::Any, vec![used.clone(), new.clone()]),
        (
            1,
            ExpectedVersion::NoStream,
            vec![new.clone(), used.clone()],
        ),
        (2, ExpectedVersion::Any, vec![used.clone()]),
        (
            2,
            ExpectedVersion::NoStream,
            vec![new.clone(), used.clone()],
        ),
    ] {
        let append = Append::new(key(number), expected, events);
        let answer = store.append(append.clone()).await;
        let Err(AppendError::Rejected { why }) = answer else {
            panic!("{append:?}: {answer:?}");
        };
        assert_eq!(why, Rejection::EventIdReused { event: used.id });
    }
    assert_eq!(stored(&*store).await.len(), 1);
}
