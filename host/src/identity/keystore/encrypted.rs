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
/// The passphrase is asked for once: [`open`](Self::open) makes a key from it (Argon2id), and each seed
/// is sealed with that (XChaCha20-Poly1305). Which keys there are, their state and their time stand in
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

    /// Writes what is to be kept, and keeps it in memory only if that succeeds.
    fn write(&mut self, record: Record) -> Result<(), KeystoreError> {
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
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::super::suite::{CHEAP, ENCRYPTED, STORE, at, filled, key, seed};
    use super::*;

    type Alteration = fn(&mut Value);

    fn keys() -> (tempfile::TempDir, PathBuf) {
        let folder = filled(&ENCRYPTED);
        let keys = folder.path().join("keys");
        (folder, keys)
    }

    fn open(keys: &Path) -> Result<EncryptedKeystore, KeystoreError> {
        EncryptedKeystore::open_at(keys, &"correct horse".into(), CHEAP)
    }

    #[track_caller]
    fn error(keys: &Path) -> KeystoreError {
        open(keys).map(drop).expect_err("refused")
    }

    fn alter(keys: &Path, alter: impl FnOnce(&mut Value)) {
        let path = keys.join(FILE_NAME);
        let json = fs::read(&path).expect("it is there");
        let mut value = serde_json::from_slice(&json).expect("JSON");
        alter(&mut value);
        fs::write(&path, value.to_string()).expect("it is ours");
    }

    #[test]
    fn no_file_has_a_seed() {
        let (_folder, keys) = keys();
        for entry in fs::read_dir(&keys).expect("a folder") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
            for byte in [1, 2] {
                let text = seed(byte).expose();
                for secret in [&text.as_bytes()[4..16], &[byte; 16]] {
                    let found = bytes.windows(secret.len()).any(|part| part == secret);
                    assert!(!found, "seed {byte}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_passphrase_is_told_as_such() {
        let (_folder, keys) = keys();
        for wrong in ["", "correct horse ", "Correct horse"] {
            let error = EncryptedKeystore::open_at(&keys, &wrong.into(), CHEAP);
            let error = error.map(drop).expect_err("wrong");
            let expected = match wrong {
                "" => "passphrase-empty",
                _ => "passphrase-wrong",
            };
            assert_eq!(error.code(), expected);
        }
    }

    #[test]
    fn an_altered_head_opens_nothing() {
        let alterations: [Alteration; 5] = [
            |file| file["store_id"] = "01934f4a-5678-7abc-8def-0123456789ac".into(),
            |file| file["kdf"]["passes"] = 2.into(),
            |file| file["kdf"]["memory_kib"] = 9.into(),
            |file| file["kdf"]["salt"] = "AAAAAAAAAAAAAAAAAAAAAA==".into(),
            |file| {
                file["check"] =
                    json!({"nonce": file["keys"][0]["nonce"], "sealed": file["keys"][0]["sealed"]})
            },
        ];
        for alteration in alterations {
            let (_folder, keys) = keys();
            alter(&keys, alteration);
            assert_eq!(error(&keys).code(), "passphrase-wrong");
        }
    }

    #[test]
    fn a_seed_under_another_key_is_refused() {
        let (_folder, keys) = keys();
        alter(&keys, |file| {
            for field in ["nonce", "sealed"] {
                let first = file["keys"][0][field].take();
                file["keys"][0][field] = file["keys"][1][field].take();
                file["keys"][1][field] = first;
            }
        });
        assert_damaged(&keys, &[1, 2]);
    }

    #[test]
    fn an_altered_seed_is_refused_and_the_others_are_not() {
        let (_folder, keys) = keys();
        for (field, value) in [
            ("sealed", "AAAA"),
            ("sealed", ""),
            ("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ] {
            alter(&keys, |file| {
                let rows = file["keys"].as_array_mut().expect("rows");
                let mut rows = rows.iter_mut();
                let row = rows.find(|row| row["key"] == key(1).as_str());
                row.expect("it is there")[field] = value.into();
            });
            assert_damaged(&keys, &[1]);
        }
        let keystore = open(&keys).expect("the head is right");
        assert!(keystore.seed(&key(2)).expect("it is whole").is_some());
    }

    #[track_caller]
    fn assert_damaged(keys: &Path, bytes: &[u8]) {
        let mut keystore = open(keys).expect("the head is right");
        for byte in bytes {
            let error = keystore.seed(&key(*byte)).map(drop).expect_err("damaged");
            assert_eq!(error.code(), "keystore-seed-damaged");
            let error = keystore.put(&[&seed(*byte)], at(1)).expect_err("damaged");
            assert_eq!(error.code(), "keystore-seed-damaged");
        }
        let error = keystore.rekey(&"new".into(), CHEAP).expect_err("damaged");
        assert_eq!(error.code(), "keystore-seed-damaged");
    }

    #[test]
    fn a_key_that_costs_too_much_or_too_little_is_not_made() {
        let (_folder, keys) = keys();
        for (field, value) in [
            ("memory_kib", 1_u32 << 30),
            ("memory_kib", 7),
            ("passes", 1_000_000),
            ("passes", 0),
            ("lanes", 5),
        ] {
            let before = fs::read(keys.join(FILE_NAME)).expect("it is there");
            alter(&keys, |file| file["kdf"][field] = value.into());
            assert_eq!(error(&keys).code(), "kdf-cost-invalid", "{field} {value}");
            fs::write(keys.join(FILE_NAME), before).expect("it is ours");
        }
        let cheap = EncryptedKeystore::open(&keys, &"correct horse".into());
        let cheap = cheap.map(drop).expect_err("it is too cheap");
        assert_eq!(
            cheap.to_string(),
            "invalid cost of Argon2id: expected memory in KiB of 19456 to 1048576, found 8"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let cheap = EncryptedKeystore::create(&path, STORE, &"a".into(), CHEAP);
        assert_eq!(
            cheap.map(drop).expect_err("too cheap").code(),
            "kdf-cost-invalid"
        );
        assert!(!path.exists());
    }

    #[test]
    fn a_keystore_of_the_default_cost_is_made_and_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let params = KdfParams::default();
        let made = EncryptedKeystore::create(&path, STORE, &"a".into(), params);
        made.map(drop).expect("a folder of ours");
        let opened = EncryptedKeystore::open(&path, &"a".into()).expect("it is there");
        assert_eq!(opened.store_id(), STORE);
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        let alterations: [(Alteration, &str); 9] = [
            (
                |file| file["format"] = "cim.keystore/v2".into(),
                "found `cim.keystore/v2`",
            ),
            (|file| file["extra"] = 1.into(), "extra"),
            (|file| file["keys"][0]["seed"] = 1.into(), "seed"),
            (
                |file| file["kdf"]["name"] = "scrypt".into(),
                "found `scrypt`",
            ),
            (|file| file["kdf"]["salt"] = "AAAA".into(), "salt"),
            (|file| file["kdf"]["passes"] = (-1).into(), "-1"),
            (
                |file| file["keys"][0]["key"] = file["keys"][1]["key"].clone(),
                "twice",
            ),
            (|file| file["keys"][0]["key"] = "U".into(), "`U`"),
            (|file| file["keys"][0]["state"] = "lost".into(), "lost"),
        ];
        for (alteration, expected) in alterations {
            let (_folder, keys) = keys();
            alter(&keys, alteration);
            let error = error(&keys);
            assert_eq!(error.code(), "keystore-malformed");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_new_passphrase_takes_the_place_of_the_old_one() {
        let (_folder, keys) = keys();
        let mut keystore = open(&keys).expect("it is there");
        let before = keystore.entries();
        let file = fs::read_to_string(keys.join(FILE_NAME)).expect("it is there");
        let dear = KdfParams {
            memory_kib: 16,
            ..CHEAP
        };
        let error = keystore.rekey(&"".into(), dear).expect_err("it is empty");
        assert_eq!(error.code(), "passphrase-empty");
        keystore.rekey(&"new".into(), dear).expect("all is whole");
        keystore.put(&[&seed(3)], at(3)).expect("the new key seals");
        drop(keystore);
        assert_eq!(error_code(&keys), "passphrase-wrong");
        let keystore = EncryptedKeystore::open_at(&keys, &"new".into(), CHEAP);
        let mut keystore = keystore.expect("the new passphrase");
        for byte in 1..4 {
            let found = keystore.seed(&key(byte)).expect("it is whole");
            let found = found.expect("it is there");
            assert_eq!(*found.expose(), *seed(byte).expose());
        }
        keystore.remove(&key(3)).expect("it is there");
        assert_eq!(keystore.entries(), before);
        // Nothing that was sealed is in the new file, nor the salt.
        let now = fs::read_to_string(keys.join(FILE_NAME)).expect("it is there");
        let sealed = |file: &str| -> Vec<String> {
            let lines = file.lines().map(str::trim);
            lines
                .filter(|line| {
                    ["\"sealed\"", "\"nonce\"", "\"salt\""]
                        .iter()
                        .any(|field| line.starts_with(field))
                })
                .map(str::to_owned)
                .collect()
        };
        assert!(!sealed(&file).iter().any(|line| now.contains(line)));
        assert_eq!(sealed(&now).len(), 7);
    }

    #[track_caller]
    fn error_code(keys: &Path) -> &'static str {
        error(keys).code()
    }

    /// The format, as libsodium and argon2-cffi write it: PyNaCl 1.6, argon2-cffi 25.1.
    #[test]
    fn a_file_of_other_implementations_is_read() {
        let (_folder, keys) = keys();
        fs::write(keys.join(FILE_NAME), FOREIGN).expect("it is ours");
        let keystore = open(&keys).expect("the check opens");
        let state = State::Kept;
        assert_eq!(keystore.entries(), [Entry { key: key(2), state }]);
        let found = keystore.seed(&key(2)).expect("it opens");
        assert_eq!(*found.expect("it is there").expose(), *seed(2).expose());
    }

    const FOREIGN: &str = r#"{
  "format": "cim.keystore/v1",
  "store_id": "01934f4a-5678-7abc-8def-0123456789ab",
  "kdf": {
    "name": "argon2id",
    "memory_kib": 8,
    "passes": 1,
    "lanes": 1,
    "salt": "MDEyMzQ1Njc4OWFiY2RlZg=="
  },
  "check": {
    "nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "sealed": "b/itmoOx3Yi9w8BUFF8FLw=="
  },
  "keys": [
    {
      "key": "UCATS5YOVB6ROX2WUNKGNQ2MP3GMXDMKSG2O4N5CLX3A6W4PZGZZJPJO",
      "state": "kept",
      "since": "2026-11-22T00:00:00.000000Z",
      "nonce": "GBkaGxwdHh8gISIjJCUmJygpKissLS4v",
      "sealed": "6zTAs3VbR/IKKyammh6YjRca6wxZrH2XuLUWmA4ToS6Keuqze3c8T2tfIUjYxpqUKMDb+lU9j2C0wYYTlxNTdswx/MsMoxug+wI="
    }
  ]
}
"#;
}
