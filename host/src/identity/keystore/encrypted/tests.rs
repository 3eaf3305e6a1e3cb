use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::identity::keystore::suite::{CHEAP, ENCRYPTED, STORE, at, filled, key, seed};

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
