//! How files that others may have laid out are opened: never through a link, never a pipe or a device.
//!
//! That holds for the last name of a path. Folders above it may be links: who may write to those
//! decides about everything below them anyway.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

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
