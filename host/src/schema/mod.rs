//! Whether stored events fit what programs know of them.
//!
//! [`Known`] is what is known: the built-in domains, with their upcasters, and lists of schemas that
//! other programs wrote. A [`SchemaCheck`] takes events one by one and counts what does not fit. It keeps
//! a bounded number of findings and of names, however many events there are.

mod check;
mod fault;
mod known;
mod path;
mod validate;

pub use check::{Finding, MAX_FINDINGS, ReadAs, SchemaCheck, SchemaReport, Unchecked};
pub use fault::Fault;
pub use known::{Known, KnownError};

#[cfg(test)]
mod tests;
