//! `cim doctor` on real servers: what it sees as which user, what it judges, and how it ends.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home};
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "support/identity.rs"]
mod identity;

const UNHEALTHY: i32 = 7;

#[test]
fn the_default_interval_on_one_server_is_unsafe() {
    let (server, monitor) = monitored(None);
    let place = Place::new(&server.url());
    place.cim(&["stream", "apply"]).exits(0);
    // A plain user sees nothing of it: what is not known to be safe is not called safe.
    let unseen = place.doctor(&[], UNHEALTHY);
    assert_eq!(bad(&unseen), [("sync".to_owned(), "unsafe".to_owned())]);
    assert!(text(&unseen, "sync", "what").contains("cannot be seen by this user"));
    assert!(text(&unseen, "sync", "mend").contains("--monitor"));
    let seen = place.doctor(&["--monitor", &monitor], UNHEALTHY);
    assert_eq!(bad(&seen), [("sync".to_owned(), "unsafe".to_owned())]);
    assert!(text(&seen, "sync", "what").starts_with("`sync_interval` is 2 minutes"));
    let ran = place
        .cim(&["doctor", "--monitor", &monitor])
        .exits(UNHEALTHY);
    let shown = format!("{}{}", ran.stdout, ran.stderr)
        .replace(&server.url(), "nats://SERVER")
        .replace(server.name(), "SERVER");
    insta::assert_snapshot!("doctor", shown);
}

#[test]
fn a_server_that_writes_before_it_acknowledges_is_safe() {
    let (server, monitor) = monitored(Some("always"));
    let place = Place::new(&server.url());
    let absent = place.doctor(&["--monitor", &monitor], 0);
    assert_eq!(
        bad(&absent),
        [("stream-absent".to_owned(), "warning".to_owned())]
    );
    place.cim(&["stream", "apply"]).exits(0);
    let seen = place.doctor(&["--monitor", &monitor], 0);
    assert_eq!(bad(&seen), []);
    assert_eq!(seen["verdict"], "ok");
    let mirror = json!({ "name": "BACKUP", "mirror": { "name": "CIM-EVENTS" } });
    let made = server.ask("$JS.API.STREAM.CREATE.BACKUP", &mirror);
    made.expect("a mirror");
    let seen = place.doctor(&["--monitor", &monitor], 0);
    let mirrored = ("stream-mirrored".to_owned(), "warning".to_owned());
    assert_eq!(bad(&seen), [mirrored]);
    assert!(text(&seen, "stream-mirrored", "what").contains("`BACKUP`"));
    let nowhere = place.doctor(&["--monitor", "http://127.0.0.1:1"], UNHEALTHY);
    assert!(text(&nowhere, "sync", "what").contains("http://127.0.0.1:1"));
}

#[test]
fn three_replicas_are_safe_for_a_plain_user_too() {
    let mut cluster = NatsCluster::start(3);
    let place = Place::with(&cluster.url(), "[event_store]\nreplicas = 3\n");
    place.cim(&["stream", "apply"]).exits(0);
    cluster.wait_until_current("CIM-EVENTS");
    assert_eq!(bad(&place.doctor(&[], 0)), []);
    // A server goes: the stream has two of three, and says so.
    let leader = cluster.leader_of("CIM-EVENTS");
    cluster.kill9((leader + 1) % 3);
    let started = Instant::now();
    loop {
        let found = bad(&place.cim(&["doctor", "--json"]).json());
        let codes: Vec<_> = found.iter().map(|(code, _)| code.as_str()).collect();
        match codes[..] {
            ["replica-offline"] => break,
            // The leader notices after a while, and there may have to be a new one.
            [] | ["replica-behind"] | ["jetstream" | "streams" | "no-leader", ..] => {}
            _ => panic!("{found:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{found:?}");
    }
}

#[test]
fn a_user_of_the_system_account_sees_the_settings() {
    let operator = identity::Operator::new();
    let server = NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        extra: operator.config(),
        ..ServerOptions::default()
    });
    let place = Place::new(&server.url());
    let write = |name: &str, text: String| {
        fs::write(place.path().join(name), text).expect("a writable folder");
    };
    write("user.creds", operator.creds(None));
    write("system.creds", operator.system_creds());
    place.append("creds = \"user.creds\"\n");
    place.cim(&["stream", "apply"]).exits(0);
    place.doctor(&[], UNHEALTHY);
    let seen = place.doctor(&["--system-creds", "system.creds"], 0);
    assert_eq!(bad(&seen), []);
    let what = text(&seen, "sync", "what");
    assert_eq!(
        what,
        format!("`sync_interval` is `always` on `{}`", server.name())
    );
}

