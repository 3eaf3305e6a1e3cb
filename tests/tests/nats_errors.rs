//! What is wrong with a store on NATS is told, with what to do, and nothing is half done.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::EventType;
use cim_core::text::Text;
use cim_core::version::ExpectedVersion;
use cim_host::clock;
use cim_host::store::EventStore as _;
use cim_tests::nats::{
    NatsProxy, NatsServer, STREAM, ServerOptions, code_of, make_store, new_stream,
};
use cim_tests::program::{Ran, cim_at_home};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn a_stream_that_is_absent_or_foreign() {
    let place = Place::new(ServerOptions::default());
    let ran = place.cim(&["read"]).exits(3);
    ran.says("there is no store at `nats://127.0.0.1:", "cim init");
    place.ask(
        "STREAM.CREATE.OTHER",
        &json!({ "name": "OTHER", "subjects": ["other.>"] }),
    );
    let url = format!("{}/OTHER", place.url);
    let ran = place.at(&url, &["read"]).exits(1);
    ran.says("no metadata `cim.store_id`", "name another");
    // A stream that takes the same subjects is in the way of a new store.
    place.ask(
        "STREAM.CREATE.WIDE",
        &json!({ "name": "WIDE", "subjects": ["local.>"] }),
    );
    let ran = place.cim(&[
        "import",
        SAMPLE,
        "--entity",
        "loan",
        "--id-field",
        "case",
        "--type-field",
        "activity",
        "--time-field",
        "time",
    ]);
    ran.exits(1).says("subjects overlap", "");
    place.has_no_stream("CIM-EVENTS");
}

#[test]
fn a_stream_that_is_not_set_up_for_appends() {
    let place = Place::with_store(ServerOptions::default());
    place.change(|config| config["max_age"] = json!(3_600_000_000_000_u64));
    place
        .append("a")
        .exits(1)
        .says("has an age limit", "cim doctor");
    place.cim(&["verify"]).exits(0);
    place.change(|config| config["max_age"] = json!(0));
    place.append("a").exits(0);

    // Single events go on without atomic batches; several at once do not.
    place.change(|config| config["allow_atomic"] = json!(false));
    place.append("a").exits(0);
    place.import().exits(1).says("(10174)", "cim doctor");
    place.change(|config| config["allow_atomic"] = json!(true));

    let there = place.ask("STREAM.INFO.CIM-EVENTS", &json!({}))["state"]["messages"].clone();
    place.change(|config| config["max_msgs"] = there.clone());
    place
        .append("a")
        .exits(1)
        .says("maximum messages exceeded", "limits");
    place.import().exits(1);
    let now = place.ask("STREAM.INFO.CIM-EVENTS", &json!({}))["state"]["messages"].clone();
    assert_eq!(now, there, "nothing is half done");
    place.change(|config| config["max_msgs"] = json!(-1));
    place.import().exits(0);
    place.cim(&["verify"]).exits(0);
}

