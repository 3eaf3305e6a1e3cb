//! What is said of an entity that has no model.

use std::error::Error;
use std::fmt;

use super::registry::ENTITIES;
use crate::text::shorten;

/// An entity that has no model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownEntity {
    /// The entity that was named.
    pub entity: String,
}

impl UnknownEntity {
    /// The fault of a name that [`visit`](super::registry::visit) has not found.
    pub fn new(entity: &str) -> Self {
        Self {
            entity: shorten(entity),
        }
    }

    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "entity-unknown"
    }
}

impl fmt::Display for UnknownEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ENTITIES.join("`, `");
        write!(
            f,
            "`{}` is no entity with a model: expected one of `{known}`",
            self.entity
        )
    }
}

impl Error for UnknownEntity {}
