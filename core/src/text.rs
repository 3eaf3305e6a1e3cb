//! Texts: what a header's value may be, and how texts are shown in errors.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest value of a header in bytes: what fits several times into any server's limit of
/// headers.
pub const MAX_VALUE_LEN: usize = 4096;

/// The value of a text header: non-empty UTF-8 without control characters, without white space at
/// its ends, of at most [`MAX_VALUE_LEN`] bytes.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(Arc<str>);

impl Text {
    /// The content type of a payload in JSON.
    pub const JSON: &'static str = "application/json";

    /// Takes `text` as a header's value.
    ///
    /// # Errors
    ///
    /// [`TextError`], with the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TextError> {
        check_text(text).map_err(|rule| TextError {
            text: shorten(text),
            rule,
        })?;
        Ok(Self(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `application/json`.
    pub fn json() -> Self {
        Self(Arc::from(Self::JSON))
    }
}

impl FromStr for Text {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A text that cannot be a header's value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextError {
    /// The text, shortened if it is very long.
    pub text: String,
    /// The rule that it breaks.
    pub rule: TextRule,
}

/// The rule that a header's value breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TextRule {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_VALUE_LEN`].
    TooLong,
    /// It has a control character (Unicode Cc).
    Control,
    /// It begins or ends with white space.
    OuterSpace,
}

impl TextError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "header-value"
    }
}

impl fmt::Display for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 4096 bytes",
            Self::Control => "it has a control character",
            Self::OuterSpace => "it begins or ends with white space",
        })
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` cannot be the value of a header: {}",
            self.text, self.rule
        )
    }
}

impl std::error::Error for TextError {}

/// Checks the rules of a header's value.
pub(crate) fn check_text(text: &str) -> Result<(), TextRule> {
    if text.is_empty() {
        Err(TextRule::Empty)
    } else if text.len() > MAX_VALUE_LEN {
        Err(TextRule::TooLong)
    } else if text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        Ok(())
    } else if text.chars().any(char::is_control) {
        Err(TextRule::Control)
    } else if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        Err(TextRule::OuterSpace)
    } else {
        Ok(())
    }
}

/// Cuts a text that goes into an error, so that a hostile input cannot make a huge message.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_clean_text() {
        for good in ["a", "a b", "größe", "\u{200b}a", &"x".repeat(4096)] {
            assert!(Text::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            " a",
            "a ",
            "a\u{a0}",
            "a\tb",
            "a\nb",
            "\u{85}",
            &"x".repeat(4097),
        ] {
            assert!(Text::new(bad).is_err(), "{bad:?}");
        }
    }
}
