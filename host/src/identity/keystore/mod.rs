//! Keystores: where the seeds are whose public keys the events of one store name.
//!
//! Seeds are never in events. The keystore leads: a seed is [put](Keystore::put), and is durable,
//! before the event that names its key is appended; until then it is [pending](State::Pending). When
//! the event is in the store, the key is [confirmed](Keystore::confirm). So no event names a key whose
//! seed was lost by a crash. What a crash leaves pending is settled later by the caller, who looks
//! whether the event store knows the key: if so it is confirmed, if not removed once no append can be
//! under way.
//!
//! | keystore | where | for whom |
//! |---|---|---|
//! | [`EncryptedKeystore`] | one file, sealed with a passphrase | people; the default |
//! | [`PlainKeystore`] | a file a seed, readable for their owner | machines whose disk is trusted |
//! | [`MemoryKeystore`] | nowhere | tests, and keys of one run |
//!
//! # Folders
//!
//! On Unix, what is not private is refused: a folder or file that its group or others may use, that
//! belongs to another user, that is a link, or a file with a second name. Folders above the
//! keystore's own are not looked at. On other systems links alone are refused, and who may read is
//! left to the folder's rights.
//!
//! One process at a time has a keystore open. A file is written under another name, made durable, and
//! renamed, so that it is whole or absent after a crash. What is removed may still be read from the
//! disk's medium.

mod encrypted;
mod error;
mod folder;
mod kdf;
mod memory;
mod plain;
mod record;
mod sealed;
#[cfg(test)]
mod suite;

use std::fmt;
use std::path::Path;

use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use uuid::Uuid;

pub use encrypted::EncryptedKeystore;
pub use error::KeystoreError;
pub use kdf::KdfParams;
pub use memory::MemoryKeystore;
pub use plain::PlainKeystore;

/// Where seeds are kept, by their public keys.
pub trait Keystore: Send {
    /// The event store whose events name these keys. Whoever opens both compares them.
    fn store_id(&self) -> Uuid;

    /// What is kept, in the order of the keys.
    fn entries(&self) -> Vec<Entry>;

    /// Keeps seeds as pending. Each is durable when this returns; one that is kept already stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`]; some of the seeds may be kept then, each whole.
    fn put(&mut self, seeds: &[&Seed], now: Timestamp) -> Result<(), KeystoreError>;

    /// Turns pending keys into kept ones. Those that are kept already stay so.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoKey`] when one is not there, and nothing was changed; the other variants
    /// when some may have been confirmed.
    fn confirm(&mut self, keys: &[PublicKey]) -> Result<(), KeystoreError>;

    /// The seed of a key, pending or kept.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Seed`] when what stands under the key is not its seed, or was altered.
    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, KeystoreError>;

    /// Removes a seed, for ever. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`]; the seed may be there still.
    fn remove(&mut self, key: &PublicKey) -> Result<(), KeystoreError>;
}

/// A seed that is kept, without the seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its public key.
    pub key: PublicKey,
    /// Whether an event is known to name it.
    pub state: State,
}

/// Whether an event is known to name a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Not yet: the append may be under way, or a crash has come between.
    Pending {
        /// When it was put.
        since: Timestamp,
    },
    /// It was confirmed.
    Kept,
}

/// What stands in a folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeystoreKind {
    /// A [`PlainKeystore`].
    Plain,
    /// An [`EncryptedKeystore`]; it is opened with a passphrase.
    Encrypted,
}

impl KeystoreKind {
    /// The kind as a word, `encrypted`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Encrypted => "encrypted",
        }
    }

    /// The file that only such a keystore has.
    fn mark(self) -> &'static str {
        match self {
            Self::Plain => plain::FILE_NAME,
            Self::Encrypted => encrypted::FILE_NAME,
        }
    }
}

impl fmt::Display for KeystoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which keystore stands in a folder, `None` when there is none, or no folder.
///
/// # Errors
///
/// [`KeystoreError::Unsafe`] when the folder is not private, [`KeystoreError::TwoKinds`] when both
/// stand there, [`KeystoreError::Io`].
pub fn kind_in(folder: &Path) -> Result<Option<KeystoreKind>, KeystoreError> {
    if !folder::exists(folder)? {
        return Ok(None);
    }
    let has = |kind: KeystoreKind| folder::has(&folder.join(kind.mark()));
    match (has(KeystoreKind::Plain)?, has(KeystoreKind::Encrypted)?) {
        (true, true) => Err(KeystoreError::TwoKinds {
            folder: folder.to_owned(),
        }),
        (true, false) => Ok(Some(KeystoreKind::Plain)),
        (false, true) => Ok(Some(KeystoreKind::Encrypted)),
        (false, false) => Ok(None),
    }
}

/// Refuses a folder that has a keystore.
fn expect_none(folder: &Path) -> Result<(), KeystoreError> {
    match kind_in(folder)? {
        None => Ok(()),
        Some(kind) => Err(KeystoreError::Exists {
            folder: folder.to_owned(),
            kind,
        }),
    }
}

/// Refuses a folder that has no keystore of this kind.
fn expect_kind(folder: &Path, expected: KeystoreKind) -> Result<(), KeystoreError> {
    let folder = || folder.to_owned();
    match kind_in(&folder())? {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(KeystoreError::Kind {
            folder: folder(),
            expected,
            found,
        }),
        None => Err(KeystoreError::NotFound { folder: folder() }),
    }
}
