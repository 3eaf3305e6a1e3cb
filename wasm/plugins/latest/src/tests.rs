use cim_plugin::test::{Harness, TestEvent, assert_cuts_agree, history};
use proptest::prelude::*;

use super::Latest;

#[test]
fn keeps_json_byte_for_byte() {
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.permit+json",
    ] {
        let body = "{ \"a\" : 1.50, \"a\": \"\\ud83d\\ude00 é\" }\n";
        check(content_type, body, body);
    }
}

#[test]
fn wraps_what_is_not_json() {
    let wrapped = |content_type: &str, base64: &str| {
        format!(r#"{{"content_type":"{content_type}","base64":"{base64}"}}"#)
    };
    check("text/plain", "{}", &wrapped("text/plain", "e30="));
    check("image/png", b"\x89PNG", &wrapped("image/png", "iVBORw=="));
    for (body, base64) in [
        (&b""[..], ""),
        (b"{} {}", "e30ge30="),
        (b"{\"a\":\"\xff\"}", "eyJhIjoi/yJ9"),
        (b"\xef\xbb\xbf1", "77u/MQ=="),
    ] {
        check(
            "application/json",
            body,
            &wrapped("application/json", base64),
        );
    }
}

#[test]
fn json_that_nests_deep_is_wrapped() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check("application/json", nested(128), &nested(128));
    let found = document("application/json", nested(129));
    assert!(found.starts_with(r#"{"content_type":"application/json","base64":"W1tb"#));
    let brackets_in_text = format!("[\"\\\"{}\"]", "[".repeat(500));
    check(
        "application/json",
        brackets_in_text.clone(),
        &brackets_in_text,
    );
}

#[test]
fn what_would_be_too_long_in_base64_is_left_out() {
    let longest = (1 << 20) - 4096 - 1024;
    let found = document("application/octet-stream", vec![0; longest]);
    assert_eq!(
        found,
        r#"{"content_type":"application/octet-stream","base64":null}"#
    );

    let quotes = "\"".repeat(4000);
    let fits = ((1 << 20) - 2 * 4096 - 64) / 4 * 3;
    let found = document(&quotes, vec![0; fits]);
    assert!(found.len() > 1_000_000, "{}", found.len());
    let found = document(&quotes, vec![0; fits + 1]);
    assert!(found.ends_with("null}"));
}

#[test]
fn the_newest_payload_of_each_aggregate_stays() {
    let mut harness = Harness::<Latest>::new(b"");
    let events = history([
        TestEvent::new("permit", "p-1", "Made").body("1"),
        TestEvent::new("a.b.c.permit", "p-1", "Made").body("2"),
        TestEvent::new("permit", "p-1", "Paid").body("3"),
    ]);
    harness.apply(&events).unwrap();
    let found = |key| harness.document("latest", key);
    assert_eq!(found("local.main.events.permit/p-1"), Some("3"));
    assert_eq!(found("a.b.c.permit/p-1"), Some("2"));
    assert_eq!(harness.documents().len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn documents_do_not_depend_on_batches(
        events in prop::collection::vec((0..3usize, 0..3usize, prop::collection::vec(any::<u8>(), 0..8)), 0..60),
    ) {
        let events = history(events.into_iter().map(|(id, content_type, body)| {
            let content_type = ["application/json", "text/plain", "a/b+json"][content_type];
            TestEvent::new("permit", ["p-1", "p-2", "p-3"][id], "Changed")
                .content_type(content_type)
                .body(body)
        }));
        assert_cuts_agree::<Latest>(b"", &events);
    }
}

#[track_caller]
fn check(content_type: &str, body: impl Into<Vec<u8>>, expected: &str) {
    assert_eq!(document(content_type, body), expected);
}

#[track_caller]
fn document(content_type: &str, body: impl Into<Vec<u8>>) -> String {
    let event = TestEvent::new("permit", "p-1", "Changed");
    let mut harness = Harness::<Latest>::new(b"");
    harness
        .apply(&history([event.content_type(content_type).body(body)]))
        .unwrap();
    let document = harness.document("latest", "local.main.events.permit/p-1");
    document.expect("the document is there").to_owned()
}
