//! Why a task stopped, as it is told to the person who started it: `error:`, `caused by:`, `help:`.

use std::error::Error;
use std::fmt;

/// A task's end with a message, its causes, what to do next and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    help: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cause: None,
            help: None,
            code: FAILED,
        }
    }

    /// Keeps what led to it.
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says what to do next.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Ends the process with `code` instead of 1.
    pub(crate) fn exit(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// The first line alone, to stand as a cause.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "error: {}", self.message)?;
        let mut next = self.cause.as_deref().map(|cause| cause as &dyn Error);
        if next.is_some() {
            writeln!(out, "caused by:")?;
        }
        let mut number = 1;
        while let Some(cause) = next {
            writeln!(out, "  {number}: {cause}")?;
            number += 1;
            next = cause.source();
        }
        match &self.help {
            Some(help) => writeln!(out, "help: {help}"),
            None => Ok(()),
        }
    }
}

/// Says what was being done when a fallible call failed.
pub(crate) trait Doing<T> {
    /// # Errors
    ///
    /// The error itself, as the cause of a failure with the message that `doing` makes.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|cause| Failure::new(doing()).caused_by(cause))
    }
}

/// The exit code of a check that did not pass.
const FAILED: u8 = 1;
/// The exit code of a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// The exit code of a thing that does not exist.
pub(crate) const NOT_FOUND: u8 = 3;
/// The exit code of a place that did not answer.
pub(crate) const UNREACHABLE: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_error_causes_and_help_in_this_order() {
        let cause = std::io::Error::other("the disk is full");
        let failure = Failure::new("cannot write `a`")
            .caused_by(cause)
            .help("make room");
        assert_eq!(
            failure.to_string(),
            "error: cannot write `a`\ncaused by:\n  1: the disk is full\nhelp: make room\n"
        );
        assert_eq!(failure.code(), 1);
    }
}
