use std::sync::{Arc, Mutex};

use cim_core::domain::keys::{KeyState, Refusal};
use cim_core::id::Namespace;
use cim_core::jwt::{
    AccountClaims, Claims, OperatorClaims, Permission, Permissions, Token, Trust, UserClaims,
    UserLimits,
};
use cim_core::nkey::{PublicKey, Seed};
use cim_core::subject::StoreTemplate;
use cim_core::time::Timestamp;
use uuid::Uuid;

use super::keystore::{Entry, Keystore, KeystoreError, MemoryKeystore, State};
use super::{Draft, Identities, IdentityError};
use crate::clock;
use crate::memory::MemoryStore;
use crate::store::EventStore;

fn namespace() -> Namespace {
    Namespace::new("acme.it.orders").expect("a namespace")
}

/// A store and a keystore that outlive a process.
struct Disk {
    store: Arc<MemoryStore>,
    keystore: Arc<Mutex<MemoryKeystore>>,
}

impl Disk {
    fn new() -> Self {
        let store = MemoryStore::new(StoreTemplate::default());
        let keystore = MemoryKeystore::new(store.info().store_id);
        Self {
            store: Arc::new(store),
            keystore: Arc::new(Mutex::new(keystore)),
        }
    }

    async fn open(&self) -> Identities {
        self.open_at(None, clock::now()).await
    }

    async fn open_at(&self, crash: Option<Crash>, now: Timestamp) -> Identities {
        let keystore = Box::new(Crashing {
            keystore: Arc::clone(&self.keystore),
            crash,
        });
        Identities::open_at(self.store.clone(), keystore, &namespace(), now)
            .await
            .expect("it opens")
    }
}

/// Where a process ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crash {
    BeforePut,
    BeforeAppend,
    BeforeConfirm,
    BeforeRemove,
    AfterAll,
}

/// A keystore that does nothing more from some point on.
struct Crashing {
    keystore: Arc<Mutex<MemoryKeystore>>,
    crash: Option<Crash>,
}

