//! The server, the account and the user.

use std::time::Duration;

use crate::doctor::{Finding, bytes};
use crate::jetstream::doctor::examine::USER;
use crate::jetstream::doctor::facts::{Facts, User};
use crate::jetstream::doctor::permissions::{Permissions, reading};
use crate::jetstream::plan::{Purpose, StreamPlan};
use crate::jetstream::version::{NEEDED, is_enough};

pub(super) fn version(facts: &Facts) -> Vec<Finding> {
    let mut servers = vec![(&facts.server.name, &facts.server.version)];
    for settings in facts.settings.iter().flatten() {
        if !servers.iter().any(|(name, _)| **name == settings.name) {
            servers.push((&settings.name, &settings.version));
        }
    }
    let one = |(name, version): (&String, &String)| {
        let what = format!("nats-server {version} on `{name}`");
        let mend = format!("install nats-server {NEEDED}");
        match is_enough(version) {
            Some(true) => Finding::ok(
                "server-version",
                what,
                "its checks of expected sequences and its atomic batches can be relied on",
            ),
            Some(false) => Finding::risk(
                "server-version",
                what,
                format!(
                    "checks of expected sequences or atomic batches fail in it: histories can \
                     fork; expected {NEEDED}"
                ),
                mend,
            ),
            None => Finding::warning(
                "server-version",
                what,
                format!("this is no version that is known; expected {NEEDED}"),
                mend,
            ),
        }
    };
    servers.into_iter().map(one).collect()
}

/// From which part of a limit on it is worth a look, in percent.
const NEARLY_FULL: u64 = 90;

