//! What `cim keys` writes, on the servers that run with it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event};
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::cim_at_home;
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use self::keys_command::Identities;

#[path = "support/keys.rs"]
mod keys_command;

/// Within which time a revocation must show at who is connected.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long anything else may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and what the server says of it.
struct Connected {
    client: Client,
    events: UnboundedReceiver<Event>,
}

impl Connected {
    async fn new(url: &str, creds: &Path) -> Result<Self, async_nats::ConnectError> {
        let (sender, events) = unbounded_channel();
        let options = ConnectOptions::with_credentials_file(creds)
            .await
            .expect("creds as the client knows them");
        let options = options.event_callback(move |event| {
            // The receiver is gone when the test is done.
            let _ = sender.send(event);
            async {}
        });
        let client = options.connect(url).await?;
        Ok(Self { client, events })
    }

    /// Waits for what the server says.
    async fn said(&mut self, within: Duration, is_it: impl Fn(&Event) -> bool) -> Option<Event> {
        let said = async {
            while let Some(event) = self.events.recv().await {
                if is_it(&event) {
                    return event;
                }
            }
            panic!("the client is gone")
        };
        timeout(within, said).await.ok()
    }

    async fn publish(&self, subject: &str) {
        let published = self.client.publish(subject.to_owned(), "x".into()).await;
        published.expect("the client takes it");
        self.client.flush().await.expect("it is sent");
    }

    /// Whether a request is answered by a responder of the same user.
    async fn is_served(&self, subject: &str) -> bool {
        let answer = self.client.request(subject.to_owned(), "?".into()).await;
        answer.is_ok()
    }
}

