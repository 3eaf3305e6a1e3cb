//! What every keystore does, checked for each of them, and what every one in a folder refuses.
//!
//! One file: it is run as a whole against each keystore.

use std::fs;
use std::path::Path;

use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use uuid::Uuid;

use super::*;
use crate::files::{UNFINISHED, Unsafe};

/// A cost that is none, so that tests are fast.
pub(super) const CHEAP: KdfParams = KdfParams {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

pub(super) const STORE: Uuid = Uuid::from_u128(0x0193_4f4a_5678_7abc_8def_0123_4567_89ab);

pub(super) fn seed(byte: u8) -> Seed {
    Seed::new(KeyKind::ALL[usize::from(byte) % 6], [byte; 32])
}

pub(super) fn key(byte: u8) -> PublicKey {
    seed(byte).public_key()
}

pub(super) fn at(second: u64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).expect("a time")
}

/// How a keystore in a folder is made and opened.
pub(super) struct Kept {
    pub(super) create: fn(&Path) -> Result<Box<dyn Keystore>, KeystoreError>,
    pub(super) open: fn(&Path) -> Result<Box<dyn Keystore>, KeystoreError>,
    pub(super) kind: KeystoreKind,
}

pub(super) const PLAIN: Kept = Kept {
    create: |folder| Ok(Box::new(PlainKeystore::create(folder, STORE)?)),
    open: |folder| Ok(Box::new(PlainKeystore::open(folder)?)),
    kind: KeystoreKind::Plain,
};

pub(super) const ENCRYPTED: Kept = Kept {
    create: |folder| {
        let passphrase = "correct horse".into();
        let made = EncryptedKeystore::create_at(folder, STORE, &passphrase, CHEAP, CHEAP)?;
        Ok(Box::new(made))
    },
    open: |folder| {
        let opened = EncryptedKeystore::open_at(folder, &"correct horse".into(), CHEAP)?;
        Ok(Box::new(opened))
    },
    kind: KeystoreKind::Encrypted,
};

/// Closes a keystore and opens it again, where it can.
type Reopen<'a> = &'a mut dyn FnMut(Box<dyn Keystore>) -> Box<dyn Keystore>;

const KEPT: [Kept; 2] = [PLAIN, ENCRYPTED];

#[track_caller]
fn code<T>(result: Result<T, KeystoreError>) -> &'static str {
    match result {
        Ok(_) => panic!("it is taken"),
        Err(error) => error.code(),
    }
}

