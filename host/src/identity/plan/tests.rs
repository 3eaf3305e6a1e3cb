use std::sync::Arc;

use cim_core::id::Namespace;
use cim_core::jwt::{Limit, Sampling};
use cim_core::subject::StoreTemplate;

use super::*;
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

fn spec(text: &str) -> Spec {
    Spec::parse(text, "identity.toml").expect("a description")
}

/// The steps as people see them.
fn lines(planned: &Planned) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &planned.steps {
        let kind = step.kind.as_str();
        lines.push(format!("{} {kind} {}", step.action.sign(), step.name));
        lines.extend(step.changes.iter().map(|change| format!("    {change}")));
    }
    lines
}

/// Applies, after a plan that says the same, and before one that has nothing left to do.
async fn apply(identities: &mut Identities, text: &str, unlisted: Unlisted) -> Planned {
    let spec = spec(text);
    let planned = identities.plan(&spec, unlisted).expect("a plan");
    let applied = identities.apply(&spec, unlisted).await.expect("it is done");
    assert_eq!(lines(&planned), lines(&applied));
    for step in &applied.steps {
        assert!(step.key.is_some(), "{step:?}");
    }
    let before = identities.directory().clone();
    let again = identities.apply(&spec, unlisted).await.expect("a plan");
    assert!(again.is_done(), "{:?}", lines(&again));
    assert_eq!(*identities.directory(), before);
    applied
}

const ALL: &str = r#"
[operator]
name = "acme"
strict = true
service_urls = ["nats://localhost:4222"]
system_account = "SYS"
assert_server_version = "2.12.0"

[account.SYS]

[account.orders]
description = "what is ordered"
jetstream = { memory = 0, disk = "10GiB", streams = 10, max_stream_disk = "1GiB" }
limits = { connections = 100, payload = "1MiB", disallow_bearer = true }
default_permissions = { publish = { deny = ["secret.>"] }, responses = { ttl = "2m" } }
exports = [
  { subject = "orders.>", type = "stream", name = "all" },
  { subject = "ask.*", type = "service", response_type = "Stream", latency = { results = "lat", sampling = 10 } },
]
mappings = { "old.*" = "new.$1", "a" = [{ subject = "b", weight = 60 }, { subject = "c", weight = 40 }] }
trace = { destination = "traces", sampling = 5 }
cluster_traffic = "owner"
authorization = { users = ["decider"], allowed_accounts = ["SYS"] }

[account.orders.role.reader]
description = "who reads"
subscribe = ["orders.{{name()}}.>"]
max_payload = "1KiB"
responses = { max = -1, ttl = "forever" }

[account.orders.user.ann]
role = "reader"
tags = ["team:blue"]

[account.orders.user.bob]
publish = { allow = ["orders.>"], deny = ["orders.secret"] }
sources = ["10.0.0.0/8"]
times = [{ start = "08:00:00", end = "18:00:00" }]
times_location = "Europe/Berlin"
connection_types = ["STANDARD"]
claims = { subs = 7 }

[account.orders.user.decider]

[account.shop]
tier.R3 = { disk = "1GiB" }
imports = [{ subject = "orders.>", type = "stream", account = "orders", local_subject = "theirs.>" }]
claims = { limits = { conn = 3 }, later = "kept" }
"#;

