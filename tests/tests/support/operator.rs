//! An operator with its accounts, servers that trust it, and users that log in there.

#![allow(dead_code, reason = "each test that takes this in uses a part of it")]

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cim_core::creds::Creds;
use cim_core::jwt::{
    AccountClaims, Claims, OperatorClaims, SigningKey, Trust, UserClaims, UserLimits,
};
use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use cim_host::clock;
use cim_host::identity::server_config::{KnownAccount, Resolver, ServerConfig};
use cim_host::jetstream::{JetStreamClient, Login, NatsOptions, Source};
use cim_tests::nats::ServerOptions;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// An operator. Its numbers below are those of keys, the same in every test.
pub(crate) struct Operator {
    pub(crate) claims: Claims<OperatorClaims>,
    pub(crate) token: String,
}

/// The number of the system account.
pub(crate) const SYSTEM: u8 = 200;

pub(crate) fn seed(kind: KeyKind, number: u8) -> Seed {
    Seed::new(kind, [number; 32])
}

pub(crate) fn operator(number: u8) -> Seed {
    seed(KeyKind::Operator, number)
}

pub(crate) fn account(number: u8) -> Seed {
    seed(KeyKind::Account, number)
}

pub(crate) fn user(number: u8) -> Seed {
    seed(KeyKind::User, number)
}

/// The present time, some seconds later or earlier.
pub(crate) fn in_seconds(seconds: i64) -> Timestamp {
    let micros = i64::try_from(clock::now().micros()).expect("a time") + seconds * 1_000_000;
    let micros = u64::try_from(micros).expect("after 1970");
    Timestamp::from_micros(micros).expect("a time")
}

/// The second since 1970, some seconds later or earlier.
pub(crate) fn second(seconds: i64) -> i64 {
    i64::try_from(in_seconds(seconds).micros() / 1_000_000).expect("a second")
}

impl Operator {
    /// The one of number 1.
    pub(crate) fn new() -> Self {
        Self::with(OperatorClaims::default())
    }

    pub(crate) fn with(body: OperatorClaims) -> Self {
        let mut claims = Claims::new(operator(1).public_key(), "acme", body);
        let token = claims.sign(&operator(1), clock::now()).expect("itself");
        Self { claims, token }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::of(&self.claims)
    }

    /// The system account, and others.
    pub(crate) fn known(&self, others: &[(u8, &str)]) -> Vec<KnownAccount> {
        let system = sign(SYSTEM, &AccountClaims::default(), in_seconds(-100));
        let all = std::iter::once((SYSTEM, system.as_str())).chain(others.iter().copied());
        let known = all.map(|(number, token)| KnownAccount {
            key: account(number).public_key(),
            name: format!("account {number}"),
            token: token.to_owned(),
        });
        known.collect()
    }

    /// A server that knows the system account and others.
    pub(crate) fn server(&self, others: &[(u8, &str)], resolver: Resolver) -> ServerOptions {
        let system = account(SYSTEM).public_key();
        let known = self.known(others);
        let config = ServerConfig::new(self.token.clone(), system, known, resolver);
        ServerOptions {
            jetstream: false,
            extra: config.text().expect("tokens"),
            ..ServerOptions::default()
        }
    }

    /// A connection as a user of the system account.
    pub(crate) async fn connect(&self, url: &str) -> JetStreamClient {
        connect(url, SYSTEM).await
    }
}

/// A folder of the server's own.
pub(crate) fn full() -> Resolver {
    let dir = "accounts".into();
    Resolver::Full { dir }
}

/// A token of an account, by the operator of number 1.
pub(crate) fn sign(number: u8, body: &AccountClaims, at: Timestamp) -> String {
    sign_by(&operator(1), number, body, at)
}

pub(crate) fn sign_by(issuer: &Seed, number: u8, body: &AccountClaims, at: Timestamp) -> String {
    let key = account(number).public_key();
    let mut claims = Claims::new(key, &format!("account {number}"), body.clone());
    claims.sign(issuer, at).expect("an operator signs accounts")
}

/// An account with signing keys.
pub(crate) fn with_keys(numbers: &[u8]) -> AccountClaims {
    let key = |number: &u8| SigningKey::Plain(account(*number).public_key().to_string());
    AccountClaims {
        signing_keys: numbers.iter().map(key).collect(),
        ..AccountClaims::default()
    }
}

/// A user of an account, signed by it or by a signing key of it.
pub(crate) fn user_token(of: u8, issuer: u8, number: u8, at: Timestamp) -> String {
    user_token_with(of, issuer, number, at, UserLimits::default())
}

