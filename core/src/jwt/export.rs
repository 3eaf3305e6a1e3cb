//! What an account gives to others.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Error, Value};

use super::fields::{Fields, Read, deserialize};

deserialize!(Export, Latency);

/// What is given to others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exported {
    /// Messages that the exporting account publishes.
    Stream,
    /// Questions that it answers.
    Service,
}

/// A stream or service that other accounts may import.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Export {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The subject, with wildcards.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub exported: Option<Exported>,
    /// Whether importers need an activation.
    #[serde(rename = "token_req", skip_serializing_if = "std::ops::Not::not")]
    pub needs_activation: bool,
    /// Activations that count no more: the importing account, or `*`, and the second up to which.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revocations: BTreeMap<String, i64>,
    /// How a service answers: `Singleton`, `Stream` or `Chunked`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub response_type: String,
    /// Within how many nanoseconds a service answers.
    #[serde(skip_serializing_if = "is_zero")]
    pub response_threshold: i64,
    /// Whether, and where to, a service's latency is told.
    #[serde(rename = "service_latency", skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The place of a `*` in the subject that must be the importing account's key, from 1.
    #[serde(skip_serializing_if = "is_zero_u64")]
    pub account_token_position: u64,
    /// Whether tools show it to everybody.
    #[serde(rename = "advertise", skip_serializing_if = "std::ops::Not::not")]
    pub is_advertised: bool,
    /// Whether traces of messages go on into this service.
    #[serde(rename = "allow_trace", skip_serializing_if = "std::ops::Not::not")]
    pub allows_trace: bool,
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

impl Read for Export {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            name: fields.take("name")?,
            subject: fields.take("subject")?,
            exported: fields.take("type")?,
            needs_activation: fields.take("token_req")?,
            revocations: fields.take("revocations")?,
            response_type: fields.take("response_type")?,
            response_threshold: fields.take("response_threshold")?,
            latency: fields.take("service_latency")?,
            account_token_position: fields.take("account_token_position")?,
            is_advertised: fields.take("advertise")?,
            allows_trace: fields.take("allow_trace")?,
            description: fields.take("description")?,
            info_url: fields.take("info_url")?,
            other: fields.rest(),
        })
    }
}

impl Export {
    /// A stream that everybody may import.
    pub fn stream(subject: &str) -> Self {
        Self::of(Exported::Stream, subject)
    }

    /// A service that everybody may import.
    pub fn service(subject: &str) -> Self {
        Self::of(Exported::Service, subject)
    }

    fn of(exported: Exported, subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            exported: Some(exported),
            ..Self::default()
        }
    }
}

/// How much of a service's latency is told, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Latency {
    /// Of which requests.
    pub sampling: Sampling,
    /// The subject that the measurements are published to, without wildcards.
    pub results: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Latency {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            sampling: fields.take("sampling")?,
            results: fields.take("results")?,
            other: fields.rest(),
        })
    }
}

/// Of which requests the latency is measured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sampling {
    /// Of those whose headers ask for it.
    #[default]
    Headers,
    /// Of so many in a hundred.
    Percent(i64),
}

impl Serialize for Sampling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Headers => serializer.serialize_str("headers"),
            Self::Percent(percent) => serializer.serialize_i64(*percent),
        }
    }
}

impl<'de> Deserialize<'de> for Sampling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) if text.eq_ignore_ascii_case("headers") => Ok(Self::Headers),
            Value::Number(number) => match number.as_i64() {
                Some(0) => Ok(Self::Headers),
                Some(percent) => Ok(Self::Percent(percent)),
                None => Err(D::Error::custom("expected a whole number of percent")),
            },
            _ => Err(D::Error::custom(
                "expected `headers` or a number of percent",
            )),
        }
    }
}

pub(super) fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_zero_u64(number: &u64) -> bool {
    *number == 0
}