/// When old events go, a history may lose its beginning, or all of it: then its version 1 could be
/// written a second time.
#[test]
fn a_stream_that_drops_events() {
    let limits = [("max_msgs", json!(1_000)), ("max_bytes", json!(1_000_000))];
    let place = Place::with_store(ServerOptions::default());
    place.append("a").exits(0);
    for (name, limit) in limits {
        place.change(|config| {
            config["discard"] = json!("old");
            config[name] = limit.clone();
        });
        place
            .append("a")
            .exits(1)
            .says("drops messages that are oldest", "cim doctor");
        place.import().exits(1).says("drops messages", "cim doctor");
        place.cim(&["verify"]).exits(0);
        // A full stream that refuses what is new keeps what it has.
        place.change(|config| config["discard"] = json!("new"));
        place.append("a").exits(0);
        place.change(|config| config[name] = json!(-1));
    }
    place.change(|config| config["discard"] = json!("old"));
    place.append("a").exits(0);

    // The limit of each subject drops the oldest whatever `discard` says, unless told otherwise.
    for discard in ["old", "new"] {
        place.change(|config| {
            config["discard"] = json!(discard);
            config["max_msgs_per_subject"] = json!(100);
        });
        place
            .append("a")
            .exits(1)
            .says("drops messages that are the oldest of their", "cim doctor");
    }
    place.change(|config| config["discard_new_per_subject"] = json!(true));
    place.append("a").exits(0);

    // Retention cannot be changed later.
    place.server.keep_account();
    let mut config = place.ask("STREAM.INFO.CIM-EVENTS", &json!({}))["config"].clone();
    place.ask("STREAM.DELETE.CIM-EVENTS", &json!({}));
    config["metadata"]["cim.store_id"] = json!("01a1fd1e-8c00-7000-8000-000000000000");
    for retention in ["interest", "workqueue"] {
        config["retention"] = json!(retention);
        place.ask("STREAM.CREATE.CIM-EVENTS", &config);
        place
            .append("a")
            .exits(1)
            .says("that consumers have acknowledged", "cim doctor");
        place.ask("STREAM.DELETE.CIM-EVENTS", &json!({}));
    }
}

#[test]
fn an_event_that_is_larger_than_the_server_takes() {
    let place = Place::with_store(ServerOptions {
        max_payload: Some(4096),
        ..ServerOptions::default()
    });
    let data = format!("{{\"note\":\"{}\"}}", "x".repeat(5000));
    place
        .cim(&["append", "loan", "a", "LoanOpened", "--data", &data])
        .exits(1)
        .says(
            "larger than the server's limit of 4096 bytes",
            "max_payload",
        );
    place.append("a").exits(0);
}

#[test]
fn a_user_that_may_not_write() {
    let users = r#"users: [
      { user: "admin", password: "pw" }
      { user: "reader", password: "pw", permissions: {
          publish: { allow: ["$JS.API.>"] }, subscribe: [">"] } }
    ]"#;
    let place = Place::with_options(
        ServerOptions {
            authorization: Some(users.to_owned()),
            ..ServerOptions::default()
        },
        "admin:pw@",
    );
    place.cim(&["init"]).exits(0);
    place.append("a").exits(0);
    let reader = place.url.replace("admin", "reader");
    place.at(&reader, &["verify"]).exits(0);
    let ran = place.at(
        &reader,
        &["append", "loan", "a", "LoanOpened", "--data", "{}"],
    );
    ran.exits(4)
        .says("local.main.events.loan.a.opened", "ask for the right");
    // A batch, of which the server refuses each message.
    let started = Instant::now();
    place
        .import_at(&reader)
        .exits(4)
        .says("local.main.events.loan.", "ask for the right");
    assert!(started.elapsed() < Duration::from_secs(10));
    place.cim(&["stats"]).exits(0).prints("events      1\n");
}

#[test]
fn an_account_that_is_full() {
    let accounts = r#"accounts { SMALL: {
      jetstream: { max_file: 65536 }, users: [{ user: "small", password: "pw" }] } }"#;
    let place = Place::with_options(
        ServerOptions {
            extra: accounts.to_owned(),
            ..ServerOptions::default()
        },
        "small:pw@",
    );
    place.cim(&["init"]).exits(0);
    let body = format!("\"{}\"", "x".repeat(40_000));
    let append = |id| place.cim(&["append", "loan", id, "LoanOpened", "--data", &body]);
    append("a").exits(0);
    append("b").exits(1).says("resource", "raise the limits");
    place.cim(&["stats"]).exits(0).prints("events      1\n");
}

/// It fails once, as while the server still removes what it has deleted: here it removes what is in
/// the way. The same command asks again.
#[test]
fn a_server_that_cannot_make_the_folder_of_a_stream() {
    let place = Place::new(ServerOptions::default());
    let streams = place.server.folder().join("data/jetstream/$G/streams");
    fs::create_dir_all(&streams).expect("a folder");
    fs::write(streams.join("CIM-EVENTS"), "").expect("written");
    place.cim(&["init"]).exits(0);
    let log = place.server.log();
    assert_eq!(log.matches("Stream create failed").count(), 1, "{log}");
}

