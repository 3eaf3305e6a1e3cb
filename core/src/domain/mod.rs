//! The domains of CIM: aggregates whose rules are ours.
//!
//! Each is pure: `decide` and `evolve` over typed events. [`registry`] finds the model of an entity by
//! its name.

#[cfg(feature = "identity")]
pub mod keys;
pub mod registry;
