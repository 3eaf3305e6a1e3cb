//! Streams that older services wrote by hand become stores: `cim import URL/STREAM --format
//! cim-headers`.

use std::ops::Range;
use std::process::{Command, Stdio};

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use cim_tests::cim_binary;
use rusqlite::Connection;
use serde_json::{Value, json};

use self::older::{COMMON, Old, Place, TYPES, id, stream};

#[path = "support/older.rs"]
mod older;

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

impl Old {
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
}

impl Place {
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
}
