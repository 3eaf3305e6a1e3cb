//! Each fact, and what it is judged to mean.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::doctor::{Severity, worst};
use crate::jetstream::doctor::{
    Allowed, Clock, IndexFacts, Permissions, ServerSettings, StreamFacts, Sync, Unseen, User,
};
use crate::jetstream::plan::{StreamPlan, difference, event_stream};
use crate::jetstream::{
    AccountInfo, AccountLimits, Cluster, Discard, Replica, Retention, ServerInfo, Storage,
    StreamConfig, StreamInfo, StreamState,
};

const MINUTES: Sync = Sync::Interval(Duration::from_secs(120));

fn settings(name: &str, sync: Sync) -> ServerSettings {
    ServerSettings {
        name: name.to_owned(),
        version: "2.15.1".to_owned(),
        sync: Some(sync),
    }
}

/// A store of one replica on a server that writes through, as it should be.
fn facts() -> Facts {
    let config = Config::parse("namespace = \"o.u.d\"").expect("a configuration");
    let plans = StreamPlan::from_config(&config, None).expect("plans");
    let config = event_stream(
        "CIM-EVENTS",
        &cim_core::subject::StoreTemplate::default(),
        &[config.namespace().expect("three tokens")],
        1,
        uuid::Uuid::from_u128(7),
        "2026-11-21T10:00:00.000000Z".parse().expect("a time"),
    )
    .expect("no constants");
    let streams = plans.into_iter().map(|plan| StreamFacts {
        plan,
        found: Some(StreamInfo {
            config: config.clone(),
            state: StreamState::default(),
            created: "2026-11-21T10:00:00Z".to_owned(),
            cluster: None,
        }),
        changes: Vec::new(),
        mirrors: Vec::new(),
    });
    Facts {
        server: ServerInfo {
            name: "a".to_owned(),
            version: "2.15.1".to_owned(),
            jetstream: true,
            ..ServerInfo::default()
        },
        settings: Ok(vec![settings("a", Sync::Always)]),
        account: Ok(AccountInfo {
            limits: AccountLimits {
                max_storage: -1,
                max_streams: -1,
                max_consumers: -1,
                max_memory: -1,
            },
            ..AccountInfo::default()
        }),
        user: Ok(User::default()),
        clock: Some(Clock {
            ahead_micros: 200,
            within_micros: 500,
        }),
        streams: Ok(streams.collect()),
        api: "$JS.API".to_owned(),
        inbox: "_INBOX".to_owned(),
        index: None,
        max_events_per_aggregate: 10_000,
    }
}

fn bad(facts: &Facts) -> Vec<(&'static str, Severity)> {
    judge(facts)
        .into_iter()
        .filter(|finding| finding.severity != Severity::Ok)
        .inspect(|finding| assert!(finding.mend.is_some(), "{finding:?}"))
        .map(|finding| (finding.code, finding.severity))
        .collect()
}

/// One finding that is not well.
#[track_caller]
fn check(code: &'static str, severity: Severity, set: impl FnOnce(&mut Facts)) {
    let mut facts = facts();
    set(&mut facts);
    assert_eq!(bad(&facts), [(code, severity)]);
}

/// One finding about the store's stream.
#[track_caller]
fn check_stream(code: &'static str, severity: Severity, set: impl FnOnce(&mut StreamInfo)) {
    check(code, severity, |facts| stream(facts, set));
}

fn stream(facts: &mut Facts, set: impl FnOnce(&mut StreamInfo)) {
    let streams = facts.streams.as_mut().expect("streams");
    let StreamFacts {
        plan,
        found: Some(info),
        changes,
        ..
    } = &mut streams[0]
    else {
        panic!("the stream is there");
    };
    set(info);
    *changes = difference(&info.config, &plan.wanted());
}

fn unseen() -> Unseen {
    Unseen {
        why: "not allowed".to_owned(),
    }
}

#[test]
fn a_store_on_a_server_that_writes_through_is_well() {
    assert_eq!(bad(&facts()), []);
    assert_eq!(worst(&judge(&facts())), Severity::Ok);
}

