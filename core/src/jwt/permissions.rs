//! What a user may publish and subscribe to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Error, Value};

use super::fields::{Fields, Read, deserialize};

deserialize!(Permissions, Permission, Responses, TimeRange);

/// What a user may publish and subscribe to, as tokens say it: `pub`, `sub` and `resp`.
///
/// Without any of them, the account's default permissions hold; with any, they do not.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Permissions {
    /// Where it may publish.
    #[serde(rename = "pub")]
    pub publish: Permission,
    /// What it may subscribe to. An entry may name a queue group behind a space: `orders.> workers`.
    #[serde(rename = "sub")]
    pub subscribe: Permission,
    /// Whether it may answer where it is asked to.
    #[serde(rename = "resp", skip_serializing_if = "Option::is_none")]
    pub responses: Option<Responses>,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Permissions {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            publish: fields.take("pub")?,
            subscribe: fields.take("sub")?,
            responses: fields.take("resp")?,
            other: fields.rest(),
        })
    }
}

impl Permissions {
    /// Whether none are set, so that an account's defaults hold.
    pub fn is_empty(&self) -> bool {
        self.publish.is_empty() && self.subscribe.is_empty() && self.responses.is_none()
    }
}

/// Subjects that are allowed, and such as are not. What is denied is denied whatever is allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Permission {
    /// Subjects with wildcards; without this list, everything. Where something is denied, an empty list
    /// to publish to allows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Subjects with wildcards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Permission {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            allow: fields.take("allow")?,
            deny: fields.take("deny")?,
            other: fields.rest(),
        })
    }
}

impl Permission {
    /// These subjects and no others.
    pub fn only<S: Into<String>>(subjects: impl IntoIterator<Item = S>) -> Self {
        Self {
            allow: Some(subjects.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// Everything but these.
    pub fn all_but<S: Into<String>>(subjects: impl IntoIterator<Item = S>) -> Self {
        Self {
            deny: subjects.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.allow.as_ref().is_none_or(Vec::is_empty) && self.deny.is_empty()
    }
}

/// How often, and for how long, a user may publish to the reply subject of a message that it got.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Responses {
    /// How many messages; 0 for the server's default of one, negative for any number.
    pub max: i32,
    /// In nanoseconds; 0 for the server's default of two minutes, negative for ever.
    pub ttl: i64,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Responses {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            max: fields.take("max")?,
            ttl: fields.take("ttl")?,
            other: fields.rest(),
        })
    }
}

impl Responses {
    /// At most `max` messages, within `ttl` of the question, which is cut at 292 years.
    pub fn new(max: u32, ttl: Duration) -> Self {
        Self {
            max: i32::try_from(max).unwrap_or(i32::MAX),
            ttl: i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX),
            other: BTreeMap::new(),
        }
    }
}

/// A daily range of times in which a user may be connected, `09:00:00` to `17:30:00`. One that ends
/// before it begins goes over midnight.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct TimeRange {
    /// `HH:MM:SS`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub start: String,
    /// `HH:MM:SS`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub end: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for TimeRange {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            start: fields.take("start")?,
            end: fields.take("end")?,
            other: fields.rest(),
        })
    }
}

/// Networks, each an address and the length of its prefix: `192.168.0.0/16`.
///
/// Read from a list, or from one text with commas between them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks(pub Vec<String>);

impl Networks {
    /// Whether every address is taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let networks = match Value::deserialize(deserializer)? {
            list @ Value::Array(_) => serde_json::from_value(list).ok(),
            Value::String(text) => {
                let mut networks: Vec<String> = Vec::new();
                for network in text.to_ascii_lowercase().split(',').map(str::trim) {
                    if !network.is_empty() && !networks.iter().any(|known| known == network) {
                        networks.push(network.to_owned());
                    }
                }
                Some(networks)
            }
            _ => None,
        };
        networks
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a list of networks, or one text of them"))
    }
}
