//! Why a store of `nsc` cannot be read.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use cim_core::creds::CredsError;
use cim_core::jwt::JwtError;
use cim_core::nkey::{NkeyError, PublicKey};

/// Why a store of `nsc` cannot be read. No variant holds a token or anything of a seed.
#[derive(Debug)]
#[non_exhaustive]
pub enum NscError {
    /// A file is missing that every store has.
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// A link, which could lead out of the folder. Put in its place what it stands for.
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something else stands where a file or a folder is expected.
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// A file of more than 1 MiB.
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file or a name that `nsc` does not make.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A token that is none, or not signed by who it says, or of another kind.
    Token {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: JwtError,
    },
    /// A token that names something that is no key of its kind.
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: NkeyError,
    },
    /// A seed that is none.
    Seed {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: NkeyError,
    },
    /// A seed of another key than its file is named for.
    AnotherSeed {
        /// Its file.
        path: PathBuf,
        /// The key that the seed has.
        found: PublicKey,
    },
    /// Creds that are none.
    Creds {
        /// Their file.
        path: PathBuf,
        /// What is wrong.
        source: CredsError,
    },
    /// The system failed.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl NscError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "nsc-not-found",
            Self::Link { .. } => "nsc-link",
            Self::NotAFile { .. } => "nsc-not-a-file",
            Self::TooLong { .. } => "nsc-too-long",
            Self::Malformed { .. } => "nsc-malformed",
            Self::Token { source, .. } => source.code(),
            Self::Key { source, .. } | Self::Seed { source, .. } => source.code(),
            Self::AnotherSeed { .. } => "nsc-another-seed",
            Self::Creds { source, .. } => source.code(),
            Self::Io { .. } => "nsc-io",
        }
    }
}

impl fmt::Display for NscError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path } => {
                write!(
                    f,
                    "expected `{}` of nsc, found no such file",
                    path.display()
                )
            }
            Self::Link { path } => write!(
                f,
                "expected a file or a folder in `{}`, found a link, which is not followed",
                path.display()
            ),
            Self::NotAFile { path } => write!(
                f,
                "expected a file or a folder in `{}`, found another thing",
                path.display()
            ),
            Self::TooLong { path } => write!(
                f,
                "expected at most 1 MiB in `{}`, found more",
                path.display()
            ),
            Self::Malformed { path, why } => {
                write!(f, "`{}` is not as nsc makes it: {why}", path.display())
            }
            Self::Token { path, .. } => write!(f, "invalid token in `{}`", path.display()),
            Self::Key { path, .. } => {
                write!(f, "invalid key in the token in `{}`", path.display())
            }
            Self::Seed { path, .. } => write!(f, "invalid seed in `{}`", path.display()),
            Self::AnotherSeed { path, found } => write!(
                f,
                "wrong seed in `{}`: expected that of its name, found that of `{found}`",
                path.display()
            ),
            Self::Creds { path, .. } => write!(f, "invalid creds in `{}`", path.display()),
            Self::Io { path, .. } => write!(f, "reading `{}` failed", path.display()),
        }
    }
}

impl Error for NscError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token { source, .. } => Some(source),
            Self::Key { source, .. } | Self::Seed { source, .. } => Some(source),
            Self::Creds { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            Self::NotFound { .. }
            | Self::Link { .. }
            | Self::NotAFile { .. }
            | Self::TooLong { .. }
            | Self::Malformed { .. }
            | Self::AnotherSeed { .. } => None,
        }
    }
}