#[tokio::test]
async fn all_that_is_described_is_made_once() {
    let mut identities = identities().await;
    let done = apply(&mut identities, ALL, Unlisted::Remove).await;
    assert_eq!(
        lines(&done),
        [
            "+ operator acme",
            "+ account SYS",
            "+ account orders",
            "+ role orders/reader",
            "+ user orders/ann",
            "+ user orders/bob",
            "+ user orders/decider",
            "+ account shop",
        ]
    );
    assert_eq!(
        done.steps[4].then,
        [Then::IssueCreds {
            user: "orders/ann".to_owned()
        }]
    );

    let directory = identities.directory();
    let operator = directory.find_operator(Some("acme")).expect("made");
    let claims = identities.operator_claims(operator).expect("made");
    let account = |name: &str| directory.find_account(name).expect("made");
    assert_eq!(claims.body.system_account, account("SYS").as_str());
    assert!(claims.body.is_strict);

    let state = |name: &str| directory.accounts[&account(name)].state.settings().clone();
    let orders = state("orders");
    assert_eq!(orders.limits.jetstream.memory, Limit::ZERO);
    assert_eq!(orders.limits.jetstream.disk, Limit::from(10 << 30));
    assert_eq!(orders.limits.jetstream.consumers, Limit::UNLIMITED);
    assert_eq!(orders.limits.connections, Limit::at_most(100));
    assert_eq!(orders.limits.leaf_nodes, Limit::UNLIMITED);
    assert_eq!(orders.default_permissions.publish.deny, ["secret.>"]);
    let latency = orders.exports[0]
        .latency
        .as_ref()
        .or(orders.exports[1].latency.as_ref());
    assert_eq!(latency.expect("it is told").sampling, Sampling::Percent(10));
    assert_eq!(orders.mappings["a"].len(), 2);
    let decider = directory.find_user("orders/decider").expect("made");
    assert_eq!(orders.authorization.users, [decider.as_str()]);
    assert_eq!(
        orders.authorization.allowed_accounts,
        [account("SYS").as_str()]
    );

    let shop = state("shop");
    assert_eq!(shop.imports[0].account, account("orders").as_str());
    assert_eq!(shop.limits.connections, Limit::at_most(3));
    assert_eq!(shop.limits.exports, Limit::UNLIMITED);
    assert!(shop.limits.has_jetstream() && !state("SYS").limits.has_jetstream());
    assert_eq!(shop.other["later"], "kept");

    let bob = &directory.users[&directory.find_user("bob").expect("made")].state;
    let limits = bob.limits.as_ref().expect("its own");
    assert_eq!(limits.subscriptions, Limit::at_most(7));
    assert_eq!(limits.payload, Limit::UNLIMITED);
    assert_eq!(limits.publish.deny, ["orders.secret"]);
    for name in ["SYS", "orders", "shop"] {
        identities
            .account_token(account(name))
            .expect("a server takes it");
    }
    let ann = identities.directory().find_user("ann").expect("made");
    identities
        .change(|draft| draft.generate_credentials(ann, 0))
        .await
        .expect("a server logs her in");
}

#[tokio::test]
async fn what_differs_is_changed_and_told() {
    let mut identities = identities().await;
    let text = r#"
        operator = "acme"
        [account.orders.role.reader]
        subscribe = ["a"]
        [account.orders.user.ann]
        role = "reader"
        [account.orders.user.bob]
        max_payload = 10
    "#;
    apply(&mut identities, text, Unlisted::Leave).await;
    let [ann, bob] =
        ["ann", "bob"].map(|name| identities.directory().find_user(name).expect("made"));
    let issue = |draft: &mut crate::identity::Draft<'_>| {
        draft.generate_credentials(ann, 0)?;
        draft.generate_credentials(bob, 0)
    };
    identities.change(issue).await.expect("issued");
    let account = identities.directory().find_account("orders").expect("made");
    let key = |identities: &Identities| {
        let state = &identities.directory().accounts[&account].state;
        state
            .signing_keys_of(Some("reader"))
            .last()
            .expect("it has one")
    };
    let old = key(&identities);

    let text = r#"
        [operator]
        name = "acme"
        service_urls = ["nats://localhost:4222"]
        [account.orders]
        limits = { connections = 5 }
        jetstream = true
        [account.orders.role.reader]
        subscribe = ["a", "b"]
        [account.orders.user.ann]
        role = "reader"
        tags = ["x:y"]
        [account.orders.user.bob]
        role = "reader"
    "#;
    let done = apply(&mut identities, text, Unlisted::Leave).await;
    assert_eq!(
        lines(&done),
        [
            "~ operator acme",
            "    operator_service_urls: none -> [\"nats://localhost:4222\"]",
            "~ account orders",
            "    limits.conn: unlimited -> 5",
            "    limits.consumer: 0 -> unlimited",
            "    limits.disk_storage: 0 -> unlimited",
            "    limits.max_ack_pending: 0 -> unlimited",
            "    limits.mem_storage: 0 -> unlimited",
            "    limits.streams: 0 -> unlimited",
            "~ role orders/reader",
            "    sub.allow: [\"a\"] -> [\"a\",\"b\"]",
            "~ user orders/ann",
            "    tags: [] -> [\"x:y\"]",
            "~ user orders/bob",
            "    role: none -> \"reader\"",
        ]
    );
    let creds = |user: &str| Then::IssueCreds {
        user: user.to_owned(),
    };
    let remove = || Then::RemoveSigningKey { key: old };
    assert_eq!(done.steps[2].then, [creds("orders/ann"), remove()]);
    assert_eq!(done.steps[4].then, [creds("orders/bob")]);
    assert_ne!(key(&identities), old);
    let bob_may = identities.effective(bob).expect("it has a role");
    assert!(bob_may.may_subscribe("b", None).is_allowed());

    // The old key is told of until it is removed.
    let planned = identities
        .plan(&spec(text), Unlisted::Remove)
        .expect("a plan");
    assert_eq!(lines(&planned), ["= role orders/reader"]);
    identities.change(issue).await.expect("issued anew");
    let planned = identities
        .plan(&spec(text), Unlisted::Remove)
        .expect("a plan");
    assert_eq!(planned.steps[0].then, [remove()]);
    let removal = identities.change(|draft| draft.remove_signing_key(old, "changed"));
    removal.await.expect("removed");
    let planned = identities
        .plan(&spec(text), Unlisted::Remove)
        .expect("a plan");
    assert_eq!(planned.steps, []);
}