/// Checks each keystore, by itself and as it is after it was closed and opened again.
fn check(behaviour: fn(Reopen<'_>, Box<dyn Keystore>)) {
    behaviour(&mut |same| same, Box::new(MemoryKeystore::new(STORE)));
    for kept in KEPT {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a").join("keys");
        let keystore = (kept.create)(&path).expect("a new keystore");
        let mut reopen = |keystore: Box<dyn Keystore>| {
            let before = keystore.entries();
            drop(keystore);
            let keystore = (kept.open)(&path).expect("it is there");
            assert_eq!(keystore.entries(), before);
            keystore
        };
        behaviour(&mut reopen, keystore);
    }
}

#[track_caller]
fn assert_holds(keystore: &dyn Keystore, byte: u8) {
    let found = keystore.seed(&key(byte)).expect("it can be read");
    let found = found.expect("it is there");
    assert_eq!(*found.expose(), *seed(byte).expose());
}

#[test]
fn is_empty_at_first_and_names_its_store() {
    check(|reopen, keystore| {
        let keystore = reopen(keystore);
        assert_eq!(keystore.store_id(), STORE);
        assert_eq!(keystore.entries(), []);
        assert!(keystore.seed(&key(1)).expect("no fault").is_none());
    });
}

#[test]
fn a_seed_is_pending_until_it_is_confirmed() {
    check(|reopen, mut keystore| {
        keystore.put(&[&seed(1)], at(7)).expect("it is put");
        let mut keystore = reopen(keystore);
        let (key, since) = (key(1), at(7));
        let state = State::Pending { since };
        assert_eq!(keystore.entries(), [Entry { key, state }]);
        assert_holds(&*keystore, 1);

        keystore.confirm(&[key]).expect("it is there");
        let mut keystore = reopen(keystore);
        let state = State::Kept;
        assert_eq!(keystore.entries(), [Entry { key, state }]);
        assert_holds(&*keystore, 1);

        keystore.confirm(&[key, key]).expect("it is kept already");
        assert_eq!(reopen(keystore).entries(), [Entry { key, state }]);
    });
}

#[test]
fn seeds_of_every_kind_are_in_the_order_of_their_keys() {
    check(|reopen, mut keystore| {
        let seeds: Vec<Seed> = (0..12).map(seed).collect();
        let all: Vec<&Seed> = seeds.iter().collect();
        keystore.put(&all, at(1)).expect("they are put");
        let keystore = reopen(keystore);
        let mut expected: Vec<PublicKey> = (0..12).map(key).collect();
        expected.sort();
        let found: Vec<PublicKey> = keystore.entries().iter().map(|entry| entry.key).collect();
        assert_eq!(found, expected);
        (0..12).for_each(|byte| assert_holds(&*keystore, byte));
    });
}

#[test]
fn a_seed_that_is_there_stays_as_it_is() {
    check(|reopen, mut keystore| {
        keystore.put(&[&seed(1), &seed(2)], at(1)).expect("new");
        keystore.confirm(&[key(2)]).expect("it is there");
        let before = keystore.entries();
        keystore
            .put(&[&seed(1), &seed(2), &seed(2)], at(9))
            .expect("the same");
        assert_eq!(reopen(keystore).entries(), before);
    });
}

#[test]
fn a_key_that_is_missing_confirms_nothing() {
    check(|reopen, mut keystore| {
        keystore.put(&[&seed(1)], at(1)).expect("it is put");
        let before = keystore.entries();
        let error = keystore.confirm(&[key(1), key(2)]).expect_err("no such");
        assert_eq!(error.code(), "key-not-found");
        assert!(error.to_string().contains(key(2).as_str()));
        assert_eq!(reopen(keystore).entries(), before);
    });
}

#[test]
fn what_is_removed_is_gone() {
    check(|reopen, mut keystore| {
        keystore.put(&[&seed(1), &seed(2)], at(1)).expect("new");
        keystore.confirm(&[key(2)]).expect("it is there");
        keystore.remove(&key(1)).expect("pending");
        keystore.remove(&key(2)).expect("kept");
        keystore.remove(&key(2)).expect("absent");
        let mut keystore = reopen(keystore);
        assert_eq!(keystore.entries(), []);
        assert!(keystore.seed(&key(2)).expect("no fault").is_none());
        keystore.put(&[&seed(2)], at(2)).expect("it is new again");
        assert_holds(&*reopen(keystore), 2);
    });
}

/// A keystore with a pending and a kept seed, closed.
pub(super) fn filled(kept: &Kept) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut keystore = (kept.create)(&folder.path().join("keys")).expect("a new keystore");
    keystore.put(&[&seed(1), &seed(2)], at(1)).expect("new");
    keystore.confirm(&[key(2)]).expect("it is there");
    folder
}

#[test]
fn the_kind_in_a_folder_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(kind_in(&folder.path().join("absent")).expect("none"), None);
    for kept in KEPT {
        let folder = filled(&kept);
        let keys = folder.path().join("keys");
        assert_eq!(kind_in(&keys).expect("one"), Some(kept.kind));
        let others = || KEPT.into_iter().filter(|other| other.kind != kept.kind);
        KEPT.into_iter()
            .for_each(|any| assert_eq!(code((any.create)(&keys)), "keystore-exists"));
        for other in others() {
            assert_eq!(code((other.open)(&keys)), "keystore-kind-wrong");
        }
        for other in others() {
            fs::write(keys.join(other.kind.mark()), "").expect("a file");
        }
        assert_eq!(code(kind_in(&keys)), "keystore-two-kinds");
        assert_eq!(code((kept.open)(&keys)), "keystore-two-kinds");
    }
}

#[test]
fn an_absent_keystore_is_not_made_by_opening_it() {
    for kept in KEPT {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path().join("keys");
        assert_eq!(code((kept.open)(&keys)), "keystore-not-found");
        assert!(!keys.exists());
    }
}

#[test]
fn one_at_a_time_has_it_open() {
    for kept in KEPT {
        let folder = filled(&kept);
        let keys = folder.path().join("keys");
        let first = (kept.open)(&keys).expect("it is there");
        assert_eq!(code((kept.open)(&keys)), "keystore-busy");
        drop(first);
        (kept.open)(&keys).expect("it is free");
    }
}

#[test]
fn what_a_crash_has_left_unfinished_is_removed() {
    for kept in KEPT {
        let folder = filled(&kept);
        let keys = folder.path().join("keys");
        let unfinished = keys.join(format!("{}a", UNFINISHED));
        fs::write(&unfinished, "half").expect("a file");
        fs::write(keys.join("notes"), "not ours").expect("a file");
        let keystore = (kept.open)(&keys).expect("it is there");
        assert!(!unfinished.exists() && keys.join("notes").exists());
        assert_holds(&*keystore, 1);
    }
}

