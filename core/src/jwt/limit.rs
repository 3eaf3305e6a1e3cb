//! How much of something there may be.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How much of something there may be: a number, or no limit.
///
/// In a token an absent limit is zero, and only -1 is none (any other negative number refuses
/// everything). So ours are [`UNLIMITED`](Self::UNLIMITED) where they are not set, and zero is what
/// somebody has written.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limit(i64);

impl Limit {
    /// No limit.
    pub const UNLIMITED: Self = Self(-1);

    /// Nothing at all.
    pub const ZERO: Self = Self(0);

    /// At most so many.
    pub fn at_most(number: u32) -> Self {
        Self(i64::from(number))
    }

    /// The number as it stands in tokens.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Whether there is no limit.
    pub fn is_unlimited(self) -> bool {
        self == Self::UNLIMITED
    }

    /// Whether nothing is allowed; in tokens, by being absent.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

/// Writes among fields that limits of these names are none, unless they are there.
pub(super) fn unlimit(fields: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        let limit = fields.entry(*name).or_insert(Value::Null);
        if limit.is_null() {
            *limit = Limit::UNLIMITED.get().into();
        }
    }
}

impl From<i64> for Limit {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNLIMITED => f.pad("unlimited"),
            Self(number) => fmt::Display::fmt(&number, f),
        }
    }
}
