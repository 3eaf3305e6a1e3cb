//! The `cim` command, built here and run in one folder.

use std::path::{Path, PathBuf};

use crate::command::Run;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// The built command and the folder it works in.
#[derive(Debug)]
pub(crate) struct Cim {
    programs: PathBuf,
    dir: PathBuf,
}

impl Cim {
    /// Builds it as tests use it: quickly built, quick enough for thousands of events.
    pub(crate) fn build(workspace: &Workspace, dir: &Path) -> Result<Self, Failure> {
        Self::build_with(workspace, dir, &[], "debug")
    }

    /// Builds it as users install it.
    pub(crate) fn build_release(workspace: &Workspace, dir: &Path) -> Result<Self, Failure> {
        Self::build_with(workspace, dir, &["--release"], "release")
    }

    fn build_with(
        workspace: &Workspace,
        dir: &Path,
        options: &[&str],
        folder: &str,
    ) -> Result<Self, Failure> {
        // The same build as that of the tests which start the command.
        Run::cargo()
            .args(["build", "--locked", "--package", "cim-host", "--bin", "cim"])
            .args(options)
            .dir(workspace.root())
            .run()?;
        Ok(Self {
            programs: workspace.built(folder),
            dir: dir.to_path_buf(),
        })
    }

    /// Where the program is.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// Where it works.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// `cim` with the words of `line` as arguments.
    pub(crate) fn run(&self, line: &str) -> Run {
        self.other("cim").args(line.split(' '))
    }

    /// Another program in the same folder.
    pub(crate) fn other(&self, program: &str) -> Run {
        Run::new(program)
            .search_first(&self.programs)
            .without("CIM_STORE")
            .dir(&self.dir)
    }
}
