use std::collections::BTreeMap;
use std::sync::Arc;

use cim_core::id::Namespace;
use cim_core::jwt::{
    Export, Import, Limit, Login, OperatorClaims, Permission, SigningKey, Token, login_findings,
};
use cim_core::nkey::Seed;
use cim_core::subject::StoreTemplate;

use super::*;
use crate::clock;
use crate::identity::Identities;
use crate::identity::keystore::MemoryKeystore;
use crate::memory::MemoryStore;
use crate::store::EventStore;

async fn identities() -> Identities {
    let store = Arc::new(MemoryStore::new(StoreTemplate::default()));
    let keystore = Box::new(MemoryKeystore::new(store.info().store_id));
    let namespace = Namespace::new("acme.it.orders").expect("a namespace");
    Identities::open(store, keystore, &namespace)
        .await
        .expect("it opens")
}

fn seed(kind: KeyKind, byte: u8) -> Seed {
    Seed::new(kind, [byte; 32])
}

fn public(kind: KeyKind, byte: u8) -> PublicKey {
    seed(kind, byte).public_key()
}

fn token<B: Body>(mut claims: Claims<B>, signer: &Seed, at: Timestamp) -> NscToken<B> {
    let text = claims.sign(signer, at).expect("it may sign");
    let read = Token::read(&text).expect("just signed");
    NscToken {
        name: claims.name.clone(),
        text: text.as_str().into(),
        key: claims.subject.parse().expect("a key"),
        claims: read.claims().expect("of this kind"),
    }
}

const OPERATOR: KeyKind = KeyKind::Operator;
const ACCOUNT: KeyKind = KeyKind::Account;
const USER: KeyKind = KeyKind::User;

/// An operator with a signing key and without the seed of its own, the account `orders` with a role, a
/// plain signing key, a revocation and an export, `shop` with an import, and four users.
fn store() -> NscStore {
    let now = clock::now();
    let operator = OperatorClaims {
        signing_keys: vec![public(OPERATOR, 2).to_string()],
        service_urls: vec!["nats://localhost:4222".to_owned()],
        is_strict: true,
        ..OperatorClaims::default()
    };
    let mut operator = Claims::new(public(OPERATOR, 1), "acme", operator);
    operator.tags = vec!["a:b".to_owned()];

    let template = UserLimits {
        subscribe: Permission::only(["orders.{{account-tag(team)}}.{{name()}}.>"]),
        payload: Limit::at_most(100),
        ..UserLimits::default()
    };
    let mut scope = Scope::new(public(ACCOUNT, 4).as_str(), "reader", template);
    scope.description = "who reads".to_owned();
    let mut orders = AccountClaims {
        signing_keys: vec![
            SigningKey::Scoped(Box::new(scope)),
            SigningKey::Plain(public(ACCOUNT, 5).to_string()),
        ],
        exports: vec![Export::stream("orders.>")],
        ..AccountClaims::default()
    };
    orders.limits.connections = Limit::at_most(10);
    orders.authorization.xkey = public(KeyKind::Curve, 9).to_string();
    orders.authorization.users = vec![public(USER, 8).to_string()];
    orders.other.insert("later".to_owned(), 7.into());
    orders.revoke(public(USER, 7).as_str(), i64::MAX / 2);
    let mut orders = Claims::new(public(ACCOUNT, 3), "orders", orders);
    orders.tags = vec!["team:blue".to_owned()];
    let shop = AccountClaims {
        imports: vec![Import::stream(public(ACCOUNT, 3), "orders.>")],
        signing_keys: vec![SigningKey::Plain(public(ACCOUNT, 12).to_string())],
        ..AccountClaims::default()
    };
    let shop = Claims::new(public(ACCOUNT, 6), "shop", shop);

    let user = |name: &str, byte, limits: UserLimits, signer: u8, account: u8| {
        let body = UserClaims {
            limits,
            issuer_account: public(ACCOUNT, account).to_string(),
            ..UserClaims::default()
        };
        let mut claims = Claims::new(public(USER, byte), name, body);
        claims.tags = vec!["x:y".to_owned()];
        token(claims, &seed(ACCOUNT, signer), now)
    };
    let limits = UserLimits {
        publish: Permission::only(["a"]),
        ..UserLimits::default()
    };
    let signer = seed(OPERATOR, 2);
    let seeds = [
        seed(OPERATOR, 2),
        seed(ACCOUNT, 3),
        seed(ACCOUNT, 4),
        seed(ACCOUNT, 5),
        seed(ACCOUNT, 12),
        seed(USER, 8),
        seed(USER, 10),
        seed(USER, 11),
        seed(KeyKind::Curve, 9),
    ];
    NscStore {
        operator: token(operator, &seed(OPERATOR, 1), now),
        is_managed: false,
        accounts: vec![
            NscAccount {
                token: token(orders, &signer, now),
                users: vec![
                    user("ann", 8, UserLimits::none(), 4, 3),
                    user("bob", 7, limits.clone(), 5, 3),
                    user("carl", 10, limits.clone(), 5, 3),
                ],
            },
            NscAccount {
                token: token(shop, &signer, now),
                users: vec![user("ann", 11, limits, 12, 6)],
            },
        ],
        seeds: BTreeMap::from_iter(seeds.map(|seed| (seed.public_key(), seed))),
        missing: vec![
            MissingSeed {
                key: public(OPERATOR, 1),
                whose: "operator `acme`".to_owned(),
            },
            MissingSeed {
                key: public(USER, 7),
                whose: "user `bob` of account `orders`".to_owned(),
            },
        ],
    }
}

