//! Why snapshots could not be kept or read.

use std::error::Error;
use std::fmt;

use super::MAX_SEALED_LEN;

/// Why a snapshot could not be kept or read. It costs time and nothing else.
#[derive(Debug)]
#[non_exhaustive]
pub enum SnapshotStoreError {
    /// The sealed snapshot is larger than [`MAX_SEALED_LEN`]. Nothing is kept of it.
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// What is kept is not what was written: a part is missing, or something else stands there.
    /// Delete it.
    Damaged {
        /// What was found.
        why: String,
    },
    /// What has the place of the snapshots is none of ours.
    Foreign {
        /// The place: a file or a bucket.
        place: String,
        /// What was found.
        why: String,
    },
    /// Others save or delete the same one again and again. Try again.
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// The disk, the network or the database failed. Try again.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server does not answer. Try again.
    Unreachable {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The user may not do this: its file, its folder or its subjects.
    NotAllowed {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl SnapshotStoreError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "snapshot-too-large",
            Self::Damaged { .. } => "snapshot-damaged",
            Self::Foreign { .. } => "snapshots-foreign",
            Self::Busy { .. } => "snapshots-busy",
            Self::Io { .. } => "snapshots-io",
            Self::Unreachable { .. } => "snapshots-unreachable",
            Self::NotAllowed { .. } => "snapshots-not-allowed",
        }
    }
}

impl fmt::Display for SnapshotStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(
                f,
                "the snapshot is too large: expected at most {MAX_SEALED_LEN} bytes, found {bytes}"
            ),
            Self::Damaged { why } => write!(f, "what is kept as a snapshot is damaged: {why}"),
            Self::Foreign { place, why } => {
                write!(f, "`{place}` keeps no snapshots of ours: {why}")
            }
            Self::Busy { doing } => write!(f, "others are quicker again and again while {doing}"),
            Self::Io { doing, .. } => write!(f, "the snapshots failed while {doing}"),
            Self::Unreachable { doing, .. } => {
                write!(f, "the snapshots do not answer while {doing}")
            }
            Self::NotAllowed { doing, .. } => write!(f, "not allowed while {doing}"),
        }
    }
}

impl Error for SnapshotStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. }
            | Self::Unreachable { source, .. }
            | Self::NotAllowed { source, .. } => Some(source.as_ref()),
            Self::TooLarge { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Busy { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_messages_are_unique() {
        let source = || Box::new(std::io::Error::other("why"));
        let (doing, why) = ("testing", || "why".to_owned());
        let errors = [
            SnapshotStoreError::TooLarge { bytes: 1 },
            SnapshotStoreError::Damaged { why: why() },
            SnapshotStoreError::Foreign {
                place: "place".to_owned(),
                why: why(),
            },
            SnapshotStoreError::Busy { doing },
            SnapshotStoreError::Io {
                doing,
                source: source(),
            },
            SnapshotStoreError::Unreachable {
                doing,
                source: source(),
            },
            SnapshotStoreError::NotAllowed {
                doing,
                source: source(),
            },
        ];
        let codes: BTreeSet<_> = errors.iter().map(SnapshotStoreError::code).collect();
        assert_eq!(codes.len(), errors.len());
        let messages: BTreeSet<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(messages.len(), errors.len());
    }
}
