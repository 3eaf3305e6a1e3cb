//! From a JSON schema to a type of TypeScript.
//!
//! What a schema demands and a type cannot say, such as a pattern or a bound, is left to the domain, which
//! refuses it. A keyword that is not known here is an error: it may well change what the type is.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::NoType;

/// The type that a schema describes, for a place that is indented by `depth`. References are named by
/// `rename`.
pub(super) fn type_of(
    schema: &Value,
    depth: usize,
    rename: &dyn Fn(&str) -> String,
) -> Result<String, NoType> {
    Ok(Printer { rename }.any(schema, depth)?.text)
}

/// A text as a comment above what it is about.
pub(super) fn comment(schema: &Value, depth: usize) -> String {
    let Some(text) = schema.get("description").and_then(Value::as_str) else {
        return String::new();
    };
    let indent = INDENT.repeat(depth);
    let text = plain(text);
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(line), None) => format!("{indent}/** {line} */\n"),
        _ => {
            let lines = text
                .lines()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}

pub(super) const INDENT: &str = "  ";

/// What references begin with.
pub(super) const DEFINITIONS: &str = "#/$defs/";

/// A type as text.
#[derive(Clone, PartialEq)]
struct Type {
    text: String,
    /// Whether it would come apart beside an operator.
    is_joined: bool,
}

impl Type {
    fn one(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_joined: false,
        }
    }

    /// All of these types: what is not repeated, since two kinds of numbers are one.
    fn joined(types: Vec<Self>, operator: &str) -> Self {
        let mut distinct: Vec<Self> = Vec::with_capacity(types.len());
        for one in types {
            if !distinct.contains(&one) {
                distinct.push(one);
            }
        }
        match distinct.len() {
            1 => distinct.remove(0),
            _ => {
                let types: Vec<String> = distinct.iter().map(Self::grouped).collect();
                Self {
                    text: types.join(operator),
                    is_joined: true,
                }
            }
        }
    }

    fn grouped(&self) -> String {
        match self.is_joined {
            true => format!("({})", self.text),
            false => self.text.clone(),
        }
    }
}

struct Printer<'a> {
    rename: &'a dyn Fn(&str) -> String,
}

