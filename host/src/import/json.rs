//! Strict JSON: what `serde_json` takes, and no name twice in an object.
//!
//! A payload is kept as its bytes; this only says whether it is JSON and what stands in it.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value, as far as an import looks at it.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent that 64 bits hold, in digits.
    Integer(String),
    /// Any other number.
    Float,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in its order.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads one value, with nothing but white space around it.
    ///
    /// # Errors
    ///
    /// [`JsonError`], with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        serde_json::from_slice(bytes).map_err(|error| {
            let why = error.to_string();
            // The place stands in fields of its own.
            let end = why.rfind(" at line ").unwrap_or(why.len());
            JsonError {
                line: error.line(),
                column: error.column(),
                why: why[..end].to_owned(),
            }
        })
    }

    /// What stands at `path`: a name at the top, or a JSON pointer (RFC 6901) if it begins with
    /// `/`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        match path.strip_prefix('/') {
            None => self.member(path),
            Some(pointer) => pointer.split('/').try_fold(self, |value, token| {
                value.member(&token.replace("~1", "/").replace("~0", "~"))
            }),
        }
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find_map(|(other, value)| (other == name).then_some(value)),
            Self::List(items) => {
                let canonical = name == "0" || !name.starts_with(['0', '+']);
                name.parse::<usize>()
                    .ok()
                    .filter(|_| canonical)
                    .and_then(|at| items.get(at))
            }
            _ => None,
        }
    }

    /// What kind of value it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// A text that is not JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The byte of the line, from 1.
    pub column: usize,
    /// What the parser says.
    pub why: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not valid JSON at line {}, column {}: {}",
            self.line, self.column, self.why
        )
    }
}

impl Error for JsonError {}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Float)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                let name: String = name
                    .chars()
                    .take(160)
                    .flat_map(char::escape_debug)
                    .collect();
                return Err(A::Error::custom(format!("the name `{name}` stands twice")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_and_pointers() {
        let json = br#"{"id":"x","a/b":{"c":[7,{"~":true}]},"/id":null}"#;
        let json = Json::parse(json).expect("JSON");
        assert_eq!(json.at("id"), Some(&Json::Text("x".to_owned())));
        assert_eq!(json.at("/id"), Some(&Json::Text("x".to_owned())));
        assert_eq!(json.at("/~1id"), Some(&Json::Null));
        assert_eq!(json.at("/a~1b/c/0"), Some(&Json::Integer("7".to_owned())));
        assert_eq!(json.at("/a~1b/c/1/~0"), Some(&Json::Bool(true)));
        for absent in ["", "c", "/a~1b/c/00", "/a~1b/c/2", "/a~1b/c/x", "/"] {
            assert_eq!(json.at(absent), None, "{absent}");
        }
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let fault = |text: &str| Json::parse(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(
            fault(r#"{"a":1,"b":{"c":1,"c":2}}"#),
            "not valid JSON at line 1, column 21: the name `c` stands twice"
        );
        for bad in [
            "",
            "{",
            "{'a':1}",
            "[1,]",
            "01",
            "nan",
            "{} {}",
            "\"\u{1}\"",
            r#""\ud800""#,
        ] {
            fault(bad);
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }
}
