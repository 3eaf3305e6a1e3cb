//! Snapshots: an aggregate's state at a version, sealed so that only who has the key can make one.
//!
//! A snapshot saves the folding of a history and is never the truth: one that does not open, does not
//! fit or does not agree with the history is left aside, and the history is folded from its start.
//! Three things are asked of one before it is used. [`Snapshot::open`] says that its bytes are those
//! that were sealed with the key; [`Snapshot::check`] that it is of this store, this aggregate and this
//! shape of its state; [`Snapshot::check_history`] that the history has its head. When snapshots are
//! taken, where they are kept and where the key comes from is the host's.
//!
//! ## Format, version 1
//!
//! Numbers are big-endian. One snapshot has one form with one key.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 7 | `CIMsnap` |
//! | 7 | 1 | version of the format: 1 |
//! | 8 | 16 | id of the store |
//! | 24 | 8 | version of the head, from 1 to 2^53 − 1 |
//! | 32 | 36 | CID of the head, in binary |
//! | 68 | 8 | version of the state's shape |
//! | 76 | 8 | when it was taken, microseconds since 1970 |
//! | 84 | 2 | length `k` of the next field |
//! | 86 | `k` | the aggregate, `organization.unit.domain.entity.id` |
//! | 86 + `k` | the rest | the state |
//! | 32 from the end | 32 | the seal |
//!
//! The seal is the keyed BLAKE3 of all bytes before it. Its key is derived by BLAKE3 from the
//! caller's and from [`CONTEXT`], so that a key that is used for something else too seals nothing
//! here by that.

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use crate::cid::{CID_LEN, Cid};
use crate::id::AggregateKey;
use crate::time::Timestamp;
use crate::version::{Head, Version};

/// What the key of the seal is derived with.
pub const CONTEXT: &str = "cim-core 2026-11 snapshot seal version 1";

/// The state of an aggregate at a version of its history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// The store that the history is in.
    pub store_id: Uuid,
    /// Whose state it is.
    pub aggregate: AggregateKey,
    /// The last event that the state has in it.
    pub head: Head,
    /// Which shape the state has, as the aggregate declares it.
    pub state_version: u64,
    /// When it was taken. Its age says nothing of whether it fits.
    pub taken_at: Timestamp,
    /// The state, in JSON. Nobody has read it when the snapshot is opened.
    pub state: Bytes,
}

impl Snapshot {
    /// Writes the snapshot and seals it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use cim_core::cid::Cid;
    /// use cim_core::snapshot::Snapshot;
    /// use cim_core::time::Timestamp;
    /// use cim_core::version::{Head, Version};
    /// use uuid::Uuid;
    ///
    /// let snapshot = Snapshot {
    ///     store_id: Uuid::from_u128(1),
    ///     aggregate: "acme.lab.lamps.lamp.hall".parse()?,
    ///     head: Head { version: Version::new(7)?, cid: Cid::of_block(b"the seventh event") },
    ///     state_version: 1,
    ///     taken_at: Timestamp::from_micros(1_795_248_000_000_000)?,
    ///     state: Bytes::from_static(br#"{"watts":40}"#),
    /// };
    /// let sealed = snapshot.seal(&[7; 32]);
    /// assert_eq!(Snapshot::open(&sealed, &[7; 32])?, snapshot);
    ///
    /// let forged = Snapshot::open(&sealed, &[8; 32]).expect_err("another key");
    /// assert_eq!(forged.code(), "snapshot-forged");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seal(&self, key: &[u8; 32]) -> Bytes {
        let aggregate = self.aggregate.to_string();
        let length = u16::try_from(aggregate.len()).expect("five tokens have at most 644 bytes");
        let mut bytes =
            Vec::with_capacity(FIXED_LEN + aggregate.len() + self.state.len() + SEAL_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.push(FORMAT);
        bytes.extend_from_slice(self.store_id.as_bytes());
        bytes.extend_from_slice(&self.head.version.get().to_be_bytes());
        bytes.extend_from_slice(&self.head.cid.to_bytes());
        bytes.extend_from_slice(&self.state_version.to_be_bytes());
        bytes.extend_from_slice(&self.taken_at.micros().to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(aggregate.as_bytes());
        bytes.extend_from_slice(&self.state);
        let seal = seal_of(&bytes, key);
        bytes.extend_from_slice(seal.as_bytes());
        bytes.into()
    }

    /// Reads a snapshot, if it was sealed with the key. The state is a part of `sealed`, not a copy.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Unreadable`], [`SnapshotError::Newer`], [`SnapshotError::Forged`].
    pub fn open(sealed: &Bytes, key: &[u8; 32]) -> Result<Self, SnapshotError> {
        let unreadable = |why| SnapshotError::Unreadable { why };
        let rest = sealed
            .strip_prefix(MAGIC)
            .ok_or_else(|| unreadable("it does not begin as one"))?;
        match rest.first() {
            Some(&FORMAT) => {}
            Some(&found) => return Err(SnapshotError::Newer { found }),
            None => return Err(unreadable("it is cut off")),
        }
        let (body, seal) = sealed
            .split_last_chunk::<SEAL_LEN>()
            .filter(|(body, _)| body.len() >= FIXED_LEN)
            .ok_or_else(|| unreadable("it is cut off"))?;
        // Compared in constant time. Nothing below is from anybody but the owner of the key.
        if seal_of(body, key) != *seal {
            return Err(SnapshotError::Forged);
        }
        let mut fields = Fields(&body[MAGIC.len() + 1..]);
        let store_id = Uuid::from_bytes(fields.take());
        let version = Version::new(fields.number())
            .map_err(|_| unreadable("the version of its head is none"))?;
        let cid = Cid::from_bytes(&fields.take::<CID_LEN>())
            .map_err(|_| unreadable("the CID of its head is none"))?;
        let state_version = fields.number();
        let taken_at = Timestamp::from_micros(fields.number())
            .map_err(|_| unreadable("the time when it was taken is none"))?;
        let length = usize::from(u16::from_be_bytes(fields.take()));
        let aggregate = fields
            .0
            .get(..length)
            .and_then(|name| std::str::from_utf8(name).ok())
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| unreadable("its aggregate is none"))?;
        Ok(Self {
            store_id,
            aggregate,
            head: Head { version, cid },
            state_version,
            taken_at,
            state: sealed.slice(FIXED_LEN + length..body.len()),
        })
    }