impl Printer<'_> {
    fn any(&self, schema: &Value, depth: usize) -> Result<Type, NoType> {
        let object = match schema {
            Value::Bool(true) => return Ok(Type::one("unknown")),
            Value::Bool(false) => return Ok(Type::one("never")),
            Value::Object(object) => object,
            _ => return Err(NoType(format!("no schema: `{schema}`"))),
        };
        for keyword in object.keys().map(String::as_str) {
            if !SAID.contains(&keyword) && !UNSAID.contains(&keyword) {
                let message =
                    format!("a schema says `{keyword}`, which has no type yet: `{schema}`");
                return Err(NoType(message));
            }
        }
        // All that a schema says holds, so that its type is in all of these.
        let mut parts = Vec::new();
        if let Some(reference) = object.get("$ref") {
            parts.push(self.reference(reference)?);
        }
        if let Some(value) = object.get("const") {
            parts.push(Type::one(value.to_string()));
        }
        if let Some(values) = object.get("enum") {
            let values = list(values)?.iter();
            let values = values.map(|value| Type::one(value.to_string()));
            parts.push(Type::joined(values.collect(), " | "));
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(schemas) = object.get(several) {
                parts.push(self.union(list(schemas)?, depth)?);
            }
        }
        if let Some(schemas) = object.get("allOf") {
            for schema in list(schemas)? {
                parts.push(self.any(schema, depth)?);
            }
        }
        // A value that is listed needs no type beside.
        let is_listed = object.contains_key("const") || object.contains_key("enum");
        if let (Some(types), false) = (object.get("type"), is_listed) {
            parts.push(self.of_types(types, object, depth)?);
        } else if object.contains_key("properties") {
            parts.push(self.object(object, depth)?);
        }
        match parts.is_empty() {
            true => Ok(Type::one("unknown")),
            false => Ok(Type::joined(parts, " & ")),
        }
    }

    fn reference(&self, reference: &Value) -> Result<Type, NoType> {
        let name = reference
            .as_str()
            .and_then(|it| it.strip_prefix(DEFINITIONS));
        let name = name.filter(|name| is_name(name));
        let name = name.ok_or_else(|| NoType(format!("no type has the name `{reference}`")))?;
        Ok(Type::one((self.rename)(name)))
    }

    /// One of several, each on a line of its own where something is said about one.
    fn union(&self, schemas: &[Value], depth: usize) -> Result<Type, NoType> {
        let inner = depth + 1;
        let types: Result<Vec<Type>, NoType> = schemas
            .iter()
            .map(|schema| self.any(schema, inner))
            .collect();
        let comments: Vec<String> = schemas
            .iter()
            .map(|schema| comment(schema, inner))
            .collect();
        if comments.iter().all(String::is_empty) {
            return Ok(Type::joined(types?, " | "));
        }
        let indent = INDENT.repeat(inner);
        let mut text = String::new();
        for (comment, one) in comments.iter().zip(types?) {
            write!(text, "\n{comment}{indent}| {}", one.grouped())
                .expect("a String takes all text");
        }
        let is_joined = true;
        Ok(Type { text, is_joined })
    }

    fn of_types(
        &self,
        types: &Value,
        object: &Map<String, Value>,
        depth: usize,
    ) -> Result<Type, NoType> {
        let one = |name: &Value| match name.as_str() {
            Some("string") => Ok(Type::one("string")),
            Some("integer" | "number") => Ok(Type::one("number")),
            Some("boolean") => Ok(Type::one("boolean")),
            Some("null") => Ok(Type::one("null")),
            Some("array") => self.array(object, depth),
            Some("object") => self.object(object, depth),
            _ => Err(NoType(format!("no type of JSON: `{name}`"))),
        };
        match types {
            Value::Array(types) => {
                let types: Result<Vec<Type>, NoType> = types.iter().map(one).collect();
                Ok(Type::joined(types?, " | "))
            }
            name => one(name),
        }
    }

    fn array(&self, array: &Map<String, Value>, depth: usize) -> Result<Type, NoType> {
        let text = match (array.get("prefixItems"), array.get("items")) {
            (Some(items), _) => {
                let items = list(items)?.iter();
                let items: Result<Vec<String>, NoType> =
                    items.map(|item| Ok(self.any(item, depth)?.text)).collect();
                format!("readonly [{}]", items?.join(", "))
            }
            (None, Some(items)) => format!("readonly {}[]", self.any(items, depth)?.grouped()),
            (None, None) => "readonly unknown[]".to_owned(),
        };
        let is_joined = true;
        Ok(Type { text, is_joined })
    }

    fn object(&self, object: &Map<String, Value>, depth: usize) -> Result<Type, NoType> {
        let rest = object.get("additionalProperties");
        let patterns = object.get("patternProperties").and_then(Value::as_object);
        let patterns: Vec<&Value> = patterns.into_iter().flat_map(Map::values).collect();
        let is_open = !patterns.is_empty() || !matches!(rest, None | Some(Value::Bool(false)));
        let named = object.get("properties").and_then(Value::as_object);
        let Some(properties) = named.filter(|properties| !properties.is_empty()) else {
            // What has no names and is not open is empty; but what says nothing at all takes anything.
            let rest = rest.unwrap_or(match named.is_none() && patterns.is_empty() {
                true => &Value::Bool(true),
                false => &Value::Bool(false),
            });
            let values = patterns
                .into_iter()
                .chain((*rest != false || !is_open).then_some(rest));
            let values: Result<Vec<Type>, NoType> =
                values.map(|schema| self.any(schema, depth)).collect();
            let value = Type::joined(values?, " | ").text;
            return Ok(Type::one(format!("Readonly<Record<string, {value}>>")));
        };
        if is_open {
            return Err(NoType(format!(
                "an object has both named and other properties, which no type can say: `{}`",
                Value::from(object.clone())
            )));
        }
        let required = match object.get("required") {
            Some(names) => list(names)?,
            None => &[],
        };
        let indent = INDENT.repeat(depth + 1);
        let mut text = String::from("{\n");
        for (name, schema) in properties {
            let mark = match required.iter().any(|it| it == name) {
                true => "",
                false => "?",
            };
            let key = match is_name(name) {
                true => name.clone(),
                false => Value::from(name.as_str()).to_string(),
            };
            let value = self.any(schema, depth + 1)?.text;
            text += &comment(schema, depth + 1);
            let space = if value.starts_with('\n') { "" } else { " " };
            writeln!(text, "{indent}readonly {key}{mark}:{space}{value};")
                .expect("a String takes all text");
        }
        Ok(Type::one(text + &INDENT.repeat(depth) + "}"))
    }
}