impl Crashing {
    fn ends(&self, at: Crash) -> Result<(), KeystoreError> {
        match self.crash == Some(at) {
            true => Err(KeystoreError::NoPassphrase),
            false => Ok(()),
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, MemoryKeystore> {
        self.keystore.lock().expect("nobody panics")
    }
}

impl Keystore for Crashing {
    fn store_id(&self) -> Uuid {
        self.inner().store_id()
    }

    fn entries(&self) -> Vec<Entry> {
        self.inner().entries()
    }

    fn put(&mut self, seeds: &[&Seed], now: Timestamp) -> Result<(), KeystoreError> {
        self.ends(Crash::BeforePut)?;
        self.inner().put(seeds, now)?;
        self.ends(Crash::BeforeAppend)
    }

    fn confirm(&mut self, keys: &[PublicKey]) -> Result<(), KeystoreError> {
        if !keys.is_empty() {
            self.ends(Crash::BeforeConfirm)?;
        }
        self.inner().confirm(keys)
    }

    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, KeystoreError> {
        self.inner().seed(key)
    }

    fn remove(&mut self, key: &PublicKey) -> Result<(), KeystoreError> {
        self.ends(Crash::BeforeRemove)?;
        self.inner().remove(key)
    }
}

/// An operator, an account and a user.
fn create(draft: &mut Draft<'_>) -> Result<[PublicKey; 3], IdentityError> {
    let operator = draft.create_operator("acme", OperatorClaims::default())?;
    let account = draft.create_account(operator, "orders", AccountClaims::default())?;
    let limits = UserLimits::default();
    let user = draft.create_user(account, "ann", None, limits, Vec::new())?;
    Ok([operator, account, user])
}

fn only(subject: &str) -> Permissions {
    Permissions {
        publish: Permission::only([subject]),
        ..Permissions::default()
    }
}

/// Every key that may sign has its seed, and every seed its key.
#[track_caller]
fn check_agreement(identities: &Identities) {
    for (key, entry) in &identities.directory().keys {
        let has_seed = identities.keystore().seed(key).expect("it reads").is_some();
        assert_eq!(has_seed, !entry.state.is_revoked(), "{key}");
    }
    for entry in identities.keystore().entries() {
        let state = identities.directory().key(entry.key);
        assert!(state.facts().is_some(), "{} has no event", entry.key);
        assert_eq!(entry.state, State::Kept);
    }
}

#[tokio::test]
async fn tokens_follow_from_the_history() {
    let disk = Disk::new();
    let mut identities = disk.open().await;
    let [operator, account, user] = identities.change(create).await.expect("made");
    let creds = identities
        .change(|draft| draft.generate_credentials(user, 0))
        .await
        .expect("issued");
    check_agreement(&identities);
    let tokens = |identities: &Identities| {
        let account = identities.account_token(account).expect("signed");
        (
            identities.operator_token(operator).expect("signed"),
            account,
        )
    };
    let before = tokens(&identities);
    let reopened = disk.open().await;
    assert_eq!(tokens(&reopened), before);
    assert_eq!(reopened.directory(), identities.directory());

    let user_token = Token::read(creds.token()).expect("signed");
    let claims: Claims<UserClaims> = user_token.claims().expect("a user's");
    assert_eq!(claims.body.issuer_account, account.as_str());
    let token = Token::read(&before.1).expect("signed");
    assert_ne!(token.issuer(), operator, "a signing key signs");
    let trust = Trust::of(&identities.operator_claims(operator).expect("made"));
    let account: Claims<AccountClaims> = token.claims().expect("an account's");
    let found = account.findings_for(&trust, Default::default(), clock::now());
    assert_eq!(found, []);

    // Whatever changes gives a later token.
    let at = |token: &str| {
        let claims = Token::read(token)
            .expect("signed")
            .claims::<AccountClaims>();
        claims.expect("an account's").issued_at
    };
    let key: PublicKey = account.subject.parse().expect("a key");
    let second = at(&before.1);
    for (index, subject) in ["a", "b"].into_iter().enumerate() {
        let set = |draft: &mut Draft<'_>| draft.set_permissions(key, only(subject));
        identities.change(set).await.expect("set");
        let token = identities.account_token(key).expect("signed");
        assert!(at(&token) > second + i64::try_from(index).expect("few"));
    }
}

#[tokio::test]
async fn what_a_user_may_is_answered_offline() {
    let mut identities = Disk::new().open().await;
    let [_, account, user] = identities.change(create).await.expect("made");
    let may = |identities: &Identities, user, subject| {
        let effective = identities.effective(user).expect("it applies");
        effective.may_publish(subject).is_allowed()
    };
    assert!(may(&identities, user, "anything"));
    let mut set = |draft: &mut Draft<'_>| draft.set_permissions(account, only("a.>"));
    identities.change(&mut set).await.expect("set");
    assert!(may(&identities, user, "a.b") && !may(&identities, user, "b"));
    let set = |draft: &mut Draft<'_>| draft.set_permissions(user, only("b"));
    identities.change(set).await.expect("set");
    assert!(!may(&identities, user, "a.b") && may(&identities, user, "b"));

    let of_role = |draft: &mut Draft<'_>| {
        let limits = UserLimits {
            publish: Permission::only(["team.{{name()}}.>"]),
            ..UserLimits::default()
        };
        draft.add_signing_key(account, Some(("member", limits)))?;
        let user = draft.create_user(account, "bob", Some("member"), UserLimits::none(), vec![])?;
        draft.generate_credentials(user, 0)
    };
    let creds = identities.change(of_role).await.expect("issued");
    let bob = creds.user();
    assert!(may(&identities, bob, "team.bob.x") && !may(&identities, bob, "team.ann.x"));
}

#[tokio::test]
async fn rotated_keys_sign_no_more_and_revoked_ones_are_gone() {
    let mut identities = Disk::new().open().await;
    let [_, account, user] = identities.change(create).await.expect("made");
    let issuer = |token: &str| Token::read(token).expect("signed").issuer();
    let issue = |draft: &mut Draft<'_>| draft.generate_credentials(user, 0);
    let creds = identities.change(issue).await.expect("issued");
    let old = issuer(creds.token());
    let rotate = |draft: &mut Draft<'_>| draft.rotate_signing_key(old);
    let new = identities.change(rotate).await.expect("rotated");
    let creds = identities.change(issue).await.expect("issued");
    assert_eq!(issuer(creds.token()), new);
    let keys = &identities.directory().accounts[&account].state.signing_keys;
    assert_eq!(keys.len(), 2, "what the old one has signed counts on");
    let again = identities
        .change(rotate)
        .await
        .expect_err("rotated already");
    assert_eq!(again.code(), "key-rotated");

    let remove = |draft: &mut Draft<'_>| draft.remove_signing_key(old, "rotated");
    identities.change(remove).await.expect("removed");
    assert!(matches!(
        identities.directory().key(old),
        KeyState::Revoked { .. }
    ));
    check_agreement(&identities);

    let revoke = |draft: &mut Draft<'_>| draft.revoke_user(user, "lost");
    identities.change(revoke).await.expect("revoked");
    check_agreement(&identities);
    let refused = identities.change(issue).await.expect_err("revoked");
    assert_eq!(refused.code(), "key-revoked");
    let rotate = |draft: &mut Draft<'_>| {
        let user = draft.rotate_user(user)?;
        draft.generate_credentials(user, 0)
    };
    let creds = identities.change(rotate).await.expect("made anew");
    let found = identities.directory().find_user("orders/ann");
    assert_eq!(found, Ok(creds.user()));
    let claims = identities.directory().accounts[&account].state.claims();
    let token: Claims<UserClaims> = Token::read(creds.token())
        .and_then(|token| token.claims())
        .expect("a user's");
    let claims = claims.expect("made").body;
    assert!(!claims.is_revoked(&token.subject, token.issued_at));
    check_agreement(&identities);
}

