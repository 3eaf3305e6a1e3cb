//! What users may do, and until when, as arguments.

use std::fs;
use std::time::Duration;

use cim_core::jwt::{Limit, Permission, Permissions, Responses, UserLimits};
use cim_core::time::Timestamp;
use clap::Args;

use crate::cli::append::time;
use crate::cli::failure::Failure;
use crate::clock;

/// What a user may publish and subscribe to.
#[derive(Args, Clone, Debug)]
pub(crate) struct PermissionArgs {
    /// A subject that may be published to, with wildcards; may be given several times
    #[arg(long, value_name = "SUBJECT")]
    publish: Vec<String>,
    /// A subject that may not
    #[arg(long, value_name = "SUBJECT")]
    deny_publish: Vec<String>,
    /// A subject that may be subscribed to, with wildcards, and maybe `SUBJECT QUEUE`
    #[arg(long, value_name = "SUBJECT")]
    subscribe: Vec<String>,
    /// A subject that may not
    #[arg(long, value_name = "SUBJECT")]
    deny_subscribe: Vec<String>,
    /// How many answers to a message may be published where it asks for them
    #[arg(long, value_name = "N")]
    responses: Option<u32>,
    /// How long they may be
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "responses")]
    responses_ttl: Option<Duration>,
}

impl PermissionArgs {
    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.permissions().is_empty()
    }

    pub(crate) fn permissions(&self) -> Permissions {
        Permissions {
            publish: permission(&self.publish, &self.deny_publish),
            subscribe: permission(&self.subscribe, &self.deny_subscribe),
            responses: self.responses.map(|max| {
                // Two minutes is what servers do with a zero.
                Responses::new(max, self.responses_ttl.unwrap_or_default())
            }),
            ..Permissions::default()
        }
    }
}

fn permission(allow: &[String], deny: &[String]) -> Permission {
    Permission {
        allow: (!allow.is_empty()).then(|| allow.to_vec()),
        deny: deny.to_vec(),
        ..Permission::default()
    }
}

/// What a user may do.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitArgs {
    #[command(flatten)]
    permissions: PermissionArgs,
    /// How many subscriptions there may be
    #[arg(long, value_name = "N")]
    max_subscriptions: Option<u32>,
    /// How many bytes a message may have
    #[arg(long, value_name = "BYTES")]
    max_payload: Option<u32>,
    /// A network from which connections come, `192.168.0.0/16`; may be given several times
    #[arg(long, value_name = "NETWORK")]
    source: Vec<String>,
    /// A way to connect: STANDARD, WEBSOCKET, LEAFNODE, MQTT …; may be given several times
    #[arg(long, value_name = "TYPE")]
    connection_type: Vec<String>,
    /// The token alone is enough to log in: it is a password then
    #[arg(long)]
    bearer: bool,
}

impl LimitArgs {
    pub(crate) fn limits(&self) -> UserLimits {
        let permissions = self.permissions.permissions();
        let limit = |limit: Option<u32>| limit.map_or(Limit::UNLIMITED, Limit::at_most);
        let mut limits = UserLimits {
            publish: permissions.publish,
            subscribe: permissions.subscribe,
            responses: permissions.responses,
            subscriptions: limit(self.max_subscriptions),
            payload: limit(self.max_payload),
            is_bearer: self.bearer,
            connection_types: self.connection_type.clone(),
            ..UserLimits::default()
        };
        limits.sources.0.clone_from(&self.source);
        limits
    }

    /// Whether none was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.limits() == UserLimits::default()
    }
}

/// A duration such as `90s`, `15m`, `12h` or `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let fault = || "expected a duration such as `90s`, `15m`, `12h` or `30d`".to_owned();
    let unit = text.chars().last().ok_or_else(fault)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(fault()),
    };
    let number = &text[..text.len() - 1];
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault());
    }
    let number: u64 = number.parse().map_err(|_| fault())?;
    let seconds = number.checked_mul(seconds).ok_or_else(fault)?;
    Ok(Duration::from_secs(seconds))
}

/// A duration from now on, or a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    For(Duration),
    At(Timestamp),
}

pub(crate) fn until(text: &str) -> Result<Until, String> {
    match (duration(text), time(text)) {
        (Ok(duration), _) => Ok(Until::For(duration)),
        (Err(_), Ok(time)) => Ok(Until::At(time)),
        (Err(_), Err(_)) => Err(
            "expected a duration such as `12h` or `30d`, or a time such as `2027-01-01T00:00:00Z`"
                .to_owned(),
        ),
    }
}

impl Until {
    /// The second at which a token ends; 0 for never.
    pub(crate) fn second(until: Option<Self>) -> Result<i64, Failure> {
        let Some(until) = until else { return Ok(0) };
        let now = clock::now().micros();
        let end = match until {
            Self::For(duration) => u64::try_from(duration.as_micros())
                .ok()
                .and_then(|duration| now.checked_add(duration)),
            Self::At(time) => Some(time.micros()),
        };
        end.filter(|end| *end > now)
            .and_then(|end| i64::try_from(end / 1_000_000).ok())
            .ok_or_else(|| {
                Failure::usage("the token would end before it begins")
                    .help("give a time that is to come, such as `--expires 30d`")
            })
    }
}

/// A JSON text, or what stands in the file behind an `@`.
pub(crate) fn text_or_file(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        None => Ok(text.to_owned()),
        Some(path) => {
            fs::read_to_string(path).map_err(|error| Failure::file("read", path.as_ref(), &error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "d",
            "1",
            "1w",
            "-1d",
            "1.5h",
            "1 d",
            "99999999999999999999d",
        ] {
            duration(wrong).expect_err(wrong);
        }
    }
}
