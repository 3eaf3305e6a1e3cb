//! Files that only their owner may use, and how files that others may have laid out are opened: never
//! through a link, never a pipe or a device.
//!
//! That holds for the last name of a path. Folders above it may be links: who may write to those
//! decides about everything below them anyway.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::clock;

/// What is not safe about a folder or file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Unsafe {
    /// Its group or others may use it.
    Mode {
        /// The rights that it should have.
        expected: u32,
        /// The rights that it has.
        found: u32,
    },
    /// It belongs to another user.
    Owner {
        /// Who we are.
        expected: u32,
        /// Whose it is.
        found: u32,
    },
    /// It is a link.
    Link,
    /// It has other names, under which others may reach it.
    HardLinks {
        /// How many names it has.
        found: u64,
    },
    /// It is no regular file, or no folder.
    Type {
        /// `a file` or `a folder`.
        expected: &'static str,
    },
}

impl Unsafe {
    /// The command that sets it right, or shows more of it.
    pub fn help(&self, path: &Path) -> String {
        let path = quoted(path);
        match self {
            Self::Mode { expected, .. } => format!("chmod {expected:o} {path}"),
            Self::Owner { expected, .. } => format!("sudo chown {expected} {path}"),
            Self::HardLinks { .. } => format!("find / -samefile {path}"),
            Self::Link | Self::Type { .. } => format!("ls -ld {path}"),
        }
    }
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { expected, found } => {
                write!(f, "expected mode {expected:04o}, found {found:04o}")
            }
            Self::Owner { expected, found } => {
                write!(
                    f,
                    "expected it to be of user {expected}, found user {found}"
                )
            }
            Self::Link => f.write_str("expected no link, found one"),
            Self::HardLinks { found } => {
                write!(f, "expected a file of one name, found {found} names")
            }
            Self::Type { expected } => write!(f, "expected {expected}, found something else"),
        }
    }
}

/// A path as shells take it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// A file as it was opened.
#[derive(Debug)]
pub(crate) enum Opened {
    /// There is none.
    Absent,
    /// A link stands there.
    Link,
    /// A folder, a pipe or a device stands there.
    NotAFile,
    /// A regular file, and what is known of it. It is the file that was opened, whatever happens to
    /// its name.
    File(File, Metadata),
}

/// Opens a file to read it.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file with the options.
pub(crate) fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<Opened> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => return Ok(Opened::Link),
        Ok(metadata) if !metadata.is_file() => return Ok(Opened::NotAFile),
        Ok(_) => {}
        // The options decide whether it is made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // What stands there may have become something else by now.
    let file = match without_links(options).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Absent),
        Err(error) if is_link(&error) => return Ok(Opened::Link),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(Opened::File(file, metadata)),
        false => Ok(Opened::NotAFile),
    }
}

/// What is not safe about what was opened as a private file, or that file; `None` when there is none.
pub(crate) fn private(opened: Opened) -> Result<Option<File>, Unsafe> {
    match opened {
        Opened::Absent => Ok(None),
        Opened::Link => Err(Unsafe::Link),
        Opened::NotAFile => {
            let expected = "a file";
            Err(Unsafe::Type { expected })
        }
        Opened::File(file, metadata) => {
            check_private(&metadata, 0o600)?;
            Ok(Some(file))
        }
    }
}

/// Refuses what others may use or reach. `expected` is the mode to tell.
#[cfg(unix)]
pub(crate) fn check_private(metadata: &Metadata, expected: u32) -> Result<(), Unsafe> {
    use std::os::unix::fs::MetadataExt as _;

    let ours = rustix::process::geteuid().as_raw();
    if metadata.uid() != ours {
        return Err(Unsafe::Owner {
            expected: ours,
            found: metadata.uid(),
        });
    }
    let found = metadata.mode() & 0o7777;
    if found & 0o077 != 0 {
        return Err(Unsafe::Mode { expected, found });
    }
    // Folders have one name for each folder in them.
    if metadata.is_file() && metadata.nlink() > 1 {
        let found = metadata.nlink();
        return Err(Unsafe::HardLinks { found });
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn check_private(_: &Metadata, _: u32) -> Result<(), Unsafe> {
    Ok(())
}

/// Reads a file of at most `longest` bytes, `None` when it is longer. The buffer is wiped, and does
/// not move while it is filled.
pub(crate) fn read(mut file: &File, longest: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len > longest {
        return Ok(None);
    }
    // One byte more, so that a file that has grown is seen.
    let mut bytes = Zeroizing::new(vec![0; len + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled > len {
        return Err(io::Error::other("it has grown while it was read"));
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Writes a file that only its owner may read, in the place of one that may be there, and makes the
/// folders above it that are missing, private too. It is whole and durable then.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole(path, bytes, write_new)
}

/// The same with a file that others may read.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole(path, bytes, |path, bytes| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

/// Writes a file that only its owner may read, unless something has its name already:
/// [`io::ErrorKind::AlreadyExists`]. It is whole and durable then; nobody sees a part of it, except on
/// systems and disks that cannot rename without replacing.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let number = u64::from_le_bytes(clock::entropy());
    let unfinished = folder.join(format!("{UNFINISHED}{number:016x}"));
    let named = match write_new(&unfinished, bytes).and_then(|()| name_new(&unfinished, path)) {
        Err(error) if is_unsupported(&error) => write_new(path, bytes),
        named => named,
    };
    // After a success it is gone, but for what the system cannot do.
    let _ = remove_file(&unfinished);
    named?;
    sync_folder(folder)
}

/// Names a file anew, unless there is one of that name.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn name_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn name_new(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system or the disk cannot do it. Linux calls flags that a disk does not know invalid.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
    )
}

/// Whether a file can be written as [`write_private`] does, other than that the disk may be full then.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = folder_of(path);
    make_private(folder)?;
    let tried = folder.join(format!("{UNFINISHED}try"));
    remove_file(&tried)?;
    write_new(&tried, b"")?;
    remove_file(&tried)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn write_whole(
    path: &Path,
    bytes: &[u8],
    write: impl Fn(&Path, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(path);
    make_private(folder)?;
    let name = path.file_name().unwrap_or_default();
    let mut unfinished = std::ffi::OsString::from(UNFINISHED);
    unfinished.push(name);
    let unfinished: PathBuf = folder.join(unfinished);
    let written = remove_file(&unfinished)
        .and_then(|()| write(&unfinished, bytes))
        .and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // Whoever writes it next does this if it fails.
        let _ = remove_file(&unfinished);
        return Err(error);
    }
    sync_folder(folder)
}

/// How the names of files begin that are being written.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Makes a folder and those above it that are missing, all of them private.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Writes a file that is not there yet, for its owner alone.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = only_ours(options.write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Lets files that are made with the options be for their owner alone.
pub(crate) fn only_ours(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes what was named or removed in a folder durable. Elsewhere than on Unix folders are no files.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

#[cfg(unix)]
fn without_links(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;

    // Nor is a pipe waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn without_links(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_link(_: &io::Error) -> bool {
    false
}