#[tokio::test]
async fn what_is_issued_behind_a_revocation_counts() {
    let mut identities = Disk::new().open().await;
    let [_, account, user] = identities.change(create).await.expect("made");
    let is_revoked = |identities: &Identities, creds: &cim_core::creds::Creds| {
        let token: Claims<UserClaims> = Token::read(creds.token())
            .and_then(|token| token.claims())
            .expect("a user's");
        let claims = identities.directory().accounts[&account].state.claims();
        let claims = claims.expect("made").body;
        claims.is_revoked(&token.subject, token.issued_at)
    };
    let issue = |draft: &mut Draft<'_>| draft.generate_credentials(user, 0);
    let [first, second] = [
        identities.change(issue).await.expect("issued"),
        identities.change(issue).await.expect("issued"),
    ];
    let revoke = |draft: &mut Draft<'_>| draft.revoke_all(account);
    identities.change(revoke).await.expect("revoked");
    assert!(is_revoked(&identities, &first) && is_revoked(&identities, &second));
    let third = identities.change(issue).await.expect("issued");
    assert!(!is_revoked(&identities, &third));
    let revoke = |draft: &mut Draft<'_>| draft.revoke_user(user, "lost");
    identities.change(revoke).await.expect("revoked");
    assert!(is_revoked(&identities, &third));
}

#[tokio::test]
async fn names_are_free_or_refused() {
    let mut identities = Disk::new().open().await;
    let [operator, account, _] = identities.change(create).await.expect("made");
    let limits = UserLimits::default;
    let refused = [
        identities.draft(|draft| draft.create_operator("acme", OperatorClaims::default())),
        identities.draft(|draft| draft.create_account(operator, "orders", Default::default())),
        identities.draft(|draft| draft.create_user(account, "ann", None, limits(), vec![])),
    ];
    for refused in refused {
        assert_eq!(refused.expect_err("taken").code(), "name-taken");
    }
    let unknown = Seed::new(cim_core::nkey::KeyKind::Account, [9; 32]).public_key();
    let refused =
        identities.draft(|draft| draft.create_user(unknown, "ann", None, limits(), Vec::new()));
    assert!(matches!(
        refused.expect_err("no account"),
        IdentityError::Refused(Refusal::Absent { what: "account" })
    ));
}

#[tokio::test]
async fn two_that_change_the_same_decide_anew() {
    let disk = Disk::new();
    let mut one = disk.open().await;
    let mut other = disk.open().await;
    let [_, account, _] = one.change(create).await.expect("made");
    let mut tries = 0;
    let set = |draft: &mut Draft<'_>| {
        tries += 1;
        let known = draft.directory().find_account("orders");
        match known {
            Ok(account) => draft.set_permissions(account, only("b")),
            Err(_) => draft
                .create_operator("acme", OperatorClaims::default())
                .map(drop),
        }
    };
    // It does not know yet what the first one made, and makes another operator: no conflict.
    other.change(set).await.expect("made");
    let mut stale = disk.open().await;
    one.change(|draft| draft.set_permissions(account, only("a")))
        .await
        .expect("set");
    let mut tries = 0;
    let set = |draft: &mut Draft<'_>| {
        tries += 1;
        draft.set_permissions(account, only("c"))
    };
    stale.change(set).await.expect("set, the second time");
    assert_eq!(tries, 2);
    check_agreement(&stale);
}

#[tokio::test]
async fn more_than_a_thousand_events_are_several_steps() {
    let mut identities = Disk::new().open().await;
    let [_, account, _] = identities.change(create).await.expect("made");
    let many = |draft: &mut Draft<'_>| {
        let users = (0..700).map(|number| {
            let limits = UserLimits::default();
            draft.create_user(account, &format!("user-{number}"), None, limits, Vec::new())
        });
        users.collect::<Result<Vec<_>, _>>()
    };
    let users = identities.change(many).await.expect("made");
    check_agreement(&identities);
    // The account's own history is longer than a step then.
    let revoke = |draft: &mut Draft<'_>| {
        let mut revoke = || {
            users
                .iter()
                .try_for_each(|user| draft.revoke_user(*user, "gone"))
        };
        revoke()
    };
    identities.change(revoke).await.expect("revoked");
    let state = &identities.directory().accounts[&account].state;
    assert_eq!(state.revocations.len(), 700);
    check_agreement(&identities);
}

