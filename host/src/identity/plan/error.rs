//! A description that cannot be followed.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use cim_core::domain::keys::Refusal;

/// A description that cannot be followed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpecError {
    /// The file cannot be read.
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no TOML, has an unknown key, or a value that is not what is expected.
    Invalid {
        /// Its path.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// What it describes breaks a rule, or no server would take it.
    Refused {
        /// Its path.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What is described there, ``the account `orders` ``.
        what: String,
        /// Why.
        source: Box<Refusal>,
    },
}

impl SpecError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "spec-unreadable",
            Self::Invalid { .. } => "spec-invalid",
            Self::Refused { source, .. } => source.code(),
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "`{}` cannot be read", path.display()),
            Self::Invalid {
                path,
                line,
                column,
                why,
            } => write!(
                f,
                "`{}`, line {line}, column {column}: {why}",
                path.display()
            ),
            Self::Refused {
                path,
                line,
                column,
                what,
                ..
            } => write!(
                f,
                "`{}`, line {line}, column {column}: {what} cannot be as it is described",
                path.display()
            ),
        }
    }
}

impl Error for SpecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Refused { source, .. } => Some(&**source),
            Self::Invalid { .. } => None,
        }
    }
}