#[test]
fn an_account_may_import_the_settings() {
    let server = NatsServer::start(ServerOptions {
        sync_interval: Some("always".to_owned()),
        extra: "accounts {\n\
                $SYS { users: [{ user: sys, password: p }]\n\
                exports: [{ service: \"$SYS.REQ.SERVER.PING.>\", response_type: stream }] }\n\
                A { jetstream: enabled, users: [{ user: u, password: p }]\n\
                imports: [{ service: { account: \"$SYS\", subject: \"$SYS.REQ.SERVER.PING.VARZ\" } }] }\n\
                }\n"
            .to_owned(),
        ..ServerOptions::default()
    });
    let place = Place::new(&server.url());
    place.append("user = \"u\"\npassword = \"p\"\n");
    place.cim(&["stream", "apply"]).exits(0);
    assert_eq!(bad(&place.doctor(&[], 0)), []);
}

#[test]
fn what_a_user_may_not_do_is_named() {
    let users = "users: [\n\
        { user: all, password: p }\n\
        { user: reader, password: p, permissions: {\n\
          publish: [\"$JS.API.>\", \"$SYS.REQ.USER.INFO\"], subscribe: \"_INBOX.>\" } }\n\
        { user: blind, password: p, permissions: {\n\
          publish: [\"local.>\", \"$JS.API.>\"], subscribe: \"_INBOX.>\" } }\n\
        { user: half, password: p, permissions: {\n\
          publish: { allow: [\"local.>\", \"$JS.API.>\", \"$SYS.REQ.USER.INFO\"],\n\
                     deny: \"$JS.API.DIRECT.>\" }, subscribe: \"_INBOX.>\" } }\n]";
    let (server, monitor) = monitored_with(ServerOptions {
        sync_interval: Some("always".to_owned()),
        authorization: Some(users.to_owned()),
        ..ServerOptions::default()
    });
    let examine = |user: &str| {
        let place = Place::new(&server.url());
        place.append(&format!("user = \"{user}\"\npassword = \"p\"\n"));
        if user == "all" {
            place.cim(&["stream", "apply"]).exits(0);
        }
        place.doctor(&["--monitor", &monitor], 0)
    };
    assert_eq!(bad(&examine("all")), []);
    let reader = examine("reader");
    assert_eq!(
        text(&reader, "cannot-append", "what"),
        "this user may not publish to \"local.main.events.*.*.*\""
    );
    let blind = examine("blind");
    assert!(text(&blind, "permissions", "mend").contains("$SYS.REQ.USER.INFO"));
    let half = examine("half");
    assert_eq!(
        text(&half, "cannot-read", "what"),
        "this user may not publish to \"$JS.API.DIRECT.GET.CIM-EVENTS\", for reading histories"
    );
}

#[test]
fn a_stream_that_forgets_is_unsafe() {
    let (server, monitor) = monitored(Some("always"));
    let place = Place::new(&server.url());
    place.cim(&["stream", "apply"]).exits(0);
    let info = server.ask("$JS.API.STREAM.INFO.CIM-EVENTS", &json!({}));
    let mut config = info.expect("a stream")["config"].clone();
    config["max_age"] = json!(3_600_000_000_000_u64);
    config["allow_atomic"] = json!(false);
    server
        .ask("$JS.API.STREAM.UPDATE.CIM-EVENTS", &config)
        .expect("changed");
    let found = place.doctor(&["--monitor", &monitor], UNHEALTHY);
    let expect = [("stream-expires", "unsafe"), ("stream-differs", "warning")];
    let expect = expect.map(|(code, severity)| (code.to_owned(), severity.to_owned()));
    assert_eq!(bad(&found), expect);
    // What it says to type mends it.
    assert_eq!(text(&found, "stream-expires", "mend"), "cim stream apply");
    place.cim(&["stream", "apply"]).exits(0);
    assert_eq!(bad(&place.doctor(&["--monitor", &monitor], 0)), []);
}

