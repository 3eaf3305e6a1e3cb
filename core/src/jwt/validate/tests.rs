//! Each rule of the validator, with what breaks it and what just does not. One file: it is a table, and
//! the rules are found in the order of the kinds of tokens.

use serde_json::{Value, json};

use super::*;
use crate::jwt::{AccountClaims, ActivationClaims, Exported, OperatorClaims, UserClaims};
use crate::nkey::{KeyKind, PublicKey, Seed};

const SERVER: ServerVersion = ServerVersion::TRIED;

fn seed(kind: KeyKind, byte: u8) -> Seed {
    Seed::new(kind, [byte; 32])
}

fn public(kind: KeyKind, byte: u8) -> PublicKey {
    seed(kind, byte).public_key()
}

/// The codes of what is found, each with its path behind `nats.`; warnings in brackets.
fn found<B: Body>(subject: PublicKey, body: Value) -> Vec<String> {
    found_by::<B>(SERVER, subject, body)
}

fn found_by<B: Body>(server: ServerVersion, subject: PublicKey, body: Value) -> Vec<String> {
    let body = serde_json::from_value(body).expect("claims");
    let claims: Claims<B> = Claims::new(subject, "name", body);
    claims
        .findings(server, None)
        .iter()
        .map(|finding| {
            let path = finding.path.trim_start_matches("nats.");
            match finding.level {
                Level::Warning => format!("({} {path})", finding.code),
                _ => format!("{} {path}", finding.code),
            }
        })
        .collect()
}

fn user(body: Value) -> Vec<String> {
    found::<UserClaims>(public(KeyKind::User, 1), body)
}

/// An account whose numbers are not what is looked at.
fn account_of(mut body: Value) -> Value {
    let limits = body.as_object_mut().expect("an object").entry("limits");
    limits.or_insert(json!({ "imports": -1, "exports": -1 }));
    body
}

fn account(body: Value) -> Vec<String> {
    found::<AccountClaims>(public(KeyKind::Account, 1), account_of(body))
}

#[test]
fn subjects_have_few_rules() {
    let publish = |subject: &str| user(json!({ "pub": { "allow": [subject] } }));
    for fine in ["a", "a.>.b", "*x", ">>", "a\tb", "a.*.>", "$SYS.>", "ü"] {
        assert!(publish(fine).is_empty(), "{fine}");
    }
    assert_eq!(publish(""), ["subject-empty pub.allow[0]"]);
    for wrong in [".a", "a.", "a..b", "."] {
        assert_eq!(
            publish(wrong),
            ["subject-token-empty pub.allow[0]"],
            "{wrong}"
        );
    }
}

#[test]
fn a_queue_group_is_for_those_who_subscribe() {
    assert!(user(json!({ "sub": { "allow": ["a q"], "deny": ["a *"] } })).is_empty());
    assert_eq!(
        user(json!({ "pub": { "deny": ["a q"] } })),
        ["permission-queue pub.deny[0]"]
    );
    assert_eq!(
        user(json!({ "sub": { "deny": ["a q r"] } })),
        ["permission-spaces sub.deny[0]"]
    );
    assert_eq!(
        user(json!({ "sub": { "deny": ["a "] } })),
        ["subject-empty sub.deny[0]"]
    );
}

#[test]
fn networks_are_an_address_and_a_length() {
    let src = |network: &str| user(json!({ "src": [network] }));
    for fine in [
        "10.0.0.0/8",
        "10.1.2.3/032",
        "::/0",
        "fe80::1/128",
        "::ffff:1.2.3.4/120",
    ] {
        assert!(src(fine).is_empty(), "{fine}");
    }
    for wrong in [
        "",
        "10.0.0.1",
        "10.0.0.0/33",
        "010.0.0.0/8",
        "a/8",
        "10.0.0.0/+8",
        "fe80::1%eth0/64",
    ] {
        assert_eq!(src(wrong), ["network-invalid src[0]"], "{wrong}");
    }
}

