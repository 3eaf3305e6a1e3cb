//! How files that others may have laid out are opened: never through a link, never a pipe or a device.
//!
//! That holds for the last name of a path. Folders above it may be links: who may write to those
//! decides about everything below them anyway.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A file as it was opened.
#[derive(Debug)]
pub(super) enum Opened {
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
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file with the options.
pub(super) fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<Opened> {
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

/// Reads a file of at most `longest` bytes, `None` when it is longer. The buffer is wiped, and does
/// not move while it is filled.
pub(super) fn read(mut file: &File, longest: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
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
pub(super) const UNFINISHED: &str = ".unfinished-";

/// Makes a folder and those above it that are missing, all of them private.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Writes a file that is not there yet, for its owner alone.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = only_ours(options.write(true).create_new(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Lets files that are made with the options be for their owner alone.
pub(super) fn only_ours(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Removes a file, if it is there.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes what was named or removed in a folder durable. Elsewhere than on Unix folders are no files.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
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
