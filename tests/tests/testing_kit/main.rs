//! The kit for tests of domains: that each assertion passes and fails when it should, and what it says
//! when it fails.

mod failure;
mod golden;
mod lamp;
mod specification;
