//! Texts with a rule as types: what is read is checked, and what is there is right.

use std::fmt;

use crate::text::shorten;

/// Declares a type for the texts that keep a rule.
///
/// `check` is a `fn(&str) -> Result<(), ValueRule>`; `what` says what such a text is, with its article.
/// `schema` is what a JSON schema says of it: the arguments of an attribute `schemars`.
macro_rules! checked_text {
    (
        $(#[$meta:meta])*
        $name:ident {
            what: $what:literal,
            code: $code:literal,
            check: $check:expr
            $(, schema: ($($schema:tt)*))? $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
        )]
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema),
            schemars($($($schema)*)?)
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Takes `text` as ", $what, ".")]
            ///
            /// # Errors
            ///
            #[doc = concat!(
                "[`ValueError`](crate::domain::value::ValueError) `", $code,
                "`, with the rule that it breaks."
            )]
            pub fn new(text: &str) -> Result<Self, $crate::domain::value::ValueError> {
                Self::try_from(text.to_owned())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::value::ValueError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let check: fn(&str) -> Result<(), $crate::domain::value::ValueRule> = $check;
                match check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(rule) => Err($crate::domain::value::ValueError::new(
                        $what, $code, &text, rule,
                    )),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::value::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

pub(crate) use checked_text;

/// A text that breaks the rule of its type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValueError {
    /// What the text was to be, with its article.
    pub what: &'static str,
    /// The text, shortened if it is very long.
    pub found: String,
    /// The rule that it breaks.
    pub rule: ValueRule,
    code: &'static str,
}

/// The rule that a text breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ValueRule {
    /// It is empty.
    Empty,
    /// It is longer than its type allows.
    TooLong {
        /// The most bytes.
        limit: usize,
    },
    /// It has a control character (Unicode Cc).
    Control,
    /// It begins or ends with white space.
    OuterSpace,
    /// It has other characters than its type allows.
    Characters {
        /// What is allowed.
        allowed: &'static str,
    },
    /// It begins with another character than its type allows.
    First {
        /// What is allowed.
        allowed: &'static str,
    },
    /// It has another form than its type.
    Form {
        /// The form.
        expected: &'static str,
    },
}

impl ValueError {
    pub(crate) fn new(what: &'static str, code: &'static str, text: &str, rule: ValueRule) -> Self {
        Self {
            what,
            found: shorten(text),
            rule,
            code,
        }
    }

    /// The stable code of this fault, which the type has: `tag-invalid` of a tag.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for ValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { limit } => write!(f, "it is longer than {limit} bytes"),
            Self::Control => f.write_str("it has a control character"),
            Self::OuterSpace => f.write_str("it begins or ends with white space"),
            Self::Characters { allowed } => write!(f, "only {allowed} may be in it"),
            Self::First { allowed } => write!(f, "it must begin with {allowed}"),
            Self::Form { expected } => write!(f, "expected {expected}"),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}: {}", self.found, self.what, self.rule)
    }
}

impl std::error::Error for ValueError {}

/// Checks that a text has at least one byte and at most `limit`.
pub(crate) fn check_len(text: &str, limit: usize) -> Result<(), ValueRule> {
    match text.len() {
        0 => Err(ValueRule::Empty),
        len if len > limit => Err(ValueRule::TooLong { limit }),
        _ => Ok(()),
    }
}

/// Checks that a text has no control character.
pub(crate) fn check_control(text: &str) -> Result<(), ValueRule> {
    match text.chars().any(char::is_control) {
        true => Err(ValueRule::Control),
        false => Ok(()),
    }
}

/// Checks a text that people write on one line: neither empty nor longer than `limit` bytes, without
/// control characters and white space around it.
pub(crate) fn check_line(text: &str, limit: usize) -> Result<(), ValueRule> {
    check_len(text, limit)?;
    check_control(text)?;
    match text.trim() == text {
        true => Ok(()),
        false => Err(ValueRule::OuterSpace),
    }
}
