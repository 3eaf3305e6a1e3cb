//! The wasm-bindgen step: one module of `cim-wasm`, bound for Node and for browsers.

use wasm_bindgen_cli_support::Bindgen;

use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::workspace::Workspace;

/// Builds the module and writes `js/wasm/node` and `js/wasm/web`.
pub(crate) fn bind(workspace: &Workspace) -> Result<(), Failure> {
    same_versions(workspace)?;
    Run::cargo()
        .args(["build", "--locked", "--package", "cim-wasm", "--lib"])
        .args(["--target", "wasm32-unknown-unknown", "--profile", "npm"])
        .dir(workspace.root())
        .run()?;
    let module = workspace.built("wasm32-unknown-unknown/npm/cim_wasm.wasm");
    for host in [Host::Node, Host::Web] {
        let out = workspace.path(host.folder());
        println!(
            "$ wasm-bindgen --target {} --out-dir {}",
            host.name(),
            host.folder()
        );
        let doing = || format!("cannot write the bindings `{}`", host.folder());
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(&module)
            .typescript(true)
            // Without the path to the module, `await init()` has no default in browsers.
            .omit_default_module_path(false);
        match host {
            Host::Node => bindgen.nodejs_module(true),
            Host::Web => bindgen.web(true),
        }
        .doing(doing)?;
        bindgen.generate(&out).doing(doing)?;
    }
    Ok(())
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

    fn folder(self) -> &'static str {
        match self {
            Self::Node => "js/wasm/node",
            Self::Web => "js/wasm/web",
        }
    }
}
