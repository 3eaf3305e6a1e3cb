//! The `cim` command under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of `cim`, built from the present sources in the profile of the running test.
///
/// # Panics
///
/// When it cannot be built.
pub fn cim_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    // target/<profile>/deps/<test>
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests lie in the target folder")
        .to_owned();
    let target = folder
        .parent()
        .expect("a profile lies in the target folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "cim-host", "--bin", "cim"]);
    // Cargo sets these for a test. The build script of ring is run anew when they change, and with
    // it all that depends on ring would be built again, now and at the next build outside a test.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(&name);
        }
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "cargo could not build `cim`");
    folder.join("cim")
}
