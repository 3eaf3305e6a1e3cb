//! Seeds in files of their own, as `nsc` keeps them.

use std::collections::BTreeMap;
use std::path::Path;

use cim_core::id::parse_uuid;
use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::{Entry, Keystore, KeystoreError, KeystoreKind, State, expect_kind, expect_none};

/// The file that names the store.
pub(super) const FILE_NAME: &str = "store";

/// A keystore in a private folder, whose seeds everybody reads who is its user or has the disk.
///
/// A seed is a line in `<PUBLIC KEY>.nk`. While it is pending it is in `<PUBLIC KEY>.pending`, with its
/// time in a second line. The file `store` names the event store.
#[derive(Debug)]
pub struct PlainKeystore {
    folder: Folder,
    store_id: Uuid,
    states: BTreeMap<PublicKey, State>,
}

impl PlainKeystore {
    /// Makes an empty keystore in a folder that has none. The folder is made if there is none.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`], [`KeystoreError::Unsafe`] when the folder is there and not private,
    /// [`KeystoreError::Busy`], [`KeystoreError::Io`].
    pub fn create(folder: &Path, store_id: Uuid) -> Result<Self, KeystoreError> {
        expect_none(folder)?;
        let folder = Folder::create(folder)?;
        // Another process may have made one while this one waited for the lock.
        expect_none(folder.path())?;
        let store = Store {
            format: FORMAT.to_owned(),
            store_id: store_id.to_string(),
        };
        let json = serde_json::to_string(&store).expect("texts are JSON");
        folder.write(FILE_NAME, format!("{json}\n").as_bytes())?;
        Self::read(folder)
    }

    /// Opens a keystore, and checks each seed in it. Others wait for it until this is dropped.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NotFound`], [`KeystoreError::Kind`] or [`KeystoreError::TwoKinds`] when another
    /// one stands there, [`KeystoreError::Unsafe`], [`KeystoreError::Busy`],
    /// [`KeystoreError::Malformed`], [`KeystoreError::Seed`], [`KeystoreError::Io`].
    pub fn open(folder: &Path) -> Result<Self, KeystoreError> {
        expect_kind(folder, KeystoreKind::Plain)?;
        Self::read(Folder::open(folder)?)
    }

    fn read(folder: Folder) -> Result<Self, KeystoreError> {
        let store_id = store_id(&folder)?;
        let mut states = BTreeMap::new();
        for name in folder.names()? {
            let Some((stem, state)) = parts(&name) else {
                continue;
            };
            let malformed = |error| KeystoreError::malformed(&folder.path_of(&name), error);
            let key: PublicKey = stem.parse().map_err(malformed)?;
            let Some((_, state)) = seed_in(&folder, &key, state)? else {
                continue;
            };
            // `.nk` comes first. A crash has come between the two files of a confirmation.
            match states.contains_key(&key) {
                true => folder.remove(&name)?,
                false => drop(states.insert(key, state)),
            }
        }
        Ok(Self {
            folder,
            store_id,
            states,
        })
    }
}

impl Keystore for PlainKeystore {
    fn store_id(&self) -> Uuid {
        self.store_id
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(key, state): (&PublicKey, &State)| Entry {
            key: *key,
            state: *state,
        };
        self.states.iter().map(entry).collect()
    }

    fn put(&mut self, seeds: &[&Seed], now: Timestamp) -> Result<(), KeystoreError> {
        for seed in seeds {
            let key = seed.public_key();
            if self.states.contains_key(&key) {
                // What the caller relies on must be readable.
                self.seed(&key)?;
                continue;
            }
            let state = State::Pending { since: now };
            write(&self.folder, seed, state)?;
            self.states.insert(key, state);
        }
        Ok(())
    }

    fn confirm(&mut self, keys: &[PublicKey]) -> Result<(), KeystoreError> {
        if let Some(key) = keys.iter().find(|key| !self.states.contains_key(key)) {
            return Err(KeystoreError::NoKey { key: *key });
        }
        for key in keys {
            let pending = self.states.get(key).filter(|state| **state != State::Kept);
            let Some(pending) = pending.copied() else {
                continue;
            };
            if let Some(seed) = self.seed(key)? {
                write(&self.folder, &seed, State::Kept)?;
                self.states.insert(*key, State::Kept);
                self.folder.remove(&file_name(key, pending))?;
            }
        }
        Ok(())
    }

    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, KeystoreError> {
        let Some(state) = self.states.get(key) else {
            return Ok(None);
        };
        let Some((seed, _)) = seed_in(&self.folder, key, *state)? else {
            return Err(damaged(&self.folder, key, *state));
        };
        Ok(Some(seed))
    }

