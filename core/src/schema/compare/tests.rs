//! Changes of a schema, and what they break.

use serde_json::{Value, json};

use crate::schema::SchemaList;

/// A list with one version of `LampLit`.
fn list(schema: &Value, version: u64) -> SchemaList {
    let document = json!({
        "schema": "cim.schema.list/v1",
        "types": [{
            "entity": "lamp",
            "type": "LampLit",
            "schema_version": version,
            "operation": "lit",
            "schema": schema,
        }],
    });
    SchemaList::parse(document.to_string().as_bytes()).expect("a document")
}

fn upcasters(mut list: SchemaList, from: &[u64]) -> SchemaList {
    let steps = from
        .iter()
        .map(|from| json!({"entity": "lamp", "type": "LampLit", "from": from}));
    let steps: Vec<_> = steps.collect();
    let document = json!({"schema": "cim.schema.list/v1", "types": [], "upcasters": steps});
    let steps = SchemaList::parse(document.to_string().as_bytes()).expect("a document");
    list.merge(steps).expect("no type twice");
    list
}

/// Where and how the later schema breaks events of the earlier one.
fn breaks(earlier: &Value, later: &Value) -> Vec<(String, &'static str)> {
    let breaks = list(later, 1).breaks(&list(earlier, 1));
    breaks
        .into_iter()
        .map(|it| (it.path, it.what.code()))
        .collect()
}

#[track_caller]
fn check(earlier: Value, later: Value, expect: &[(&str, &str)]) {
    let found = breaks(&earlier, &later);
    let found: Vec<_> = found
        .iter()
        .map(|(path, code)| (path.as_str(), *code))
        .collect();
    assert_eq!(found, expect, "from {earlier} to {later}");
    assert_eq!(breaks(&earlier, &earlier), [], "{earlier} is its own");
    assert_eq!(breaks(&later, &later), [], "{later} is its own");
}

/// A closed object.
fn object(properties: Value, required: Value) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A value under the field `a`.
#[track_caller]
fn check_value(earlier: Value, later: Value, expect: &[(&str, &str)]) {
    let body = |schema| object(json!({ "a": schema }), json!(["a"]));
    check(body(earlier), body(later), expect);
}

#[test]
fn fields_may_come_if_they_are_optional_and_none_may_go() {
    let both = json!({"a": {"type": "string"}, "b": {"type": "integer"}});
    let only = json!({"a": {"type": "string"}});
    let old = object(only.clone(), json!(["a"]));
    check(old.clone(), object(both.clone(), json!(["a"])), &[]);
    check(
        old.clone(),
        object(both.clone(), json!(["a", "b"])),
        &[("/b", "field-required")],
    );
    check(
        object(both.clone(), json!(["a"])),
        old.clone(),
        &[("/b", "field-removed")],
    );
    check(old, object(only.clone(), json!([])), &[]);
    check(
        object(only.clone(), json!([])),
        object(only, json!(["a"])),
        &[("/a", "field-required")],
    );
    // A renamed field is one that went and one that came.
    check(
        object(json!({"a/b": true}), json!(["a/b"])),
        object(json!({"c": true}), json!(["c"])),
        &[("/a~1b", "field-removed"), ("/c", "field-required")],
    );
}

#[test]
fn types_may_widen_and_not_change() {
    let of = |name: &str| json!({ "type": name });
    check_value(of("string"), of("integer"), &[("/a", "type-changed")]);
    check_value(of("integer"), of("number"), &[]);
    check_value(of("number"), of("integer"), &[("/a", "type-changed")]);
    check_value(of("string"), json!({"type": ["string", "null"]}), &[]);
    check_value(
        json!({"type": ["string", "null"]}),
        of("string"),
        &[("/a", "type-changed")],
    );
    check_value(of("string"), json!(true), &[]);
    check_value(json!(true), of("string"), &[("/a", "type-changed")]);
    check_value(of("string"), json!(false), &[("/a", "type-changed")]);
    check_value(
        of("string"),
        json!({"type": "string", "description": "new words"}),
        &[],
    );
    let text = list(&of("string"), 1).breaks(&list(&json!({"type": ["object", "null"]}), 1));
    assert_eq!(
        text.iter()
            .map(|it| it.what.to_string())
            .collect::<Vec<_>>(),
        [
            "the type changed: expected `object`, found `string`",
            "the type changed: expected `null`, found `string`",
        ]
    );
}

