//! Where this user's programs keep what they can make again.

use std::path::PathBuf;

/// The folder `cim/<name>` in `$XDG_CACHE_HOME`, else in `~/.cache` (XDG Base Directory
/// Specification).
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let cache = variable("XDG_CACHE_HOME")
        .filter(absolute)
        .or_else(|| Some(variable("HOME").filter(absolute)?.join(".cache")))?;
    Some(cache.join("cim").join(name))
}
