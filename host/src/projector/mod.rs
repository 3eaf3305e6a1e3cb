//! Projectors: running handlers over a store's events into read models.
//!
//! A [`Projector`] drives a [`Handler`], native or a plugin, by the rules of
//! [`cim_core::projection::machine`]. Changes and checkpoint are one transaction, so every event
//! takes effect exactly once, whatever is killed when. [`ProjectionStatus`] is what any process can
//! read of it meanwhile.

mod ahead;
mod engine;
mod error;
mod handler;
mod status;
#[cfg(test)]
mod tests;
mod worker;

pub use engine::{Progress, Projector, ProjectorOptions, Start, Until};
pub(crate) use error::BUSY_HELP;
pub use error::{ProjectorError, ReadModelError};
pub use handler::{CallError, Handler};
pub use status::{Activity, Document, HEARTBEAT, Lag, ParkedRow, ProjectionStatus, Select};
