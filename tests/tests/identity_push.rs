//! Accounts are brought to running servers: one and three of them, with what goes wrong, and what it
//! does to users that are connected.

use std::time::{Duration, Instant};

use cim_core::jwt::{AccountClaims, OperatorClaims, Permission, ServerVersion, UserLimits};
use cim_host::clock;
use cim_host::identity::server_config::Resolver;
use cim_host::jetstream::JetStreamClient;
use cim_host::jetstream::claims::{ClaimsError, Held, Outcome, Push, Pushed};
use cim_tests::nats::{NatsCluster, NatsServer};

use self::operator::{
    Client, Operator, SYSTEM, account, connect, connect_with, full, in_seconds,
    operator as operator_key, second, sign, sign_by, user, user_token, with_keys,
};

#[path = "support/operator.rs"]
mod operator;

/// Within which time a push must show at who is connected.
const AT_ONCE: Duration = Duration::from_secs(1);

/// For how long somebody is watched who must stay connected.
const STAYS: Duration = Duration::from_millis(500);

fn outcomes(pushed: &Pushed) -> Vec<&Outcome> {
    pushed
        .servers
        .iter()
        .map(|server| &server.outcome)
        .collect()
}

async fn push(client: &JetStreamClient, operator: &Operator, token: &str) -> Pushed {
    let pushed = client
        .push_claims(&Push::new(token, operator.trust()))
        .await;
    let pushed = pushed.expect("nothing against it");
    assert!(pushed.is_everywhere(), "{pushed:?}");
    pushed
}

async fn refused(client: &JetStreamClient, operator: &Operator, token: &str) -> ClaimsError {
    let pushed = client
        .push_claims(&Push::new(token, operator.trust()))
        .await;
    pushed.expect_err("it must not be pushed")
}

fn log_in(server: &NatsServer, token: &str) -> Option<Client> {
    Client::log_in(&server.address(), token, &user(9))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_learns_of_accounts() {
    let operator = Operator::new();
    let server = NatsServer::start(operator.server(&[], full()));
    let client = operator.connect(&server.url()).await;
    let ann = user_token(2, 2, 9, clock::now());
    assert!(log_in(&server, &ann).is_none(), "nobody knows the account");

    let token = sign(2, &AccountClaims::default(), in_seconds(-10));
    let pushed = push(&client, &operator, &token).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Updated]);
    assert_eq!(pushed.servers[0].server.name, server.name());
    assert_eq!(
        pushed.servers[0].server.version,
        ServerVersion::TRIED.to_string()
    );
    let mut connected = log_in(&server, &ann).expect("it is known");
    let pushed = push(&client, &operator, &token).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Unchanged]);

    let listed = client.list_claims().await.expect("an answer");
    assert_eq!(listed.len(), 1);
    let key = account(2).public_key();
    assert!(listed[0].accounts.contains(key.as_str()));
    let found = client.look_up_claims(&key).await.expect("an answer");
    assert_eq!((found.stored.len(), found.without), (1, 0));
    assert_eq!(found.stored[0].token, token);
    assert_eq!(found.in_force[0].token, token);
    let unknown = account(3).public_key();
    let found = client.look_up_claims(&unknown).await.expect("an answer");
    assert_eq!((found.stored.len(), found.without), (0, 1));

    // A later token comes into force while the user is connected.
    let later = sign(2, &with_keys(&[3]), in_seconds(-5));
    let pushed = push(&client, &operator, &later).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Updated]);
    assert!(connected.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_of_a_cluster_learn_of_accounts() {
    let operator = Operator::new();
    let mut cluster = NatsCluster::start_with(3, &operator.server(&[], full()));
    let client = operator.connect(&cluster.server(0).url()).await;
    let first = sign(2, &AccountClaims::default(), in_seconds(-20));
    let pushed = push(&client, &operator, &first).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Updated; 3]);
    assert_eq!(pushed.missing, 0);
    let ann = user_token(2, 2, 9, clock::now());
    for server in cluster.servers() {
        assert!(log_in(server, &ann).is_some());
    }
    let second = sign(2, &with_keys(&[3]), in_seconds(-10));
    let pushed = push(&client, &operator, &second).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Updated; 3]);
    let found = client.look_up_claims(&account(2).public_key()).await;
    let found = found.expect("answers");
    assert_eq!(found.stored.len(), 1);
    assert_eq!((found.stored[0].servers, found.in_force.len()), (3, 3));

    // One is away for a push. It comes back with what it had.
    cluster.server_mut(2).stop();
    let third = sign(2, &with_keys(&[4]), in_seconds(-5));
    let pushed = push_once_two_are_left(&client, &operator, &third).await;
    assert_eq!(outcomes(&pushed), [&Outcome::Updated; 2]);
    cluster.restart(2);
    cluster.wait_until_together();
    let late = cluster.server(2).name().to_owned();
    assert!(log_in(cluster.server(2), &ann).is_some());
    let unknown = sign(5, &AccountClaims::default(), in_seconds(-5));
    let held = held_by_three(&client, &[third.clone(), unknown]).await;
    for (name, held) in &held[0] {
        let expected = match *name == late {
            true => Held::Older {
                issued_at: issued_at(&second),
            },
            false => Held::Same,
        };
        assert_eq!(*held, expected);
    }
    assert!(held[1].iter().all(|(_, held)| *held == Held::Missing));
    // Pushed again, it comes to the one alone.
    let pushed = push(&client, &operator, &third).await;
    for server in &pushed.servers {
        let expected = match server.server.name == late {
            true => Outcome::Updated,
            false => Outcome::Unchanged,
        };
        assert_eq!(server.outcome, expected);
    }
    let ours = [first.clone()];
    let difference = client.compare_claims(&ours).await.expect("answers");
    assert!(!difference.is_empty());
    let newer = Held::Newer {
        issued_at: issued_at(&third),
    };
    assert!(
        difference.accounts[0]
            .servers
            .iter()
            .all(|(_, held)| *held == newer),
        "{difference:?}"
    );
    // The system account is none of ours here.
    assert_eq!(difference.foreign.len(), 1);
    assert_eq!(difference.foreign[0].servers.len(), 3, "{difference:?}");
    let ours = [third, operator.known(&[]).remove(0).token];
    let difference = client.compare_claims(&ours).await.expect("answers");
    assert!(difference.foreign.is_empty());
    assert!(
        difference.accounts[0]
            .servers
            .iter()
            .all(|(_, held)| *held == Held::Same)
    );

    // One that stands still is missed, by the others.
    cluster.server(2).suspend();
    let fourth = sign(2, &AccountClaims::default(), in_seconds(-1));
    let pushed = client
        .push_claims(&Push::new(fourth, operator.trust()))
        .await;
    cluster.server(2).resume();
    let pushed = pushed.expect("two take it");
    assert_eq!(outcomes(&pushed), [&Outcome::Updated; 2]);
    assert_eq!(pushed.missing, 1);
    assert!(!pushed.is_everywhere());
}

