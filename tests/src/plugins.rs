//! The plugins under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The path of a component that `cargo xtask plugins` has built: `activity`, `latest`,
/// `first-plugin`, or a guest of the tests.
///
/// # Panics
///
/// When it is missing, or older than its sources: a test must not judge another plugin than the
/// one that stands here.
pub fn plugin(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    // target/<profile>/deps/<test>
    let target = test
        .ancestors()
        .nth(3)
        .expect("tests lie in the target folder");
    let path = target.join("plugins").join(format!("{name}.wasm"));
    let Ok(built) = fs::metadata(&path).and_then(|file| file.modified()) else {
        panic!(
            "there is no `{}`: run `cargo xtask plugins`",
            path.display()
        );
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in SOURCES {
        if let Some(newer) = newer_than(&workspace.join(folder), built) {
            panic!(
                "`{}` is older than `{}`: run `cargo xtask plugins`",
                path.display(),
                newer.display()
            );
        }
    }
    path
}

/// A file in `folder` that changed after `time`.
fn newer_than(folder: &Path, time: SystemTime) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            if let Some(newer) = newer_than(&path, time) {
                return Some(newer);
            }
        } else if is_source(&path) {
            let changed = fs::metadata(&path).and_then(|file| file.modified());
            if changed.expect("a source has a time") > time {
                return Some(path);
            }
        }
    }
    None
}

fn is_source(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "toml" | "wit"))
}

/// What plugins are built from, as far as it is ours.
const SOURCES: [&str; 5] = [
    "tests/first-plugin/src",
    "tests/guests",
    "wasm/plugins",
    "wasm/sdk/src",
    "wasm/wit",
];
