//! What is kept beside the events and may have been altered.

use bytes::Bytes;
use cim_core::snapshot::{CONTEXT, Snapshot, SnapshotError};

use super::said;

/// Snapshots: bytes that were not sealed are refused; what is sealed and read is written back.
pub fn snapshots(data: &[u8]) {
    check(&Bytes::copy_from_slice(data), false);
    // Nobody finds a seal by chance, so the fields are reached with one that is put there.
    let seal = blake3::keyed_hash(&blake3::derive_key(CONTEXT, &KEY), data);
    check(&[data, seal.as_bytes()].concat().into(), true);
}

fn check(sealed: &Bytes, is_sealed: bool) {
    match Snapshot::open(sealed, &KEY) {
        Ok(snapshot) => {
            assert!(is_sealed, "a seal was guessed");
            let written = snapshot.seal(&KEY);
            assert_eq!(written, sealed, "a snapshot is written as it was read");
            let fits = snapshot.check(
                snapshot.store_id,
                &snapshot.aggregate,
                snapshot.state_version,
            );
            assert_eq!(fits, Ok(()));
            assert_eq!(snapshot.check_history(Some(&snapshot.head.cid)), Ok(()));
        }
        Err(error) => {
            let is_forged = error == SnapshotError::Forged;
            assert!(!(is_forged && is_sealed), "the seal is that of the bytes");
            said(&error, error.code());
        }
    }
}

const KEY: [u8; 32] = *b"the key that everybody may know.";
