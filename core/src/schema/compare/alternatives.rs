//! A schema as alternatives: references resolved, unions spread out, parts put together.
//!
//! An alternative is a schema of one JSON type at most, without `$ref`, `allOf`, `anyOf` and `oneOf` at
//! its top. A value is valid under a schema if it is under one of them. (`oneOf` is taken as `anyOf`: the
//! schemas of tagged enums exclude each other.)

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::schema::closed::referred;

/// One alternative of a schema.
pub(super) type Alternative = Map<String, Value>;

/// The most alternatives of one schema. An enum of Rust has fewer variants; more come of products.
const MAX_ALTERNATIVES: usize = 512;

/// How deep references and unions may lie in each other at one place.
const MAX_NESTED: usize = 32;

/// How many schemas may be looked at to spread one out. References may lead to each other many times.
const MAX_LOOKED_AT: usize = 10_000;

/// What says something about a schema and nothing about values.
const ANNOTATIONS: [&str; 11] = [
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// The alternatives of a schema within a document of schemas; `None` where they are too many, or a part
/// is not understood.
pub(super) fn alternatives(schema: &Value, root: &Value) -> Option<Vec<Alternative>> {
    spread(schema, root, 0, &mut 0)
}

fn spread(
    schema: &Value,
    root: &Value,
    nested: usize,
    looked_at: &mut usize,
) -> Option<Vec<Alternative>> {
    *looked_at += 1;
    if nested > MAX_NESTED || *looked_at > MAX_LOOKED_AT {
        return None;
    }
    let object = match schema {
        Value::Bool(true) => return Some(vec![Alternative::new()]),
        Value::Bool(false) => return Some(Vec::new()),
        Value::Object(object) => object,
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => return None,
    };
    let mut found = vec![own(object)];
    let mut rest = None;
    for (key, value) in object {
        let parts = match (key.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                vec![spread(
                    resolve(reference, root)?,
                    root,
                    nested + 1,
                    looked_at,
                )?]
            }
            ("allOf", Value::Array(parts)) => {
                let parts = parts
                    .iter()
                    .map(|part| spread(part, root, nested + 1, looked_at));
                parts.collect::<Option<Vec<_>>>()?
            }
            ("anyOf" | "oneOf", Value::Array(parts)) => {
                let parts = parts
                    .iter()
                    .map(|part| spread(part, root, nested + 1, looked_at));
                vec![parts.collect::<Option<Vec<_>>>()?.concat()]
            }
            ("$ref" | "allOf" | "anyOf" | "oneOf", _) => return None,
            ("unevaluatedProperties", value) => {
                rest = Some(value);
                continue;
            }
            _ => continue,
        };
        for part in parts {
            found = product(&found, &part)?;
        }
    }
    if let Some(rest) = rest {
        for alternative in &mut found {
            // What a part says of further fields, it says of these too: they are evaluated.
            let key = "additionalProperties".to_owned();
            alternative.entry(key).or_insert_with(|| rest.clone());
        }
    }
    let found: Vec<_> = found.into_iter().flat_map(by_type).collect();
    (found.len() <= MAX_ALTERNATIVES).then_some(found)
}

fn resolve<'a>(reference: &str, root: &'a Value) -> Option<&'a Value> {
    if reference == "#" {
        return Some(root);
    }
    root.get("$defs")?.get(referred(reference)?)
}

/// What a schema says by itself, with `const` as an `enum` of one value.
fn own(object: &Map<String, Value>) -> Alternative {
    let mut own = Alternative::new();
    for (key, value) in object {
        match key.as_str() {
            "$ref" | "allOf" | "anyOf" | "oneOf" | "unevaluatedProperties" => {}
            key if ANNOTATIONS.contains(&key) => {}
            "const" => {
                own.insert("enum".to_owned(), vec![value.clone()].into());
            }
            key => {
                own.insert(key.to_owned(), value.clone());
            }
        }
    }
    own
}

fn product(one: &[Alternative], other: &[Alternative]) -> Option<Vec<Alternative>> {
    if one.len() * other.len() > MAX_ALTERNATIVES {
        return None;
    }
    let mut all = Vec::new();
    for one in one {
        for other in other {
            all.extend(put_together(one, other)?);
        }
    }
    Some(all)
}

