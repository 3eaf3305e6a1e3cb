//! Seeds in one file, sealed with a passphrase.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use uuid::Uuid;

use super::folder::Folder;
use super::kdf::{KdfParams, MasterKey};
use super::record::{Kept, KeptState, Record};
use super::sealed::{Head, Purpose, Sealed};
use super::{Entry, Keystore, KeystoreError, KeystoreKind, State, expect_kind, expect_none};
use crate::clock;
use crate::secret::Secret;

/// The file in the folder.
pub(super) const FILE_NAME: &str = "keystore.json";

/// A keystore in `keystore.json` of a private folder, whose seeds nobody reads without the passphrase.
///
/// The passphrase is asked for once: [`open`](Self::open) makes a key from its bytes as they are
/// (Argon2id), and each seed is sealed with that (XChaCha20-Poly1305). Which keys there are, their state and their time stand in
/// the clear, and are not vouched for: who may write the file may also delete seeds. But no seed can be
/// altered or put under another key.
pub struct EncryptedKeystore {
    folder: Folder,
    record: Record,
    key: MasterKey,
    /// The least that the key may cost.
    least: KdfParams,
}

impl EncryptedKeystore {
    /// Makes an empty keystore in a folder that has none. The folder is made if there is none.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`], [`KeystoreError::NoPassphrase`], [`KeystoreError::Kdf`] when `params`
    /// are not between [`KdfParams::LEAST`] and [`KdfParams::MOST`], [`KeystoreError::Unsafe`] when the
    /// folder is there and not private, [`KeystoreError::Busy`], [`KeystoreError::Memory`],
    /// [`KeystoreError::Io`].
    pub fn create(
        folder: &Path,
        store_id: Uuid,
        passphrase: &Secret,
        params: KdfParams,
    ) -> Result<Self, KeystoreError> {
        Self::create_at(folder, store_id, passphrase, params, KdfParams::LEAST)
    }

    pub(super) fn create_at(
        folder: &Path,
        store_id: Uuid,
        passphrase: &Secret,
        params: KdfParams,
        least: KdfParams,
    ) -> Result<Self, KeystoreError> {
        expect_none(folder)?;
        let (head, key) = new_key(store_id, passphrase, params, least)?;
        let folder = Folder::create(folder)?;
        // Another process may have made one while this one waited for the lock.
        expect_none(folder.path())?;
        let record = Record {
            check: Sealed::seal(&key, &head, Purpose::Check, b""),
            head,
            keys: BTreeMap::new(),
        };
        folder.write(FILE_NAME, &record.write())?;
        Ok(Self {
            folder,
            record,
            key,
            least,
        })
    }

    /// Opens a keystore. Others wait for it until this is dropped.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NotFound`], [`KeystoreError::Kind`] or [`KeystoreError::TwoKinds`] when another
    /// one stands there, [`KeystoreError::Passphrase`], [`KeystoreError::Unsafe`],
    /// [`KeystoreError::Busy`], [`KeystoreError::Malformed`], [`KeystoreError::Kdf`] when the file
    /// asks for a key that costs too little or too much, [`KeystoreError::Memory`],
    /// [`KeystoreError::Io`].
    pub fn open(folder: &Path, passphrase: &Secret) -> Result<Self, KeystoreError> {
        Self::open_at(folder, passphrase, KdfParams::LEAST)
    }

    pub(super) fn open_at(
        folder: &Path,
        passphrase: &Secret,
        least: KdfParams,
    ) -> Result<Self, KeystoreError> {
        expect_kind(folder, KeystoreKind::Encrypted)?;
        let folder = Folder::open(folder)?;
        let path = folder.path_of(FILE_NAME);
        let not_found = || KeystoreError::NotFound {
            folder: folder.path().to_owned(),
        };
        let json = folder
            .read(FILE_NAME, MAX_FILE_LEN)?
            .ok_or_else(not_found)?;
        let record = Record::read(&json).map_err(|why| KeystoreError::malformed(&path, why))?;
        record.head.params.check(least)?;
        let key = MasterKey::derive(passphrase, &record.head.salt, record.head.params)?;
        let check = record.check.open(&key, &record.head, Purpose::Check);
        if check.is_none() {
            return Err(KeystoreError::Passphrase { path });
        }
        Ok(Self {
            folder,
            record,
            key,
            least,
        })
    }

