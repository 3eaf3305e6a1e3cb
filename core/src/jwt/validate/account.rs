//! What is refused about an account's claims.

use std::collections::BTreeMap;

use super::url::Url;
use super::user::check_permission;
use super::{Findings, exchange, subject};
use crate::jwt::account::{
    AccountClaims, AccountLimits, Authorization, Destination, JetStreamLimits,
};
use crate::jwt::claims::Claims;
use crate::jwt::signing_key::SigningKey;
use crate::nkey::{KeyKind, PublicKey};

/// The longest description and URL for people, in bytes.
const MAX_INFO_LEN: usize = 8 * 1024;

pub(in crate::jwt) fn check(claims: &Claims<AccountClaims>, findings: &mut Findings) {
    let AccountClaims {
        imports,
        exports,
        limits,
        signing_keys,
        default_permissions,
        mappings,
        authorization,
        trace,
        cluster_traffic,
        description,
        info_url,
        ..
    } = &claims.body;
    exchange::check_imports(imports, &claims.subject, findings);
    exchange::check_exports(exports, findings);
    check_limits(&claims.body, findings);
    let path = "nats.default_permissions";
    let (subscribe, publish) = (&default_permissions.subscribe, &default_permissions.publish);
    check_permission(subscribe, &format!("{path}.sub"), true, findings);
    check_permission(publish, &format!("{path}.pub"), false, findings);
    for (source, destinations) in mappings {
        check_mapping(source, destinations, findings);
    }
    check_authorization(authorization, findings);
    if let Some(trace) = trace {
        subject::check(&trace.destination, "nats.trace.dest", findings);
        if subject::has_wildcards(&trace.destination) {
            let text = "expected one subject, found wildcards";
            findings.error("subject-wildcards", "nats.trace.dest", text);
        }
        if !(0..=100).contains(&trace.sampling) {
            let text = format!("expected 0 to 100 percent, found {}", trace.sampling);
            findings.error("sampling-invalid", "nats.trace.sampling", text);
        }
    }
    for (at, key) in signing_keys.iter().enumerate() {
        if PublicKey::of_kind(key.key(), KeyKind::Account).is_err() {
            let text = format!(
                "expected the key of an account, `A…`, found `{}`",
                key.key()
            );
            let field = if matches!(key, SigningKey::Scoped(_)) {
                ".key"
            } else {
                ""
            };
            findings.error(
                "account-key-invalid",
                &format!("nats.signing_keys[{at}]{field}"),
                text,
            );
        }
    }
    check_info(description, info_url, "nats", findings);
    if !["", "system", "owner"].contains(&cluster_traffic.as_str()) {
        let text = format!("expected `system` or `owner`, found `{cluster_traffic}`");
        findings.error("cluster-traffic-invalid", "nats.cluster_traffic", text);
    }
    let is_self_signed = PublicKey::of_kind(&claims.issuer, KeyKind::Account).is_ok();
    if is_self_signed && *limits != AccountLimits::none() {
        let text = "an account that signs itself gives itself limits";
        findings.warning("account-self-signed", "nats.limits", text);
    }
}

fn check_limits(account: &AccountClaims, findings: &mut Findings) {
    let AccountClaims {
        imports,
        exports,
        limits,
        ..
    } = account;
    if !limits.tiers.is_empty() && limits.jetstream != JetStreamLimits::off() {
        let text = "expected limits of JetStream by tiers or for all, found both";
        findings.error("jetstream-limits-twice", "nats.limits.tiered_limits", text);
    }
    if limits.tiers.contains_key("") {
        let text = "expected a name such as `R3`, found none";
        findings.error("tier-unnamed", "nats.limits.tiered_limits", text);
    }
    for (name, limit, count) in [
        ("imports", limits.imports, imports.len()),
        ("exports", limits.exports, exports.len()),
    ] {
        if !limit.is_unlimited() && i64::try_from(count).is_ok_and(|count| count > limit.get()) {
            let text = format!("expected at most {limit}, found {count}");
            findings.error("limit-exceeded", &format!("nats.limits.{name}"), text);
        }
    }
    // So it is: without a limit of exports, the rule about wildcards does not hold.
    if !limits.exports.is_unlimited() && !limits.allows_wildcards {
        for (at, export) in exports.iter().enumerate() {
            if subject::has_wildcards(&export.subject) {
                let text = format!("`{}`: the account may not export wildcards", export.subject);
                findings.error(
                    "export-wildcards",
                    &format!("nats.exports[{at}].subject"),
                    text,
                );
            }
        }
    }
}

