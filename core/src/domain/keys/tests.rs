//! The four aggregates of keys, by their commands. One file: an account needs an operator, a user an
//! account, and the tests take them from each other.

use std::collections::BTreeSet;

use super::*;
use crate::aggregate::{Aggregate, fold};
use crate::append;
use crate::id::{AggregateId, AggregateKey, EventId, Namespace};
use crate::jwt::{
    AccountClaims, Limit, OperatorClaims, Permission, Permissions, Scope, SigningKey, UserLimits,
};
use crate::nkey::{KeyKind, PublicKey, Seed};
use crate::payload::{self, DomainEvent};
use crate::text::Text;
use crate::time::Timestamp;

fn key(kind: KeyKind, byte: u8) -> PublicKey {
    Seed::new(kind, [byte; 32]).public_key()
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).expect("a time")
}

fn moment(second: u64) -> Moment {
    Moment::at(at(second))
}

/// Decides, and takes what happens into the state.
fn run<A: Aggregate<State: Clone>>(
    state: &mut A::State,
    command: A::Command,
) -> Result<Vec<A::Event>, A::Error> {
    let events = A::decide(state, command)?;
    *state = fold::<A>(state.clone(), &events);
    Ok(events)
}

fn operator() -> OperatorState {
    let mut state = OperatorState::default();
    let create = OperatorCommand::Create {
        operator: key(KeyKind::Operator, 1),
        name: "acme".to_owned(),
        claims: OperatorClaims::default(),
    };
    run::<Operator>(&mut state, (create, moment(100))).expect("made");
    state
}

fn account() -> AccountState {
    let mut state = AccountState::default();
    let create = AccountCommand::Create {
        account: key(KeyKind::Account, 1),
        name: "orders".to_owned(),
        operator: operator().reference().expect("it is there"),
        claims: Box::default(),
    };
    run::<Account>(&mut state, (create, moment(100))).expect("made");
    state
}

fn scoped(byte: u8, role: &str, limits: UserLimits) -> SigningKey {
    let scope = Scope::new(key(KeyKind::Account, byte).as_str(), role, limits);
    SigningKey::Scoped(Box::new(scope))
}

/// The account with the role `reader`.
fn account_with_role() -> AccountRef {
    let mut account = account();
    let add = AccountCommand::AddSigningKey(scoped(9, "reader", UserLimits::default()));
    run::<Account>(&mut account, (add, moment(101))).expect("added");
    account.reference().expect("it is there")
}

/// An account that was made elsewhere, with a revocation.
fn import(signing_keys: Vec<SigningKey>) -> AccountCommand {
    let mut claims = AccountClaims {
        signing_keys,
        ..AccountClaims::default()
    };
    claims.revoke("*", 50);
    AccountCommand::Import {
        account: key(KeyKind::Account, 1),
        name: "orders".to_owned(),
        operator: operator().reference().expect("it is there"),
        claims: Box::new(claims),
        tags: vec!["a:b".to_owned()],
        issued_at: 300,
    }
}

fn create_user(role: Option<&str>, limits: UserLimits) -> UserCommand {
    UserCommand::Create {
        user: key(KeyKind::User, 1),
        name: "ann".to_owned(),
        account: account_with_role(),
        role: role.map(str::to_owned),
        limits: Box::new(limits),
        tags: Vec::new(),
    }
}

#[test]
fn a_key_signs_until_it_is_rotated_or_revoked() {
    let mut state = KeyState::default();
    let [one, other] = [2, 3].map(|byte| key(KeyKind::Account, byte));
    let facts = KeyFacts {
        key: one,
        role: KeyRole::Signing,
        holder: key(KeyKind::Account, 1),
    };
    assert_eq!(
        state.signer().expect_err("absent").code(),
        "identity-absent"
    );
    run::<Key>(&mut state, KeyCommand::Generate(facts)).expect("made");
    assert_eq!(state.signer(), Ok(&facts));
    let again = run::<Key>(&mut state, KeyCommand::Import(facts)).expect_err("there already");
    assert_eq!(again, Refusal::Exists { key: one });

    let wrong = KeyCommand::Rotate {
        successor: key(KeyKind::User, 3),
    };
    let refused = run::<Key>(&mut state, wrong).expect_err("of another kind");
    assert_eq!(refused.code(), "key-kind-wrong");
    run::<Key>(&mut state, KeyCommand::Rotate { successor: other }).expect("rotated");
    assert_eq!(
        state.signer(),
        Err(Refusal::Rotated {
            key: one,
            successor: other
        })
    );
    let revoke = || KeyCommand::Revoke {
        reason: "lost".to_owned(),
    };
    run::<Key>(&mut state, revoke()).expect("revoked");
    assert_eq!(state.signer(), Err(Refusal::Revoked { key: one }));
    assert_eq!(run::<Key>(&mut state, revoke()), Ok(Vec::new()));
    run::<Key>(&mut state, KeyCommand::Rotate { successor: other }).expect_err("revoked");
}

