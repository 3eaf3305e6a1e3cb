//! Where the workspace, its build output and its lock file are.

use std::env;
use std::path::{Path, PathBuf};

use crate::command::Run;
use crate::failure::{Doing, Failure};

/// The folders that tasks work in.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the workspace.
    pub(crate) folder: PathBuf,
}

impl Workspace {
    /// Asks Cargo, so that a target folder set by the user is respected.
    pub(crate) fn find() -> Result<Self, Failure> {
        // Cargo sets it at run time too, which stays right when the workspace was moved after the build.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .ancestors()
            .nth(2)
            .ok_or_else(|| Failure::new("xtask is not two folders below the workspace"))?
            .to_path_buf();
        let metadata = Run::cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .dir(&root)
            .quiet_output()?;
        let metadata: serde_json::Value =
            serde_json::from_str(&metadata).doing(|| "cannot read `cargo metadata`".to_owned())?;
        let target = metadata["target_directory"]
            .as_str()
            .ok_or_else(|| Failure::new("`cargo metadata` names no target folder"))?;
        let packages = packages(&metadata, &root);
        Ok(Self {
            target: PathBuf::from(target),
            root,
            packages,
        })
    }

    /// The packages of the workspace, by name.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the workspace.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path below the target folder.
    pub(crate) fn built(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// The version of a package in `Cargo.lock`.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String, Failure> {
        let path = self.path("Cargo.lock");
        let lock =
            std::fs::read_to_string(&path).doing(|| format!("cannot read `{}`", path.display()))?;
        version_in(&lock, package)
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("`Cargo.lock` holds no package `{package}`")))
    }
}

fn packages(metadata: &serde_json::Value, root: &Path) -> Vec<Package> {
    let read = |package: &serde_json::Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some(Package {
            name: package["name"].as_str()?.to_owned(),
            folder: manifest.parent()?.strip_prefix(root).ok()?.to_path_buf(),
        })
    };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut packages: Vec<Package> = packages.filter_map(read).collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    packages
}

fn version_in<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.next()?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_folders_of_packages() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "b", "manifest_path": "/w/wasm/b/Cargo.toml" },
            { "name": "a", "manifest_path": "/w/Cargo.toml" },
            { "name": "foreign", "manifest_path": "/elsewhere/Cargo.toml" },
        ]});
        let package = |name: &str, folder: &str| Package {
            name: name.to_owned(),
            folder: PathBuf::from(folder),
        };
        assert_eq!(
            packages(&metadata, Path::new("/w")),
            [package("a", ""), package("b", "wasm/b")]
        );
    }

    #[test]
    fn finds_the_version_of_exactly_the_named_package() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"a\"\nversion = \"2.3.4\"\n";
        assert_eq!(version_in(lock, "a"), Some("2.3.4"));
        assert_eq!(version_in(lock, "b"), None);
    }
}