fn check_mapping(source: &str, destinations: &[Destination], findings: &mut Findings) {
    let path = format!("nats.mappings.{source}");
    subject::check(source, &path, findings);
    let is_old = findings.server.has_jwt_2_8_0();
    let mut sums: BTreeMap<&str, u32> = BTreeMap::new();
    for (at, destination) in destinations.iter().enumerate() {
        let path = format!("{path}[{at}]");
        subject::check(&destination.subject, &format!("{path}.subject"), findings);
        let cluster = destination.cluster.as_str();
        let weight = match destination.weight {
            0 if !is_old || cluster.is_empty() => 100,
            weight => u32::from(weight),
        };
        let sum = sums.entry(cluster).or_default();
        *sum += weight;
        if is_old {
            // It was counted in eight bits.
            *sum %= 256;
        } else if weight > 100 {
            let text = format!("expected at most 100 percent, found {weight}");
            findings.error("weight-invalid", &format!("{path}.weight"), text);
        }
        if !cluster.is_empty() && *sum > 100 {
            let text = format!("more than 100 percent go to the cluster `{cluster}`");
            findings.error("weights-exceeded", &path, text);
        }
    }
    if sums.get("").is_some_and(|sum| *sum > 100) {
        findings.error(
            "weights-exceeded",
            &path,
            "more than 100 percent go somewhere",
        );
    }
}

fn check_authorization(authorization: &Authorization, findings: &mut Findings) {
    let Authorization {
        users,
        allowed_accounts,
        xkey,
        ..
    } = authorization;
    let path = |list: &str, at: usize| format!("nats.authorization.{list}[{at}]");
    if !allowed_accounts.is_empty() && users.is_empty() {
        let text = "expected users that decide about these accounts, found none";
        findings.error(
            "authorization-without-users",
            "nats.authorization.auth_users",
            text,
        );
    }
    for (at, user) in users.iter().enumerate() {
        if PublicKey::of_kind(user, KeyKind::User).is_err() {
            let text = format!("expected the key of a user, `U…`, found `{user}`");
            findings.error("user-key-invalid", &path("auth_users", at), text);
        }
    }
    let takes_all = allowed_accounts.iter().any(|account| account == "*");
    if takes_all && allowed_accounts.len() > 1 {
        let text = "expected `*` alone or the keys of accounts, found both";
        findings.error(
            "accounts-and-all",
            "nats.authorization.allowed_accounts",
            text,
        );
    }
    if !takes_all {
        for (at, account) in allowed_accounts.iter().enumerate() {
            if PublicKey::of_kind(account, KeyKind::Account).is_err() {
                let text = format!("expected the key of an account, `A…`, found `{account}`");
                findings.error("account-key-invalid", &path("allowed_accounts", at), text);
            }
        }
    }
    if !xkey.is_empty() && PublicKey::of_kind(xkey, KeyKind::Curve).is_err() {
        let text = format!("expected a curve key, `X…`, found `{xkey}`");
        findings.error("curve-key-invalid", "nats.authorization.xkey", text);
    }
}

/// Checks what is for people.
pub(super) fn check_info(description: &str, url: &str, path: &str, findings: &mut Findings) {
    if description.len() > MAX_INFO_LEN {
        let text = format!(
            "expected at most {MAX_INFO_LEN} bytes, found {}",
            description.len()
        );
        findings.error("description-too-long", &format!("{path}.description"), text);
    }
    let is_url = Url::read(url).is_some_and(|url| !(url.scheme.is_empty() || url.host.is_empty()));
    if !url.is_empty() && (url.len() > MAX_INFO_LEN || !is_url) {
        let text = format!("expected a URL with scheme and host of at most {MAX_INFO_LEN} bytes");
        findings.error("url-invalid", &format!("{path}.info_url"), text);
    }
}
