//! `tests/vectors/identity.json`: what keys, tokens, creds and verdicts are, byte for byte, natively. The
//! tests of the npm package read the same file.
//!
//! `CIM_WRITE_VECTORS=1 cargo test -p cim-tests --test identity_vectors` writes it anew.

#[path = "support/written.rs"]
mod written;

use cim_core::creds::Creds;
use cim_core::jwt::{
    AccountClaims, Body, Claims, Finding, IssueError, Known, Login, OperatorClaims, ServerVersion,
    Token, UserClaims, judge,
};
use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

#[test]
fn are_what_the_core_makes() {
    written::check("identity", &vectors());
}

fn vectors() -> Value {
    let tokens = tokens();
    json!({
        "origin": "tests/tests/identity_vectors.rs, with cim-core, natively",
        "about": "Keys, tokens, creds and verdicts; the same entropy and time give the same bytes",
        "keys": KeyKind::ALL.map(key),
        "tokens": tokens.iter().map(issued).collect::<Vec<_>>(),
        "refused": refused().iter().map(not_issued).collect::<Vec<_>>(),
        "verdicts": verdicts(),
    })
}

/// A key by its number, and what it signs.
fn key(kind: KeyKind) -> Value {
    let seed = seed(kind, 7);
    let message = b"cim";
    json!({
        "kind": kind.name(),
        "entropy_hex": HEXLOWER.encode(&[7; 32]),
        "seed": *seed.expose(),
        "public_key": seed.public_key(),
        "message_hex": HEXLOWER.encode(message),
        "signature_hex": seed.sign(message).ok().map(|signature| HEXLOWER.encode(&signature)),
    })
}

/// What is asked for, and the seed that signs.
struct Asked {
    why: &'static str,
    issuer: Seed,
    request: Value,
}

fn asked(why: &'static str, kind: KeyKind, issuer: Seed, claims: Value) -> Asked {
    let request = json!({
        "kind": kind.name(),
        "subject": public(kind, 7),
        "name": "a <b> & \u{fc}",
        "claims": claims,
        "now": NOW,
    });
    Asked {
        why,
        issuer,
        request,
    }
}

impl Asked {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.request[name] = value.into();
        self
    }
}

fn tokens() -> Vec<Asked> {
    use KeyKind::{Account, Operator, User};
    let account = || seed(Account, 7);
    let signing = public(Account, 8);
    vec![
        asked("an operator", Operator, seed(Operator, 7), json!({})),
        asked(
            "an operator with all it may have",
            Operator,
            seed(Operator, 7),
            json!({
                "signing_keys": [public(Operator, 8)],
                "account_server_url": "nats://localhost:4222",
                "operator_service_urls": ["nats://localhost:4222"],
                "system_account": public(Account, 9),
                "assert_server_version": "2.12.0",
                "strict_signing_key_usage": true,
                "tags": ["env:test"],
            }),
        ),
        asked(
            "an account without limits",
            Account,
            seed(Operator, 7),
            json!({}),
        ),
        asked(
            "an account with limits, keys, exports and imports",
            Account,
            seed(Operator, 8),
            json!({
                "limits": { "conn": 5, "leaf": 0, "disk_storage": -1, "mem_storage": 1_048_576 },
                "signing_keys": [
                    public(Account, 9),
                    {
                        "kind": "user_scope", "key": signing, "role": "reader",
                        "template": { "sub": { "allow": ["{{name()}}.>"] } },
                    },
                ],
                "exports": [{ "subject": "b.>", "type": "stream" }, { "subject": "a", "type": "service" }],
                "imports": [{ "subject": "c", "account": public(Account, 10), "type": "stream" }],
                "default_permissions": { "pub": { "deny": [">"] } },
                "revocations": { "*": 1_600_000_000 },
                "later": { "kept": [1, null, "x"] },
            }),
        ),
        asked("a user without limits", User, account(), json!({})),
        asked(
            "a user with permissions and a time",
            User,
            account(),
            json!({
                "pub": { "allow": ["orders.>"], "deny": ["orders.secret"] },
                "sub": { "allow": ["_INBOX.>", "work q"] },
                "resp": { "max": 1, "ttl": 1_000_000_000 },
                "src": ["10.0.0.0/8"],
                "times": [{ "start": "09:00:00", "end": "17:30:00" }],
                "times_location": "UTC",
                "payload": 0,
                "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
            }),
        )
        .with("begins", "2026-11-21T08:00:00.5Z")
        .with("ends", "2027-11-21T08:00:00.5Z"),
        asked(
            "a user of a signing key",
            User,
            seed(Account, 9),
            json!({ "issuer_account": public(Account, 7) }),
        ),
        asked(
            "a user of a key with a scope",
            User,
            seed(Account, 8),
            json!({ "issuer_account": public(Account, 7), "tags": ["team:a"] }),
        )
        .with("scoped", true),
        asked(
            "a user as a token has it: what is absent is zero",
            User,
            account(),
            json!({ "type": "user", "version": 2, "subs": -1 }),
        ),
        asked(
            "names count whatever their case",
            User,
            account(),
            json!({ "BEARER_TOKEN": true }),
        ),
    ]
}