async fn import(identities: &mut Identities, store: &NscStore) -> NscImport {
    let import = identities.change(|draft| draft.import_nsc(store)).await;
    import.expect("it is taken")
}

/// What a token says, without what signing it anew changes.
fn rest<B: Body>(text: &str) -> Claims<B> {
    let mut claims: Claims<B> = Token::read(text)
        .and_then(|token| token.claims())
        .expect("ours");
    claims.issued_at = 0;
    claims.id.clear();
    claims.issuer.clear();
    claims.body.sort();
    claims
}

#[tokio::test]
async fn accounts_say_what_they_said_and_users_log_in() {
    let (mut identities, mut store) = (identities().await, store());
    store.accounts[0].token.claims.issued_at += 1000;
    let imported = import(&mut identities, &store).await;
    let names: Vec<&str> = imported.items.iter().map(|item| &*item.name).collect();
    let expected = [
        "acme",
        "orders",
        "orders/ann",
        "orders/bob",
        "orders/carl",
        "shop",
        "shop/ann",
    ];
    assert_eq!(names, expected);
    assert!(imported.items.iter().all(|item| item.is_new));
    // All but the one that opens what is asked of who decides about logins.
    assert_eq!(imported.seeds.len(), store.seeds.len() - 1);
    assert_eq!(imported.missing, store.missing);
    assert_eq!(imported.notes.len(), 2, "{:?}", imported.notes);

    for account in &store.accounts {
        let text = identities
            .account_token(account.token.key)
            .expect("it signs");
        let token = Token::read(&text).expect("just signed");
        let claims: Claims<AccountClaims> = token.claims().expect("an account's");
        assert!(
            claims.issued_at > account.token.claims.issued_at,
            "{}",
            claims.name
        );
        assert_eq!(
            rest(&text),
            rest::<AccountClaims>(account.token.text.expose())
        );
    }
    let operator = identities
        .operator_claims(store.operator.key)
        .expect("it is there");
    assert_eq!(operator.body, store.operator.claims.body);
    assert_eq!(operator.tags, store.operator.claims.tags);

    let trust = Trust::of(&operator);
    let mut logins = 0;
    for account in &store.accounts {
        let text = identities
            .account_token(account.token.key)
            .expect("it signs");
        let claims = Token::read(&text)
            .and_then(|token| token.claims())
            .expect("just signed");
        for user in account
            .users
            .iter()
            .filter(|user| user.claims.name != "bob")
        {
            let issue = identities.change(|draft| draft.generate_credentials(user.key, 0));
            let creds = issue.await.expect("it logs in");
            let login = Login::at(clock::now());
            let server = ServerVersion::default();
            let token = Token::read(creds.token()).expect("just signed");
            let found = login_findings(&token, &claims, &trust, server, &login);
            assert_eq!(found.expect("a user's"), []);
            let issued: Claims<UserClaims> = token.claims().expect("a user's");
            assert!(issued.issued_at > user.claims.issued_at);
            assert_eq!(issued.body, user.claims.body);
            assert_eq!(issued.tags, user.claims.tags);
            logins += 1;
        }
    }
    assert_eq!(logins, 3);
    let ann = identities.effective(public(USER, 8)).expect("her role");
    assert!(ann.may_subscribe("orders.blue.ann.x", None).is_allowed());
    // His seed is missing, and he was revoked.
    let bob = identities.change(|draft| draft.generate_credentials(public(USER, 7), 0));
    bob.await.expect_err("he is revoked");
}

