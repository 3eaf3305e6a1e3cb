//! What a resource lacks before it should serve in production.

use std::fmt;

use super::{ComputeState, Resource, Status};

/// What a resource lacks.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Missing {
    /// It is not active.
    Status,
    /// It belongs to no organization.
    Organization,
    /// It stands in no place.
    Location,
    /// Nobody knows who made it.
    Manufacturer,
    /// Nobody knows what its maker calls it.
    Model,
    /// Nobody knows which of its maker's it is. It can do without.
    SerialNumber,
}

impl Missing {
    /// Its name, `organization`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Organization => "organization",
            Self::Location => "location",
            Self::Manufacturer => "manufacturer",
            Self::Model => "model",
            Self::SerialNumber => "serial_number",
        }
    }

    /// Whether a resource is not ready without it; what is not required is recommended.
    pub fn is_required(self) -> bool {
        match self {
            Self::Status
            | Self::Organization
            | Self::Location
            | Self::Manufacturer
            | Self::Model => true,
            Self::SerialNumber => false,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a resource lacks before it should serve in production, in the order of [`Missing`].
///
/// It is ready when nothing of that [is required](Missing::is_required). No command is refused for what
/// is missing: a resource may be activated first and described later. A resource that was not registered
/// lacks everything.
///
/// # Examples
///
/// ```
/// use cim_core::domain::compute::{ComputeState, readiness};
///
/// let missing = readiness(&ComputeState::Absent);
/// assert!(missing.iter().any(|missing| missing.is_required()));
/// assert_eq!(missing[1].to_string(), "organization");
/// ```
pub fn readiness(state: &ComputeState) -> Vec<Missing> {
    let resource = state.resource();
    let lacks = |has: fn(&Resource) -> bool| !resource.is_some_and(has);
    let facts = [
        (Missing::Status, lacks(|it| it.status == Status::Active)),
        (
            Missing::Organization,
            lacks(|it| it.organization_id.is_some()),
        ),
        (Missing::Location, lacks(|it| it.location_id.is_some())),
        (Missing::Manufacturer, lacks(|it| it.manufacturer.is_some())),
        (Missing::Model, lacks(|it| it.model.is_some())),
        (
            Missing::SerialNumber,
            lacks(|it| it.serial_number.is_some()),
        ),
    ];
    let missing = facts.into_iter().filter(|(_, is_missing)| *is_missing);
    missing.map(|(fact, _)| fact).collect()
}
