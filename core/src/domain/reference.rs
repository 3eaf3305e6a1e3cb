//! What one aggregate calls another by: its id, of a type for each kind, so that the id of a place is
//! never taken for that of a person.
//!
//! Nothing here knows whether there is such an aggregate.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::id::{NameError, parse_uuid};

/// The one spelling of a UUID.
#[cfg(feature = "schema")]
const PATTERN: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

macro_rules! reference {
    ($(#[doc = $doc:literal] $name:ident,)*) => {$(
        #[doc = $doc]
        ///
        /// As text it is a UUID of lower case with hyphens, of whichever version.
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema),
            schemars(extend("format" = "uuid", "pattern" = PATTERN))
        )]
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(#[cfg_attr(feature = "schema", schemars(with = "String"))] Uuid);

        impl $name {
            /// Takes a UUID as this id.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                parse_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

reference! {
    /// The id of an organization.
    OrganizationId,
    /// The id of a place.
    LocationId,
    /// The id of a person.
    PersonId,
    /// The id of an identity, with which somebody logs in.
    IdentityId,
    /// The id of a policy.
    PolicyId,
    /// The id of a concept, such as what an account stands for.
    ConceptId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_text_wherever_it_stands() {
        let text = "01934f4a-2000-7000-8000-000000002000";
        let id: OrganizationId = text.parse().expect("an id");
        assert_eq!(
            (id.to_string(), format!("{id:?}")),
            (text.into(), text.into())
        );
        let json = format!("\"{text}\"");
        assert_eq!(serde_json::to_string(&id).expect("JSON"), json);
        assert_eq!(
            serde_json::from_str::<OrganizationId>(&json).expect("ours"),
            id
        );
        assert_eq!(OrganizationId::from_uuid(*id.as_uuid()), id);
    }

    #[test]
    fn another_spelling_is_refused_when_it_is_read() {
        for bad in [
            "\"01934F4A-2000-7000-8000-000000002000\"",
            "\"01934f4a200070008000000000002000\"",
            "\"\"",
            "{\"id\":\"01934f4a-2000-7000-8000-000000002000\"}",
            "null",
        ] {
            assert!(serde_json::from_str::<PersonId>(bad).is_err(), "{bad}");
        }
    }
}
