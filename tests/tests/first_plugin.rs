//! What a new author does: the manifest from the documentation of `cim-plugin`, and the plugin
//! `tests/first-plugin`, from its file to its documents.

use std::fs;
use std::path::Path;
use std::process::Command;

use cim_tests::plugin;
use cim_tests::program::{Ran, cim};
use serde_json::json;

/// It named a version of a crate that is on no registry.
#[test]
fn the_manifest_of_the_documentation_resolves() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sdk = root.join("wasm/sdk");
    let documentation = fs::read_to_string(sdk.join("src/lib.rs")).expect("the documentation");
    let shown: Vec<&str> = documentation
        .lines()
        .map(|line| line.trim_start_matches("//!").trim_start())
        .skip_while(|line| *line != "```toml")
        .skip(1)
        .take_while(|line| *line != "```")
        .collect();
    let shown = shown.join("\n");
    assert!(shown.contains("\noverflow-checks = true"), "{shown}");
    let place = "../cim/wasm/sdk";
    assert_eq!(shown.matches(place).count(), 2, "{shown}");
    let package = "[package]\nname = \"paid\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    let sdk = sdk.to_str().expect("a path in UTF-8");
    let manifest = format!("{package}\n{}\n", shown.replace(place, sdk));

    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    fs::create_dir(folder.join("src")).expect("a folder");
    let source = root.join("tests/first-plugin/src/lib.rs");
    fs::copy(source, folder.join("src/lib.rs")).expect("a copy");
    // Versions that are here already, so that no network is asked.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("a copy");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(folder);
    let ran = Ran::of(&mut cargo, "cargo").exits(0);
    assert!(!ran.stderr.contains("unused"), "{}", ran.stderr);
    let resolved = ran.json()["packages"].to_string();
    assert!(resolved.contains("\"cim-plugin\""));
}

#[test]
fn a_first_plugin_makes_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let run = |line: &str| cim(folder, &line.split_whitespace().collect::<Vec<_>>()).exits(0);
    run("init");
    for (id, event) in [
        ("p-1", "PermitMade --data {}"),
        ("p-1", "PermitPaid --data {\"cents\":1200}"),
        ("p-2", "PermitPaid --data {\"cents\":500}"),
        ("p-1", "PermitPaid --data {\"cents\":80}"),
    ] {
        run(&format!("append permit {id} {event}"));
    }
    run(&format!(
        "projection run {}",
        plugin("first-plugin").display()
    ));
    let totals = run("projection query paid totals --json").json();
    assert_eq!(
        totals["documents"],
        json!([
            {"key": "p-1", "document": {"payments": 2, "cents": 1280}},
            {"key": "p-2", "document": {"payments": 1, "cents": 500}},
        ])
    );
}
