//! A connection that is lost in the middle of an append leaves nothing half stored, and the answer
//! to the append is true all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_core::append::{Append, AppendError, Appended};
use cim_core::chain::verifier::StoreVerifier;
use cim_core::version::{ExpectedVersion, Version};
use cim_host::jetstream::{JetStreamStore, Storage, StreamConfig};
use cim_host::store::{EventStore as _, Query, ReadEvent};
use cim_tests::nats::{
    Cut, NatsProxy, NatsServer, ServerOptions, make_store, new_stream, open_store,
};
use cim_tests::program::{Ran, cim_at_home};
use cim_tests::random::Random;
use cim_tests::work::{event, key};
use futures_util::TryStreamExt as _;
use tempfile::TempDir;

/// How many events the batches of these tests have.
const BATCH: u64 = 5;

/// An answer that cannot come is not waited for: without this, the client's time-out would pass.
const AT_MOST: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_are_shared() {
    println!("{}", check_every_cut(Storage::File).await);
}

/// On such a stream each append has its own batch, as it has with several replicas.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_one_append() {
    println!("{}", check_every_cut(Storage::Memory).await);
}

/// Cuts at every place of every form of append, with every expectation. Gives what was done.
async fn check_every_cut(storage: Storage) -> String {
    let mut place = Place::new(storage).await;
    let batches = (0..BATCH).map(Cut::Batch).chain([Cut::BatchAnswer]);
    let single = [Cut::Message, Cut::Answer].map(|cut| (cut, &[1][..]));
    let batches: Vec<_> = batches.collect();
    let one = batches.iter().map(|cut| (*cut, &[BATCH][..]));
    let several = batches.iter().map(|cut| (*cut, &[2, 1, 2][..]));
    let (mut cuts, mut already, mut slowest) = (0, 0, Duration::ZERO);
    for (cut, counts) in single.into_iter().chain(one).chain(several) {
        for expected in [
            ExpectedVersion::Any,
            ExpectedVersion::NoStream,
            ExpectedVersion::Exact(Version::new(2).expect("from 1")),
        ] {
            let appends = place.appends(expected, counts).await;
            let before = place.all().await.len();
            place.proxy.cut(cut);
            let started = Instant::now();
            let answers = place.store.append_many(appends.clone()).await;
            let answers = answers.unwrap_or_else(|error| panic!("{cut:?}, {expected:?}: {error}"));
            slowest = slowest.max(started.elapsed());
            cuts += 1;
            assert_eq!(place.proxy.cuts(), cuts, "{cut:?}");
            let all = place.all().await;
            let count: u64 = counts.iter().sum();
            assert_eq!(all.len() - before, usize::try_from(count).expect("few"));
            assert_true(&appends, &answers, &all);
            // An answer may find the client that has connected again. What was never whole is new.
            let is_whole = matches!(cut, Cut::Answer | Cut::BatchAnswer);
            if let Appended::AlreadyCommitted(_) = answers[0] {
                assert!(is_whole, "{cut:?}");
                already += 1;
            }
            let again = place.store.append_many(appends.clone()).await;
            let repeated = answers.iter().map(Appended::receipt).copied();
            let repeated: Vec<_> = repeated.map(Appended::AlreadyCommitted).collect();
            assert_eq!(again.expect("a repeat"), repeated, "{cut:?}");
        }
    }
    assert!(already > 0, "no answer was lost");
    assert!(slowest < AT_MOST, "{slowest:?}");
    format!(
        "{storage:?}: {cuts} cuts, behind {already} of them it was stored already; {slowest:?} at \
         most"
    )
}

/// Who cannot reach the server any more does not know the outcome, and learns it by the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_stays_unknown_is_told_by_the_token() {
    let check = async |cut, expected, is_stored| {
        let mut place = Place::new(Storage::Memory).await;
        let appends = place.appends(expected, &[2, 3]).await;
        place.proxy.cut_and_go_away(cut);
        let mut answer = place.store.append_many(appends.clone()).await;
        assert!(
            matches!(answer, Err(AppendError::Unknown { .. })),
            "{cut:?}: {answer:?}"
        );
        place.proxy.be_back();
        while let Err(AppendError::Unknown { retry_token, .. }) = answer {
            answer = place.store.append_again(retry_token).await;
        }
        let answers = answer.expect("nothing is in the way");
        let found = matches!(answers[0], Appended::AlreadyCommitted(_));
        assert_eq!(found, is_stored, "{cut:?}: {answers:?}");
        assert_true(&appends, &answers, &place.all().await);
    };
    let (any, none) = (ExpectedVersion::Any, ExpectedVersion::NoStream);
    tokio::join!(
        check(Cut::Batch(2), any, false),
        check(Cut::Batch(2), none, false),
        check(Cut::BatchAnswer, any, true),
        check(Cut::BatchAnswer, none, true),
    );
}