#[test]
fn numbers_keep_their_range() {
    let int = |low: i64, high: u64| json!({"type": "integer", "minimum": low, "maximum": high});
    check_value(int(0, 255), int(0, u64::MAX), &[]);
    check_value(
        int(0, u64::MAX),
        int(0, u64::MAX - 1),
        &[("/a", "value-narrowed")],
    );
    check_value(int(i64::MIN, 5), int(0, 5), &[("/a", "value-narrowed")]);
    check_value(
        int(0, 5),
        json!({"type": "number", "format": "double"}),
        &[],
    );
    let format = |name: &str| json!({"type": "number", "format": name});
    check_value(format("float"), format("double"), &[]);
    check_value(
        format("double"),
        format("float"),
        &[("/a", "value-narrowed")],
    );
}

#[test]
fn texts_and_lists_keep_their_rules() {
    let text = json!({"type": "string"});
    let id = json!({"type": "string", "format": "uuid"});
    check_value(id.clone(), text.clone(), &[]);
    check_value(text.clone(), id, &[("/a", "value-narrowed")]);
    let pattern = json!({"type": "string", "pattern": "^a$"});
    check_value(pattern, text.clone(), &[]);
    check_value(text.clone(), json!({"type": "string", "minLength": 0}), &[]);
    check_value(
        text.clone(),
        json!({"type": "string", "minLength": 1}),
        &[("/a", "value-narrowed")],
    );
    check_value(
        text.clone(),
        json!({"type": "string", "x-rule": 1}),
        &[("/a", "value-narrowed")],
    );
    let of = |items: &Value| json!({"type": "array", "items": items});
    check_value(of(&text), of(&json!(true)), &[]);
    check_value(
        of(&text),
        of(&json!({"type": "integer"})),
        &[("/a/*", "type-changed")],
    );
    let set = json!({"type": "array", "items": text, "uniqueItems": true});
    check_value(set.clone(), of(&text), &[]);
    check_value(of(&text), set, &[("/a", "value-narrowed")]);
    let pair = |second: &str| {
        json!({
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [{"type": "string"}, {"type": second}],
        })
    };
    check_value(pair("integer"), of(&json!(true)), &[]);
    check_value(
        pair("integer"),
        pair("boolean"),
        &[("/a/1", "type-changed")],
    );
    check_value(pair("string"), of(&text), &[]);
    check_value(
        of(&text),
        pair("string"),
        &[("/a", "value-narrowed"), ("/a", "value-narrowed")],
    );
}

