//! Streams that older services wrote by hand become stores: `cim import URL/STREAM --format
//! cim-headers`.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{self, Context};
use cim_tests::cim_binary;
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

const COMMON: [&str; 4] = ["--format", "cim-headers", "--id-field", "/key_id"];

#[tokio::test]
async fn older_events_are_adopted_into_both_stores_with_the_same_heads() {
    let place = Place::new().await;
    // A work queue would hand its messages to one consumer: none is made.
    let config = Config {
        retention: RetentionPolicy::WorkQueue,
        ..stream("OLD", &["cowboyai.security.keys.*.*"])
    };
    place.make(config).await;
    for number in 0..150 {
        place.publish(&Old::new(number)).await;
    }
    // Gaps: in the middle and at the end.
    let mut left: Vec<u64> = (0..149).filter(|number| number % 10 != 3).collect();
    for number in (0..150).filter(|number| !left.contains(number)) {
        place.delete("OLD", number + 1).await;
    }
    let new_store = format!("{}/NEW", place.url());
    let stores = ["sqlite:new.db", new_store.as_str()];
    for store in stores {
        let ran = place.adopt("OLD", store, &COMMON).exits(0);
        assert_eq!(
            ran.stdout,
            "134 events of 7 aggregates and 3 types: 134 appended, 0 were there already\n"
        );
        assert_eq!(
            ran.stderr,
            "Times without an offset are read as UTC: 29 in this stream.\n\
             Times are kept in microseconds: 30 were finer, and what is finer was cut off.\n"
        );
        place.has_stored(store, &left);
    }
    assert_eq!(place.verified(stores[0]), place.verified(stores[1]));

    for number in 150..180 {
        place.publish(&Old::new(number)).await;
    }
    left.extend(150..180);
    for store in stores {
        let ran = place.adopt("OLD", store, &COMMON).exits(0);
        assert_eq!(
            ran.stdout,
            "164 events of 7 aggregates and 3 types: 30 appended, 134 were there already\n"
        );
        let ran = place.adopt("OLD", store, &[&COMMON[..], &["--json"]].concat());
        let expect = json!({
            "schema": "cim.import/v1",
            "events": 164,
            "appended": 0,
            "present": 164,
            "aggregates": 7,
            "types": 3,
            "repeated": 0,
            "times_without_offset": 37,
            "times_cut": 37,
        });
        assert_eq!(ran.exits(0).json(), expect);
        place.has_stored(store, &left);
    }
    assert_eq!(place.verified(stores[0]), place.verified(stores[1]));
    let consumers = place.ask("CONSUMER.NAMES.OLD", &json!({}));
    assert_eq!(consumers["total"], 0, "{consumers}");
}

