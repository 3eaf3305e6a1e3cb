//! The payload of a command as its domain reads it, and where in it a fault is.

use cim_core::id::EventType;
use cim_core::payload::{self, DeclaredType, Typed};
use serde_json::{Value, json};

use super::fields;
use crate::cli::failure::Failure;
use crate::import::json::Json;

/// Reads what was given as the payload of a command.
pub(super) fn read<C: Typed>(declared: &DeclaredType, body: &[u8]) -> Result<C, Failure> {
    let name = declared.name;
    Json::parse(body).map_err(|error| {
        Failure::usage(format!("the payload is {error}"))
            .help("quote it for the shell, for example `--data '{\"a\":1}'`")
    })?;
    let command_type = EventType::new(name).expect("commands are named like event types");
    payload::decode(&command_type, body).map_err(|error| {
        let path = path_of(&error, body);
        let at = match path.as_str() {
            "" => String::new(),
            path => format!("at `{path}`: "),
        };
        let why = why::<C>(&error, name, body);
        let message = format!("the payload is not that of `{name}`: {at}{why}");
        Failure::usage(message).help(help::<C>(name))
    })
}

/// What is wrong, without the line and the column.
fn why<C: Typed>(error: &serde_json::Error, name: &str, body: &[u8]) -> String {
    // Of a number where an enum is read, the parser says that it is no value, which is no help.
    let whole = serde_json::from_slice::<Value>(body).map(|body| json!({ name: body }));
    let why = match whole.map(serde_json::from_value::<C>) {
        Ok(Err(other)) if error.is_syntax() => other.to_string(),
        _ => error.to_string(),
    };
    let end = why.rfind(" at line ").unwrap_or(why.len());
    why[..end].to_owned()
}

fn help<C: Typed>(name: &str) -> String {
    let fields = fields::of::<C>(name).iter();
    let fields: Vec<_> = fields.map(|field| format!("`{field}`")).collect();
    if fields.is_empty() {
        return format!("`{name}` takes an object without fields: `--data '{{}}'`");
    }
    format!(
        "give a JSON object with `--data`; the fields of `{name}` are {}",
        fields.join(", ")
    )
}

/// The JSON pointer (RFC 6901) to the value that a fault is about; empty for the whole payload.
fn path_of(error: &serde_json::Error, body: &[u8]) -> String {
    let Some(above) = error.line().checked_sub(1) else {
        return String::new();
    };
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let above: usize = lines.take(above).map(<[u8]>::len).sum();
    pointer_at(&body[..body.len().min(above + error.column())])
}

/// The pointer to the value that a JSON text breaks off in or behind.
fn pointer_at(text: &[u8]) -> String {
    /// What a value is in.
    enum Frame {
        /// In an object, under this name, as it is written.
        Object(Option<Vec<u8>>),
        /// In an array, at this place.
        Array(Option<usize>),
    }
    let mut frames: Vec<Frame> = Vec::new();
    let mut bytes = text.iter().copied();
    let mut string = Vec::new();
    while let Some(byte) = bytes.next() {
        if let Some(Frame::Array(at @ None)) = frames.last_mut()
            && !byte.is_ascii_whitespace()
            && byte != b']'
        {
            *at = Some(0);
        }
        match byte {
            b'"' => {
                string.clear();
                while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
                    string.push(byte);
                    if byte == b'\\' {
                        string.extend(bytes.next());
                    }
                }
            }
            b':' => {
                if let Some(Frame::Object(name)) = frames.last_mut() {
                    *name = Some(string.clone());
                }
            }
            b'{' => frames.push(Frame::Object(None)),
            b'[' => frames.push(Frame::Array(None)),
            b'}' | b']' => {
                frames.pop();
            }
            b',' => match frames.last_mut() {
                Some(Frame::Object(name)) => *name = None,
                Some(Frame::Array(at)) => *at = at.map(|at| at + 1),
                None => {}
            },
            _ => {}
        }
    }
    let mut pointer = String::new();
    for frame in frames {
        match frame {
            Frame::Object(Some(name)) => {
                let name = String::from_utf8_lossy(&name);
                pointer += &format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            }
            Frame::Array(Some(at)) => pointer += &format!("/{at}"),
            Frame::Object(None) | Frame::Array(None) => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use cim_core::payload::DomainCommand;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Deserialize, DomainCommand, Serialize)]
    #[command(entity = "lamp")]
    enum Ask {
        LightUp { lamps: Vec<Light>, mode: Mode },
        PutOut {},
    }

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Light {
        watts: u32,
        #[serde(rename = "a/b", default)]
        zone: String,
    }

    #[derive(Debug, Deserialize, Serialize)]
    enum Mode {
        Dim,
    }

    #[track_caller]
    fn refused(at: usize, body: &str, expect: &str) {
        let read = read::<Ask>(&Ask::TYPES[at], body.as_bytes());
        let failure = read.expect_err(body);
        let begin = format!("the payload is not that of `{}`: ", Ask::TYPES[at].name);
        assert_eq!(failure.message.strip_prefix(&begin), Some(expect));
        assert_eq!(failure.exit, crate::cli::failure::Exit::Usage);
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        for (body, expect) in [
            ("{}", "missing field `lamps`"),
            (" [7] ", "expected an object"),
            (r#"{"lamps":[]}"#, "missing field `mode`"),
            (
                r#"{"lamps":7,"mode":"Dim"}"#,
                "at `/lamps`: invalid type: integer `7`, expected a sequence",
            ),
            (
                r#"{"mode":"Dim","lamps":[{"watts":1},{"a/b":"x\",{"}]}"#,
                "at `/lamps/1`: missing field `watts`",
            ),
            (
                "\n{\"mode\":\"Dim\",\n \"lamps\":[{\"watts\":1},\n  {\"watts\":[]}]}",
                "at `/lamps/1/watts`: invalid type: sequence, expected u32",
            ),
            (
                r#"{"mode":"Dim","lamps":[{"watts":1,"a/b":{"c":[0]}}]}"#,
                "at `/lamps/0/a~1b`: invalid type: map, expected a string",
            ),
            (
                r#"{"mode":"Dim","lamps":[{"watts":-1}]}"#,
                "at `/lamps/0/watts`: invalid value: integer `-1`, expected u32",
            ),
            (
                r#"{"mode":"Bright","lamps":[]}"#,
                "at `/mode`: unknown variant `Bright`, expected `Dim`",
            ),
            (
                r#"{"mode":7,"lamps":[]}"#,
                "at `/mode`: invalid type: integer `7`, expected string or map",
            ),
        ] {
            refused(0, body, expect);
        }
        refused(1, "null", "expected an object");
    }

    #[test]
    fn help_names_the_fields() {
        assert_eq!(
            help::<Ask>("LightUp"),
            "give a JSON object with `--data`; the fields of `LightUp` are `lamps`, `mode`"
        );
        assert!(help::<Ask>("PutOut").contains("without fields"));
    }

    #[test]
    fn what_is_right_is_read() {
        let body = br#" {"mode":"Dim","lamps":[{"watts":1}]} "#;
        read::<Ask>(&Ask::TYPES[0], body).expect("right");
        read::<Ask>(&Ask::TYPES[1], b"{}").expect("right");
    }
}
