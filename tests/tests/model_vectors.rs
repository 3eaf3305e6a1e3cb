//! `tests/vectors/models.json`: what commands lead to and what histories say, byte for byte, natively. The
//! tests of the npm package read the same file.
//!
//! `CIM_WRITE_VECTORS=1 cargo test -p cim-tests --test model_vectors` writes it anew.

#[path = "support/drawn.rs"]
mod drawn;
#[path = "support/written.rs"]
mod written;

use std::collections::BTreeSet;

use cim_core::append;
use cim_core::command::{self, Command};
use cim_core::domain::compute::Compute;
use cim_core::domain::person::Person;
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::history::HistoryFold;
use cim_core::id::{AggregateKey, EventId};
use cim_core::payload::{self, Typed};
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::version::{Head, SchemaVersion};
use data_encoding::HEXLOWER;
use drawn::{Answer, Drawn, Life};
use serde_json::{Value, json};

#[test]
fn are_what_the_core_makes() {
    written::check("models", &vectors());
}

fn vectors() -> Value {
    json!({
        "origin": "tests/tests/model_vectors.rs, with cim-core, natively",
        "about": "What commands lead to, and the states of histories; the same ids and times give the same bytes",
        "template": StoreTemplate::default(),
        "lives": ([lives::<Compute>(), lives::<Person>()].concat()),
        "histories": [
            history::<Compute>("a resource, of version 1 for the most part", &OLD_RESOURCE),
            history::<Person>("a person, of version 1 for the most part", &OLD_PERSON),
        ],
        "refused": [refused::<Compute>(), refused::<Person>()],
    })
}

/// Lives in which everything happens that can, and every command is asked: the first ones drawn that add to
/// that, or are refused for another reason.
fn lives<M: Drawn>() -> Vec<Value> {
    let events = <M::Event as Typed>::TYPES.iter();
    let commands = <M::Command as Typed>::TYPES.iter();
    let mut missing: BTreeSet<&str> = events.chain(commands).map(|it| it.name).collect();
    let mut seen = BTreeSet::new();
    let mut lives = Vec::new();
    for seed in 0.. {
        if missing.is_empty() {
            break;
        }
        assert!(seed < 1000, "nothing leads to {missing:?}");
        let life = live::<M>(seed);
        let history = life.history();
        let happened = history.iter().map(|it| it.event.event_type.as_str());
        let asked = life.commands.iter().map(|it| it.payload.declared().name);
        let refused = life.answers.iter().filter_map(|answer| match answer {
            Answer::Refused(code, _) => Some(*code),
            Answer::Events(_) => None,
        });
        let before = seen.len();
        for name in happened.chain(asked).chain(refused) {
            missing.remove(name);
            seen.insert(name.to_owned());
        }
        if seen.len() > before {
            lives.push(life_json(&life));
        }
    }
    lives
}

fn live<M: Drawn>(seed: u64) -> Life<M> {
    let mut life = Life::<M>::begin();
    for payload in M::draw(seed, COMMANDS) {
        let command = with_context(&life, life.next(payload));
        life.take(command);
    }
    life
}

fn life_json<M: Drawn>(life: &Life<M>) -> Value {
    let steps = life
        .commands
        .iter()
        .zip(&life.answers)
        .map(|(command, answer)| {
            let (events, refused) = match answer {
                Answer::Events(events) => (events.iter().map(message_json).collect(), Value::Null),
                Answer::Refused(code, message) => {
                    (json!([]), json!({ "code": code, "message": message }))
                }
            };
            json!({ "command": command_json(command), "events": events, "refused": refused })
        });
    json!({
        "aggregate": key_json(&life.aggregate),
        "steps": steps.collect::<Vec<_>>(),
        "head": life.head().map(head_json),
        "state_version": M::STATE_VERSION,
        "state": serde_json::to_string(&life.state).expect("a state is JSON"),
    })
}

/// Every third command is caused by the last event, and every fourth has metadata.
fn with_context<M: Drawn>(life: &Life<M>, command: Command<M::Command>) -> Command<M::Command> {
    let number = life.commands.len();
    let mut command = match life.history().last() {
        Some(last) if number % 3 == 1 => command.caused_by(&last.event),
        _ => command,
    };
    if number % 4 == 2 {
        for (name, value) in [("Tenant", "blue"), ("7", "gr\u{fc}n")] {
            let value = Text::new(value).expect("clean text");
            command.metadata.insert(name, value).expect("a name");
        }
    }
    command
}

