//! A private folder that one process at a time works in, and files in it that are whole or absent.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::KeystoreError;
use crate::files::{self, Opened, Unsafe};

/// A private folder. Others wait for it until this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Folder {
    /// Makes a folder, if there is none, and opens it.
    pub(super) fn create(path: &Path) -> Result<Self, KeystoreError> {
        let absent: Vec<&Path> = path
            .ancestors()
            .take_while(|path| is_absent(path))
            .collect();
        files::make_private(path).map_err(KeystoreError::io("making", path))?;
        for made in absent {
            let above = made.parent().filter(|above| !above.as_os_str().is_empty());
            sync(above.unwrap_or(Path::new(".")))?;
        }
        Self::open(path)
    }

    /// Opens a folder, once no other process has it open.
    pub(super) fn open(path: &Path) -> Result<Self, KeystoreError> {
        if !exists(path)? {
            return Err(KeystoreError::NotFound {
                folder: path.to_owned(),
            });
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: locked(path)?,
        };
        // A process that crashed has left them; the lock says that none is writing now.
        for name in folder.names()? {
            if name.starts_with(files::UNFINISHED) {
                folder.remove(&name)?;
            }
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of what is in the folder; those that are no text are none of ours.
    pub(super) fn names(&self) -> Result<Vec<String>, KeystoreError> {
        let error = || KeystoreError::io("listing", &self.path);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(error())? {
            let name = entry.map_err(error())?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    /// Reads a private file of at most `longest` bytes, `None` when there is none.
    pub(super) fn read(
        &self,
        name: &str,
        longest: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeystoreError> {
        let path = self.path_of(name);
        let error = || KeystoreError::io("reading", &path);
        let Some(file) = private(&path, files::open(&path).map_err(error())?)? else {
            return Ok(None);
        };
        let bytes = files::read(&file, longest).map_err(error())?;
        let too_long = || format!("expected at most {longest} bytes, found more");
        match bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(KeystoreError::malformed(&path, too_long())),
        }
    }

    /// Writes a private file in the place of one that may be there. It is durable then.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), KeystoreError> {
        let path = self.path_of(name);
        files::write_private(&path, bytes).map_err(KeystoreError::io("writing", &path))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), KeystoreError> {
        let path = self.path_of(name);
        files::remove_file(&path).map_err(KeystoreError::io("removing", &path))?;
        sync(&self.path)
    }
}

/// Whether there is a folder, which must be private then.
pub(super) fn exists(path: &Path) -> Result<bool, KeystoreError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(KeystoreError::io("examining", path)(error)),
    };
    if metadata.is_symlink() {
        return Err(KeystoreError::not_safe(path, Unsafe::Link));
    }
    if !metadata.is_dir() {
        let expected = "a folder";
        return Err(KeystoreError::not_safe(path, Unsafe::Type { expected }));
    }
    files::check_private(&metadata, 0o700).map_err(|fault| KeystoreError::not_safe(path, fault))?;
    Ok(true)
}

/// Whether anything stands there.
pub(super) fn has(path: &Path) -> Result<bool, KeystoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(KeystoreError::io("examining", path)(error)),
    }
}

/// Takes the folder for this process.
fn locked(folder: &Path) -> Result<File, KeystoreError> {
    let path = folder.join("lock");
    let error = || KeystoreError::io("locking", &path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let opened = files::open_with(&path, files::only_ours(&mut options)).map_err(error())?;
    let Some(lock) = private(&path, opened)? else {
        return Err(error()(io::ErrorKind::NotFound.into()));
    };
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_WAIT),
            Err(TryLockError::Error(source)) => return Err(error()(source)),
        }
    }
    Err(KeystoreError::Busy {
        folder: folder.to_owned(),
    })
}

/// A file that was opened, if it is a private one; `None` when there is none.
fn private(path: &Path, opened: Opened) -> Result<Option<File>, KeystoreError> {
    files::private(opened).map_err(|fault| KeystoreError::not_safe(path, fault))
}

fn is_absent(path: &Path) -> bool {
    // The empty path is what stands above a relative one.
    !path.as_os_str().is_empty() && !path.exists()
}

/// Makes what was named or removed in a folder durable.
fn sync(folder: &Path) -> Result<(), KeystoreError> {
    files::sync_folder(folder).map_err(KeystoreError::io("making durable", folder))
}

/// Five seconds altogether: longer than any command holds a keystore but to make a key from a
/// passphrase, and as long as a person waits. Tests do not wait.
const LOCK_TRIES: u32 = if cfg!(test) { 2 } else { 100 };

const LOCK_WAIT: Duration = Duration::from_millis(50);
