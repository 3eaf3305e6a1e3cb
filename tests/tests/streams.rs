//! Streams as code on a real server: what `plan` says comes true, what `apply` changes and what it
//! leaves alone, and the trials of nats-server that both rest on.

use std::fs;
use std::io;
use std::path::Path;

use cim_core::subject::SubjectFilter;
use cim_host::config::Config;
use cim_host::jetstream::plan::{
    Action, Effect, Loss, PlanError, Planned, StreamPlan, apply, difference, parse_store, plan,
};
use cim_host::jetstream::{JetStreamClient, JetStreamPort, NatsOptions, StreamConfig};
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home};
use serde_json::{Value, json};

const CONFIG: &str = "namespace = \"o.u.person\"\n\
                      [[stream]]\npreset = \"KEYS_EVENTS\"\n\
                      [[stream]]\npreset = \"KEYS_COMMANDS\"\n\
                      [[stream]]\nname = \"PERSON_DLQ\"\nkind = \"dead-letters\"\n";

#[tokio::test]
async fn applied_again_nothing_changes() {
    let server = NatsServer::start(ServerOptions::default());
    let client = connect(&server).await;
    let plans = plans(CONFIG);
    let first = plan(&client, &plans).await.expect("a plan");
    assert_eq!(actions(&first), [Action::Create; 4]);
    apply(&client, &first, Loss::Refuse).await.expect("made");
    let made = client.streams().await.expect("streams");
    let again = plan(&client, &plans).await.expect("a plan");
    assert!(again.is_done(), "{again:?}");
    apply(&client, &again, Loss::Allow)
        .await
        .expect("nothing to do");
    assert_eq!(client.streams().await.expect("streams"), made);
    // A plan that is older than its own application is not carried out twice.
    let error = apply(&client, &first, Loss::Allow)
        .await
        .expect_err("an old plan");
    assert!(
        matches!(error, PlanError::ChangedMeanwhile { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_would_lose_messages_needs_leave() {
    let server = NatsServer::start(ServerOptions::default());
    let client = connect(&server).await;
    carry_out(&client, CONFIG, Loss::Refuse)
        .await
        .expect("made");
    for n in 0..3 {
        let subject = "keys.events.key.generated";
        server.ask(subject, &json!(n)).expect("stored");
    }
    let smaller = CONFIG.replace(
        "\"KEYS_EVENTS\"",
        "\"KEYS_EVENTS\"\nmax_messages = 1\nretention_days = 30",
    );
    // A stream that could be made is not made either.
    let more = format!("{smaller}[[stream]]\nname = \"MORE\"\nkind = \"commands\"\n");
    let error = carry_out(&client, &more, Loss::Refuse)
        .await
        .expect_err("a loss");
    assert_eq!(error.code(), "stream-would-lose");
    assert_eq!(messages(&client, "KEYS_EVENTS").await, Some(3));
    assert_eq!(messages(&client, "MORE").await, None);
    carry_out(&client, &more, Loss::Allow)
        .await
        .expect("leave was given");
    assert_eq!(messages(&client, "KEYS_EVENTS").await, Some(1));
    assert_eq!(messages(&client, "MORE").await, Some(0));
    // The way back loses nothing.
    let back = CONFIG.replace("\"KEYS_EVENTS\"", "\"KEYS_EVENTS\"\nretention_days = 365");
    carry_out(&client, &back, Loss::Refuse)
        .await
        .expect("more room");
}

#[tokio::test]
async fn what_is_not_ours_on_a_stream_stays() {
    let server = NatsServer::start(ServerOptions::default());
    let client = connect(&server).await;
    carry_out(&client, CONFIG, Loss::Refuse)
        .await
        .expect("made");
    let before = client.stream_info("CIM-EVENTS").await.expect("an answer");
    let mut config = before.expect("a stream").config;
    let store = parse_store(&config).expect("a store");
    config.other.insert("compression".to_owned(), "s2".into());
    config.other.insert("description".to_owned(), "ours".into());
    config.metadata.insert("team".to_owned(), "keys".to_owned());
    client
        .update_stream(&config)
        .await
        .expect("changed by somebody");
    let narrower = "namespace = \"o.u.person\"\n[event_store]\nmax_events_per_aggregate = 5\n\
                    [[stream]]\npreset = \"KEYS_EVENTS\"\nmax_bytes = 1000000\n";
    let planned = plan(&client, &plans(narrower)).await.expect("a plan");
    assert_eq!(actions(&planned), [Action::Keep, Action::Change]);
    // A change of the store's own stream: it may be larger than before.
    config.max_bytes = 1 << 20;
    client
        .update_stream(&config)
        .await
        .expect("changed by somebody");
    carry_out(&client, narrower, Loss::Allow)
        .await
        .expect("changed");
    let after = client.stream_info("CIM-EVENTS").await.expect("an answer");
    let after = after.expect("a stream").config;
    assert_eq!(parse_store(&after), Ok(store), "the store stays the same");
    assert_eq!(
        (after.max_bytes, &after.other["compression"]),
        (-1, &json!("s2"))
    );
    assert_eq!(after.other["description"], "ours");
    assert_eq!(after.metadata["team"], "keys");
}

#[tokio::test]
async fn another_template_makes_no_other_store() {
    let server = NatsServer::start(ServerOptions::default());
    let client = connect(&server).await;
    carry_out(&client, "namespace = \"o.u.d\"", Loss::Refuse)
        .await
        .expect("made");
    let before = client.streams().await.expect("streams");
    let other = "namespace = \"o.u.d\"\n[template]\nsubject = \
                 \"{organization}.{unit}.{domain}.events.{entity}.{id}.{operation}\"";
    let error = carry_out(&client, other, Loss::Allow)
        .await
        .expect_err("another store");
    assert_eq!(error.code(), "stream-cannot-change");
    assert_eq!(client.streams().await.expect("streams"), before);
}

/// A stream of a trial.
struct Stream<'a> {
    server: &'a NatsServer,
    name: &'a str,
}

impl<'a> Stream<'a> {
    fn new(server: &'a NatsServer, name: &'a str) -> Self {
        Self { server, name }
    }

    fn ask(&self, call: &str, body: &Value) -> io::Result<Value> {
        let subject = format!("$JS.API.STREAM.{call}.{}", self.name);
        self.server.ask(&subject, body)
    }

    fn named(&self, config: &Value) -> Value {
        let mut config = config.clone();
        config["name"] = json!(self.name);
        config
    }

    /// Whether the server does it; silence is no refusal.
    #[track_caller]
    fn takes(&self, call: &str, config: &Value) -> bool {
        match self.ask(call, &self.named(config)) {
            Ok(_) => true,
            Err(error) if error.to_string().contains("err_code") => false,
            Err(error) => panic!("{call}: {error}"),
        }
    }
}

/// The trial that [`difference`] rests on: of each change of one field, the server refuses exactly
/// what we call impossible.
#[test]
fn the_server_refuses_what_is_called_impossible() {
    let server = NatsServer::start(ServerOptions::default());
    server.keep_account();
    let strict = json!({
        "subjects": ["a.*", "b.*"], "discard": "new", "num_replicas": 1,
        "duplicate_window": 120_000_000_000_u64, "deny_delete": true, "deny_purge": true,
        "allow_direct": true, "allow_atomic": true, "metadata": { "a": "b" },
    });
    let free = json!({ "subjects": ["a.*", "b.*"], "discard": "old" });
    let queue = json!({ "subjects": ["a.*"], "retention": "workqueue" });
    let interest = json!({ "subjects": ["a.*"], "retention": "interest" });
    let day = 86_400_000_000_000_u64;
    let stream = Stream::new(&server, "S");
    let mut refused = 0;
    for (base, change) in [
        (&strict, json!({ "storage": "memory" })),
        (&strict, json!({ "deny_delete": false })),
        (&strict, json!({ "deny_purge": false })),
        (&strict, json!({ "retention": "workqueue" })),
        (&strict, json!({ "discard": "old" })),
        (&strict, json!({ "allow_direct": false })),
        (&strict, json!({ "allow_atomic": false })),
        (&strict, json!({ "max_age": day })),
        (&strict, json!({ "max_msgs": 9 })),
        (&strict, json!({ "max_msgs_per_subject": 9 })),
        (&strict, json!({ "max_bytes": 99_999 })),
        (&strict, json!({ "max_msg_size": 999 })),
        (&strict, json!({ "duplicate_window": 1_000_000_000 })),
        (&strict, json!({ "subjects": ["a.*"] })),
        (&strict, json!({ "subjects": ["c.*"] })),
        (&strict, json!({ "metadata": { "a": "c" } })),
        (&free, json!({ "deny_delete": true })),
        (&free, json!({ "deny_purge": true })),
        (&free, json!({ "discard": "new" })),
        (&free, json!({ "allow_direct": true })),
        (&free, json!({ "allow_atomic": true })),
        (&free, json!({ "retention": "interest" })),
        (&interest, json!({ "retention": "limits" })),
        (&interest, json!({ "retention": "workqueue" })),
        (&queue, json!({ "retention": "limits" })),
        (&queue, json!({ "retention": "interest" })),
    ] {
        let answer = stream.ask("CREATE", &stream.named(base)).expect("made");
        let found = config(&answer["config"]);
        let mut wanted = answer["config"].clone();
        for (key, value) in change.as_object().expect("fields") {
            wanted[key] = value.clone();
        }
        let taken = stream.takes("UPDATE", &wanted);
        let changes = difference(&found, &config(&wanted));
        assert_eq!(changes.len(), 1, "{change}: {changes:?}");
        let is_impossible = matches!(changes[0].effect, Effect::Impossible { .. });
        assert_eq!(taken, !is_impossible, "{change}: {changes:?}");
        refused += usize::from(!taken);
        stream.ask("DELETE", &json!({})).expect("deleted");
    }
    assert_eq!(refused, 7);
}

/// The trial that overlaps rest on: the server refuses a second stream exactly where our filters
/// overlap.
#[test]
fn the_server_refuses_what_overlaps() {
    let server = NatsServer::start(ServerOptions::default());
    server.keep_account();
    let filters = [
        "o.u.d.*.*.*",
        "o.u.d.*.*",
        "o.>",
        "o.u.*.key.>",
        "o.u.d.key.k1.made",
        "x.*",
    ];
    let [a, b] = ["A", "B"].map(|name| Stream::new(&server, name));
    for one in filters {
        assert!(a.takes("CREATE", &json!({ "subjects": [one] })));
        for other in filters {
            let taken = b.takes("CREATE", &json!({ "subjects": [other] }));
            let filter: SubjectFilter = one.parse().expect("a filter");
            assert_eq!(taken, !filter.overlaps(other), "{one} and {other}");
            if taken {
                b.ask("DELETE", &json!({})).expect("deleted");
            }
        }
        a.ask("DELETE", &json!({})).expect("deleted");
    }
}

#[test]
fn the_command_tells_what_it_does() {
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let said = |arguments: &str, code: i32| {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let ran = cim_at_home(folder.path(), &arguments).exits(code);
        shown(&ran, &arguments, &server)
    };
    write(folder.path(), &server, CONFIG);
    let mut all = said("stream plan", 0) + &said("stream apply", 0);
    all += &said("stream apply", 0);
    all += &said("stream info", 0);
    all += &said("stream info KEYS_COMMANDS", 0);
    all += &said("consumer list", 0);
    let consumer = json!({ "stream_name": "KEYS_EVENTS", "config": {
        "durable_name": "audit", "filter_subject": "keys.events.key.*", "ack_policy": "explicit",
    } });
    let subject = "$JS.API.CONSUMER.CREATE.KEYS_EVENTS.audit.keys.events.key.*";
    server.ask(subject, &consumer).expect("a consumer");
    server
        .ask("keys.events.key.generated", &json!(1))
        .expect("stored");
    all += &said("consumer list KEYS_EVENTS", 0);
    all += &said("consumer list KEYS_EVENTS --json", 0);
    let other = CONFIG.replace("\"KEYS_EVENTS\"", "\"KEYS_EVENTS\"\nretention_days = 30");
    write(folder.path(), &server, &other);
    all += &said("stream plan", 0);
    all += &said("stream apply", 4);
    all += &said("stream apply --allow-loss", 0);
    let queue = CONFIG.replace(
        "\"dead-letters\"",
        "\"commands\"\nsubjects = [\"person.dlq.>\"]",
    );
    write(folder.path(), &server, &queue);
    all += &said("stream apply --allow-loss", 1);
    let overlap = "[[stream]]\nname = \"ALL\"\nkind = \"published-events\"\n\
                   subjects = [\"keys.>\"]\n";
    write(
        folder.path(),
        &server,
        &format!("namespace = \"o.u.person\"\n{overlap}"),
    );
    all += &said("stream plan", 0);
    all += &said("stream apply", 1);
    write(folder.path(), &server, &format!("{CONFIG}{overlap}"));
    all += &said("stream plan", 2);
    write(folder.path(), &server, &format!("{CONFIG}replicas = 3\n"));
    all += &said("stream apply", 1);
    all += &said("stream info MISSING", 3);
    all += &said("consumer list MISSING", 3);
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("streams", all);
    });
}

#[test]
fn programs_read_one_document() {
    let server = NatsServer::start(ServerOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &server, CONFIG);
    let run = |arguments: &[&str]| cim_at_home(folder.path(), arguments).exits(0).json();
    let planned = run(&["stream", "plan", "--json"]);
    assert_eq!(planned["schema"], "cim.stream.plan/v1");
    assert_eq!(
        (&planned["done"], &planned["refused"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(planned["streams"][0]["action"], "create");
    let applied = run(&["stream", "apply", "--json"]);
    assert_eq!(applied["schema"], "cim.stream.apply/v1");
    assert_eq!(run(&["stream", "plan", "--json"])["done"], true);
    let info = run(&["stream", "info", "CIM-EVENTS", "--json"]);
    assert_eq!(info["schema"], "cim.stream.info/v1");
    let made = &applied["streams"][0]["config"]["metadata"]["cim.store_id"];
    assert_eq!(&info["streams"][0]["store_id"], made);
    // Smaller: the document says why it is refused.
    let other = CONFIG.replace("\"KEYS_EVENTS\"", "\"KEYS_EVENTS\"\nretention_days = 30");
    write(folder.path(), &server, &other);
    let planned = run(&["stream", "plan", "--json"]);
    assert_eq!(planned["refused"]["code"], "stream-would-lose");
    let change = &planned["streams"][1]["changes"][0];
    assert_eq!(
        (&change["field"], &change["effect"]),
        (&json!("max_age"), &json!("may-lose"))
    );
}

async fn connect(server: &NatsServer) -> JetStreamClient {
    let options = NatsOptions::new(&server.url()).expect("a URL");
    JetStreamClient::connect(&options)
        .await
        .expect("a connection")
}

fn plans(text: &str) -> Vec<StreamPlan> {
    let config = Config::parse(text).expect("a configuration");
    StreamPlan::from_config(&config, None).expect("plans")
}

async fn carry_out(client: &JetStreamClient, text: &str, loss: Loss) -> Result<(), PlanError> {
    let planned = plan(client, &plans(text)).await?;
    apply(client, &planned, loss).await
}

fn actions(planned: &Planned) -> Vec<Action> {
    planned
        .streams
        .iter()
        .map(|stream| stream.action())
        .collect()
}

async fn messages(client: &JetStreamClient, stream: &str) -> Option<u64> {
    let info = client.stream_info(stream).await.expect("an answer")?;
    Some(info.state.messages)
}

fn config(json: &Value) -> StreamConfig {
    serde_json::from_value(json.clone()).expect("a configuration")
}

/// A `cim.toml` for this server; tables of streams stand last.
fn write(folder: &Path, server: &NatsServer, text: &str) {
    let (top, streams) = text.split_once("[[stream]]").expect("a stream");
    let nats = format!(
        "{top}[nats]\nurl = \"{}\"\n[[stream]]{streams}",
        server.url()
    );
    fs::write(folder.join("cim.toml"), nats).expect("a writable folder");
}

/// What was typed and printed, without what differs from run to run.
fn shown(ran: &Ran, arguments: &[&str], server: &NatsServer) -> String {
    let mut text = format!(
        "$ cim {}\n{}{}exit code {}\n\n",
        arguments.join(" "),
        ran.stdout,
        ran.stderr,
        ran.code
    );
    text = text
        .replace(&server.url(), "nats://SERVER")
        .replace(server.name(), "SERVER");
    let created = text.lines().map(|line| match line.split_once("created  ") {
        Some((before, time)) if time.trim_start().starts_with("20") => {
            format!("{before}created TIME")
        }
        _ => line.to_owned(),
    });
    created.collect::<Vec<_>>().join("\n") + "\n"
}
