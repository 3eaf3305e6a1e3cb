//! JSON as Go's `encoding/json` writes it.
//!
//! Go writes `<`, `>` and `&`, and the two line separators that JavaScript once took for ends of lines,
//! as escapes: the subject `foo.>` is `"foo.\u003e"`. Tokens are as valid without; but the id of a
//! token is a hash of such a text, and ours are the same bytes as those of other tools.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// The JSON of a value.
///
/// # Panics
///
/// When a map of it has keys that are no texts; claims have none such.
pub(super) fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, GoFormatter);
    let written = value.serialize(&mut serializer);
    written.expect("keys are texts, and memory takes it");
    json
}

/// Adds the fields of one object to another's.
pub(super) fn join(object: &mut Vec<u8>, other: &[u8]) {
    let fields = &other[1..other.len() - 1];
    if fields.is_empty() {
        return;
    }
    object.pop();
    if object.len() > 1 {
        object.push(b',');
    }
    object.extend_from_slice(fields);
    object.push(b'}');
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, found)| is_escaped(*found)) {
            let (before, after) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            write!(writer, "\\u{:04x}", u32::from(found))?;
            rest = &after[found.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Beside what serde_json escapes.
fn is_escaped(found: char) -> bool {
    matches!(found, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_joined() {
        for (one, other, joined) in [
            ("{}", "{}", "{}"),
            ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, "{}", r#"{"a":1}"#),
            (r#"{"a":1}"#, r#"{"b":{}}"#, r#"{"a":1,"b":{}}"#),
        ] {
            let mut object = one.as_bytes().to_vec();
            join(&mut object, other.as_bytes());
            assert_eq!(object, joined.as_bytes());
        }
    }

    #[test]
    fn is_as_go_writes_it() {
        let texts = ["foo.>", "a<b&c", "\u{2028}\u{2029}ü\"\\\n\u{1}"];
        let json = to_vec(&std::collections::BTreeMap::from([
            ("z", serde_json::json!(texts)),
            ("a&b", serde_json::json!(true)),
        ]));
        let expected =
            r#"{"a\u0026b":true,"z":["foo.\u003e","a\u003cb\u0026c","\u2028\u2029ü\"\\\n\u0001"]}"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
    }
}
