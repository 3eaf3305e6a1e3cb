//! Where a resource stands in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a resource stands in its life.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is being made ready.
    Provisioning,
    /// It does its work.
    Active,
    /// It is there, and does no work for a while.
    Maintenance,
    /// It does no work any more, for good.
    Decommissioned,
}

impl Status {
    /// Each of them, in the order of a life.
    pub const ALL: [Self; 4] = [
        Self::Provisioning,
        Self::Active,
        Self::Maintenance,
        Self::Decommissioned,
    ];

    /// Its name in events, `active`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Maintenance => "maintenance",
            Self::Decommissioned => "decommissioned",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_is_stored() {
        for status in Status::ALL {
            let json = serde_json::to_string(&status).expect("JSON");
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(serde_json::from_str::<Status>(&json).expect("ours"), status);
        }
        assert!(serde_json::from_str::<Status>("\"Active\"").is_err());
    }
}
