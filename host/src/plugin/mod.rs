//! Plugins: sandboxed handlers, each one WebAssembly component that imports nothing.
//!
//! A plugin has no clock, no network, no files and no randomness; what it may use of time and
//! memory is limited. `wasm/wit/plugin.wit` is its border. Only this module tree names wasmtime.

mod bindings;
mod cache;
mod engine;
mod error;
mod fault;
mod handler;
mod instance;
mod load;
mod options;

pub use error::PluginError;
pub use handler::PluginHandler;
pub use load::Plugin;
pub use options::{Interruption, PluginLimits, PluginOptions};
