use cim_core::nkey::{KeyKind, Seed};
use cim_core::time::Timestamp;

use super::*;

const NOW: u64 = 1_700_000_000_000_000;

fn operator() -> Seed {
    Seed::new(KeyKind::Operator, [1; 32])
}

fn operator_token(system_account: &str) -> String {
    let claims = OperatorClaims {
        system_account: system_account.to_owned(),
        ..OperatorClaims::default()
    };
    let mut claims = Claims::new(operator().public_key(), "acme\nlisten: 1", claims);
    claims.sign(&operator(), now()).expect("itself")
}

fn now() -> Timestamp {
    Timestamp::from_micros(NOW).expect("a time")
}

fn account(byte: u8, name: &str) -> KnownAccount {
    let key = Seed::new(KeyKind::Account, [byte; 32]).public_key();
    let mut claims = Claims::new(key, name, AccountClaims::default());
    KnownAccount {
        key,
        name: name.to_owned(),
        token: claims.sign(&operator(), now()).expect("an operator"),
    }
}

fn config(resolver: Resolver) -> ServerConfig {
    let accounts = vec![
        account(2, "SYS"),
        account(3, "orders } \"of\"\r\nlisten: 1"),
    ];
    ServerConfig::new(operator_token(""), accounts[0].key, accounts, resolver)
}

/// The text with short words for keys and tokens.
fn shown(config: &ServerConfig) -> String {
    let mut text = config.text().expect("all is well");
    text = text.replace(&config.operator, "OPERATOR.TOKEN");
    text = text.replace(operator().public_key().as_str(), "OPERATOR");
    for (account, word) in config.accounts.iter().zip(["SYSTEM", "ORDERS"]) {
        text = text.replace(&account.token, &format!("{word}.TOKEN"));
        text = text.replace(account.key.as_str(), word);
    }
    text
}

#[test]
fn is_what_people_read() {
    let dir = "/var/lib/nats/accounts".into();
    let config = ServerConfig {
        server_name: Some("n1".to_owned()),
        listen: Some("127.0.0.1:4222".to_owned()),
        jetstream: Some("C:\\data \"1\"".into()),
        ..config(Resolver::Full { dir })
    };
    assert_eq!(
        shown(&config),
        r#"# A nats-server with operator, accounts and users: `nats-server -c` and this file.

server_name: "n1"
listen: "127.0.0.1:4222"
jetstream {
  store_dir: "C:\\data \"1\""
}

# The operator `acme\u{a}listen: 1`, `OPERATOR`.
operator: "OPERATOR.TOKEN"

# `SYS`, in which servers speak of themselves.
system_account: SYSTEM

# Accounts stand in files, which a push changes on all servers. What is loaded below
# at the start does not replace a newer token of the folder.
resolver {
  type: full
  dir: "/var/lib/nats/accounts"
  allow_delete: false
  # How often servers compare what they have.
  interval: "2m"
  # How long others are asked for an account that is not here.
  timeout: "1.9s"
}

resolver_preload {
  # `SYS`
  SYSTEM: "SYSTEM.TOKEN"
  # `orders } "of"\u{d}\u{a}listen: 1`
  ORDERS: "ORDERS.TOKEN"
}
"#
    );
}

#[test]
fn is_short_in_memory() {
    let text = shown(&config(Resolver::Memory));
    assert!(text.contains("\nresolver: MEMORY\n\nresolver_preload {\n"));
    assert!(text.starts_with("# A nats-server with operator, accounts and users: `nats-server -c` and this file.\n\n# The operator"));
    assert!(!text.contains("jetstream") && !text.contains("\nlisten"));
}

#[test]
fn no_text_ends_its_quotes_or_its_line() {
    assert_eq!(
        quoted("a\"\\\n\r\t\u{1}\u{7f}é$X"),
        r#""a\"\\\n\r\t\x01\x7fé$X""#
    );
    assert_eq!(
        in_comment("é\n\r\u{85}\u{2028}\u{202e}"),
        r"`é\u{d}`".replace(r"\u{d}", r"\u{a}\u{d}\u{85}\u{2028}\u{202e}")
    );
}

#[cfg(unix)]
#[test]
fn a_folder_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    assert_eq!(quoted(OsStr::from_bytes(b"/a\xffb")), r#""/a\xffb""#);
}

#[test]
fn what_would_not_start_is_refused() {
    let code = |change: &dyn Fn(&mut ServerConfig)| {
        let mut config = config(Resolver::Memory);
        change(&mut config);
        config.text().expect_err("wrong").code()
    };
    assert_eq!(
        code(&|config| config.operator = "a".to_owned()),
        "jwt-parts"
    );
    let other = account(9, "x").key;
    let differs = |config: &mut ServerConfig| config.operator = operator_token(other.as_str());
    assert_eq!(code(&differs), "system-account-differs");
    assert_eq!(
        code(&|config| config.accounts[1].token = config.operator.clone()),
        "jwt-kind"
    );
    assert_eq!(
        code(&|config| config.accounts[1].token = config.accounts[0].token.clone()),
        "account-another"
    );
    assert_eq!(
        code(&|config| config.server_name = Some("a b".to_owned())),
        "server-name-invalid"
    );
    assert_eq!(
        code(&|config| drop(config.accounts.remove(0))),
        "system-account-unknown"
    );
}
