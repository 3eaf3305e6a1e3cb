//! Keys, tokens, claims and creds of NATS.

use cim_core::creds::{Creds, token_in};
use cim_core::jwt::{
    AccountClaims, ActivationClaims, Body, Claims, Effective, Kind, Login, OperatorClaims,
    ServerVersion, Token, Trust, UserClaims, login_findings,
};
use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::said;

/// Creds: what is read is written in one form, which is read as the same.
pub fn creds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let creds = match Creds::read(text) {
        Ok(creds) => creds,
        Err(error) => return said(&error, error.code()),
    };
    assert_eq!(token_in(text), creds.token());
    let written = creds.expose();
    let read = Creds::read(&written).expect("ours");
    assert_eq!((read.user(), read.token()), (creds.user(), creds.token()));
    assert_eq!(*read.expose(), *written);
}

/// Keys: a text that is taken for a key is the only text of it.
pub fn nkeys(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<PublicKey>() {
        Ok(key) => {
            assert_eq!(key.as_str(), text);
            assert!(text.starts_with(key.kind().letter()));
            assert!(key.verify(data, &[0; 64]).is_err());
        }
        Err(error) => said(&error, error.code()),
    }
    match Seed::parse(text) {
        Ok(seed) => assert_eq!(*seed.expose(), text),
        Err(error) => said(&error, error.code()),
    }
}

/// Tokens: any text, which is refused for a reason or signed by whom it says.
pub fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Token::read(text) {
        Ok(token) => check(&token),
        Err(error) => said(&error, error.code()),
    }
}

/// Claims: any payload, signed by who may sign one of its kind.
pub fn claims(data: &[u8]) {
    let Ok(Value::Object(mut payload)) = serde_json::from_slice(data) else {
        return;
    };
    for kind in [KeyKind::Operator, KeyKind::Account] {
        let issuer = Seed::new(kind, [1; 32]);
        payload.insert("iss".to_owned(), issuer.public_key().as_str().into());
        let header = BASE64URL_NOPAD.encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
        let body = BASE64URL_NOPAD.encode(Value::from(payload.clone()).to_string().as_bytes());
        let signed = format!("{header}.{body}");
        let signature = issuer.sign(signed.as_bytes()).expect("it signs");
        tokens(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)).as_bytes());
    }
}

fn check(token: &Token) {
    match token.kind() {
        Kind::Operator => {
            let operator = same::<OperatorClaims>(token);
            operator.map(|claims| claims.findings_at_start(ServerVersion::TRIED));
        }
        Kind::Account => {
            same::<AccountClaims>(token);
        }
        Kind::User => {
            same::<UserClaims>(token);
            log_in(token);
        }
        Kind::Activation => {
            same::<ActivationClaims>(token);
        }
        _ => {}
    }
}

/// Claims that are signed again say the same.
fn same<B: Body + PartialEq + std::fmt::Debug>(token: &Token) -> Option<Claims<B>> {
    let mut claims: Claims<B> = match token.claims() {
        Ok(claims) => claims,
        Err(error) => {
            said(&error, error.code());
            return None;
        }
    };
    for finding in claims.findings(ServerVersion::TRIED, Some(Timestamp::MAX)) {
        assert!(!finding.to_string().is_empty() && !finding.code.is_empty());
    }
    let issuer = Seed::new(B::KIND.issuers()[0], [2; 32]);
    // Of a subject that is none, nothing is signed.
    if let Ok(text) = claims.sign(&issuer, Timestamp::MAX) {
        let read = Token::read(&text).and_then(|token| token.claims());
        assert_eq!(read.as_ref(), Ok(&claims));
    }
    Some(claims)
}

/// A user is taken or refused, and may do this or not.
fn log_in(user: &Token) {
    let account = Seed::new(KeyKind::Account, [1; 32]).public_key();
    let account = Claims::new(account, "a", AccountClaims::default());
    let operator = Seed::new(KeyKind::Operator, [1; 32]).public_key();
    let operator = Claims::new(operator, "o", OperatorClaims::default());
    let login = Login {
        address: Some([127, 0, 0, 1].into()),
        ..Login::at(Timestamp::MAX)
    };
    let (trust, server) = (Trust::of(&operator), ServerVersion::TRIED);
    let findings = login_findings(user, &account, &trust, server, &login);
    for finding in findings.unwrap_or_default() {
        assert!(!finding.to_string().is_empty() && !finding.code.is_empty());
    }
    if let Ok(claims) = user.claims() {
        let effective = Effective::of(&claims, &account).expect("there is no scope");
        for subject in ["a", "a.b", "a.>", ""] {
            effective.may_publish(subject);
            effective.may_subscribe(subject, None);
            effective.may_subscribe(subject, Some("q"));
        }
    }
}
