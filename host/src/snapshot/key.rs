//! The key that seals snapshots, in a file of its owner's alone.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::clock;
use crate::files::{self, Unsafe};

/// The name of the key's file, which lies beside `cim.toml`.
pub const KEY_FILE_NAME: &str = "snapshot.key";

/// The key that seals snapshots. It is never printed, and wiped from memory when it is dropped.
///
/// Without it no snapshot is trusted: who can write where snapshots are kept could otherwise give an
/// aggregate any state. Another key, such as a new one after a loss, makes all snapshots worthless and
/// nothing else.
#[derive(Clone)]
pub struct SnapshotKey(Zeroizing<[u8; KEY_LEN]>);

impl SnapshotKey {
    /// Reads the key from its file: 64 hexadecimal digits in lower case and a line feed. `None` when
    /// there is no file.
    ///
    /// # Errors
    ///
    /// [`SnapshotKeyError::Unsafe`] when others than its owner may use the file, or it is a link;
    /// [`SnapshotKeyError::Malformed`], [`SnapshotKeyError::Io`].
    pub fn open(path: &Path) -> Result<Option<Self>, SnapshotKeyError> {
        let io = |source| SnapshotKeyError::io("reading", path, source);
        let file = files::private(files::open(path).map_err(io)?).map_err(|fault| {
            SnapshotKeyError::Unsafe {
                path: path.to_owned(),
                fault,
            }
        })?;
        let Some(file) = file else {
            return Ok(None);
        };
        let malformed = || SnapshotKeyError::Malformed {
            path: path.to_owned(),
        };
        let text = files::read(&file, TEXT_LEN).map_err(io)?;
        let digits = text.as_ref().and_then(|text| text.strip_suffix(b"\n"));
        let digits = digits
            .filter(|digits| digits.len() == 2 * KEY_LEN)
            .ok_or_else(malformed)?;
        let mut key = Zeroizing::new([0; KEY_LEN]);
        HEXLOWER
            .decode_mut(digits, &mut *key)
            .map_err(|_| malformed())?;
        Ok(Some(Self(key)))
    }

    /// Makes a key of the system's randomness, and its file, which is durable then. The folder must be
    /// there.
    ///
    /// # Errors
    ///
    /// [`SnapshotKeyError::Exists`] when something has that name, which stays as it is;
    /// [`SnapshotKeyError::Io`].
    pub fn create(path: &Path) -> Result<Self, SnapshotKeyError> {
        let key = Zeroizing::new(clock::entropy::<KEY_LEN>());
        let mut text = Zeroizing::new([b'\n'; TEXT_LEN]);
        HEXLOWER.encode_mut(&*key, &mut text[..2 * KEY_LEN]);
        files::create_private(path, &*text).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => SnapshotKeyError::Exists {
                path: path.to_owned(),
            },
            _ => SnapshotKeyError::io("making", path, source),
        })?;
        Ok(Self(key))
    }

    /// The key itself, for the one who seals and opens.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl From<[u8; KEY_LEN]> for SnapshotKey {
    fn from(key: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl fmt::Debug for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotKey(…)")
    }
}

/// Why there is no key to be had. No variant holds anything of one.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotKeyError {
    /// Others than its owner may read, change or replace the file. Set it right, or make another key:
    /// who knows this one can forge snapshots.
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Unsafe,
    },
    /// The file holds no key. Restore it, or delete it and make another.
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Something has the name of the file already.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system failed.
    Io {
        /// What was being done, `reading`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl SnapshotKeyError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsafe { .. } => "snapshot-key-unsafe",
            Self::Malformed { .. } => "snapshot-key-malformed",
            Self::Exists { .. } => "snapshot-key-exists",
            Self::Io { .. } => "snapshot-key-io",
        }
    }

    /// The command that sets it right, where there is one.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unsafe { path, fault } => Some(fault.help(path)),
            Self::Malformed { .. } | Self::Exists { .. } | Self::Io { .. } => None,
        }
    }

    fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            doing,
            path,
            source,
        }
    }
}

impl fmt::Display for SnapshotKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsafe { path, fault } => write!(f, "`{}` is not safe: {fault}", path.display()),
            Self::Malformed { path } => write!(
                f,
                "`{}` is no key of snapshots: expected {} hexadecimal digits in lower case and a \
                 line feed",
                path.display(),
                2 * KEY_LEN
            ),
            Self::Exists { path } => {
                let path = path.display();
                write!(f, "expected no file `{path}`, found one")
            }
            Self::Io { doing, path, .. } => write!(f, "{doing} `{}` failed", path.display()),
        }
    }
}

