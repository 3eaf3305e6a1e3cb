//! Where `nsc` keeps its stores and keys, as it decides itself (nats-io/nsc `home/home.go`).
//!
//! Another place for the stores that was set with `nsc env --store` is not looked up.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::NscError;
use super::tree::Tree;

/// The folders of `nsc`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NscFolders {
    /// Has a folder for each operator.
    pub stores: PathBuf,
    /// Has the folders `keys` and `creds`.
    pub keys: PathBuf,
}

impl NscFolders {
    /// The folders that `nsc` would use here, whether they are there or not: those in
    /// `$XDG_DATA_HOME/nats/nsc` or `~/.local/share/nats/nsc`, or, when only they are there, the older
    /// `~/.nsc/nats` and `~/.nkeys`. `$NKEYS_PATH` comes before these for the keys. `None` without
    /// `$HOME`.
    pub fn of_this_user() -> Option<Self> {
        Self::of(|name| env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let path = |name| {
            variable(name)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        let home = path("HOME")?;
        let data = path("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local").join("share"));
        let data = data.join("nats").join("nsc");
        let keys = newer_or(data.join("keys"), home.join(".nkeys"));
        Some(Self {
            stores: newer_or(data.join("stores"), home.join(".nsc").join("nats")),
            keys: path("NKEYS_PATH").unwrap_or(keys),
        })
    }

    /// The names of the operators that have a store, in their order.
    ///
    /// # Errors
    ///
    /// [`NscError::Link`], [`NscError::Malformed`] for a name that is no UTF-8, [`NscError::Io`].
    pub fn operators(&self) -> Result<Vec<String>, NscError> {
        let mut operators = Tree::new(&self.stores).folders(&[])?;
        operators.retain(|name| self.stores.join(name).join(super::INFO).exists());
        Ok(operators)
    }
}

fn newer_or(newer: PathBuf, older: PathBuf) -> PathBuf {
    let is_there = |path: &Path| path.exists();
    match !is_there(&newer) && is_there(&older) {
        true => older,
        false => newer,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn are_where_nsc_looks_for_them() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |path: &str| home.path().join(path);
        let folders = |names: &[(&str, PathBuf)]| {
            NscFolders::of(|name| {
                let found = names.iter().find(|(known, _)| *known == name);
                found.map(|(_, path)| path.clone().into_os_string())
            })
        };
        let check = |names: &[(&str, PathBuf)], stores: &str, keys: &str| {
            let expected = NscFolders {
                stores: at(stores),
                keys: at(keys),
            };
            assert_eq!(folders(names), Some(expected));
        };
        let own = || ("HOME", at(""));
        let newer = [".local/share/nats/nsc/stores", ".local/share/nats/nsc/keys"];
        assert_eq!(folders(&[]), None);
        check(&[own()], newer[0], newer[1]);
        check(
            &[own(), ("XDG_DATA_HOME", PathBuf::new())],
            newer[0],
            newer[1],
        );
        check(
            &[own(), ("XDG_DATA_HOME", at("data"))],
            "data/nats/nsc/stores",
            "data/nats/nsc/keys",
        );
        check(&[own(), ("NKEYS_PATH", at("k"))], newer[0], "k");

        fs::create_dir_all(at(".nkeys")).expect("a folder");
        check(&[own()], newer[0], ".nkeys");
        fs::create_dir_all(at(".nsc/nats")).expect("a folder");
        check(&[own()], ".nsc/nats", ".nkeys");
        fs::create_dir_all(at(newer[0])).expect("a folder");
        check(&[own()], newer[0], ".nkeys");
        fs::create_dir_all(at(newer[1])).expect("a folder");
        check(&[own()], newer[0], newer[1]);
    }
}