    /// Changes the passphrase, and what a key costs. Who has a copy of the old file opens it with the
    /// old passphrase still.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoPassphrase`], [`KeystoreError::Kdf`], [`KeystoreError::Memory`],
    /// [`KeystoreError::Seed`] when a seed cannot be opened, [`KeystoreError::Io`]. The old passphrase
    /// is the right one then, unless making the change durable failed.
    pub fn rekey(&mut self, passphrase: &Secret, params: KdfParams) -> Result<(), KeystoreError> {
        let (head, key) = new_key(self.record.head.store_id, passphrase, params, self.least)?;
        let mut record = Record {
            check: Sealed::seal(&key, &head, Purpose::Check, b""),
            head,
            keys: BTreeMap::new(),
        };
        for (public, kept) in &self.record.keys {
            let text = self.opened(public, kept)?.expose();
            let seed = Purpose::Seed(public);
            let sealed = Sealed::seal(&key, &record.head, seed, text.as_bytes());
            record.keys.insert(
                *public,
                Kept {
                    sealed,
                    ..kept.clone()
                },
            );
        }
        self.write(record)?;
        self.key = key;
        Ok(())
    }

    /// The seed that stands under a key, if it is that key's.
    fn opened(&self, key: &PublicKey, kept: &Kept) -> Result<Seed, KeystoreError> {
        let text = kept
            .sealed
            .open(&self.key, &self.record.head, Purpose::Seed(key));
        text.as_ref()
            .and_then(|text| std::str::from_utf8(text).ok())
            .and_then(|text| Seed::parse(text).ok())
            .filter(|seed| seed.public_key() == *key)
            .ok_or_else(|| KeystoreError::Seed {
                path: self.folder.path_of(FILE_NAME),
                key: *key,
            })
    }

    /// Writes what is to be kept, unless it is kept already, and has it in memory only if that
    /// succeeds.
    fn write(&mut self, record: Record) -> Result<(), KeystoreError> {
        if record == self.record {
            return Ok(());
        }
        self.folder.write(FILE_NAME, &record.write())?;
        self.record = record;
        Ok(())
    }
}

impl Keystore for EncryptedKeystore {
    fn store_id(&self) -> Uuid {
        self.record.head.store_id
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(key, kept): (&PublicKey, &Kept)| Entry {
            key: *key,
            state: match kept.state {
                KeptState::Pending => State::Pending { since: kept.since },
                KeptState::Kept => State::Kept,
            },
        };
        self.record.keys.iter().map(entry).collect()
    }

    fn put(&mut self, seeds: &[&Seed], now: Timestamp) -> Result<(), KeystoreError> {
        let mut record = self.record.clone();
        for seed in seeds {
            let public = seed.public_key();
            if let Some(kept) = record.keys.get(&public) {
                // What the caller relies on must be readable.
                self.opened(&public, kept)?;
                continue;
            }
            let text = seed.expose();
            let purpose = Purpose::Seed(&public);
            let kept = Kept {
                state: KeptState::Pending,
                since: now,
                sealed: Sealed::seal(&self.key, &record.head, purpose, text.as_bytes()),
            };
            record.keys.insert(public, kept);
        }
        self.write(record)
    }

    fn confirm(&mut self, keys: &[PublicKey]) -> Result<(), KeystoreError> {
        let mut record = self.record.clone();
        for key in keys {
            let kept = record.keys.get_mut(key);
            kept.ok_or(KeystoreError::NoKey { key: *key })?.state = KeptState::Kept;
        }
        self.write(record)
    }

    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, KeystoreError> {
        let kept = self.record.keys.get(key);
        kept.map(|kept| self.opened(key, kept)).transpose()
    }

    fn remove(&mut self, key: &PublicKey) -> Result<(), KeystoreError> {
        let mut record = self.record.clone();
        match record.keys.remove(key) {
            Some(_) => self.write(record),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for EncryptedKeystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedKeystore")
            .field("folder", &self.folder.path())
            .field("store_id", &self.record.head.store_id)
            .field("keys", &self.record.keys.keys())
            .finish_non_exhaustive()
    }
}

/// A key with a salt of its own.
fn new_key(
    store_id: Uuid,
    passphrase: &Secret,
    params: KdfParams,
    least: KdfParams,
) -> Result<(Head, MasterKey), KeystoreError> {
    params.check(least)?;
    let salt = clock::entropy();
    let key = MasterKey::derive(passphrase, &salt, params)?;
    let head = Head {
        store_id,
        params,
        salt,
    };
    Ok((head, key))
}

/// Some 50,000 seeds.
const MAX_FILE_LEN: usize = 16 << 20;

#[cfg(test)]
mod tests;
