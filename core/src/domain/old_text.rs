//! Texts of old events, brought within the limits of today.
//!
//! An event is stored for good, and what is stored is not changed. So a text that was let in when the
//! rules were others must not make its event unreadable: what people read is cut and cleaned, and what
//! programs rely on, such as an address, is cleaned alone.

use serde_json::Value;

/// What stands where a text was cut.
const CUT: char = '…';

/// A text on one line of at most `limit` bytes; `None` if nothing is left of it.
///
/// Control characters become spaces, and white space around the text goes. What is too long is cut
/// between two characters and ends with `…`.
pub(super) fn line(text: &str, limit: usize) -> Option<String> {
    let clean = text.replace(char::is_control, " ");
    let clean = clean.trim();
    if clean.len() <= limit {
        return (!clean.is_empty()).then(|| clean.to_owned());
    }
    let room = clean.floor_char_boundary(limit.checked_sub(CUT.len_utf8())?);
    let kept = clean[..room].trim_end();
    (!kept.is_empty()).then(|| format!("{kept}{CUT}"))
}

/// A value that may be a text, as [`line`] has it; `None` if it is null or nothing is left of it.
///
/// A value of another kind is left for its type to refuse.
pub(super) fn line_of(value: &Value, limit: usize) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => line(text, limit).map(Value::String),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned_and_cut_between_characters() {
        for (old, limit, expected) in [
            ("ab", 2, Some("ab")),
            (" a\n\tb\u{85} ", 9, Some("a  b")),
            ("abcdef", 5, Some("ab…")),
            ("aéb", 4, Some("aéb")),
            ("ééé", 5, Some("é…")),
            ("ééé", 4, None),
            ("a bcdef", 5, Some("a…")),
            ("abc", 2, None),
            (" \n", 9, None),
            ("", 9, None),
            ("", 0, None),
        ] {
            let found = line(old, limit);
            assert_eq!(found.as_deref(), expected, "{old:?}");
            assert!(found.is_none_or(|text| text.len() <= limit), "{old:?}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_left_as_it_is() {
        assert_eq!(line_of(&Value::Null, 9), None);
        assert_eq!(line_of(&Value::from(" "), 9), None);
        assert_eq!(line_of(&Value::from(7), 9), Some(Value::from(7)));
    }
}