impl Error for SnapshotKeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Unsafe { .. } | Self::Malformed { .. } | Self::Exists { .. } => None,
        }
    }
}

const KEY_LEN: usize = 32;

/// The digits and the line feed.
const TEXT_LEN: usize = 2 * KEY_LEN + 1;

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Barrier;

    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(KEY_FILE_NAME);
        (folder, path)
    }

    fn mode(path: &Path) -> u32 {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    #[track_caller]
    fn refused(path: &Path) -> SnapshotKeyError {
        let error = SnapshotKey::open(path).expect_err("no key to be trusted");
        let text = fs::read_to_string(path).unwrap_or_default();
        let shown = format!("{error} {error:?}");
        assert!(text.len() < 8 || !shown.contains(&text[..8]), "{shown}");
        error
    }

    #[test]
    fn a_key_is_read_as_it_was_made() {
        let (folder, path) = folder();
        assert!(SnapshotKey::open(&path).expect("an answer").is_none());
        let made = SnapshotKey::create(&path).expect("made");
        let read = SnapshotKey::open(&path).expect("safe").expect("there");
        assert_eq!(made.expose(), read.expose());
        assert_eq!(mode(&path), 0o600);
        let text = fs::read_to_string(&path).expect("a text");
        assert_eq!(text, HEXLOWER.encode(made.expose()) + "\n");
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
        assert_eq!(format!("{made:?}"), "SnapshotKey(…)");
    }

    #[test]
    fn a_key_that_is_there_stays() {
        let (folder, path) = folder();
        let made = SnapshotKey::create(&path).expect("made");
        let error = SnapshotKey::create(&path).expect_err("there");
        assert_eq!(error.code(), "snapshot-key-exists");
        let read = SnapshotKey::open(&path).expect("safe").expect("there");
        assert_eq!(made.expose(), read.expose());
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
    }

    #[test]
    fn of_several_that_make_it_one_does() {
        for _ in 0..20 {
            let (_folder, path) = folder();
            let begin = Barrier::new(4);
            let made: Vec<_> = std::thread::scope(|scope| {
                let made = [0; 4].map(|_| {
                    scope.spawn(|| {
                        begin.wait();
                        let made = SnapshotKey::create(&path);
                        let read = SnapshotKey::open(&path).expect("whole").expect("there");
                        made.ok().map(|made| (*made.expose(), *read.expose()))
                    })
                });
                let made = made.map(|thread| thread.join().expect("no panic"));
                made.into_iter().flatten().collect()
            });
            let [(made, read)] = made[..] else {
                panic!("{} have made it", made.len())
            };
            assert_eq!(made, read);
        }
    }

    #[test]
    fn a_key_that_others_may_use_is_refused() {
        let (folder, path) = folder();
        SnapshotKey::create(&path).expect("made");
        for wrong in [0o640, 0o604, 0o620, 0o666, 0o601] {
            set_mode(&path, wrong);
            let error = refused(&path);
            assert_eq!(error.code(), "snapshot-key-unsafe", "{wrong:o}");
            let help = error.help().expect("a command");
            assert!(help.starts_with("chmod 600 "), "{help}");
        }
        set_mode(&path, 0o400);
        assert!(SnapshotKey::open(&path).expect("safe").is_some());
        let other = folder.path().join("other");
        fs::hard_link(&path, &other).expect("linked");
        assert_eq!(refused(&path).code(), "snapshot-key-unsafe");
        fs::remove_file(&path).expect("removed");
        symlink(&other, &path).expect("linked");
        assert_eq!(refused(&path).code(), "snapshot-key-unsafe");
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        assert_eq!(refused(&path).code(), "snapshot-key-unsafe");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (_folder, path) = folder();
        SnapshotKey::create(&path).expect("made");
        let text = fs::read_to_string(&path).expect("a text");
        for wrong in [
            "",
            "\n",
            &text[..64],
            &text[1..],
            &format!("{text}\n"),
            &format!("0{text}"),
            &format!("{}\n", "A".repeat(64)),
            &format!("{}\n", "g".repeat(64)),
            &format!("{}\r\n", "a".repeat(63)),
        ] {
            fs::write(&path, wrong).expect("written");
            assert_eq!(refused(&path).code(), "snapshot-key-malformed", "{wrong:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let (_folder, path) = folder();
        let error = SnapshotKey::create(&path.join(KEY_FILE_NAME)).expect_err("no folder");
        assert_eq!(error.code(), "snapshot-key-io");
    }
}