#[tokio::test]
async fn subjects_with_an_id_and_without_are_one_history() {
    let place = Place::new().await;
    place
        .make(stream("MIXED", &["cowboyai.>", "other.>"]))
        .await;
    for number in 0..60 {
        let mut old = Old::new(number);
        if number >= 20 {
            old.subject = format!(
                "cowboyai.security.keys.key.{}.{}",
                old.key(),
                old.operation()
            );
        }
        place.publish(&old).await;
        let mut other = Old::new(number + 100);
        other.subject = "other.log".to_owned();
        other.headers.clear();
        place.publish(&other).await;
    }
    let filtered = [&COMMON[..], &["--filter", "cowboyai.>"]].concat();
    let ran = place.adopt("MIXED", "sqlite:new.db", &filtered).exits(0);
    assert!(
        ran.stdout.starts_with("60 events of 7 aggregates"),
        "{}",
        ran.stdout
    );
    place.has_stored("sqlite:new.db", &(0..60).collect::<Vec<_>>());

    // The layout of `KEYS_EVENTS`, whose namespace stands in `cim.toml`.
    place.make(stream("KEYS_EVENTS", &["keys.events.>"])).await;
    for number in 0..60 {
        let mut old = Old::new(number);
        old.subject = format!("keys.events.key.{}", old.operation());
        place.publish(&old).await;
    }
    place.make(stream("BY_ID", &["compute.>"])).await;
    for number in 0..60 {
        let mut old = Old::new(number);
        old.subject = format!("compute.{}.{}", old.key(), old.operation());
        place.publish(&old).await;
    }
    let namespace = "namespace = \"cowboyai.security.keys\"\n";
    std::fs::write(place.folder().join("cim.toml"), namespace).expect("a file");
    let layout = ["--subject", "keys.events.{entity}.{operation}"];
    let keys = [&COMMON[..], &layout].concat();
    place.adopt("KEYS_EVENTS", "sqlite:keys.db", &keys).exits(0);
    // The stream's format is told from its URL.
    let by_id = ["--subject", "compute.{id}.{operation}", "--entity", "key"];
    place.adopt("BY_ID", "sqlite:by-id.db", &by_id).exits(0);
    for store in ["sqlite:keys.db", "sqlite:by-id.db"] {
        assert_eq!(place.verified(store), place.verified("sqlite:new.db"));
    }
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_where_it_was() {
    let place = Place::new().await;
    place
        .make(stream("OLD", &["cowboyai.security.keys.*.*"]))
        .await;
    let total = 6000;
    place.publish_all(0..total).await;
    place.adopt("OLD", "sqlite:whole.db", &COMMON).exits(0);

    place.cim(&["init", "--store", "sqlite:killed.db"]).exits(0);
    let source = format!("{}/OLD", place.url());
    let mut import = Command::new(cim_binary())
        .args(["import", &source, "--store", "sqlite:killed.db"])
        .args(COMMON)
        .current_dir(place.folder())
        .env_clear()
        .env("HOME", place.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`cim` starts");
    let file = Connection::open(place.folder().join("killed.db")).expect("the store");
    let stored = loop {
        // Whoever has the lock stops the import between two of its commits.
        if file.execute_batch("BEGIN IMMEDIATE").is_ok() {
            let count = "SELECT count(*) FROM events";
            let stored: i64 = file
                .query_row(count, [], |row| row.get(0))
                .expect("a count");
            if stored > 0 {
                import.kill().expect("it runs");
                import.wait().expect("it ends");
                file.execute_batch("ROLLBACK").expect("a transaction");
                break stored.cast_unsigned();
            }
            file.execute_batch("ROLLBACK").expect("a transaction");
        }
        let ended = import.try_wait().expect("a process");
        assert_eq!(ended, None, "the import was not seen while it ran");
    };
    drop(file);
    assert!(
        stored < total,
        "{stored} of {total} were stored before it was killed"
    );
    let ran = place.adopt("OLD", "sqlite:killed.db", &COMMON).exits(0);
    let rest = total - stored;
    assert_eq!(
        ran.stdout,
        format!(
            "{total} events of 7 aggregates and 3 types: {rest} appended, {stored} were there \
             already\n"
        )
    );
    assert_eq!(
        place.verified("sqlite:killed.db"),
        place.verified("sqlite:whole.db")
    );
}

#[tokio::test]
async fn an_import_that_a_full_stream_stopped_goes_on_where_it_was() {
    let place = Place::new().await;
    place
        .make(stream("OLD", &["cowboyai.security.keys.*.*"]))
        .await;
    let store = format!("{}/NEW", place.url());
    place.publish_all(0..10).await;
    place.adopt("OLD", &store, &COMMON).exits(0);
    place.publish_all(10..1500).await;
    place.adopt("OLD", "sqlite:whole.db", &COMMON).exits(0);
    let mut config = place.ask("STREAM.INFO.NEW", &json!({}))["config"].clone();
    config["max_msgs"] = json!(700);
    place.ask("STREAM.UPDATE.NEW", &config);
    let ran = place.adopt("OLD", &store, &COMMON).exits(1);
    assert!(
        ran.stderr.contains("maximum messages exceeded"),
        "{}",
        ran.stderr
    );
    let stored = &place.ask("STREAM.INFO.NEW", &json!({}))["state"]["messages"];
    let stored = stored.as_u64().expect("a count");
    assert!((10..=700).contains(&stored), "{stored}");
    config["max_msgs"] = json!(-1);
    place.ask("STREAM.UPDATE.NEW", &config);
    let ran = place.adopt("OLD", &store, &COMMON).exits(0);
    let rest = format!("{} appended, {stored} were there already", 1500 - stored);
    assert!(ran.stdout.contains(&rest), "{}", ran.stdout);
    assert_eq!(place.verified(&store), place.verified("sqlite:whole.db"));
}

#[tokio::test]
async fn bad_messages_are_named_and_nothing_is_written() {
    let place = Place::new().await;
    let missing = "help: an event has the headers CIM-Event-Id, CIM-Correlation-Id, \
                   CIM-Event-Type, CIM-Timestamp, CIM-Source and Nats-Msg-Id; to leave others \
                   out, use `--filter SUBJECT`\n";
    let otherwise = "help: nothing was imported: leave the message out with `--filter SUBJECT`, \
                     or publish the events as they should be in a new stream, and import that\n";
    place
        .bad(
            &[&|_| {}, &|old| old.without("CIM-Source"), &|_| {}],
            &COMMON,
        )
        .await
        .says(&format!(
            "error: 1 of 3 messages of the stream `OLD` cannot be imported\n\
             caused by: message 2 on `cowboyai.security.keys.key.rotated`: the header \
             `CIM-Source` is missing\n{missing}"
        ));
    place
        .bad(
            &[&|old| old.set("CIM-Timestamp", "soon"), &|_| {}, &|old| {
                old.set("CIM-Event-Id", "123e4567-e89b-42d3-a456-426614174000")
            }],
            &COMMON,
        )
        .await
        .says(&format!(
            "error: 2 of 3 messages of the stream `OLD` cannot be imported\n\
             caused by: 1. message 1 on `cowboyai.security.keys.key.generated`: in the header \
             `CIM-Timestamp`: `soon` is not a time: expected one like `2026-11-21T08:00:00Z`\n\
             caused by: 2. message 3 on `cowboyai.security.keys.key.revoked`: in the header \
             `CIM-Event-Id`: `123e4567-e89b-42d3-a456-426614174000` is not an event id: it must \
             be a UUID of version 7\n{otherwise}"
        ));
    let strange: &Change = &|old| {
        old.headers.clear();
        old.subject = "logs.line".to_owned();
    };
    place
        .bad(&[&|_| {}, strange, strange, &|_| {}], &COMMON)
        .await
        .says(
            "error: 2 of 4 messages of the stream `OLD` cannot be imported\n\
             caused by: message 2 on `logs.line`: no header begins with `CIM-` (2 such messages)\n\
             help: to leave out what is no event, name the subjects of the events with `--filter \
             SUBJECT`\n",
        );
    let chained: &Change = &|old| old.set("CIM-Cid", "bafyr4i");
    place.bad(&[chained, chained], &COMMON).await.says(
        "error: 2 of 2 messages of the stream `OLD` cannot be imported\n\
         caused by: message 1 on `cowboyai.security.keys.key.generated`: it is an event with a \
         CID, of a store (2 such messages)\n\
         help: events that have their CIDs are copied with them: `cim copy FROM-URL TO-URL`\n",
    );
    place.bad(&[&|_| {}], &[]).await.says(
        "error: 1 of 1 messages of the stream `OLD` cannot be imported\n\
         caused by: message 1 on `cowboyai.security.keys.key.generated`: the subject has no \
         aggregate id\n\
         help: name the field of the body that has the id, for example `--id-field /key_id`\n",
    );
    place.bad(&[&|_| {}], &["--id-field", "/id"]).await.says(
        "error: 1 of 1 messages of the stream `OLD` cannot be imported\n\
         caused by: message 1 on `cowboyai.security.keys.key.generated`: field `/id`: there is no \
         such field\n\
         help: `--id-field` names a field at the top of the body, or is a JSON pointer such as \
         `/data/id`\n",
    );
    let spaced: &Change = &|old| old.body = r#"{"key_id":"a b"}"#.to_owned();
    place.bad(&[spaced], &COMMON).await.says(
        "error: 1 of 1 messages of the stream `OLD` cannot be imported\n\
         caused by: message 1 on `cowboyai.security.keys.key.generated`: field `/key_id`: `a b` is \
         not an aggregate id: only A-Z, a-z, 0-9, `_` and `-` may be in it\n\
         help: to encode every id in base64url, run it with `--id-encode`\n",
    );
    let keys: &Change = &|old| old.subject = "keys.events.key.generated".to_owned();
    place.bad(&[keys], &COMMON).await.says(
        "error: 1 of 1 messages of the stream `OLD` cannot be imported\n\
         caused by: message 1 on `keys.events.key.generated`: expected a subject like \
         `{organization}.{unit}.{domain}.{entity}.{id}.{operation}`\n\
         help: say how the subjects are built with `--subject TEMPLATE`, for example `--subject \
         'keys.events.{entity}.{operation}'`, or leave others out with `--filter SUBJECT`\n",
    );
    place
        .bad(
            &[&|_| {}, &|old| old.subject = Old::new(0).subject],
            &COMMON,
        )
        .await
        .says(
            "error: different event types of `key` would have one operation; `KeyGenerated` and \
             `KeyRotated` → `generated`\n\
             help: publish the events of one of the types on an operation of their own, in a new \
             stream, and import that\n",
        );
}

#[tokio::test]
async fn what_cannot_be_a_source_is_refused() {
    let place = Place::new().await;
    place
        .make(stream("OLD", &["cowboyai.security.keys.*.*"]))
        .await;
    let url = place.url();
    let check = |code: i32, arguments: &[&str], expect: &str| {
        let ran = place.cim(arguments).exits(code);
        assert_eq!(ran.stderr.replace(&url, "URL"), expect);
    };
    let source = |name: &str| format!("{url}/{name}");
    let (old, store) = (source("OLD"), source("CIM-EVENTS"));
    place.cim(&["init", "--store", &store]).exits(0);
    check(
        2,
        &["import", &store],
        "error: `URL/CIM-EVENTS` is a store already\n\
         help: copy it with its CIDs: `cim copy URL/CIM-EVENTS TO-URL`\n",
    );
    check(
        3,
        &["import", &source("NONE")],
        "error: there is no stream at `URL/NONE`\n\
         help: `cim stream info` lists those that are there\n",
    );
    let help = "help: write `nats://HOST[:PORT]/STREAM`, for example \
                `nats://localhost:4222/KEYS_EVENTS`\n";
    check(
        2,
        &["import", &url],
        &format!("error: `URL` names no stream\n{help}"),
    );
    check(
        2,
        &["import", "old.csv", "--format", "cim-headers"],
        &format!("error: `old.csv` is not the URL of a stream\n{help}"),
    );
    check(
        2,
        &["import", &old, "--format", "csv"],
        "error: `--format` names a format of files, found a stream\n\
         help: streams are imported with `--format cim-headers`\n",
    );
    check(
        2,
        &["import", &old, "--time-field", "at"],
        "error: `--time-field` does not go with a stream\n\
         help: the headers of its messages say it: leave the option out\n",
    );
    check(
        2,
        &["import", "old.csv", "--filter", "a.>"],
        "error: `--filter` does not go with a file\n\
         help: only a stream has subjects: leave the option out\n",
    );
    check(
        2,
        &["import", &old, "--entity", "key"],
        "error: `--entity` does not go with subjects that name the entity\n\
         help: the entity stands in the subject: leave the option out, or say with `--subject \
         TEMPLATE` how subjects without it are built\n",
    );
    check(
        2,
        &["import", &old, "--subject", "keys.{operation}"],
        "error: `--entity` is missing\n\
         help: the subjects `keys.{operation}` do not name it: name it, for example `--entity \
         key`\n",
    );
    check(
        2,
        &[
            "import",
            &old,
            "--subject",
            "keys.{operation}",
            "--entity",
            "key",
        ],
        "error: `--id-field` is missing\n\
         help: the subjects `keys.{operation}` have no id: name the field of the body that has it, \
         for example `--id-field /key_id`\n",
    );
    check(
        2,
        &["import", &old, "--subject", "keys.{name}"],
        "error: the template `keys.{name}` has an unknown field: expected `{organization}`, \
         `{unit}`, `{domain}`, `{entity}`, `{id}` or `{operation}`, found `name`\n\
         help: a template is a subject with fields in braces, for example \
         `keys.events.{entity}.{operation}`; the fields are organization, unit, domain, entity, id \
         and operation\n",
    );
    place.cim(&["import", "nats://127.0.0.1:1/OLD"]).exits(9);
    let ran = place.cim(&["import", &old]).exits(0);
    assert_eq!(
        ran.stderr,
        "Nothing was appended: the stream has no messages of these subjects.\n"
    );
}

/// A message as an older service wrote it.
#[derive(Clone, Debug)]
struct Old {
    number: u64,
    subject: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

type Change = dyn Fn(&mut Old);

/// The types, each with its operation.
const TYPES: [(&str, &str); 3] = [
    ("KeyGenerated", "generated"),
    ("KeyRotated", "rotated"),
    ("KeyRevoked", "revoked"),
];

impl Old {
    /// One of many: of seven keys, with times of all spellings, some with metadata.
    fn new(number: u64) -> Self {
        let id = id(number);
        let (minute, second) = (number / 60 % 60, number % 60);
        let time = format!("2024-11-21T09:{minute:02}:{second:02}");
        let time = match number % 4 {
            0 => format!("{time}Z"),
            1 => format!("{time}.123456789+00:00"),
            2 => time.replace("T09", "T11") + ".5+02:00",
            _ => time.replace('T', " "),
        };
        let mut old = Self {
            number,
            subject: String::new(),
            headers: vec![
                ("CIM-Event-Id", id.clone()),
                ("CIM-Correlation-Id", Self::root(number)),
                ("CIM-Event-Type", TYPES[number as usize % 3].0.to_owned()),
                ("CIM-Timestamp", time),
                ("CIM-Source", "keys-service".to_owned()),
                ("Nats-Msg-Id", id),
            ],
            body: format!(
                "{{ \"key_id\": \"k{}\", \"number\": {number} }}",
                number % 7
            ),
        };
        old.subject = format!("cowboyai.security.keys.key.{}", old.operation());
        if !number.is_multiple_of(5) {
            old.headers.push(("CIM-Causation-Id", self::id(number - 1)));
            old.headers.push(("CIM-Meta-Tenant", "blue".to_owned()));
        }
        old
    }

    /// The first of the five events of a conversation.
    fn root(number: u64) -> String {
        id(number / 5 * 5)
    }

    fn operation(&self) -> &'static str {
        TYPES[self.number as usize % 3].1
    }

    fn key(&self) -> String {
        format!("k{}", self.number % 7)
    }

    /// The headers that the stored event must have, but for its place.
    fn expected(&self) -> Value {
        let (minute, second) = (self.number / 60 % 60, self.number % 60);
        let fraction = ["000000", "123456", "500000", "000000"][self.number as usize % 4];
        let mut expected = json!({
            "CIM-Event-Id": id(self.number),
            "CIM-Correlation-Id": Self::root(self.number),
            "CIM-Event-Type": TYPES[self.number as usize % 3].0,
            "CIM-Timestamp": format!("2024-11-21T09:{minute:02}:{second:02}.{fraction}Z"),
            "CIM-Source": "keys-service",
            "Content-Type": "application/json",
            "CIM-Schema-Version": "1",
        });
        if !self.number.is_multiple_of(5) {
            expected["CIM-Causation-Id"] = id(self.number - 1).into();
            expected["CIM-Meta-Tenant"] = "blue".into();
        }
        expected
    }

    fn without(&mut self, name: &str) {
        self.headers.retain(|(other, _)| *other != name);
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.without(name);
        self.headers.push((name, value.to_owned()));
    }
}

fn id(number: u64) -> String {
    format!("01934f4a-5678-7abc-8def-{number:012}")
}

fn stream(name: &str, subjects: &[&str]) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        ..Config::default()
    }
}

