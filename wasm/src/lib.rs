//! # CIM for JavaScript: `cim-core` over the border of WebAssembly
//!
//! This crate converts and nothing more: texts, bytes and JSON come in, texts, bytes and JSON go
//! out, and every rule is `cim-core`'s. What fails throws a JSON document, a [`fault`], of which the
//! npm package makes an error. Exports cross the border in chunks of bytes, not event by event.

#![warn(missing_docs)]

pub mod chain;
pub mod export;
pub mod fault;
pub mod message;
pub mod subject;
pub mod time;
