//! Whether a server would take an account, and log a user in, by all that it knows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::account::AccountClaims;
use super::claims::Claims;
use super::effective;
use super::error::JwtError;
use super::lenient;
use super::operator::OperatorClaims;
use super::signing_key::SigningKey;
use super::token::Token;
use super::user::{UserClaims, UserLimits};
use super::validate::{Finding, Findings, ServerVersion, is_in_network, time_of_day};
use crate::nkey::{KeyKind, PublicKey};
use crate::time::Timestamp;

/// How much more than its token a client says when it connects, about; and what servers take, unless
/// they are told otherwise (`max_control_line`).
const CONNECT_LEN: usize = 400;
const MAX_CONTROL_LINE: usize = 4096;

/// The ways to connect that servers know.
const CONNECTION_TYPES: [&str; 7] = [
    "STANDARD",
    "WEBSOCKET",
    "LEAFNODE",
    "LEAFNODE_WS",
    "MQTT",
    "MQTT_WS",
    "IN_PROCESS",
];

/// Whom a server trusts to sign accounts: its operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trust {
    keys: BTreeSet<String>,
    is_strict: bool,
}

impl Trust {
    /// What a server trusts that is configured with this operator.
    pub fn of(operator: &Claims<OperatorClaims>) -> Self {
        let OperatorClaims {
            signing_keys,
            is_strict,
            ..
        } = &operator.body;
        let identity = (!is_strict).then(|| operator.subject.clone());
        let mut keys = BTreeSet::new();
        keys.extend(signing_keys.iter().cloned().chain(identity));
        Self {
            keys,
            is_strict: *is_strict,
        }
    }

    /// Whoever has signed an account, where the operator is not known.
    pub fn of_whoever_signed(account: &Claims<AccountClaims>) -> Self {
        Self {
            keys: BTreeSet::from([account.issuer.clone()]),
            is_strict: false,
        }
    }

    /// Whether one who is trusted has signed an account.
    pub fn has_signed(&self, account: &Claims<AccountClaims>) -> bool {
        self.keys.contains(&account.issuer)
    }
}

impl Claims<OperatorClaims> {
    /// Why a server of a version would not start with this operator. It looks at less than
    /// [`findings`](Self::findings) does, not at times either.
    pub fn findings_at_start(&self, server: ServerVersion) -> Vec<Finding> {
        let mut findings = Findings::new(server);
        for key in Trust::of(self).keys {
            if PublicKey::of_kind(&key, KeyKind::Operator).is_err() {
                let text = format!("expected the key of an operator, `O…`, found `{key}`");
                findings.error("operator-key-invalid", "nats.signing_keys", text);
            }
        }
        let asserted = &self.body.assert_server_version;
        if !asserted.is_empty() {
            let path = "nats.assert_server_version";
            match asserted.parse::<ServerVersion>() {
                Ok(least) if least <= server => {}
                Ok(least) => {
                    let text =
                        format!("the operator wants {least} or later, the server is {server}");
                    findings.error("server-too-old", path, text);
                }
                Err(_) => {
                    let text = format!("expected a version such as `2.12.14`, found `{asserted}`");
                    findings.error("version-invalid", path, text);
                }
            }
        }
        findings.into_list()
    }
}

impl Claims<AccountClaims> {
    /// Why a server would have no such account: what is wrong with its claims, and whether whom the
    /// server trusts has signed it.
    pub fn findings_for(
        &self,
        trust: &Trust,
        server: ServerVersion,
        at: Timestamp,
    ) -> Vec<Finding> {
        let mut findings = Findings::new(server);
        if !trust.has_signed(self) {
            let text = match trust.is_strict {
                true => "is no signing key of the operator, which signs with no other",
                false => "is neither the operator nor a signing key of it",
            };
            findings.error(
                "issuer-not-trusted",
                "iss",
                format!("`{}` {text}", self.issuer),
            );
        }
        if PublicKey::of_kind(&self.subject, KeyKind::Account).is_err() {
            let text = format!(
                "expected the key of an account, `A…`, found `{}`",
                self.subject
            );
            findings.error("account-key-invalid", "sub", text);
        }
        // In its last second an account has ended, and its token is still valid.
        if self.expires < 0 || self.expires == at.seconds() {
            findings.time("expired", "exp", "the account has ended");
        }
        let mut found = findings.into_list();
        found.extend(self.findings(server, Some(at)));
        found
    }

