//! Races and faults on NATS: writers on several servers race for a few histories, and their servers
//! are killed. No acknowledged event is lost, none is stored twice, and every answer is true.
//!
//! `CIM_RACE_APPENDS` (10 000) sets the length of the races on three servers, `CIM_RACE_KILLS` (10)
//! how often the leader of the stream is killed, `CIM_RACE_CRASHES` (20) how often a server alone
//! is; `CIM_RACE_SEED` repeats what the writers do.
#![allow(clippy::print_stdout, reason = "tests say what they have done")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_host::store::EventStore;
use cim_tests::linear::{Answer, Call, Event};
use cim_tests::nats::{
    NatsCluster, NatsServer, STREAM, ServerOptions, make_store, new_stream, open_store,
};
use cim_tests::random::Random;
use cim_tests::rivals::{Plan, Race, followed, stored};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// How many stores the writers share, each with its connection and its index.
const STORES: usize = 6;

/// How many appends are acknowledged between two kills, at least.
const BETWEEN_KILLS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_race_on_three_servers() {
    let cluster = NatsCluster::start(3);
    let appends = number("CIM_RACE_APPENDS", 10_000);
    let race = Race::new(Plan {
        writers: 32,
        aggregates: 8,
        appends,
        pause: Duration::ZERO,
        seed: Random::seed("CIM_RACE_SEED"),
    });
    let stores = Stores::new(cluster.servers(), 3).await;
    let started = Instant::now();
    race.run(&stores.handles).await;
    let took = started.elapsed();
    let found = stores.check(&race).await;
    report("race", &race, &found, took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_race_while_the_leader_is_killed() {
    let cluster = NatsCluster::start(3);
    let kills = number("CIM_RACE_KILLS", 10);
    let race = Race::new(Plan {
        writers: 32,
        aggregates: 8,
        appends: number("CIM_RACE_APPENDS", 10_000),
        pause: Duration::from_millis(5),
        seed: Random::seed("CIM_RACE_SEED"),
    });
    let stores = Stores::new(cluster.servers(), 3).await;
    race.hold();
    let (told, end) = oneshot::channel();
    let follower = Arc::clone(&stores.handles[0]);
    let follower = tokio::spawn(followed(follower, async { end.await.expect("an end") }));
    let killer = {
        let race = Arc::clone(&race);
        tokio::task::spawn_blocking(move || {
            let _release = Release(&race);
            let mut cluster = cluster;
            let outages = kill_leaders(&mut cluster, &race, kills);
            (cluster, outages)
        })
    };
    let started = Instant::now();
    race.run(&stores.handles).await;
    let took = started.elapsed();
    let (_cluster, outages) = killer.await.expect("the servers start again");
    let found = stores.check(&race).await;
    told.send(found.last().expect("there are events").position)
        .expect("the follower waits");
    let followed = tokio::time::timeout(Duration::from_secs(60), follower).await;
    let followed = followed.expect("it catches up").expect("it goes on");
    assert!(followed == found, "a subscription delivered something else");
    report("faults", &race, &found, took);
    let total: Duration = outages.iter().sum();
    println!(
        "faults: {} kills, without an acknowledgement for {:.1} s each, {:.1} s at most",
        outages.len(),
        total.as_secs_f64() / outages.len() as f64,
        outages.iter().max().expect("a kill").as_secs_f64()
    );
}

/// Kills the leader again and again, and starts it again at once, when there is another, or later.
/// Gives how long each time nothing was acknowledged.
fn kill_leaders(cluster: &mut NatsCluster, race: &Race, kills: u64) -> Vec<Duration> {
    let mut random = Random::new(kills);
    let mut outages = Vec::new();
    // The kills are spread over the race.
    let apart = race.plan().appends / (kills + 1);
    for kill in 1..=kills {
        let leader = cluster.leader_of(STREAM);
        race.wait_for_acknowledged(race.acknowledged() + BETWEEN_KILLS);
        race.wait_for_begun(kill * apart);
        race.log()
            .note(format_args!("kill {kill}: server {leader}"));
        cluster.kill9(leader);
        let before = race.acknowledged();
        let killed = Instant::now();
        let when = random.below(3);
        if when == 0 {
            cluster.restart(leader);
        }
        let next = cluster.leader_of(STREAM);
        race.log().note(format_args!("server {next} leads"));
        // What was under way when the leader was killed may still be acknowledged.
        race.wait_for_acknowledged(before + 32);
        outages.push(killed.elapsed());
        if when == 1 {
            cluster.restart(leader);
        }
        race.wait_for_acknowledged(before + BETWEEN_KILLS);
        if when == 2 {
            cluster.restart(leader);
        }
    }
    cluster.wait_until_current(STREAM);
    outages
}

/// With `sync_interval: always`, one server alone keeps what it has acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_race_while_a_server_alone_is_killed() {
    let mut server = NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        ..ServerOptions::default()
    });
    let crashes = number("CIM_RACE_CRASHES", 20);
    let race = Race::new(Plan {
        // Many pause when the server is killed. The others wait for an answer that never comes,
        // for longer than the server is away.
        writers: 64,
        aggregates: 64,
        appends: 0,
        pause: Duration::from_millis(50),
        seed: Random::seed("CIM_RACE_SEED"),
    });
    let stores = Stores::new(std::slice::from_ref(&server), 1).await;
    race.hold();
    let killer = {
        let race = Arc::clone(&race);
        tokio::task::spawn_blocking(move || {
            let _release = Release(&race);
            let mut random = Random::new(crashes);
            for crash in 1..=crashes {
                race.wait_for_acknowledged(race.acknowledged() + random.between(50, 100));
                race.log().note(format_args!("crash {crash}"));
                server.kill9();
                std::thread::sleep(Duration::from_millis(random.below(100)));
                server.restart();
                race.log().note("it is back");
            }
            server
        })
    };
    let started = Instant::now();
    race.run(&stores.handles).await;
    let took = started.elapsed();
    let _server = killer.await.expect("the server starts again");
    let found = stores.check(&race).await;
    report("crashes", &race, &found, took);
}