    fn remove(&mut self, key: &PublicKey) -> Result<(), KeystoreError> {
        if !self.states.contains_key(key) {
            return Ok(());
        }
        // Both: a confirmation whose end failed has left a pending one beside the kept one.
        let since = Timestamp::default();
        for state in [State::Pending { since }, State::Kept] {
            self.folder.remove(&file_name(key, state))?;
        }
        self.states.remove(key);
        Ok(())
    }
}

/// The file `store`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Store {
    format: String,
    store_id: String,
}

fn store_id(folder: &Folder) -> Result<Uuid, KeystoreError> {
    let path = folder.path_of(FILE_NAME);
    let not_found = || KeystoreError::NotFound {
        folder: folder.path().to_owned(),
    };
    let json = folder
        .read(FILE_NAME, MAX_FILE_LEN)?
        .ok_or_else(not_found)?;
    let malformed = |why: String| KeystoreError::malformed(&path, why);
    let store: Store =
        serde_json::from_slice(&json).map_err(|error| malformed(error.to_string()))?;
    if store.format != FORMAT {
        let found = store.format;
        return Err(malformed(format!(
            "expected the format `{FORMAT}`, found `{found}`"
        )));
    }
    parse_uuid(&store.store_id).map_err(|error| malformed(error.to_string()))
}

/// The seed of a key and its state, `None` when there is no file of that state.
fn seed_in(
    folder: &Folder,
    key: &PublicKey,
    state: State,
) -> Result<Option<(Seed, State)>, KeystoreError> {
    let Some(bytes) = folder.read(&file_name(key, state), MAX_FILE_LEN)? else {
        return Ok(None);
    };
    let damaged = || damaged(folder, key, state);
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    // A line that was cut has no end.
    let mut lines = text.strip_suffix('\n').ok_or_else(damaged)?.split('\n');
    let seed = lines.next().and_then(|line| Seed::parse(line).ok());
    let seed = seed
        .filter(|seed| seed.public_key() == *key)
        .ok_or_else(damaged)?;
    let state = match state {
        State::Pending { .. } => {
            let since = lines.next().and_then(|line| line.parse().ok());
            State::Pending {
                since: since.ok_or_else(damaged)?,
            }
        }
        State::Kept => State::Kept,
    };
    match lines.next() {
        None => Ok(Some((seed, state))),
        Some(_) => Err(damaged()),
    }
}

fn damaged(folder: &Folder, key: &PublicKey, state: State) -> KeystoreError {
    KeystoreError::Seed {
        path: folder.path_of(&file_name(key, state)),
        key: *key,
    }
}

fn write(folder: &Folder, seed: &Seed, state: State) -> Result<(), KeystoreError> {
    // With room for all, so that the text does not move and leave itself behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_LEN));
    text.push_str(&seed.expose());
    text.push('\n');
    if let State::Pending { since } = state {
        text.push_str(&format!("{since}\n"));
    }
    folder.write(&file_name(&seed.public_key(), state), text.as_bytes())
}

fn file_name(key: &PublicKey, state: State) -> String {
    match state {
        State::Pending { .. } => format!("{key}{PENDING}"),
        State::Kept => format!("{key}{KEPT}"),
    }
}

/// The public key that a file is named for, and its state but for the time.
fn parts(name: &str) -> Option<(&str, State)> {
    let since = Timestamp::default();
    let kept = name.strip_suffix(KEPT).map(|stem| (stem, State::Kept));
    kept.or_else(|| Some((name.strip_suffix(PENDING)?, State::Pending { since })))
}

const FORMAT: &str = "cim.keystore.plain/v1";

const KEPT: &str = ".nk";

const PENDING: &str = ".pending";