#[test]
fn a_key_belongs_to_a_holder_of_its_kind() {
    let facts = |key, role, holder| KeyCommand::Generate(KeyFacts { key, role, holder });
    let [account, other] = [1, 2].map(|byte| key(KeyKind::Account, byte));
    let refused = |command| Key::decide(&KeyState::Absent, command).expect_err("not its holder");
    for command in [
        facts(other, KeyRole::Identity, account),
        facts(key(KeyKind::User, 2), KeyRole::Signing, account),
    ] {
        assert_eq!(refused(command).code(), "key-kind-wrong");
    }
}

#[test]
fn an_operator_s_token_follows_from_its_history() {
    let mut state = operator();
    let signer = key(KeyKind::Operator, 2);
    let add = || OperatorCommand::AddSigningKey { key: signer };
    run::<Operator>(&mut state, (add(), moment(100))).expect("added");
    assert_eq!(state.issued_at, 101, "later than the token before it");
    run::<Operator>(&mut state, (add(), moment(200))).expect_err("it is there");
    let claims = state.claims().expect("it is there");
    assert_eq!(claims.body.signing_keys, [signer.to_string()]);

    let strict = OperatorCommand::SetClaims {
        claims: OperatorClaims {
            is_strict: true,
            signing_keys: vec!["nonsense".to_owned()],
            ..OperatorClaims::default()
        },
    };
    run::<Operator>(&mut state, (strict.clone(), moment(200))).expect("set");
    assert_eq!(
        run::<Operator>(&mut state, (strict, moment(300))),
        Ok(Vec::new())
    );
    let claims = state.claims().expect("it is there");
    assert!(claims.body.is_strict);
    assert_eq!(claims.body.signing_keys, [signer.to_string()]);

    let remove = || OperatorCommand::RemoveSigningKey { key: signer };
    let refused = run::<Operator>(&mut state, (remove(), moment(200))).expect_err("the last one");
    assert_eq!(refused, Refusal::LastSigningKey { key: signer });
    let other = OperatorCommand::AddSigningKey {
        key: key(KeyKind::Operator, 3),
    };
    run::<Operator>(&mut state, (other, moment(200))).expect("added");
    run::<Operator>(&mut state, (remove(), moment(200))).expect("removed");
    let refused =
        run::<Operator>(&mut state, (remove(), moment(200))).expect_err("removed already");
    assert_eq!(refused, Refusal::NotSigningKey { key: signer });
    let absent = Operator::decide(&OperatorState::default(), (add(), moment(1)));
    assert_eq!(absent, Err(Refusal::Absent { what: "operator" }));
}

#[test]
fn a_token_is_later_than_what_it_must_be_behind() {
    let mut state = account();
    let behind = Moment {
        now: at(200),
        behind: 500,
    };
    let set = AccountCommand::SetPermissions(Permissions {
        publish: Permission::only(["a"]),
        ..Permissions::default()
    });
    run::<Account>(&mut state, (set, behind)).expect("set");
    assert_eq!(state.issued_at, 501);
}

#[test]
fn an_account_needs_its_operator() {
    assert_eq!(
        OperatorState::default().reference(),
        Err(Refusal::Absent { what: "operator" })
    );
    assert_eq!(account().operator, Some(key(KeyKind::Operator, 1)));
    assert_eq!(
        AccountState::default().reference(),
        Err(Refusal::Absent { what: "account" })
    );
}

#[test]
fn claims_that_a_server_refuses_are_refused_here() {
    let mut state = account();
    let claims = AccountClaims {
        default_permissions: Permissions {
            publish: Permission::only(["a b c"]),
            ..Permissions::default()
        },
        ..AccountClaims::default()
    };
    let before = state.clone();
    let set = AccountCommand::SetClaims(Box::new(claims));
    let refused = run::<Account>(&mut state, (set, moment(200))).expect_err("no subject");
    let Refusal::Claims { findings } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(findings.len(), 1);
    assert_eq!(state, before);
    for name in ["", " a", "a\n", &"a".repeat(129)] {
        let create = OperatorCommand::Create {
            operator: key(KeyKind::Operator, 1),
            name: name.to_owned(),
            claims: OperatorClaims::default(),
        };
        let refused = Operator::decide(&OperatorState::default(), (create, moment(1)));
        assert_eq!(refused.expect_err("no name").code(), "name-invalid");
    }
}