#[test]
fn the_version_counts_on_every_server() {
    check("server-version", Severity::Unsafe, |facts| {
        facts.server.version = "2.13.5".to_owned();
    });
    check("server-version", Severity::Warning, |facts| {
        facts.server.version = "main".to_owned();
    });
    check("server-version", Severity::Unsafe, |facts| {
        let mut other = settings("b", Sync::Always);
        other.version = "2.12.13".to_owned();
        facts.settings.as_mut().expect("settings").push(other);
    });
}

#[test]
fn one_server_must_write_before_it_acknowledges() {
    check("sync", Severity::Unsafe, |facts| {
        facts.settings = Ok(vec![settings("a", MINUTES)]);
    });
    check("sync", Severity::Unsafe, |facts| {
        facts.settings = Err(unseen())
    });
    check("sync", Severity::Unsafe, |facts| {
        let settings = ["a", "b"].map(|name| settings(name, MINUTES));
        facts.settings = Ok(settings.to_vec());
        facts.settings.as_mut().expect("settings")[0].sync = Some(Sync::Always);
    });
    check("other-server", Severity::Warning, |facts| {
        facts.settings = Ok(vec![settings("b", Sync::Always)]);
    });
}

#[test]
fn three_replicas_need_not_write_at_once() {
    let mut facts = facts();
    facts.streams.as_mut().expect("streams")[0].plan.replicas = 3;
    stream(&mut facts, |info| info.config.num_replicas = 3);
    for seen in [Ok(vec![settings("a", MINUTES)]), Err(unseen())] {
        facts.settings = seen;
        assert_eq!(bad(&facts), []);
        let findings = judge(&facts);
        let sync = findings.iter().find(|one| one.code == "sync");
        let meaning = &sync.expect("a finding").meaning;
        assert!(meaning.contains("on 2 servers"), "{meaning}");
    }
}

#[test]
fn a_stream_of_histories_never_forgets() {
    check_stream("stream-expires", Severity::Unsafe, |info| {
        info.config.max_age = 1
    });
    check_stream("stream-drops", Severity::Unsafe, |info| {
        info.config.retention = Retention::Interest;
    });
    check_stream("stream-in-memory", Severity::Unsafe, |info| {
        info.config.storage = Storage::Memory;
    });
    check_stream("sync", Severity::Unsafe, |info| {
        let other = &mut info.config.other;
        other.insert("persist_mode".to_owned(), "async".into());
    });
    let changes: [fn(&mut StreamConfig); 2] = [
        |config| (config.discard, config.max_bytes) = (Discard::Old, 1 << 30),
        |config| (config.discard, config.max_msgs_per_subject) = (Discard::New, 1),
    ];
    for change in changes {
        let mut facts = facts();
        stream(&mut facts, |info| change(&mut info.config));
        assert_eq!(
            bad(&facts),
            [
                ("stream-drops", Severity::Unsafe),
                ("stream-differs", Severity::Warning)
            ]
        );
    }
}

#[test]
fn what_is_not_as_planned_is_named() {
    fn differs(set: impl FnOnce(&mut StreamConfig)) {
        check_stream("stream-differs", Severity::Warning, |info| {
            set(&mut info.config);
        });
    }
    differs(|config| config.allow_atomic = false);
    differs(|config| config.deny_delete = false);
    differs(|config| config.deny_purge = false);
    differs(|config| config.duplicate_window = 1);
    check_stream("not-a-store", Severity::Warning, |info| {
        info.config.metadata.clear();
    });
    check("stream-absent", Severity::Warning, |facts| {
        facts.streams.as_mut().expect("streams")[0].found = None;
    });
    check("streams", Severity::Warning, |facts| {
        facts.streams = Err(unseen())
    });
}

#[test]
fn mirrors_that_answer_for_a_store_are_named() {
    check("stream-mirrored", Severity::Warning, |facts| {
        let streams = facts.streams.as_mut().expect("streams");
        streams[0].mirrors = vec!["BACKUP".to_owned()];
    });
}

