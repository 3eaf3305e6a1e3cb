//! What `wit-bindgen` makes of `wasm/wit/plugin.wit`: the columns as records, and the functions
//! through which the host calls.

wit_bindgen::generate!({
    path: "../wit",
    world: "projection-plugin",
    pub_export_macro: true,
    default_bindings_module: "cim_plugin::bindings",
    runtime_path: "::wit_bindgen::rt",
});
