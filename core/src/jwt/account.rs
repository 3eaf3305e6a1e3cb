//! What an account's token says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Error, Map, Value};

use super::body::{Body, Kind, sort_by_text};
use super::claims::Claims;
use super::export::Export;
use super::fields::{Fields, Read, deserialize};
use super::import::Import;
use super::limit::{self, Limit};
use super::permissions::Permissions;
use super::signing_key::{self, SigningKey};
use super::validate::{self, Findings};

deserialize!(
    AccountClaims,
    AccountLimits,
    JetStreamLimits,
    Destination,
    Authorization,
    Trace
);

/// The claims of an account: how much it may have, who signs its users, what it shares.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AccountClaims {
    /// What it takes from other accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Import>,
    /// What it gives to others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Export>,
    /// How much it may have. What is absent in a token is zero.
    #[serde(default = "AccountLimits::none")]
    pub limits: AccountLimits,
    /// Further keys that sign its users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKey>,
    /// Users whose tokens count no more: the key, or `*`, and the second up to which (see
    /// [`revoke`](Self::revoke)).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revocations: BTreeMap<String, i64>,
    /// What users may do that say nothing of it.
    pub default_permissions: Permissions,
    /// Where messages to a subject go instead.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<String, Vec<Destination>>,
    /// Who decides about logins in place of the server.
    pub authorization: Authorization,
    /// Where traces of messages go that say nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// In whose name servers speak of its replicas to each other: `system` or `owner`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_traffic: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where people read more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub info_url: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for AccountClaims {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            imports: fields.take("imports")?,
            exports: fields.take("exports")?,
            limits: fields.find("limits")?.unwrap_or_else(AccountLimits::none),
            signing_keys: fields
                .find_with("signing_keys", signing_key::list)?
                .unwrap_or_default(),
            revocations: fields.take("revocations")?,
            default_permissions: fields.take("default_permissions")?,
            mappings: fields.take("mappings")?,
            authorization: fields.take("authorization")?,
            trace: fields.take("trace")?,
            cluster_traffic: fields.take("cluster_traffic")?,
            description: fields.take("description")?,
            info_url: fields.take("info_url")?,
            other: fields.rest(),
        })
    }
}

impl AccountClaims {
    /// Refuses every token of a user, or of all users with `*`, that was issued up to a second. A later
    /// one of the same stays.
    pub fn revoke(&mut self, user: &str, second: i64) {
        let last = self.revocations.entry(user.to_owned()).or_insert(second);
        *last = (*last).max(second);
    }

    /// Whether a user's token of this second counts no more.
    pub fn is_revoked(&self, user: &str, issued_at: i64) -> bool {
        [user, "*"]
            .iter()
            .filter_map(|name| self.revocations.get(*name))
            .any(|second| *second >= issued_at)
    }
}

impl Body for AccountClaims {
    const KIND: Kind = Kind::Account;

    fn settle(&mut self) {
        if !self.limits.tiers.is_empty() {
            self.limits.jetstream = JetStreamLimits::off();
        }
    }

    fn unlimit(fields: &mut Map<String, Value>) {
        let limits = fields.entry("limits");
        if let Value::Object(limits) = limits.or_insert_with(|| Map::new().into()) {
            limit::unlimit(limits, &AccountLimits::NUMBERS);
            limits.entry("wildcards").or_insert(true.into());
        }
    }

    fn check(claims: &Claims<Self>, findings: &mut Findings) {
        validate::account::check(claims, findings);
    }

    fn sort(&mut self) {
        sort_by_text(&mut self.imports, |import| &import.subject);
        sort_by_text(&mut self.exports, |export| &export.subject);
        sort_by_text(&mut self.signing_keys, SigningKey::key);
    }
}

