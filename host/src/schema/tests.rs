//! Bodies against schemas: what is said of them, and that a compatible schema takes what was valid.

use cim_core::schema::SchemaList;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::validate::BodySchema;

fn ready(schema: &Value) -> BodySchema {
    BodySchema::new(schema).expect("a schema")
}

fn faults(schema: &Value, body: &Value) -> Vec<(String, &'static str)> {
    let found = ready(schema).faults(body).into_iter();
    found.map(|(path, fault)| (path, fault.code())).collect()
}

#[track_caller]
fn check(schema: &Value, body: Value, expect: &[(&str, &str)]) {
    let found = faults(schema, &body);
    let found: Vec<_> = found
        .iter()
        .map(|(path, code)| (path.as_str(), *code))
        .collect();
    assert_eq!(found, expect, "{body}");
}

fn object(properties: Value, required: Value) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

#[test]
fn faults_have_their_place_and_their_kind() {
    let schema = object(
        json!({
            "name": {"type": "string"},
            "size": {"type": "integer", "minimum": 0, "maximum": 255},
            "colour": {"enum": ["red", "blue"]},
            "maybe": {"type": ["string", "null"]},
        }),
        json!(["name"]),
    );
    check(
        &schema,
        json!({"name": "a", "size": 255, "colour": "red", "maybe": null}),
        &[],
    );
    check(&schema, json!({}), &[("/name", "field-required")]);
    check(
        &schema,
        json!({"name": "a", "a/b": 1}),
        &[("/a~1b", "field-removed")],
    );
    check(&schema, json!({"name": 1}), &[("/name", "type-changed")]);
    check(
        &schema,
        json!({"name": "a", "size": 256}),
        &[("/size", "value-narrowed")],
    );
    check(
        &schema,
        json!({"name": "a", "colour": "green"}),
        &[("/colour", "value-removed")],
    );
    check(
        &schema,
        json!({"name": "a", "maybe": 7}),
        &[("/maybe", "type-changed")],
    );
    check(&schema, json!([]), &[("", "type-changed")]);
    let found = ready(&schema).faults(&json!({"name": "a", "maybe": 7}));
    assert_eq!(
        found[0].1.to_string(),
        "the type changed: expected `null or string`, found `integer`"
    );
}

#[test]
fn items_and_keys_of_maps_are_one_place() {
    let schema = object(
        json!({
            "list": {"type": "array", "items": object(json!({"x": {"type": "string"}}), json!([]))},
            "map": {"type": "object", "additionalProperties": {"type": "boolean"}},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
            "7": {"type": "string"},
        }),
        json!([]),
    );
    check(
        &schema,
        json!({
            "list": [{"x": 1}, {"x": "a"}, {"x": 2}, {"y": 3}],
            "map": {"some": 1, "12": 2},
            "pair": ["a", "b"],
            "7": 7,
        }),
        &[
            ("/7", "type-changed"),
            ("/list/*/x", "type-changed"),
            ("/list/*/y", "field-removed"),
            ("/map/*", "type-changed"),
            ("/pair/1", "type-changed"),
        ],
    );
}

#[test]
fn a_value_that_fits_no_variant_is_told_by_the_one_it_was_written_for() {
    let led = object(
        json!({"kind": {"const": "led"}, "lumen": {"type": "integer"}}),
        json!(["kind", "lumen"]),
    );
    let wire = object(json!({"kind": {"const": "wire"}}), json!(["kind"]));
    let mut schema = object(
        json!({
            "bulb": {"anyOf": [{"$ref": "#/$defs/Bulb"}, {"type": "null"}]},
            "named": {"oneOf": [
                object(json!({"A": {"type": "string"}}), json!(["A"])),
                object(json!({"B": {"type": "integer"}}), json!(["B"])),
                {"type": "string", "enum": ["C"]},
            ]},
        }),
        json!([]),
    );
    schema["$defs"] = json!({"Bulb": {"oneOf": [led, wire]}});
    check(&schema, json!({"bulb": null, "named": "C"}), &[]);
    check(
        &schema,
        json!({"bulb": {"kind": "led", "lumen": 3}, "named": {"B": 1}}),
        &[],
    );
    check(
        &schema,
        json!({"bulb": {"kind": "led", "lumen": "3"}}),
        &[("/bulb/lumen", "type-changed")],
    );
    check(
        &schema,
        json!({"bulb": {"kind": "led", "lumen": 3, "x": 1}}),
        &[("/bulb/x", "field-removed")],
    );
    check(
        &schema,
        json!({"bulb": {"kind": "gas"}}),
        &[("/bulb", "value-removed")],
    );
    check(&schema, json!({"bulb": 3}), &[("/bulb", "type-changed")]);
    check(
        &schema,
        json!({"named": {"B": "1"}}),
        &[("/named/B", "type-changed")],
    );
    check(
        &schema,
        json!({"named": {"D": 1}}),
        &[("/named", "value-removed")],
    );
    check(
        &schema,
        json!({"named": "D"}),
        &[("/named", "value-removed")],
    );
}

