//! The domains of CIM: aggregates whose rules are ours.
//!
//! Each is pure: `decide` and `evolve` over typed events. [`registry`] finds the model of an entity by
//! its name. What several domains say, such as a [`hostname`], has a file beside them.

#[cfg(any(test, feature = "testing"))]
pub mod chance;
pub mod compute;
pub mod hostname;
#[cfg(feature = "identity")]
pub mod keys;
pub mod label;
pub mod model;
mod old_text;
pub mod person;
pub mod reference;
pub mod registry;
mod unknown_entity;
pub mod value;