/// How much an account may have. JetStream is off unless it is given a limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountLimits {
    /// Subscriptions of each connection.
    #[serde(rename = "subs", skip_serializing_if = "Limit::is_zero")]
    pub subscriptions: Limit,
    /// Unused by servers.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub data: Limit,
    /// Bytes of a message.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub payload: Limit,
    /// Imports.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub imports: Limit,
    /// Exports.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub exports: Limit,
    /// Whether exports may have wildcards, where `exports` is limited.
    #[serde(rename = "wildcards", skip_serializing_if = "std::ops::Not::not")]
    pub allows_wildcards: bool,
    /// Whether users with bearer tokens are refused.
    #[serde(rename = "disallow_bearer", skip_serializing_if = "std::ops::Not::not")]
    pub refuses_bearers: bool,
    /// Connections of clients.
    #[serde(rename = "conn", skip_serializing_if = "Limit::is_zero")]
    pub connections: Limit,
    /// Connections of leaf nodes.
    #[serde(rename = "leaf", skip_serializing_if = "Limit::is_zero")]
    pub leaf_nodes: Limit,
    /// Of JetStream, whatever the number of replicas.
    #[serde(flatten)]
    pub jetstream: JetStreamLimits,
    /// Of JetStream, by the number of replicas: `R1`, `R3`. In place of those above, never beside.
    #[serde(rename = "tiered_limits", skip_serializing_if = "BTreeMap::is_empty")]
    pub tiers: BTreeMap<String, JetStreamLimits>,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for AccountLimits {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            subscriptions: fields.find("subs")?.unwrap_or(Limit::ZERO),
            data: fields.find("data")?.unwrap_or(Limit::ZERO),
            payload: fields.find("payload")?.unwrap_or(Limit::ZERO),
            imports: fields.find("imports")?.unwrap_or(Limit::ZERO),
            exports: fields.find("exports")?.unwrap_or(Limit::ZERO),
            allows_wildcards: fields.take("wildcards")?,
            refuses_bearers: fields.take("disallow_bearer")?,
            connections: fields.find("conn")?.unwrap_or(Limit::ZERO),
            leaf_nodes: fields.find("leaf")?.unwrap_or(Limit::ZERO),
            jetstream: JetStreamLimits::read(fields)?,
            tiers: fields.take("tiered_limits")?,
            other: fields.rest(),
        })
    }
}

impl Default for AccountLimits {
    /// No limits, and no JetStream.
    fn default() -> Self {
        Self {
            subscriptions: Limit::UNLIMITED,
            data: Limit::UNLIMITED,
            payload: Limit::UNLIMITED,
            imports: Limit::UNLIMITED,
            exports: Limit::UNLIMITED,
            allows_wildcards: true,
            connections: Limit::UNLIMITED,
            leaf_nodes: Limit::UNLIMITED,
            ..Self::none()
        }
    }
}

impl AccountLimits {
    /// The names of those limits that are numbers, but for JetStream's.
    const NUMBERS: [&str; 7] = [
        "subs", "data", "payload", "imports", "exports", "conn", "leaf",
    ];

    /// Nothing at all, which is what absent limits are.
    pub fn none() -> Self {
        Self {
            subscriptions: Limit::ZERO,
            data: Limit::ZERO,
            payload: Limit::ZERO,
            imports: Limit::ZERO,
            exports: Limit::ZERO,
            allows_wildcards: false,
            refuses_bearers: false,
            connections: Limit::ZERO,
            leaf_nodes: Limit::ZERO,
            jetstream: JetStreamLimits::off(),
            tiers: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }

    /// Whether the account may use JetStream.
    pub fn has_jetstream(&self) -> bool {
        match self.tiers.is_empty() {
            true => self.jetstream.is_on(),
            false => self.tiers.values().any(JetStreamLimits::is_on),
        }
    }
}

/// How much of JetStream an account may have.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct JetStreamLimits {
    /// Bytes of streams in memory.
    #[serde(rename = "mem_storage", skip_serializing_if = "Limit::is_zero")]
    pub memory: Limit,
    /// Bytes of streams in files.
    #[serde(rename = "disk_storage", skip_serializing_if = "Limit::is_zero")]
    pub disk: Limit,
    /// Streams; zero for no limit, where there is JetStream.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub streams: Limit,
    /// Consumers; zero for no limit, where there is JetStream.
    #[serde(rename = "consumer", skip_serializing_if = "Limit::is_zero")]
    pub consumers: Limit,
    /// Messages of a consumer that wait for their acknowledgement.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub max_ack_pending: Limit,
    /// Bytes of one stream in memory.
    #[serde(
        rename = "mem_max_stream_bytes",
        skip_serializing_if = "Limit::is_zero"
    )]
    pub memory_of_stream: Limit,
    /// Bytes of one stream in files.
    #[serde(
        rename = "disk_max_stream_bytes",
        skip_serializing_if = "Limit::is_zero"
    )]
    pub disk_of_stream: Limit,
    /// Whether every stream must say how many bytes it may have.
    #[serde(
        rename = "max_bytes_required",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub needs_max_bytes: bool,
}

