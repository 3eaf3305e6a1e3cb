//! What is said of streams that cannot be adopted, word for word; nothing is written of them.

use serde_json::json;

use self::older::{COMMON, Old, Place, stream};

#[path = "support/older.rs"]
mod older;

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

type Change = dyn Fn(&mut Old);

impl Old {
    fn without(&mut self, name: &str) {
        self.headers.retain(|(other, _)| *other != name);
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.without(name);
        self.headers.push((name, value.to_owned()));
    }
}

impl Place {
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