/// A server with older streams, and a folder for stores and the user's home.
struct Place {
    server: NatsServer,
    context: Context,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let server = NatsServer::start(ServerOptions::default());
        let client = async_nats::connect(server.address())
            .await
            .expect("a server");
        Self {
            context: jetstream::new(client),
            server,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn url(&self) -> String {
        self.server.url()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn make(&self, config: Config) {
        self.context.create_stream(config).await.expect("a stream");
    }

    async fn publish(&self, old: &Old) {
        let sent = self.send(old).await;
        sent.await.expect("it is stored");
    }

    async fn send(&self, old: &Old) -> jetstream::context::PublishAckFuture {
        let mut headers = HeaderMap::new();
        for (name, value) in &old.headers {
            headers.append(*name, value.as_str());
        }
        let body = old.body.clone().into();
        let sent = self
            .context
            .publish_with_headers(old.subject.clone(), headers, body);
        sent.await.expect("it is sent")
    }

    /// Publishes messages, many on the way at the same time.
    async fn publish_all(&self, numbers: Range<u64>) {
        let mut sent = Vec::new();
        for number in numbers.clone() {
            sent.push(self.send(&Old::new(number)).await);
            if sent.len() == 500 || number + 1 == numbers.end {
                for sent in sent.drain(..) {
                    sent.await.expect("it is stored");
                }
            }
        }
    }

    async fn delete(&self, stream: &str, sequence: u64) {
        let stream = self.context.get_stream(stream).await.expect("a stream");
        let deleted = stream.delete_message(sequence).await.expect("it is there");
        assert!(deleted);
    }

    fn ask(&self, call: &str, body: &Value) -> Value {
        let answer = self.server.ask(&format!("$JS.API.{call}"), body);
        answer.expect("an answer")
    }

    #[track_caller]
    fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.folder(), arguments)
    }

