//! The helper that starts NATS servers does what its callers rest on.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions, VERSION};
use serde_json::{Value, json};

/// A stream with one message, which every server here can be asked for.
fn store(server: &NatsServer) {
    let stream = json!({ "name": "KEPT", "subjects": ["kept"] });
    let made = server.ask("$JS.API.STREAM.CREATE.KEPT", &stream);
    made.unwrap_or_else(|error| panic!("{error}: {}", server.log()));
    let ack = server.ask("kept", &json!("body")).expect("an answer");
    assert_eq!(ack["seq"], 1);
}

fn messages(server: &NatsServer) -> Value {
    let info = server.ask("$JS.API.STREAM.INFO.KEPT", &json!({}));
    info.expect("the stream is there")["state"]["messages"].clone()
}

#[test]
fn a_server_keeps_what_it_acknowledged_over_kill_stop_and_restart() {
    let mut server = NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        ..ServerOptions::default()
    });
    let url = server.url();
    store(&server);
    server.kill9();
    assert!(!server.is_running());
    let gone = server.ask("kept", &json!(1)).expect_err("it is gone");
    assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
    server.restart();
    assert_eq!((server.url(), messages(&server)), (url.clone(), json!(1)));
    server.stop();
    server.restart();
    assert_eq!((server.url(), messages(&server)), (url, json!(1)));
    assert!(
        server.log().contains(&format!("Version:  {VERSION}")),
        "{}",
        server.log()
    );
    assert!(server.memory() > 1 << 20);
}

#[test]
fn options_reach_the_server() {
    let mut options = ServerOptions {
        max_payload: Some(2048),
        extra: "server_tags: [\"cim:yes\"]".to_owned(),
        jetstream: false,
        ..ServerOptions::default()
    };
    let mut server = NatsServer::start(options.clone());
    let off = server.ask("$JS.API.INFO", &json!({}));
    let off = off.expect_err("no JetStream").to_string();
    assert!(off.contains("503"), "{off}");
    options.authorization = Some("token: secret".to_owned());
    server.configure(options);
    server.restart();
    let config = std::fs::read_to_string(server.folder().join("server.conf")).expect("it is there");
    for part in ["max_payload: 2048", "cim:yes", "token: secret"] {
        assert!(config.contains(part), "{config}");
    }
    server.ask("a", &json!(1)).expect_err("a token is needed");
    assert!(
        server.log().contains("authentication error"),
        "{}",
        server.log()
    );
}

#[test]
fn two_servers_at_a_time_do_not_meet() {
    let servers = [(); 2].map(|()| NatsServer::start(ServerOptions::default()));
    store(&servers[0]);
    let other = servers[1].ask("$JS.API.STREAM.INFO.KEPT", &json!({}));
    let other = other.expect_err("its own data").to_string();
    assert!(other.contains("stream not found"), "{other}");
}

#[test]
fn a_cluster_replicates_and_survives_its_leader() {
    let mut cluster = NatsCluster::start(3);
    let stream = json!({ "name": "R3", "subjects": ["r3"], "num_replicas": 3 });
    let made = cluster.ask("$JS.API.STREAM.CREATE.R3", &stream);
    assert_eq!(made.expect("it can be made")["config"]["num_replicas"], 3);
    cluster.wait_until_current("R3");
    let leader = cluster.leader_of("R3");
    let ack = cluster.ask("r3", &json!("first")).expect("an answer");
    assert_eq!(ack["seq"], 1);
    cluster.kill9(leader);
    assert!(!cluster.server(leader).is_running());
    let next = cluster.leader_of("R3");
    assert_ne!(next, leader);
    let ack = cluster.ask("r3", &json!("second")).expect("an answer");
    assert_eq!(ack["seq"], 2);
    cluster.restart(leader);
    cluster.lead("R3", leader);
    assert_eq!(cluster.leader_of("R3"), leader);
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 3);
}

/// The process of a test may be killed. Its servers must not stay behind, one after each run.
#[test]
fn a_server_dies_with_the_process_of_its_test() {
    const CHILD: &str = "CIM_NATS_SERVER_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let server = NatsServer::start(ServerOptions::default());
        std::fs::write(std::env::var_os(CHILD).expect("a path"), server.address())
            .expect("the parent waits for it");
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    let told = folder.path().join("address");
    let mut child = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "a_server_dies_with_the_process_of_its_test"])
        .env(CHILD, &told)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts");
    let address = wait_for(|| {
        let address = std::fs::read_to_string(&told).ok()?;
        (!address.is_empty()).then_some(address)
    });
    assert!(std::net::TcpStream::connect(&address).is_ok());
    child.kill().expect("it runs");
    child.wait().expect("our own child");
    wait_for(|| std::net::TcpStream::connect(&address).err());
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
}