fn refused() -> Vec<Asked> {
    use KeyKind::{Account, Operator, User};
    let account = || seed(Account, 7);
    vec![
        asked(
            "subjects that are none",
            User,
            account(),
            json!({ "pub": { "allow": ["a..b"] }, "sub": { "deny": ["a.>.b"] } }),
        ),
        asked("it has ended", User, account(), json!({})).with("ends", "2020-01-01T00:00:00Z"),
        asked(
            "limits beside a scope",
            User,
            account(),
            json!({ "subs": 5 }),
        )
        .with("scoped", true),
        asked(
            "a seed where a public key was meant",
            Account,
            seed(Operator, 7),
            json!({ "signing_keys": [*seed(Account, 8).expose()] }),
        ),
        asked("another kind of key", User, seed(Operator, 7), json!({})),
        asked(
            "a number where a list was meant",
            User,
            account(),
            json!({ "pub": { "allow": 1 } }),
        ),
        asked(
            "claims of another kind",
            Account,
            seed(Operator, 7),
            json!({ "type": "user" }),
        ),
        asked(
            "rules of a version",
            Account,
            seed(Operator, 7),
            json!({
                "imports": [
                    { "subject": "a", "account": public(Account, 9), "type": "service" },
                    { "subject": "a", "account": public(Account, 10), "type": "service" },
                ],
            }),
        )
        .with("server", "2.12.0"),
    ]
}

fn issued(asked: &Asked) -> Value {
    let token = issue(asked).unwrap_or_else(|error| panic!("{}: {error}", asked.why));
    let user = seed(KeyKind::User, 7);
    let creds = Creds::new(token.clone(), user).ok();
    json!({
        "why": asked.why,
        "issuer": *asked.issuer.expose(),
        "request": asked.request,
        "token": token,
        "payload": Token::read(&token).expect("it was signed").payload(),
        "creds": creds.map(|creds| creds.expose().to_string()),
    })
}

fn not_issued(asked: &Asked) -> Value {
    let Err(error) = issue(asked) else {
        panic!("{}: issued", asked.why);
    };
    let findings = match &error {
        IssueError::Refused(findings) => Some(findings),
        _ => None,
    };
    json!({
        "why": asked.why,
        "issuer": *asked.issuer.expose(),
        "request": asked.request,
        "code": error.code(),
        "message": error.to_string(),
        "findings": findings,
    })
}

fn issue(asked: &Asked) -> Result<String, IssueError> {
    let request = &asked.request;
    let subject: PublicKey = text(&request["subject"]).parse().expect("a key");
    let name = text(&request["name"]);
    let claims: Map<String, Value> =
        serde_json::from_value(request["claims"].clone()).expect("an object");
    match text(&request["kind"]) {
        "operator" => sign::<OperatorClaims>(asked, Claims::draft(subject, name, claims)?),
        "account" => sign::<AccountClaims>(asked, Claims::draft(subject, name, claims)?),
        _ if request["scoped"] == true => {
            sign::<UserClaims>(asked, Claims::draft_scoped(subject, name, claims)?)
        }
        _ => sign::<UserClaims>(asked, Claims::draft(subject, name, claims)?),
    }
}

fn sign<B: Body>(asked: &Asked, mut claims: Claims<B>) -> Result<String, IssueError> {
    if let Some(begins) = asked.request["begins"].as_str() {
        claims = claims.with_begin(time(begins));
    }
    if let Some(ends) = asked.request["ends"].as_str() {
        claims = claims.with_end(time(ends));
    }
    let server = asked.request["server"].as_str();
    let server = server.map_or_else(ServerVersion::default, |version| {
        version.parse().expect("a version")
    });
    claims.issue(&asked.issuer, time(NOW), server)
}

/// Verdicts on a user of a scoped key and of an account, by what is known beside the token.
fn verdicts() -> Value {
    let tokens = tokens();
    let token = |at: usize| issue(&tokens[at]).expect("issued");
    let (operator, account) = (token(1), token(3));
    let cases = [
        (token(7), Some(&account), Some(&operator), NOW),
        (token(5), Some(&account), Some(&operator), NOW),
        (token(5), None, None, "2026-11-20T08:00:00Z"),
        (token(5), None, None, "2028-01-01T00:00:00Z"),
        (token(3), None, Some(&operator), NOW),
        (token(2), None, Some(&operator), NOW),
        (token(1), None, None, NOW),
        ("no token".to_owned(), None, None, NOW),
    ];
    let verdict =
        |(token, account, operator, at): (String, Option<&String>, Option<&String>, &str)| {
            let account_claims = account.map(|token| claims::<AccountClaims>(token));
            let operator_claims = operator.map(|token| claims::<OperatorClaims>(token));
            let known = Known {
                account: account_claims.as_ref(),
                operator: operator_claims.as_ref(),
                server: ServerVersion::default(),
                login: Login::at(time(at)),
            };
            let findings = Token::read(&token)
                .and_then(|token| judge(&token, &known))
                .unwrap_or_else(|error| vec![Finding::from(&error)]);
            json!({
                "token": token,
                "account": account,
                "operator": operator,
                "at": at,
                "ok": !findings.iter().any(Finding::is_refused),
                "findings": findings,
            })
        };
    cases.map(verdict).into_iter().collect()
}

fn claims<B: Body>(token: &str) -> Claims<B> {
    let token = Token::read(token).expect("a token");
    token.claims().expect("claims of the kind")
}

fn seed(kind: KeyKind, number: u8) -> Seed {
    Seed::new(kind, [number; 32])
}

fn public(kind: KeyKind, number: u8) -> String {
    seed(kind, number).public_key().to_string()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_lenient(text).expect("a time").timestamp
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

const NOW: &str = "2026-11-21T08:00:00.999Z";
