//! What a user's token says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Error, Map, Value};

use super::body::{Body, Kind};
use super::claims::Claims;
use super::fields::{Fields, Read, deserialize};
use super::limit::{self, Limit};
use super::permissions::{Networks, Permission, Responses, TimeRange};
use super::validate::{self, Findings};

deserialize!(UserClaims, UserLimits);

/// The claims of a user: what it may do, and for which account it was signed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UserClaims {
    /// What it may do. Entirely [empty](UserLimits::none) where the key that signs has a scope.
    #[serde(flatten)]
    pub limits: UserLimits,
    /// The account, `A…`: where a signing key has signed, and allowed where the account itself has.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub issuer_account: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for UserClaims {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            limits: UserLimits::read(fields)?,
            issuer_account: fields.take("issuer_account")?,
            other: fields.rest(),
        })
    }
}

impl Body for UserClaims {
    const KIND: Kind = Kind::User;

    fn unlimit(fields: &mut Map<String, Value>) {
        limit::unlimit(fields, &UserLimits::NUMBERS);
    }

    fn check(claims: &Claims<Self>, findings: &mut Findings) {
        validate::user::check(claims, findings);
    }
}

/// What a user may do: of one user, or of all that a scoped key signs.
///
/// What is not set is not limited.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserLimits {
    /// Where it may publish.
    #[serde(rename = "pub")]
    pub publish: Permission,
    /// What it may subscribe to.
    #[serde(rename = "sub")]
    pub subscribe: Permission,
    /// Whether it may answer where it is asked to.
    #[serde(rename = "resp", skip_serializing_if = "Option::is_none")]
    pub responses: Option<Responses>,
    /// From which networks it may connect; all without any.
    #[serde(rename = "src", skip_serializing_if = "Networks::is_empty")]
    pub sources: Networks,
    /// At which times of the day it may be connected; always without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeRange>,
    /// The time zone of `times`, `Europe/Berlin`; the server's without it.
    #[serde(rename = "times_location", skip_serializing_if = "String::is_empty")]
    pub times_location: String,
    /// How many subscriptions it may have.
    #[serde(rename = "subs", skip_serializing_if = "Limit::is_zero")]
    pub subscriptions: Limit,
    /// Unused by servers.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub data: Limit,
    /// How many bytes a message of it may have.
    #[serde(skip_serializing_if = "Limit::is_zero")]
    pub payload: Limit,
    /// Whether its token alone is enough to log in: then the token is a password.
    #[serde(rename = "bearer_token", skip_serializing_if = "std::ops::Not::not")]
    pub is_bearer: bool,
    /// Whether it may connect through a trusted proxy alone.
    #[serde(rename = "proxy_required", skip_serializing_if = "std::ops::Not::not")]
    pub needs_proxy: bool,
    /// How it may connect, `STANDARD`, `WEBSOCKET` and so on; in every way without any.
    #[serde(
        rename = "allowed_connection_types",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub connection_types: Vec<String>,
}

impl Read for UserLimits {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            publish: fields.take("pub")?,
            subscribe: fields.take("sub")?,
            responses: fields.take("resp")?,
            sources: fields.take("src")?,
            times: fields.take("times")?,
            times_location: fields.take("times_location")?,
            subscriptions: fields.find("subs")?.unwrap_or(Limit::ZERO),
            data: fields.find("data")?.unwrap_or(Limit::ZERO),
            payload: fields.find("payload")?.unwrap_or(Limit::ZERO),
            is_bearer: fields.take("bearer_token")?,
            needs_proxy: fields.take("proxy_required")?,
            connection_types: fields.take("allowed_connection_types")?,
        })
    }
}

impl Default for UserLimits {
    /// No limits.
    fn default() -> Self {
        Self {
            subscriptions: Limit::UNLIMITED,
            data: Limit::UNLIMITED,
            payload: Limit::UNLIMITED,
            ..Self::none()
        }
    }
}

impl UserLimits {
    /// The names of those limits that are numbers.
    pub(super) const NUMBERS: [&str; 3] = ["subs", "data", "payload"];

    /// Nothing said at all, not even that there are no limits: what a user must have whose limits come
    /// from the scope of the key that signs.
    pub fn none() -> Self {
        Self {
            publish: Permission::default(),
            subscribe: Permission::default(),
            responses: None,
            sources: Networks::default(),
            times: Vec::new(),
            times_location: String::new(),
            subscriptions: Limit::ZERO,
            data: Limit::ZERO,
            payload: Limit::ZERO,
            is_bearer: false,
            needs_proxy: false,
            connection_types: Vec::new(),
        }
    }
}
