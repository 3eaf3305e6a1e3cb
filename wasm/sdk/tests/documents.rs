//! What events may read, what they leave behind, and how it is told when they may not.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cim_core::projection::{Change, Fault};
use cim_plugin::test::{Harness, Native, TestEvent, assert_cuts_agree, history};
use cim_plugin::{Documents, Event, Failure, Keys, Projection};
use proptest::prelude::*;

/// A plugin that does what the payloads say: lines of `ask`, `get`, `put`, `delete`, `add`, each
/// with a key; `fail`.
#[derive(Debug, Default)]
struct Script;

impl Projection for Script {
    const NAME: &str = "script";
    const VERSION: &str = "1";
    const COLLECTIONS: &[&str] = &["a", "b"];

    fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
        for line in lines(event) {
            if let ["ask", collection, key] = line[..] {
                keys.add(collection, key)?;
            }
        }
        Ok(())
    }

    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
        for line in lines(event) {
            match line[..] {
                ["ask", ..] => {}
                ["get", collection, key] => {
                    let found = documents.get(collection, key)?.map(<[u8]>::to_vec);
                    SEEN.with_borrow_mut(|seen| seen.push(found));
                }
                ["put", collection, key, document] => documents.put(collection, key, document)?,
                ["delete", collection, key] => documents.delete(collection, key)?,
                ["add", collection, key] => *documents.edit_json::<u64>(collection, key)? += 1,
                ["fail"] => return Err(Failure::new("told-to", "the script fails").retryable()),
                _ => unreachable!("{line:?}"),
            }
        }
        Ok(())
    }
}

thread_local! {
    static SEEN: RefCell<Vec<Option<Vec<u8>>>> = const { RefCell::new(Vec::new()) };
}

fn lines(event: Event<'_>) -> impl Iterator<Item = Vec<&str>> {
    let script = str::from_utf8(event.payload()).expect("scripts are text");
    script.lines().map(|line| line.split(' ').collect())
}

fn events(scripts: &[&str]) -> Vec<TestEvent> {
    let event = |script: &&str| TestEvent::new("permit", "p-1", "Done").body(*script);
    scripts.iter().map(event).collect()
}

/// Applies all scripts as one batch to no documents.
fn run(scripts: &[&str]) -> Result<Harness<Script>, Fault> {
    let mut harness = Harness::new(b"");
    harness.apply(&history(events(scripts))).map(|()| harness)
}

#[track_caller]
fn check_fault(scripts: &[&str], code: &str, index: Option<usize>, message: &str) {
    let fault = run(scripts).expect_err("the script is wrong");
    assert_eq!((fault.code.as_str(), fault.index), (code, index));
    assert_eq!(fault.message, message);
}

#[test]
fn a_document_is_read_only_by_events_that_asked_for_it() {
    let message = "`keys` did not ask for the document `k` of the collection `a` for this event";
    let code = "document-not-asked-for";
    check_fault(&["get a k"], code, Some(0), message);
    check_fault(&["ask b k", "get a k"], code, Some(1), message);
    // Another event of the batch has asked for it or put it: in another cut that would not help.
    check_fault(&["ask a k\nget a k", "get a k"], code, Some(1), message);
    check_fault(&["put a k 1", "", "get a k"], code, Some(2), message);
    check_fault(&["add a k"], code, Some(0), message);
}

#[test]
fn an_event_reads_what_it_asked_for_and_what_it_put_itself() {
    SEEN.take();
    run(&[
        "ask a k\nget a k\nput a k 1\nget a k",
        "put a l 5\nget a l\ndelete a l\nget a l",
        "ask a k\nget a k\nadd a k\nget a k\nadd a k",
        "ask a k\nget a k\ndelete a k\nget a k\nput a k 7",
    ])
    .expect("the scripts keep the rules");
    let seen: Vec<Option<String>> = SEEN
        .take()
        .into_iter()
        .map(|seen| seen.map(|bytes| String::from_utf8(bytes).expect("documents are text")))
        .collect();
    let expected = [
        None,
        Some("1"),
        Some("5"),
        None,
        Some("1"),
        Some("2"),
        Some("3"),
        None,
    ];
    assert!(seen.iter().map(Option::as_deref).eq(expected), "{seen:?}");
}

#[test]
fn a_document_leaves_the_batch_once_in_the_order_of_first_changes() {
    let events = history(events(&[
        "ask a x\nput b z 1\nadd a x",
        "put a y 2\ndelete b z",
        "ask a x\nadd a x\ndelete a y\nput a y 3",
    ]));
    let plugin = Native::<Script>::new(b"").expect("it takes no configuration");
    let recorded = events.iter().map(|(position, event)| (*position, event));
    let keys = plugin
        .keys(recorded.clone())
        .expect("the keys can be taken");
    assert_eq!(keys.len(), 1, "each key is asked for once");
    let changes = plugin
        .apply(recorded, &[Some("40".into())])
        .expect("the changes can be taken");
    let shown: Vec<String> = changes
        .iter()
        .map(|change| {
            let key = change.key();
            let document = match change {
                Change::Put { document, .. } => str::from_utf8(document).expect("it is text"),
                Change::Delete { .. } => "gone",
            };
            format!("{}/{} {document}", key.collection, key.key)
        })
        .collect();
    assert_eq!(shown, ["b/z gone", "a/x 42", "a/y 3"]);
}

