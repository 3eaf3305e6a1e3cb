//! What people keep with a resource: values under keys.

use crate::domain::value::{ValueRule, check_control, check_len, checked_text};

/// The longest key in bytes.
pub const MAX_METADATA_KEY_LEN: usize = 64;

/// The longest value in bytes.
pub const MAX_METADATA_VALUE_LEN: usize = 1024;

checked_text! {
    /// What a value is kept under, `rack_unit`: 1 to [`MAX_METADATA_KEY_LEN`] of `a-z`, `0-9` and `_`.
    MetadataKey {
        what: "a key of metadata",
        code: "metadata-key-invalid",
        check: check_key,
        schema: (
            description = "What a value is kept under.",
            extend("pattern" = "^[a-z0-9_]{1,64}$")
        ),
    }
}

checked_text! {
    /// What is kept under a key: at most [`MAX_METADATA_VALUE_LEN`] bytes without control characters,
    /// and perhaps none.
    MetadataValue {
        what: "a value of metadata",
        code: "text-invalid",
        check: check_value,
        schema: (
            description = "What is kept under a key: at most 1024 bytes.",
            extend("maxLength" = MAX_METADATA_VALUE_LEN)
        ),
    }
}

fn check_key(text: &str) -> Result<(), ValueRule> {
    check_len(text, MAX_METADATA_KEY_LEN)?;
    let is_of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match text.bytes().all(is_of_key) {
        true => Ok(()),
        false => Err(ValueRule::Characters {
            allowed: "a-z, 0-9 and `_`",
        }),
    }
}

fn check_value(text: &str) -> Result<(), ValueRule> {
    match text.len() > MAX_METADATA_VALUE_LEN {
        true => Err(ValueRule::TooLong {
            limit: MAX_METADATA_VALUE_LEN,
        }),
        false => check_control(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_name_of_lower_case() {
        for good in ["a", "rack_unit", "_", "7", &"x".repeat(64)] {
            assert!(MetadataKey::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Rack", "rack-unit", "a b", "é", &"x".repeat(65)] {
            let error = MetadataKey::new(bad).expect_err(bad);
            assert_eq!(error.code(), "metadata-key-invalid");
        }
    }

    #[test]
    fn a_value_may_be_empty_and_has_no_control_characters() {
        for good in ["", " ", "größe", &"x".repeat(1024)] {
            assert!(MetadataValue::new(good).is_ok(), "{good:?}");
        }
        for bad in ["a\nb", "\u{7f}", &"x".repeat(1025)] {
            let error = MetadataValue::new(bad).expect_err(bad);
            assert_eq!(error.code(), "text-invalid");
        }
    }
}
