//! Mirrors of a store's stream answer in its place, with what they have, and may become streams of
//! their own: neither changes what a store says.

use cim_core::append::Appended;
use cim_host::store::EventStore as _;
use cim_tests::nats::{
    FORGOTTEN, Place, STREAM, committed, forgetful_stream, history, new_stream, wait_until,
};
use cim_tests::program::cim_at_home;
use cim_tests::rivals::stored;
use cim_tests::work::key;
use serde_json::{Value, json};

/// Beside so many mirrors the stream itself gives few of the answers.
const MIRRORS: usize = 3;

/// How often each mirror has a chance to answer everything.
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_that_have_two_messages() {
    mirrored(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_that_have_all_messages() {
    mirrored(-1).await;
}

/// Mirrors that keep at most so many messages answer for the stream.
async fn mirrored(max_msgs: i64) {
    const HISTORIES: u64 = 4;
    const EACH: u64 = 5;
    let mut place = Place::new(&forgetful_stream(1)).await;
    let store = place.open("own").await;
    let (mut appends, mut receipts) = (Vec::new(), Vec::new());
    for _ in 0..EACH {
        for number in 0..HISTORIES {
            let append = place.new_append(number, 1);
            receipts.push(committed(&store, append.clone()).await);
            appends.push(append);
        }
    }
    let last = HISTORIES * EACH;
    for number in 0..MIRRORS {
        mirror(&place, &format!("BACKUP-{number}"), max_msgs, last).await;
    }
    tokio::time::sleep(FORGOTTEN).await;

    for round in 0..ROUNDS {
        let fresh = place.open(&format!("{round}")).await;
        for (append, receipt) in appends.iter().zip(&receipts) {
            let repeat = fresh.append(append.clone()).await.expect("an answer");
            assert_eq!(repeat, Appended::AlreadyCommitted(*receipt));
        }
        assert_eq!(fresh.stats().await.expect("an index").events, last);
        assert_eq!(stored(&*fresh).await.len() as u64, last);
        // Each once more where nothing is remembered.
        let plain = place.open(&format!("plain-{round}")).await;
        assert_eq!(plain.stats().await.expect("an index").events, last);
        for number in 0..HISTORIES {
            let head = plain.head(&key(number)).await.expect("an answer");
            assert_eq!(head.map(|head| head.version.get()), Some(EACH));
            for check in [&fresh, &plain] {
                assert_eq!(history(check, number).await, (EACH, None));
            }
        }
        let none = plain.head(&key(HISTORIES)).await.expect("an answer");
        assert_eq!(none, None);
        assert_eq!(history(&plain, HISTORIES).await, (0, None));
    }
    let url = format!("{}/{STREAM}", place.server.url());
    let told = cim_at_home(place.folder.path(), &["verify", "--store", &url]).exits(0);
    assert!(
        told.stdout.contains(&format!("events      {last}")),
        "{}",
        told.stdout
    );
    for number in 0..=HISTORIES {
        place.append(&store, number, 1).await;
    }
}

/// A mirror was made the stream in the place of the one that it was a mirror of.
#[tokio::test]
async fn a_stream_of_another_name_has_the_subjects() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 1).await;
    mirror(&place, "COPY", -1, 1).await;
    place.delete_stream();
    let config = json!({
        "name": "COPY", "storage": "file", "subjects": ["local.main.events.*.*.*"],
        "allow_direct": true,
    });
    let changed = place.server.ask("$JS.API.STREAM.UPDATE.COPY", &config);
    changed.expect("it is changed");
    let answer = store.append(place.new_append(1, 1)).await;
    assert!(answer.is_err(), "this store has no such event: {answer:?}");
}

/// Makes a mirror that keeps at most so many messages, and waits until it has had all up to the
/// last.
async fn mirror(place: &Place, name: &str, max_msgs: i64, last: u64) {
    let ask = |call: &str, body: &Value| {
        let call = format!("$JS.API.STREAM.{call}.{name}");
        place.server.ask(&call, body).expect("an answer")
    };
    let config = json!({
        "name": name, "storage": "file", "mirror": { "name": STREAM }, "max_msgs": max_msgs,
    });
    let made = ask("CREATE", &config);
    assert_eq!(
        made["config"]["mirror_direct"], true,
        "the server's own choice"
    );
    wait_until(|| ask("INFO", &json!({}))["state"]["last_seq"] == last).await;
}