#[test]
fn times_have_seconds() {
    let times = |start: &str| user(json!({ "times": [{ "start": start, "end": "17:00:00" }] }));
    for fine in ["09:00:00", "9:00:00", "23:59:59.5", "00:00:00,123456789012"] {
        assert!(times(fine).is_empty(), "{fine}");
    }
    for wrong in [
        "",
        "09:00",
        "24:00:00",
        "09:0:00",
        "09:00:60",
        "09:00:00.",
        "009:00:00",
        "+9:00:00",
    ] {
        assert_eq!(
            times(wrong),
            ["time-of-day-invalid times[0].start"],
            "{wrong}"
        );
    }
    let zone = |zone: &str| user(json!({ "times_location": zone }));
    for fine in [
        "",
        "UTC",
        "Local",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+1",
    ] {
        assert!(zone(fine).is_empty(), "{fine}");
    }
    for wrong in ["../x", "/etc", "a\\b", "a//b", "a b"] {
        assert_eq!(zone(wrong), ["time-zone-invalid times_location"], "{wrong}");
    }
}

#[test]
fn users_name_an_account() {
    assert!(user(json!({ "issuer_account": public(KeyKind::Account, 1) })).is_empty());
    assert_eq!(
        user(json!({ "issuer_account": public(KeyKind::User, 1) })),
        ["account-key-invalid issuer_account"]
    );
    // Nobody looks at these.
    assert!(
        user(json!({ "allowed_connection_types": ["X"], "subs": -7, "tags": ["a b"] })).is_empty()
    );
}

#[test]
fn a_token_has_a_time() {
    let mut claims = Claims::new(public(KeyKind::User, 1), "", UserClaims::default());
    (claims.not_before, claims.expires) = (100, 200);
    let codes = |second: u64| {
        let at = Timestamp::from_micros(second * 1_000_000 + 999_999).expect("a time");
        let found = claims.findings(SERVER, Some(at));
        assert!(
            found
                .iter()
                .all(|finding| finding.level == Level::Time && finding.is_refused())
        );
        found.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(99), ["not-yet-valid"]);
    assert!(codes(100).is_empty() && codes(200).is_empty());
    assert_eq!(codes(201), ["expired"]);
    assert!(claims.findings(SERVER, None).is_empty());
    let text = claims.findings(SERVER, Some(Timestamp::MAX))[0].to_string();
    assert_eq!(
        text,
        "exp: the token has ended at 1970-01-01T00:03:20.000000Z"
    );
}

#[test]
fn exports_do_not_overlap() {
    let two = |one: &str, other: &str| {
        account(json!({ "exports": [
            { "subject": one, "type": "service" }, { "subject": other, "type": "service" },
        ] }))
    };
    assert!(two("a.b", "a.c").is_empty());
    assert!(two("a.>", "a").is_empty());
    assert_eq!(two("a.*", "a.b"), ["export-overlap exports[1].subject"]);
    assert_eq!(two("a.b", "a.>"), ["export-overlap exports[0].subject"]);
    let both = [
        "export-overlap exports[0].subject",
        "export-overlap exports[1].subject",
    ];
    assert_eq!(two("a", "a"), both);
    assert!(
        account(json!({ "exports": [
        { "subject": "a", "type": "service" }, { "subject": "a", "type": "stream" },
    ] }))
        .is_empty()
    );
}

#[test]
fn exports_say_what_they_are() {
    let export = |more: Value| {
        let mut export = json!({ "subject": "a.*", "type": "service" });
        export
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("one").clone());
        account(json!({ "exports": [export] }))
    };
    for fine in [
        json!({ "response_type": "Stream", "response_threshold": 1, "allow_trace": true }),
        json!({ "service_latency": { "sampling": 100, "results": "r" } }),
        json!({ "service_latency": { "results": "r" } }),
        json!({ "account_token_position": 2, "info_url": "https://h", "token_req": true }),
    ] {
        assert!(export(fine.clone()).is_empty(), "{fine}");
    }
    for (wrong, expected) in [
        (
            json!({ "response_type": "stream" }),
            "response-type-invalid exports[0].response_type",
        ),
        (
            json!({ "type": "stream", "response_type": "Stream" }),
            "response-of-stream exports[0].response_type",
        ),
        (
            json!({ "type": "stream", "allow_trace": true }),
            "export-trace exports[0].allow_trace",
        ),
        (
            json!({ "response_threshold": -1 }),
            "threshold-invalid exports[0].response_threshold",
        ),
        (
            json!({ "type": "stream", "response_threshold": 1 }),
            "threshold-invalid exports[0].response_threshold",
        ),
        (
            json!({ "service_latency": { "sampling": 101, "results": "r" } }),
            "sampling-invalid exports[0].service_latency.sampling",
        ),
        (
            json!({ "service_latency": { "results": "r.>" } }),
            "subject-wildcards exports[0].service_latency.results",
        ),
        (
            json!({ "service_latency": {} }),
            "subject-empty exports[0].service_latency.results",
        ),
        (
            json!({ "type": "stream", "service_latency": { "results": "r" } }),
            "latency-of-stream exports[0].service_latency",
        ),
        (
            json!({ "account_token_position": 1 }),
            "token-position-invalid exports[0].account_token_position",
        ),
        (
            json!({ "account_token_position": 3 }),
            "token-position-invalid exports[0].account_token_position",
        ),
        (
            json!({ "info_url": "h" }),
            "url-invalid exports[0].info_url",
        ),
        (
            json!({ "description": "x".repeat(8193) }),
            "description-too-long exports[0].description",
        ),
        (json!({ "subject": "" }), "subject-empty exports[0].subject"),
    ] {
        assert_eq!(export(wrong.clone()), [expected], "{wrong}");
    }
    assert_eq!(
        account(json!({ "exports": [{ "subject": "a" }] })),
        ["kind-missing exports[0].type"]
    );
}