/// An alternative that says what both say; none where no value could be valid under both. `None` where
/// that is not understood.
fn put_together(one: &Alternative, other: &Alternative) -> Option<Option<Alternative>> {
    let mut both = one.clone();
    for (key, value) in other {
        let Some(known) = both.get(key) else {
            both.insert(key.clone(), value.clone());
            continue;
        };
        if known == value {
            continue;
        }
        let merged = match (key.as_str(), known, value) {
            ("type", known, value) => {
                let types = common_types(known, value);
                match types.as_slice() {
                    [] => return Some(None),
                    [one] => one.clone(),
                    [_, _, ..] => types.into(),
                }
            }
            ("enum", Value::Array(known), Value::Array(value)) => {
                let common = known.iter().filter(|it| value.contains(it));
                let common: Vec<_> = common.cloned().collect();
                match common.is_empty() {
                    true => return Some(None),
                    false => common.into(),
                }
            }
            ("required", Value::Array(known), Value::Array(value)) => {
                let mut names = known.clone();
                names.extend(value.iter().filter(|it| !known.contains(it)).cloned());
                names.into()
            }
            // Put together below.
            ("properties", Value::Object(_), Value::Object(_)) => continue,
            ("additionalProperties" | "items", known, value) => all_of(known, value),
            ("minimum" | "minLength" | "minItems", Value::Number(known), Value::Number(value)) => {
                stricter(known, value, Ordering::Greater)?
            }
            ("maximum" | "maxLength" | "maxItems", Value::Number(known), Value::Number(value)) => {
                stricter(known, value, Ordering::Less)?
            }
            _ => return None,
        };
        both.insert(key.clone(), merged);
    }
    let fields = fields_of_both(one, other)?;
    if !fields.is_empty() {
        both.insert("properties".to_owned(), fields.into());
    }
    Some(Some(both))
}

/// The fields that either names. What one says of all other fields holds for those of the other.
fn fields_of_both(one: &Alternative, other: &Alternative) -> Option<Map<String, Value>> {
    let fields = |it: &Alternative| it.get("properties").and_then(Value::as_object).cloned();
    let (ones, others) = (
        fields(one).unwrap_or_default(),
        fields(other).unwrap_or_default(),
    );
    let mut both = Map::new();
    for name in ones.keys().chain(others.keys()) {
        let of = |it: &Alternative, fields: &Map<String, Value>| {
            let said = fields.get(name).or(it.get("additionalProperties"));
            said.cloned().unwrap_or(Value::Bool(true))
        };
        let is_by_pattern = |it: &Alternative, fields: &Map<String, Value>| {
            it.contains_key("patternProperties") && !fields.contains_key(name)
        };
        if is_by_pattern(one, &ones) || is_by_pattern(other, &others) {
            return None;
        }
        let schema = match (of(one, &ones), of(other, &others)) {
            (one, Value::Bool(true)) => one,
            (Value::Bool(true), other) => other,
            (one, other) if one == other => one,
            (one, other) => all_of(&one, &other),
        };
        both.insert(name.clone(), schema);
    }
    Some(both)
}

/// Of two bounds, the one that is greater or less than the other.
fn stricter(one: &Number, other: &Number, wanted: Ordering) -> Option<Value> {
    let of_both = match compare(one, other)? == wanted {
        true => one,
        false => other,
    };
    Some(of_both.clone().into())
}

/// Compares two numbers, integers exactly.
pub(super) fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    let exact = |number: &Number| {
        let unsigned = number.as_u64().map(i128::from);
        unsigned.or_else(|| number.as_i64().map(i128::from))
    };
    match (exact(one), exact(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn all_of(one: &Value, other: &Value) -> Value {
    serde_json::json!({ "allOf": [one, other] })
}

fn common_types(one: &Value, other: &Value) -> Vec<Value> {
    let other = types(other);
    let common = types(one).into_iter().filter_map(|name| match name {
        _ if other.contains(&name) => Some(name),
        "integer" if other.contains(&"number") => Some("integer"),
        "number" if other.contains(&"integer") => Some("integer"),
        _ => None,
    });
    common.map(Value::from).collect()
}

fn types(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    }
}

/// An alternative for each type, with those of its values that are of it.
fn by_type(alternative: Alternative) -> Vec<Alternative> {
    let Some(names) = alternative.get("type") else {
        return vec![alternative];
    };
    let each = types(names).into_iter().filter_map(|name| {
        let mut one = alternative.clone();
        one.insert("type".to_owned(), name.into());
        if let Some(Value::Array(values)) = one.get_mut("enum") {
            values.retain(|value| is_of_type(value, name));
            if values.is_empty() {
                return None;
            }
        }
        Some(one)
    });
    each.collect()
}

/// Whether a value is of a type of JSON Schema.
pub(super) fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => {
            name == "number" || name == "integer" && (number.is_i64() || number.is_u64())
        }
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}
