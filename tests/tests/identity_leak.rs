//! No seed is anywhere but in the keystore and in creds: not in what commands say, nor in logs, events
//! or any other file.

use std::fs;
use std::path::Path;

use cim_host::identity::keystore::{EncryptedKeystore, Keystore, PlainKeystore};
use cim_tests::leak;

use self::keys_command::{Identities, PASSPHRASE};

#[path = "support/keys.rs"]
mod keys_command;

/// All that people do, and much that goes wrong. What commands say and what servers log is looked
/// through where they are run.
fn live(identities: &Identities) {
    let server = identities.server();
    let run = |line: &str| identities.run(&line.split(' ').collect::<Vec<_>>());
    for (line, codes) in [
        ("operator create other --strict", &[0][..]),
        ("operator list --json", &[0][..]),
        ("operator show local --json", &[0][..]),
        ("account create more --operator local --jetstream", &[0][..]),
        ("account create more --operator local", &[1][..]),
        (
            "account set more --claims {\"limits\":{\"conn\":7}}",
            &[0][..],
        ),
        ("account set more --claims {\"limits\":7}", &[2][..]),
        ("account show more", &[0][..]),
        (
            "user create ann --account more --publish a.> --deny-subscribe b",
            &[0][..],
        ),
        ("user create bea --account more --bearer --json", &[0][..]),
        ("user creds ann", &[0][..]),
        ("user creds bea --json", &[0][..]),
        ("user creds nobody", &[3][..]),
        ("user show ann", &[0][..]),
        ("user list --json", &[0][..]),
        (
            "signing-key create more --role r --publish x --json",
            &[0][..],
        ),
        ("signing-key list", &[0][..]),
        ("permissions set ann --publish c", &[0][..]),
        ("permissions check ann publish c --json", &[0][..]),
        ("server diff --operator local --json", &[0, 7][..]),
        ("server push --operator local --json", &[0][..]),
        (
            "server push --operator local --nats nats://127.0.0.1:1",
            &[9][..],
        ),
        ("account rotate more --json", &[0][..]),
        ("user rotate ann --dry-run --json", &[0][..]),
        ("user rotate ann", &[0][..]),
        ("revoke bea", &[0][..]),
        ("server push --operator local", &[0][..]),
        ("jwt decode identity/creds/more/ann.creds", &[0][..]),
        ("jwt decode identity/creds/more/ann.creds --json", &[0][..]),
        (
            "jwt validate identity/creds/more/bea.creds --json",
            &[0][..],
        ),
        ("passphrase", &[1, 2][..]),
        ("init", &[1][..]),
        ("no-such-command", &[2][..]),
    ] {
        let ran = run(line);
        // What ends otherwise has not done what is looked through here.
        let is_expected = codes.contains(&ran.code);
        assert!(
            is_expected,
            "{} exits {}: {}",
            ran.command, ran.code, ran.stderr
        );
    }
    // A seed where something else belongs is not said again.
    let creds = fs::read_to_string(identities.creds("APP/app")).expect("creds");
    let seed = leak::seed_in(creds.as_bytes()).expect("creds have a seed");
    fs::write(identities.path().join("seed.jwt"), &seed).expect("written");
    for line in [
        format!("user show {seed}"),
        format!("account show {seed}"),
        format!("operator show {seed} --json"),
        format!("signing-key show {seed}"),
        format!("signing-key create {seed}"),
        format!("permissions check {seed} publish a"),
        format!("revoke {seed}"),
        format!("user create {seed} --account more --dry-run"),
        format!("user create {seed} --account more"),
        format!("account create {seed}"),
        format!("server push {seed}"),
        format!("account set more --claims {{\"description\":\"{seed}\"}}"),
        format!("account set more --claims {seed}"),
        "jwt decode seed.jwt".to_owned(),
        "jwt validate seed.jwt --json".to_owned(),
    ] {
        run(&line);
    }
    fs::remove_file(identities.path().join("seed.jwt")).expect("removed");
    drop(server);
}

/// Every seed of the keystore, as it would stand in a file: as text, and its bytes in three ways.
fn forms(keystore: &dyn Keystore) -> Vec<Vec<u8>> {
    let entries = keystore.entries();
    assert!(entries.len() > 10, "much was made");
    let seeds = entries.iter().map(|entry| {
        let seed = keystore.seed(&entry.key).expect("it opens");
        seed.expect("it is there").expose().to_string()
    });
    seeds
        .flat_map(|seed| {
            let bytes = data_encoding::BASE32_NOPAD.decode(&seed.as_bytes()[..56]);
            // Two bytes say what the key is for.
            let bytes = bytes.expect("seeds are base32")[2..34].to_vec();
            [
                seed.into_bytes(),
                data_encoding::HEXLOWER.encode(&bytes).into_bytes(),
                data_encoding::BASE64.encode(&bytes).as_bytes()[..40].to_vec(),
                bytes,
            ]
        })
        .collect()
}

fn check_files(folder: &Path, forms: &[Vec<u8>], seen: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            if name != "keystore" && name != "creds" {
                check_files(&path, forms, seen);
            }
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        let shown = path.display().to_string();
        leak::check(&shown, &bytes);
        for form in forms {
            let is_there = bytes.windows(form.len()).any(|window| window == form);
            assert!(!is_there, "{shown} holds a seed");
        }
        seen.push(name.into_owned());
    }
}

fn check(identities: &Identities, keystore: &dyn Keystore) {
    let mut seen = Vec::new();
    check_files(identities.path(), &forms(keystore), &mut seen);
    for name in [
        "cim.db",
        "nats-server.conf",
        "nats-server.log",
        "events.toml",
    ] {
        assert!(
            seen.iter().any(|seen| seen == name),
            "{name} was looked through: {seen:?}"
        );
    }
}

#[test]
fn no_seed_leaves_a_plain_keystore() {
    let identities = Identities::init(&["--keystore", "plain"]);
    live(&identities);
    let folder = identities.path().join("identity/keystore");
    let keystore = PlainKeystore::open(&folder).expect("it opens");
    check(&identities, &keystore);
}

#[test]
fn no_seed_leaves_an_encrypted_keystore() {
    let identities = Identities::init(&[]);
    live(&identities);
    let folder = identities.path().join("identity/keystore");
    let keystore = EncryptedKeystore::open(&folder, &PASSPHRASE.into()).expect("it opens");
    check(&identities, &keystore);
    // Nor is it in the keystore's own file.
    let mut seen = Vec::new();
    check_files(&folder, &forms(&keystore), &mut seen);
    assert!(seen.iter().any(|seen| seen == "keystore.json"), "{seen:?}");
}

#[test]
#[cfg(unix)]
fn a_keystore_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    for kind in ["plain", "encrypted"] {
        let identities = Identities::init(&["--keystore", kind]);
        let folder = identities.path().join("identity/keystore");
        let open = || identities.run(&["account", "create", "more", "--dry-run"]);
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        };
        let file = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .find(|path| {
                path.extension()
                    .is_some_and(|name| name == "nk" || name == "json")
            })
            .expect("a file with a seed");
        open().exits(0);
        set(&file, 0o640);
        let refused = open().exits(4);
        assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
        set(&file, 0o600);
        set(&folder, 0o750);
        let refused = open().exits(4);
        assert!(refused.stderr.contains("chmod 700"), "{}", refused.stderr);
        set(&folder, 0o700);
        open().exits(0);
        let elsewhere = identities.path().join("elsewhere");
        fs::rename(&file, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, &file).expect("linked");
        let refused = open().exits(4);
        assert!(refused.stderr.contains("link"), "{}", refused.stderr);
    }
}
