//! The workspace's own rules: which package may use which, and what no source file may contain.
//!
//! It reads source text line by line, without comments. That finds what a person writes by habit; it
//! is no proof against somebody who hides it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn core_depends_on_nothing_that_does_io() {
    for target in [&[][..], &["--target", "wasm32-unknown-unknown"]] {
        let tree = dependencies("cim-core", target);
        let found = named(&tree, &IO_PACKAGES);
        assert!(found.is_empty(), "cim-core depends on {found:?}");
    }
}

#[test]
fn core_depends_on_no_other_package_of_ours() {
    let tree = dependencies("cim-core", &[]);
    let found = named(&tree, &["cim-host", "cim-wasm", "cim-tests"]);
    assert!(found.is_empty(), "cim-core depends on {found:?}");
}

#[test]
fn wasm_depends_on_the_core_and_not_on_the_host() {
    let tree = dependencies("cim-wasm", &["--target", "wasm32-unknown-unknown"]);
    assert_eq!(named(&tree, &["cim-core"]), ["cim-core"]);
    let found = named(
        &tree,
        &["cim-host", "tokio", "async-nats", "rusqlite", "wasmtime"],
    );
    assert!(found.is_empty(), "cim-wasm depends on {found:?}");
}

#[test]
fn plugins_are_built_without_the_core_and_the_host() {
    for package in ["cim-plugin", "cim-activity", "cim-latest"] {
        let tree = dependencies(package, &["--target", "wasm32-unknown-unknown"]);
        let found = named(&tree, &["cim-core", "cim-host", "cim-wasm", "wasm-bindgen"]);
        assert!(found.is_empty(), "{package} depends on {found:?}");
        let found = named(&tree, &IO_PACKAGES);
        assert!(found.is_empty(), "{package} depends on {found:?}");
    }
}

#[test]
fn core_calls_no_clock_and_no_randomness() {
    let files = rust_files("core/src");
    let mut faults = lines_with(&files, &NOW_AND_RANDOMNESS);
    faults.extend(lines_with(&files, &["Instant", "SystemTime"]));
    assert_none(&faults, "`now` and entropy are arguments in the core");
}

#[test]
fn only_the_clock_of_the_host_calls_clock_and_randomness() {
    let mut files = rust_files("host/src");
    files.retain(|file| !is_module(file, "host/src", "clock"));
    assert_none(
        &lines_with(&files, &NOW_AND_RANDOMNESS),
        "ask `host/src/clock.rs` for it",
    );
}

#[test]
fn each_engine_is_named_in_one_module_tree_of_the_host() {
    for (engine, module) in ENGINES {
        let mut files = rust_files("host/src");
        files.retain(|file| !is_module(file, "host/src", module));
        let faults = lines_with(&files, &[engine]);
        assert_none(
            &faults,
            &format!("only `host/src/{module}` names `{engine}`"),
        );
    }
}

#[test]
fn no_source_file_is_longer_than_800_lines() {
    let mut faults = Vec::new();
    for folder in SOURCES {
        for file in rust_files(folder) {
            let lines = read(&file).lines().count();
            if lines > LONGEST_FILE {
                faults.push(format!("{}: {lines} lines", shown(&file)));
            }
        }
    }
    assert_none(&faults, "split it by what it decides");
}

#[test]
fn a_domain_with_two_aggregates_and_its_tests_takes_under_200_lines() {
    let files = rust_files("tests/newcomer");
    let lines: usize = files.iter().map(|file| read(file).lines().count()).sum();
    assert!(lines < 200, "`tests/newcomer` has {lines} lines");
}

#[test]
fn no_leftovers_and_no_ignored_tests() {
    // In two halves, so that this file passes its own test.
    let leftovers = [
        concat!("dbg", "!"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
    ];
    let files: Vec<PathBuf> = FOLDERS.into_iter().flat_map(rust_files).collect();
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("tests/tests/tidy.rs"))
    );
    assert_none(&lines_with(&files, &leftovers), "finish it, or take it out");
}

