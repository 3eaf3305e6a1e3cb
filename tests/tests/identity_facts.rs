//! What a running nats-server makes of odd tokens, each beside what we say of it: permissions that do
//! not do what they seem to, tokens that are read leniently, and what a server starts with.

use std::process::Command;
use std::time::Duration;

use cim_core::jwt::{
    AccountClaims, Claims, Effective, Finding, JwtError, Login, OperatorClaims, ServerVersion,
    Token, UserClaims, Verdict, login_findings,
};
use cim_core::nkey::Seed;
use cim_host::clock;
use cim_host::identity::server_config::{Resolver, ServerConfig};
use cim_host::jetstream::claims::Push;
use cim_tests::nats::NatsServer;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use self::operator::{
    Client, Operator, account, envelope, full, in_seconds, operator as operator_key, raw_token,
    raw_token_of, second, sign, sign_by, user, user_token, with_keys,
};

#[path = "support/operator.rs"]
mod operator;

/// The account of each test, and a signing key of it.
const ACCOUNT: u8 = 2;
const KEY: u8 = 3;

/// A server with an account, and what we know of it.
struct Place {
    server: NatsServer,
    operator: Operator,
    token: String,
}

impl Place {
    /// The account says this besides what all do.
    fn new(more: Value) -> Self {
        let mut nats = json!({
            "limits": { "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                        "wildcards": true, "conn": -1, "leaf": -1 },
            "type": "account", "version": 2,
        });
        merge(&mut nats, more);
        let key = account(ACCOUNT).public_key();
        Self::of(raw_token(
            &envelope(operator_key(1).public_key(), key, nats),
            &operator_key(1),
        ))
    }

    fn of(token: String) -> Self {
        let operator = Operator::new();
        let options = operator.server(&[(ACCOUNT, &token)], Resolver::Memory);
        Self {
            server: NatsServer::start(options),
            operator,
            token,
        }
    }

    /// The account with a scope for what its signing key signs.
    fn scoped(template: Value) -> Self {
        let key = account(KEY).public_key();
        Self::new(json!({ "signing_keys": [
            { "kind": "user_scope", "key": key, "role": "r", "template": template, "description": "" }
        ] }))
    }

    fn account(&self) -> Claims<AccountClaims> {
        let token = Token::read(&self.token).expect("an account");
        token.claims().expect("an account")
    }

    /// Logs a user in, which the server does if we say so.
    fn log_in(&self, token: &str) -> Option<Client> {
        self.log_in_as(token, &user(9))
    }

    fn log_in_as(&self, token: &str, user: &Seed) -> Option<Client> {
        let client = Client::log_in(&self.server.address(), token, user);
        let findings = self.findings(token);
        let is_refused = match &findings {
            Ok(findings) => findings.iter().any(Finding::is_refused),
            Err(_) => true,
        };
        assert_eq!(client.is_none(), is_refused, "{findings:?}");
        client
    }

    fn findings(&self, token: &str) -> Result<Vec<Finding>, JwtError> {
        let login = Login::at(clock::now());
        let trust = self.operator.trust();
        let token = Token::read(token)?;
        login_findings(
            &token,
            &self.account(),
            &trust,
            ServerVersion::TRIED,
            &login,
        )
    }

    fn effective(&self, token: &str) -> Effective {
        let claims: Claims<UserClaims> = Token::read(token)
            .and_then(|token| token.claims())
            .expect("a user");
        Effective::of(&claims, &self.account()).expect("no scope, or one that fits")
    }
}

fn merge(into: &mut Value, from: Value) {
    let Value::Object(from) = from else {
        panic!("an object");
    };
    into.as_object_mut().expect("an object").extend(from);
}

/// A user by the account's key that has no limits, and says this.
fn ann(more: Value) -> String {
    let mut nats = json!({ "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
    merge(&mut nats, more);
    let key = user(9).public_key();
    raw_token(
        &envelope(account(ACCOUNT).public_key(), key, nats),
        &account(ACCOUNT),
    )
}

/// A user by the signing key that has a scope.
fn scoped_ann(more: Value) -> String {
    let issuer_account = account(ACCOUNT).public_key();
    let mut nats = json!({ "type": "user", "version": 2, "issuer_account": issuer_account });
    merge(&mut nats, more);
    let key = user(9).public_key();
    raw_token(
        &envelope(account(KEY).public_key(), key, nats),
        &account(KEY),
    )
}

/// Both of us: the server and we.
#[track_caller]
fn publishes(place: &Place, token: &str, subject: &str, expected: bool) {
    let mut client = place.log_in(token).expect("the user is let in");
    assert_eq!(
        client.may_publish(subject),
        expected,
        "the server: {subject}"
    );
    let verdict = place.effective(token).may_publish(subject);
    assert_eq!(verdict.is_allowed(), expected, "{subject}: {verdict:?}");
}

#[track_caller]
fn subscribes(place: &Place, token: &str, subject: &str, expected: bool) {
    let mut client = place.log_in(token).expect("the user is let in");
    assert_eq!(
        client.may_subscribe(subject),
        expected,
        "the server: {subject}"
    );
    let verdict = place.effective(token).may_subscribe(subject, None);
    assert_eq!(verdict.is_allowed(), expected, "{subject}: {verdict:?}");
}

/// To an entry that ends with `*`, the `>` of who subscribes is one token.
#[test]
fn one_token_covers_all_the_rest() {
    let place = Place::new(json!({}));
    let some = ann(json!({ "sub": { "allow": ["foo.*"] } }));
    subscribes(&place, &some, "foo.>", true);
    subscribes(&place, &some, "foo.a", true);
    subscribes(&place, &some, "foo.a.b", false);
    subscribes(&place, &some, ">", false);
    let but = ann(json!({ "sub": { "deny": ["foo.*"] } }));
    subscribes(&place, &but, "foo.>", false);
    subscribes(&place, &but, ">", true);
}

/// An answer goes out even to a subject that is denied, once.
#[test]
fn answers_override_what_is_denied() {
    let place = Place::new(json!({}));
    let answering = ann(json!({ "resp": { "max": 1, "ttl": 0 }, "pub": { "deny": ["d.>"] } }));
    publishes(&place, &answering, "d.x", false);
    publishes(&place, &answering, "other", false);
    let mut responder = place.log_in(&answering).expect("let in");
    let mut asking = place.log_in(&ann(json!({}))).expect("let in");
    assert_eq!(responder.say("SUB q 1\r\n"), Some(vec![]));
    assert_eq!(asking.say("PUB q d.x 1\r\nx\r\n"), Some(vec![]));
    let asked = responder.say("").expect("it stays");
    assert!(
        asked.iter().any(|line| line == "MSG q 1 d.x 1"),
        "{asked:?}"
    );
    assert!(responder.may_publish("d.x"));
    assert!(!responder.may_publish("d.x"), "once");
    let verdict = place.effective(&answering).may_publish("d.x");
    assert_eq!(verdict, Verdict::AllowedAsAnswer);
}

/// What counts is the subject that a message goes to.
#[test]
fn mappings_come_before_permissions() {
    let place = Place::new(json!({ "mappings": {
        "a.*": [{ "subject": "b.$1" }],
        "half": [{ "subject": "b.half", "weight": 50 }, { "subject": "b.other", "weight": 50 }],
        "rest": [{ "subject": "b.rest", "weight": 50 }],
        "f.*.*": [{ "subject": "b.{{wildcard(2)}}.{{Wildcard(1)}}" }],
        "deep.>": [{ "subject": "b.>" }],
        "elsewhere": [{ "subject": "c", "cluster": "x" }],
    } }));
    let from = ann(json!({ "pub": { "allow": ["a.>"] } }));
    publishes(&place, &from, "a.x", false);
    publishes(&place, &from, "a.x.y", true);
    let to = ann(json!({ "pub": { "allow": ["b.>"] } }));
    publishes(&place, &to, "a.x", true);
    publishes(&place, &to, "b.x", true);
    publishes(&place, &to, "half", true);
    publishes(&place, &to, "f.x.y", true);
    publishes(&place, &to, "deep.x.y", true);
    // This server has no cluster.
    let mut client = place.log_in(&to).expect("let in");
    assert!(!client.may_publish("elsewhere"));
    let to = ann(json!({ "pub": { "allow": ["b.y.x", "elsewhere"] } }));
    publishes(&place, &to, "f.x.y", true);
    publishes(&place, &to, "f.y.x", false);
    let mut client = place.log_in(&to).expect("let in");
    assert!(client.may_publish("elsewhere"));
    assert!(!place.effective(&to).may_publish("elsewhere").is_allowed());
    let to = ann(json!({ "pub": { "allow": ["c", "elsewhere"] } }));
    publishes(&place, &to, "elsewhere", true);
    // Where chance decides, nobody may rely on it.
    let to = ann(json!({ "pub": { "allow": ["b.half", "b.rest"] } }));
    for subject in ["half", "rest"] {
        let verdict = place.effective(&to).may_publish(subject);
        assert!(!verdict.is_allowed(), "{verdict:?}");
        let mut client = place.log_in(&to).expect("let in");
        let tries = (0..200).filter(|_| client.may_publish(subject)).count();
        assert!((1..200).contains(&tries), "{subject}: {tries}");
    }
    let to = ann(json!({ "pub": { "allow": ["b.rest", "rest"] } }));
    publishes(&place, &to, "rest", true);
}

/// An empty list beside a denied subject allows nothing to be published, and everything to be
/// subscribed to.
#[test]
fn an_empty_list_is_another_thing_to_publish_and_to_subscribe() {
    let place = Place::new(json!({}));
    let odd = json!({ "allow": [], "deny": ["x"] });
    let odd = ann(json!({ "pub": odd, "sub": odd }));
    publishes(&place, &odd, "a", false);
    subscribes(&place, &odd, "a", true);
    subscribes(&place, &odd, "x", false);
    let silent = ann(json!({ "pub": { "allow": [] } }));
    publishes(&place, &silent, "a", true);
}

/// A denied subject that the server cannot use is not denied.
#[test]
fn an_odd_denied_subject_denies_nothing() {
    let place = Place::new(json!({}));
    let odd = ann(json!({ "pub": { "deny": ["a.>.b"] }, "sub": { "deny": ["a.>.b", "c\tq"] } }));
    publishes(&place, &odd, "a.x.b", true);
    subscribes(&place, &odd, "a.x.b", true);
    // A tab makes a queue group of the rest.
    subscribes(&place, &odd, "c", true);
}

/// We cannot know how somebody connects, so that it is a warning of ours.
#[test]
fn a_proxy_is_asked_for_by_a_scope_too() {
    let limits = json!({ "proxy_required": true });
    for (place, token) in [
        (Place::scoped(limits.clone()), scoped_ann(json!({}))),
        (Place::new(json!({})), ann(limits)),
    ] {
        assert!(Client::log_in(&place.server.address(), &token, &user(9)).is_none());
        let findings = place.findings(&token).expect("a user");
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["proxy-required"]);
    }
}

/// What is absent in a scope is not limited, and zero in a user's own token.
#[test]
fn absent_limits_are_none_in_a_scope() {
    let place = Place::scoped(json!({}));
    let scoped = scoped_ann(json!({}));
    subscribes(&place, &scoped, "a", true);
    publishes(&place, &scoped, "a", true);
    let place = Place::new(json!({}));
    assert!(
        place
            .log_in(&ann(json!({ "payload": 1, "subs": 1 })))
            .is_some()
    );
    let token = ann(json!({ "payload": 0 }));
    let mut client = place.log_in(&token).expect("let in");
    let said = client.say("PUB a 1\r\nx\r\n");
    assert_eq!(said, None, "one byte is too much");
}

/// Beside a scope, nothing may be said, not even an empty list.
#[test]
fn empty_lists_are_something_beside_a_scope() {
    let place = Place::scoped(json!({}));
    for said in [
        json!({ "src": "" }),
        json!({ "src": [] }),
        json!({ "pub": { "allow": [] } }),
        json!({ "sub": { "deny": [] } }),
        json!({ "times": [] }),
        json!({ "allowed_connection_types": [] }),
        json!({ "resp": {} }),
        json!({ "subs": -1 }),
    ] {
        let token = scoped_ann(said.clone());
        assert!(place.log_in(&token).is_none(), "{said}");
    }
    for silent in [
        json!({ "pub": {}, "sub": {} }),
        json!({ "subs": 0, "bearer_token": false, "times_location": "" }),
    ] {
        let token = scoped_ann(silent.clone());
        assert!(place.log_in(&token).is_some(), "{silent}");
    }
}

#[test]
fn a_negative_number_of_imports_refuses_the_account() {
    let limits = |imports: i64| {
        json!({ "limits": { "subs": -1, "data": -1, "payload": -1, "imports": imports,
                            "exports": -1, "wildcards": true, "conn": -1, "leaf": -1 } })
    };
    for (imports, is_taken) in [(-2, false), (-1, true), (0, true)] {
        let place = Place::new(limits(imports));
        assert_eq!(
            place.log_in(&ann(json!({}))).is_some(),
            is_taken,
            "{imports}"
        );
    }
}

/// An account that ends before 1970 has ended, though its token is valid.
#[test]
fn a_negative_end_is_one() {
    let nats = json!({ "type": "account", "version": 2, "limits": { "subs": -1, "conn": -1 } });
    let key = account(ACCOUNT).public_key();
    let mut payload = envelope(operator_key(1).public_key(), key, nats);
    payload["exp"] = json!(-5);
    let place = Place::of(raw_token(&payload, &operator_key(1)));
    assert!(place.log_in(&ann(json!({}))).is_none());
}

/// A key of another kind signs a login as well as a user's.
#[test]
fn an_account_logs_in_as_a_user() {
    let place = Place::new(json!({}));
    let nats = json!({ "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
    let key = account(ACCOUNT).public_key();
    let token = raw_token(&envelope(key, key, nats), &account(ACCOUNT));
    assert!(place.log_in_as(&token, &account(ACCOUNT)).is_some());
}

/// Names of fields count in whatever case, and line ends in a token do not.
#[test]
fn tokens_are_read_leniently() {
    let place = Place::new(json!({}));
    let (issuer, key) = (account(ACCOUNT).public_key(), user(9).public_key());
    let odd = format!(
        r#"{{"ISS":"{issuer}","Sub":"{key}","iat":{},"nats":{{"SUBS":-1,"Data":-1,"payLoad":-1,
            "PUB":{{"Allow":["a"]}},"Type":"user","VERSION":2}}}}"#,
        second(-10)
    );
    let odd = raw_token_of(&odd, &account(ACCOUNT));
    publishes(&place, &odd, "a", true);
    publishes(&place, &odd, "b", false);

