//! The npm package: its build, its tests, and the package as a stranger would install it.

use std::fs;

use crate::bindgen;
use crate::cim::Cim;
use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::nats_server;
use crate::source::Source;
use crate::workspace::Workspace;

/// Builds bindings and package, so that `js/bin/cim-events.mjs` runs.
pub(crate) fn build(workspace: &Workspace) -> Result<(), Failure> {
    bindgen::bind(workspace)?;
    dependencies(workspace)?;
    Run::new("npx")
        .args(["--no-install", "tsc", "-p", "."])
        .below(workspace.root(), "js")
        .run()
}

/// Writes the types of the domains, which a Rust test compares with the schemas.
pub(crate) fn types(workspace: &Workspace) -> Result<(), Failure> {
    Run::cargo()
        .args([
            "run",
            "--locked",
            "--package",
            "cim-tests",
            "--bin",
            "domain-types",
        ])
        .dir(workspace.root())
        .run()
}

/// Builds the package and runs its own tests.
pub(crate) fn test(workspace: &Workspace) -> Result<(), Failure> {
    build(workspace)?;
    Run::new("npm")
        .arg("test")
        .env("CIM_NATS_SERVER", nats_server::ready()?)
        .below(workspace.root(), "js")
        .run()
}

/// Packs the package, installs it into an empty folder, imports it there and runs its command.
pub(crate) fn packaging(workspace: &Workspace) -> Result<(), Failure> {
    let temp = tempfile::tempdir().doing(|| "cannot make a folder".to_owned())?;
    let packed = Run::new("npm")
        .args(["pack", "--silent", "--pack-destination"])
        .arg(temp.path())
        .below(workspace.root(), "js")
        .shown_output(0)?;
    let tarball = packed
        .lines()
        .last()
        .ok_or_else(|| Failure::new("`npm pack` named no file"))?;
    let manifest = temp.path().join("package.json");
    fs::write(&manifest, "{ \"private\": true, \"type\": \"module\" }\n")
        .doing(|| format!("cannot write `{}`", manifest.display()))?;
    Run::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefer-offline"])
        .arg(format!("./{tarball}"))
        .dir(temp.path())
        .run()?;

    let cim = Cim::build(workspace, temp.path())?;
    Source::sample(workspace).import(&cim)?;
    cim.run("export sample.jsonl").run()?;
    Run::new("node")
        .args(["--input-type=module", "--eval", IMPORT_AND_CALL])
        .dir(temp.path())
        .run()?;
    Run::new("npx")
        .args(["--no-install", "cim-events", "verify", "sample.jsonl"])
        .dir(temp.path())
        .run()
}

/// `npm ci`, unless the installed packages are those of the lock file.
fn dependencies(workspace: &Workspace) -> Result<(), Failure> {
    let path = workspace.path("js/package-lock.json");
    let lock = fs::read(&path).doing(|| format!("cannot read `{}`", path.display()))?;
    // npm's own record holds other fields than the lock file, so we keep a copy beside it.
    let installed = workspace.path("js/node_modules/.cim-installed-lock");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    Run::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .below(workspace.root(), "js")
        .run()
        .map_err(|failure| failure.help("with a network, run: cd js && npm ci"))?;
    fs::write(&installed, lock).doing(|| format!("cannot write `{}`", installed.display()))
}

/// Uses the installed package like its user.
const IMPORT_AND_CALL: &str = r#"
import { createReadStream } from "node:fs";
import { verifyExport } from "cim-events";
const report = await verifyExport(createReadStream("sample.jsonl"));
if (!report.ok) throw new Error(report.text);
console.log("The installed package verified the sample.");
"#;