#[test]
fn a_write_that_fails_changes_nothing() {
    for kept in KEPT {
        let folder = filled(&kept);
        let keys = folder.path().join("keys");
        let mut keystore = (kept.open)(&keys).expect("it is there");
        let before = keystore.entries();
        let (new, confirmed) = (format!("{}.pending", key(3)), format!("{}.nk", key(1)));
        // A folder stands where the file would be written.
        let blocked = [encrypted::FILE_NAME, &new, &confirmed]
            .map(|name| keys.join(format!("{}{name}", UNFINISHED)));
        for path in &blocked {
            fs::create_dir(path).expect("a folder");
        }
        assert_eq!(code(keystore.put(&[&seed(3)], at(3))), "keystore-io");
        assert_eq!(code(keystore.confirm(&[key(1)])), "keystore-io");
        assert_eq!(keystore.entries(), before);
        for path in &blocked {
            fs::remove_dir(path).expect("it is there");
        }
        drop(keystore);
        let mut keystore = (kept.open)(&keys).expect("it is whole");
        assert_eq!(keystore.entries(), before);
        keystore
            .put(&[&seed(3)], at(3))
            .expect("nothing is in the way");
        keystore.confirm(&[key(1), key(3)]).expect("they are there");
        assert_holds(&*keystore, 3);
    }
}