#[test]
fn a_user_has_limits_or_a_role() {
    let decide = |command| User::decide(&UserState::default(), (command, at(200)));
    let code = |command| decide(command).expect_err("refused").code();
    assert_eq!(
        code(create_user(Some("writer"), UserLimits::none())),
        "role-unknown"
    );
    assert_eq!(
        code(create_user(Some("reader"), UserLimits::default())),
        "limits-of-role"
    );
    let mut state = UserState::default();
    let create = create_user(Some("reader"), UserLimits::none());
    run::<User>(&mut state, (create, at(200))).expect("made");
    let set = UserCommand::SetPermissions(Permissions::default());
    let refused = run::<User>(&mut state, (set, at(201))).expect_err("of its role");
    assert_eq!(refused.code(), "limits-of-role");
    let signer = key(KeyKind::Account, 9);
    let claims = state.claims(signer, 0).expect("it is there");
    assert_eq!(claims.body.limits, UserLimits::none());
    assert_eq!(
        claims.body.issuer_account,
        key(KeyKind::Account, 1).as_str()
    );
}

#[test]
fn what_is_issued_behind_a_revocation_counts() {
    let mut state = UserState::default();
    let create = create_user(None, UserLimits::default());
    run::<User>(&mut state, (create, at(200))).expect("made");
    let issue = |state: &mut UserState| {
        let issued = Issued {
            token_sha256: String::new(),
            issuer: key(KeyKind::Account, 1),
            issued_at: state.next_issue(at(200)),
            expires: 0,
        };
        run::<User>(state, (UserCommand::Issue(issued), at(200))).expect("issued");
    };
    issue(&mut state);
    issue(&mut state);
    assert_eq!((state.tokens, state.is_revoked()), (2, false));
    let revoke = UserCommand::Revoke {
        reason: "lost".to_owned(),
    };
    run::<User>(&mut state, (revoke, at(200))).expect("revoked");
    assert_eq!(state.revoked_until, Some(201), "the last token was of then");
    assert!(state.is_revoked());
    issue(&mut state);
    assert!(!state.is_revoked());
}

#[test]
fn revocations_of_an_account_only_grow() {
    let mut state = account();
    let user = key(KeyKind::User, 1);
    for (user, until) in [(Some(user), 300), (Some(user), 200), (None, 150)] {
        let revoke = AccountCommand::Revoke { user, until };
        run::<Account>(&mut state, (revoke, moment(300))).expect("revoked");
    }
    assert_eq!(state.revoked_until(user), 300);
    assert_eq!(state.revoked_until(key(KeyKind::User, 2)), 150);
    let claims = state.claims().expect("it is there").body;
    assert_eq!(claims.revocations.len(), 2);
    assert!(claims.is_revoked(user.as_str(), 300) && !claims.is_revoked(user.as_str(), 301));
    assert!(claims.is_revoked("UOTHER", 150));
}

#[test]
fn what_was_made_elsewhere_is_taken_as_it_is() {
    let mut state = AccountState::default();
    let keys = vec![
        scoped(3, "reader", UserLimits::default()),
        scoped(4, "reader", UserLimits::default()),
        SigningKey::Plain(key(KeyKind::Account, 5).to_string()),
    ];
    run::<Account>(&mut state, (import(keys.clone()), moment(200))).expect("taken");
    // Behind the token that is out, though it was signed ahead of our time.
    assert_eq!(state.issued_at, 301);
    let claims = state.claims().expect("it is there");
    assert_eq!(claims.body.signing_keys, keys);
    assert!(claims.body.is_revoked("U", 50) && !claims.body.is_revoked("U", 51));
    assert_eq!(claims.tags, ["a:b"]);
    assert!(state.settings().signing_keys.is_empty() && state.settings().revocations.is_empty());
    let again = run::<Account>(&mut state, (import(Vec::new()), moment(200)));
    assert_eq!(again.expect_err("there already").code(), "identity-exists");

    let refused = |keys| {
        let decided = Account::decide(&AccountState::default(), (import(keys), moment(200)));
        decided.expect_err("refused").code()
    };
    assert_eq!(
        refused(vec![scoped(3, "", UserLimits::default())]),
        "name-invalid"
    );
    let twice = vec![
        scoped(3, "reader", UserLimits::default()),
        scoped(4, "reader", UserLimits::none()),
    ];
    assert_eq!(refused(twice), "role-twice");
    let broken = SigningKey::Plain("AX".to_owned());
    assert_eq!(refused(vec![broken]), "claims-refused");
}