/// The same for people: an import goes on over losses, and an append says what to do.
#[test]
fn commands_over_a_connection_that_is_lost() {
    let server = NatsServer::start(ServerOptions::default());
    let proxy = NatsProxy::start(&server.address());
    let folder = tempfile::tempdir().expect("a folder");
    let cim = |url: &str, arguments: &str| -> Ran {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        cim_at_home(folder.path(), &[&arguments[..], &["--store", url]].concat())
    };
    let (direct, lossy) = (server.url(), proxy.url());
    cim(&direct, "init").exits(0);
    let import = format!(
        "import {} --entity loan --id-field case --type-field activity --time-field time",
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sample.csv")
    );
    proxy.cut(Cut::Batch(7));
    let told = cim(&lossy, &import).exits(0).stdout;
    assert_eq!(proxy.cuts(), 1);
    let expected = cim("sqlite:direct.db", &import).exits(0).stdout;
    assert_eq!(told, expected, "the same words as without a loss");
    let all = cim(&direct, "verify").exits(0).stdout;
    assert_eq!(all, cim("sqlite:direct.db", "verify").exits(0).stdout);

    let append = "append loan x LoanOpened --data {}";
    proxy.cut_and_go_away(Cut::Answer);
    let ran = cim(&lossy, append).exits(9);
    assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
    let help = ran.stderr.split("help: run the same command again with `");
    let help = help.last().and_then(|help| help.split('`').next());
    let again = format!("{append} {}", help.expect("what to do"));
    // Who cannot connect at all is told that.
    let ran = cim(&lossy, &again).exits(9);
    assert!(ran.stderr.contains("help: "), "{}", ran.stderr);
    proxy.be_back();
    let before = cim(&direct, "stats --json").exits(0).json();
    cim(&lossy, &again).exits(0);
    let after = cim(&direct, "stats --json").exits(0).json();
    assert_eq!(before["events"], after["events"], "it was stored before");
}

/// A store behind a proxy, and the way around it.
struct Place {
    _server: NatsServer,
    proxy: NatsProxy,
    store: Arc<JetStreamStore>,
    direct: Arc<JetStreamStore>,
    random: Random,
    keys: u64,
    _folder: TempDir,
}

impl Place {
    async fn new(storage: Storage) -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let proxy = NatsProxy::start(&server.address());
        let folder = tempfile::tempdir().expect("a folder");
        let stream = StreamConfig {
            storage,
            ..new_stream(1)
        };
        let direct = make_store(&server.url(), &stream, &folder.path().join("direct")).await;
        Self {
            store: open_store(&proxy.url(), &folder.path().join("lossy")).await,
            _server: server,
            proxy,
            direct,
            random: Random::new(1),
            keys: 0,
            _folder: folder,
        }
    }

    /// Appends of new events to aggregates of their own, which are as expected.
    async fn appends(&mut self, expected: ExpectedVersion, counts: &[u64]) -> Vec<Append> {
        let mut appends = Vec::new();
        for count in counts {
            self.keys += 1;
            let key = key(self.keys);
            if expected != ExpectedVersion::NoStream {
                let append = Append::new(key.clone(), ExpectedVersion::Any, self.events(2));
                self.store.append(append).await.expect("nothing is cut");
            }
            appends.push(Append::new(key, expected, self.events(*count)));
        }
        appends
    }

    fn events(&mut self, count: u64) -> Vec<cim_core::event::NewEvent> {
        (0..count).map(|_| event(&mut self.random, 40)).collect()
    }

    /// Everything that is stored, each chain verified.
    async fn all(&self) -> Vec<ReadEvent> {
        let mut verifier = StoreVerifier::new();
        let read = self.direct.read(Query::default().verified());
        let all: Vec<_> = read.try_collect().await.expect("it can be read");
        for read in &all {
            verifier.push(&read.event).expect("no chain is broken");
        }
        all
    }
}

/// Each append stands at the end of its history, once and whole, as it was answered.
#[track_caller]
fn assert_true(appends: &[Append], answers: &[Appended], all: &[ReadEvent]) {
    assert_eq!(appends.len(), answers.len());
    for (append, answer) in appends.iter().zip(answers) {
        let history: Vec<_> = all
            .iter()
            .filter(|read| read.event.aggregate == append.aggregate)
            .collect();
        let ids: Vec<_> = history.iter().map(|read| read.event.event.id).collect();
        let expected: Vec<_> = append.events.iter().map(|event| event.id).collect();
        assert!(ids.ends_with(&expected), "{ids:?} {expected:?}");
        let last = history.last().expect("it has events");
        let receipt = answer.receipt();
        assert_eq!(
            (receipt.version, receipt.head, receipt.position),
            (last.event.version, last.event.cid, last.position)
        );
    }
}