    let text = ann(json!({}));
    let parts: Vec<&str> = text.split('.').collect();
    let broken = format!("{}.{}\n\r{}", parts[0], &parts[1][..8], &parts[1][8..]);
    let signature = account(ACCOUNT).sign(broken.as_bytes()).expect("it signs");
    let broken = format!("{broken}.{}", BASE64URL_NOPAD.encode(&signature));
    assert!(place.log_in(&broken).is_some());
    // The text is what is signed, line ends and all.
    let unsigned = format!(
        "{}.{}\n{}.{}",
        parts[0],
        &parts[1][..8],
        &parts[1][8..],
        parts[2]
    );
    assert!(place.log_in(&unsigned).is_none());
}

/// Beside an entry with a name to be filled in, one with a queue group is none: left out where it
/// allows, and a reason to refuse the user where it denies.
#[test]
fn a_queue_group_beside_a_name_is_left_out() {
    let place = Place::scoped(json!({ "sub": { "allow": ["a.{{name()}}", "b q"] } }));
    let token = scoped_ann(json!({}));
    subscribes(&place, &token, "a.ann", true);
    let mut client = place.log_in(&token).expect("let in");
    assert!(!client.may_subscribe("b q"));
    let verdict = place.effective(&token).may_subscribe("b", Some("q"));
    assert!(!verdict.is_allowed());
    let place = Place::scoped(json!({ "sub": { "deny": ["a.{{name()}}", "b q"] } }));
    assert!(place.log_in(&token).is_none());
}

