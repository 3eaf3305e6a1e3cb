//! The streams: whether they keep what they acknowledge, and whether they are as planned.

use std::time::Duration;

use crate::doctor::Finding;
use crate::jetstream::doctor::examine::VARZ;
use crate::jetstream::doctor::facts::{Facts, ServerSettings, StreamFacts, Sync};
use crate::jetstream::plan::{Effect, Purpose, parse_store, shown};
use crate::jetstream::{Replica, Retention, Storage, StreamInfo};

/// What an acknowledged event rests on: the disk of one server, or the memory of several.
pub(super) fn durability(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(settings) = &facts.settings
        && !settings.iter().any(|one| one.name == facts.server.name)
    {
        let names: Vec<_> = settings
            .iter()
            .map(|one| format!("`{}`", one.name))
            .collect();
        findings.push(Finding::warning(
            "other-server",
            format!(
                "the settings are those of {}, and we are connected to `{}`",
                names.join(", "),
                facts.server.name
            ),
            "what is said of them may not hold for the server that stores the events",
            "name the monitoring port of the right server, or of each, with `--monitor`",
        ));
    }
    for stream in stores(facts) {
        let replicas = stream
            .found
            .as_ref()
            .map_or(stream.plan.replicas, |info| info.config.num_replicas);
        findings.push(match &facts.settings {
            Ok(settings) => synced(stream, replicas, settings),
            Err(unseen) => unseen_sync(stream, replicas, &unseen.why),
        });
    }
    findings
}

/// The streams that histories are folded from.
fn stores(facts: &Facts) -> impl Iterator<Item = &StreamFacts> {
    let streams = facts.streams.iter().flatten();
    streams.filter(|stream| matches!(stream.plan.purpose, Purpose::Store { .. }))
}

/// With so many replicas, a majority is more than one server.
const SEVERAL: u32 = 3;

fn synced(stream: &StreamFacts, replicas: u32, settings: &[ServerSettings]) -> Finding {
    let name = &stream.plan.name;
    let latest = settings.iter().filter_map(|one| match one.sync? {
        Sync::Always => None,
        Sync::Interval(interval) => Some((interval, &one.name)),
    });
    let Some((interval, server)) = latest.max() else {
        return Finding::ok(
            "sync",
            format!("`sync_interval` is `always` on {}", list(settings)),
            format!("an acknowledged event of `{name}` is on the disk and survives power loss"),
        );
    };
    let found = format!(
        "`sync_interval` is {} on `{server}`, and `{name}` has {}",
        duration(interval),
        copies(replicas)
    );
    if replicas >= SEVERAL {
        return Finding::ok("sync", found, memory_of_several(replicas, Some(interval)));
    }
    Finding::risk(
        "sync",
        found,
        format!(
            "an acknowledged event is written to the disk up to {} later: when the power fails or \
             the machine stops before, it is lost; the end of the process alone loses nothing",
            duration(interval)
        ),
        MEND_SYNC,
    )
}

const MEND_SYNC: &str = "write `sync_interval: always` within `jetstream { … }` in the \
    configuration of nats-server and restart it; or keep the stream on three servers, with \
    `replicas = 3` in `[event_store]` of `cim.toml` and `cim stream apply`";

/// Nothing was seen of the settings; what is not known to be safe is not called safe.
fn unseen_sync(stream: &StreamFacts, replicas: u32, why: &str) -> Finding {
    let name = &stream.plan.name;
    let found = format!(
        "`sync_interval` cannot be seen by this user ({why}), and `{name}` has {}",
        copies(replicas)
    );
    if replicas >= SEVERAL {
        return Finding::ok("sync", found, memory_of_several(replicas, None));
    }
    Finding::risk(
        "sync",
        found,
        "the server's default is two minutes: when the power fails, an acknowledged event of the \
         last two minutes may be lost",
        format!(
            "look at it with `--monitor http://HOST:8222`, with `--system-creds FILE` of a user of \
             the system account, or by importing `{VARZ}` into the account; {MEND_SYNC}"
        ),
    )
}

fn memory_of_several(replicas: u32, interval: Option<Duration>) -> String {
    let majority = replicas / 2 + 1;
    let within = interval.map_or_else(
        || "before it is on the disk".to_owned(),
        |interval| format!("within {}", duration(interval)),
    );
    format!(
        "an acknowledged event is on {majority} servers; it is lost only if all {majority} lose \
         their power {within}, so they should not share it"
    )
}