#[test]
fn a_file_that_was_cut_or_grew_too_long_is_refused() {
    for kept in KEPT {
        let mark = kept.kind.mark();
        for len in [0, 1, 20, 17 << 20] {
            let folder = filled(&kept);
            let keys = folder.path().join("keys");
            let file = fs::File::options().write(true).open(keys.join(mark));
            file.and_then(|file| file.set_len(len)).expect("it is cut");
            assert_eq!(code((kept.open)(&keys)), "keystore-malformed");
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o7777
    }

    #[test]
    fn all_that_is_made_is_private() {
        for kept in KEPT {
            let folder = filled(&kept);
            let keys = folder.path().join("keys");
            assert_eq!(mode(&keys), 0o700);
            for entry in fs::read_dir(&keys).expect("a folder") {
                let path = entry.expect("an entry").path();
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }

    #[test]
    fn a_folder_that_others_may_use_is_refused_and_told_how_to_mend() {
        for kept in KEPT {
            let folder = filled(&kept);
            let keys = folder.path().join("keys");
            for found in [0o701, 0o710, 0o702, 0o755, 0o777] {
                chmod(&keys, found);
                let Err(error) = (kept.open)(&keys) else {
                    panic!("{found:o} is taken");
                };
                let path = keys.display();
                assert_eq!(
                    error.to_string(),
                    format!("`{path}` is not safe: expected mode 0700, found {found:04o}")
                );
                assert_eq!(error.help(), Some(format!("chmod 700 '{path}'")));
                assert_eq!(code(kind_in(&keys)), "keystore-unsafe");
            }
        }
    }

    #[test]
    fn an_open_folder_gets_no_keystore() {
        for kept in KEPT {
            let folder = tempfile::tempdir().expect("a folder");
            chmod(folder.path(), 0o755);
            assert_eq!(code((kept.create)(folder.path())), "keystore-unsafe");
            chmod(folder.path(), 0o700);
            (kept.create)(folder.path()).expect("it is private");
        }
    }

    /// Each file but those that no keystore reads.
    fn files(keys: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(keys).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    #[test]
    fn files_that_others_may_use_are_refused() {
        for kept in KEPT {
            let folder = filled(&kept);
            let keys = folder.path().join("keys");
            for file in files(&keys) {
                chmod(&file, 0o640);
                let Err(error) = (kept.open)(&keys) else {
                    panic!("{} is taken", file.display());
                };
                assert_eq!(error.code(), "keystore-unsafe");
                let help = format!("chmod 600 '{}'", file.display());
                assert_eq!(error.help(), Some(help));
                chmod(&file, 0o600);
            }
        }
    }

    #[test]
    fn links_are_refused() {
        for kept in KEPT {
            let folder = filled(&kept);
            let keys = folder.path().join("keys");
            let link = folder.path().join("link");
            symlink(&keys, &link).expect("a link");
            assert_eq!(code((kept.open)(&link)), "keystore-unsafe");
            assert_eq!(code((kept.create)(&link)), "keystore-unsafe");
            for file in files(&keys) {
                let target = folder.path().join("target");
                fs::rename(&file, &target).expect("it moves");
                symlink(&target, &file).expect("a link");
                assert_eq!(code((kept.open)(&keys)), "keystore-unsafe");
                fs::rename(&target, &file).expect("it moves back");

                fs::hard_link(&file, &target).expect("a second name");
                let Err(error) = (kept.open)(&keys) else {
                    panic!("{} is taken", file.display());
                };
                assert!(error.to_string().contains("found 2 names"), "{error}");
                fs::remove_file(&target).expect("it is there");
            }
            (kept.open)(&keys).expect("all is as it was");
        }
    }

    #[test]
    fn a_folder_or_a_pipe_for_a_file_is_refused_at_once() {
        for kept in KEPT {
            for make in [make_folder, make_pipe] {
                let folder = filled(&kept);
                let keys = folder.path().join("keys");
                for file in files(&keys) {
                    let aside = folder.path().join("aside");
                    fs::rename(&file, &aside).expect("it moves");
                    make(&file);
                    assert_eq!(code((kept.open)(&keys)), "keystore-unsafe");
                    let _ = fs::remove_dir(&file).or_else(|_| fs::remove_file(&file));
                    fs::rename(&aside, &file).expect("it moves back");
                }
            }
        }
    }

    fn make_folder(path: &Path) {
        fs::create_dir(path).expect("a folder");
    }

    fn make_pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    }

    #[test]
    fn a_file_for_a_folder_is_refused() {
        for kept in KEPT {
            let file = tempfile::NamedTempFile::new().expect("a file");
            assert_eq!(code((kept.open)(file.path())), "keystore-unsafe");
            assert_eq!(code((kept.create)(file.path())), "keystore-unsafe");
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).expect("a folder");
        chmod(&keys, 0o700);
        // Only who may give files away can try it.
        if std::os::unix::fs::chown(&keys, Some(65534), None).is_ok() {
            let Err(error) = (PLAIN.create)(&keys) else {
                panic!("it is taken");
            };
            assert!(error.to_string().ends_with("found user 65534"), "{error}");
        }
    }
}

#[test]
fn nothing_that_is_printed_has_a_seed_or_a_passphrase() {
    let folder = filled(&PLAIN);
    let plain = PlainKeystore::open(&folder.path().join("keys")).expect("it is there");
    let folder = filled(&ENCRYPTED);
    let keys = folder.path().join("keys");
    let encrypted = EncryptedKeystore::open_at(&keys, &"correct horse".into(), CHEAP);
    let encrypted = encrypted.expect("it is there");
    let mut memory = MemoryKeystore::new(STORE);
    memory.put(&[&seed(1), &seed(2)], at(1)).expect("new");
    let shown = format!("{plain:?} {encrypted:?} {memory:?} {:?}", memory.entries());
    assert!(shown.contains(key(1).as_str()));
    for byte in [1, 2] {
        assert!(!shown.contains(&seed(byte).expose()[4..20]), "{shown}");
    }
    assert!(!shown.contains("correct horse"));
    let secret = format!("{:?}", [1_u8; 32]);
    assert!(!shown.contains(&secret[1..20]), "{shown}");
}

#[test]
fn codes_are_unique_and_none_has_vanished() {
    let path = || std::path::PathBuf::from("p");
    let (kind, key) = (KeystoreKind::Plain, key(1));
    let errors = [
        KeystoreError::NotFound { folder: path() },
        KeystoreError::Exists {
            folder: path(),
            kind,
        },
        KeystoreError::Kind {
            folder: path(),
            expected: kind,
            found: kind,
        },
        KeystoreError::TwoKinds { folder: path() },
        KeystoreError::not_safe(&path(), Unsafe::Link),
        KeystoreError::Busy { folder: path() },
        KeystoreError::Passphrase { path: path() },
        KeystoreError::NoPassphrase,
        CHEAP.check(KdfParams::LEAST).expect_err("too cheap"),
        KeystoreError::Memory { kib: 1 },
        KeystoreError::malformed(&path(), "cut"),
        KeystoreError::Seed { path: path(), key },
        KeystoreError::NoKey { key },
        KeystoreError::io("reading", &path())(std::io::ErrorKind::Other.into()),
    ];
    let codes: Vec<&str> = errors.iter().map(KeystoreError::code).collect();
    assert_eq!(
        codes,
        [
            "keystore-not-found",
            "keystore-exists",
            "keystore-kind-wrong",
            "keystore-two-kinds",
            "keystore-unsafe",
            "keystore-busy",
            "passphrase-wrong",
            "passphrase-empty",
            "kdf-cost-invalid",
            "kdf-memory",
            "keystore-malformed",
            "keystore-seed-damaged",
            "key-not-found",
            "keystore-io",
        ]
    );
    for error in errors {
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.is_empty(), "{text}");
    }
}
