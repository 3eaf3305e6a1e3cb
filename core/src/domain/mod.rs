//! The domains of CIM: aggregates whose rules are ours.
//!
//! Each is pure: `decide` and `evolve` over typed events, which [`payload`] writes and reads.

#[cfg(feature = "identity")]
pub mod keys;
pub mod payload;
