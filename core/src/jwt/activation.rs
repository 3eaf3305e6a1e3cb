//! What a token says by which one account lets another import something.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Error, Value};

use super::body::{Body, Kind};
use super::claims::Claims;
use super::export::Exported;
use super::fields::{Fields, Read, deserialize};
use super::validate::{self, Findings};

deserialize!(ActivationClaims);

/// The claims of an activation: the account that signs it lets the account that is its subject import
/// something.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct ActivationClaims {
    /// The subject that may be imported, with wildcards.
    #[serde(rename = "subject", skip_serializing_if = "String::is_empty")]
    pub import_subject: String,
    /// What is imported.
    #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
    pub exported: Option<Exported>,
    /// The account that exports, `A…`, where a signing key of it has signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub issuer_account: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for ActivationClaims {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            import_subject: fields.take("subject")?,
            exported: fields.take("kind")?,
            issuer_account: fields.take("issuer_account")?,
            other: fields.rest(),
        })
    }
}

impl Body for ActivationClaims {
    const KIND: Kind = Kind::Activation;

    fn check(claims: &Claims<Self>, findings: &mut Findings) {
        validate::activation::check(claims, findings);
    }
}