#[test]
fn replicas_that_are_away_are_named() {
    fn cluster(leader: Option<&str>, offline: bool, current: bool) -> Facts {
        let mut facts = facts();
        facts.streams.as_mut().expect("streams")[0].plan.replicas = 3;
        stream(&mut facts, |info| {
            info.config.num_replicas = 3;
            info.cluster = Some(Cluster {
                name: None,
                leader: leader.map(str::to_owned),
                replicas: vec![Replica {
                    name: "b".to_owned(),
                    current,
                    offline,
                    lag: 9,
                    active: 1_000_000_000,
                }],
            });
        });
        facts
    }
    let warning = |code| [(code, Severity::Warning)];
    assert_eq!(bad(&cluster(Some("a"), false, true)), []);
    assert_eq!(
        bad(&cluster(Some("a"), true, false)),
        warning("replica-offline")
    );
    assert_eq!(
        bad(&cluster(Some("a"), false, false)),
        warning("replica-behind")
    );
    let mut silent = cluster(Some("a"), false, false);
    stream(&mut silent, |info| {
        let replicas = &mut info.cluster.as_mut().expect("a cluster").replicas;
        replicas[0].active = 6_000_000_000;
    });
    assert_eq!(bad(&silent), warning("replica-offline"));
    let no_leader = [("no-leader", Severity::Unsafe)];
    assert_eq!(bad(&cluster(None, false, true)), no_leader);
    check("replicas", Severity::Warning, |facts| {
        facts.server.cluster = Some("C".to_owned());
    });
}

#[test]
fn limits_are_told_of_before_they_are_reached() {
    check("jetstream", Severity::Unsafe, |facts| {
        facts.account = Err(unseen())
    });
    check("limits", Severity::Warning, |facts| {
        let account = facts.account.as_mut().expect("an account");
        (account.storage, account.limits.max_storage) = (90, 100);
    });
    check("limits", Severity::Warning, |facts| {
        let account = facts.account.as_mut().expect("an account");
        (account.streams, account.limits.max_streams) = (5, 5);
    });
}

#[test]
fn missing_permissions_are_named_with_what_grants_them() {
    let may = |publish: &[&str], subscribe: &[&str]| {
        let allowed = |texts: &[&str]| Allowed {
            allow: texts.iter().map(|&text| text.to_owned()).collect(),
            deny: Vec::new(),
        };
        let permissions = Permissions {
            publish: allowed(publish),
            subscribe: allowed(subscribe),
        };
        let mut facts = facts();
        facts.user.as_mut().expect("a user").permissions = Some(permissions);
        facts
    };
    let all = may(&["o.u.d.*.*.*", "$JS.API.>"], &["_INBOX.>"]);
    assert_eq!(bad(&all), []);
    let reader = may(&["$JS.API.>"], &["_INBOX.>"]);
    assert_eq!(bad(&reader), [("cannot-append", Severity::Warning)]);
    let findings = judge(&reader);
    let finding = findings.iter().find(|one| one.code == "cannot-append");
    assert_eq!(
        finding.and_then(|finding| finding.mend.as_deref()),
        Some("`permissions { publish: { allow: [\"o.u.d.*.*.*\"] } }` for the user")
    );
    let writer = may(
        &["o.u.d.>", "$JS.API.STREAM.>", "$JS.API.CONSUMER.>"],
        &["_INBOX.>"],
    );
    let findings = judge(&writer);
    let finding = findings.iter().find(|one| one.code == "cannot-read");
    assert_eq!(
        finding.map(|finding| &*finding.what),
        Some(
            "this user may not publish to \"$JS.API.DIRECT.GET.CIM-EVENTS\", for reading histories"
        )
    );
    let deaf = may(&[], &["answers.>"]);
    assert_eq!(bad(&deaf), [("cannot-read", Severity::Warning)]);
    check("permissions", Severity::Warning, |facts| {
        facts.user = Err(unseen())
    });
    check("credentials", Severity::Warning, |facts| {
        facts.user.as_mut().expect("a user").expires = Some(3_600_000_000_000);
    });
}

#[test]
fn clocks_that_differ_are_told_of() {
    for ahead_micros in [2_000_000, -2_000_000] {
        check("clock", Severity::Warning, |facts| {
            facts.clock = Some(Clock {
                ahead_micros,
                within_micros: 500,
            });
        });
    }
    let mut facts = facts();
    facts.clock = Some(Clock {
        ahead_micros: 1_500_000,
        within_micros: 4_000_000,
    });
    assert_eq!(bad(&facts), [], "the answer was slow");
}

#[test]
fn long_histories_are_told_of() {
    check("long-history", Severity::Warning, |facts| {
        facts.index = Some(IndexFacts {
            path: PathBuf::from("i.db"),
            bytes: 1,
            longest: Some(("o.u.d.key.k1".to_owned(), 10_001)),
        });
    });
}
