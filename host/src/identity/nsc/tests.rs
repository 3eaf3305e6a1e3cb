use std::fs;
use std::path::PathBuf;

use cim_core::time::Timestamp;
use tempfile::TempDir;

use super::*;

/// A store as `nsc` lays it out: an operator with a signing key, an account `app` with a scope and a
/// key of its authorization, and the users `ann`, with creds as well, and `bob`.
struct Layout {
    root: TempDir,
}

impl Layout {
    fn new() -> Self {
        let layout = Self {
            root: tempfile::tempdir().expect("a folder"),
        };
        layout.write("stores/acme/.nsc", INFO_TEXT);
        layout.write("stores/acme/acme.jwt", &operator());
        let app = account("app", 3, |body| {
            let template = cim_core::jwt::UserLimits::default();
            let scope =
                cim_core::jwt::Scope::new(public(KeyKind::Account, 4).as_str(), "r", template);
            body.signing_keys.push(SigningKey::Scoped(Box::new(scope)));
            body.authorization.xkey = public(KeyKind::Curve, 5).to_string();
        });
        // As `nsc generate creds` and `nsc export` decorate them.
        layout.write(
            "stores/acme/accounts/app/app.jwt",
            &format!("-----BEGIN NATS ACCOUNT JWT-----\n{app}\n------END NATS ACCOUNT JWT------\n"),
        );
        for (name, byte) in [("ann", 6), ("bob", 7)] {
            let path = format!("stores/acme/accounts/app/users/{name}.jwt");
            layout.write(&path, &user(name, byte, 3));
        }
        layout.write(
            "stores/acme/accounts/SYS/SYS.jwt",
            &account("SYS", 8, |_| {}),
        );
        fs::create_dir(layout.at("stores/acme/accounts/deleted")).expect("a folder");
        for (kind, byte) in SEEDS {
            layout.keep(&Seed::new(kind, [byte; 32]));
        }
        let creds = Creds::new(user("ann", 6, 3), Seed::new(KeyKind::User, [6; 32]));
        let creds = creds.expect("her own");
        layout.write("keys/creds/acme/app/ann.creds", &creds.expose());
        layout.write("keys/.gitignore", "**/*.nk\n");
        layout
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn keep(&self, seed: &Seed) {
        // No end of a line, as `nsc` writes it.
        self.write(&path_of(&seed.public_key()), &seed.expose());
    }

    fn folders(&self) -> NscFolders {
        NscFolders {
            stores: self.at("stores"),
            keys: self.at("keys"),
        }
    }

    fn read(&self) -> Result<NscStore, NscError> {
        NscStore::read(&self.folders(), "acme")
    }

    #[track_caller]
    fn error(&self) -> NscError {
        self.read().map(drop).expect_err("refused")
    }
}

fn path_of(key: &PublicKey) -> String {
    let text = key.as_str();
    format!("keys/keys/{}/{}/{text}.nk", &text[..1], &text[1..3])
}

fn public(kind: KeyKind, byte: u8) -> PublicKey {
    Seed::new(kind, [byte; 32]).public_key()
}

fn operator() -> String {
    let own = Seed::new(KeyKind::Operator, [1; 32]);
    let body = OperatorClaims {
        signing_keys: vec![public(KeyKind::Operator, 2).to_string()],
        ..OperatorClaims::default()
    };
    let mut claims = Claims::new(own.public_key(), "acme", body);
    claims.sign(&own, Timestamp::default()).expect("its own")
}

fn account(name: &str, byte: u8, change: impl FnOnce(&mut AccountClaims)) -> String {
    let mut body = AccountClaims::default();
    change(&mut body);
    let mut claims = Claims::new(public(KeyKind::Account, byte), name, body);
    let signer = Seed::new(KeyKind::Operator, [2; 32]);
    let signed = claims.sign(&signer, Timestamp::default());
    signed.expect("operators sign accounts")
}

fn user(name: &str, byte: u8, signer: u8) -> String {
    let mut claims = Claims::new(public(KeyKind::User, byte), name, UserClaims::default());
    let signer = Seed::new(KeyKind::Account, [signer; 32]);
    let signed = claims.sign(&signer, Timestamp::default());
    signed.expect("accounts sign users")
}

#[test]
fn all_is_read_and_what_is_missing_is_named() {
    let layout = Layout::new();
    assert_eq!(layout.folders().operators().expect("a folder"), ["acme"]);
    let store = layout.read().expect("it is as nsc makes it");
    assert_eq!(store.operator.claims.name, "acme");
    assert!(!store.is_managed);
    let accounts: Vec<_> = store
        .accounts
        .iter()
        .map(|account| {
            let users = account.users.iter().map(|user| &*user.name);
            (&*account.token.name, users.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(accounts, [("SYS", vec![]), ("app", vec!["ann", "bob"])]);
    assert_eq!(
        store.accounts[1].users[0].text.expose(),
        user("ann", 6, 3),
        "the token alone"
    );
    let mut expected: Vec<PublicKey> = SEEDS
        .into_iter()
        .map(|(kind, byte)| public(kind, byte))
        .chain([public(KeyKind::User, 6)])
        .collect();
    expected.sort();
    assert!(store.seeds.keys().eq(&expected));
    assert!(
        store
            .seeds
            .iter()
            .all(|(key, seed)| seed.public_key() == *key)
    );
    let missing = |kind, byte, whose: &str| MissingSeed {
        key: public(kind, byte),
        whose: whose.to_owned(),
    };
    assert_eq!(
        store.missing,
        [
            missing(KeyKind::Operator, 1, "operator `acme`"),
            missing(KeyKind::Account, 8, "account `SYS`"),
            missing(KeyKind::User, 7, "user `bob` of account `app`"),
        ]
    );
}

#[test]
fn nothing_that_is_printed_has_a_token_or_a_seed() {
    let store = Layout::new().read().expect("it is as nsc makes it");
    let shown = format!("{store:?}");
    assert!(shown.contains("acme"));
    assert!(!shown.contains(&user("ann", 6, 3)));
    for seed in store.seeds.values() {
        assert!(!shown.contains(&seed.expose()[4..20]));
    }
}

#[test]
fn without_a_folder_of_keys_all_seeds_are_missing() {
    let layout = Layout::new();
    fs::remove_dir_all(layout.at("keys")).expect("it is there");
    let store = layout.read().expect("the tokens are there");
    assert!(store.seeds.is_empty());
    assert_eq!(store.missing.len(), 8);
}

#[test]
fn creds_of_a_user_that_was_made_anew_are_not_its() {
    let layout = Layout::new();
    layout.write("stores/acme/accounts/app/users/ann.jwt", &user("ann", 9, 3));
    let store = layout.read().expect("it is as nsc makes it");
    let ann = public(KeyKind::User, 9);
    assert!(store.missing.iter().any(|missing| missing.key == ann));
    assert!(!store.seeds.contains_key(&public(KeyKind::User, 6)));
}

#[test]
fn a_store_that_somebody_else_runs_is_told() {
    let layout = Layout::new();
    let managed = INFO_TEXT.replace("false", "true");
    layout.write("stores/acme/.nsc", &managed);
    assert!(layout.read().expect("it is as nsc makes it").is_managed);
}

#[test]
fn what_is_wrong_is_refused_with_its_file() {
    let seed = path_of(&public(KeyKind::Account, 3));
    let other = Seed::new(KeyKind::Account, [4; 32]).expose();
    let unsigned = operator().replace('.', ".A");
    let user = user("app", 6, 3);
    let dots = INFO_TEXT.replace("\"acme\"", "\"../acme\"");
    let long = "x".repeat((1 << 20) + 1);
    for (path, text, code) in [
        ("stores/acme/.nsc", "", "nsc-malformed"),
        ("stores/acme/.nsc", &*dots, "nsc-malformed"),
        (
            "stores/acme/.nsc",
            &INFO_TEXT.replace("\"1\"", "\"2\""),
            "nsc-malformed",
        ),
        ("stores/acme/acme.jwt", &unsigned, "jwt-base64"),
        ("stores/acme/acme.jwt", &long, "nsc-too-long"),
        ("stores/acme/accounts/app/app.jwt", &user, "jwt-kind"),
        (&seed, &other, "nsc-another-seed"),
        (&seed, &other[1..], "seed-invalid"),
        ("keys/creds/acme/app/ann.creds", "", "creds-incomplete"),
    ] {
        let layout = Layout::new();
        layout.write(path, text);
        let error = layout.error();
        assert_eq!(error.code(), code, "{path}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(path), "{shown}");
        assert!(!shown.contains(&other[4..20]), "{shown}");
    }
}

#[test]
fn a_store_that_is_not_there_is_named() {
    let layout = Layout::new();
    fs::remove_file(layout.at("stores/acme/acme.jwt")).expect("it is there");
    let error = layout.error();
    assert_eq!(error.code(), "nsc-not-found");
    assert!(error.to_string().contains("acme.jwt"), "{error}");
    for (operator, code) in [
        ("other", "nsc-not-found"),
        ("../stores/acme", "nsc-malformed"),
        ("..", "nsc-malformed"),
        ("", "nsc-malformed"),
    ] {
        let error = NscStore::read(&layout.folders(), operator).map(drop);
        assert_eq!(error.expect_err(operator).code(), code, "{operator}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    for path in [
        "stores/acme",
        "stores/acme/.nsc",
        "stores/acme/acme.jwt",
        "stores/acme/accounts",
        "stores/acme/accounts/app",
        "stores/acme/accounts/app/users",
        "stores/acme/accounts/app/users/ann.jwt",
        "keys/keys",
        "keys/creds",
        &path_of(&public(KeyKind::Account, 3)),
    ] {
        let layout = Layout::new();
        let target = layout.at("target");
        fs::rename(layout.at(path), &target).expect("it is there");
        std::os::unix::fs::symlink(&target, layout.at(path)).expect("a link");
        let error = layout.error();
        assert_eq!(error.code(), "nsc-link", "{path}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

const INFO_TEXT: &str = r#"{"managed":false,"name":"acme","kind":"operator","version":"1"}"#;

/// The seeds that are kept. The operator's own is somewhere safe, `ann`'s is in her creds.
const SEEDS: [(KeyKind, u8); 4] = [
    (KeyKind::Operator, 2),
    (KeyKind::Account, 3),
    (KeyKind::Account, 4),
    (KeyKind::Curve, 5),
];
