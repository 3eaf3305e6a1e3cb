//! What JSON schemas say of events, commands and states.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::chance::Chance;
use crate::payload::Typed;
use crate::schema::ModelSchemas;

fn schemas() -> ModelSchemas {
    ModelSchemas::of::<Compute>()
}

fn body_of<T: Typed>(value: &T) -> Map<String, Value> {
    let (_, body) = payload::encode(value);
    serde_json::from_slice(&body).expect("an object")
}

/// That a schema knows each field of a body, and asks for no other one.
#[track_caller]
fn check_fields(schema: &Value, body: &Map<String, Value>) {
    let no_fields = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&no_fields);
    let known: BTreeSet<&str> = known.keys().map(String::as_str).collect();
    let written: BTreeSet<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(written, known);
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        assert!(written.contains(name), "{name}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn each_type_has_the_fields_that_are_written() {
    let (schemas, mut chance) = (schemas(), Chance::new(1));
    assert_eq!(schemas.events.len(), 12);
    assert_eq!(schemas.commands.len(), 12);
    assert_eq!(schemas.upcasters.len(), 12);
    let (mut events, mut commands) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..500 {
        let event = arbitrary::event(&mut chance);
        let name = event.declared().name;
        let found = schemas
            .events
            .iter()
            .find(|it| it.event_type.as_str() == name);
        check_fields(&found.expect(name).schema, &body_of(&event));
        events.insert(name);
        let command = arbitrary::command(&mut chance);
        let name = command.declared().name;
        let found = schemas
            .commands
            .iter()
            .find(|it| it.command_type.as_str() == name);
        check_fields(&found.expect(name).schema, &body_of(&command));
        commands.insert(name);
    }
    assert_eq!((events.len(), commands.len()), (12, 12), "each came up");
}

#[test]
fn what_a_value_may_be_is_in_the_schema() {
    let schemas = schemas();
    let registered = &schemas.events[0].schema;
    assert_eq!(
        registered["description"],
        "It is there from now on, and is being provisioned."
    );
    let values = &registered["$defs"];
    assert_eq!(values["Tag"]["pattern"], "^[a-z0-9][a-z0-9-]{0,62}$");
    assert_eq!(values["Tags"]["maxItems"], 32);
    assert_eq!(values["Tags"]["uniqueItems"], true);
    assert_eq!(
        values["Hostname"],
        json!({
            "description": "The name of a host. Its last label is not of digits alone.",
            "type": "string",
            "maxLength": 253,
            "pattern": "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\
                (\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
        })
    );
    let kinds = values["ResourceType"]["oneOf"].as_array().expect("a list");
    let kinds: Vec<_> = kinds
        .iter()
        .filter_map(|kind| kind["const"].as_str())
        .collect();
    assert_eq!(kinds, ResourceType::ALL.map(ResourceType::as_str));
    let id = &schemas.events[1].schema["$defs"]["OrganizationId"];
    assert_eq!(id["pattern"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$");
    let resource = &schemas.state["$defs"]["Resource"];
    assert_eq!(resource["properties"]["policies"]["maxItems"], 64);
    assert_eq!(resource["properties"]["metadata"]["maxProperties"], 64);
}
