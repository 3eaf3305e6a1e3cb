//! What is refused about a user's claims.

use std::net::IpAddr;

use super::{Findings, subject};
use crate::jwt::claims::Claims;
use crate::jwt::permissions::{Permission, TimeRange};
use crate::jwt::user::UserClaims;
use crate::nkey::{KeyKind, PublicKey};

pub(in crate::jwt) fn check(claims: &Claims<UserClaims>, findings: &mut Findings) {
    let UserClaims {
        limits,
        issuer_account,
        ..
    } = &claims.body;
    check_permission(&limits.subscribe, "nats.sub", true, findings);
    check_permission(&limits.publish, "nats.pub", false, findings);
    for (at, network) in limits.sources.0.iter().enumerate() {
        if !is_network(network) {
            let text = format!("expected a network such as `10.0.0.0/8`, found `{network}`");
            findings.error("network-invalid", &format!("nats.src[{at}]"), text);
        }
    }
    for (at, TimeRange { start, end, .. }) in limits.times.iter().enumerate() {
        for (name, time) in [("start", start), ("end", end)] {
            if !is_time(time) {
                let text = format!("expected a time such as `09:00:00`, found `{time}`");
                findings.error(
                    "time-of-day-invalid",
                    &format!("nats.times[{at}].{name}"),
                    text,
                );
            }
        }
    }
    let zone = &limits.times_location;
    if !zone.is_empty() && !may_be_zone(zone) {
        let text = format!("expected a time zone such as `Europe/Berlin`, found `{zone}`");
        findings.error("time-zone-invalid", "nats.times_location", text);
    }
    check_account(issuer_account, "nats.issuer_account", findings);
}

/// Checks that it is empty or the key of an account.
pub(super) fn check_account(account: &str, path: &str, findings: &mut Findings) {
    if !account.is_empty() && PublicKey::of_kind(account, KeyKind::Account).is_err() {
        let text = format!("expected the key of an account, `A…`, found `{account}`");
        findings.error("account-key-invalid", path, text);
    }
}

/// Checks subjects that are allowed or denied. Those to subscribe to may have a queue group.
pub(super) fn check_permission(
    permission: &Permission,
    path: &str,
    may_have_queue: bool,
    findings: &mut Findings,
) {
    let allow = permission.allow.as_deref().unwrap_or_default();
    for (list, entries) in [("allow", allow), ("deny", &permission.deny)] {
        for (at, entry) in entries.iter().enumerate() {
            check_entry(
                entry,
                &format!("{path}.{list}[{at}]"),
                may_have_queue,
                findings,
            );
        }
    }
}

fn check_entry(entry: &str, path: &str, may_have_queue: bool, findings: &mut Findings) {
    match entry.split(' ').collect::<Vec<_>>()[..] {
        [found] => subject::check(found, path, findings),
        [found, queue] => {
            subject::check(found, path, findings);
            subject::check(queue, path, findings);
            if !may_have_queue {
                let text = format!("`{entry}`: who publishes has no queue group");
                findings.error("permission-queue", path, text);
            }
        }
        _ => {
            let text = format!("`{entry}`: expected a subject, and a queue group behind a space");
            findings.error("permission-spaces", path, text);
        }
    }
}

/// An address and the length of its prefix, as Go's `net.ParseCIDR` takes it.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u32>().is_ok_and(|length| length <= most)
}

/// Hour, minute and second as Go's `time.Parse` takes them: an hour of one digit too, and a fraction of
/// a second behind a point or a comma.
fn is_time(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [hour, minute, second] = parts[..] else {
        return false;
    };
    let (second, fraction) = match second.find(['.', ',']) {
        Some(at) => (&second[..at], Some(&second[at + 1..])),
        None => (second, None),
    };
    let is_number = |text: &str, lengths: &[usize], most: u32| {
        lengths.contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|number| number <= most)
    };
    let is_fraction =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number(hour, &[1, 2], 23)
        && is_number(minute, &[2], 59)
        && is_number(second, &[2], 59)
        && fraction.is_none_or(is_fraction)
}

/// What may be the name of a zone. Whether it is one, the server's own list decides.
fn may_be_zone(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    name.split('/').all(is_part)
}
