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
        if network_of(network).is_none() {
            let text = format!("expected a network such as `10.0.0.0/8`, found `{network}`");
            findings.error("network-invalid", &format!("nats.src[{at}]"), text);
        }
    }
    for (at, TimeRange { start, end, .. }) in limits.times.iter().enumerate() {
        for (name, time) in [("start", start), ("end", end)] {
            if time_of_day(time).is_none() {
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

/// Whether an address is in a network; `None` if that is none.
pub(in crate::jwt) fn is_in_network(address: IpAddr, network: &str) -> Option<bool> {
    let (network, length) = network_of(network)?;
    let bits = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((address, size), (network_bits, network_size)) = (bits(address), bits(network));
    // An IPv4 network that is written as an IPv6 one has the longer prefix.
    let length = match network.is_ipv6() && network_size == 32 {
        true => length.saturating_sub(96),
        false => length,
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    Some(size == network_size && (address ^ network_bits) & mask == 0)
}

/// An address and the length of its prefix, as Go's `net.ParseCIDR` takes it.
fn network_of(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u32 = length.parse().ok()?;
    (is_number && length <= most).then_some((address, length))
}

/// The second of the day, of a time as Go's `time.Parse` takes it: an hour of one digit too, and a
/// fraction of a second, which counts for nothing, behind a point or a comma.
pub(in crate::jwt) fn time_of_day(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [hour, minute, second] = parts[..] else {
        return None;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let second = match second.split_once(['.', ',']) {
        Some((second, fraction)) => is_number(fraction).then_some(second)?,
        None => second,
    };
    let number = |text: &str, lengths: &[usize], most: i64| {
        let is_valid = is_number(text) && lengths.contains(&text.len());
        let number = is_valid.then(|| text.parse::<i64>().ok()).flatten();
        number.filter(|number| *number <= most)
    };
    let hour = number(hour, &[1, 2], 23)?;
    Some((hour * 60 + number(minute, &[2], 59)?) * 60 + number(second, &[2], 59)?)
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