fn import(more: Value) -> Value {
    let mut import = json!({ "subject": "a.*", "type": "stream", "account": "A" });
    import
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("one").clone());
    import
}

#[test]
fn imports_name_where_they_come_from_and_go_to() {
    let import = |more: Value| account(json!({ "imports": [import(more)] }));
    for fine in [
        json!({}),
        json!({ "local_subject": "b.$1" }),
        json!({ "local_subject": "b.*" }),
        json!({ "subject": "a.>", "local_subject": "b.>" }),
        json!({ "type": "service", "share": true }),
        json!({ "allow_trace": true }),
    ] {
        assert!(import(fine.clone()).is_empty(), "{fine}");
    }
    for (wrong, expected) in [
        (
            json!({ "account": "" }),
            "import-account-missing imports[0].account",
        ),
        (json!({ "to": "b" }), "(import-to imports[0].to)"),
        (json!({ "share": true }), "import-share imports[0].share"),
        (
            json!({ "type": "service", "allow_trace": true }),
            "import-trace imports[0].allow_trace",
        ),
        (
            json!({ "local_subject": "b.>" , "subject": "a" }),
            "rename-open imports[0].local_subject",
        ),
        (
            json!({ "local_subject": "b" }),
            "rename-wildcards imports[0].local_subject",
        ),
        (
            json!({ "token": "x" }),
            "activation-invalid imports[0].token",
        ),
    ] {
        assert_eq!(import(wrong.clone()), [expected], "{wrong}");
    }
    let expected = [
        "rename-reference imports[0].local_subject",
        "rename-wildcards imports[0].local_subject",
    ];
    assert_eq!(import(json!({ "local_subject": "b.$2" })), expected);
    let expected = [
        "(import-to imports[0].to)",
        "import-to imports[0].local_subject",
    ];
    assert_eq!(
        import(json!({ "to": "c", "local_subject": "b.$1" })),
        expected
    );
}

#[test]
fn services_that_are_imported_do_not_overlap() {
    let two = |server, other: &str| {
        let service = |account: &str, local: &str| {
            import(json!({ "type": "service", "account": account, "local_subject": local }))
        };
        let body = account_of(json!({ "imports": [service("A", "x.$1"), service(other, "x.*")] }));
        found_by::<AccountClaims>(server, public(KeyKind::Account, 1), body)
    };
    let overlap = ["import-overlap imports[1]"];
    assert_eq!(two(SERVER, "A"), overlap);
    assert!(two(SERVER, "B").is_empty());
    // Of several accounts too, until nats-io/jwt 2.8.1.
    assert_eq!(two(ServerVersion::new(2, 12, 5), "B"), overlap);
    assert!(two(ServerVersion::new(2, 12, 6), "B").is_empty());
}

