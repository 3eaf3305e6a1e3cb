//! What an operator's token says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Error, Value};

use super::body::{Body, Kind};
use super::claims::Claims;
use super::fields::{Fields, Read, deserialize};
use super::validate::{self, Findings};

deserialize!(OperatorClaims);

/// The claims of an operator: who may sign accounts, and where they are found.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct OperatorClaims {
    /// Further keys that may sign accounts, `O…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<String>,
    /// Where tools push accounts to, `nats://…` for servers that store them themselves.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account_server_url: String,
    /// Where clients connect, `nats://host:4222`.
    #[serde(
        rename = "operator_service_urls",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub service_urls: Vec<String>,
    /// The account that servers speak of themselves in, `A…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_account: String,
    /// The lowest version of servers, `2.12.14`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub assert_server_version: String,
    /// Whether accounts must be signed by a signing key, and users by a signing key of their account:
    /// the identity keys sign nothing then.
    #[serde(
        rename = "strict_signing_key_usage",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub is_strict: bool,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for OperatorClaims {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            signing_keys: fields.take("signing_keys")?,
            account_server_url: fields.take("account_server_url")?,
            service_urls: fields.take("operator_service_urls")?,
            system_account: fields.take("system_account")?,
            assert_server_version: fields.take("assert_server_version")?,
            is_strict: fields.take("strict_signing_key_usage")?,
            other: fields.rest(),
        })
    }
}

impl Body for OperatorClaims {
    const KIND: Kind = Kind::Operator;

    fn check(claims: &Claims<Self>, findings: &mut Findings) {
        validate::operator::check(claims, findings);
    }
}