fn list(settings: &[ServerSettings]) -> String {
    let names: Vec<_> = settings
        .iter()
        .map(|one| format!("`{}`", one.name))
        .collect();
    names.join(", ")
}

fn copies(replicas: u32) -> String {
    match replicas {
        1 => "1 replica".to_owned(),
        more => format!("{more} replicas"),
    }
}

fn duration(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    shown("duplicate_window", &nanos.into())
}

/// The streams of `cim.toml`, one by one.
pub(super) fn streams(facts: &Facts) -> Vec<Finding> {
    let streams = match &facts.streams {
        Ok(streams) => streams,
        Err(unseen) => {
            return vec![Finding::warning(
                "streams",
                format!("the streams cannot be looked at: {}", unseen.why),
                "whether they keep what they should is not known",
                format!(
                    "let the user publish to `{}.STREAM.INFO.*`, or look with another user",
                    facts.api
                ),
            )];
        }
    };
    let mut findings = Vec::new();
    for stream in streams {
        match &stream.found {
            None => findings.push(Finding::warning(
                "stream-absent",
                format!("there is no stream `{}`", stream.plan.name),
                "what is published to its subjects is stored nowhere",
                "cim stream apply",
            )),
            Some(info) => {
                let before = findings.len();
                findings.extend(replicas(info, facts));
                if let Purpose::Store { .. } = stream.plan.purpose {
                    findings.extend(store(info));
                    findings.extend(mirrors(stream));
                }
                findings.extend(differs(stream, info));
                if findings.len() == before {
                    findings.push(Finding::ok(
                        "stream",
                        format!(
                            "`{}` is as planned; messages: {}",
                            info.config.name, info.state.messages
                        ),
                        match stream.plan.purpose {
                            Purpose::Store { .. } => "it never forgets and takes atomic batches",
                            Purpose::PublishedEvents { .. }
                            | Purpose::Commands { .. }
                            | Purpose::DeadLetters { .. } => "its messages go by age, as planned",
                        },
                    ));
                }
            }
        }
    }
    findings
}

/// Mirrors that answer for a store.
fn mirrors(stream: &StreamFacts) -> Option<Finding> {
    let names: Vec<_> = stream
        .mirrors
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        return None;
    }
    Some(Finding::warning(
        "stream-mirrored",
        format!(
            "mirrors answer direct gets of `{}`: {}",
            stream.plan.name,
            names.join(", ")
        ),
        "`cim` leaves their answers aside and asks the leader, which is slower; other programs may \
         take what they have for all there is",
        "set `mirror_direct` of these mirrors to false, or keep the copies with `cim copy`",
    ))
}

fn replicas(info: &StreamInfo, facts: &Facts) -> Vec<Finding> {
    let (name, wanted) = (&info.config.name, info.config.num_replicas);
    let mut findings = Vec::new();
    let is_clustered = facts.server.cluster.is_some();
    if is_clustered && wanted < SEVERAL {
        findings.push(Finding::warning(
            "replicas",
            format!("`{name}` has {} in a cluster", copies(wanted)),
            "while one server is down, nothing can be stored in it or read from it",
            "write `replicas = 3` in `cim.toml`, then `cim stream apply`",
        ));
    }
    let Some(cluster) = &info.cluster else {
        return findings;
    };
    if cluster.leader.is_none() {
        findings.push(Finding::risk(
            "no-leader",
            format!("`{name}` has no leader"),
            "nothing can be stored in it until a majority of its servers run",
            "start the servers that are down",
        ));
    }
    let down = |is: bool| {
        let replicas = cluster.replicas.iter();
        let found = replicas.filter(move |replica| match is {
            true => is_silent(replica),
            false => !is_silent(replica) && !replica.current,
        });
        found
            .map(|replica| format!("`{}`", replica.name))
            .collect::<Vec<_>>()
    };
    let (offline, behind) = (down(true), down(false));
    if !offline.is_empty() {
        let left = (wanted as usize).saturating_sub(offline.len());
        let spare = left.saturating_sub(wanted as usize / 2 + 1);
        findings.push(Finding::warning(
            "replica-offline",
            format!(
                "replicas of `{name}` are not reached: {}",
                offline.join(", ")
            ),
            match spare {
                0 => "if one more fails, nothing can be stored".to_owned(),
                more => format!("{more} more may fail before nothing can be stored"),
            },
            "start these servers, or move the replicas with `nats stream cluster peer-remove`",
        ));
    }
    if !behind.is_empty() {
        findings.push(Finding::warning(
            "replica-behind",
            format!("replicas of `{name}` are behind: {}", behind.join(", ")),
            "they catch up by themselves; until then fewer servers may fail",
            "look again in a minute with `cim doctor`",
        ));
    }
    findings
}

