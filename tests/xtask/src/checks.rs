//! `cargo xtask test`: every check that a change has to pass.

use crate::bindgen;
use crate::command::Run;
use crate::core_module;
use crate::failure::Failure;
use crate::js;
use crate::plugins;
use crate::setup::{self, Needs};
use crate::steps::{self, Step};
use crate::tools::CARGO_DENY;
use crate::workspace::Workspace;

/// Runs the named checks, or all.
pub(crate) fn run(workspace: &Workspace, names: &[String], list: bool) -> Result<(), Failure> {
    let steps = steps(workspace);
    if list {
        steps::list(&steps);
        return Ok(());
    }
    let steps = steps::select(steps, names)?;
    setup::prepare(Needs::Test)?;
    steps::run_all("test", &steps)
}

fn steps(workspace: &Workspace) -> Vec<Step<'_>> {
    let cargo = |line: &'static str| Run::cargo().args(line.split(' ')).dir(workspace.root());
    vec![
        Step::new("fmt", "the code is formatted", move || {
            cargo("fmt --all --check").run()
        }),
        // The benchmarks are among the targets; linking them optimised would tell nothing more.
        Step::new("clippy", "no warnings of compiler and clippy", move || {
            cargo("clippy --locked --workspace --all-targets -- -D warnings").run()
        }),
        Step::new("deny", "licences, banned packages, sources", move || {
            let programs = CARGO_DENY.ready()?;
            cargo("deny check licenses bans sources")
                .search_first(&programs)
                .run()
        }),
        Step::new("doc", "documentation without warnings", move || {
            cargo("doc --locked --workspace --no-deps")
                .env("RUSTDOCFLAGS", "-Dwarnings")
                .run()
        }),
        Step::new(
            "plugins",
            "the plugins, and the core as a module, import nothing",
            move || {
                plugins::build(workspace)?;
                core_module::build(workspace).map(drop)
            },
        ),
        Step::new("rust", "all Rust tests, natively", move || {
            cargo("test --locked --workspace --no-fail-fast").run()
        }),
        Step::new(
            "core-wasm",
            "unit tests of the core, in WebAssembly",
            move || {
                cargo("test --locked --package cim-core --lib --features identity,testing --target wasm32-wasip1").run()
            },
        ),
        Step::new(
            "core-imports",
            "the core asks nothing of its host",
            move || core_imports(workspace),
        ),
        Step::new("js", "the npm package: build and tests", move || {
            js::test(workspace)
        }),
        Step::new(
            "identity-size",
            "the module with identity alone is small",
            move || bindgen::check_size(workspace),
        ),
        Step::new(
            "js-package",
            "the npm package, packed and installed",
            move || {
                js::build(workspace)?;
                js::packaging(workspace)
            },
        ),
    ]
}

/// Builds the core as a bare module that imports nothing, and runs it.
fn core_imports(workspace: &Workspace) -> Result<(), Failure> {
    let module = core_module::build(workspace)?;
    Run::new("node")
        .arg("tests/core-wasm/call.mjs")
        .arg(module)
        .dir(workspace.root())
        .run()
}
