//! # CIM for JavaScript: `cim-core` over the border of WebAssembly
//!
//! This crate converts and nothing more: texts, bytes and JSON come in, texts, bytes and JSON go
//! out, and every rule is `cim-core`'s. What fails throws a JSON document, a [`fault`], of which the
//! npm package makes an error. Exports cross the border in chunks of bytes, not event by event. Seeds
//! cross it as bytes, whose copies on this side are wiped.
//!
//! The features `events` and `identity` are its two halves, each of which makes a module by itself;
//! `models` adds the domains to the first.

#![warn(missing_docs)]
#![allow(
    clippy::result_large_err,
    reason = "a fault crosses the border once, and ends what was asked for"
)]

#[cfg(feature = "events")]
pub mod chain;
#[cfg(feature = "models")]
mod command;
#[cfg(feature = "events")]
pub mod export;
pub mod fault;
#[cfg(feature = "identity")]
pub mod identity;
#[cfg(feature = "events")]
pub mod message;
#[cfg(feature = "models")]
pub mod model;
#[cfg(feature = "models")]
mod snapshot;
#[cfg(feature = "events")]
pub mod subject;
#[cfg(feature = "events")]
pub mod time;
