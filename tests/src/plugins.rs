//! The plugins under test, and the core as a module.

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
    built(name, &SOURCES)
}

/// The path of the core as a bare WebAssembly module, which `cargo xtask plugins` has built too.
///
/// # Panics
///
/// As [`plugin`].
pub fn core_module() -> PathBuf {
    built("core-wasm", &CORE_SOURCES)
}

fn built(name: &str, sources: &[&str]) -> PathBuf {
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
    for folder in sources {
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

/// What the core's module is built from.
const CORE_SOURCES: [&str; 3] = ["core/macros/src", "core/src", "tests/core-wasm/src"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "run `cargo xtask plugins`")]
    fn a_plugin_that_was_not_built_is_told() {
        plugin("there-is-none");
    }

    #[test]
    fn only_sources_that_changed_later_are_newer() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("a/b.rs");
        fs::create_dir(folder.path().join("a")).expect("a folder");
        fs::write(&source, "").expect("a file");
        let written = fs::metadata(&source).and_then(|file| file.modified());
        let written = written.expect("a file has a time");
        let before = written - std::time::Duration::from_secs(1);
        assert_eq!(newer_than(folder.path(), written), None);
        assert_eq!(newer_than(folder.path(), before), Some(source.clone()));
        fs::rename(&source, source.with_extension("txt")).expect("it can be renamed");
        assert_eq!(newer_than(folder.path(), before), None);
    }
}