#[test]
fn a_user_may_get_a_role_and_lose_it() {
    let mut state = UserState::default();
    let create = create_user(None, UserLimits::default());
    run::<User>(&mut state, (create, at(200))).expect("made");
    let set = |role: Option<&str>, limits| UserCommand::SetRole {
        account: account_with_role(),
        role: role.map(str::to_owned),
        limits: Box::new(limits),
    };
    let mut decide = |command| run::<User>(&mut state, (command, at(200)));
    let code = |refused: Result<_, Refusal>| refused.expect_err("refused").code();
    assert_eq!(
        code(decide(set(Some("other"), UserLimits::none()))),
        "role-unknown"
    );
    let limited = set(Some("reader"), UserLimits::default());
    assert_eq!(code(decide(limited)), "limits-of-role");
    assert_eq!(
        decide(set(Some("reader"), UserLimits::none()))
            .expect("set")
            .len(),
        1
    );
    assert!(
        decide(set(Some("reader"), UserLimits::none()))
            .expect("as it is")
            .is_empty()
    );
    assert_eq!(
        code(decide(UserCommand::SetLimits(Box::default()))),
        "limits-of-role"
    );
    decide(set(None, UserLimits::default())).expect("set");
    assert!(
        decide(UserCommand::SetTags(Vec::new()))
            .expect("as it is")
            .is_empty()
    );
    assert_eq!(
        (state.role, state.limits),
        (None, Some(UserLimits::default()))
    );
}

/// One event of each type, with all that it can have.
fn events() -> (
    Vec<OperatorEvent>,
    Vec<AccountEvent>,
    Vec<UserEvent>,
    Vec<KeyEvent>,
) {
    let mut state = operator();
    let operator_key = key(KeyKind::Operator, 1);
    let operators = [
        OperatorCommand::AddSigningKey {
            key: key(KeyKind::Operator, 2),
        },
        OperatorCommand::SetClaims {
            claims: OperatorClaims {
                system_account: key(KeyKind::Account, 4).to_string(),
                ..OperatorClaims::default()
            },
        },
        OperatorCommand::RemoveSigningKey {
            key: key(KeyKind::Operator, 2),
        },
    ];
    let create = OperatorCommand::Create {
        operator: operator_key,
        name: "acme".to_owned(),
        claims: OperatorClaims::default(),
    };
    let mut operator_events =
        Operator::decide(&OperatorState::default(), (create, moment(100))).expect("made");
    for command in operators {
        operator_events.extend(run::<Operator>(&mut state, (command, moment(200))).expect("done"));
    }
    let command = OperatorCommand::Import {
        operator: operator_key,
        name: "acme".to_owned(),
        claims: OperatorClaims {
            signing_keys: vec![key(KeyKind::Operator, 2).to_string()],
            ..OperatorClaims::default()
        },
        tags: vec!["a:b".to_owned()],
        issued_at: 300,
    };
    let imported = Operator::decide(&OperatorState::default(), (command, moment(200)));
    operator_events.extend(imported.expect("taken"));

    let mut limits = UserLimits {
        publish: Permission::only(["orders.>"]),
        payload: Limit::at_most(1024),
        ..UserLimits::default()
    };
    let scope = Scope::new(key(KeyKind::Account, 3).as_str(), "reader", limits.clone());
    let accounts = [
        AccountCommand::AddSigningKey(SigningKey::Plain(key(KeyKind::Account, 2).to_string())),
        AccountCommand::AddSigningKey(SigningKey::Scoped(Box::new(scope))),
        AccountCommand::RemoveSigningKey {
            key: key(KeyKind::Account, 2),
        },
        AccountCommand::SetPermissions(Permissions {
            subscribe: Permission::all_but(["secret.>"]),
            ..Permissions::default()
        }),
        AccountCommand::SetClaims(Box::new(AccountClaims {
            description: "orders".to_owned(),
            ..AccountClaims::default()
        })),
        AccountCommand::Revoke {
            user: None,
            until: 200,
        },
        AccountCommand::TakeNoteOfPush(Push {
            server: "NABC".to_owned(),
            server_name: "one".to_owned(),
            token_sha256: "00".to_owned(),
            token_issued_at: 1,
        }),
    ];
    let create = AccountCommand::Create {
        account: key(KeyKind::Account, 1),
        name: "orders".to_owned(),
        operator: operator().reference().expect("it is there"),
        claims: Box::default(),
    };
    let mut state = AccountState::default();
    let mut account_events = run::<Account>(&mut state, (create, moment(100))).expect("made");
    for command in accounts {
        account_events.extend(run::<Account>(&mut state, (command, moment(200))).expect("done"));
    }
    let imported = Account::decide(&AccountState::default(), (import(Vec::new()), moment(200)));
    account_events.extend(imported.expect("taken"));

    let mut state = UserState::default();
    let create = create_user(None, limits.clone());
    let mut user_events = run::<User>(&mut state, (create, at(200))).expect("made");
    limits.is_bearer = true;
    for command in [
        UserCommand::SetPermissions(Permissions {
            publish: Permission::only(["a"]),
            ..Permissions::default()
        }),
        UserCommand::SetLimits(Box::new(limits)),
        UserCommand::SetTags(vec!["a:b".to_owned()]),
        UserCommand::SetRole {
            account: account_with_role(),
            role: Some("reader".to_owned()),
            limits: Box::new(UserLimits::none()),
        },
        UserCommand::Issue(Issued {
            token_sha256: "00".to_owned(),
            issuer: key(KeyKind::Account, 1),
            issued_at: 300,
            expires: 400,
        }),
        UserCommand::Revoke {
            reason: "lost".to_owned(),
        },
    ] {
        user_events.extend(run::<User>(&mut state, (command, at(200))).expect("done"));
    }

    let facts = KeyFacts {
        key: operator_key,
        role: KeyRole::Identity,
        holder: operator_key,
    };
    let kind = KeyKind::Operator;
    let key_events = vec![
        KeyEvent::KeyGenerated { facts, kind },
        KeyEvent::KeyImported { facts, kind },
        KeyEvent::KeyRotated {
            successor: key(kind, 2),
        },
        KeyEvent::KeyRevoked {
            reason: "lost".to_owned(),
        },
    ];
    (operator_events, account_events, user_events, key_events)
}

