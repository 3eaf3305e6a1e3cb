//! Operators, accounts and users as JWTs have them.

#![allow(dead_code, reason = "each test that takes this in uses a part of it")]

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

pub(crate) fn user() -> KeyPair {
    KeyPair::new_user()
}

/// An operator with a system account and one account that has JetStream.
pub(crate) struct Operator {
    operator: KeyPair,
    system: KeyPair,
    account: KeyPair,
}

impl Operator {
    pub(crate) fn new() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            system: KeyPair::new_account(),
            account: KeyPair::new_account(),
        }
    }

    /// What a server is told of them.
    pub(crate) fn config(&self) -> String {
        let account = |pair: &KeyPair, disk: i64| {
            let claims = json!({
                "type": "account", "version": 2, "default_permissions": {}, "authorization": {},
                "limits": {
                    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                    "wildcards": true, "conn": -1, "leaf": -1, "mem_storage": disk,
                    "disk_storage": disk, "streams": disk, "consumer": disk,
                },
            });
            let id = pair.public_key();
            format!("{id}: {}", jwt(&self.operator, &id, &claims, None))
        };
        let claims = json!({ "type": "operator", "version": 2 });
        let id = self.operator.public_key();
        format!(
            "operator: {}\nresolver: MEMORY\nsystem_account: {}\nresolver_preload {{\n{}\n{}\n}}",
            jwt(&self.operator, &id, &claims, None),
            self.system.public_key(),
            account(&self.system, 0),
            account(&self.account, -1),
        )
    }

    /// The `.creds` of a new user of the account, which end at a time in seconds.
    pub(crate) fn creds(&self, end: Option<u64>) -> String {
        creds_of(&self.account, end)
    }

    /// The `.creds` of a new user of the system account.
    pub(crate) fn system_creds(&self) -> String {
        creds_of(&self.system, None)
    }
}

fn creds_of(account: &KeyPair, end: Option<u64>) -> String {
    let user = user();
    let claims = json!({
        "type": "user", "version": 2, "pub": {}, "sub": {},
        "subs": -1, "data": -1, "payload": -1,
    });
    let jwt = jwt(account, &user.public_key(), &claims, end);
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER \
         NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().expect("a seed")
    )
}

fn jwt(issuer: &KeyPair, subject: &str, claims: &Value, end: Option<u64>) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let mut payload = json!({
        "jti": "a", "iat": 1, "iss": issuer.public_key(), "name": "a", "sub": subject,
        "nats": claims,
    });
    if let Some(end) = end {
        payload["exp"] = end.into();
    }
    let signed = format!("{header}.{}", encode(&payload));
    let signature = issuer.sign(signed.as_bytes()).expect("it has a seed");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
