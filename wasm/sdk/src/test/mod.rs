//! A kit to test plugins natively: the same columns in, the same columns out, the same checks as in
//! the host, but no WebAssembly, so that a debugger and a coverage tool work.
//!
//! Needs the feature `test`, as a development dependency:
//!
//! ```toml
//! [dev-dependencies]
//! cim-plugin = { path = "../cim/wasm/sdk", features = ["test"] }
//! ```
//!
//! [`history`] records [`TestEvent`]s as a store would, a [`Harness`] keeps the documents, and
//! [`assert_cuts_agree`] shows that they do not depend on how the host cuts the events into batches.

#[doc(hidden)]
pub mod columns;
mod cuts;
mod event;
mod harness;
mod native;

pub use cuts::assert_cuts_agree;
pub use event::{TestEvent, history};
pub use harness::Harness;
pub use native::Native;