/// Leaders and followers hear of each other every second.
const SILENT: Duration = Duration::from_secs(5);

fn is_silent(replica: &Replica) -> bool {
    let silent = Duration::from_nanos(replica.active) > SILENT;
    replica.offline || !replica.current && silent
}

/// What a stream of histories must never be.
fn store(info: &StreamInfo) -> Vec<Finding> {
    let config = &info.config;
    let name = &config.name;
    let mut findings = Vec::new();
    let mut risk = |code, what: String, meaning: &str, mend: &str| {
        findings.push(Finding::risk(code, what, meaning, mend));
    };
    if config.max_age > 0 {
        risk(
            "stream-expires",
            format!(
                "`{name}` has an age limit of {}",
                shown("max_age", &config.max_age.into())
            ),
            "when a history has expired, its version 1 can be written again; appends are refused",
            "cim stream apply",
        );
    }
    if let Some(dropped) = config.dropped() {
        risk(
            "stream-drops",
            format!("`{name}` drops messages {dropped}"),
            "histories lose their beginnings; appends are refused",
            if config.retention == Retention::Limits {
                "cim stream apply"
            } else {
                "copy the events to a new stream with `cim copy`"
            },
        );
    }
    if config.storage == Storage::Memory {
        risk(
            "stream-in-memory",
            format!("`{name}` is kept in memory"),
            "every event is lost when its servers stop",
            "copy the events to a stream on disk with `cim copy`",
        );
    }
    // The server refuses it beside atomic batches, which streams of ours take.
    if config
        .other
        .get("persist_mode")
        .and_then(|mode| mode.as_str())
        == Some("async")
    {
        risk(
            "sync",
            format!("`{name}` acknowledges before it writes (`persist_mode` is `async`)"),
            "acknowledged events are lost when the server stops",
            "copy the events to a new stream with `cim copy`",
        );
    }
    if let Err(error) = parse_store(config) {
        findings.push(Finding::warning(
            "not-a-store",
            error.to_string(),
            "commands do not take it for a store",
            if info.state.last_seq == 0 {
                "cim stream apply"
            } else {
                "name another stream with `[event_store] stream_name` in `cim.toml`"
            },
        ));
    }
    findings
}

/// Fields whose difference [`store`] has judged.
const JUDGED: [&str; 6] = [
    "max_age",
    "discard",
    "retention",
    "storage",
    "metadata.cim.store_id",
    "metadata.cim.created_at",
];

fn differs(stream: &StreamFacts, info: &StreamInfo) -> Vec<Finding> {
    let is_store = matches!(stream.plan.purpose, Purpose::Store { .. });
    let is_told = |field: &str| {
        is_store
            && (JUDGED.contains(&field)
                || field == "metadata.cim.template" && parse_store(&info.config).is_err())
    };
    let changes = stream.changes.iter();
    changes
        .filter(|change| !is_told(&change.field))
        .map(|change| {
            let mend = match change.effect {
                Effect::Safe => "cim stream apply".to_owned(),
                Effect::MayLose { .. } => {
                    "change `cim.toml`, or if it is meant, `cim stream apply --allow-loss`"
                        .to_owned()
                }
                Effect::Impossible { why } => {
                    format!("change `cim.toml` to what the stream has: {why}")
                }
            };
            Finding::warning(
                "stream-differs",
                format!("`{}` is not as planned: {change}", info.config.name),
                meaning(&change.field),
                mend,
            )
        })
        .collect()
}

/// What a field does.
fn meaning(field: &str) -> &'static str {
    match field {
        "allow_atomic" => "appends of several events are refused",
        "allow_direct" => "heads and histories are read from the leader alone, which is slower",
        "deny_delete" => "whoever may use the API can delete single messages; `cim verify` sees it",
        "deny_purge" => {
            "whoever may use the API can purge it, and then version 1 of a history can be written \
             again"
        }
        "duplicate_window" => "what is sent again later than that is not known by its id",
        "num_replicas" => "fewer or more servers may fail than planned",
        "subjects" => "some messages go to no stream, or to this one by mistake",
        "max_age" | "max_msgs" | "max_bytes" | "max_msgs_per_subject" => {
            "messages go sooner or later than planned, or are refused"
        }
        _ => "it was changed by somebody else, or `cim.toml` was",
    }
}
