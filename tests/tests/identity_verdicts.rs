//! Our verdicts on tokens are those of a running nats-server: tokens of every feature are tried there,
//! valid and invalid ones.
#![allow(clippy::print_stdout, reason = "tests say what they have done")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use cim_core::jwt::{
    AccountClaims, ActivationClaims, Claims, Exported, Login, OperatorClaims, ServerVersion, Token,
    Trust, login_findings,
};
use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use cim_host::clock;
use cim_tests::nats::{NatsServer, ServerOptions};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// For how long a connection must stay to count as taken: what has no subscriptions left is closed
/// behind its answer.
const STAYS: Duration = Duration::from_millis(150);

/// How many users are tried at the same time.
const THREADS: usize = 32;

/// Who signs a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Signer {
    Account,
    SigningKey,
    ScopedKey,
    Stranger,
}

/// An account with a user.
struct Case {
    name: &'static str,
    /// What is under `nats` in the account's token, and what else the token has.
    account: Value,
    account_envelope: Value,
    /// The same of the user's.
    user: Value,
    user_envelope: Value,
    signer: Signer,
    /// Whether the token names the account.
    names_account: bool,
    /// Who signs the account, if it is not the operator's identity key.
    account_issuer: Option<u8>,
    /// The template of the scoped key.
    template: Value,
}

impl Case {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            account: json!({}),
            account_envelope: json!({}),
            user: json!({}),
            user_envelope: json!({}),
            signer: Signer::Account,
            names_account: true,
            account_issuer: None,
            template: json!({}),
        }
    }

    fn user(name: &'static str, user: Value) -> Self {
        Self {
            user,
            ..Self::new(name)
        }
    }

    fn account(name: &'static str, account: Value) -> Self {
        Self {
            account,
            ..Self::new(name)
        }
    }

    /// A user whose limits are the template's.
    fn scoped(name: &'static str, template: Value) -> Self {
        Self {
            template,
            signer: Signer::ScopedKey,
            user: json!({ "subs": 0, "data": 0, "payload": 0 }),
            ..Self::new(name)
        }
    }

    fn by(self, signer: Signer) -> Self {
        Self { signer, ..self }
    }

    fn with_user(self, user: Value) -> Self {
        Self { user, ..self }
    }

    fn with_envelope(self, user_envelope: Value) -> Self {
        Self {
            user_envelope,
            ..self
        }
    }

    fn with_account_envelope(self, account_envelope: Value) -> Self {
        Self {
            account_envelope,
            ..self
        }
    }
}

fn seed(kind: KeyKind, number: u8, role: u8) -> Seed {
    let mut entropy = [0; 32];
    (entropy[0], entropy[1]) = (number, role);
    Seed::new(kind, entropy)
}

/// The operator, and a signing key of it.
fn operator(role: u8) -> Seed {
    seed(KeyKind::Operator, 255, role)
}

fn user_key(number: u8) -> Seed {
    seed(KeyKind::User, number, 0)
}

fn account_key(number: u8) -> Seed {
    seed(KeyKind::Account, number, 0)
}

fn merge(into: &mut Value, from: &Value) {
    let into = into.as_object_mut().expect("an object");
    into.extend(from.as_object().expect("an object").clone());
}

/// A token of anything: ours would refuse to sign some.
fn token(payload: &Value, issuer: &Seed) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let text = format!("{}.{}", part(&header), part(payload));
    let signature = issuer.sign(text.as_bytes()).expect("a key that signs");
    format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// The second at which the test began, so that all tokens are of one time.
fn now() -> i64 {
    static NOW: LazyLock<Timestamp> = LazyLock::new(clock::now);
    i64::try_from(NOW.micros() / 1_000_000).expect("a second")
}