fn list(value: &Value) -> Result<&[Value], NoType> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| NoType(format!("expected a list, found `{value}`")))
}

/// Whether it can stand as the name of a type or of a property.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// What Rust's documentation says, without its links, and harmless in a comment.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        plain += &rest[..start];
        rest = &rest[start + 1..];
        let Some(end) = rest.find("`]") else {
            plain.push('[');
            break;
        };
        plain += &rest[..=end];
        rest = &rest[end + 2..];
        if let Some(link) = rest.strip_prefix('(') {
            rest = link.split_once(')').map_or("", |(_, after)| after);
        }
    }
    plain += rest;
    plain.replace("*/", "*\u{200b}/")
}

/// Keywords that a type says.
const SAID: [&str; 13] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "enum",
    "items",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "properties",
    "required",
    "type",
];

/// Keywords that no type can say, or that are about the schema.
const UNSAID: [&str; 22] = [
    "$defs",
    "$schema",
    "default",
    "description",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "propertyNames",
    "title",
    // That the whole is closed; types are.
    "unevaluatedProperties",
    "uniqueItems",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        let found = type_of(schema, 0, &str::to_owned).expect("a type");
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn values_have_their_types() {
        check(&json!({ "type": "string", "pattern": "^a$" }), "string");
        check(&json!({ "type": "integer", "minimum": 0 }), "number");
        check(&json!({ "type": ["string", "null"] }), "string | null");
        check(&json!({ "type": ["integer", "number"] }), "number");
        check(&json!({ "enum": ["a", 1, null] }), "\"a\" | 1 | null");
        check(&json!({ "type": "string", "const": "a" }), "\"a\"");
        check(
            &json!({ "$ref": "#/$defs/Label", "description": "A." }),
            "Label",
        );
        check(&json!(true), "unknown");
        check(&json!({}), "unknown");
    }

    #[test]
    fn lists_are_of_one_type_or_of_one_type_each() {
        let name = json!({ "type": "string" });
        check(
            &json!({ "type": "array", "items": name, "maxItems": 3 }),
            "readonly string[]",
        );
        let maybe = json!({ "anyOf": [name, { "type": "null" }] });
        check(
            &json!({ "type": "array", "items": maybe }),
            "readonly (string | null)[]",
        );
        let pair = json!({ "type": "array", "prefixItems": [name, { "type": "boolean" }] });
        check(&pair, "readonly [string, boolean]");
    }

    #[test]
    fn objects_are_closed_and_maps_are_open() {
        check(
            &json!({
                "type": "object",
                "properties": {
                    "a-b": { "type": "string", "description": "First." },
                    "c": { "type": "object", "properties": { "d": { "type": "null" } } },
                },
                "required": ["a-b"],
                "additionalProperties": false,
            }),
            "{\n  /** First. */\n  readonly \"a-b\": string;\n  readonly c?: {\n    readonly d?: null;\n  };\n}",
        );
        let empty = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        check(&empty, "Readonly<Record<string, never>>");
        check(
            &json!({ "type": "object", "additionalProperties": { "type": "number" } }),
            "Readonly<Record<string, number>>",
        );
        check(
            &json!({
                "type": "object",
                "patternProperties": { "^a": { "type": "number" }, "^b": { "type": "null" } },
                "additionalProperties": false,
            }),
            "Readonly<Record<string, number | null>>",
        );
        check(
            &json!({ "type": "object" }),
            "Readonly<Record<string, unknown>>",
        );
    }

    #[test]
    fn what_is_said_of_one_of_several_stands_above_it() {
        check(
            &json!({ "oneOf": [
                { "const": "on", "description": "It burns." },
                { "const": "off", "description": "It does not.\n\nNot now: [`a`](b) */" },
            ] }),
            "\n  /** It burns. */\n  | \"on\"\n  /**\n   * It does not.\n   *\n   \
             * Not now: `a` *\u{200b}/\n   */\n  | \"off\"",
        );
    }

    #[test]
    fn what_is_not_known_is_no_type() {
        for (schema, message) in [
            (json!({ "not": {} }), "a schema says `not`"),
            (json!({ "type": "text" }), "no type of JSON"),
            (json!({ "$ref": "#/$defs/a.part" }), "no type has the name"),
            (json!(1), "no schema"),
            (
                json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": {} }),
                "an object has both",
            ),
        ] {
            let failure = type_of(&schema, 0, &str::to_owned).expect_err("no type");
            assert!(failure.to_string().starts_with(message), "{failure}");
        }
    }
}
