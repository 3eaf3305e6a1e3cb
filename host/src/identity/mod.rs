//! Operators, accounts and users of NATS: made, changed and kept, without another program.
//!
//! In reading order: [`keystore`] (the seeds, durable before the events that name them) ·
//! [`Identities`] (all of one event store; a change is decided on a [`Draft`]) · [`server_config`] (what
//! nats-server runs with) · [`plan`] (a description in a file, and the way there) · [`nsc`] (reads what
//! that tool has made; [`Draft::import_nsc`] takes it).

mod change;
mod draft;
mod error;
mod identities;
pub mod keystore;
pub mod nsc;
mod nsc_import;
pub mod plan;
mod rotation;
pub mod server_config;
mod signing;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use draft::Draft;
pub use error::{IdentityError, NscProblem};
pub use identities::{Identities, namespace_beside};
pub use nsc_import::{NscImport, NscItem};
pub use signing::token_sha256;