/// The others may know for a moment of the one that went.
async fn push_once_two_are_left(
    client: &JetStreamClient,
    operator: &Operator,
    token: &str,
) -> Pushed {
    for _ in 0..50 {
        let listed = client.list_claims().await.expect("answers");
        if listed.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pushed = client
        .push_claims(&Push::new(token, operator.trust()))
        .await;
    pushed.expect("nothing against it")
}

/// What each server has of our accounts, once three are there.
async fn held_by_three(client: &JetStreamClient, ours: &[String]) -> Vec<Vec<(String, Held)>> {
    for _ in 0..100 {
        let difference = client.compare_claims(ours).await.expect("answers");
        if difference.accounts[0].servers.len() == 3 {
            let held = difference.accounts.iter().map(|account| {
                let servers = account.servers.iter();
                servers
                    .map(|(server, held)| (server.name.clone(), *held))
                    .collect()
            });
            return held.collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the third does not come back");
}

fn issued_at(token: &str) -> i64 {
    let token = cim_core::jwt::Token::read(token).expect("a token");
    token
        .claims::<AccountClaims>()
        .expect("an account")
        .issued_at
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_accounts_in_memory_are_told_by_their_configuration() {
    let operator = Operator::new();
    let mut server = NatsServer::start(operator.server(&[], Resolver::Memory));
    let client = operator.connect(&server.url()).await;
    let token = sign(2, &AccountClaims::default(), in_seconds(-10));
    let error = refused(&client, &operator, &token).await;
    assert_eq!(error.code(), "claims-no-store");
    assert_eq!(
        error.to_string(),
        format!(
            "servers have their accounts from their configuration alone: `{}`",
            server.name()
        )
    );
    assert!(error.help().contains("reload"));
    let held = client.compare_claims(std::slice::from_ref(&token)).await;
    let held = held.expect("an answer");
    assert_eq!(held.accounts[0].servers[0].1, Held::Unclear);

    let ann = user_token(2, 2, 9, clock::now());
    assert!(log_in(&server, &ann).is_none());
    server.configure(operator.server(&[(2, &token)], Resolver::Memory));
    server.reload();
    let mut connected = log_in(&server, &ann).expect("it is known");
    let held = client.compare_claims(std::slice::from_ref(&token)).await;
    let held = held.expect("an answer");
    assert_eq!(held.accounts[0].servers[0].1, Held::Same);

    let mut revoking = AccountClaims::default();
    revoking.revoke("*", second(0));
    let token = sign(2, &revoking, in_seconds(-5));
    server.configure(operator.server(&[(2, &token)], Resolver::Memory));
    server.reload();
    assert!(connected.ends_within(AT_ONCE).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_would_not_go_by_is_not_sent() {
    let operator = Operator::with(OperatorClaims {
        signing_keys: vec![operator_key(3).public_key().to_string()],
        ..OperatorClaims::default()
    });
    let server = NatsServer::start(Operator::new().server(&[], full()));
    let client = operator.connect(&server.url()).await;
    let untrusted = sign_by(
        &operator_key(2),
        2,
        &AccountClaims::default(),
        in_seconds(-5),
    );
    let error = refused(&client, &operator, &untrusted).await;
    let ClaimsError::Refused { findings, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(findings[0].code, "issuer-not-trusted");
    let invalid = AccountClaims {
        cluster_traffic: "x".to_owned(),
        ..AccountClaims::default()
    };
    let error = refused(&client, &operator, &sign(2, &invalid, in_seconds(-5))).await;
    assert_eq!(error.code(), "claims-refused");
    assert!(error.to_string().contains("cluster_traffic"), "{error}");
    let user = user_token(2, 2, 9, clock::now());
    assert_eq!(refused(&client, &operator, &user).await.code(), "jwt-kind");

    // We trust the signing key, and the server was started before there was one.
    let early = sign_by(
        &operator_key(3),
        2,
        &AccountClaims::default(),
        in_seconds(-5),
    );
    let error = refused(&client, &operator, &early).await;
    assert_eq!(error.code(), "claims-not-trusted");
    assert_eq!(
        error.to_string(),
        format!(
            "servers do not trust `{}`, who has signed: `{}`",
            operator_key(3).public_key(),
            server.name()
        )
    );
    let found = client.look_up_claims(&account(2).public_key()).await;
    assert_eq!(found.expect("an answer").stored, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_token_is_not_replaced() {
    let operator = Operator::new();
    let server = NatsServer::start(operator.server(&[], full()));
    let client = operator.connect(&server.url()).await;
    let at = in_seconds(-10);
    let newer = sign(2, &AccountClaims::default(), at);
    push(&client, &operator, &newer).await;
    let older = sign(2, &with_keys(&[3]), in_seconds(-20));
    let error = refused(&client, &operator, &older).await;
    assert_eq!(error.code(), "claims-newer");
    assert_eq!(
        error.to_string(),
        format!(
            "expected no newer token of `{}` than that of second {}, found one of second {}",
            account(2).public_key(),
            issued_at(&older),
            issued_at(&newer)
        )
    );
    let same = sign(2, &with_keys(&[3]), at);
    let error = refused(&client, &operator, &same).await;
    assert_eq!(error.code(), "claims-same-second");
    let key = account(2).public_key();
    let found = client.look_up_claims(&key).await.expect("an answer");
    assert_eq!(found.stored[0].token, newer);

    let replacing = Push {
        replace: true,
        ..Push::new(older.clone(), operator.trust())
    };
    let pushed = client
        .push_claims(&replacing)
        .await
        .expect("as it was meant");
    assert_eq!(outcomes(&pushed), [&Outcome::Updated]);
    let found = client.look_up_claims(&key).await.expect("an answer");
    assert_eq!(found.stored[0].token, older);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_than_users_of_the_system_account_are_told_so() {
    let operator = Operator::new();
    let token = sign(2, &AccountClaims::default(), in_seconds(-10));
    let server = NatsServer::start(operator.server(&[(2, &token)], full()));
    let client = connect(&server.url(), 2).await;
    let error = refused(&client, &operator, &token).await;
    assert_eq!(error.code(), "claims-not-system-user");
    assert_eq!(
        error.to_string(),
        "expected a user of the system account, found another"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_rights_are_enough_to_push() {
    let operator = Operator::new();
    let server = NatsServer::start(operator.server(&[], full()));
    let rights = [
        "$SYS.REQ.SERVER.PING.VARZ",
        "$SYS.REQ.SERVER.PING.ACCOUNTZ",
        "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP",
        "$SYS.REQ.CLAIMS.LIST",
        "$SYS.REQ.CLAIMS.UPDATE",
    ];
    let limits = |rights: &[&str]| UserLimits {
        publish: Permission::only(rights.iter().copied()),
        subscribe: Permission::only(["_INBOX.>"]),
        ..UserLimits::default()
    };
    let token = sign(2, &AccountClaims::default(), in_seconds(-10));
    let client = connect_with(&server.url(), SYSTEM, limits(&rights[..4])).await;
    let error = refused(&client, &operator, &token).await;
    assert_eq!(error.code(), "nats-not-allowed");
    assert!(
        error.to_string().contains("$SYS.REQ.CLAIMS.UPDATE"),
        "{error}"
    );
    assert!(error.help().contains("`$SYS.REQ.CLAIMS.*`"));
    let client = connect_with(&server.url(), SYSTEM, limits(&rights)).await;
    push(&client, &operator, &token).await;
    let difference = client.compare_claims(&[token]).await.expect("an answer");
    assert_eq!(difference.accounts[0].servers[0].1, Held::Same);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_revoked_is_thrown_out_at_once() {
    let operator = Operator::new();
    let token = sign(2, &AccountClaims::default(), in_seconds(-10));
    let cluster = NatsCluster::start_with(3, &operator.server(&[(2, &token)], full()));
    let client = operator.connect(&cluster.server(0).url()).await;
    let revoked = user_token(2, 2, 9, in_seconds(-5));
    let other = user_token(2, 2, 8, in_seconds(-5));
    let log_in_all = |token: &str, number: u8| {
        let servers = cluster.servers().iter();
        let log_in = |server: &NatsServer| Client::log_in(&server.address(), token, &user(number));
        servers.filter_map(log_in).collect::<Vec<_>>()
    };
    let mut connected = log_in_all(&revoked, 9);
    let mut others = log_in_all(&other, 8);
    assert_eq!((connected.len(), others.len()), (3, 3));

    let mut claims = AccountClaims::default();
    claims.revoke(user(9).public_key().as_str(), second(-5));
    push(&client, &operator, &sign(2, &claims, in_seconds(-1))).await;
    let started = Instant::now();
    for client in &mut connected {
        let (_, said) = client.ends_within(AT_ONCE).expect("it is thrown out");
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        assert_eq!(said, "-ERR 'User Authentication Revoked'");
    }
    assert!(others.iter_mut().all(Client::is_there));
    assert!(log_in_all(&revoked, 9).is_empty());
    let renewed = user_token(2, 2, 9, in_seconds(0));
    assert_eq!(log_in_all(&renewed, 9).len(), 3);
}

/// A signing key is changed without anybody being turned away who was renewed in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_is_rotated_without_downtime() {
    let operator = Operator::new();
    let [old_key, new_key] = [3, 4];
    let only_old = sign(2, &with_keys(&[old_key]), in_seconds(-30));
    let cluster = NatsCluster::start_with(3, &operator.server(&[(2, &only_old)], full()));
    let client = operator.connect(&cluster.server(0).url()).await;
    let old_token = user_token(2, old_key, 9, in_seconds(-30));
    let new_token = user_token(2, new_key, 9, in_seconds(-20));
    let mut old = log_in(cluster.server(1), &old_token).expect("its key is known");
    assert!(log_in(cluster.server(1), &new_token).is_none());

    let both = sign(2, &with_keys(&[old_key, new_key]), in_seconds(-20));
    push(&client, &operator, &both).await;
    let mut new = log_in(cluster.server(2), &new_token).expect("both keys are known");
    assert!(log_in(cluster.server(2), &old_token).is_some());
    assert!(old.ends_within(STAYS).is_none(), "the old one stays");

    let only_new = sign(2, &with_keys(&[new_key]), in_seconds(-10));
    push(&client, &operator, &only_new).await;
    assert!(old.ends_within(AT_ONCE).is_some(), "its key is gone");
    assert!(new.is_there());
    assert!(log_in(cluster.server(0), &old_token).is_none());
    assert!(log_in(cluster.server(0), &new_token).is_some());
}

/// What stands in a server's configuration is older than what was pushed since, and stays so.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_bring_old_accounts_back() {
    let operator = Operator::new();
    let configured = sign(2, &AccountClaims::default(), in_seconds(-30));
    let mut server = NatsServer::start(operator.server(&[(2, &configured)], full()));
    let client = operator.connect(&server.url()).await;
    let pushed = sign(2, &with_keys(&[3]), in_seconds(-10));
    push(&client, &operator, &pushed).await;
    let key = account(2).public_key();
    for reloads in [true, false] {
        match reloads {
            true => server.reload(),
            false => server.restart(),
        }
        let client = operator.connect(&server.url()).await;
        let found = client.look_up_claims(&key).await.expect("an answer");
        assert_eq!(found.stored[0].token, pushed, "after a reload: {reloads}");
    }
    let client = operator.connect(&server.url()).await;
    push(
        &client,
        &operator,
        &sign(2, &with_keys(&[5]), in_seconds(-8)),
    )
    .await;
    // A newer one of the configuration is taken.
    let newer = sign(2, &with_keys(&[4]), in_seconds(-5));
    server.configure(operator.server(&[(2, &newer)], full()));
    server.restart();
    let client = operator.connect(&server.url()).await;
    let found = client.look_up_claims(&key).await.expect("an answer");
    assert_eq!(found.stored[0].token, newer);
}
