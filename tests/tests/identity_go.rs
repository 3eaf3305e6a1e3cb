//! Tokens of ours beside one that Go's library has made: nats-server writes one when it asks somebody
//! else who may log in.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use cim_core::jwt::{Claims, OperatorClaims};
use cim_core::nkey::{KeyKind, Seed};
use cim_host::clock;
use cim_tests::nats::{NatsServer, ServerOptions};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use futures_util::StreamExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha512_256};

/// The envelope of Go's library, in its order, without the id.
const ENVELOPE: [&str; 7] = ["aud", "exp", "iat", "iss", "name", "nbf", "sub"];

/// A token that the server makes for whoever decides about logins.
async fn made_by_go() -> String {
    let issuer = Seed::new(KeyKind::Account, [1; 32]).public_key();
    let server = NatsServer::start(ServerOptions {
        jetstream: false,
        authorization: Some(format!(
            "auth_callout {{ issuer: {issuer}, auth_users: [ auth ], account: AUTH }}"
        )),
        extra: "accounts { AUTH { users: [ { user: auth, password: secret } ] } }".to_owned(),
        ..ServerOptions::default()
    });
    let options =
        async_nats::ConnectOptions::with_user_and_password("auth".into(), "secret".into());
    let decider = options
        .connect(server.url())
        .await
        .expect("it decides itself");
    let mut questions = decider
        .subscribe("$SYS.REQ.USER.AUTH")
        .await
        .expect("taken");
    decider.flush().await.expect("sent");
    let mut stranger = TcpStream::connect(server.address()).expect("it listens");
    let connect = b"CONNECT {\"user\":\"<ann> & co\",\"pass\":\"x\",\"verbose\":false}\r\nPING\r\n";
    stranger.write_all(connect).expect("sent");
    let question = tokio::time::timeout(Duration::from_secs(10), questions.next()).await;
    let question = question.expect("in time").expect("a question");
    String::from_utf8(question.payload.to_vec()).expect("a token")
}

fn part(token: &str, index: usize) -> Vec<u8> {
    let part = token.split('.').nth(index).expect("three parts");
    BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url")
}

/// The id by the rule of nats-io/jwt `claims.go`: the hash of the envelope as it is written.
fn id(payload: &Value) -> String {
    let fields = ENVELOPE.iter().filter_map(|name| {
        let value = payload.get(*name)?;
        // As Go escapes what HTML would read.
        let value = value
            .to_string()
            .replace('<', "\\u003c")
            .replace('>', "\\u003e");
        Some(format!("\"{name}\":{}", value.replace('&', "\\u0026")))
    });
    let envelope = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    BASE32_NOPAD.encode(&Sha512_256::digest(envelope))
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_made_as_go_makes_them() {
    let theirs = made_by_go().await;
    let payload: Value = serde_json::from_slice(&part(&theirs, 1)).expect("JSON");
    assert_eq!(payload["jti"], id(&payload), "{payload}");
    assert_eq!(payload["nats"]["type"], "authorization_request");

    let operator = Seed::new(KeyKind::Operator, [2; 32]);
    let key = operator.public_key();
    let mut claims = Claims::new(key, "<acme> & co", OperatorClaims::default());
    claims.audience = "all".to_owned();
    claims.expires = 4_000_000_000;
    claims.not_before = 1;
    let ours = claims.sign(&operator, clock::now()).expect("itself");
    let payload: Value = serde_json::from_slice(&part(&ours, 1)).expect("JSON");
    assert_eq!(payload["jti"], id(&payload), "{payload}");
    assert_eq!(part(&ours, 0), part(&theirs, 0), "headers are the same");
    // The envelope is written in one order by both.
    let names = |token: &str| {
        let text = String::from_utf8(part(token, 1)).expect("JSON");
        let places = ["\"jti\":", "\"iat\":", "\"iss\":", "\"sub\":", "\"nats\":"];
        places.map(|name| text.find(name).expect("it has it"))
    };
    for token in [&ours, &theirs] {
        assert!(names(token).is_sorted(), "{token}");
    }
}