/// Nothing is stored, and trying again would not help: that is told at once.
#[tokio::test]
async fn a_stream_that_is_taken_away_from_an_open_store() {
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let store = make_store(&server.url(), &new_stream(1), folder.path()).await;
    let deleted = server.ask(&format!("$JS.API.STREAM.DELETE.{STREAM}"), &json!({}));
    assert_eq!(deleted.expect("an answer")["success"], true);
    let event = NewEvent::json(
        clock::event_id(),
        &"loan".parse().expect("an entity"),
        EventType::new("LoanOpened").expect("a type"),
        clock::now(),
        Text::new("tests").expect("a source"),
        "{}".to_owned(),
    )
    .expect("a short operation");
    let key = "local.main.events.loan.a".parse().expect("a key");
    let append = Append::new(key, ExpectedVersion::NoStream, vec![event]);
    let answer = store.append(append).await;
    assert_eq!(code_of(&answer), "store-not-found", "{answer:?}");
}

#[test]
fn a_stream_that_was_made_again_is_another_store() {
    let place = Place::with_store(ServerOptions::default());
    place.append("a").exits(0);
    place.cim(&["stats"]).exits(0);
    let config = place.ask("STREAM.INFO.CIM-EVENTS", &json!({}))["config"].clone();
    place.server.keep_account();
    place.ask("STREAM.DELETE.CIM-EVENTS", &json!({}));
    place.ask("STREAM.CREATE.CIM-EVENTS", &config);
    // With the same store id, messages are missing that the index has seen.
    place.cim(&["read"]).exits(1).says("has lost messages", "");
    // With another id, it is another store, with an index of its own.
    place.change(|config| {
        config["metadata"]["cim.store_id"] = json!("01a1fd1e-8c00-7000-8000-000000000000");
    });
    place.append("a").exits(0).prints("v1");
}

/// An old server would take the messages of a batch one by one. This one only says that it is old.
#[test]
fn a_server_that_is_too_old() {
    let place = Place::with_store(ServerOptions::default());
    place.append("a").exits(0);
    let proxy = NatsProxy::start(&place.server.address());
    let old = proxy.url();
    let append = ["append", "loan", "a", "LoanOpened", "--data", "{}"];
    for version in ["2.10.29", "2.12.13", "2.14.3"] {
        proxy.tell_version(version);
        let name = place.server.name();
        let why = format!(
            "nats-server {version} on `{name}` is too old for a store: expected 2.12.14 or later \
             in 2.12, or 2.14.4 or later"
        );
        let told = place.at(&old, &append).exits(1);
        told.says(&why, "install a later nats-server; `cim doctor`");
        place.import_at(&old).exits(1).says(&why, "install");
        // Neither is a new store made, nor does one come about by the way.
        let new = format!("{old}/NEW");
        place.at(&new, &["init"]).exits(1).says(&why, "install");
        place.import_at(&new).exits(1).says(&why, "install");
        place.has_no_stream("NEW");
        // What is there can be read.
        place.at(&old, &["verify"]).exits(0);
        let found = place.at(&old, &["doctor", "--json"]).exits(7).json();
        let finding = found["findings"].as_array().and_then(|findings| {
            let is_it = |finding: &&Value| finding["code"] == "server-version";
            findings.iter().find(is_it)
        });
        let finding = finding.unwrap_or_else(|| panic!("{found}"));
        assert_eq!(finding["severity"], "unsafe", "{finding}");
        assert!(finding["what"].to_string().contains(version), "{finding}");
        assert!(finding["mend"].to_string().contains("2.12.14"), "{finding}");
    }
    place.cim(&["stats"]).exits(0).prints("events      1\n");
    for version in ["2.12.14", "2.14.4", "2.99.0", "of our own"] {
        proxy.tell_version(version);
        place.at(&old, &append).exits(0);
    }
    place.cim(&["stats"]).exits(0).prints("events      5\n");
}

