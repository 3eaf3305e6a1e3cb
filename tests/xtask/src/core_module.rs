//! The core as a bare module, which shows that it asks nothing of its host.

use std::fs;
use std::path::PathBuf;

use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::imports::Border;
use crate::plugins;
use crate::workspace::Workspace;

/// Builds the module as `core-wasm.wasm`, beside the plugins, where the Rust tests find it.
///
/// # Errors
///
/// It does not compile, or imports something.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    // Not with the plugins in one command, whose dependencies would have this one's features.
    Run::cargo()
        .args(["build", "--locked", "--lib", "--profile", "plugin"])
        .args(["--package", "core-wasm"])
        .args(["--target", "wasm32-unknown-unknown"])
        .env("RUSTFLAGS", plugins::flags())
        .dir(workspace.root())
        .run()?;
    let built = workspace.built("wasm32-unknown-unknown/plugin/core_wasm.wasm");
    let doing = || format!("cannot read `{}`", built.display());
    let module = fs::read(&built).doing(doing)?;
    let border = Border::parse(&module).doing(doing)?;
    if let Some(first) = border.imports.first() {
        return Err(Failure::new(format!(
            "the core imports {} things, the first is {first}",
            border.imports.len()
        ))
        .help(
            "find the dependency: cargo tree --package cim-core --target wasm32-unknown-unknown",
        ));
    }
    println!("No imports. Exports: {}", border.exports.join(" "));
    let path = plugins::folder(workspace)?.join("core-wasm.wasm");
    plugins::write(&path, &module)?;
    Ok(path)
}