    /// Whether the snapshot is of this store, this aggregate and this shape of its state.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::AnotherStore`], [`SnapshotError::AnotherAggregate`],
    /// [`SnapshotError::StateVersion`].
    pub fn check(
        &self,
        store_id: Uuid,
        aggregate: &AggregateKey,
        state_version: u64,
    ) -> Result<(), SnapshotError> {
        if self.store_id != store_id {
            return Err(SnapshotError::AnotherStore {
                expected: store_id,
                found: self.store_id,
            });
        }
        if self.aggregate != *aggregate {
            return Err(SnapshotError::AnotherAggregate {
                expected: aggregate.clone(),
                found: self.aggregate.clone(),
            });
        }
        if self.state_version != state_version {
            return Err(SnapshotError::StateVersion {
                expected: state_version,
                found: self.state_version,
            });
        }
        Ok(())
    }

    /// Whether the history has the snapshot's head: `event` is the CID of the event that stands at its
    /// version, `None` where there is no such event.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::AnotherHistory`].
    pub fn check_history(&self, event: Option<&Cid>) -> Result<(), SnapshotError> {
        if event == Some(&self.head.cid) {
            return Ok(());
        }
        Err(SnapshotError::AnotherHistory {
            version: self.head.version,
            expected: event.copied(),
            found: self.head.cid,
        })
    }
}

/// Why a snapshot is not used. The history is folded without it; say it to whom it may concern.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are no snapshot.
    Unreadable {
        /// What is wrong with them.
        why: &'static str,
    },
    /// It is of a format that this version does not know.
    Newer {
        /// The version of the format.
        found: u8,
    },
    /// It was altered, or sealed with another key.
    Forged,
    /// It is of another store.
    AnotherStore {
        /// The store that is read.
        expected: Uuid,
        /// The snapshot's.
        found: Uuid,
    },
    /// It is of another aggregate.
    AnotherAggregate {
        /// The aggregate that is loaded.
        expected: AggregateKey,
        /// The snapshot's.
        found: AggregateKey,
    },
    /// Its state has another shape than the aggregate declares: an earlier one after a change of the
    /// program, a later one in a program that was not changed yet.
    StateVersion {
        /// What the aggregate declares.
        expected: u64,
        /// The snapshot's.
        found: u64,
    },
    /// The history has another event at its version, or none: it was restored from a copy, or the
    /// snapshot is of a history that was lost.
    AnotherHistory {
        /// The version.
        version: Version,
        /// The CID of the history's event, where it has one.
        expected: Option<Cid>,
        /// The snapshot's.
        found: Cid,
    },
}

impl SnapshotError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "snapshot-unreadable",
            Self::Newer { .. } => "snapshot-newer",
            Self::Forged => "snapshot-forged",
            Self::AnotherStore { .. } => "snapshot-of-another-store",
            Self::AnotherAggregate { .. } => "snapshot-of-another-aggregate",
            Self::StateVersion { .. } => "snapshot-state-version",
            Self::AnotherHistory { .. } => "snapshot-of-another-history",
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why } => write!(f, "what is stored is no snapshot: {why}"),
            Self::Newer { found } => write!(
                f,
                "a snapshot of another format: expected version {FORMAT}, found {found}"
            ),
            Self::Forged => f.write_str("the snapshot was altered, or was sealed with another key"),
            Self::AnotherStore { expected, found } => write!(
                f,
                "a snapshot of another store: expected `{expected}`, found `{found}`"
            ),
            Self::AnotherAggregate { expected, found } => write!(
                f,
                "a snapshot of another aggregate: expected `{expected}`, found `{found}`"
            ),
            Self::StateVersion { expected, found } => write!(
                f,
                "a snapshot of another version of the state: expected {expected}, found {found}"
            ),
            Self::AnotherHistory {
                version,
                expected: Some(expected),
                found,
            } => write!(
                f,
                "a snapshot of another history: expected `{expected}` at version {version}, found \
                 `{found}`"
            ),
            Self::AnotherHistory {
                version,
                expected: None,
                found,
            } => write!(
                f,
                "a snapshot of another history: expected no event at version {version}, found \
                 `{found}`"
            ),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// The seal of what stands before it.
fn seal_of(body: &[u8], key: &[u8; 32]) -> blake3::Hash {
    blake3::keyed_hash(&blake3::derive_key(CONTEXT, key), body)
}

/// What is left to read of the fields of fixed length, which are there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the fields of fixed length were counted");
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

const MAGIC: &[u8; 7] = b"CIMsnap";

/// The version of the format.
const FORMAT: u8 = 1;

/// The bytes before the aggregate's name.
const FIXED_LEN: usize = 86;

const SEAL_LEN: usize = 32;