impl Read for JetStreamLimits {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            memory: fields.find("mem_storage")?.unwrap_or(Limit::ZERO),
            disk: fields.find("disk_storage")?.unwrap_or(Limit::ZERO),
            streams: fields.find("streams")?.unwrap_or(Limit::ZERO),
            consumers: fields.find("consumer")?.unwrap_or(Limit::ZERO),
            max_ack_pending: fields.find("max_ack_pending")?.unwrap_or(Limit::ZERO),
            memory_of_stream: fields.find("mem_max_stream_bytes")?.unwrap_or(Limit::ZERO),
            disk_of_stream: fields.find("disk_max_stream_bytes")?.unwrap_or(Limit::ZERO),
            needs_max_bytes: fields.take("max_bytes_required")?,
        })
    }
}

impl JetStreamLimits {
    /// No JetStream.
    pub fn off() -> Self {
        Self::of(Limit::ZERO)
    }

    /// As much as the servers have.
    pub fn unlimited() -> Self {
        Self::of(Limit::UNLIMITED)
    }

    fn of(limit: Limit) -> Self {
        Self {
            memory: limit,
            disk: limit,
            streams: limit,
            consumers: limit,
            max_ack_pending: limit,
            memory_of_stream: Limit::ZERO,
            disk_of_stream: Limit::ZERO,
            needs_max_bytes: false,
        }
    }

    /// Whether there is any.
    pub fn is_on(&self) -> bool {
        !(self.memory.is_zero() && self.disk.is_zero())
    }
}

/// One of the subjects that messages go to instead.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Destination {
    /// The subject, with `$1` for the first wildcard and so on.
    pub subject: String,
    /// Of a hundred messages, so many; 0 for all.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight: u8,
    /// For which cluster alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Destination {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            subject: fields.take("subject")?,
            weight: fields.take("weight")?,
            cluster: fields.take("cluster")?,
            other: fields.rest(),
        })
    }
}

fn is_zero(weight: &u8) -> bool {
    *weight == 0
}

/// Who decides about logins in place of the server (auth callout).
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Authorization {
    /// The users that decide, `U…`; without any, the server does.
    #[serde(rename = "auth_users", skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// The accounts that they may put others into, `A…` or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_accounts: Vec<String>,
    /// The key that questions are sealed for, `X…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub xkey: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Authorization {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            users: fields.take("auth_users")?,
            allowed_accounts: fields.take("allowed_accounts")?,
            xkey: fields.take("xkey")?,
            other: fields.rest(),
        })
    }
}

/// Where traces of messages go.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Trace {
    /// The subject, without wildcards.
    #[serde(rename = "dest", skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// Of a hundred messages, so many; 0 for all.
    #[serde(skip_serializing_if = "super::export::is_zero")]
    pub sampling: i64,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Trace {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            destination: fields.take("dest")?,
            sampling: fields.take("sampling")?,
            other: fields.rest(),
        })
    }
}
