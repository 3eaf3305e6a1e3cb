//! The border as `wasm/wit/plugin.wit` has it: generated, arguments borrowed.

#![allow(missing_docs, unreachable_pub, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wasm/wit",
    world: "projection-plugin",
    ownership: Borrowing { duplicate_if_necessary: false },
});
