//! Cargo subcommands that the checks use, installed once into the user's cache.

use std::env;
use std::path::PathBuf;

use crate::command::Run;
use crate::failure::{Failure, UNREACHABLE};

/// A Cargo subcommand and the version we use of it.
#[derive(Debug)]
pub(crate) struct Tool {
    package: &'static str,
    version: &'static str,
}

pub(crate) const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
};

pub(crate) const CARGO_FUZZ: Tool = Tool {
    package: "cargo-fuzz",
    version: "0.13.2",
};

impl Tool {
    /// The folder with the program, which is built first if this version is not there.
    ///
    /// # Errors
    ///
    /// It cannot be fetched or built.
    pub(crate) fn ready(&self) -> Result<PathBuf, Failure> {
        let root = cache()?.join(format!("{}-{}", self.package, self.version));
        let programs = root.join("bin");
        if programs.join(self.package).is_file() {
            return Ok(programs);
        }
        println!("Building {} once, into `{}`", self.package, root.display());
        let install = Run::cargo()
            .args(["install", "--locked", "--quiet", "--version", self.version])
            .arg("--root")
            .arg(&root)
            .arg(self.package);
        install.run().map_err(|failure| {
            Failure::new(format!("cannot install {}", self.package))
                .caused_by(failure.message())
                .help(format!("with a network, run: {install}"))
                .exit(UNREACHABLE)
        })?;
        Ok(programs)
    }
}

/// Where this user's programs keep what they can fetch again.
pub(crate) fn cache() -> Result<PathBuf, Failure> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .ok_or_else(|| {
            Failure::new("there is no folder for the tools").help("set HOME or XDG_CACHE_HOME")
        })?;
    Ok(base.join("cim/tools"))
}