#[tokio::test]
async fn a_role_says_one_thing() {
    let mut identities = Disk::new().open().await;
    let [_, account, _] = identities.change(create).await.expect("made");
    let add = |subject: &'static str| {
        move |draft: &mut Draft<'_>| {
            let limits = UserLimits {
                publish: Permission::only([subject]),
                ..UserLimits::default()
            };
            draft.add_signing_key(account, Some(("member", limits)))
        }
    };
    let first = identities.change(add("a")).await.expect("added");
    identities.change(add("a")).await.expect("the same");
    let refused = identities.change(add(">")).await.expect_err("another");
    assert_eq!(refused.code(), "role-twice");
    let rotate = |draft: &mut Draft<'_>| draft.rotate_signing_key(first);
    identities.change(rotate).await.expect("rotated");

    // Under a strict operator the last key without a role stays.
    let operator = identities.directory().find_operator(None).expect("the one");
    let strict = |draft: &mut Draft<'_>| {
        let claims = OperatorClaims {
            is_strict: true,
            ..OperatorClaims::default()
        };
        draft.set_operator(operator, claims)
    };
    identities.change(strict).await.expect("set");
    let state = &identities.directory().accounts[&account].state;
    let last = state.signing_keys_of(None).last().expect("a key");
    let remove = |draft: &mut Draft<'_>| draft.remove_signing_key(last, "");
    let refused = identities.change(remove).await.expect_err("the last one");
    assert_eq!(refused.code(), "last-signing-key");
}

#[tokio::test]
async fn what_could_not_be_read_again_is_not_stored() {
    let disk = Disk::new();
    let mut identities = disk.open().await;
    let [_, account, _] = identities.change(create).await.expect("made");
    let nested = |depth: usize| {
        let later = (0..depth).fold(serde_json::Value::Null, |inner, _| vec![inner].into());
        AccountClaims {
            other: [("later".to_owned(), later)].into(),
            ..AccountClaims::default()
        }
    };
    let depths = [100, 120, 124, 125, 126, 130, 1000];
    let mut refused = 0;
    for depth in depths {
        let set = |draft: &mut Draft<'_>| draft.set_account(account, nested(depth));
        if let Err(error) = identities.change(set).await {
            assert_eq!(error.code(), "event-unstorable");
            refused += 1;
        }
        let read = disk.open().await;
        assert_eq!(read.directory(), identities.directory(), "{depth}");
    }
    assert!((1..depths.len()).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_keystore_of_another_store_is_refused() {
    let store = Arc::new(MemoryStore::new(StoreTemplate::default()));
    let keystore = Box::new(MemoryKeystore::new(clock::store_id()));
    let refused = Identities::open(store, keystore, &namespace()).await;
    let refused = refused.expect_err("of another store");
    assert_eq!(refused.code(), "keystore-of-another-store");
}

#[tokio::test]
async fn keystore_and_events_agree_after_a_crash_anywhere() {
    for crash in [
        Crash::BeforePut,
        Crash::BeforeAppend,
        Crash::BeforeConfirm,
        Crash::BeforeRemove,
        Crash::AfterAll,
    ] {
        let disk = Disk::new();
        let [_, _, user] = disk.open().await.change(create).await.expect("made");
        let mut identities = disk.open_at(Some(crash), clock::now()).await;
        let ended = identities.change(|draft| draft.rotate_user(user)).await;
        let was_stored = !matches!(crash, Crash::BeforePut | Crash::BeforeAppend);
        assert_eq!(ended.is_ok(), was_stored, "{crash:?}");

        // At once, an append may still be under way: what is pending stays.
        let soon = disk.open().await;
        let pending = soon.keystore().entries();
        let pending = pending
            .iter()
            .any(|entry| matches!(entry.state, State::Pending { .. }));
        assert_eq!(pending, crash == Crash::BeforeAppend, "{crash:?}");
        drop(soon);

        let later = clock::now().micros() + 601_000_000;
        let later = Timestamp::from_micros(later).expect("a time");
        let mut identities = disk.open_at(None, later).await;
        check_agreement(&identities);
        let found = identities
            .directory()
            .find_user("ann")
            .expect("it is there");
        assert_eq!(found != user, was_stored, "{crash:?}");
        let issue = |draft: &mut Draft<'_>| draft.generate_credentials(found, 0);
        identities.change(issue).await.expect("it goes on");
    }
}