#[tokio::test]
async fn what_is_not_in_the_file_stays_unless_it_is_to_go() {
    let mut identities = identities().await;
    let text = r#"
        operator = "acme"
        [account.orders.role.reader]
        [account.orders.user.ann]
        role = "reader"
        [account.orders.user.bob]
        [account.orders.user.carl]
        [account.shop.user.dora]
    "#;
    apply(&mut identities, text, Unlisted::Leave).await;
    let less = r#"
        operator = "acme"
        [account.orders.user.carl]
    "#;
    let done = apply(&mut identities, less, Unlisted::Leave).await;
    let left = [
        "= role orders/reader",
        "= user orders/ann",
        "= user orders/bob",
        "= account shop",
    ];
    assert_eq!(lines(&done), left);
    let done = apply(&mut identities, less, Unlisted::Remove).await;
    let removed = left[..3].iter().map(|line| line.replace('=', "-"));
    let expect: Vec<String> = removed.chain([left[3].to_owned()]).collect();
    assert_eq!(lines(&done), expect);
    let directory = identities.directory();
    let account = directory.find_account("orders").expect("it stays");
    let state = &directory.accounts[&account].state;
    assert_eq!(state.revocations.len(), 2);
    assert_eq!(state.signing_keys.len(), 1);
    assert!(
        !directory
            .key(directory.find_user("dora").expect("she stays"))
            .is_revoked()
    );

    // Who is described again is another one.
    let text = format!("{less}\n[account.orders.user.bob]");
    let done = apply(&mut identities, &text, Unlisted::Leave).await;
    assert_eq!(lines(&done), ["+ user orders/bob", "= account shop"]);
    assert_eq!(done.steps[0].notes.len(), 1);
}