fn is_refused(event: &Event, subject: &str) -> bool {
    event
        .to_string()
        .to_lowercase()
        .contains("permissions violation")
        && event.to_string().contains(subject)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_written_configuration_is_all_that_a_server_needs() {
    for resolver in ["full", "memory"] {
        let identities = Identities::init(&[
            "--resolver",
            resolver,
            "--publish",
            "orders.>",
            "--subscribe",
            "orders.>",
        ]);
        let server = identities.server();
        let mut app = Connected::new(&server.url(), &identities.creds("APP/app"))
            .await
            .expect("it logs in");
        let mut orders = app.client.subscribe("orders.>").await.expect("taken");
        app.publish("orders.paid").await;
        let message = timeout(PATIENCE, orders.next()).await;
        let message = message.expect("in time").expect("a message");
        assert_eq!(message.subject.as_str(), "orders.paid");

        app.publish("secrets").await;
        let said = app
            .said(PATIENCE, |event| is_refused(event, "secrets"))
            .await;
        assert!(said.is_some(), "publishing elsewhere is refused");
        let _secrets = app.client.subscribe("hidden").await.expect("sent");
        app.client.flush().await.expect("sent");
        let said = app
            .said(PATIENCE, |event| is_refused(event, "hidden"))
            .await;
        assert!(said.is_some(), "subscribing elsewhere is refused");

        let system = Connected::new(&server.url(), &identities.creds("SYS/sys")).await;
        let system = system.expect("it logs in");
        let answer = system
            .client
            .request("$SYS.REQ.SERVER.PING", "".into())
            .await;
        let answer = answer.expect("the system account answers");
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        assert_eq!(answer["server"]["name"], "one");

        // Nobody else gets in, and JetStream is there.
        let nobody = async_nats::connect(server.url()).await;
        nobody.expect_err("a login is needed");
        assert!(!server.log().contains("[ERR] Error trying to connect"));
        assert!(server.log().contains("Starting JetStream"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_user_is_thrown_out_within_a_second() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let server = identities.server();
    let creds = identities.creds("APP/app");
    let mut app = Connected::new(&server.url(), &creds)
        .await
        .expect("it logs in");
    identities.keys(&["user", "create", "other", "--account", "APP"]);
    identities.keys(&["user", "creds", "other"]);
    let other = Connected::new(&server.url(), &identities.creds("APP/other")).await;
    let mut other = other.expect("it logs in");

    identities.keys(&["revoke", "app", "--reason", "laptop lost"]);
    let pushed = identities.keys(&["server", "push", "APP"]);
    let said = app
        .said(AT_ONCE, |event| matches!(event, Event::Disconnected))
        .await;
    assert!(said.is_some(), "within a second behind the push");
    assert_eq!(pushed.stdout, "APP  one  updated\n");
    let again = Connected::new(&server.url(), &creds).await;
    assert!(again.is_err(), "nor does it get in again");
    let said = other
        .said(Duration::from_millis(300), |event| {
            matches!(event, Event::Disconnected)
        })
        .await;
    assert!(said.is_none(), "others stay");

    // Who was revoked is refused new creds, and made anew.
    let refused = identities.run(&["user", "creds", "app"]).exits(4);
    assert!(
        refused.stderr.contains("cim keys user rotate"),
        "{}",
        refused.stderr
    );
    identities.keys(&["user", "rotate", "app"]);
    identities.keys(&["user", "creds", "app"]);
    identities.keys(&["server", "push", "APP"]);
    Connected::new(&server.url(), &creds)
        .await
        .expect("a new key");

    // All of an account at once.
    identities.keys(&["revoke", "--all-of", "APP"]);
    identities.keys(&["server", "push", "APP"]);
    let said = other
        .said(AT_ONCE, |event| matches!(event, Event::Disconnected))
        .await;
    assert!(said.is_some());
    identities.keys(&["user", "creds", "other"]);
    let other = Connected::new(&server.url(), &identities.creds("APP/other")).await;
    other.expect("what is issued behind a revocation counts");
    identities.keys(&["server", "diff"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_s_signing_key_is_rotated_without_downtime() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let server = identities.server();
    let creds = identities.creds("APP/app");
    let mut old = Connected::new(&server.url(), &creds)
        .await
        .expect("it logs in");
    let mut questions = old.client.subscribe("work").await.expect("taken");
    let answers = old.client.clone();
    let answering = tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let reply = question.reply.expect("a question");
            // It may have been thrown out.
            let _ = answers.publish(reply, "!".into()).await;
        }
    });

    let rotated = identities.json(&["account", "rotate", "APP"]);
    let key = rotated["rotated"][0]["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    assert!(old.is_served("work").await);
    identities.keys(&["server", "push", "APP"]);
    assert!(old.is_served("work").await, "the old key counts on");
    identities.keys(&["user", "creds", "app"]);
    let token = identities.keys(&["jwt", "decode", "identity/creds/APP/app.creds", "--json"]);
    let successor = rotated["rotated"][0]["successor"].clone();
    assert_eq!(token.json()["issuer"], successor);

    // Both log in at the same time: one takes over from the other, without a question unanswered.
    let new = Connected::new(&server.url(), &creds)
        .await
        .expect("the new key");
    let mut questions = new.client.subscribe("work").await.expect("taken");
    new.client.flush().await.expect("sent");
    let served = Arc::new(AtomicU32::new(0));
    let (answers, count) = (new.client.clone(), Arc::clone(&served));
    let answering_too = tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let reply = question.reply.expect("a question");
            answers.publish(reply, "!".into()).await.expect("taken");
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let asking = Connected::new(&server.url(), &creds)
        .await
        .expect("the new key");
    let asked = tokio::spawn(async move {
        let (started, mut asked) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(3) {
            assert!(asking.is_served("work").await, "without downtime");
            asked += 1;
        }
        asked
    });
    identities.keys(&["signing-key", "remove", &key]);
    identities.keys(&["server", "push", "APP"]);
    let said = old
        .said(PATIENCE, |event| matches!(event, Event::Disconnected))
        .await;
    assert!(
        said.is_some(),
        "what the removed key has signed counts no more"
    );
    let asked = asked.await.expect("all questions were answered");
    assert!(asked > 10 && served.load(Ordering::Relaxed) >= asked);
    answering.abort();
    answering_too.abort();
    let keys = identities.json(&["signing-key", "list", "APP"]);
    let states: Vec<_> = keys["signing_keys"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| key["state"].as_str().expect("a state"))
        .collect();
    assert!(states.contains(&"revoked") && states.contains(&"active"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_s_signing_key_is_rotated_with_a_restart() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let mut server = identities.server();
    let rotated = identities.json(&["operator", "rotate", "local"]);
    let key = rotated["rotated"][0]["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    // Servers that do not know the key yet are told so, and nothing is sent.
    let refused = identities.run(&["server", "push"]).exits(4);
    assert!(refused.stderr.contains("restart"), "{}", refused.stderr);
    let port = server.url().rsplit(':').next().expect("a port").to_owned();
    let listen = format!("127.0.0.1:{port}");
    let config = [
        "server",
        "config",
        "--listen",
        &listen,
        "--server-name",
        "one",
    ];
    identities.keys(&config);
    server.restart();
    identities.keys(&["server", "push"]);
    identities.keys(&["signing-key", "remove", &key]);
    identities.keys(&config);
    server.restart();
    identities.keys(&["server", "push"]);
    identities.keys(&["server", "diff"]);
    let app = Connected::new(&server.url(), &identities.creds("APP/app")).await;
    app.expect("users do not notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_do_what_is_said_offline() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let server = identities.server();
    identities.keys(&[
        "signing-key",
        "create",
        "APP",
        "--role",
        "member",
        "--publish",
        "team.{{tag(team)}}.>",
        "--subscribe",
        "_INBOX.>",
    ]);
    let bob = ["user", "create", "bob", "--account", "APP"];
    identities.keys(&[&bob[..], &["--role", "member", "--tag", "team:blue"]].concat());
    identities.keys(&["user", "creds", "APP/bob", "--expires", "1h"]);
    identities.keys(&["server", "push", "APP"]);
    let bob = Connected::new(&server.url(), &identities.creds("APP/bob")).await;
    let mut bob = bob.expect("it logs in");
    let app = Connected::new(&server.url(), &identities.creds("APP/app")).await;
    let app = app.expect("it logs in");
    let mut team = app.client.subscribe("team.>").await.expect("taken");
    // Behind an answer the server knows the subscription.
    assert!(app.is_served("$SYS.REQ.USER.INFO").await);
    let check = |subject| identities.run(&["permissions", "check", "bob", "publish", subject]);
    check("team.red.x").exits(4);
    bob.publish("team.red.x").await;
    let said = bob.said(PATIENCE, |event| is_refused(event, "team.red.x"));
    assert!(said.await.is_some());
    check("team.blue.x").exits(0);
    bob.publish("team.blue.x").await;
    let message = timeout(PATIENCE, team.next()).await;
    let message = message.expect("in time").expect("a message");
    assert_eq!(message.subject.as_str(), "team.blue.x");
}

#[test]
fn events_of_identities_stand_on_a_server_too() {
    let server = NatsServer::start(ServerOptions::default());
    let store = format!("{}/EV", server.url());
    let identities = Identities::init(&["--keystore", "plain", "--store", &store]);
    identities.keys(&["account", "create", "orders"]);
    let listed = identities.json(&["account", "list"]);
    assert_eq!(listed["accounts"].as_array().map(Vec::len), Some(3));
    let known = fs::read_to_string(identities.path().join("identity/events.toml"));
    assert!(known.expect("a file").contains(&store));
}

#[test]
fn a_stream_that_takes_no_such_events_is_named() {
    let server = NatsServer::start(ServerOptions::default());
    let store = format!("{}/EV", server.url());
    let folder = tempfile::tempdir().expect("a folder");
    let cim = |line: &[&str]| cim_at_home(folder.path(), line);
    cim(&["init", "--store", &store]).exits(0);
    let init = ["keys", "init", "--keystore", "plain", "--store", &store];
    let refused = cim(&init);
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("local.main.keys.*.*.*"),
        "{}",
        refused.stderr
    );
    cim(&[
        "keys",
        "init",
        "--keystore",
        "plain",
        "--store",
        "sqlite:identity.db",
    ])
    .exits(1);
}

#[test]
fn what_others_may_write_is_not_gone_by() {
    use std::os::unix::fs::PermissionsExt as _;

    let identities = Identities::init(&["--keystore", "plain"]);
    for name in ["identity", "identity/events.toml"] {
        let path = identities.path().join(name);
        let before = fs::metadata(&path).expect("it is there").permissions();
        let set = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(&path, mode).expect("ours");
        };
        set(before.mode() | 0o022);
        let refused = identities.run(&["user", "creds", "app"]).exits(4);
        assert!(refused.stderr.contains("chmod go-w"), "{}", refused.stderr);
        set(before.mode());
        identities.keys(&["user", "creds", "app"]);
    }
}

#[test]
fn what_cannot_be_written_is_known_before_anything_is_done() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let tokens = || identities.json(&["user", "show", "app"])["tokens"].clone();
    let before = tokens();
    identities
        .run(&["user", "creds", "app", "--out", "."])
        .exits(1);
    assert_eq!(tokens(), before);
    let folder = tempfile::tempdir().expect("a folder");
    let cim = |line: &[&str]| cim_at_home(folder.path(), line);
    let init = |config: &str| {
        let line = ["keys", "init", "--keystore", "plain", "--config", config];
        cim(&line)
    };
    let refused = cim(&["keys", "init"]).exits(2);
    assert!(
        refused.stderr.contains("--passphrase-file"),
        "{}",
        refused.stderr
    );
    assert!(
        !folder.path().join("cim.db").exists(),
        "nothing is half done"
    );
    init("/proc/none/nats-server.conf").exits(3);
    init("nats-server.conf").exits(0);
}

#[test]
fn permissions_are_answered_as_they_will_be() {
    let identities = Identities::init(&["--keystore", "plain", "--publish", ">"]);
    let check = |subject: &str| {
        let line = ["permissions", "check", "app", "publish", subject, "--json"];
        identities.run(&line)
    };
    let answer = check("a").exits(0).json();
    assert_eq!(answer["creds_say_otherwise"], false);
    identities.run(&["permissions", "set", "app"]).exits(2);
    identities.keys(&["permissions", "set", "app", "--publish", "b"]);
    let answer = check("a").exits(4).json();
    assert_eq!(
        (&answer["allowed"], &answer["creds_say_otherwise"]),
        (&false.into(), &true.into())
    );
    identities.keys(&["permissions", "set", "app", "--all"]);
    check("a").exits(0);
    check("a..b").exits(2);
    identities.keys(&["revoke", "app"]);
    let answer = check("a").exits(4).json();
    assert_eq!(answer["verdict"], "denied");
    let before = identities.json(&["account", "show", "APP"])["issued_at"].clone();
    identities.keys(&["revoke", "app"]);
    let after = identities.json(&["account", "show", "APP"])["issued_at"].clone();
    assert_eq!(before, after, "revoking again changes nothing");

    identities.keys(&[
        "permissions",
        "set",
        "--account",
        "APP",
        "--deny-publish",
        "audit.>",
    ]);
    identities.keys(&[
        "account",
        "set",
        "APP",
        "--claims",
        r#"{"limits":{"conn":100}}"#,
    ]);
    let claims = identities.json(&["account", "show", "APP"])["claims"].clone();
    assert_eq!(claims["limits"]["conn"], 100);
    assert_eq!(claims["limits"]["disk_storage"], -1, "JetStream stays on");
    assert_eq!(claims["default_permissions"]["pub"]["deny"][0], "audit.>");
}