#[test]
fn words_are_found_whole_and_outside_comments() {
    assert!(has("let now = Instant::now();", "Instant::now"));
    assert!(has("use rand::Rng;", "rand"));
    assert!(!has("let operand = 1;", "rand"));
    assert!(!has("//! See `rusqlite`.", "rusqlite"));
    assert!(!has("let a = 1; // rand", "rand"));
    assert!(has("let url = \"https://a\"; rand::random()", "rand"));
}

/// The packages that `package` is built from, one a line, its own first.
fn dependencies(package: &str, options: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", package])
        .args(options)
        .current_dir(root())
        .output()
        .expect("Cargo runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {stderr}");
    let text = String::from_utf8(output.stdout).expect("Cargo writes UTF-8");
    let names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(names.first().map(String::as_str), Some(package));
    names
}

fn named<'a>(tree: &[String], packages: &[&'a str]) -> Vec<&'a str> {
    packages
        .iter()
        .copied()
        .filter(|package| tree.iter().any(|name| name == package))
        .collect()
}

/// `file:line: text` of each line of code that has one of the words.
fn lines_with(files: &[PathBuf], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in read(file).lines().enumerate() {
            if words.iter().any(|word| has(line, word)) {
                found.push(format!("{}:{}: {}", shown(file), index + 1, line.trim()));
            }
        }
    }
    found
}

/// Whether the code of a line has `word`, not as a part of a longer name.
fn has(line: &str, word: &str) -> bool {
    let code = code(line);
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let name_at_end = word.ends_with(in_name);
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        !(before.is_some_and(in_name) || name_at_end && after.is_some_and(in_name))
    })
}

/// A line up to its comment; `//` after a colon belongs to an address.
fn code(line: &str) -> &str {
    line.match_indices("//")
        .map(|(start, _)| start)
        .find(|start| !line[..*start].ends_with(':'))
        .map_or(line, |start| &line[..start])
}

/// Whether `file` is `folder/module.rs` or below `folder/module/`.
fn is_module(file: &Path, folder: &str, module: &str) -> bool {
    let path = root().join(folder).join(module);
    file.starts_with(&path) || file == path.with_extension("rs")
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                let name = path.file_name().unwrap_or_default();
                if name != "target" && name != "node_modules" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "there is no Rust file in `{folder}`");
    files
}

#[track_caller]
fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root())
        .unwrap_or(file)
        .display()
        .to_string()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are one folder below the workspace")
}

const FOLDERS: [&str; 4] = ["core", "host", "wasm", "tests"];

const SOURCES: [&str; 10] = [
    "core/src",
    "host/src",
    "wasm/src",
    "wasm/plugins",
    "wasm/sdk/src",
    "tests/src",
    "tests/first-plugin/src",
    "tests/newcomer/src",
    "tests/xtask/src",
    "tests/core-wasm/src",
];

const LONGEST_FILE: usize = 800;

const IO_PACKAGES: [&str; 11] = [
    "async-nats",
    "async-std",
    "chrono",
    "futures",
    "getrandom",
    "js-sys",
    "mio",
    "rand",
    "rusqlite",
    "tokio",
    "wasmtime",
];

/// A library whose types one module tree of the host may name, and that tree.
const ENGINES: [(&str, &str); 4] = [
    ("async_nats", "jetstream"),
    ("jsonschema", "schema"),
    ("rusqlite", "sqlite"),
    ("wasmtime", "plugin"),
];

const NOW_AND_RANDOMNESS: [&str; 12] = [
    "Instant::now",
    "Local::now",
    "OsRng",
    "RandomState",
    "SystemTime::now",
    "Utc::now",
    "getrandom",
    "new_v4",
    "now_utc",
    "now_v7",
    "rand",
    "urandom",
];