    /// The scope of a key that signs users, if the key does; `None` if it does not. The identity key
    /// signs without a scope, unless the operator is strict.
    fn signer(&self, key: &str, is_strict: bool) -> Option<&SigningKey> {
        let keys = &self.body.signing_keys;
        keys.iter()
            .find(|signer| signer.key() == key && (is_strict || signer.key() != self.subject))
    }
}

/// A login, as far as a token may limit it.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// When.
    pub at: Timestamp,
    /// In which way, `STANDARD` for a plain connection.
    pub connection_type: &'a str,
    /// From where; `None` where that is not known, and not looked at.
    pub address: Option<IpAddr>,
}

impl Login<'_> {
    /// Over a plain connection, from wherever.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            connection_type: "STANDARD",
            address: None,
        }
    }
}

/// Why a server would not log a user in: by the user's token, the account's claims, and whom the server
/// trusts.
///
/// # Errors
///
/// [`JwtError`] when the token is not a user's.
pub fn login_findings(
    user: &Token,
    account: &Claims<AccountClaims>,
    trust: &Trust,
    server: ServerVersion,
    login: &Login<'_>,
) -> Result<Vec<Finding>, JwtError> {
    let claims: Claims<UserClaims> = user.claims()?;
    let mut findings = Findings::new(server);
    if user.len() + CONNECT_LEN > MAX_CONTROL_LINE {
        let text = format!(
            "{} bytes are more than a server takes from a client that connects, unless its \
             `max_control_line` is set higher",
            user.len()
        );
        findings.warning("token-long", "", text);
    }
    findings.extend("", claims.findings(server, Some(login.at)));
    if claims.expires < 0 || claims.expires == login.at.seconds() {
        findings.time("expired", "exp", "who logs in is thrown out at once");
    }
    findings.extend("account: ", account.findings_for(trust, server, login.at));
    check_signer(user, &claims, account, trust, &mut findings);
    match effective::limits(&claims, account, account_signer(&claims, account, trust)) {
        Ok(limits) => check_limits(&limits, account, login, &mut findings),
        Err(why) => findings.error("scope-unusable", "account: nats.signing_keys", why),
    }
    if account.body.is_revoked(&claims.subject, claims.issued_at) {
        let text = format!("the account has revoked the tokens of `{}`", claims.subject);
        findings.error("revoked", "account: nats.revocations", text);
    }
    Ok(findings.into_list())
}

fn account_signer<'a>(
    claims: &Claims<UserClaims>,
    account: &'a Claims<AccountClaims>,
    trust: &Trust,
) -> Option<&'a SigningKey> {
    account.signer(&claims.issuer, trust.is_strict)
}

fn check_signer(
    user: &Token,
    claims: &Claims<UserClaims>,
    account: &Claims<AccountClaims>,
    trust: &Trust,
    findings: &mut Findings,
) {
    let named = match claims.body.issuer_account.as_str() {
        "" => &claims.issuer,
        named => named,
    };
    let signer = account_signer(claims, account, trust);
    if named != account.subject {
        let is_signing_key = claims.body.issuer_account.is_empty() && signer.is_some();
        let (code, path, text) = match is_signing_key {
            true => (
                "issuer-account-missing",
                "nats.issuer_account",
                "a signing key has signed, so that the account must be named".to_owned(),
            ),
            false => (
                "account-another",
                "iss",
                format!(
                    "the user is of the account `{named}`, not of `{}`",
                    account.subject
                ),
            ),
        };
        findings.error(code, path, text);
    } else if signer.is_none() {
        let is_identity = claims.issuer == account.subject;
        if is_identity && trust.is_strict {
            let text = "the operator is strict, so that only signing keys of an account sign users";
            findings.error("issuer-not-signing-key", "iss", text);
        } else if !is_identity {
            let text = format!("`{}` signs no users of this account", claims.issuer);
            findings.error("issuer-not-trusted", "iss", text);
        }
    }
    if signer.and_then(SigningKey::scope).is_some()
        && let Some(nats) = user.payload().get("nats").and_then(Value::as_object)
        && let Some(field) = first_limit(nats)
    {
        let text = "the key that has signed has a scope, beside which nothing may be said";
        findings.error("scope-and-limits", &format!("nats.{field}"), text);
    }
}