/// Who has an end in the past is an operator all the same.
#[test]
fn an_operator_that_has_ended_is_one() {
    let mut operator = Operator::new();
    operator.claims.expires = second(-60);
    operator.token = operator
        .claims
        .sign(&operator_key(1), in_seconds(-100))
        .expect("itself");
    assert_eq!(operator.claims.findings_at_start(ServerVersion::TRIED), []);
    let token = sign(ACCOUNT, &AccountClaims::default(), in_seconds(-10));
    let server = NatsServer::start(operator.server(&[(ACCOUNT, &token)], Resolver::Memory));
    let ann = user_token(ACCOUNT, ACCOUNT, 9, clock::now());
    assert!(Client::log_in(&server.address(), &ann, &user(9)).is_some());
}

/// Whether a server starts with a configuration, as it says itself of one that it does not start with.
fn starts(extra: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.conf");
    std::fs::write(&file, format!("port: -1\n{extra}")).expect("a file");
    let log = std::fs::File::create(folder.path().join("log")).expect("a file");
    let mut process = Command::new(cim_tests::nats::program())
        .arg("-c")
        .arg(&file)
        .current_dir(folder.path())
        .stderr(log)
        .spawn()
        .expect("it starts");
    for _ in 0..600 {
        let said = std::fs::read(folder.path().join("log")).expect("a file");
        let said = String::from_utf8_lossy(&said).into_owned();
        let ended = process.try_wait().expect("our child").is_some();
        if ended || said.contains("Server is ready") {
            let _ = process.kill();
            let _ = process.wait();
            return if ended { Err(said) } else { Ok(()) };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = process.kill();
    panic!("it neither starts nor ends");
}

/// Names and folders of a configuration are whatever they are, and change nothing else.
#[cfg(unix)]
#[test]
fn a_configuration_takes_any_names() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let odd = OsStr::from_bytes(b"a \"b\" \\ $HOME {#} // \xc3\xa9 \xff\nport: 1");
    let (accounts, data) = (
        folder.path().join(odd),
        folder.path().join("data").join(odd),
    );
    let operator = Operator::new();
    let mut known = operator.known(&[]);
    known[0].name = "}\nport: 1\r\n\"".to_owned();
    let system = known[0].key;
    let dir = accounts.clone();
    let config = ServerConfig {
        server_name: Some("n\"1\"\nport:1".to_owned()),
        jetstream: Some(data.clone()),
        ..ServerConfig::new(operator.token, system, known, Resolver::Full { dir })
    };
    assert_eq!(starts(&config.text().expect("tokens")), Ok(()));
    assert!(accounts.join(format!("{system}.jwt")).is_file());
    assert!(data.join("jetstream").is_dir());
}

/// A server that has no system account yet makes one by the operator's identity key, which a strict
/// operator does not let sign: so the configuration must have the account's token.
#[test]
fn a_strict_operator_needs_its_system_account_at_the_start() {
    let start = |is_strict: bool, is_preloaded: bool| {
        let operator = Operator::with(OperatorClaims {
            signing_keys: vec![operator_key(3).public_key().to_string()],
            is_strict,
            ..OperatorClaims::default()
        });
        let system = sign_by(
            &operator_key(3),
            operator::SYSTEM,
            &with_keys(&[KEY]),
            in_seconds(-10),
        );
        let key = account(operator::SYSTEM).public_key();
        let preload = match is_preloaded {
            true => format!("resolver_preload: {{ {key}: \"{system}\" }}\n"),
            false => String::new(),
        };
        starts(&format!(
            "operator: \"{}\"\nsystem_account: {key}\nresolver {{ type: full, dir: \"a\" }}\n{preload}",
            operator.token
        ))
    };
    assert_eq!(start(false, false), Ok(()));
    assert_eq!(start(true, true), Ok(()));
    let refused = start(true, false).expect_err("nobody may have signed it");
    assert!(refused.contains("system account"), "{refused}");
}

/// The server stores an account of a stranger, says so, and goes by what it had.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_stores_what_it_does_not_go_by() {
    let operator = Operator::new();
    let known = sign(ACCOUNT, &AccountClaims::default(), in_seconds(-20));
    let server = NatsServer::start(operator.server(&[(ACCOUNT, &known)], full()));
    let ann = user_token(ACCOUNT, ACCOUNT, 9, clock::now());
    let mut connected = Client::log_in(&server.address(), &ann, &user(9)).expect("let in");
    let system = user_token(operator::SYSTEM, operator::SYSTEM, 8, clock::now());
    let mut admin = Client::log_in(&server.address(), &system, &user(8)).expect("let in");
    let stranger = operator_key(2);
    let foreign = sign_by(
        &stranger,
        ACCOUNT,
        &AccountClaims::default(),
        in_seconds(-10),
    );
    let length = foreign.len();
    let said = admin.say(&format!(
        "SUB in 1\r\nPUB $SYS.REQ.CLAIMS.UPDATE in {length}\r\n{foreign}\r\n"
    ));
    let mut said = said.expect("it stays").concat();
    for _ in 0..100 {
        if said.contains("\"code\"") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        said += &admin.say("").expect("it stays").concat();
    }
    assert!(
        said.contains(r#""code":200,"message":"jwt updated""#),
        "{said}"
    );
    assert!(connected.is_there());
    assert!(Client::log_in(&server.address(), &ann, &user(9)).is_some());
    let client = operator.connect(&server.url()).await;
    let key = account(ACCOUNT).public_key();
    let found = client.look_up_claims(&key).await.expect("an answer");
    assert_eq!(found.stored[0].token, foreign);
    assert_eq!(found.in_force[0].token, known);
    // Ours takes its place again, if it is as new.
    let mended = sign(ACCOUNT, &AccountClaims::default(), in_seconds(-5));
    let pushed = client
        .push_claims(&Push::new(mended, operator.trust()))
        .await;
    assert!(pushed.expect("nothing against it").is_everywhere());
}

/// An operator is not changed while a server runs.
#[test]
fn another_operator_needs_a_restart() {
    let old = Operator::new();
    let mut server = NatsServer::start(old.server(&[], full()));
    let new = Operator::with(OperatorClaims {
        signing_keys: vec![operator_key(3).public_key().to_string()],
        ..OperatorClaims::default()
    });
    let token = sign_by(
        &operator_key(3),
        ACCOUNT,
        &AccountClaims::default(),
        in_seconds(-5),
    );
    let options = new.server(&[(ACCOUNT, &token)], full());
    let ann = user_token(ACCOUNT, ACCOUNT, 9, clock::now());
    let is_in = |server: &NatsServer| Client::log_in(&server.address(), &ann, &user(9)).is_some();
    server.configure(options);
    let refused = server.try_reload().expect_err("it is not reloaded");
    assert!(
        refused.contains("not supported for TrustedOperators"),
        "{refused}"
    );
    assert!(!is_in(&server));
    server.restart();
    assert!(is_in(&server));
}
