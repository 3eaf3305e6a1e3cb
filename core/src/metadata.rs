//! The user's metadata of an event: what goes into the headers `CIM-Meta-<Name>`.
//!
//! It is hashed as spelled, in the key order of DAG-CBOR: by length, then by bytes.

use std::cmp::Ordering;
use std::fmt;

use crate::text::{Text, shorten};

/// The longest name of metadata, in characters.
pub const MAX_NAME_LEN: usize = 64;

/// The most metadata of one event: far more than its use needs, few enough that comparing each
/// name with all others stays cheap.
pub const MAX_METADATA: usize = 256;

/// Names and values, in canonical order, with names that are unique ignoring case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[doc(alias = "context map")]
pub struct Metadata(Vec<(Box<str>, Text)>);

impl Metadata {
    /// Adds a value.
    ///
    /// # Errors
    ///
    /// [`MetadataError::Name`] for a name outside `[A-Za-z0-9-]{1,64}`,
    /// [`MetadataError::Repeated`] for one that is there already, ignoring case,
    /// [`MetadataError::TooMany`] behind [`MAX_METADATA`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::text::Text;
    /// use cim_core::metadata::Metadata;
    ///
    /// let mut metadata = Metadata::default();
    /// metadata.insert("Tenant", Text::new("blue")?)?;
    /// assert!(metadata.insert("tenant", Text::new("red")?).is_err());
    /// assert_eq!(metadata.get("Tenant").map(Text::as_str), Some("blue"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn insert(&mut self, name: &str, value: Text) -> Result<(), MetadataError> {
        Self::check_name(name)?;
        if self
            .0
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            return Err(MetadataError::Repeated {
                name: name.to_owned(),
            });
        }
        if self.0.len() >= MAX_METADATA {
            return Err(MetadataError::TooMany);
        }
        let at = self
            .0
            .partition_point(|(other, _)| canonical_order(other, name).is_lt());
        self.0.insert(at, (Box::from(name), value));
        Ok(())
    }

    /// Says whether metadata can have this name.
    ///
    /// # Errors
    ///
    /// [`MetadataError::Name`].
    pub(crate) fn check_name(name: &str) -> Result<(), MetadataError> {
        let valid = (1..=MAX_NAME_LEN).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if valid {
            Ok(())
        } else {
            Err(MetadataError::Name {
                name: shorten(name),
            })
        }
    }

    /// The value of `name`, as it is spelled.
    pub fn get(&self, name: &str) -> Option<&Text> {
        self.0
            .iter()
            .find_map(|(other, value)| (&**other == name).then_some(value))
    }

    /// Names and values in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Text)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Metadata that cannot be taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetadataError {
    /// The name is not `[A-Za-z0-9-]{1,64}`.
    Name {
        /// The name.
        name: String,
    },
    /// The name is there already, perhaps in another case.
    Repeated {
        /// The name.
        name: String,
    },
    /// There are more than [`MAX_METADATA`].
    TooMany,
}

impl MetadataError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "metadata-name",
            Self::Repeated { .. } => "metadata-repeated",
            Self::TooMany => "metadata-too-many",
        }
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "`{name}` is not a name of metadata: expected 1 to 64 of A-Z, a-z, 0-9 and `-`"
            ),
            Self::Repeated { name } => {
                write!(
                    f,
                    "the metadata `{name}` is there twice (names are compared ignoring case)"
                )
            }
            Self::TooMany => write!(f, "an event has at most {MAX_METADATA} metadata"),
        }
    }
}

impl std::error::Error for MetadataError {}

/// The order of map keys in DAG-CBOR: by length, then by bytes.
fn canonical_order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_canonical_order() {
        let mut metadata = Metadata::default();
        for name in ["bb", "a", "Zz", "ccc"] {
            metadata.insert(name, Text::json()).expect("a new name");
        }
        assert_eq!(
            metadata.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["a", "Zz", "bb", "ccc"]
        );
    }

    #[test]
    fn refuses_bad_names() {
        for bad in ["", "a_b", "é", &"x".repeat(65)] {
            let refused = Metadata::default().insert(bad, Text::json());
            assert!(matches!(refused, Err(MetadataError::Name { .. })), "{bad}");
        }
    }
}