/// Lets the writers stop, also when who disturbs them fails.
struct Release<'a>(&'a Race);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Several handles of one store.
struct Stores {
    handles: Vec<Arc<dyn EventStore>>,
    url: String,
    folder: TempDir,
}

impl Stores {
    /// Makes a store, and opens it through each server several times.
    async fn new(servers: &[NatsServer], replicas: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = servers[0].url();
        make_store(&url, &new_stream(replicas), &folder.path().join("maker")).await;
        let mut handles: Vec<Arc<dyn EventStore>> = Vec::new();
        for (number, server) in (0..STORES).zip(servers.iter().cycle()) {
            let index = folder.path().join(number.to_string());
            handles.push(open_store(&server.url(), &index).await);
        }
        Self {
            handles,
            url,
            folder,
        }
    }

    /// Verifies the whole store, read without any index, and checks all answers against it.
    async fn check(&self, race: &Race) -> Vec<Event> {
        let store = open_store(&self.url, &self.folder.path().join("reader")).await;
        let found = stored(&*store).await;
        let summary = race.log().check(&found);
        println!("{summary:?}");
        assert_eq!(summary.unknown, 0, "each unknown outcome was resolved");
        let odd = race.log().count(|operation| match &operation.call {
            Call::Append {
                answer: Answer::Refused(_),
                ..
            } => true,
            Call::Append { .. } | Call::Head { .. } => false,
        });
        assert_eq!(odd, 0, "nothing is refused for another reason");
        race.log().discard();
        found
    }
}

fn report(name: &str, race: &Race, found: &[Event], took: Duration) {
    let count = |is_counted: fn(&Answer) -> bool| {
        race.log().count(|operation| match &operation.call {
            Call::Append { answer, .. } => is_counted(answer),
            Call::Head { .. } => false,
        })
    };
    println!(
        "{name}: {} appends in {:.1} s: {} committed, {} already, {} conflicts, {} reused ids, {} \
         unknown; {} events",
        count(|_| true),
        took.as_secs_f64(),
        count(|answer| matches!(answer, Answer::Committed(_))),
        count(|answer| matches!(answer, Answer::AlreadyCommitted(_))),
        count(|answer| matches!(answer, Answer::Conflict { .. })),
        count(|answer| matches!(answer, Answer::Reused(_))),
        count(|answer| matches!(answer, Answer::Unknown)),
        found.len()
    );
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}
