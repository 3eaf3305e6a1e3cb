//! A plugin that does nothing, behind a border of record lists: `tests/benches/plugin.rs` measures
//! by it what the columns of `cim:plugin` are good for.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "only a host calls it")
)]

use crate::bindings::exports::cim::records::projection::{Change, Event, Guest, Key};

#[allow(unsafe_code, missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "records-plugin",
    });

    #[cfg(target_arch = "wasm32")]
    export!(Records with_types_in self);

    #[cfg(target_arch = "wasm32")]
    use super::Records;
}

struct Records;

impl Guest for Records {
    fn keys(_: Vec<Event>) -> Result<Vec<Key>, String> {
        Ok(Vec::new())
    }

    fn apply(_: Vec<Event>, _: Vec<Option<Vec<u8>>>) -> Result<Vec<Change>, String> {
        Ok(Vec::new())
    }
}