#[test]
fn a_new_store_takes_its_namespace_and_shows_no_login() {
    let place = Place::with_options(
        ServerOptions {
            authorization: Some("user: ann, password: hunter2".to_owned()),
            ..ServerOptions::default()
        },
        "ann:hunter2@",
    );
    let ran = place
        .cim(&["init", "--namespace", "acme.it.infra", "--json"])
        .exits(0);
    let config = std::fs::read_to_string(place.folder.path().join("cim.toml"));
    let config = config.expect("it is written");
    for shown in [&ran.stdout, &ran.stderr, &config] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    ran.prints(&format!("nats://{}/CIM-EVENTS", place.server.address()));
    place.append("l-1").exits(0);
    place
        .cim(&["read", "loan", "l-1"])
        .exits(0)
        .prints("acme.it.infra.loan.l-1");

    let shown = format!("`nats://…@{}`", place.server.address());
    let ran = place.cim(&["projection", "list"]).exits(2);
    ran.says(&shown, "`sqlite:FILE`");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sample.csv");

/// A server, and a folder with the user's home.
struct Place {
    server: NatsServer,
    url: String,
    folder: TempDir,
}

impl Place {
    fn new(options: ServerOptions) -> Self {
        Self::with_options(options, "")
    }

    fn with_options(options: ServerOptions, user: &str) -> Self {
        let server = NatsServer::start(options);
        Self {
            url: format!("nats://{user}{}", server.address()),
            server,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn with_store(options: ServerOptions) -> Self {
        let place = Self::new(options);
        place.cim(&["init"]).exits(0);
        place
    }

    #[track_caller]
    fn cim(&self, arguments: &[&str]) -> Ran {
        self.at(&self.url, arguments)
    }

    #[track_caller]
    fn at(&self, url: &str, arguments: &[&str]) -> Ran {
        let folder: &Path = self.folder.path();
        cim_at_home(folder, &[arguments, &["--store", url]].concat())
    }

    #[track_caller]
    fn append(&self, id: &str) -> Ran {
        self.cim(&["append", "loan", id, "LoanOpened", "--data", "{}"])
    }

    #[track_caller]
    fn import(&self) -> Ran {
        self.import_at(&self.url)
    }

    #[track_caller]
    fn import_at(&self, url: &str) -> Ran {
        let fields = "--entity loan --id-field case --type-field activity --time-field time";
        let fields: Vec<_> = fields.split(' ').collect();
        self.at(url, &[&["import", SAMPLE], &fields[..]].concat())
    }

    fn ask(&self, call: &str, body: &Value) -> Value {
        let answer = self.server.ask(&format!("$JS.API.{call}"), body);
        answer.expect("an answer")
    }

    #[track_caller]
    fn has_no_stream(&self, name: &str) {
        let info = format!("$JS.API.STREAM.INFO.{name}");
        let refused = self.server.ask(&info, &json!({}));
        let refused = refused.expect_err("nothing is made").to_string();
        assert!(refused.contains("stream not found"), "{refused}");
    }

    /// Changes the configuration of the store's stream.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut config = self.ask("STREAM.INFO.CIM-EVENTS", &json!({}))["config"].clone();
        change(&mut config);
        let answer = self.ask("STREAM.UPDATE.CIM-EVENTS", &config);
        assert!(answer["error"].is_null(), "{answer}");
    }
}

trait Says {
    fn says(&self, error: &str, help: &str);
    fn prints(&self, part: &str);
}

impl Says for Ran {
    #[track_caller]
    fn says(&self, error: &str, help: &str) {
        assert!(
            self.stderr.contains(error),
            "{}: {}",
            self.command,
            self.stderr
        );
        let told = self.stderr.split("help: ").nth(1);
        let told = told.unwrap_or_else(|| panic!("no help: {}", self.stderr));
        assert!(told.contains(help), "{}", self.stderr);
    }

    #[track_caller]
    fn prints(&self, part: &str) {
        assert!(self.stdout.contains(part), "{}", self.stdout);
    }
}
