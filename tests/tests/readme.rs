//! The README's `console` examples, run as printed.
//!
//! All blocks run in one folder, in order. A line that begins with `$ ` is a command; what follows
//! is what it prints, standard output and standard error together. `[..]` stands for any text
//! within a line.

use std::path::{Path, PathBuf};
use std::process::Command;

use cim_tests::cim_binary;

/// A command of an example, with what it prints.
struct Example {
    line: usize,
    command: String,
    output: Vec<String>,
}

#[test]
fn every_example_prints_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned();
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let examples = examples(&readme);
    assert!(
        examples.len() >= 8,
        "only {} examples found",
        examples.len()
    );
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(
        root.join("tests/fixtures/sample.csv"),
        folder.path().join("sample.csv"),
    )
    .expect("the sample");
    for example in examples {
        let found = run(&example.command, folder.path());
        let fits = found.len() == example.output.len()
            && found
                .iter()
                .zip(&example.output)
                .all(|(line, pattern)| matches(line, pattern));
        assert!(
            fits,
            "README.md:{}: `{}` printed\n{}\nexpected\n{}",
            example.line,
            example.command,
            found.join("\n"),
            example.output.join("\n"),
        );
    }
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in readme.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            examples.push(Example {
                line: number + 1,
                command,
                output: Vec::new(),
            });
        } else {
            let example = examples.last_mut().expect("a command before its output");
            example.output.push(line.to_owned());
        }
    }
    examples
}

fn run(command: &str, folder: &Path) -> Vec<String> {
    let binary: PathBuf = cim_binary();
    let path = format!(
        "{}:{}",
        binary.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("CIM_STORE")
        .output()
        .expect("a shell");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Whether `line` is like `pattern`, in which `[..]` is any text.
fn matches(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some(part) => rest.is_empty() || part.is_empty() || line.ends_with(part),
    }
}

#[test]
fn a_pattern_stands_for_any_text_within_a_line() {
    assert!(matches("a b c", "a [..] c") && matches("a b c", "[..]") && matches("abc", "abc"));
    assert!(
        !matches("a b c", "a [..] d") && !matches("abcd", "abc") && !matches("a b c d", "a [..] c")
    );
}