#[test]
fn an_activation_is_for_what_is_imported() {
    let [importer, exporter] = [1, 2].map(|byte| seed(KeyKind::Account, byte));
    let check = |subject: PublicKey, change: fn(&mut ActivationClaims), issuer: &Seed| {
        let mut body = ActivationClaims {
            import_subject: "a.>".to_owned(),
            exported: Some(Exported::Stream),
            ..ActivationClaims::default()
        };
        change(&mut body);
        let mut claims = Claims::new(subject, "", body);
        let token = claims
            .sign(issuer, Timestamp::default())
            .expect("an account");
        let import = import(json!({ "token": token, "account": exporter.public_key() }));
        let body = account_of(json!({ "imports": [import] }));
        found::<AccountClaims>(importer.public_key(), body)
    };
    let ours = importer.public_key();
    assert!(check(ours, |_| {}, &exporter).is_empty());
    let wrong = ["activation-wrong imports[0].token"];
    assert_eq!(check(ours, |_| {}, &seed(KeyKind::Account, 3)), wrong);
    assert_eq!(check(public(KeyKind::Account, 3), |_| {}, &exporter), wrong);
    assert_eq!(
        check(
            ours,
            |body| body.exported = Some(Exported::Service),
            &exporter
        ),
        wrong
    );
    assert_eq!(
        check(
            ours,
            |body| body.import_subject = "b.>".to_owned(),
            &exporter
        ),
        wrong
    );
    let invalid = ["account-key-invalid imports[0].token"];
    assert_eq!(
        check(ours, |body| body.issuer_account = "x".to_owned(), &exporter),
        invalid
    );
    // One that ended counts no more, and does not make the account invalid.
    let mut claims = Claims::new(
        ours,
        "",
        ActivationClaims {
            import_subject: "a.>".to_owned(),
            exported: Some(Exported::Stream),
            issuer_account: exporter.public_key().to_string(),
            ..ActivationClaims::default()
        },
    );
    claims.expires = 1;
    let token = claims
        .sign(&seed(KeyKind::Account, 9), Timestamp::MAX)
        .expect("a signing key");
    let import = import(json!({ "token": token, "account": exporter.public_key() }));
    let mut account: Claims<AccountClaims> = Claims::new(
        ours,
        "",
        serde_json::from_value(account_of(json!({ "imports": [import] }))).expect("claims"),
    );
    account.expires = 0;
    assert!(account.findings(SERVER, Some(Timestamp::MAX)).is_empty());
}

#[test]
fn weights_are_of_a_hundred() {
    let mapping = |server, destinations: Value| {
        let body = account_of(json!({ "mappings": { "a": destinations } }));
        found_by::<AccountClaims>(server, public(KeyKind::Account, 1), body)
    };
    let old = ServerVersion::new(2, 12, 5);
    let to =
        |weight: u8, cluster: &str| json!({ "subject": "b", "weight": weight, "cluster": cluster });
    assert!(mapping(SERVER, json!([to(50, ""), to(50, ""), to(100, "c")])).is_empty());
    assert_eq!(
        mapping(SERVER, json!([to(0, ""), to(1, "")])),
        ["weights-exceeded mappings.a"]
    );
    assert_eq!(
        mapping(SERVER, json!([to(0, "c"), to(1, "c")])),
        ["weights-exceeded mappings.a[1]"]
    );
    assert!(mapping(old, json!([to(0, "c"), to(1, "c")])).is_empty());
    let expected = [
        "weight-invalid mappings.a[0].weight",
        "weights-exceeded mappings.a",
    ];
    assert_eq!(mapping(SERVER, json!([to(200, ""), to(100, "")])), expected);
    assert!(mapping(old, json!([to(200, ""), to(100, "")])).is_empty());
    assert_eq!(
        mapping(SERVER, json!([{}])),
        ["subject-empty mappings.a[0].subject"]
    );
}

#[test]
fn limits_count() {
    let limits =
        |limits: Value, exports: Value| account(json!({ "limits": limits, "exports": exports }));
    let one = json!([{ "subject": "a.*", "type": "stream" }]);
    let many = json!({ "exports": -1 });
    assert!(limits(many, one.clone()).is_empty());
    let wild = json!({ "exports": 1, "wildcards": true });
    assert!(limits(wild, one.clone()).is_empty());
    assert_eq!(
        limits(json!({ "exports": 1 }), one.clone()),
        ["export-wildcards exports[0].subject"]
    );
    let expected = [
        "limit-exceeded limits.exports",
        "export-wildcards exports[0].subject",
    ];
    assert_eq!(limits(json!({}), one), expected);
    // Any other negative number than -1 is exceeded by nothing at all.
    assert_eq!(
        limits(json!({ "imports": -2 }), json!([])),
        ["limit-exceeded limits.imports"]
    );
    let tiers = json!({ "disk_storage": 1, "tiered_limits": { "": {} } });
    let expected = [
        "jetstream-limits-twice limits.tiered_limits",
        "tier-unnamed limits.tiered_limits",
    ];
    assert_eq!(limits(tiers, json!([])), expected);
}

