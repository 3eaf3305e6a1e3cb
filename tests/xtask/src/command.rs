//! One command: shown as it would be typed, then run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Doing, Failure};

/// A command that has not run yet.
#[derive(Debug)]
pub(crate) struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    shown: Vec<OsString>,
    dir: Option<PathBuf>,
    search: Vec<PathBuf>,
    without: Vec<&'static str>,
}

/// What Cargo tells this program of its package. The build script of ring is run anew when these
/// change, and with it all that depends on ring would be built again.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

impl Run {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            shown: Vec::new(),
            dir: None,
            search: Vec::new(),
            without: Vec::new(),
        }
    }

    /// The Cargo that runs this task.
    pub(crate) fn cargo() -> Self {
        let mut cargo = Self::new("cargo");
        cargo.without.extend(OF_THIS_PACKAGE);
        cargo
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, and shows it before the command.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let value = value.into();
        let mut shown = OsString::from(format!("{name}="));
        shown.push(quoted(&value));
        self.shown.push(shown);
        self.variables.push((name.into(), value));
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// Runs in a folder below `root`, and shows the way there.
    pub(crate) fn below(mut self, root: &Path, folder: &str) -> Self {
        self.shown.push(format!("cd {folder} &&").into());
        self.dir(&root.join(folder))
    }

    /// Keeps one of the user's environment variables away from it.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.without.push(name);
        self
    }

    /// Looks for programs in `dir` first.
    pub(crate) fn search_first(mut self, dir: &Path) -> Self {
        self.search.push(dir.to_path_buf());
        self
    }

    /// Shows and runs it.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        self.run_expecting(0)
    }

    /// Shows and runs it; any other exit code than `code` is a failure.
    pub(crate) fn run_expecting(&self, code: i32) -> Result<(), Failure> {
        self.show();
        let status = self
            .command()
            .status()
            .map_err(|cause| self.not_started(cause))?;
        self.expect(code, status.code(), "")
    }

    /// Shows and runs it, and gives back what it wrote to standard output after passing that on.
    pub(crate) fn shown_output(&self, code: i32) -> Result<String, Failure> {
        self.show();
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .map_err(|cause| self.not_started(cause))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        self.expect(code, output.status.code(), "")?;
        Ok(text)
    }

    /// Runs it without a word and gives back what it wrote to standard output.
    pub(crate) fn quiet_output(&self) -> Result<String, Failure> {
        let output = self
            .command()
            .output()
            .map_err(|cause| self.not_started(cause))?;
        self.expect(
            0,
            output.status.code(),
            &String::from_utf8_lossy(&output.stderr),
        )?;
        String::from_utf8(output.stdout).doing(|| format!("`{self}` did not write UTF-8"))
    }

    /// Whether the program exists and ends well.
    pub(crate) fn works(&self) -> bool {
        self.quiet_output().is_ok()
    }

    /// Whether the program exists, however it ends.
    pub(crate) fn starts(&self) -> bool {
        let mut command = self.command();
        command.stdin(Stdio::null());
        command.output().is_ok()
    }

    fn show(&self) {
        println!("$ {self}");
        // The child's lines must come after it, also when the output is a file.
        let _ = std::io::stdout().flush();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        // What Cargo tells this package about itself would make the packages below build again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        for name in &self.without {
            command.env_remove(name);
        }
        if !self.search.is_empty() {
            let known = env::var_os("PATH").unwrap_or_default();
            let all = self.search.iter().cloned().chain(env::split_paths(&known));
            // A folder with a colon in its name cannot be searched.
            if let Ok(path) = env::join_paths(all) {
                command.env("PATH", path);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn expect(&self, expected: i32, found: Option<i32>, stderr: &str) -> Result<(), Failure> {
        if found == Some(expected) {
            return Ok(());
        }
        let found = found.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        let failure = Failure::new(match expected {
            0 => format!("`{self}` ended with {found}"),
            _ => format!("`{self}` ended with {found}, expected exit code {expected}"),
        });
        Err(match stderr.trim() {
            "" => failure,
            text => failure.caused_by(text),
        })
    }

    fn not_started(&self, cause: std::io::Error) -> Failure {
        Failure::new(format!("cannot start `{}`", self.program.display())).caused_by(cause)
    }
}

/// The line that a person would type.
impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for variable in &self.shown {
            write!(out, "{} ", variable.display())?;
        }
        out.write_str(&quoted(&self.program))?;
        for argument in &self.arguments {
            write!(out, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_person_would_type() {
        let run = Run::new("cim").env("A", "b c").args([
            "read",
            "it's",
            "",
            "--since=2025-01-01T00:00:00Z",
        ]);
        assert_eq!(
            run.to_string(),
            r"A='b c' cim read 'it'\''s' '' --since=2025-01-01T00:00:00Z"
        );
    }

    #[test]
    fn tells_exit_codes_that_were_not_expected() {
        let run = Run::new("sh").args(["-c", "exit 6"]);
        assert!(run.run_expecting(6).is_ok());
        let failure = run.run().expect_err("the exit code is 6");
        assert_eq!(failure.message(), "`sh -c 'exit 6'` ended with exit code 6");
    }
}