impl Case {
    fn account_token(&self, number: u8) -> String {
        let [plain, scoped] = [1, 2].map(|role| seed(KeyKind::Account, number, role).public_key());
        let scope = json!({
            "kind": "user_scope", "key": scoped, "role": "r", "template": self.template,
            "description": "",
        });
        let mut nats = json!({
            "limits": { "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                        "wildcards": true, "conn": -1, "leaf": -1 },
            "signing_keys": [plain, scope], "type": "account", "version": 2,
        });
        merge(&mut nats, &self.account);
        let issuer = self.account_issuer.map_or_else(|| operator(0), operator);
        let mut payload = json!({
            "iss": issuer.public_key(), "sub": account_key(number).public_key(),
            "iat": now() - 10, "name": "acme", "nats": nats,
        });
        merge(&mut payload, &self.account_envelope);
        token(&payload, &issuer)
    }

    fn user_token(&self, number: u8) -> String {
        let account = account_key(number);
        let issuer = match self.signer {
            Signer::Account => account_key(number),
            Signer::SigningKey => seed(KeyKind::Account, number, 1),
            Signer::ScopedKey => seed(KeyKind::Account, number, 2),
            Signer::Stranger => seed(KeyKind::Account, number, 3),
        };
        let mut nats =
            json!({ "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
        if self.names_account && self.signer != Signer::Account {
            nats["issuer_account"] = json!(account.public_key());
        }
        merge(&mut nats, &self.user);
        let mut payload = json!({
            "iss": issuer.public_key(), "sub": user_key(number).public_key(),
            "iat": now() - 10, "name": "ann", "nats": nats,
        });
        merge(&mut payload, &self.user_envelope);
        token(&payload, &issuer)
    }
}

/// A second of the day as a time, and another.
fn times(from: i64, to: i64) -> Value {
    let text = |second: i64| {
        let second = second.rem_euclid(24 * 60 * 60);
        format!(
            "{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    };
    json!([{ "start": text(now() + from), "end": text(now() + to) }])
}

fn activation(issuer: &Seed, subject: PublicKey, import_subject: &str, expires: i64) -> String {
    let body = ActivationClaims {
        import_subject: import_subject.to_owned(),
        exported: Some(Exported::Stream),
        ..ActivationClaims::default()
    };
    let mut claims = Claims::new(subject, "", body);
    claims.expires = expires;
    claims.sign(issuer, clock::now()).expect("an account")
}

fn users() -> Vec<Case> {
    let ends = |seconds: i64| json!({ "exp": now() + seconds });
    vec![
        Case::new("nothing said"),
        Case::user(
            "all limits",
            json!({ "subs": 10, "data": 5, "payload": 1000 }),
        ),
        Case::user("no subscriptions", json!({ "subs": 0 })),
        Case::user("a negative limit", json!({ "subs": -2 })),
        Case::user("no payload", json!({ "payload": 0 })),
        Case::user(
            "permissions",
            json!({ "pub": { "allow": ["a.>"], "deny": ["a.b"] }, "sub": { "allow": ["a q"] } }),
        ),
        Case::user(
            "a queue group to publish to",
            json!({ "pub": { "allow": ["a q"] } }),
        ),
        Case::user("an empty token", json!({ "pub": { "allow": ["a..b"] } })),
        Case::user("an empty subject", json!({ "sub": { "deny": [""] } })),
        Case::user("two spaces", json!({ "sub": { "deny": ["a b c"] } })),
        Case::user(
            "odd wildcards",
            json!({ "pub": { "allow": ["a.>.b", "*x", ">>"] } }),
        ),
        Case::user("answers", json!({ "resp": { "max": 1, "ttl": 1000 } })),
        Case::user(
            "networks that it is in",
            json!({ "src": ["10.0.0.0/8", "127.0.0.0/8"] }),
        ),
        Case::user(
            "networks as a text",
            json!({ "src": "10.0.0.0/8, 127.0.0.1/32" }),
        ),
        Case::user(
            "networks that it is not in",
            json!({ "src": ["10.0.0.0/8"] }),
        ),
        Case::user("no network", json!({ "src": ["localhost"] })),
        Case::user("an address for a network", json!({ "src": ["127.0.0.1"] })),
        Case::user(
            "a network with a zero before it",
            json!({ "src": ["127.0.0.0/08"] }),
        ),
        Case::user(
            "a time that it is",
            json!({ "times": times(-3600, 3600), "times_location": "UTC" }),
        ),
        Case::user(
            "a time that it is not",
            json!({ "times": times(3600, 7200), "times_location": "UTC" }),
        ),
        Case::user(
            "a time over midnight",
            json!({ "times": times(-3600, -7200), "times_location": "UTC" }),
        ),
        Case::user(
            "a time without seconds",
            json!({ "times": [{ "start": "00:00", "end": "23:59" }] }),
        ),
        Case::user(
            "a time that has an end alone",
            json!({ "times": [{ "end": "23:59:59" }] }),
        ),
        Case::user("a zone with dots", json!({ "times_location": "../x" })),
        Case::user("a bearer", json!({ "bearer_token": true })),
        Case::user("a bearer in capitals", json!({ "BEARER_TOKEN": true })),
        Case::user("a proxy is needed", json!({ "proxy_required": false })),
        Case::user(
            "connections of its kind",
            json!({ "allowed_connection_types": ["standard", "X"] }),
        ),
        Case::user(
            "connections of another kind",
            json!({ "allowed_connection_types": ["WEBSOCKET"] }),
        ),
        Case::user(
            "connections of no kind",
            json!({ "allowed_connection_types": ["X"] }),
        ),
        Case::user(
            "unknown fields",
            json!({ "later": { "x": 1 }, "tags": ["a b", "c:d"] }),
        ),
        Case::user("a fraction", json!({ "subs": 1.5 })),
        Case::user("a number as a text", json!({ "subs": "1" })),
        Case::user("a list for permissions", json!({ "pub": [] })),
        Case::user(
            "nulls",
            json!({ "pub": null, "src": null, "times": null, "resp": null }),
        ),
        Case::user("version 3", json!({ "version": 3 })),
        Case::user("no version", json!({ "version": 0 })),
        Case::user(
            "another account",
            json!({ "issuer_account": account_key(200).public_key() }),
        ),
        Case::user("an account that is none", json!({ "issuer_account": "A" })),
        Case::new("ended").with_envelope(ends(-5)),
        Case::new("not ended").with_envelope(ends(60)),
        Case::new("not begun").with_envelope(json!({ "nbf": now() + 60 })),
        Case::new("begun").with_envelope(json!({ "nbf": now() - 60 })),
        Case::new("a negative end").with_envelope(json!({ "exp": -5 })),
        Case::new("no id").with_envelope(json!({ "jti": "" })),
        Case::new("by a signing key").by(Signer::SigningKey),
        Case {
            names_account: false,
            ..Case::new("by a signing key, without the account")
        }
        .by(Signer::SigningKey),
        Case::new("by a stranger").by(Signer::Stranger),
        Case::scoped("a scope", json!({ "pub": { "allow": ["a.{{name()}}"] } })),
        Case::scoped("a scope and limits", json!({})).with_user(json!({})),
        Case::scoped("a scope and an empty list", json!({}))
            .with_user(json!({ "subs": 0, "data": 0, "payload": 0, "src": "" })),
        Case::scoped("a scope and empty permissions", json!({}))
            .with_user(json!({ "subs": null, "data": 0, "payload": 0, "pub": {}, "sub": null })),
        Case::scoped("a scope and an empty list of subjects", json!({}))
            .with_user(json!({ "subs": 0, "data": 0, "payload": 0, "pub": { "allow": [] } })),
        Case::scoped(
            "a scope that knows no such function",
            json!({ "pub": { "allow": ["{{x()}}"] } }),
        ),
        Case::scoped(
            "a scope without the tag, allowed",
            json!({ "pub": { "allow": ["{{tag(x)}}"] } }),
        ),
        Case::scoped(
            "a scope without the tag, denied",
            json!({ "pub": { "deny": ["{{tag(x)}}"] } }),
        ),
        Case::scoped("a scope of bearers", json!({ "bearer_token": true })),
        Case::scoped("a scope without subscriptions", json!({ "subs": 0 })),
        Case::scoped(
            "a scope that nobody checks",
            json!({ "pub": { "allow": [""], "deny": ["a..b"] } }),
        ),
        Case::scoped(
            "a scope with a queue group beside a name",
            json!({ "sub": { "deny": ["{{name()}}", "a q"] } }),
        ),
    ]
}

fn accounts() -> Vec<Case> {
    let [user, curve] = [
        user_key(1).public_key(),
        seed(KeyKind::Curve, 1, 0).public_key(),
    ];
    let limits = |more: Value| {
        let mut limits = json!({ "subs": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1 });
        merge(&mut limits, &more);
        json!({ "limits": limits })
    };
    let export = |more: Value| {
        let mut export = json!({ "subject": "a.*", "type": "service" });
        merge(&mut export, &more);
        json!({ "exports": [export] })
    };
    let import = |more: Value| {
        let mut import =
            json!({ "subject": "a.*", "type": "stream", "account": account_key(200).public_key() });
        merge(&mut import, &more);
        json!({ "imports": [import] })
    };
    let revoked = |who: String, second: i64| json!({ "revocations": { who: second } });
    let mut cases = vec![
        Case::account("no limits said", json!({ "limits": {} })),
        Case::account("no connections", limits(json!({ "conn": 0 }))),
        Case::account("negative connections", limits(json!({ "conn": -2 }))),
        Case::account("one connection", limits(json!({ "conn": 1 }))),
        Case::account("negative imports", limits(json!({ "imports": -2 }))),
        Case::account(
            "JetStream by tiers and for all",
            limits(json!({ "disk_storage": 1, "tiered_limits": { "R1": { "disk_storage": 1 } } })),
        ),
        Case::account(
            "a tier without a name",
            limits(json!({ "tiered_limits": { "": {} } })),
        ),
        Case::account(
            "an export",
            export(json!({ "response_type": "Singleton", "account_token_position": 2 })),
        ),
        Case::account(
            "an export without a kind",
            json!({ "exports": [{ "subject": "a" }] }),
        ),
        Case::account(
            "an export that answers oddly",
            export(json!({ "response_type": "singleton" })),
        ),
        Case::account(
            "an export with a wrong place",
            export(json!({ "account_token_position": 1 })),
        ),
        Case::account(
            "an export with latency",
            export(json!({ "service_latency": { "sampling": 50, "results": "r" } })),
        ),
        Case::account(
            "an export with latency everywhere",
            export(json!({ "service_latency": { "sampling": 50, "results": "r.>" } })),
        ),
        Case::account(
            "an export with too much latency",
            export(json!({ "service_latency": { "sampling": 500, "results": "r" } })),
        ),
        Case::account(
            "an export with a URL",
            export(json!({ "info_url": "https://h/x" })),
        ),
        Case::account("an export with no URL", export(json!({ "info_url": "x" }))),
        Case::account(
            "exports that overlap",
            json!({ "exports": [{ "subject": "a.>", "type": "stream" }, { "subject": "a.b", "type": "stream" }] }),
        ),
        Case::account(
            "exports of two kinds",
            json!({ "exports": [{ "subject": "a", "type": "stream" }, { "subject": "a", "type": "service" }] }),
        ),
        Case::account("an import of nobody", import(json!({}))),
        Case::account(
            "an import that is renamed",
            import(json!({ "local_subject": "b.$1" })),
        ),
        Case::account(
            "an import that is renamed wrongly",
            import(json!({ "local_subject": "b.$2" })),
        ),
        Case::account("an import of old", import(json!({ "to": "b" }))),
        Case::account("an import that shares", import(json!({ "share": true }))),
        Case::account(
            "an import without an account",
            import(json!({ "account": "" })),
        ),
        Case::account(
            "an import with a token that is none",
            import(json!({ "token": "x" })),
        ),
        Case::account(
            "mappings",
            json!({ "mappings": { "a": [{ "subject": "b", "weight": 50 }, { "subject": "c" , "weight": 50, "cluster": "x" }] } }),
        ),
        Case::account(
            "too much of a mapping",
            json!({ "mappings": { "a": [{ "subject": "b", "weight": 60 }, { "subject": "c", "weight": 60 }] } }),
        ),
        Case::account(
            "a mapping to itself twice in a cluster",
            json!({ "mappings": { "a": [{ "subject": "b", "cluster": "x" }, { "subject": "c", "cluster": "x" }] } }),
        ),
        Case::account(
            "default permissions",
            json!({ "default_permissions": { "pub": { "allow": ["a"] } } }),
        ),
        Case::account(
            "wrong default permissions",
            json!({ "default_permissions": { "pub": { "allow": ["a q"] } } }),
        ),
        Case::account(
            "deciding accounts without users",
            json!({ "authorization": { "allowed_accounts": ["*"] } }),
        ),
        Case::account(
            "deciding users that are none",
            json!({ "authorization": { "auth_users": ["x"] } }),
        ),
        Case::account(
            "a sealed question for a user",
            json!({ "authorization": { "xkey": user } }),
        ),
        Case::account(
            "a sealed question for a curve key",
            json!({ "authorization": { "xkey": curve } }),
        ),
        Case::account(
            "a trace",
            json!({ "trace": { "dest": "t", "sampling": 5 } }),
        ),
        Case::account("a trace to nowhere", json!({ "trace": {} })),
        Case::account(
            "a trace to everywhere",
            json!({ "trace": { "dest": "t.>" } }),
        ),
        Case::account(
            "traffic of its owner",
            json!({ "cluster_traffic": "owner" }),
        ),
        Case::account("traffic of nobody", json!({ "cluster_traffic": "x" })),
        Case::account(
            "a signing key that is none",
            json!({ "signing_keys": ["x"] }),
        ),
        Case::account(
            "signing keys that nobody reads",
            json!({ "signing_keys": [1, null, true] }),
        ),
        Case::account(
            "a long description",
            json!({ "description": "x".repeat(8193) }),
        ),
        Case::account(
            "bearers refused",
            limits(json!({ "disallow_bearer": true })),
        )
        .with_user(json!({ "bearer_token": true })),
        Case::account(
            "bearers refused, and none",
            limits(json!({ "disallow_bearer": true })),
        ),
        Case::account(
            "everybody revoked before",
            revoked("*".to_owned(), now() - 60),
        ),
        Case::account("everybody revoked", revoked("*".to_owned(), now())),
        Case::account(
            "somebody else revoked",
            revoked(user_key(250).public_key().to_string(), now()),
        ),
        Case::new("an account that ended").with_account_envelope(json!({ "exp": now() - 5 })),
        Case::new("an account that has not begun")
            .with_account_envelope(json!({ "nbf": now() + 60 })),
        Case::new("an account with a negative end").with_account_envelope(json!({ "exp": -5 })),
        Case {
            account_issuer: Some(1),
            ..Case::new("an account by the signing key of the operator")
        },
        Case {
            account_issuer: Some(2),
            ..Case::new("an account by another operator")
        },
    ];
    for (name, import_subject, expires, is_ours) in [
        ("an activation", "a.>", 0, true),
        ("an activation that ended", "a.>", now() - 5, true),
        ("an activation for others", "a.>", 0, false),
        ("an activation for other subjects", "b", 0, true),
    ] {
        // Its number follows from its place.
        let number = u8::try_from(users().len() + cases.len()).expect("few");
        let importer = if is_ours { number } else { 201 };
        let importer = account_key(importer).public_key();
        let token = activation(&account_key(200), importer, import_subject, expires);
        cases.push(Case::account(name, import(json!({ "token": token }))));
    }
    cases
}

/// Whether the server takes a user, and keeps it.
fn is_taken(server: &NatsServer, token: &str, user: &Seed) -> bool {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a limit");
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a greeting");
    let info: Value =
        serde_json::from_str(line.strip_prefix("INFO ").expect("INFO")).expect("JSON");
    let nonce = info["nonce"].as_str().expect("a nonce");
    let signature = user.sign(nonce.as_bytes()).expect("a user's key");
    let connect = json!({
        "verbose": false, "pedantic": false, "lang": "rust", "version": "0", "protocol": 1,
        "jwt": token, "sig": BASE64URL_NOPAD.encode(&signature),
    });
    let mut is_answered = |text: String| {
        if (&stream).write_all(text.as_bytes()).is_err() {
            return false;
        }
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return false,
                Ok(_) if line.starts_with("PONG") => return true,
                Ok(_) if line.starts_with("-ERR") => return false,
                Ok(_) => {}
            }
        }
    };
    if !is_answered(format!("CONNECT {connect}\r\nPING\r\n")) {
        return false;
    }
    std::thread::sleep(STAYS);
    is_answered("PING\r\n".to_owned())
}

/// A server in which the accounts of these cases are known, for an operator that is strict or not.
fn server(accounts: &[(PublicKey, String)], is_strict: bool) -> (NatsServer, Trust) {
    let mut claims = Claims::new(
        operator(0).public_key(),
        "operator",
        OperatorClaims {
            signing_keys: vec![operator(1).public_key().to_string()],
            is_strict,
            ..OperatorClaims::default()
        },
    );
    let token = claims.sign(&operator(0), clock::now()).expect("itself");
    let system = account_key(254).public_key();
    let mut system_claims = Claims::new(system, "SYS", AccountClaims::default());
    let issuer = operator(u8::from(is_strict));
    let system_token = system_claims
        .sign(&issuer, clock::now())
        .expect("the operator");
    let mut preload = format!("  {system}: \"{system_token}\"\n");
    for (key, token) in accounts {
        preload += &format!("  {key}: \"{token}\"\n");
    }
    let server = NatsServer::start(ServerOptions {
        jetstream: false,
        extra: format!(
            "operator: \"{token}\"\nsystem_account: {system}\nresolver: MEMORY\n\
             resolver_preload: {{\n{preload}}}\n"
        ),
        ..ServerOptions::default()
    });
    (server, Trust::of(&claims))
}

/// What we find, if a server would refuse it.
fn refusals(account: &str, user: &str, trust: &Trust) -> Vec<String> {
    let account = Token::read(account).and_then(|token| token.claims::<AccountClaims>());
    let account = match account {
        Ok(account) => account,
        Err(error) => return vec![error.to_string()],
    };
    let login = Login {
        address: Some("127.0.0.1".parse().expect("an address")),
        ..Login::at(clock::now())
    };
    let findings = Token::read(user)
        .and_then(|user| login_findings(&user, &account, trust, ServerVersion::TRIED, &login));
    match findings {
        Ok(findings) => {
            let refused = findings.iter().filter(|finding| finding.is_refused());
            refused
                .map(|finding| format!("{} ({finding})", finding.code))
                .collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

fn compare(cases: &[Case], is_strict: bool) {
    assert!(cases.len() < 200, "keys from 200 on are of others");
    let numbered = || (0..).zip(cases);
    let accounts: Vec<_> = numbered()
        .map(|(number, case)| (account_key(number).public_key(), case.account_token(number)))
        .collect();
    let (server, trust) = server(&accounts, is_strict);
    let judge = |(number, case): (u8, &Case)| {
        let user = case.user_token(number);
        let refusals = refusals(&accounts[usize::from(number)].1, &user, &trust);
        let is_taken = is_taken(&server, &user, &user_key(number));
        (case.name, is_taken, refusals)
    };
    let all: Vec<_> = numbered().collect();
    let judged: Vec<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = all
            .chunks(all.len().div_ceil(THREADS))
            .map(|part| scope.spawn(move || part.iter().copied().map(judge).collect::<Vec<_>>()))
            .collect();
        let done = parts
            .into_iter()
            .flat_map(|part| part.join().expect("no panic"));
        done.collect()
    });
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (name, is_taken, refusals) in judged {
        taken += usize::from(is_taken);
        println!(
            "{name}: {}, {refusals:?}",
            if is_taken { "taken" } else { "refused" }
        );
        if is_taken != refusals.is_empty() {
            wrong.push(name);
        }
    }
    println!("{} cases, {taken} taken", cases.len());
    assert!(wrong.is_empty(), "the server decides otherwise: {wrong:?}");
}

#[test]
fn users_and_accounts_are_judged_as_by_the_server() {
    let cases: Vec<_> = users().into_iter().chain(accounts()).collect();
    compare(&cases, false);
}

#[test]
fn a_strict_operator_is_judged_as_by_the_server() {
    let of = |case: Case| Case {
        account_issuer: Some(1),
        ..case
    };
    compare(
        &[
            Case::new("an account by the identity key"),
            of(Case::new("a user by the identity key of the account")),
            of(Case::new("a user by a signing key")).by(Signer::SigningKey),
            of(Case {
                names_account: false,
                ..Case::new("without the account")
            })
            .by(Signer::SigningKey),
            of(Case::scoped("a scope", json!({}))),
        ],
        true,
    );
}