#[test]
fn everything_else_of_an_account() {
    let [user, curve] = [public(KeyKind::User, 1), public(KeyKind::Curve, 1)];
    let scope =
        json!({ "kind": "user_scope", "key": "x", "template": { "pub": { "allow": [""] } } });
    for (wrong, expected) in [
        (
            json!({ "default_permissions": { "pub": { "allow": ["a q"] } } }),
            "permission-queue default_permissions.pub.allow[0]",
        ),
        (
            json!({ "authorization": { "allowed_accounts": ["*"] } }),
            "authorization-without-users authorization.auth_users",
        ),
        (
            json!({ "authorization": { "auth_users": ["x"] } }),
            "user-key-invalid authorization.auth_users[0]",
        ),
        (
            json!({ "authorization": { "auth_users": [user], "allowed_accounts": ["*", "A"] } }),
            "accounts-and-all authorization.allowed_accounts",
        ),
        (
            json!({ "authorization": { "auth_users": [user], "allowed_accounts": ["A"] } }),
            "account-key-invalid authorization.allowed_accounts[0]",
        ),
        (
            json!({ "authorization": { "auth_users": [user], "xkey": user } }),
            "curve-key-invalid authorization.xkey",
        ),
        (
            json!({ "trace": { "dest": "a.*" } }),
            "subject-wildcards trace.dest",
        ),
        (json!({ "trace": {} }), "subject-empty trace.dest"),
        (
            json!({ "trace": { "dest": "a", "sampling": 101 } }),
            "sampling-invalid trace.sampling",
        ),
        (
            json!({ "signing_keys": ["x"] }),
            "account-key-invalid signing_keys[0]",
        ),
        // Nobody looks at a template.
        (
            json!({ "signing_keys": [scope] }),
            "account-key-invalid signing_keys[0].key",
        ),
        (
            json!({ "cluster_traffic": "all" }),
            "cluster-traffic-invalid cluster_traffic",
        ),
        (json!({ "info_url": "/bad" }), "url-invalid info_url"),
    ] {
        assert_eq!(account(wrong.clone()), [expected], "{wrong}");
    }
    assert!(
        account(json!({
            "authorization": { "auth_users": [user], "allowed_accounts": ["*"], "xkey": curve },
            "trace": { "dest": "a" }, "cluster_traffic": "owner", "info_url": "https://a.b/c?d#e",
            "revocations": { "x": 1 },
        }))
        .is_empty()
    );
    let mut claims = Claims::new(public(KeyKind::Account, 1), "", AccountClaims::default());
    claims.issuer = claims.subject.clone();
    let found = claims.findings(SERVER, None);
    assert_eq!(
        (found.len(), found[0].code, found[0].is_refused()),
        (1, "account-self-signed", false)
    );
}

#[test]
fn operators_have_urls_and_keys() {
    let operator = |body| found::<OperatorClaims>(public(KeyKind::Operator, 1), body);
    assert!(
        operator(json!({
            "signing_keys": [public(KeyKind::Operator, 2)], "account_server_url": "nats://h",
            "operator_service_urls": ["", "TLS://h:4222", "wss://[::1]:1"],
            "system_account": public(KeyKind::Account, 1), "assert_server_version": "2.12.0",
        }))
        .is_empty()
    );
    for (wrong, expected) in [
        (
            json!({ "account_server_url": "h" }),
            "url-invalid account_server_url",
        ),
        (
            json!({ "operator_service_urls": ["nats://u@h"] }),
            "url-invalid operator_service_urls[0]",
        ),
        (
            json!({ "operator_service_urls": ["nats://h/"] }),
            "url-invalid operator_service_urls[0]",
        ),
        (
            json!({ "operator_service_urls": ["http://h"] }),
            "url-invalid operator_service_urls[0]",
        ),
        (
            json!({ "operator_service_urls": ["nats://h:x"] }),
            "url-invalid operator_service_urls[0]",
        ),
        (
            json!({ "signing_keys": ["x"] }),
            "operator-key-invalid signing_keys[0]",
        ),
        (
            json!({ "system_account": "x" }),
            "account-key-invalid system_account",
        ),
        (
            json!({ "assert_server_version": "2.12" }),
            "version-invalid assert_server_version",
        ),
    ] {
        assert_eq!(operator(wrong.clone()), [expected], "{wrong}");
    }
}