#[test]
fn values_and_variants_may_come_and_not_go() {
    let one_of = |values: &[&str]| json!({"type": "string", "enum": values});
    check_value(one_of(&["a"]), one_of(&["b", "a"]), &[]);
    check_value(
        one_of(&["a", "b"]),
        one_of(&["b"]),
        &[("/a", "value-removed")],
    );
    check_value(one_of(&["a"]), json!({"type": "string"}), &[]);
    check_value(
        json!({"type": "string"}),
        one_of(&["a"]),
        &[("/a", "value-narrowed")],
    );
    check_value(
        one_of(&["a"]),
        json!({"type": "integer"}),
        &[("/a", "type-changed")],
    );
    // With doc comments, each is a schema of its own.
    let each =
        json!({"oneOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]});
    check_value(one_of(&["a", "b"]), each.clone(), &[]);
    check_value(each.clone(), one_of(&["a", "b"]), &[]);
    check_value(each, one_of(&["a"]), &[("/a", "value-removed")]);
}

#[test]
fn variants_of_data_are_compared_with_their_like() {
    let tagged = |variants: &[(&str, &str)]| {
        let variants = variants.iter().map(|(tag, name)| {
            object(
                json!({"kind": {"const": tag}, "x": {"type": name}}),
                json!(["kind", "x"]),
            )
        });
        json!({ "oneOf": variants.collect::<Vec<_>>() })
    };
    let both = tagged(&[("led", "string"), ("wire", "integer")]);
    let more = tagged(&[("wire", "number"), ("gas", "boolean"), ("led", "string")]);
    check_value(both.clone(), more, &[]);
    let changed = tagged(&[("led", "string"), ("wire", "boolean")]);
    check_value(both.clone(), changed, &[("/a/x", "type-changed")]);
    let gone = tagged(&[("led", "string"), ("gas", "integer")]);
    check_value(both, gone, &[("/a", "value-removed")]);

    let named = |names: &[&str]| {
        let fields = |name: &str| object(json!({name: {"type": "string"}}), json!([name]));
        json!({ "oneOf": names.iter().map(|name| fields(name)).collect::<Vec<_>>() })
    };
    check_value(named(&["A", "B"]), named(&["B", "A", "C"]), &[]);
    let breaks = list(&named(&["B", "C"]), 1).breaks(&list(&named(&["A", "B"]), 1));
    assert_eq!(breaks[0].what.to_string(), "the value `A` was removed");
}

#[test]
fn references_are_followed_and_recursion_ends() {
    let list_of = |value: &str| {
        let mut body = object(json!({"first": {"$ref": "#/$defs/Node"}}), json!([]));
        body["$defs"] = json!({"Node": object(
            json!({
                "value": {"type": value},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            }),
            json!([]),
        )});
        body
    };
    check(list_of("integer"), list_of("number"), &[]);
    check(
        list_of("string"),
        list_of("integer"),
        &[
            ("/first/next/value", "type-changed"),
            ("/first/value", "type-changed"),
        ],
    );
    // A definition may get another name, or go into its place.
    let mut inline = object(
        json!({"first": list_of("string")["$defs"]["Node"]}),
        json!([]),
    );
    inline["$defs"] = list_of("string")["$defs"].clone();
    check(list_of("string"), inline, &[]);
}

#[test]
fn an_object_of_several_parts_is_compared_as_one() {
    let flat = |field: &str, kind: &str| {
        json!({
            "type": "object",
            "properties": {field: {"type": "string"}},
            "required": [field],
            "oneOf": [
                {"type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]},
                {"type": "object", "properties": {"none": {"type": "null"}}, "required": ["none"]},
            ],
            "unevaluatedProperties": false,
        })
    };
    check_value(flat("text", "a"), flat("text", "a"), &[]);
    check_value(
        flat("text", "a"),
        flat("text", "b"),
        &[("/a", "value-removed")],
    );
    let mut wider = flat("text", "a");
    wider["properties"]["more"] = json!({"type": "integer"});
    check_value(flat("text", "a"), wider.clone(), &[]);
    check_value(wider, flat("text", "a"), &[("/a/more", "field-removed")]);
}

#[test]
fn maps_are_compared_by_their_values() {
    let map = |value: Value| json!({"type": "object", "additionalProperties": value});
    let text = json!({"type": "string"});
    check_value(map(text.clone()), map(json!(true)), &[]);
    check_value(
        map(text.clone()),
        map(json!({"type": "integer"})),
        &[("/a/*", "type-changed")],
    );
    check_value(
        object(json!({"x": text}), json!([])),
        map(text.clone()),
        &[],
    );
    check_value(
        map(text.clone()),
        object(json!({"x": text}), json!([])),
        &[("/a/*", "type-changed")],
    );
    check_value(
        map(json!(true)),
        json!({"type": "object", "properties": {"x": text}}),
        &[("/a/x", "type-changed")],
    );
    let keys = |key: &str| {
        json!({
            "type": "object",
            "patternProperties": {key: {"type": "string"}},
            "additionalProperties": false,
        })
    };
    check_value(keys("^\\d+$"), map(text), &[]);
    check_value(
        keys("^\\d+$"),
        keys("^-?\\d+$"),
        &[("/a/*", "field-removed")],
    );
}

#[test]
fn a_new_pattern_asks_something_of_fields_that_were_there() {
    let with = |fields: Value, patterns: Value| {
        json!({
            "type": "object",
            "properties": fields,
            "patternProperties": patterns,
            "additionalProperties": false,
        })
    };
    let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
    check_value(
        with(json!({"x": text}), json!({})),
        with(json!({"x": text}), json!({"^x$": number})),
        &[("/a", "value-narrowed")],
    );
    check_value(
        with(json!({}), json!({"^x": text})),
        with(json!({}), json!({"^x": text, "y$": number})),
        &[("/a", "value-narrowed")],
    );
    check_value(
        with(json!({}), json!({})),
        with(json!({}), json!({"^x": text})),
        &[],
    );
}

#[test]
fn references_that_multiply_end() {
    let mut earlier = object(json!({"a": {"$ref": "#/$defs/D0"}}), json!([]));
    let defs = (0..20).map(|number| {
        let next = json!({"$ref": format!("#/$defs/D{}", number + 1)});
        (format!("D{number}"), json!({"allOf": vec![next; 20]}))
    });
    let last = ("D20".to_owned(), json!({"type": "string"}));
    earlier["$defs"] = defs.chain([last]).collect::<serde_json::Map<_, _>>().into();
    let later = object(json!({"a": {"type": "string"}}), json!([]));
    assert_eq!(
        breaks(&earlier, &later),
        [("/a".to_owned(), "schema-incomparable")]
    );
}

#[test]
fn what_is_not_understood_counts_as_a_break() {
    let text = json!({"type": "string"});
    check_value(
        text.clone(),
        json!({"$ref": "https://example.com/x"}),
        &[("/a", "schema-incomparable")],
    );
    check_value(
        text.clone(),
        json!({"$ref": "#/$defs/Absent"}),
        &[("/a", "schema-incomparable")],
    );
    check_value(text, json!({"anyOf": 7}), &[("/a", "schema-incomparable")]);
    let mut endless = object(json!({"a": {"$ref": "#/$defs/A"}}), json!([]));
    endless["$defs"] = json!({"A": {"$ref": "#/$defs/A"}});
    let other = object(json!({"a": {"type": "string"}}), json!([]));
    assert_eq!(
        breaks(&endless, &other),
        [("/a".to_owned(), "schema-incomparable")]
    );
}

#[test]
fn types_and_versions_may_come_and_go_only_with_an_upcaster() {
    let (schema, none) = (object(json!({}), json!([])), SchemaList::default());
    let at = |version| list(&schema, version);
    let codes = |later: &SchemaList, earlier: &SchemaList| {
        let breaks = later.breaks(earlier).into_iter();
        breaks.map(|it| it.what.code()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&at(1), &none), [""; 0]);
    assert_eq!(codes(&none, &at(1)), ["type-removed"]);
    assert_eq!(codes(&upcasters(none.clone(), &[1]), &at(1)), [""; 0]);
    assert_eq!(codes(&at(1), &at(2)), ["version-lowered"]);
    assert_eq!(codes(&at(2), &at(1)), ["upcaster-missing"]);
    assert_eq!(codes(&upcasters(at(2), &[1]), &at(1)), [""; 0]);
    assert_eq!(
        codes(&upcasters(at(4), &[1, 3]), &at(1)),
        ["upcaster-missing"]
    );
    assert_eq!(
        upcasters(at(4), &[1, 3]).breaks(&at(1))[0].what.to_string(),
        "version 4 was declared, and no upcaster leads from version 2"
    );
    assert_eq!(codes(&at(1 << 50), &at(1)), ["upcaster-missing"]);
    // Events of version 1 may be there still.
    assert_eq!(codes(&at(2), &upcasters(at(2), &[1])), ["upcaster-removed"]);
    assert_eq!(codes(&at(1), &upcasters(none, &[1])), [""; 0]);
}
