//! Tokens as they are written and read. One file: nearly every test writes with the keys and claims that
//! are made at its top, and reads what another one has shown to be written so.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::*;
use crate::nkey::{KeyKind, NkeyError, PublicKey, Seed};
use crate::time::Timestamp;

fn seed(kind: KeyKind, byte: u8) -> Seed {
    Seed::new(kind, [byte; 32])
}

fn public(kind: KeyKind, byte: u8) -> PublicKey {
    seed(kind, byte).public_key()
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_999_999).expect("a time")
}

fn payload(token: &str) -> String {
    let payload = token.split('.').nth(1).expect("three parts");
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).expect("base64");
    String::from_utf8(payload).expect("JSON")
}

/// A token of anything, signed as version 2 is.
fn signed(header: &Value, payload: &Value, issuer: &Seed) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let text = format!("{}.{}", part(header), part(payload));
    let signature = issuer.sign(text.as_bytes()).expect("a key that signs");
    format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// The same as version 1 was signed.
fn signed_v1(payload: &Value, issuer: &Seed) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let payload = part(payload);
    let signature = issuer.sign(payload.as_bytes()).expect("a key that signs");
    let header = part(&json!({ "typ": "jwt", "alg": "ed25519" }));
    format!("{header}.{payload}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn header() -> Value {
    json!({ "typ": "JWT", "alg": "ed25519-nkey" })
}

#[test]
fn an_operator_is_written_as_go_writes_it() {
    let operator = seed(KeyKind::Operator, 1);
    let key = operator.public_key();
    let signing = public(KeyKind::Operator, 2);
    let system = public(KeyKind::Account, 3);
    let mut claims = Claims::new(
        key,
        "a <b> & c",
        OperatorClaims {
            signing_keys: vec![signing.to_string()],
            service_urls: vec!["nats://localhost:4222".to_owned()],
            system_account: system.to_string(),
            is_strict: true,
            ..OperatorClaims::default()
        },
    );
    claims.tags = vec!["env:test".to_owned()];
    let token = claims
        .sign(&operator, now())
        .expect("operators sign themselves");
    let expected = format!(
        r#"{{"jti":"{}","iat":1700000000,"iss":"{key}","name":"a \u003cb\u003e \u0026 c","sub":"{key}","nats":{{"signing_keys":["{signing}"],"operator_service_urls":["nats://localhost:4222"],"system_account":"{system}","strict_signing_key_usage":true,"tags":["env:test"],"type":"operator","version":2}}}}"#,
        claims.id
    );
    assert_eq!(payload(&token), expected);
    let header = token.split('.').next().expect("three parts");
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).expect("base64");
    assert_eq!(header, br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let read = Token::read(&token).expect("ours");
    assert_eq!(read.claims::<OperatorClaims>(), Ok(claims));
}

