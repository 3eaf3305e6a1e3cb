//! Closing a schema: what a type would pass over in silence is refused.
//!
//! Serde ignores a field that a struct does not have. A stored field that is ignored is lost, so here it
//! is refused, at every depth: an object that lists its properties takes no others. What a type means to
//! be open stays so: maps, `serde_json::Value`, and whatever says `additionalProperties` itself.
//!
//! Where an object is put together of several schemas (`#[serde(flatten)]`, tagged enums of structs), no
//! part knows the others' properties. The whole is closed then, by `unevaluatedProperties`, and its parts
//! are left open; a definition that is used both ways is there twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Closes the schema of one value, and takes in those of `definitions` that it needs.
pub(super) fn close(mut schema: Value, definitions: &Map<String, Value>) -> Value {
    let mut closer = Closer {
        definitions,
        waiting: Vec::new(),
        names: BTreeMap::new(),
    };
    closer.close(&mut schema, Role::Whole);
    let mut taken = Map::new();
    while let Some((name, role)) = closer.waiting.pop() {
        let Some(mut definition) = definitions.get(&name).cloned() else {
            continue;
        };
        closer.close(&mut definition, role);
        taken.insert(closer.name(&name, role), definition);
    }
    if let (Some(object), false) = (schema.as_object_mut(), taken.is_empty()) {
        // Where keys keep the order in which they come, so that the same types give the same text.
        taken.sort_keys();
        object.insert("$defs".to_owned(), taken.into());
    }
    schema
}

/// Whether a schema says all of a value, or is one of several that do together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Role {
    Whole,
    Part,
}

struct Closer<'a> {
    definitions: &'a Map<String, Value>,
    /// What is referred to and not yet taken.
    waiting: Vec<(String, Role)>,
    /// The names of what is referred to.
    names: BTreeMap<(String, Role), String>,
}

impl Closer<'_> {
    fn close(&mut self, schema: &mut Value, role: Role) {
        let Value::Object(object) = schema else {
            return;
        };
        let is_put_together = is_put_together(object);
        let inner = match (role, is_put_together) {
            (Role::Whole, false) => Role::Whole,
            (Role::Part, _) | (Role::Whole, true) => Role::Part,
        };
        for (key, value) in object.iter_mut() {
            match (key.as_str(), value) {
                ("properties" | "patternProperties", Value::Object(schemas)) => {
                    for schema in schemas.values_mut() {
                        self.close(schema, Role::Whole);
                    }
                }
                ("prefixItems", Value::Array(schemas)) => {
                    for schema in schemas {
                        self.close(schema, Role::Whole);
                    }
                }
                (
                    "items" | "additionalProperties" | "unevaluatedProperties" | "contains",
                    schema,
                ) => self.close(schema, Role::Whole),
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    for schema in schemas {
                        self.close(schema, inner);
                    }
                }
                ("if" | "then" | "else", schema) => self.close(schema, Role::Part),
                ("$ref", Value::String(reference)) => {
                    if let Some(name) = referred(reference) {
                        *reference = format!("#/$defs/{}", encoded(&self.take(name, inner)));
                    }
                }
                _ => {}
            }
        }
        give_bounds(object);
        let says_rest = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| object.contains_key(*key));
        if role == Role::Whole && !says_rest {
            if is_put_together {
                object.insert("unevaluatedProperties".to_owned(), false.into());
            } else if is_object(object) {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
    }

    /// Notes that a definition is needed, and gives its new name.
    fn take(&mut self, name: String, role: Role) -> String {
        if !self.names.contains_key(&(name.clone(), role)) {
            self.waiting.push((name.clone(), role));
        }
        self.name(&name, role)
    }

    fn name(&mut self, name: &str, role: Role) -> String {
        let key = (name.to_owned(), role);
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let mut new = name.to_owned();
        if role == Role::Part {
            new.push_str(".part");
            while self.definitions.contains_key(&new) {
                new.push('_');
            }
        }
        self.names.insert(key, new.clone());
        new
    }
}

/// Whether an object is described by several schemas at one place.
fn is_put_together(object: &Map<String, Value>) -> bool {
    let applied = ["$ref", "anyOf", "oneOf", "if"]
        .iter()
        .filter(|key| object.contains_key(**key))
        .count();
    let all_of = object.get("allOf").and_then(Value::as_array);
    let applied = applied + all_of.map_or(0, Vec::len);
    applied > 1 || (applied == 1 && is_object(object))
}

fn is_object(object: &Map<String, Value>) -> bool {
    let is_typed = match object.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
        Some(name) => name == "object",
        None => false,
    };
    is_typed || object.contains_key("properties")
}

/// Gives an integer the bounds of its Rust type, which the format alone names: formats bind nobody.
fn give_bounds(object: &mut Map<String, Value>) {
    let (minimum, maximum): (Value, Value) = match object.get("format").and_then(Value::as_str) {
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("int64" | "int") => (i64::MIN.into(), i64::MAX.into()),
        Some("uint32") => (0.into(), u32::MAX.into()),
        Some("uint64" | "uint") => (0.into(), u64::MAX.into()),
        Some(_) | None => return,
    };
    for (key, bound) in [("minimum", minimum), ("maximum", maximum)] {
        if !object.contains_key(key) {
            object.insert(key.to_owned(), bound);
        }
    }
}

/// The name of the definition that a reference is to.
pub(super) fn referred(reference: &str) -> Option<String> {
    let name = reference.strip_prefix("#/$defs/")?;
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

/// A name within a reference: as a token of a JSON pointer (RFC 6901) in a fragment (RFC 3986).
fn encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'~' => encoded.push_str("~0"),
            b'/' => encoded.push_str("~1"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