    #[track_caller]
    fn adopt(&self, stream: &str, store: &str, options: &[&str]) -> Ran {
        let source = format!("{}/{stream}", self.url());
        self.cim(&[&["import", &source, "--store", store], options].concat())
    }

    #[track_caller]
    fn verified(&self, store: &str) -> String {
        self.cim(&["verify", "--store", store]).exits(0).stdout
    }

    /// Checks that a store has the events of these numbers, in this order, each as it was written.
    #[track_caller]
    fn has_stored(&self, store: &str, numbers: &[u64]) {
        let file = self.folder().join("all.jsonl");
        self.cim(&["export", "all.jsonl", "--store", store])
            .exits(0);
        let export = std::fs::read_to_string(&file).expect("an export");
        std::fs::remove_file(&file).expect("it is there");
        let lines: Vec<_> = export.lines().collect();
        let events = &lines[1..lines.len() - 1];
        assert_eq!(events.len(), numbers.len());
        for (line, &number) in events.iter().zip(numbers) {
            let old = Old::new(number);
            let mut event: Value = serde_json::from_str(line).expect("JSON");
            let key = old.key();
            let subject = format!("cowboyai.security.keys.key.{key}.{}", old.operation());
            assert_eq!(event["subject"], subject);
            assert_eq!(event["body"], old.body);
            let headers = event["headers"].as_object_mut().expect("headers");
            let place = ["CIM-Aggregate-Version", "CIM-Cid", "CIM-Previous-Cid"];
            headers.retain(|name, _| !place.contains(&name.as_str()));
            assert_eq!(event["headers"], old.expected());
        }
    }

    /// Imports changed messages, the first of all, which must fail and leave no store.
    async fn bad(&self, changes: &[&Change], options: &[&str]) -> Bad {
        if self.context.get_stream("OLD").await.is_ok() {
            let deleted = self.context.delete_stream("OLD").await;
            assert!(deleted.is_ok_and(|answer| answer.success));
        }
        self.make(stream("OLD", &["cowboyai.>", "keys.>", "logs.>"]))
            .await;
        let before = self.ask("STREAM.INFO.OLD", &json!({}));
        assert_eq!(before["state"]["last_seq"], 0, "{before}");
        for (number, change) in (0..).zip(changes) {
            let mut old = Old::new(number);
            change(&mut old);
            self.publish(&old).await;
        }
        let ran = self.adopt("OLD", "sqlite:bad.db", options).exits(1);
        assert_eq!(ran.stdout, "");
        assert!(!self.folder().join("bad.db").exists(), "nothing is written");
        Bad(ran.stderr)
    }
}

/// What was said of bad messages.
struct Bad(String);

impl Bad {
    #[track_caller]
    fn says(&self, expect: &str) {
        assert_eq!(self.0, expect);
    }
}
