//! A folder of which nothing is read but what stands in it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use super::error::NscError;
use crate::files::{self, Opened};

/// A folder. It may be a link itself: somebody has named it.
pub(super) struct Tree<'a> {
    root: &'a Path,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root }
    }

    /// Where a path of names leads.
    pub(super) fn path(&self, names: &[&str]) -> PathBuf {
        names
            .iter()
            .fold(self.root.to_owned(), |path, name| path.join(name))
    }

    /// The text of a file, `None` when there is none.
    pub(super) fn read(&self, names: &[&str]) -> Result<Option<Zeroizing<String>>, NscError> {
        let Some((_, folders)) = names.split_last() else {
            return Ok(None);
        };
        if !self.has_folder(folders)? {
            return Ok(None);
        }
        let path = self.path(names);
        let io = |source| NscError::Io {
            path: path.clone(),
            source,
        };
        let file = match files::open(&path).map_err(io)? {
            Opened::Absent => return Ok(None),
            Opened::Link => return Err(NscError::Link { path }),
            Opened::NotAFile => return Err(NscError::NotAFile { path }),
            Opened::File(file, _) => file,
        };
        let Some(mut bytes) = files::read(&file, MAX_FILE_LEN).map_err(io)? else {
            return Err(NscError::TooLong { path });
        };
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                let why = "expected UTF-8".to_owned();
                Err(NscError::Malformed { path, why })
            }
        }
    }

    /// The names of the folders in a folder, in their order; none when it is not there.
    pub(super) fn folders(&self, names: &[&str]) -> Result<Vec<String>, NscError> {
        self.list(names, fs::FileType::is_dir)
    }

    /// The names of the files in a folder, in their order; none when it is not there.
    pub(super) fn files(&self, names: &[&str]) -> Result<Vec<String>, NscError> {
        self.list(names, fs::FileType::is_file)
    }

    fn list(
        &self,
        names: &[&str],
        is_wanted: fn(&fs::FileType) -> bool,
    ) -> Result<Vec<String>, NscError> {
        if !self.has_folder(names)? {
            return Ok(Vec::new());
        }
        let folder = self.path(names);
        let io = |source| NscError::Io {
            path: folder.clone(),
            source,
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let kind = entry.file_type().map_err(io)?;
            if kind.is_symlink() {
                return Err(NscError::Link { path: entry.path() });
            }
            if is_wanted(&kind) {
                let malformed = |_| NscError::Malformed {
                    path: entry.path(),
                    why: "expected a name in UTF-8".to_owned(),
                };
                found.push(entry.file_name().into_string().map_err(malformed)?);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether there is a folder, and none on the way is a link.
    fn has_folder(&self, names: &[&str]) -> Result<bool, NscError> {
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(NscError::Malformed {
                path: self.root.to_owned(),
                why: format!("expected the name of a file in it, found `{name}`"),
            });
        }
        for len in 1..=names.len() {
            let path = self.path(&names[..len]);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => return Err(NscError::Link { path }),
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(NscError::NotAFile { path }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(source) => return Err(NscError::Io { path, source }),
            }
        }
        Ok(self.root.is_dir())
    }
}

/// Whether a text is one name in a folder, and no way to another one.
pub(super) fn is_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let first = parts.next();
    matches!(first, Some(Component::Normal(part)) if part == name) && parts.next().is_none()
}

/// The longest token that servers take, and what stands around it would fit as well.
const MAX_FILE_LEN: usize = 1 << 20;
