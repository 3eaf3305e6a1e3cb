//! Projectors: running handlers over a store's events into read models.

mod handler;

pub use handler::Handler;