#[track_caller]
fn check_events<E: DomainEvent + PartialEq + std::fmt::Debug>(events: &[E]) -> BTreeSet<String> {
    let mut operations = BTreeSet::new();
    for event in events {
        let (event_type, body) = payload::encode(event);
        let read: E = payload::decode(&event_type, &body).expect("ours");
        assert_eq!(&read, event);
        let text = Text::new("test").expect("a text");
        let event = payload::new_event(event, EventId::from_parts(at(1), [0; 10]), at(1), text);
        operations.insert(event.operation.to_string());
    }
    operations
}

#[test]
fn events_are_read_as_they_were_written() {
    let (operators, accounts, users, keys) = events();
    let operations = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(
        operations(check_events(&operators)),
        "claims-set created imported signing-key-added signing-key-removed"
    );
    assert_eq!(
        operations(check_events(&accounts)),
        "claims-pushed claims-set created imported permissions-set revocation-added \
         signing-key-added signing-key-removed"
    );
    assert_eq!(
        operations(check_events(&users)),
        "created credentials-issued limits-set permissions-set revoked role-set tags-set"
    );
    assert_eq!(
        operations(check_events(&keys)),
        "generated imported revoked rotated"
    );
}

#[test]
fn a_directory_is_all_histories_folded() {
    let (operators, ..) = events();
    let mut directory = Directory::default();
    let operator = key(KeyKind::Operator, 1);
    let aggregate = AggregateKey::new(
        Namespace::new("cowboyai.security.keys").expect("a namespace"),
        payload::entity::<OperatorEvent>(),
        AggregateId::new(operator.as_str()).expect("an id"),
    );
    let source = Text::new("test").expect("a text");
    let event = |index: usize| {
        let id = EventId::from_parts(at(1), [u8::try_from(index).expect("few"); 10]);
        payload::new_event(&operators[index], id, at(1), source.clone())
    };
    let written: Vec<_> = (0..operators.len()).map(event).collect();
    let recorded = append::record(&aggregate, None, &written).expect("versions can count them");
    for event in &recorded {
        directory.evolve(event).expect("ours");
    }
    let entry = &directory.operators[&operator];
    assert_eq!(
        entry.version.map(|version| version.get()),
        Some(operators.len() as u64)
    );
    assert_eq!(
        entry.state,
        fold::<Operator>(OperatorState::default(), &operators)
    );

    let mut later = recorded[0].clone();
    later.event.schema_version = crate::version::SchemaVersion::new(2).expect("a version");
    let mut foreign = recorded[0].clone();
    foreign.aggregate.id = AggregateId::new("order-7").expect("an id");
    let before = directory.clone();
    for event in [later, foreign] {
        let refused = directory.evolve(&event).expect_err("not ours");
        assert_eq!(refused.code(), "event-unreadable");
    }
    assert_eq!(directory, before);
}