#[test]
fn an_object_of_several_parts_knows_the_fields_of_all() {
    let schema = json!({
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind"]},
            {"properties": {"kind": {"const": "b"}}, "required": ["kind"]},
        ],
        "unevaluatedProperties": false,
    });
    check(&schema, json!({"text": "t", "kind": "a", "x": 1}), &[]);
    check(
        &schema,
        json!({"text": "t", "kind": "b", "x": 1}),
        &[("/x", "field-removed")],
    );
    check(
        &schema,
        json!({"text": "t", "kind": "a", "x": "1"}),
        &[("/x", "type-changed")],
    );
    check(
        &schema,
        json!({"text": "t", "kind": "c"}),
        &[("", "value-removed")],
    );
}

#[test]
fn a_schema_refers_to_nothing_outside_of_itself() {
    for bad in [
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"$ref": "#/$defs/Absent"}),
        json!({"type": "thing"}),
        json!({"pattern": "("}),
        // Needs an engine that may never end.
        json!({"pattern": "(a+)+\\1$"}),
    ] {
        BodySchema::new(&bad).expect_err(&bad.to_string());
    }
}

/// A schema of what Rust types give, closed.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "string", "enum": ["a", "b"]})),
        Just(json!({"const": "a"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "null"})),
        Just(json!({"type": "number", "format": "double"})),
        (-2_i64..2, 0_u64..4)
            .prop_map(|(low, high)| json!({"type": "integer", "minimum": low, "maximum": high})),
        Just(json!({"type": ["string", "null"]})),
        Just(json!(true)),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let fields = prop::collection::btree_map("[ab]", inner.clone(), 0..3);
        let fields = (fields, prop::collection::vec("[ab]", 0..2));
        let objects = fields.prop_map(|(fields, mut required)| {
            required.retain(|name| fields.contains_key(name));
            required.dedup();
            object(json!(fields), json!(required))
        });
        prop_oneof![
            objects,
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items})),
            inner
                .clone()
                .prop_map(|it| json!({"type": "object", "additionalProperties": it})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|of| json!({"anyOf": of})),
            (inner.clone(), inner).prop_map(|(one, other)| json!({"allOf": [one, other]})),
        ]
    })
}

fn bodies() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..5).prop_map(Value::from),
        Just(json!(0.5)),
        "[abc]".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn list(schema: &Value) -> SchemaList {
    let document = json!({
        "schema": "cim.schema.list/v1",
        "types": [{
            "entity": "lamp",
            "type": "LampLit",
            "schema_version": 1,
            "operation": "lit",
            "schema": schema,
        }],
    });
    SchemaList::parse(document.to_string().as_bytes()).expect("a document")
}

/// Changes a schema here and there, so that many pairs are nearly alike.
fn changed(schema: &Value, seeds: &mut impl Iterator<Item = u8>) -> Value {
    let Value::Object(object) = schema else {
        return schema.clone();
    };
    let seed = seeds.next();
    match seed {
        Some(0) => return json!(true),
        Some(1) => return json!({"anyOf": [schema, {"type": "null"}]}),
        Some(2) => return json!({"type": "string"}),
        Some(_) | None => {}
    }
    let mut object = object.clone();
    for (key, value) in &mut object {
        match (key.as_str(), value) {
            ("properties", Value::Object(fields)) => {
                for field in fields.values_mut() {
                    *field = changed(field, seeds);
                }
                match seed {
                    Some(3) => drop(fields.insert("c".to_owned(), json!({"type": "string"}))),
                    Some(4) => drop(fields.remove("a")),
                    Some(_) | None => {}
                }
            }
            ("required", Value::Array(names)) if seed == Some(5) => names.clear(),
            ("required", Value::Array(names)) if seed == Some(6) => *names = vec!["a".into()],
            ("maximum", maximum) if seed == Some(7) => *maximum = 9.into(),
            ("enum", Value::Array(values)) if seed == Some(8) => values.truncate(1),
            ("items" | "additionalProperties", schema) => *schema = changed(schema, seeds),
            ("anyOf" | "allOf", Value::Array(schemas)) => {
                for schema in schemas {
                    *schema = changed(schema, seeds);
                }
            }
            _ => {}
        }
    }
    Value::Object(object)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_was_valid_stays_valid_unless_a_break_is_found(
        old in schemas(), seeds in prop::collection::vec(0_u8..20, 0..6),
        bodies in prop::collection::vec(bodies(), 20),
    ) {
        let new = changed(&old, &mut seeds.into_iter());
        prop_assume!(list(&new).breaks(&list(&old)).is_empty());
        let (before, after) = (ready(&old), ready(&new));
        for body in bodies.iter().filter(|body| before.faults(body).is_empty()) {
            prop_assert_eq!(after.faults(body), [], "{} from {} to {}", body, old, new);
        }
    }

    #[test]
    fn any_schema_is_compatible_with_itself_and_with_one_that_takes_more(schema in schemas()) {
        let wider = json!({"anyOf": [schema, {"type": "null"}]});
        prop_assert_eq!(list(&wider).breaks(&list(&schema)), []);
        let same: Value = serde_json::from_str(&schema.to_string()).expect("JSON");
        prop_assert_eq!(list(&same).breaks(&list(&schema)), []);
    }

    #[test]
    fn a_body_without_a_fault_is_valid(schema in schemas(), body in bodies()) {
        let valid = jsonschema::options().build(&schema).expect("a schema").is_valid(&body);
        prop_assert_eq!(faults(&schema, &body).is_empty(), valid);
    }
}
