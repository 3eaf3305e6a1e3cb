//! What Go's reader of JSON takes, and serde does not.
//!
//! To it, `null` is as nothing, and names of fields are equal when they differ in case alone. A check
//! that saw less than a server does would be no check: `"Bearer_Token":true` makes a bearer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The names of all fields that nats-server reads, in claims and header, sorted.
const NAMES: &[&str] = &[
    "account",
    "account_server_url",
    "account_token_position",
    "advertise",
    "alg",
    "allow",
    "allow_trace",
    "allowed_accounts",
    "allowed_connection_types",
    "assert_server_version",
    "aud",
    "auth_users",
    "authorization",
    "bearer_token",
    "cluster",
    "cluster_traffic",
    "conn",
    "consumer",
    "data",
    "default_permissions",
    "deny",
    "description",
    "dest",
    "disallow_bearer",
    "disk_max_stream_bytes",
    "disk_storage",
    "end",
    "exp",
    "exports",
    "iat",
    "imports",
    "info_url",
    "iss",
    "issuer_account",
    "jti",
    "key",
    "kind",
    "leaf",
    "limits",
    "local_subject",
    "mappings",
    "max",
    "max_ack_pending",
    "max_bytes_required",
    "mem_max_stream_bytes",
    "mem_storage",
    "name",
    "nats",
    "nbf",
    "operator_service_urls",
    "payload",
    "proxy_required",
    "pub",
    "resp",
    "response_threshold",
    "response_type",
    "results",
    "revocations",
    "role",
    "sampling",
    "service_latency",
    "share",
    "signing_keys",
    "src",
    "start",
    "streams",
    "strict_signing_key_usage",
    "sub",
    "subject",
    "subs",
    "system_account",
    "tags",
    "template",
    "tiered_limits",
    "times",
    "times_location",
    "to",
    "token",
    "token_req",
    "trace",
    "ttl",
    "typ",
    "type",
    "version",
    "weight",
    "wildcards",
    "xkey",
];

/// Fields whose own names are keys, subjects and tiers, and stay as they are.
const MAPS: [&str; 3] = ["mappings", "revocations", "tiered_limits"];

/// The fields of a payload or a header as a server sees them.
pub(super) fn fields(found: Map<String, Value>) -> Map<String, Value> {
    folded(found, false)
}

fn folded(found: Map<String, Value>, is_map: bool) -> Map<String, Value> {
    // In one order, whether or not the map keeps the one in which they stood.
    let mut sorted = BTreeMap::new();
    sorted.extend(found);
    let mut seen_fields = Map::new();
    for (name, value) in sorted {
        if value.is_null() {
            continue;
        }
        let name = match is_map {
            true => name,
            false => known(name),
        };
        let holds_map = !is_map && MAPS.contains(&name.as_str());
        seen_fields.insert(name, seen(value, holds_map));
    }
    seen_fields
}

fn seen(value: Value, is_map: bool) -> Value {
    match value {
        Value::Object(found) => Value::Object(folded(found, is_map)),
        Value::Array(values) => values.into_iter().map(|value| seen(value, false)).collect(),
        value => value,
    }
}

/// The name that a server takes it for.
fn known(name: String) -> String {
    if NAMES.binary_search(&name.as_str()).is_ok() {
        return name;
    }
    let folded = lower(&name);
    match NAMES.binary_search(&folded.as_str()) {
        Ok(_) => folded,
        Err(_) => name,
    }
}

/// A text in lower case, as far as it is made of the letters of names. Go folds case by Unicode's simple
/// rules, by which two letters outside of ASCII are such letters.
pub(super) fn lower(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        folded.push(match letter {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            letter => letter.to_ascii_lowercase(),
        });
    }
    folded
}

/// The same in upper case.
pub(super) fn upper(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        folded.push(match letter {
            '\u{131}' => 'I',
            '\u{17f}' => 'S',
            letter => letter.to_ascii_uppercase(),
        });
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn names_are_found_whatever_their_case_and_nulls_are_nothing() {
        let found = serde_json::json!({
            "Nats": {
                "BEARER_TOKEN": true,
                "to\u{212a}en": "t",
                "exp": null,
                "Unknown": 1,
                "Mappings": { "Sub": [{ "Subject": "a", "WEIGHT": 1 }], "x": null },
                "revocations": { "EXP": 1 },
            },
        });
        let Value::Object(found) = found else {
            panic!("an object");
        };
        let expected = serde_json::json!({
            "nats": {
                "bearer_token": true,
                "token": "t",
                "Unknown": 1,
                "mappings": { "Sub": [{ "subject": "a", "weight": 1 }] },
                "revocations": { "EXP": 1 },
            },
        });
        assert_eq!(Value::Object(fields(found)), expected);
    }
}