#[test]
fn a_server_without_jetstream_is_unsafe() {
    let server = NatsServer::start(ServerOptions {
        jetstream: false,
        ..ServerOptions::default()
    });
    let found = Place::new(&server.url()).doctor(&[], UNHEALTHY);
    assert!(
        text(&found, "jetstream", "mend").contains("jetstream {}"),
        "{found}"
    );
}

#[test]
fn nobody_there_is_no_finding() {
    let place = Place::new("nats://127.0.0.1:1");
    let ran = place.cim(&["doctor"]).exits(9);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
}

#[test]
fn a_store_in_a_file_is_examined_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let cim = |arguments: &[&str]| cim_at_home(folder.path(), arguments);
    cim(&["doctor"]).exits(3);
    cim(&["init"]).exits(0);
    let found = cim(&["doctor", "--json"]).exits(0).json();
    assert_eq!(
        (&found["schema"], &found["verdict"]),
        (&json!("cim.doctor/v1"), &json!("ok"))
    );
    assert_eq!(bad(&found), []);
    let toml = folder.path().join("cim.toml");
    let text = fs::read_to_string(&toml).expect("a configuration");
    fs::write(
        &toml,
        format!("{text}\n[event_store]\nmax_events_per_aggregate = 1\n"),
    )
    .expect("a writable folder");
    for _ in 0..2 {
        cim(&["append", "key", "k1", "KeyGenerated"]).exits(0);
    }
    let found = cim(&["doctor", "--json"]).exits(0).json();
    assert_eq!(
        bad(&found),
        [("long-history".to_owned(), "warning".to_owned())]
    );
}

/// A folder with a `cim.toml` for a server.
struct Place(TempDir);

impl Place {
    fn new(url: &str) -> Self {
        Self::with(url, "")
    }

    fn with(url: &str, before: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        let text = format!("store = \"{url}\"\n{before}[nats]\n");
        fs::write(place.path().join("cim.toml"), text).expect("a writable folder");
        place
    }

    /// Adds to `[nats]`.
    fn append(&self, lines: &str) {
        let path = self.path().join("cim.toml");
        let text = fs::read_to_string(&path).expect("a configuration") + lines;
        fs::write(&path, text).expect("a writable folder");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.path(), arguments)
    }

    #[track_caller]
    fn doctor(&self, arguments: &[&str], code: i32) -> Value {
        let arguments = [&["doctor", "--json"], arguments].concat();
        self.cim(&arguments).exits(code).json()
    }
}

/// A server with a monitoring port, and its address.
fn monitored(sync_interval: Option<&str>) -> (NatsServer, String) {
    monitored_with(ServerOptions {
        sync_interval: sync_interval.map(str::to_owned),
        ..ServerOptions::default()
    })
}

fn monitored_with(options: ServerOptions) -> (NatsServer, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let server = NatsServer::start(ServerOptions {
        extra: format!("http: \"{address}\"\n"),
        ..options
    });
    (server, format!("http://{address}"))
}

/// The findings that are not well.
fn bad(document: &Value) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().expect("findings");
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    findings
        .iter()
        .filter(|finding| finding["severity"] != "ok")
        .map(|finding| (text(finding, "code"), text(finding, "severity")))
        .collect()
}

/// A part of the finding with this code.
#[track_caller]
fn text(document: &Value, code: &str, key: &str) -> String {
    let mut findings = document["findings"].as_array().into_iter().flatten();
    let finding = findings.find(|finding| finding["code"] == code);
    let part = finding.and_then(|finding| finding[key].as_str());
    part.unwrap_or_else(|| panic!("no `{key}` of `{code}` in {document}"))
        .to_owned()
}