#[test]
fn faults_of_the_file_are_named_with_their_place() {
    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = Spec::parse(text, "a.toml").expect_err(text);
        assert_eq!(error.code(), "spec-invalid");
        assert_eq!(error.to_string(), format!("`a.toml`, line {expect}"));
    }
    refused("", "1, column 1: missing field `operator`");
    refused(
        "operator = 7",
        "1, column 12: invalid type: integer `7`, expected the name of an operator, or a table with \
         its `name`",
    );
    refused(
        "[operator]\nname = \"a\"\nstrikt = true",
        "3, column 1: unknown field `strikt`, expected one of `name`, `strict`, `service_urls`, \
         `account_server_url`, `system_account`, `assert_server_version`, `claims`",
    );
    let in_account = |text: &str| format!("operator = \"a\"\n[account.b]\n{text}");
    refused(
        &in_account("limits = { connections = -2 }"),
        "3, column 26: invalid value: integer `-2`, expected a number, a number of bytes such as \
         `10GiB`, or `unlimited`",
    );
    refused(
        &in_account("jetstream = { disk = \"10 gigs\" }"),
        "3, column 22: invalid value: string \"10 gigs\", expected a number, a number of bytes such \
         as `10GiB`, or `unlimited`",
    );
    refused(
        &in_account("jetstream = true\ntier.R1 = {}"),
        "2, column 1: expected `jetstream` or `tier`, found both",
    );
    refused(
        &in_account("user.ann = { publish = { alow = [] } }"),
        "3, column 26: unknown field `alow`, expected `allow` or `deny`",
    );
    refused(
        &in_account("user.ann.role = \"reader\""),
        "3, column 17: expected a role of the account, `[account.ACCOUNT.role.reader]`, found \
         `reader`",
    );
    refused(
        &in_account("role.r = {}\nuser.ann = { role = \"r\", bearer = true }"),
        "4, column 21: what the user may do comes from its role, beside which `bearer` may not be \
         said",
    );
    refused(
        &in_account("default_permissions.responses.ttl = \"2 minutes\""),
        "3, column 37: invalid value: string \"2 minutes\", expected a duration such as `500ms`, \
         `90s`, `2m` or `1h`, or `forever`",
    );
}

#[test]
fn a_seed_in_the_file_is_not_shown() {
    let seed = cim_core::nkey::Seed::new(cim_core::nkey::KeyKind::Account, [1; 32]).expose();
    for text in [
        format!("operator = \"a\"\n{} = 1", &*seed),
        format!(
            "operator = \"a\"\naccount.b.jetstream.disk = \"{}\"",
            &*seed
        ),
        format!("operator = \"a\"\naccount.b.user.c.role = \"{}\"", &*seed),
    ] {
        let error = Spec::parse(&text, "a.toml").expect_err("refused");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&seed[2..]), "{shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_place_and_nothing_happens() {
    let mut identities = identities().await;
    let mut refused = async |text: &str, expect: &str| {
        let text = format!("operator = \"a\"\n[account.b]\n{text}");
        let spec = spec(&text);
        let planned = identities.plan(&spec, Unlisted::Leave).expect_err(&text);
        let applied = identities
            .apply(&spec, Unlisted::Leave)
            .await
            .expect_err(&text);
        assert_eq!(planned.to_string(), applied.to_string());
        assert!(identities.directory().operators.is_empty());
        let mut shown = planned.to_string();
        if let Some(source) = std::error::Error::source(&planned) {
            shown = format!("{shown}: {source}");
        }
        assert_eq!(shown, format!("`identity.toml`, line {expect}"));
    };
    refused(
        "exports = [{ subject = \"a..b\", type = \"stream\" }]",
        "2, column 1: the account `b` cannot be as it is described: a server would refuse these \
         claims: nats.exports[0].subject: the subject `a..b` has an empty token",
    )
    .await;
    refused(
        "imports = [{ subject = \"a\", type = \"stream\", account = \"c\" }]",
        "3, column 56: expected the key of an account, or the name of one in this file or of its \
         operator, found `c`",
    )
    .await;
    refused(
        "authorization.users = [\"nobody\"]",
        "3, column 24: expected the key of a user, or the name of one of this account, found \
         `nobody`",
    )
    .await;
    refused(
        "claims = { signing_keys = [] }",
        "3, column 10: `signing_keys` is not set with `claims`",
    )
    .await;
    refused(
        "claims = { limits = { conn = \"many\" } }",
        "3, column 10: not signed: the claims are not as they should be: `limits`: `conn`: invalid \
         type: string \"many\", expected i64",
    )
    .await;
    refused(
        "user.ann.claims = { sub_s = 1 }",
        "3, column 19: `claims` has `sub_s`, which users have not",
    )
    .await;
    refused(
        "user.ann.sources = [\"home\"]",
        "3, column 6: the user `b/ann` cannot be as it is described: a server would refuse these \
         claims: nats.src[0]: expected a network such as `10.0.0.0/8`, found `home`",
    )
    .await;
}
