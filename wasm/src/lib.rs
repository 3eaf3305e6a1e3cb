//! # CIM for JavaScript: `cim-core` over the border of WebAssembly
//!
//! This crate converts and nothing more: texts, bytes and JSON come in, texts, bytes and JSON go
//! out, and every rule is `cim-core`'s. What fails throws a JSON document, a [`fault`], of which the
//! npm package makes an error. Exports cross the border in chunks of bytes, not event by event.

#![warn(missing_docs)]
#![allow(
    clippy::result_large_err,
    reason = "a fault crosses the border once, and ends what was asked for"
)]

pub mod chain;
pub mod export;
pub mod fault;
pub mod message;
pub mod subject;
pub mod time;