#[test]
fn cuts_do_not_matter_to_scripts() {
    let scripts = [
        "ask a x\nadd a x",
        "put a x 10",
        "ask a x\nget a x\nadd a x\nput b x 1",
        "delete a x",
        "ask a x\nadd a x",
        "ask b x\nadd b x",
    ];
    assert_cuts_agree::<Script>(b"", &history(events(&scripts)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_script_leaves_what_a_plain_map_would_hold(
        steps in prop::collection::vec(prop::collection::vec((0..4u8, 0..3u8), 0..5), 0..40),
    ) {
        let mut plain: BTreeMap<String, u64> = BTreeMap::new();
        let mut scripts = Vec::new();
        for (number, event) in steps.iter().enumerate() {
            let mut script = Vec::new();
            for (step, key) in event {
                script.push(format!("ask a {key}"));
                let key = key.to_string();
                match step {
                    0 => script.push(format!("get a {key}")),
                    1 => {
                        script.push(format!("put a {key} {number}"));
                        plain.insert(key, number as u64);
                    }
                    2 => {
                        script.push(format!("delete a {key}"));
                        plain.remove(&key);
                    }
                    _ => {
                        script.push(format!("add a {key}"));
                        *plain.entry(key).or_default() += 1;
                    }
                }
            }
            scripts.push(script.join("\n"));
        }
        let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
        let harness = run(&scripts).expect("the scripts keep the rules");
        let found: BTreeMap<String, u64> = harness
            .documents()
            .iter()
            .map(|((_, key), document)| {
                let text = str::from_utf8(document).expect("documents are text");
                (key.clone(), text.parse().expect("documents are numbers"))
            })
            .collect();
        prop_assert_eq!(found, plain);
        assert_cuts_agree::<Script>(b"", &history(events(&scripts)));
    }
}

#[test]
fn failures_name_the_event() {
    check_fault(&["", "fail"], "told-to", Some(1), "the script fails");
    assert!(run(&["fail"]).expect_err("it fails").retryable);
    let undeclared = "`c` is not one of the declared collections: `a`, `b`";
    check_fault(
        &["", "ask c k"],
        "collection-undeclared",
        Some(1),
        undeclared,
    );
    check_fault(&["put c k 1"], "collection-undeclared", Some(0), undeclared);
    check_fault(
        &["put a k {}", "ask a k\nadd a k"],
        "document-invalid",
        Some(1),
        "the document `k` of the collection `a` has another shape: invalid type: map, expected u64 \
         at line 1 column 0",
    );
}

#[test]
fn the_kit_checks_what_the_host_checks() {
    let key = |found: usize| format!("a key has {found} bytes: expected 1 to 1024");
    check_fault(&["put a  1"], "key-invalid", None, &key(0));
    let long = "k".repeat(1025);
    let script = format!("ask a {long}");
    check_fault(&[&script], "key-invalid", None, &key(1025));
    let script = format!("put a k {}", "1".repeat((1 << 20) + 1));
    let message = "the document `k` has 1048577 bytes: expected at most 1048576";
    check_fault(&[&script], "document-too-large", None, message);
    let message = "the document `k` is no JSON: expected value at line 1 column 1";
    check_fault(&["put a k x"], "document-invalid", None, message);
    let script: String = (0..10_001).map(|key| format!("delete a {key}\n")).collect();
    let message = "too many changes: expected at most 10000, found 10001";
    check_fault(&[&script], "too-many-changes", None, message);
}

#[test]
fn nothing_is_kept_of_a_batch_that_fails() {
    let mut harness = Harness::<Script>::new(b"");
    let events = history(events(&["put a k 1", "put a k 2", "fail"]));
    harness.apply(&events[..1]).expect("the first is fine");
    harness.apply(&events[1..]).expect_err("the last fails");
    assert_eq!(harness.document("a", "k"), Some("1"));
}

#[test]
fn a_plugin_without_configuration_takes_none() {
    let fault = Native::<Script>::new(b"{}").expect_err("it takes no configuration");
    assert_eq!(fault.code, "config-invalid");
    assert_eq!(
        fault.message,
        "this plugin takes no configuration: expected no bytes, found 2"
    );
}

#[test]
#[should_panic(expected = "the document `count` of `a` depends on the batches: \
                           all at once Some(b\"3\"), one by one Some(b\"1\")")]
fn documents_that_depend_on_batches_are_found() {
    /// Keeps a count in the instance, which the host may drop.
    #[derive(Debug, Default)]
    struct Forgetful(std::cell::Cell<u64>);

    impl Projection for Forgetful {
        const NAME: &str = "forgetful";
        const VERSION: &str = "1";
        const COLLECTIONS: &[&str] = &["a"];

        fn apply(&self, _: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
            self.0.update(|count| count + 1);
            documents.put_json("a", "count", &self.0.get())
        }
    }

    assert_cuts_agree::<Forgetful>(b"", &history(events(&["", "", ""])));
}
