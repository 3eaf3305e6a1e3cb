//! Tokens of version 1, which old tools wrote, as version 2 says the same.

use serde_json::{Map, Value};

use super::body::Kind;
use super::limit::Limit;
use super::token::VERSION;

/// The payload in the form of version 2. What version 1 did not have is left out, as servers do.
pub(super) fn migrated(kind: Kind, mut payload: Map<String, Value>) -> Map<String, Value> {
    let mut nats = match payload.remove("nats") {
        Some(Value::Object(nats)) => nats,
        None => Map::new(),
        Some(wrong) => {
            payload.insert("nats".to_owned(), wrong);
            return payload;
        }
    };
    match kind {
        Kind::Operator => keep(
            &mut nats,
            &[
                "signing_keys",
                "account_server_url",
                "operator_service_urls",
                "system_account",
            ],
        ),
        Kind::Account => {
            keep(
                &mut nats,
                &[
                    "imports",
                    "exports",
                    "limits",
                    "signing_keys",
                    "revocations",
                ],
            );
            if let Some(Value::Object(limits)) = nats.get_mut("limits") {
                keep(
                    limits,
                    &[
                        "subs",
                        "data",
                        "payload",
                        "imports",
                        "exports",
                        "wildcards",
                        "disallow_bearer",
                        "conn",
                        "leaf",
                    ],
                );
            }
        }
        Kind::User => {
            keep(
                &mut nats,
                &[
                    "pub",
                    "sub",
                    "resp",
                    "src",
                    "times",
                    "times_location",
                    "subs",
                    "data",
                    "payload",
                    "bearer_token",
                ],
            );
            for name in ["subs", "data", "payload"] {
                let limit = nats.entry(name);
                limit.or_insert_with(|| Limit::UNLIMITED.get().into());
            }
        }
        Kind::Activation => {
            let exported = nats.remove("type");
            keep(&mut nats, &["subject"]);
            nats.extend(exported.map(|exported| ("kind".to_owned(), exported)));
        }
    }
    payload.remove("type");
    let moved = match kind {
        Kind::User | Kind::Activation => &["tags", "issuer_account"][..],
        Kind::Operator | Kind::Account => &["tags"],
    };
    for name in moved {
        let value = payload.remove(*name);
        nats.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    nats.insert("type".to_owned(), kind.name().into());
    nats.insert("version".to_owned(), VERSION.into());
    payload.insert("nats".to_owned(), Value::Object(nats));
    payload
}

fn keep(fields: &mut Map<String, Value>, names: &[&str]) {
    fields.retain(|name, _| names.contains(&name.as_str()));
}