#[tokio::test]
async fn what_is_there_is_passed_over_and_what_was_missing_is_added() {
    let (mut identities, mut store) = (identities().await, store());
    let shop = store.accounts.pop().expect("two accounts");
    let ann = store.accounts[0].users.remove(0);
    import(&mut identities, &store).await;
    let before = identities.directory().clone();
    let again = import(&mut identities, &store).await;
    assert_eq!(*identities.directory(), before);
    assert!(again.items.iter().all(|item| !item.is_new));
    assert!(again.seeds.is_empty());
    assert_eq!(again.missing, store.missing);

    // What came later, and a seed that was in a safe.
    store.accounts[0].users.push(ann);
    store.accounts.push(shop);
    let found = seed(OPERATOR, 1);
    store.seeds.insert(found.public_key(), found);
    store.missing.remove(0);
    let more = import(&mut identities, &store).await;
    let new = more.items.iter().filter(|item| item.is_new);
    let new: Vec<&str> = new.map(|item| &*item.name).collect();
    assert_eq!(new, ["orders/ann", "shop", "shop/ann"]);
    identities
        .operator_token(store.operator.key)
        .expect("its seed is there now");

    // A seed alone is no event, and is kept all the same.
    let found = seed(USER, 7);
    store.seeds.insert(found.public_key(), found);
    store.missing.clear();
    let more = import(&mut identities, &store).await;
    assert_eq!(more.seeds, [public(USER, 7)]);
    let kept = identities
        .keystore()
        .seed(&public(USER, 7))
        .expect("it reads");
    assert!(kept.is_some());

    // What nsc says by now is told, and not taken.
    store.accounts[1].token.claims.body.description = "changed".to_owned();
    let more = import(&mut identities, &store).await;
    let told = more
        .notes
        .iter()
        .any(|note| note.starts_with("account `shop` is here already"));
    assert!(told, "{:?}", more.notes);
}

#[tokio::test]
async fn all_that_is_wrong_is_named_and_nothing_is_taken() {
    let (mut identities, mut store) = (identities().await, store());
    let orders = &mut store.accounts[0];
    let mut keys = orders.token.claims.body.signing_keys.iter();
    let mut scope = keys.find_map(SigningKey::scope).expect("a scope").clone();
    scope.key = public(ACCOUNT, 20).to_string();
    scope.template.subscribe = Permission::default();
    orders
        .token
        .claims
        .body
        .signing_keys
        .push(SigningKey::Scoped(Box::new(scope)));
    orders.users[2]
        .claims
        .body
        .limits
        .sources
        .0
        .push("home".to_owned());
    let shop = &mut store.accounts[1];
    let mut ghost = shop.users[0].clone();
    ghost.key = public(USER, 30);
    ghost.claims.issuer = public(ACCOUNT, 31).to_string();
    shop.users.push(ghost);
    let mut again = shop.users[0].clone();
    again.key = public(USER, 32);
    shop.users.push(again);
    let mut late = shop.users[0].clone();
    late.key = public(USER, 33);
    late.claims.name = "late".to_owned();
    late.claims.issued_at = i64::MAX;
    shop.users.push(late);

    let refused = identities.change(|draft| draft.import_nsc(&store)).await;
    let Err(IdentityError::NscRefused { problems }) = refused else {
        panic!("{refused:?}");
    };
    let found: Vec<(&str, &str)> = problems
        .iter()
        .map(|problem| (&*problem.whose, problem.source.code()))
        .collect();
    assert_eq!(
        found,
        [
            ("account `orders`", "role-twice"),
            ("user `orders/carl`", "claims-refused"),
            ("user `shop/ann`", "claims-refused"),
            ("user `shop/ann`", "name-taken"),
            ("user `shop/late`", "claims-refused"),
        ]
    );
    assert!(
        problems[2]
            .to_string()
            .contains("neither the account nor a signing key of it")
    );
    assert!(
        problems[4]
            .to_string()
            .contains("it was signed at the second 9223372036854775807")
    );
    assert_eq!(
        *identities.directory(),
        cim_core::domain::keys::Directory::default()
    );
    assert!(identities.keystore().entries().is_empty());
}

#[tokio::test]
async fn a_name_that_another_one_has_is_refused() {
    let mut identities = identities().await;
    let create = |draft: &mut Draft<'_>| draft.create_operator("acme", OperatorClaims::default());
    identities.change(create).await.expect("made");
    let refused = identities.change(|draft| draft.import_nsc(&store())).await;
    let Err(IdentityError::NscRefused { problems }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].source.code(), "name-taken");
}