pub(crate) fn user_token_with(
    of: u8,
    issuer: u8,
    number: u8,
    at: Timestamp,
    limits: UserLimits,
) -> String {
    let body = UserClaims {
        limits,
        issuer_account: account(of).public_key().to_string(),
        ..UserClaims::default()
    };
    let mut claims = Claims::new(user(number).public_key(), "ann", body);
    let signed = claims.sign(&account(issuer), at);
    signed.expect("accounts sign users")
}

/// A connection as a user of an account.
pub(crate) async fn connect(url: &str, of: u8) -> JetStreamClient {
    connect_with(url, of, UserLimits::default()).await
}

pub(crate) async fn connect_with(url: &str, of: u8, limits: UserLimits) -> JetStreamClient {
    let token = user_token_with(of, of, 1, clock::now(), limits);
    let creds = Creds::new(token, user(1)).expect("its own");
    let mut options = NatsOptions::new(url).expect("a URL");
    options.login = Login::Creds(Source::Text(creds.expose().as_str().into()));
    let connected = JetStreamClient::connect(&options).await;
    connected.expect("the server takes us")
}

/// A token of anything: ours would refuse to sign some.
pub(crate) fn raw_token(payload: &Value, issuer: &Seed) -> String {
    raw_token_of(&payload.to_string(), issuer)
}

pub(crate) fn raw_token_of(payload: &str, issuer: &Seed) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" }).to_string();
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let text = format!("{}.{}", part(&header), part(payload));
    let signature = issuer.sign(text.as_bytes()).expect("a key that signs");
    format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// What stands in every raw token.
pub(crate) fn envelope(issuer: PublicKey, subject: PublicKey, nats: Value) -> Value {
    json!({ "iss": issuer, "sub": subject, "iat": second(-10), "name": "ann", "nats": nats })
}

/// A client of a user, as bare as can be.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Logs in, if the server takes the user.
    pub(crate) fn log_in(address: &str, token: &str, user: &Seed) -> Option<Self> {
        let stream = TcpStream::connect(address).expect("the server listens");
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).expect("a limit");
        let mut client = Self {
            stream: BufReader::new(stream),
        };
        let info = client.line()?;
        let info: Value = serde_json::from_str(info.strip_prefix("INFO ")?).expect("JSON");
        let nonce = info["nonce"].as_str().unwrap_or_default();
        let signature = user.sign(nonce.as_bytes()).expect("a key that signs");
        let connect = json!({
            "verbose": false, "pedantic": false, "lang": "rust", "version": "0", "protocol": 1,
            "headers": true, "no_responders": true,
            "jwt": token, "sig": BASE64URL_NOPAD.encode(&signature),
        });
        let said = client.say(&format!("CONNECT {connect}\r\n"))?;
        said.is_empty().then_some(client)
    }

    /// Sends something; what the server says to it before it answers a PING. `None` when it closes the
    /// connection.
    pub(crate) fn say(&mut self, text: &str) -> Option<Vec<String>> {
        let text = format!("{text}PING\r\n");
        self.stream.get_mut().write_all(text.as_bytes()).ok()?;
        let mut said = Vec::new();
        loop {
            match self.line()? {
                line if line == "PONG" => return Some(said),
                line if line.starts_with("INFO") || line == "PING" => {}
                line => said.push(line),
            }
        }
    }

    /// Whether the server lets it subscribe.
    pub(crate) fn may_subscribe(&mut self, subject: &str) -> bool {
        self.is_let(&format!("SUB {subject} 1\r\n"))
    }

    /// Whether the server lets it publish.
    pub(crate) fn may_publish(&mut self, subject: &str) -> bool {
        self.is_let(&format!("PUB {subject} 1\r\nx\r\n"))
    }

    fn is_let(&mut self, text: &str) -> bool {
        let said = self.say(text).expect("it stays connected");
        !said.iter().any(|line| line.starts_with("-ERR"))
    }

    /// Whether it is connected.
    pub(crate) fn is_there(&mut self) -> bool {
        self.say("").is_some()
    }

    /// How long it takes until the server ends the connection, if it does within a time, and what it
    /// says.
    pub(crate) fn ends_within(&mut self, time: Duration) -> Option<(Duration, String)> {
        let started = Instant::now();
        let mut said = String::new();
        while started.elapsed() < time {
            let limit = Some(time.saturating_sub(started.elapsed()).max(LEAST));
            let stream = self.stream.get_ref();
            stream.set_read_timeout(limit).expect("a limit");
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return Some((started.elapsed(), said)),
                Ok(_) if line.starts_with("-ERR") => said += line.trim_end(),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => {}
                Err(_) => return Some((started.elapsed(), said)),
            }
        }
        None
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}

/// A read limit must not be zero.
const LEAST: Duration = Duration::from_millis(1);
