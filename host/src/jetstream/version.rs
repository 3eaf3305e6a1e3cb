//! Which servers an event store may rest on.

use super::server::ServerInfo;
use crate::store::StoreError;

/// What is needed, as people read it.
pub(super) const NEEDED: &str = "2.12.14 or later in 2.12, or 2.14.4 or later";

/// Whether a server of this version is good enough; `None` where the text is no version.
pub(super) fn is_enough(version: &str) -> Option<bool> {
    let (numbers, is_final) = match version.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (version, true),
    };
    let mut parts = numbers.trim_start_matches('v').split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let version: (u32, u32, u32) = (major, minor, patch);
    // A candidate of a release stands before it.
    let reaches = |needed| version > needed || (version == needed && is_final);
    Some(match version {
        (2, 12, _) => reaches((2, 12, 14)),
        (2, 13, _) => false,
        _ => reaches((2, 14, 4)),
    })
}

/// Whether a store may be written through a server. One whose version says nothing may be one that
/// somebody has built: `cim doctor` warns of it.
///
/// # Errors
///
/// [`StoreError::ServerTooOld`].
pub(super) fn check(server: &ServerInfo) -> Result<(), StoreError> {
    if is_enough(&server.version) != Some(false) {
        return Ok(());
    }
    Err(StoreError::ServerTooOld {
        name: server.name.clone(),
        version: server.version.clone(),
        needed: NEEDED,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_good_from_a_patch_on() {
        for good in [
            "2.12.14",
            "2.12.20",
            "2.14.4",
            "2.14.5-RC.1",
            "2.15.0",
            "2.15.1",
            "3.0.0",
        ] {
            assert_eq!(is_enough(good), Some(true), "{good}");
        }
        for bad in [
            "2.10.29",
            "2.11.4",
            "2.12.13",
            "2.12.14-RC.2",
            "2.13.0",
            "2.13.99",
            "2.14.3",
            "2.14.4-preview.1",
            "1.99.99",
        ] {
            assert_eq!(is_enough(bad), Some(false), "{bad}");
        }
        for strange in ["", "2.15", "two", "2.15.1.1"] {
            assert_eq!(is_enough(strange), None, "{strange}");
        }
    }
}
