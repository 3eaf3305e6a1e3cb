//! `cim keys` as people use it.

use std::fs;
use std::path::Path;

use cim_core::creds::Creds;
use cim_core::jwt::{AccountClaims, Claims, OperatorClaims, Permission, UserClaims};
use cim_core::nkey::{KeyKind, Seed};
use cim_core::time::Timestamp;
use cim_tests::program::{Ran, cim_at_home};
use serde_json::json;
use tempfile::TempDir;

/// An operator, an account and a user, in files of a folder.
struct Place {
    folder: TempDir,
    user: Seed,
}

fn seed(kind: KeyKind) -> Seed {
    Seed::new(kind, [7; 32])
}

fn at() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).expect("a time")
}

impl Place {
    fn new() -> Self {
        let [operator, account, user] =
            [KeyKind::Operator, KeyKind::Account, KeyKind::User].map(seed);
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
            user: seed(KeyKind::User),
        };
        let mut claims = Claims::new(operator.public_key(), "op", OperatorClaims::default());
        place.write(
            "operator.jwt",
            &claims.sign(&operator, at()).expect("itself"),
        );
        let mut claims = Claims::new(account.public_key(), "acme", AccountClaims::default());
        place.write(
            "account.jwt",
            &claims.sign(&operator, at()).expect("the operator"),
        );
        claims.body.revoke("*", 1_800_000_000);
        place.write(
            "revoked.jwt",
            &claims.sign(&operator, at()).expect("the operator"),
        );
        let mut claims = Claims::new(user.public_key(), "ann", UserClaims::default());
        claims.body.limits.publish = Permission::only(["orders.>"]);
        claims.expires = 1_900_000_000;
        let token = claims.sign(&account, at()).expect("the account");
        let creds = Creds::new(token, user).expect("its own");
        place.write("user.creds", &creds.expose());
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("it can be written");
    }

    fn cim(&self, arguments: &[&str]) -> Ran {
        let ran = cim_at_home(Path::new(self.folder.path()), arguments);
        let secret = self.user.expose();
        assert!(!ran.stdout.contains(&secret[2..]) && !ran.stderr.contains(&secret[2..]));
        ran
    }
}

#[test]
fn a_token_is_shown() {
    let place = Place::new();
    let shown = place.cim(&["keys", "jwt", "decode", "user.creds"]).exits(0);
    let user = seed(KeyKind::User).public_key();
    let account = seed(KeyKind::Account).public_key();
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "kind      user",
            "version   2",
            "name      ann",
            &format!("subject   {user}"),
        ]
    );
    assert_eq!(lines[4], format!("issuer    {account}"));
    assert_eq!(lines[5], "issued    2023-11-14T22:13:20.000000Z");
    assert_eq!(lines[6], "ends      2030-03-17T17:46:40.000000Z");
    assert!(shown.stdout.contains("\"orders.>\""), "{}", shown.stdout);
    let document = place
        .cim(&["keys", "jwt", "decode", "user.creds", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["schema"], "cim.keys.jwt.decode/v1");
    assert_eq!(
        document["payload"]["nats"]["pub"]["allow"],
        json!(["orders.>"])
    );
}

#[test]
fn a_verdict_has_an_exit_code() {
    let place = Place::new();
    let validate =
        |arguments: &[&str]| place.cim(&[&["keys", "jwt", "validate"], arguments].concat());
    let good = validate(&[
        "user.creds",
        "--account",
        "account.jwt",
        "--operator",
        "operator.jwt",
    ]);
    let good = good.exits(0);
    assert_eq!(
        (&*good.stdout, &*good.stderr),
        ("", "A server would take this token.\n")
    );
    validate(&["account.jwt", "--operator", "operator.jwt"]).exits(0);
    validate(&["operator.jwt"]).exits(0);

    let late = validate(&["user.creds", "--at", "2031-01-01T00:00:00Z"]).exits(6);
    let expected = "time     expired: exp: the token has ended at 2030-03-17T17:46:40.000000Z\n";
    assert_eq!(late.stdout, expected);
    assert_eq!(late.stderr, "error: a server would refuse this token\n");

    let revoked = validate(&["user.creds", "--account", "revoked.jwt", "--json"]).exits(6);
    let document = revoked.json();
    assert_eq!(
        (&document["taken"], &document["kind"]),
        (&json!(false), &json!("user"))
    );
    assert_eq!(document["findings"][0]["code"], "revoked");
    assert_eq!(document["findings"][0]["path"], "account: nats.revocations");
    assert_eq!(revoked.stderr, "");
}

#[test]
fn what_is_no_token_is_refused() {
    let place = Place::new();
    place.write("text", "hello");
    let refused = place.cim(&["keys", "jwt", "validate", "text"]).exits(6);
    assert_eq!(
        refused.stderr,
        "error: invalid token: expected three parts with full stops between them, found 1\n\
         help: expected a token, creds, or a token between lines of dashes\n"
    );
    let document = place
        .cim(&["keys", "jwt", "validate", "text", "--json"])
        .exits(6)
        .json();
    assert_eq!(document["findings"][0]["code"], "jwt-parts");
    place.cim(&["keys", "jwt", "decode", "none"]).exits(3);
    let wrong = [
        "keys",
        "jwt",
        "validate",
        "account.jwt",
        "--account",
        "account.jwt",
    ];
    place.cim(&wrong).exits(2);
    place
        .cim(&["keys", "jwt", "validate", "text", "--server", "2.9.0"])
        .exits(2);
    let swapped = [
        "keys",
        "jwt",
        "validate",
        "user.creds",
        "--account",
        "operator.jwt",
    ];
    let swapped = place.cim(&swapped).exits(6);
    assert!(
        swapped.stderr.contains("`operator.jwt`: invalid token"),
        "{}",
        swapped.stderr
    );
}
