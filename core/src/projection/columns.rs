//! Batches, keys, documents and changes as columns, the form in which they cross the border to a
//! plugin (`wasm/wit/plugin.wit`). What comes back from a plugin is checked here, once.