/// A seed and a time are 87 bytes.
const MAX_FILE_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::suite::{PLAIN, STORE, at, filled, key, seed};
    use super::*;

    fn keys() -> (tempfile::TempDir, PathBuf) {
        let folder = filled(&PLAIN);
        let keys = folder.path().join("keys");
        (folder, keys)
    }

    #[track_caller]
    fn code(keys: &Path) -> &'static str {
        PlainKeystore::open(keys)
            .map(drop)
            .expect_err("refused")
            .code()
    }

    #[test]
    fn the_files_are_as_documented() {
        let (_folder, keys) = keys();
        let read = |name: String| fs::read_to_string(keys.join(name)).expect("it is there");
        assert_eq!(
            read("store".to_owned()),
            format!("{{\"format\":\"cim.keystore.plain/v1\",\"store_id\":\"{STORE}\"}}\n")
        );
        assert_eq!(
            read(format!("{}.pending", key(1))),
            format!("{}\n1970-01-01T00:00:01.000000Z\n", *seed(1).expose())
        );
        let kept = format!("{}\n", *seed(2).expose());
        assert_eq!(read(format!("{}.nk", key(2))), kept);
    }

    /// A crash between the two files of a confirmation leaves both. The confirmation was decided, so
    /// it is brought to its end.
    #[test]
    fn a_confirmation_that_was_cut_off_is_finished() {
        let (_folder, keys) = keys();
        let pending = keys.join(format!("{}.pending", key(1)));
        let left = fs::read(&pending).expect("it is there");
        let mut keystore = PlainKeystore::open(&keys).expect("it is there");
        keystore.confirm(&[key(1)]).expect("it is pending");
        drop(keystore);
        fs::write(&pending, left).expect("it is back");
        set_private(&pending);
        let keystore = PlainKeystore::open(&keys).expect("both are whole");
        assert!(
            keystore
                .entries()
                .iter()
                .all(|entry| entry.state == State::Kept)
        );
        assert!(!pending.exists());
    }

    #[test]
    fn a_seed_that_is_not_of_its_key_is_refused() {
        let (_folder, keys) = keys();
        let file = keys.join(format!("{}.nk", key(2)));
        for text in [
            format!("{}\n", *seed(3).expose()),
            seed(2).expose().to_string(),
            format!("{}\n\n", *seed(2).expose()),
            format!("{}\n", &seed(2).expose()[..57]),
            String::new(),
            "x".repeat(1000),
        ] {
            fs::write(&file, &text).expect("it is ours");
            let error = PlainKeystore::open(&keys).map(drop).expect_err("refused");
            assert_eq!(error.code(), "keystore-seed-damaged", "{text}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&seed(2).expose()[4..20]), "{shown}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let (_folder, keys) = keys();
        let file = keys.join(format!("{}.pending", key(1)));
        fs::write(&file, format!("{}\nnow\n", *seed(1).expose())).expect("it is ours");
        assert_eq!(code(&keys), "keystore-seed-damaged");
        fs::write(&file, format!("{}\n", *seed(1).expose())).expect("it is ours");
        assert_eq!(code(&keys), "keystore-seed-damaged");
    }

    #[test]
    fn a_name_that_is_no_key_is_refused() {
        let (_folder, keys) = keys();
        fs::write(keys.join("mine.nk"), "").expect("a file");
        assert_eq!(code(&keys), "keystore-malformed");
    }

    #[test]
    fn another_format_is_refused() {
        let (_folder, keys) = keys();
        for (text, found) in [
            (
                format!(r#"{{"format":"cim.keystore.plain/v2","store_id":"{STORE}"}}"#),
                "found `cim.keystore.plain/v2`",
            ),
            (
                r#"{"format":"cim.keystore.plain/v1","store_id":"1"}"#.to_owned(),
                "`1`",
            ),
        ] {
            fs::write(keys.join("store"), text).expect("it is ours");
            let error = PlainKeystore::open(&keys).map(drop).expect_err("refused");
            assert_eq!(error.code(), "keystore-malformed");
            assert!(error.to_string().contains(found), "{error}");
        }
    }

    #[test]
    fn a_file_that_vanishes_is_a_fault_and_no_absent_key() {
        let (_folder, keys) = keys();
        let mut keystore = PlainKeystore::open(&keys).expect("it is there");
        fs::remove_file(keys.join(format!("{}.nk", key(2)))).expect("it is there");
        let error = keystore.seed(&key(2)).map(drop).expect_err("it is gone");
        assert_eq!(error.code(), "keystore-seed-damaged");
        let error = keystore.put(&[&seed(2)], at(2)).expect_err("it is gone");
        assert_eq!(error.code(), "keystore-seed-damaged");
    }

    fn set_private(path: &Path) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(path, private).expect("it is ours");
        }
        #[cfg(not(unix))]
        let _ = path;
    }
}
