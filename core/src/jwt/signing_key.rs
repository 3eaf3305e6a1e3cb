//! Keys that sign users for an account.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::limit::Limit;
use super::user::UserLimits;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    kind: ScopeKind,
    /// The key, `A…`.
    #[serde(default)]
    pub key: String,
    /// What the key is for, in a word.
    #[serde(default)]
    pub role: String,
    /// What users may do. Subjects may have `{{name()}}`, `{{subject()}}`, `{{account-name()}}`,
    /// `{{account-subject()}}`, `{{tag(name)}}` and `{{account-tag(name)}}` in them.
    #[serde(default, with = "template")]
    pub template: UserLimits,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Fields that this version does not know, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
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
            other: Map::new(),
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

/// The keys of a list, sorted. Of one key that stands there twice, the last one counts; what is
/// neither a text nor an object is passed over, as nats-server does.
pub(super) fn list<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SigningKey>, D::Error> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for value in Vec::<Value>::deserialize(deserializer)? {
        let key = match value {
            Value::String(key) => SigningKey::Plain(key),
            Value::Object(_) => {
                let scope = serde_json::from_value(value).map_err(D::Error::custom)?;
                SigningKey::Scoped(Box::new(scope))
            }
            _ => continue,
        };
        keys.retain(|known| known.key() != key.key());
        keys.push(key);
    }
    keys.sort_by(|one, other| one.key().cmp(other.key()));
    Ok(keys)
}

/// The limits of a scope. Other than in a user's token, what is absent is not limited there; so zero
/// is written.
mod template {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use serde_json::Value;

    use super::{Limit, UserLimits};

    const NUMBERS: [&str; 3] = ["subs", "data", "payload"];

    pub(super) fn serialize<S: Serializer>(
        template: &UserLimits,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut value = serde_json::to_value(template).map_err(S::Error::custom)?;
        fill(&mut value, Limit::ZERO);
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<UserLimits, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        fill(&mut value, Limit::UNLIMITED);
        serde_json::from_value(value).map_err(D::Error::custom)
    }

    fn fill(value: &mut Value, absent: Limit) {
        let Value::Object(fields) = value else {
            return;
        };
        for name in NUMBERS {
            let number = fields.entry(name).or_insert(Value::Null);
            if number.is_null() {
                *number = absent.get().into();
            }
        }
    }
}
