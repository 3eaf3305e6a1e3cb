//! A store moves between NATS and SQLite by `cim copy`, with the same heads and digest; and a forged
//! message is found, stops its aggregate alone, and is left behind by a copy.

use std::path::Path;

use async_nats::HeaderMap;
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home, verify_in_node};
use cim_tests::receipt;
use tempfile::TempDir;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sample.csv");

#[test]
fn the_permit_log_goes_to_nats_and_back_with_the_same_heads() {
    let Some(file) = receipt::path() else {
        return;
    };
    let file = file.to_str().expect("a path in UTF-8");
    let (first, second) = (server(), server());
    let place = Place::new();
    let fields = "--entity permit --id-field case:concept:name --type-field concept:name \
                  --time-field time:timestamp";
    let import = |store: &str| {
        let mut arguments = vec!["import", file, "--store", store];
        arguments.extend(fields.split_whitespace());
        cim_at_home(place.path(), &arguments).exits(0).stdout
    };
    let told = import("sqlite:direct.db");
    assert_eq!(import(&first.url()), told, "the same words on both stores");
    assert!(import(&first.url()).contains(" 0 appended"), "again");
    let expected = place.verified("sqlite:direct.db");
    assert!(expected.contains("8577"), "{expected}");
    assert_eq!(place.verified(&first.url()), expected);

    let again = format!("{}/AGAIN", second.url());
    place
        .cim(&["copy", &first.url(), "sqlite:back.db"])
        .exits(0);
    place.cim(&["copy", "sqlite:back.db", &again]).exits(0);
    for store in ["sqlite:back.db", &again] {
        assert_eq!(place.verified(store), expected, "{store}");
    }
    let told = place
        .cim(&["copy", "sqlite:back.db", &again])
        .exits(0)
        .stdout;
    assert_eq!(
        told,
        "8577 events: 0 appended, 8577 were there already, 0 left out\n"
    );
    place
        .cim(&["export", "all.jsonl", "--store", &again])
        .exits(0);
    verify_in_node(place.path(), "all.jsonl").exits(0);
}

#[tokio::test]
async fn a_forged_message_stops_its_aggregate_alone() {
    let server = server();
    let place = Place::new();
    let url = server.url();
    let sample = "--entity loan --id-field case --type-field activity --time-field time";
    let mut arguments = vec!["import", SAMPLE, "--store", &url];
    arguments.extend(sample.split_whitespace());
    place.cim(&arguments).exits(0);

    // The last message of one aggregate again: its headers, another body, an id of its own.
    let client = async_nats::connect(server.address())
        .await
        .expect("a server");
    let stream = async_nats::jetstream::new(client.clone())
        .get_stream("CIM-EVENTS")
        .await
        .expect("the store's stream");
    let filter = "local.main.events.loan.loan-1002.>";
    let mut last = None;
    for sequence in 1..=63 {
        let message = stream.get_raw_message(sequence).await.expect("it is there");
        if message.subject.starts_with(filter.trim_end_matches('>')) {
            last = Some(message);
        }
    }
    let last = last.expect("it has a history");
    let mut headers = HeaderMap::new();
    for (name, values) in last.headers.iter() {
        let name: &str = name.as_ref();
        if !name.starts_with("Nats-") {
            headers.insert(name, values[0].as_str());
        }
    }
    headers.insert("Nats-Msg-Id", "01a1fd1e-8c00-7000-8000-0000000f0000");
    client
        .request_with_headers(last.subject.clone(), headers, "{}".into())
        .await
        .expect("the server takes it");

    let told = place.cim(&["verify", "--store", &url]).exits(6).stderr;
    assert!(told.contains("position 64"), "{told}");
    let append = |id: &'static str| {
        let event = [
            "append",
            "loan",
            id,
            "LoanReviewed",
            "--data",
            "{}",
            "--store",
        ];
        place.cim(&[&event[..], &[&url, "--expected", "any"]].concat())
    };
    let told = append("loan-1002").exits(6).stderr;
    assert!(told.contains("is broken at position 64"), "{told}");
    append("loan-1003").exits(0);

    place.cim(&["copy", &url, "sqlite:sound.db"]).exits(6);
    let told = place
        .cim(&["copy", "--until-broken", &url, "sqlite:sound.db"])
        .exits(0);
    assert!(told.stdout.contains("1 left out"), "{}", told.stdout);
    let told = place.verified("sqlite:sound.db");
    assert!(told.contains("events      64"), "{told}");
}

fn server() -> NatsServer {
    NatsServer::start(ServerOptions::default())
}

/// A folder for stores, with the indexes of the streams.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.path(), arguments)
    }

    #[track_caller]
    fn verified(&self, store: &str) -> String {
        self.cim(&["verify", "--store", store]).exits(0).stdout
    }
}