#[test]
fn empty_claims_are_written_as_go_writes_them() {
    let operator = seed(KeyKind::Operator, 1);
    let account = seed(KeyKind::Account, 2);
    let key = account.public_key();
    let mut claims = Claims::new(key, "", AccountClaims::default());
    let token = claims
        .sign(&operator, now())
        .expect("operators sign accounts");
    let nats = payload(&token);
    let nats = nats.split_once(r#""nats":"#).expect("claims").1;
    assert_eq!(
        nats,
        r#"{"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1},"default_permissions":{"pub":{},"sub":{}},"authorization":{},"type":"account","version":2}}"#
    );
    let user = public(KeyKind::User, 3);
    let mut claims = Claims::new(user, "", UserClaims::default());
    let token = claims.sign(&account, now()).expect("accounts sign users");
    let nats = payload(&token);
    let nats = nats.split_once(r#""nats":"#).expect("claims").1;
    assert_eq!(
        nats,
        r#"{"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"type":"user","version":2}}"#
    );
    let mut claims = Claims::new(
        public(KeyKind::Account, 4),
        "",
        ActivationClaims {
            import_subject: "a.>".to_owned(),
            exported: Some(Exported::Service),
            ..ActivationClaims::default()
        },
    );
    let token = claims
        .sign(&account, now())
        .expect("accounts sign activations");
    let nats = payload(&token);
    let nats = nats.split_once(r#""nats":"#).expect("claims").1;
    assert_eq!(
        nats,
        r#"{"subject":"a.\u003e","kind":"service","type":"activation","version":2}}"#
    );
}

/// Everything at once, as JSON that Go would write.
fn full_account() -> Value {
    let [other, third] = [8, 9].map(|byte| public(KeyKind::Account, byte).to_string());
    json!({
        "imports": [{
            "name": "i", "subject": "time.>", "account": other, "token": "x", "to": "t",
            "local_subject": "l", "type": "stream", "share": true, "allow_trace": true,
            "later": 1,
        }],
        "exports": [{
            "name": "e", "subject": "ask.*", "type": "service", "token_req": true,
            "revocations": { "*": 5 }, "response_type": "Singleton", "response_threshold": 7,
            "service_latency": { "sampling": 10, "results": "latency" },
            "account_token_position": 2, "advertise": true, "allow_trace": true,
            "description": "d", "info_url": "https://example.org",
        }, {
            "subject": "more", "type": "service",
            "service_latency": { "sampling": "headers", "results": "latency" },
        }],
        "limits": {
            "subs": 1, "data": 2, "payload": 3, "imports": 4, "exports": 5, "wildcards": true,
            "disallow_bearer": true, "conn": 6, "leaf": 7,
            "tiered_limits": { "R1": {
                "mem_storage": 8, "disk_storage": 9, "streams": 10, "consumer": 11,
                "max_ack_pending": 12, "mem_max_stream_bytes": 13, "disk_max_stream_bytes": 14,
                "max_bytes_required": true,
            }, "R3": {} },
            "later": [1],
        },
        "signing_keys": [third, {
            "kind": "user_scope", "key": public(KeyKind::Account, 10), "role": "r",
            "template": {
                "pub": { "allow": ["a.{{name()}}"] }, "sub": {}, "subs": 0, "data": -1,
                "payload": 100,
            },
            "description": "",
        }],
        "revocations": { public(KeyKind::User, 1).to_string(): 1_700_000_000 },
        "default_permissions": {
            "pub": { "allow": ["a"], "deny": ["b"], "later": {} }, "sub": {},
            "resp": { "max": 1, "ttl": 5 },
        },
        "mappings": { "a": [{ "subject": "b", "weight": 50, "cluster": "c" }, { "subject": "d" }] },
        "authorization": {
            "auth_users": [public(KeyKind::User, 2)], "allowed_accounts": ["*"],
            "xkey": public(KeyKind::Curve, 3),
        },
        "trace": { "dest": "t", "sampling": 50 },
        "cluster_traffic": "owner",
        "description": "d",
        "info_url": "https://example.org",
        "tags": ["a:b"],
        "later": { "x": [1, "y"] },
    })
}

fn read_account(nats: Value) -> Result<Claims<AccountClaims>, JwtError> {
    let operator = seed(KeyKind::Operator, 1);
    let mut payload = json!({
        "iss": operator.public_key(), "sub": public(KeyKind::Account, 2), "nats": nats,
    });
    payload["nats"]["type"] = "account".into();
    payload["nats"]["version"] = 2.into();
    Token::read(&signed(&header(), &payload, &operator))?.claims()
}

fn read_user(nats: Value) -> Result<Claims<UserClaims>, JwtError> {
    let account = seed(KeyKind::Account, 2);
    let mut payload = json!({
        "iss": account.public_key(), "sub": public(KeyKind::User, 3), "nats": nats,
    });
    payload["nats"]["type"] = "user".into();
    payload["nats"]["version"] = 2.into();
    Token::read(&signed(&header(), &payload, &account))?.claims()
}

#[test]
fn nothing_of_an_account_is_lost() {
    let mut claims = read_account(full_account()).expect("valid");
    claims.other.insert("later".to_owned(), json!({ "a": 1 }));
    let text = claims
        .sign(&seed(KeyKind::Operator, 1), now())
        .expect("an operator");
    let written: Value = serde_json::from_str(&payload(&text)).expect("JSON");
    let mut expected = full_account();
    expected["type"] = "account".into();
    expected["version"] = 2.into();
    // Sorted by key, plain and scoped ones together.
    let keys = expected["signing_keys"].as_array_mut().expect("a list");
    let key = |value: &Value| value["key"].as_str().or(value.as_str()).map(str::to_owned);
    keys.sort_by_key(key);
    assert_eq!(written["nats"], expected);
    assert_eq!(written["later"], json!({ "a": 1 }));
    assert_eq!(Token::read(&text).expect("ours").claims(), Ok(claims));
}

/// Whichever order the maps of serde_json keep, which a feature of another crate decides.
#[test]
fn an_account_has_one_text() {
    let mut claims = read_account(full_account()).expect("valid");
    if let SigningKey::Scoped(scope) = &mut claims.body.signing_keys[0] {
        scope.template.times = vec![TimeRange {
            start: "09:00:00".to_owned(),
            end: "17:00:00".to_owned(),
            ..TimeRange::default()
        }];
        scope.template.is_bearer = true;
    }
    let later = json!({ "z": 1, "a": { "y": 1, "b": 2 } });
    claims.other.insert("z".to_owned(), 1.into());
    claims.other.insert("a".to_owned(), later["z"].clone());
    let token = claims
        .sign(&seed(KeyKind::Operator, 1), now())
        .expect("an operator");
    let digest = blake3::hash(token.as_bytes());
    assert_eq!(
        digest.to_hex().as_str(),
        "ea40ecb1b61b3e791537bb4d7d72153d7ee4d4c5a7cec52fda597469909b2ccc"
    );
}

#[test]
fn limits_of_jetstream_are_by_tiers_or_for_all() {
    let all = json!({ "limits": { "disk_storage": 5, "streams": 6 } });
    let all = read_account(all).expect("valid").body.limits;
    assert_eq!(
        (all.jetstream.disk, all.jetstream.streams),
        (Limit::at_most(5), Limit::at_most(6))
    );
    let tiers = json!({ "disk_storage": 5, "tiered_limits": { "R1": { "mem_storage": 1 } } });
    let tiers = read_account(json!({ "limits": tiers }))
        .expect("valid")
        .body
        .limits;
    assert_eq!(tiers.jetstream, JetStreamLimits::off());
    assert!(tiers.has_jetstream());
}

#[test]
fn nothing_of_a_user_is_lost() {
    let full = json!({
        "pub": { "allow": [], "deny": ["b"] }, "sub": { "allow": ["a workers"] },
        "resp": { "max": -1, "ttl": 0 }, "src": ["10.0.0.0/8"],
        "times": [{ "start": "09:00:00", "end": "17:00:00" }], "times_location": "Europe/Berlin",
        "subs": 1, "data": 2, "payload": 3, "bearer_token": true, "proxy_required": true,
        "allowed_connection_types": ["STANDARD"], "issuer_account": public(KeyKind::Account, 5),
        "tags": ["x:y"], "later": null, "latest": 1,
    });
    let mut claims = read_user(full.clone()).expect("valid");
    let text = claims
        .sign(&seed(KeyKind::Account, 2), now())
        .expect("an account");
    let written: Value = serde_json::from_str(&payload(&text)).expect("JSON");
    let mut expected = full;
    expected.as_object_mut().expect("an object").remove("later");
    expected["type"] = "user".into();
    expected["version"] = 2.into();
    assert_eq!(written["nats"], expected);
}

/// An absent number is zero in a user's token, and no limit in a scope.
#[test]
fn absent_limits_are_what_servers_take_them_for() {
    let user = read_user(json!({})).expect("valid");
    assert_eq!(user.body.limits, UserLimits::none());
    let account = read_account(json!({})).expect("valid");
    assert_eq!(account.body.limits.connections, Limit::ZERO);
    assert!(!account.body.limits.allows_wildcards);
    let key = public(KeyKind::Account, 10);
    let scope = json!({ "kind": "user_scope", "key": key, "template": { "payload": null } });
    let account = read_account(json!({ "signing_keys": [scope] })).expect("valid");
    let scope = account.body.signing_keys[0].scope().expect("a scope");
    assert_eq!(scope.template, UserLimits::default());
    let account = read_account(json!({
        "signing_keys": [{ "kind": "user_scope", "key": key }],
    }));
    let account = account.expect("valid");
    let scope = account.body.signing_keys[0].scope().expect("a scope");
    assert_eq!(scope.template, UserLimits::default());
}

#[test]
fn signing_keys_are_read_as_servers_read_them() {
    let [one, two] = [1, 2].map(|byte| public(KeyKind::Account, byte));
    let scope = json!({ "kind": "user_scope", "key": one, "role": "r", "template": {} });
    let read = |keys: Value| {
        let claims = read_account(json!({ "signing_keys": keys }))?;
        let keys = claims.body.signing_keys;
        let keys = keys
            .iter()
            .map(|key| (key.key().to_owned(), key.scope().is_some()));
        Ok::<_, JwtError>(keys.collect::<Vec<_>>())
    };
    let plain = (one.to_string(), false);
    assert_eq!(
        read(json!([1, null, true, [], one])),
        Ok(vec![plain.clone()])
    );
    assert_eq!(read(json!([scope, one])), Ok(vec![plain]));
    assert_eq!(read(json!([one, scope])), Ok(vec![(one.to_string(), true)]));
    let mut sorted = vec![(one.to_string(), false), (two.to_string(), false)];
    sorted.sort();
    assert_eq!(read(json!([one, two])), Ok(sorted.clone()));
    assert_eq!(read(json!([two, one])), Ok(sorted));
    for kind in [
        json!({ "key": one }),
        json!({ "kind": "other", "key": one }),
    ] {
        assert_eq!(
            read(json!([kind])).expect_err("no scope").code(),
            "jwt-json"
        );
    }
}

#[test]
fn networks_are_read_from_a_list_and_from_a_text() {
    let read = |src: Value| {
        read_user(json!({ "src": src }))
            .expect("valid")
            .body
            .limits
            .sources
    };
    assert_eq!(read(json!(["A", " b"])).0, ["A", " b"]);
    assert_eq!(
        read(json!("10.0.0.0/8, ,FE80::/10,10.0.0.0/8")).0,
        ["10.0.0.0/8", "fe80::/10"]
    );
    assert!(read(json!("")).is_empty());
    assert!(read_user(json!({ "src": 1 })).is_err());
}

#[test]
fn names_in_another_case_are_seen() {
    let user = read_user(json!({ "Bearer_Token": true, "SUBS": 5, "data": null }));
    let limits = user.expect("valid").body.limits;
    assert!(limits.is_bearer);
    assert_eq!(
        (limits.subscriptions, limits.data),
        (Limit::at_most(5), Limit::ZERO)
    );
}

#[test]
fn numbers_and_kinds_that_go_refuses_are_refused() {
    for nats in [
        json!({ "subs": 1.5 }),
        json!({ "subs": 1e3 }),
        json!({ "subs": "1" }),
        json!({ "subs": u64::MAX }),
        json!({ "bearer_token": 1 }),
        json!({ "pub": [] }),
        json!({ "resp": { "ttl": "1s" } }),
        json!({ "resp": [1, 2] }),
        json!({ "times": [["09:00:00", "17:00:00"]] }),
        json!({ "tags": "a" }),
    ] {
        assert!(read_user(nats.clone()).is_err(), "{nats}");
    }
    for nats in [
        json!({ "exports": [{ "type": "other" }] }),
        json!({ "exports": [{ "account_token_position": -1 }] }),
        json!({ "exports": [{ "service_latency": { "sampling": "x" } }] }),
        json!({ "mappings": { "a": [{ "weight": 256 }] } }),
        json!({ "mappings": { "a": [["b", 1, "c"]] } }),
        json!({ "authorization": [[], [], ""] }),
        json!({ "trace": ["t", 1] }),
        json!({ "limits": [] }),
    ] {
        assert!(read_account(nats.clone()).is_err(), "{nats}");
    }
}

#[test]
fn what_is_no_token_is_refused_with_its_reason() {
    let account = seed(KeyKind::Account, 2);
    let good = json!({
        "iss": account.public_key(), "sub": public(KeyKind::User, 3),
        "nats": { "type": "user", "version": 2 },
    });
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(name).expect("a field") = value;
        changed
    };
    let token = signed(&header(), &good, &account);
    assert!(Token::read(&token).is_ok());
    let code = |text: &str| Token::read(text).expect_err(text).code();
    assert_eq!(code(""), "jwt-parts");
    assert_eq!(code("a.b.c.d"), "jwt-parts");
    assert_eq!(code(&format!("{token}=")), "jwt-base64");
    assert_eq!(code(&format!(" {token}")), "jwt-base64");
    assert_eq!(code(&"a".repeat(MAX_TOKEN_LEN + 1)), "jwt-too-long");
    for wrong in [
        json!({ "typ": "JWT", "alg": "EdDSA" }),
        json!({ "alg": "ed25519-nkey" }),
        json!({}),
    ] {
        assert_eq!(code(&signed(&wrong, &good, &account)), "jwt-header");
    }
    assert_eq!(code(&signed(&json!([]), &good, &account)), "jwt-json");
    assert_eq!(code(&signed(&header(), &json!([]), &account)), "jwt-json");
    let odd = json!({ "x": 1, "ALG": "Ed25519-NKEY", "typ": "jwt" });
    assert!(Token::read(&signed(&odd, &good, &account)).is_ok());
    for version in [0, 3, -1] {
        let wrong = with("/nats/version", version.into());
        assert_eq!(code(&signed(&header(), &wrong, &account)), "jwt-version");
    }
    for kind in ["", "server", "generic"] {
        let wrong = with("/nats/type", kind.into());
        assert_eq!(code(&signed(&header(), &wrong, &account)), "jwt-kind");
    }
    // By another key than it says, or by none, or by one that signs no users.
    assert_eq!(
        code(&signed(&header(), &good, &seed(KeyKind::Account, 7))),
        "jwt-issuer"
    );
    assert_eq!(
        code(&signed(&header(), &with("/iss", "".into()), &account)),
        "jwt-issuer"
    );
    let operator = seed(KeyKind::Operator, 1);
    let wrong = with("/iss", operator.public_key().to_string().into());
    assert_eq!(
        Token::read(&signed(&header(), &wrong, &operator)),
        Err(JwtError::Issuer(NkeyError::Kind {
            expected: "account",
            found: KeyKind::Operator,
        }))
    );
    let error = Token::read(&token)
        .expect("a user's")
        .claims::<AccountClaims>();
    assert_eq!(error.expect_err("a user's").code(), "jwt-kind");
}

/// Line ends within a part, and bits that are left over at its end.
#[test]
fn base64_is_read_as_go_reads_it() {
    let account = seed(KeyKind::Account, 2);
    let payload = json!({
        "iss": account.public_key(), "sub": public(KeyKind::User, 3),
        "nats": { "type": "user", "version": 2 },
    });
    let token = signed(&header(), &payload, &account);
    let (start, signature) = token.rsplit_once('.').expect("parts");
    let (first, rest) = signature.split_at(40);
    assert!(Token::read(&format!("{start}.{first}\r\n{rest}")).is_ok());
    // 64 bytes leave four bits of the last digit over.
    let (digits, last) = rest.split_at(rest.len() - 1);
    let last = last.as_bytes()[0];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet
        .iter()
        .position(|digit| *digit == last)
        .expect("a digit");
    let other = char::from(alphabet[at + 1]);
    assert!(Token::read(&format!("{start}.{first}{digits}{other}")).is_ok());
}

#[test]
fn tokens_of_version_1_say_what_they_said() {
    let account = seed(KeyKind::Account, 2);
    let payload = json!({
        "iss": account.public_key(), "sub": public(KeyKind::User, 3), "type": "user",
        "tags": ["a"], "issuer_account": "A", "name": "ann",
        "nats": {
            "pub": { "allow": ["a"] }, "payload": 5, "bearer_token": true, "max": 7,
            "issuer_account": "B", "proxy_required": true,
        },
    });
    let token = Token::read(&signed_v1(&payload, &account)).expect("version 1");
    assert_eq!(token.version(), 1);
    let claims: Claims<UserClaims> = token.claims().expect("a user's");
    assert_eq!(claims.tags, ["a"]);
    assert_eq!(claims.body.issuer_account, "A");
    let limits = &claims.body.limits;
    assert_eq!(limits.publish, Permission::only(["a"]));
    assert_eq!(
        (limits.subscriptions, limits.payload),
        (Limit::UNLIMITED, Limit::at_most(5))
    );
    assert!(limits.is_bearer && !limits.needs_proxy && claims.body.other.is_empty());
    // Each version has its own way of signing.
    let wrong = signed(&header(), &payload, &account);
    assert_eq!(
        Token::read(&wrong).expect_err("version 2's").code(),
        "jwt-issuer"
    );

    let operator = seed(KeyKind::Operator, 1);
    let payload = json!({
        "iss": operator.public_key(), "sub": account.public_key(), "type": "account",
        "nats": {
            "limits": { "subs": 5, "disk_storage": 6, "disallow_bearer": true },
            "mappings": { "a": [] }, "signing_keys": ["A"],
        },
    });
    let token = Token::read(&signed_v1(&payload, &operator)).expect("version 1");
    let claims: Claims<AccountClaims> = token.claims().expect("an account's");
    let limits = &claims.body.limits;
    assert_eq!(
        (limits.subscriptions, limits.connections),
        (Limit::at_most(5), Limit::ZERO)
    );
    assert!(limits.refuses_bearers && !limits.has_jetstream());
    assert!(claims.body.mappings.is_empty());
    assert_eq!(
        claims.body.signing_keys,
        [SigningKey::Plain("A".to_owned())]
    );

    let payload = json!({
        "iss": account.public_key(), "sub": public(KeyKind::Account, 4), "type": "activation",
        "nats": { "subject": "a", "type": "stream", "max": 1 },
    });
    let token = Token::read(&signed_v1(&payload, &account)).expect("version 1");
    let claims: Claims<ActivationClaims> = token.claims().expect("an activation");
    assert_eq!(claims.body.exported, Some(Exported::Stream));
    assert_eq!(claims.body.import_subject, "a");
    let payload = json!({
        "iss": operator.public_key(), "sub": operator.public_key(), "type": "operator",
        "nats": { "strict_signing_key_usage": true, "signing_keys": ["O"] },
    });
    let token = Token::read(&signed_v1(&payload, &operator)).expect("version 1");
    let claims: Claims<OperatorClaims> = token.claims().expect("an operator's");
    assert!(!claims.body.is_strict);
    assert_eq!(claims.body.signing_keys, ["O"]);
}

#[test]
fn only_who_may_signs() {
    let [operator, account, user] =
        [KeyKind::Operator, KeyKind::Account, KeyKind::User].map(|kind| seed(kind, 1));
    let mut claims = Claims::new(user.public_key(), "u", UserClaims::default());
    for issuer in [&operator, &user] {
        let error = claims.sign(issuer, now()).expect_err("not theirs");
        assert_eq!(error.code(), "key-kind-wrong");
    }
    claims.subject = account.public_key().to_string();
    let error = claims.sign(&account, now()).expect_err("no user");
    assert_eq!(
        error.to_string(),
        "wrong kind of key: expected user, found account"
    );
}

#[test]
fn the_same_claims_give_the_same_token() {
    let account = seed(KeyKind::Account, 1);
    let user = public(KeyKind::User, 2);
    let sign = || {
        let mut claims = Claims::new(user, "u", UserClaims::default());
        claims.sign(&account, now()).expect("an account")
    };
    assert_eq!(sign(), sign());
}

#[test]
fn a_revocation_stands_until_its_second() {
    let mut account = AccountClaims::default();
    account.revoke("U", 10);
    account.revoke("U", 5);
    assert!(account.is_revoked("U", 10) && !account.is_revoked("U", 11));
    assert!(!account.is_revoked("V", 0));
    account.revoke("*", 20);
    assert!(account.is_revoked("V", 20) && !account.is_revoked("V", 21));
}

/// Every field that is written is one that is read in any case.
#[test]
fn every_field_is_known() {
    let names = |value: &Value| {
        let mut found = Vec::new();
        collect(value, false, &mut found);
        found
    };
    for name in names(&full_account()) {
        let upper = json!({ name.to_uppercase(): 1 });
        let Value::Object(upper) = upper else {
            panic!("an object");
        };
        let seen = lenient::fields(upper);
        assert!(
            name.starts_with("later") || name == "x" || seen.contains_key(&name),
            "{name}"
        );
    }
}

fn collect(value: &Value, is_map: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let holds_map = ["mappings", "revocations", "tiered_limits"];
                collect(value, holds_map.contains(&name.as_str()), found);
                if !is_map {
                    found.push(name.clone());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, false, found)),
        _ => {}
    }
}

