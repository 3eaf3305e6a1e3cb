//! The wasm-bindgen step: one module of `cim-wasm`, bound for Node and for browsers.

use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::workspace::Workspace;

/// Builds the module and writes `js/wasm/node` and `js/wasm/web`.
pub(crate) fn bind(workspace: &Workspace) -> Result<(), Failure> {
    same_versions(workspace)?;
    build(workspace, "release", &[])?;
    let module = workspace.built("wasm32-unknown-unknown/release/cim_wasm.wasm");
    for host in [Host::Node, Host::Web] {
        let out = workspace.path(host.folder());
        println!(
            "$ wasm-bindgen --target {} --out-dir {}",
            host.name(),
            host.folder()
        );
        host.generate(Bindgen::new().input_path(&module), &out)?;
    }
    Ok(())
}

/// Builds the module with identity alone, and fails if it is larger than it may be.
pub(crate) fn check_size(workspace: &Workspace) -> Result<(), Failure> {
    same_versions(workspace)?;
    let only = ["--no-default-features", "--features", "identity"];
    build(workspace, "small", &only)?;
    let module = workspace.built("wasm32-unknown-unknown/small/cim_wasm.wasm");
    let folder = tempfile::tempdir().doing(|| "cannot make a folder".to_owned())?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&module)
        .remove_name_section(true)
        .remove_producers_section(true);
    Host::Web.generate(&mut bindgen, folder.path())?;
    let size = Run::new("node")
        .args(["--input-type=module", "--eval", PACKED_SIZE])
        .arg(folder.path().join("cim_wasm_bg.wasm"))
        .quiet_output()?;
    let size: usize = size
        .trim()
        .parse()
        .doing(|| format!("Node gave no size: `{}`", size.trim()))?;
    println!("The module with identity alone: {size} bytes with gzip, at most {MAX_PACKED_SIZE}");
    if size > MAX_PACKED_SIZE {
        return Err(Failure::new(format!(
            "the module with identity alone has {size} bytes with gzip, expected at most \
             {MAX_PACKED_SIZE}"
        ))
        .help("find what is new in it: cargo tree --package cim-wasm --no-default-features --features identity"));
    }
    Ok(())
}

fn build(workspace: &Workspace, profile: &str, options: &[&str]) -> Result<(), Failure> {
    Run::cargo()
        .args(["build", "--locked", "--package", "cim-wasm", "--lib"])
        .args(["--target", "wasm32-unknown-unknown", "--profile", profile])
        .args(options)
        .dir(workspace.root())
        .run()
}

/// The library here and the macros in the module must be of one version, or the output is refused late.
fn same_versions(workspace: &Workspace) -> Result<(), Failure> {
    let macros = workspace.locked_version("wasm-bindgen")?;
    let library = workspace.locked_version("wasm-bindgen-cli-support")?;
    if macros == library {
        return Ok(());
    }
    Err(Failure::new(format!(
        "versions differ: wasm-bindgen `{macros}`, wasm-bindgen-cli-support `{library}`"
    ))
    .help("pin both to one version in the workspace's Cargo.toml"))
}

#[derive(Clone, Copy)]
enum Host {
    Node,
    Web,
}

impl Host {
    /// The name of wasm-bindgen's own command for it.
    fn name(self) -> &'static str {
        match self {
            Self::Node => "experimental-nodejs-module",
            Self::Web => "web",
        }
    }

    fn generate(self, bindgen: &mut Bindgen, out: &Path) -> Result<(), Failure> {
        let doing = || format!("cannot write the bindings `{}`", out.display());
        bindgen
            .typescript(true)
            // Without the path to the module, `await init()` has no default in browsers.
            .omit_default_module_path(false);
        match self {
            Self::Node => bindgen.nodejs_module(true),
            Self::Web => bindgen.web(true),
        }
        .doing(doing)?;
        bindgen.generate(out).doing(doing)
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Node => "js/wasm/node",
            Self::Web => "js/wasm/web",
        }
    }
}

/// In bytes: what a page waits for that makes tokens and nothing else.
const MAX_PACKED_SIZE: usize = 150_000;
const PACKED_SIZE: &str = r#"
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
console.log(gzipSync(readFileSync(process.argv[1]), { level: 9 }).length);
"#;
