//! Why a keystore does not do what it was asked.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use cim_core::nkey::PublicKey;

use super::KeystoreKind;
use crate::files::Unsafe;

/// Why a keystore does not do what it was asked. No variant holds anything of a seed or a passphrase.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeystoreError {
    /// There is no keystore in the folder. Create one.
    NotFound {
        /// The folder.
        folder: PathBuf,
    },
    /// There is a keystore in the folder already. Open it, or choose another folder.
    Exists {
        /// The folder.
        folder: PathBuf,
        /// What stands there.
        kind: KeystoreKind,
    },
    /// Another kind of keystore stands in the folder.
    Kind {
        /// The folder.
        folder: PathBuf,
        /// What was to be opened.
        expected: KeystoreKind,
        /// What stands there.
        found: KeystoreKind,
    },
    /// Both kinds of keystores stand in the folder. Move the one away.
    TwoKinds {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder or file that others may read, change or replace. Set it right.
    Unsafe {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Unsafe,
    },
    /// Another process has the keystore open for longer than is waited for. Try again.
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The passphrase is another one, or the head of the file was altered.
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// A passphrase without a character.
    NoPassphrase,
    /// A cost of making the key is outside of what is taken.
    Kdf {
        /// Which cost.
        what: &'static str,
        /// What it is.
        found: u32,
        /// The least that is taken: less protects too little.
        least: u32,
        /// The most that is taken: more would keep the machine busy for minutes.
        most: u32,
    },
    /// There is not as much memory as making the key costs.
    Memory {
        /// What it costs.
        kib: u32,
    },
    /// A file is none of ours, or of a version that this program does not know, or was cut.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// What stands under a key is not its seed: altered, cut, or exchanged. Restore the file.
    Seed {
        /// The file.
        path: PathBuf,
        /// The key.
        key: PublicKey,
    },
    /// A key that is not in the keystore.
    NoKey {
        /// The key.
        key: PublicKey,
    },
    /// The system failed.
    Io {
        /// What was being done, `reading`.
        doing: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl KeystoreError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "keystore-not-found",
            Self::Exists { .. } => "keystore-exists",
            Self::Kind { .. } => "keystore-kind-wrong",
            Self::TwoKinds { .. } => "keystore-two-kinds",
            Self::Unsafe { .. } => "keystore-unsafe",
            Self::Busy { .. } => "keystore-busy",
            Self::Passphrase { .. } => "passphrase-wrong",
            Self::NoPassphrase => "passphrase-empty",
            Self::Kdf { .. } => "kdf-cost-invalid",
            Self::Memory { .. } => "kdf-memory",
            Self::Malformed { .. } => "keystore-malformed",
            Self::Seed { .. } => "keystore-seed-damaged",
            Self::NoKey { .. } => "key-not-found",
            Self::Io { .. } => "keystore-io",
        }
    }

    /// The command that sets it right, where there is one.
    pub fn help(&self) -> Option<String> {
        let Self::Unsafe { path, fault } = self else {
            return None;
        };
        Some(fault.help(path))
    }

    /// For `map_err`: what was being done to which file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn not_safe(path: &Path, fault: Unsafe) -> Self {
        Self::Unsafe {
            path: path.to_owned(),
            fault,
        }
    }

    pub(super) fn malformed(path: &Path, why: impl fmt::Display) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for KeystoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { folder } => {
                let folder = folder.display();
                write!(f, "expected a keystore in `{folder}`, found none")
            }
            Self::Exists { folder, kind } => {
                let folder = folder.display();
                write!(f, "expected no keystore in `{folder}`, found a {kind} one")
            }
            Self::Kind {
                folder,
                expected,
                found,
            } => write!(
                f,
                "wrong kind of keystore in `{}`: expected {expected}, found {found}",
                folder.display()
            ),
            Self::TwoKinds { folder } => write!(
                f,
                "expected one keystore in `{}`, found both `{}` and `{}`",
                folder.display(),
                KeystoreKind::Plain.mark(),
                KeystoreKind::Encrypted.mark()
            ),
            Self::Unsafe { path, fault } => write!(f, "`{}` is not safe: {fault}", path.display()),
            Self::Busy { folder } => write!(
                f,
                "the keystore in `{}` is in use by another process",
                folder.display()
            ),
            Self::Passphrase { path } => write!(
                f,
                "wrong passphrase for `{}`, or the head of the file was altered",
                path.display()
            ),
            Self::NoPassphrase => f.write_str("expected a passphrase, found an empty one"),
            Self::Kdf {
                what,
                found,
                least,
                most,
            } => write!(
                f,
                "invalid cost of Argon2id: expected {what} of {least} to {most}, found {found}"
            ),
            Self::Memory { kib } => write!(
                f,
                "making the key from the passphrase needs {kib} KiB of memory, and they are not there"
            ),
            Self::Malformed { path, why } => {
                write!(f, "`{}` is no file of a keystore: {why}", path.display())
            }
            Self::Seed { path, key } => write!(
                f,
                "expected the seed of `{key}` in `{}`, found another one or a damaged one",
                path.display()
            ),
            Self::NoKey { key } => write!(f, "expected `{key}` in the keystore, found no such key"),
            Self::Io { doing, path, .. } => write!(f, "{doing} `{}` failed", path.display()),
        }
    }
}

impl Error for KeystoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Kind { .. }
            | Self::TwoKinds { .. }
            | Self::Unsafe { .. }
            | Self::Busy { .. }
            | Self::Passphrase { .. }
            | Self::NoPassphrase
            | Self::Kdf { .. }
            | Self::Memory { .. }
            | Self::Malformed { .. }
            | Self::Seed { .. }
            | Self::NoKey { .. } => None,
        }
    }
}
