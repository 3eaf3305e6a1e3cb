//! The benchmarks, through Cargo.

use std::ffi::OsString;

use crate::command::Run;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Runs `cargo bench` on the tests' package; `arguments` go to Cargo.
pub(crate) fn run(workspace: &Workspace, arguments: Vec<OsString>) -> Result<(), Failure> {
    Run::cargo()
        .args(["bench", "--locked", "--package", "cim-tests"])
        .args(arguments)
        .dir(workspace.root())
        .run()
}