/// A history whose events are of earlier schemas.
fn history<M: Drawn>(why: &str, events: &[(&str, u64, &str)]) -> Value {
    let life = Life::<M>::begin();
    let mut new = Vec::new();
    for (number, (event_type, version, body)) in (1..).zip(events) {
        let time = drawn::time(number);
        let id = EventId::from_parts(time, [0; 10]);
        let entity = payload::entity::<M::Event>();
        let source = Text::new("cim-tests").expect("clean text");
        let event_type = event_type.parse().expect("a type");
        let event = NewEvent::json(id, &entity, event_type, time, source, body.to_string());
        let schema_version = SchemaVersion::new(*version).expect("a version");
        new.push(NewEvent {
            schema_version,
            ..event.expect("a short operation")
        });
    }
    let recorded = append::record(&life.aggregate, None, &new).expect("a history has room");
    let mut fold = HistoryFold::<M>::new();
    for event in &recorded {
        fold.push(event).expect("the domain reads it");
    }
    json!({
        "why": why,
        "aggregate": key_json(&life.aggregate),
        "events": recorded.iter().map(message_json).collect::<Vec<_>>(),
        "state": serde_json::to_string(fold.state()).expect("a state is JSON"),
    })
}

/// What is no command of an entity.
fn refused<M: Drawn>() -> Value {
    let name = <M::Command as Typed>::TYPES[0].name;
    let cases = [
        ("Sell", "{}"),
        (name, "[]"),
        (name, "{\"no\":1}"),
        (name, "null"),
    ];
    let refused = cases.iter().map(|(name, data)| {
        let Err(error) = command::read::<M::Command>(name, data.as_bytes()) else {
            panic!("{name} {data} is a command");
        };
        let data: Value = serde_json::from_str(data).expect("JSON");
        json!({
            "type": name, "data": data,
            "code": error.code(), "message": error.to_string(),
        })
    });
    json!({ "entity": M::Event::ENTITY, "commands": refused.collect::<Vec<_>>() })
}

fn command_json<C: Typed>(command: &Command<C>) -> Value {
    let (name, body) = payload::encode(&command.payload);
    let data: Value = serde_json::from_slice(&body).expect("a body is JSON");
    let metadata = command.metadata.iter();
    json!({
        "type": name.as_str(),
        "data": data,
        "id": command.id.to_string(),
        "correlation": command.correlation.to_string(),
        "causation": command.causation.map(|id| id.to_string()),
        "timestamp": command.timestamp.to_string(),
        "source": command.source.as_str(),
        "metadata": metadata.map(|(name, text)| [name, text.as_str()]).collect::<Vec<_>>(),
    })
}

fn message_json(event: &RecordedEvent) -> Value {
    let message = event.encode(&StoreTemplate::default()).expect("it fits");
    json!({
        "subject": message.subject,
        "headers": message.headers,
        "body_hex": HEXLOWER.encode(&message.body),
    })
}

fn key_json(key: &AggregateKey) -> Value {
    json!({
        "namespace": key.namespace.as_str(),
        "entity": key.entity.as_str(),
        "id": key.id.as_str(),
    })
}

fn head_json(head: Head) -> Value {
    json!({ "version": head.version.get(), "cid": head.cid.to_string() })
}

const COMMANDS: usize = 20;

const OLD_RESOURCE: [(&str, u64, &str); 4] = [
    (
        "ResourceRegistered",
        1,
        r#"{"event_version":1,"hostname":"server01.example.com","resource_type":"physical_server"}"#,
    ),
    (
        "OrganizationAssigned",
        1,
        r#"{"organization_id":{"id":"01934f4a-2000-7000-8000-000000002000"}}"#,
    ),
    ("AssetTagAssigned", 2, r#"{"asset_tag":"gr\u00f6\u00dfe"}"#),
    (
        "StatusChanged",
        1,
        r#"{"from_status":"provisioning","to_status":"active"}"#,
    ),
];

const OLD_PERSON: [(&str, u64, &str); 5] = [
    (
        "PersonRegistered",
        1,
        r#"{"identity":{"legal_name":"Ada King Lovelace","preferred_name":"Ada","date_of_birth":"1815-12-10","government_id":"7"},"contact":{"emails":[{"email":"ada@example.org","email_type":"personal","is_primary":true,"is_verified":true}],"phones":[],"addresses":["01934f4a-3000-7000-8000-000000003000"]},"registered_at":"2025-06-12T09:30:00Z"}"#,
    ),
    ("ComponentRegistered", 1, r#"{"component_type":"Skills"}"#),
    ("EmailRemoved", 1, r#"{"email":"ada@example.org"}"#),
    ("PersonDeactivated", 1, r#"{"reason":"on leave"}"#),
    ("PersonActivated", 1, r#"{"reason":"back"}"#),
];