/// The first permission or limit of a token, even if it is an empty one.
pub(super) fn first_limit(nats: &Map<String, Value>) -> Option<&'static str> {
    let has = |name: &str| nats.get(name).is_some();
    let has_list = |name: &str| {
        let lists = nats.get(name);
        lists.is_some_and(|lists| lists.get("allow").is_some() || lists.get("deny").is_some())
    };
    let is_number = |name: &str| nats.get(name).and_then(Value::as_i64).unwrap_or(0) != 0;
    let is_true = |name: &str| nats.get(name).and_then(Value::as_bool).unwrap_or(false);
    let is_text = |name: &str| {
        nats.get(name)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    [
        ("pub", has_list("pub")),
        ("sub", has_list("sub")),
        ("resp", has("resp")),
        ("src", has("src")),
        ("times", has("times")),
        ("times_location", is_text("times_location")),
        ("subs", is_number("subs")),
        ("data", is_number("data")),
        ("payload", is_number("payload")),
        ("bearer_token", is_true("bearer_token")),
        ("proxy_required", is_true("proxy_required")),
        ("allowed_connection_types", has("allowed_connection_types")),
    ]
    .into_iter()
    .find_map(|(name, is_said)| is_said.then_some(name))
}

fn check_limits(
    limits: &UserLimits,
    account: &Claims<AccountClaims>,
    login: &Login<'_>,
    findings: &mut Findings,
) {
    // The limits of a scope count here too (2.15.1; earlier servers may pass over it).
    if limits.needs_proxy {
        let text = "the user may connect through a trusted proxy alone";
        findings.warning("proxy-required", "nats.proxy_required", text);
    }
    if limits.is_bearer && account.body.limits.refuses_bearers {
        let text = "the account refuses bearers";
        findings.error("bearer-refused", "nats.bearer_token", text);
    }
    let types: Vec<String> = limits
        .connection_types
        .iter()
        .map(|name| lenient::upper(name))
        .collect();
    let known: Vec<&str> = types
        .iter()
        .map(String::as_str)
        .filter(|name| CONNECTION_TYPES.contains(name))
        .collect();
    let path = "nats.allowed_connection_types";
    if !types.is_empty() && known.is_empty() {
        let text = format!("none of `{}` is a way to connect", types.join("`, `"));
        findings.error("connection-types-unknown", path, text);
    } else if !types.is_empty() && !known.contains(&login.connection_type) {
        let text = format!(
            "`{}` is no way that the user may connect",
            login.connection_type
        );
        findings.error("connection-type-refused", path, text);
    }
    if let Some(address) = login.address {
        let networks = &limits.sources.0;
        // A network of a scope that is none ends the search.
        let is_in = |network: &&String| is_in_network(address, network) != Some(false);
        let found = networks
            .iter()
            .find(is_in)
            .map(|network| is_in_network(address, network));
        if !networks.is_empty() && found != Some(Some(true)) {
            let text = format!("`{address}` is in none of the user's networks");
            findings.error("network-refused", "nats.src", text);
        }
    }
    check_times(limits, login.at, findings);
    for (name, limit) in [
        ("subs", limits.subscriptions),
        ("account: nats.limits.conn", account.body.limits.connections),
    ] {
        if !limit.is_unlimited() && limit.get() <= 0 {
            let path = if name == "subs" { "nats.subs" } else { name };
            let text = format!("the limit is {limit}, so that every connection is closed");
            findings.error("limit-exceeded", path, text);
        }
    }
}

/// Times of the day are looked at where their zone is known here, which is UTC.
fn check_times(limits: &UserLimits, at: Timestamp, findings: &mut Findings) {
    if limits.times.is_empty() || limits.times_location != "UTC" {
        return;
    }
    let now = at.seconds() % (24 * 60 * 60);
    let is_within = |start: &str, end: &str| {
        let (Some(start), Some(end)) = (time_of_day(start), time_of_day(end)) else {
            return false;
        };
        match start <= end {
            true => start < now && now < end,
            false => now < end || start < now,
        }
    };
    if !limits
        .times
        .iter()
        .any(|range| is_within(&range.start, &range.end))
    {
        findings.time(
            "time-of-day-refused",
            "nats.times",
            "it is none of the user's times",
        );
    }
}
