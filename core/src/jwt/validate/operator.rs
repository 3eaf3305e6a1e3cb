//! What tools refuse about an operator's claims. Servers look at less: at the keys alone.

use super::url::Url;
use super::user::check_account;
use super::{Findings, ServerVersion};
use crate::jwt::claims::Claims;
use crate::jwt::operator::OperatorClaims;
use crate::nkey::{KeyKind, PublicKey};

pub(in crate::jwt) fn check(claims: &Claims<OperatorClaims>, findings: &mut Findings) {
    let OperatorClaims {
        signing_keys,
        account_server_url,
        service_urls,
        system_account,
        assert_server_version,
        ..
    } = &claims.body;
    let has_scheme = Url::read(account_server_url).is_some_and(|url| !url.scheme.is_empty());
    if !account_server_url.is_empty() && !has_scheme {
        let text = format!("expected a URL with a scheme, found `{account_server_url}`");
        findings.error("url-invalid", "nats.account_server_url", text);
    }
    for (at, url) in service_urls.iter().enumerate() {
        if !url.is_empty() && !is_service(url) {
            let text = format!("expected a URL such as `nats://host:4222`, found `{url}`");
            findings.error(
                "url-invalid",
                &format!("nats.operator_service_urls[{at}]"),
                text,
            );
        }
    }
    for (at, key) in signing_keys.iter().enumerate() {
        if PublicKey::of_kind(key, KeyKind::Operator).is_err() {
            let text = format!("expected the key of an operator, `O…`, found `{key}`");
            findings.error(
                "operator-key-invalid",
                &format!("nats.signing_keys[{at}]"),
                text,
            );
        }
    }
    check_account(system_account, "nats.system_account", findings);
    let version = assert_server_version;
    if !version.is_empty() && version.parse::<ServerVersion>().is_err() {
        let text = format!("expected a version such as `2.12.14`, found `{version}`");
        findings.error("version-invalid", "nats.assert_server_version", text);
    }
}

/// A URL of servers: neither a login nor a path.
fn is_service(text: &str) -> bool {
    let Some(url) = Url::read(text) else {
        return false;
    };
    let scheme = url.scheme.to_ascii_lowercase();
    !url.has_user && url.path.is_empty() && ["nats", "tls", "ws", "wss"].contains(&scheme.as_str())
}
