//! What an account takes from others.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Error, Value};

use super::export::Exported;
use super::fields::{Fields, Read, deserialize};
use crate::nkey::PublicKey;

deserialize!(Import);

/// A stream or service of another account.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Import {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The subject in the exporting account, with wildcards.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The exporting account, `A…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The activation, where the export needs one.
    #[serde(rename = "token", skip_serializing_if = "String::is_empty")]
    pub activation: String,
    /// The old form of `local_subject`; a warning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// The subject in the importing account, with `$1` for the first wildcard and so on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_subject: String,
    /// What it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub exported: Option<Exported>,
    /// Whether a service is told who asks.
    #[serde(rename = "share", skip_serializing_if = "std::ops::Not::not")]
    pub is_shared: bool,
    /// Whether traces of messages go on into this stream.
    #[serde(rename = "allow_trace", skip_serializing_if = "std::ops::Not::not")]
    pub allows_trace: bool,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Import {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            name: fields.take("name")?,
            subject: fields.take("subject")?,
            account: fields.take("account")?,
            activation: fields.take("token")?,
            to: fields.take("to")?,
            local_subject: fields.take("local_subject")?,
            exported: fields.take("type")?,
            is_shared: fields.take("share")?,
            allows_trace: fields.take("allow_trace")?,
            other: fields.rest(),
        })
    }
}

impl Import {
    /// A stream of another account.
    pub fn stream(account: PublicKey, subject: &str) -> Self {
        Self::of(Exported::Stream, account, subject)
    }

    /// A service of another account.
    pub fn service(account: PublicKey, subject: &str) -> Self {
        Self::of(Exported::Service, account, subject)
    }

    fn of(exported: Exported, account: PublicKey, subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            account: account.to_string(),
            exported: Some(exported),
            ..Self::default()
        }
    }
}
