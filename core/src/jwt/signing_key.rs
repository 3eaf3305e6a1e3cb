//! Keys that sign users for an account.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Error, Value};

use super::body::sort_by_text;
use super::fields::{Fields, Read, deserialize};
use super::limit;
use super::user::UserLimits;

deserialize!(Scope);

/// A key that signs users, `A…`: as the account itself does, or with a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum SigningKey {
    /// What it signs has its own permissions and limits.
    Plain(String),
    /// What it signs has those of the scope.
    Scoped(Box<Scope>),
}

impl SigningKey {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Self::Plain(key) => key,
            Self::Scoped(scope) => &scope.key,
        }
    }

    /// The scope, if there is one.
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Plain(_) => None,
            Self::Scoped(scope) => Some(scope),
        }
    }
}

/// What all users have that a key signs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scope {
    kind: ScopeKind,
    /// The key, `A…`.
    pub key: String,
    /// What the key is for, in a word.
    pub role: String,
    /// What users may do. Subjects may have `{{name()}}`, `{{subject()}}`, `{{account-name()}}`,
    /// `{{account-subject()}}`, `{{tag(name)}}` and `{{account-tag(name)}}` in them.
    #[serde(serialize_with = "template::serialize")]
    pub template: UserLimits,
    /// For people.
    pub description: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Read for Scope {
    fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            kind: fields
                .find("kind")?
                .ok_or_else(|| Error::missing_field("kind"))?,
            key: fields.take("key")?,
            role: fields.take("role")?,
            template: fields
                .find_with("template", template::read)?
                .unwrap_or_default(),
            description: fields.take("description")?,
            other: fields.rest(),
        })
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
enum ScopeKind {
    #[serde(rename = "user_scope")]
    User,
}

impl Scope {
    /// A key for users of a role, with what they may do.
    pub fn new(key: impl Into<String>, role: &str, template: UserLimits) -> Self {
        Self {
            kind: ScopeKind::User,
            key: key.into(),
            role: role.to_owned(),
            template,
            description: String::new(),
            other: BTreeMap::new(),
        }
    }
}

impl Serialize for SigningKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(key) => serializer.serialize_str(key),
            Self::Scoped(scope) => scope.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SigningKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Self::read(Value::deserialize(deserializer)?).map_err(D::Error::custom)?;
        key.ok_or_else(|| D::Error::custom("expected a key or a scope"))
    }
}

impl SigningKey {
    /// A key; `None` for what is neither a text nor an object.
    fn read(value: Value) -> Result<Option<Self>, Error> {
        Ok(match value {
            Value::String(key) => Some(Self::Plain(key)),
            Value::Object(_) => Some(Self::Scoped(Box::new(serde_json::from_value(value)?))),
            _ => None,
        })
    }
}

/// The keys of a list, sorted. Of one key that stands there twice, the last one counts; what is
/// neither a text nor an object is passed over, as nats-server does.
pub(super) fn list(value: Value) -> Result<Vec<SigningKey>, Error> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for value in serde_json::from_value::<Vec<Value>>(value)? {
        let Some(key) = SigningKey::read(value)? else {
            continue;
        };
        keys.retain(|known| known.key() != key.key());
        keys.push(key);
    }
    sort_by_text(&mut keys, SigningKey::key);
    Ok(keys)
}

/// The limits of a scope. Other than in a user's token, what is absent is not limited there; so zero
/// is written.
mod template {
    use serde::Serializer;
    use serde::ser::SerializeMap as _;
    use serde_json::{Error, Value};

    use super::{UserLimits, limit};

    pub(super) fn serialize<S: Serializer>(
        template: &UserLimits,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let UserLimits {
            publish,
            subscribe,
            responses,
            sources,
            times,
            times_location,
            subscriptions,
            data,
            payload,
            is_bearer,
            needs_proxy,
            connection_types,
        } = template;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("pub", publish)?;
        fields.serialize_entry("sub", subscribe)?;
        if let Some(responses) = responses {
            fields.serialize_entry("resp", responses)?;
        }
        if !sources.is_empty() {
            fields.serialize_entry("src", sources)?;
        }
        if !times.is_empty() {
            fields.serialize_entry("times", times)?;
        }
        if !times_location.is_empty() {
            fields.serialize_entry("times_location", times_location)?;
        }
        for (name, number) in UserLimits::NUMBERS
            .into_iter()
            .zip([subscriptions, data, payload])
        {
            fields.serialize_entry(name, number)?;
        }
        for (name, is_so) in [("bearer_token", is_bearer), ("proxy_required", needs_proxy)] {
            if *is_so {
                fields.serialize_entry(name, is_so)?;
            }
        }
        if !connection_types.is_empty() {
            fields.serialize_entry("allowed_connection_types", connection_types)?;
        }
        fields.end()
    }

    pub(super) fn read(mut value: Value) -> Result<UserLimits, Error> {
        if let Value::Object(fields) = &mut value {
            limit::unlimit(fields, &UserLimits::NUMBERS);
        }
        serde_json::from_value(value)
    }
}