#[test]
fn what_a_server_would_refuse_is_not_signed() {
    let account = seed(KeyKind::Account, 1);
    let user = public(KeyKind::User, 2);
    let mut claims = Claims::new(user, "ann", UserClaims::default());
    claims.not_before = 1_800_000_000;
    let issued = claims.issue(&account, now(), ServerVersion::default());
    assert_eq!(
        Ok(claims.clone().sign(&account, now()).expect("signed")),
        issued
    );

    claims.body.limits.publish = Permission::only(["a..b"]);
    claims.expires = 1_600_000_000;
    let error = claims
        .issue(&account, now(), ServerVersion::default())
        .expect_err("refused");
    assert_eq!(error.code(), "jwt-refused");
    let IssueError::Refused(findings) = &error else {
        panic!("refused for what it says: {error}");
    };
    let found: Vec<_> = findings
        .iter()
        .map(|found| (found.code, &*found.path))
        .collect();
    let expected = [
        ("expired", "exp"),
        ("subject-token-empty", "nats.pub.allow[0]"),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        error.to_string(),
        "not signed: a server would refuse it: exp: the token has ended at \
         2020-09-13T12:26:40.000000Z (and 1 more)"
    );

    let operator = seed(KeyKind::Operator, 3);
    let error = claims.issue(&operator, now(), ServerVersion::default());
    assert_eq!(
        error.expect_err("accounts sign users").code(),
        "key-kind-wrong"
    );
}

#[test]
fn a_token_that_is_too_long_is_not_issued() {
    let account = seed(KeyKind::Account, 1);
    let name = "a".repeat(MAX_TOKEN_LEN);
    let mut claims = Claims::new(public(KeyKind::User, 2), &name, UserClaims::default());
    let error = claims
        .issue(&account, now(), ServerVersion::default())
        .expect_err("too long");
    assert!(
        error.to_string().contains("expected at most 1048576 bytes"),
        "{error}"
    );
}
