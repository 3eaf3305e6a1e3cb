//! Operators, accounts and users of NATS on this machine: [`keystore`] is where their seeds are kept.

mod files;
pub mod keystore;
