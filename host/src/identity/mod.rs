//! Operators, accounts and users of NATS on this machine.
//!
//! In reading order: [`keystore`] (where their seeds are, durable before the events that name them) ·
//! [`nsc`] (reads what that tool has made).

mod files;
pub mod keystore;
pub mod nsc;
