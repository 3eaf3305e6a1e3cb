//! Subjects: the NATS addresses of events and commands, how they are built and how they are read.
//!
//! A [`Subject`] is concrete, a [`SubjectFilter`] may have wildcards, a [`SubjectTemplate`] says
//! where the fields of an event stand in its subject, and a [`StoreTemplate`] is one whose subjects
//! can be read back into the whole key of an aggregate. The rules are those of the wire format,
//! version 1; NATS itself allows more characters in a token.

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::id::{Entity, MAX_TOKEN_LEN, NameError, is_token};
use crate::text::shorten;

mod field;
mod filter;
mod operation;
mod preset;
mod store;
mod template;
mod template_error;
mod template_json;

pub use field::{EventFields, Field, SubjectFields};
pub use filter::{FilterError, SubjectFilter, pattern_covers, patterns_overlap};
pub use operation::OperationError;
pub use store::StoreTemplate;
pub use template::SubjectTemplate;
pub use template_error::TemplateError;

/// The longest subject and the longest filter, in bytes.
///
/// The server takes a protocol line of 4 KiB by default, with the reply subject in it; 1 KiB leaves
/// room and holds six tokens of full length.
pub const MAX_SUBJECT_LEN: usize = 1024;

/// A concrete subject: tokens of `[A-Za-z0-9_-]{1,128}`, joined by full stops, without wildcards.
///
/// # Examples
///
/// ```
/// use cim_core::subject::Subject;
///
/// let subject = Subject::new("cowboyai.security.keys.operator.create")?;
/// assert_eq!(subject.tokens().last(), Some("create"));
/// assert!(Subject::new("cowboyai.security.keys.*.create").is_err());
/// # Ok::<(), cim_core::subject::SubjectError>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Takes `text` as a subject.
    ///
    /// # Errors
    ///
    /// [`SubjectError::Token`] when one of its tokens is no token,
    /// [`SubjectError::TooLong`] when it is longer than [`MAX_SUBJECT_LEN`].
    pub fn new(text: &str) -> Result<Self, SubjectError> {
        check(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// Takes a text that was put together from tokens and checked for its length.
    fn from_checked(text: &str) -> Self {
        debug_assert!(check(text).is_ok(), "{text}");
        Self(Arc::from(text))
    }

    /// The text as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tokens, from the left.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        Self::new(text)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Subject {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A text that is no subject, or not one of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SubjectError {
    /// One of its tokens is no token; the source says which and why.
    Token {
        /// The text, shortened if it is very long.
        subject: String,
        /// What is wrong with the token.
        source: NameError,
    },
    /// It is longer than [`MAX_SUBJECT_LEN`].
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is a subject, but none that the template builds.
    Mismatch {
        /// The subject.
        subject: String,
        /// The template, as people read it.
        template: String,
    },
}

impl SubjectError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token { .. } | Self::TooLong { .. } => "subject-invalid",
            Self::Mismatch { .. } => "subject-mismatch",
        }
    }
}

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { subject, .. } => write!(f, "`{subject}` is not a subject"),
            Self::TooLong { length } => {
                write!(
                    f,
                    "the subject is too long: expected at most 1024 bytes, found {length}"
                )
            }
            Self::Mismatch { subject, template } => {
                write!(
                    f,
                    "the subject `{subject}` does not fit the template `{template}`"
                )
            }
        }
    }
}

impl Error for SubjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token { source, .. } => Some(source),
            Self::TooLong { .. } | Self::Mismatch { .. } => None,
        }
    }
}

fn check(text: &str) -> Result<(), SubjectError> {
    if text.len() > MAX_SUBJECT_LEN {
        return Err(SubjectError::TooLong { length: text.len() });
    }
    match text.split('.').find_map(token_fault) {
        Some(source) => Err(SubjectError::Token {
            subject: shorten(text),
            source,
        }),
        None => Ok(()),
    }
}

/// What is wrong with `text` as a token.
fn token_fault(text: &str) -> Option<NameError> {
    if is_token(text) {
        return None;
    }
    Entity::new(text).err().map(|error| NameError {
        what: "a token of a subject",
        ..error
    })
}

/// Takes the token at the start of `text`: what stands before the first byte that no token has.
fn leading_token(text: &str) -> Option<&str> {
    let other = |byte: &u8| !TOKEN_BYTES[usize::from(*byte)];
    let length = text.as_bytes().iter().position(other).unwrap_or(text.len());
    if (1..=MAX_TOKEN_LEN).contains(&length) {
        text.get(..length)
    } else {
        None
    }
}

/// Which bytes may be in a token: a table, since every byte of every subject read is looked up.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_tokens_joined_by_full_stops() {
        let longest = [&*"x".repeat(128); 7].join(".") + "." + &"y".repeat(121);
        assert_eq!(longest.len(), MAX_SUBJECT_LEN);
        for good in ["a", "a.B_9-.c", "-", &longest] {
            assert_eq!(
                Subject::new(good).map(|subject| subject.to_string()),
                Ok(good.to_owned())
            );
        }
    }

    #[test]
    fn refuses_wildcards_and_foreign_characters() {
        let long_token = "x".repeat(129);
        for bad in [
            "",
            ".",
            ".a",
            "a.",
            "a..b",
            "a.*",
            ">",
            "a b",
            "a.b\n",
            "ä",
            "$JS",
            &long_token,
        ] {
            let error = Subject::new(bad).expect_err(bad);
            assert_eq!(error.code(), "subject-invalid", "{bad}");
            assert!(error.source().is_some(), "{bad}");
        }
    }

    #[test]
    fn refuses_more_than_a_kibibyte() {
        let long = "a.".repeat(512) + "a";
        assert_eq!(
            Subject::new(&long),
            Err(SubjectError::TooLong { length: 1025 })
        );
    }

    #[test]
    fn an_error_says_which_token_and_why() {
        let error = Subject::new("a.b c").expect_err("a space");
        assert_eq!(error.to_string(), "`a.b c` is not a subject");
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("`b c` is not a token of a subject: only A-Z, a-z, 0-9, `_` and `-` may be in it")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text: String) {
            if let Ok(subject) = Subject::new(&text) {
                prop_assert_eq!(subject.as_str(), &text);
                prop_assert!(subject.tokens().all(is_token));
            }
        }

        #[test]
        fn the_table_knows_the_bytes_of_tokens(text in "[a-zA-Z0-9_.*é-]{0,200}") {
            let first = text.split('.').next().filter(|first| is_token(first));
            let followed = leading_token(&text).filter(|token| {
                matches!(text.as_bytes().get(token.len()), None | Some(b'.'))
            });
            prop_assert_eq!(followed, first);
        }
    }
}