pub(super) fn jetstream(facts: &Facts) -> Vec<Finding> {
    let account = match &facts.account {
        Ok(account) => account,
        Err(unseen) => {
            return vec![Finding::risk(
                "jetstream",
                format!("JetStream does not answer: {}", unseen.why),
                "no event can be stored",
                format!(
                    "write `jetstream {{}}` in the configuration of nats-server and switch it on \
                     for the account; let this user publish to `{}.INFO`; start servers of the \
                     cluster that are down",
                    facts.api
                ),
            )];
        }
    };
    let limits = &account.limits;
    let mut findings = Vec::new();
    for (name, used, limit) in [
        ("bytes on disk", account.storage, limits.max_storage),
        ("streams", account.streams, limits.max_streams),
        ("consumers", account.consumers, limits.max_consumers),
    ] {
        let Some(limit) = u64::try_from(limit).ok().filter(|limit| *limit > 0) else {
            continue;
        };
        if used.saturating_mul(100) >= limit.saturating_mul(NEARLY_FULL) {
            findings.push(Finding::warning(
                "limits",
                format!("the account uses {used} of {limit} {name}"),
                "when the limit is reached, appends or new streams are refused; what is stored \
                 stays",
                "raise the limits of the account",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "jetstream",
            format!(
                "JetStream holds {} on disk; streams: {}",
                bytes(account.storage),
                account.streams
            ),
            "it is on, and the account's limits are far",
        ));
    }
    findings
}

pub(super) fn permissions(facts: &Facts) -> Vec<Finding> {
    let user = match &facts.user {
        Ok(user) => user,
        Err(unseen) => {
            return vec![Finding::warning(
                "permissions",
                format!("what this user may do cannot be seen by it: {}", unseen.why),
                "a missing permission shows only when it is needed",
                format!("let the user publish to `{USER}`"),
            )];
        }
    };
    let mut findings = Vec::new();
    if let Some(left) = user.expires.map(Duration::from_nanos)
        && left < SOON
    {
        findings.push(Finding::warning(
            "credentials",
            format!(
                "the credentials of `{}` end in {} hours",
                user.user,
                left.as_secs() / 3600
            ),
            "then the server closes the connection and takes no other",
            "make new credentials",
        ));
    }
    let Some(permissions) = &user.permissions else {
        findings.push(Finding::ok(
            "permissions",
            format!("{} may do everything in its account", named(user)),
            "so may every user without permissions: let others than the store publish its \
             subjects, and they can break histories",
        ));
        return findings;
    };
    let plans = facts.streams.iter().flatten().map(|stream| &stream.plan);
    let stores = plans.filter(|plan| matches!(plan.purpose, Purpose::Store { .. }));
    let missing: Vec<_> = stores
        .flat_map(|plan| needed(facts, permissions, plan))
        .collect();
    if missing.is_empty() {
        findings.push(Finding::ok(
            "permissions",
            format!("{} may read and append", named(user)),
            "it may publish and subscribe to all that the store needs",
        ));
    }
    findings.extend(missing);
    findings
}

/// Credentials that end sooner are told of.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

fn named(user: &User) -> String {
    match (user.user.is_empty(), user.account.is_empty()) {
        (true, true) => "this user".to_owned(),
        (true, false) => format!("this user of the account `{}`", user.account),
        _ => format!("the user `{}` of the account `{}`", user.user, user.account),
    }
}

/// What a user lacks for a store.
fn needed(facts: &Facts, permissions: &Permissions, plan: &StreamPlan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let quoted = |subjects: &[String]| {
        let quoted: Vec<_> = subjects
            .iter()
            .map(|subject| format!("\"{subject}\""))
            .collect();
        quoted.join(", ")
    };
    let mut lacks = |code, what: String, meaning: &str, kind: &str, subjects: &[String]| {
        findings.push(Finding::warning(
            code,
            what,
            meaning,
            format!(
                "`permissions {{ {kind}: {{ allow: [{}] }} }}` for the user",
                quoted(subjects)
            ),
        ));
    };
    let subjects: Vec<_> = plan.subjects.iter().map(ToString::to_string).collect();
    let events: Vec<_> = subjects
        .into_iter()
        .filter(|subject| !permissions.publish.covers(subject))
        .collect();
    if !events.is_empty() {
        lacks(
            "cannot-append",
            format!("this user may not publish to {}", quoted(&events)),
            "it can read the store and not append to it",
            "publish",
            &events,
        );
    }
    let needs = reading(&facts.api, &plan.name);
    let (subjects, purposes): (Vec<_>, Vec<_>) = needs
        .into_iter()
        .filter(|need| !permissions.publish.covers(&need.subject))
        .map(|need| (need.subject, need.what_for))
        .unzip();
    if !subjects.is_empty() {
        let mut purposes = purposes;
        purposes.dedup();
        lacks(
            "cannot-read",
            format!(
                "this user may not publish to {}, for {}",
                quoted(&subjects),
                purposes.join(", ")
            ),
            "the store does not work with it",
            "publish",
            &subjects,
        );
    }
    let inbox = format!("{}.>", facts.inbox);
    if !permissions.subscribe.covers(&inbox) {
        lacks(
            "cannot-read",
            format!("this user may not subscribe to \"{inbox}\""),
            "no answer reaches it",
            "subscribe",
            std::slice::from_ref(&inbox),
        );
    }
    findings
}

/// From which difference on the clocks are told of.
const CLOCK: i64 = 1_000_000;

pub(super) fn clock(facts: &Facts) -> Option<Finding> {
    let clock = facts.clock?;
    // The server may have answered at any moment between question and answer.
    let known = clock.ahead_micros.abs() - clock.within_micros / 2;
    let seconds = |micros: i64| {
        let tenths = micros / 100_000;
        format!("{}.{} s", tenths / 10, tenths % 10)
    };
    if known < CLOCK {
        return Some(Finding::ok(
            "clock",
            "the server's clock and ours agree",
            "times of events can be compared with those of the server",
        ));
    }
    let side = if clock.ahead_micros > 0 {
        "ahead of"
    } else {
        "behind"
    };
    Some(Finding::warning(
        "clock",
        format!(
            "the server's clock is {} {side} ours",
            seconds(clock.ahead_micros.abs())
        ),
        "times of events are ours and age limits the server's: they do not fit together; the order \
         of events does not depend on them",
        "synchronise both machines, for example with `systemctl enable --now systemd-timesyncd`",
    ))
}
