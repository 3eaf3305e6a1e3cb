//! What JSON schemas say of events, commands and states.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::chance::Chance;
use crate::payload::Typed;
use crate::schema::ModelSchemas;

fn schemas() -> ModelSchemas {
    ModelSchemas::of::<Person>()
}

fn body_of<T: Typed>(value: &T) -> Map<String, Value> {
    let (_, body) = payload::encode(value);
    serde_json::from_slice(&body).expect("an object")
}

/// That a schema knows each field of a body, and asks for no other one.
#[track_caller]
fn check_fields(schema: &Value, body: &Map<String, Value>) {
    let known = schema["properties"]
        .as_object()
        .expect("every type has fields");
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
    assert_eq!((schemas.events.len(), schemas.commands.len()), (17, 17));
    let (mut events, mut commands) = (BTreeSet::new(), BTreeSet::new());
    let mut check_command = |command: PersonCommand| {
        let name = command.declared().name;
        let mut known = schemas.commands.iter();
        let found = known.find(|it| it.command_type.as_str() == name);
        check_fields(&found.expect(name).schema, &body_of(&command));
        commands.insert(name);
    };
    for _ in 0..500 {
        let event = arbitrary::event(&mut chance);
        let name = event.declared().name;
        let mut known = schemas.events.iter();
        let found = known.find(|it| it.event_type.as_str() == name);
        check_fields(&found.expect(name).schema, &body_of(&event));
        events.insert(name);
        check_command(arbitrary::command(&mut chance));
        check_command(arbitrary::end(&mut chance));
    }
    assert_eq!((events.len(), commands.len()), (17, 17), "each came up");
}

#[test]
fn what_a_value_may_be_is_in_the_schema() {
    let schemas = schemas();
    let created = &schemas.events[0].schema;
    assert_eq!(created["required"], json!(["name", "source"]));
    let name = &created["$defs"]["PersonName"];
    assert_eq!(name["required"], json!(["components"]));
    assert_eq!(
        name["properties"]["preferred_form"]["type"],
        json!(["string", "null"])
    );
    let given = &created["$defs"]["NameComponents"]["properties"]["given_names"];
    assert_eq!(
        (&given["maxItems"], &given["items"]["maxLength"]),
        (&json!(16), &json!(256))
    );

    let renamed = &schemas.events[1].schema;
    assert_eq!(renamed["required"], json!(["new_name"]));
    let born = &schemas.events[2].schema["$defs"]["Date"];
    assert_eq!(born["format"], "date");
    let email = &schemas.events[8].schema["$defs"]["EmailAddress"];
    assert_eq!(
        email,
        &json!({
            "description": "An address of e-mail, whose domain has a dot.",
            "type": "string",
            "maxLength": 254,
            "pattern": "^[^@\\s]{1,64}@([A-Za-z0-9-]{1,63}\\.)+[A-Za-z0-9-]{1,63}$",
        })
    );
    let phone = &schemas.events[11].schema["$defs"];
    assert_eq!(phone["DialNumber"]["pattern"], "^\\+?[0-9 ()./-]+$");
    assert_eq!(
        phone["PhoneNumber"]["properties"]["extension"]["pattern"],
        "^[0-9]{1,11}$"
    );
    let reason = &schemas.events[5].schema["$defs"]["Reason"];
    assert_eq!(reason["maxLength"], 500);

    let state = &schemas.state["properties"];
    assert_eq!(state["emails"]["maxItems"], 32);
    assert_eq!(state["external_identifiers"]["maxItems"], 64);
}
