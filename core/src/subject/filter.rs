//! Subject filters: subjects with wildcards, and what they match.
//!
//! A filter matches as nats-server does: token by token, case-sensitive, `*` for exactly one token,
//! `>` at the end for one or more.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{MAX_SUBJECT_LEN, Subject, token_fault};
use crate::id::NameError;
use crate::text::shorten;

/// A pattern of subjects: tokens, `*` for any one token, `>` at the end for one token or more.
///
/// # Examples
///
/// ```
/// use cim_core::subject::SubjectFilter;
///
/// let filter: SubjectFilter = "cowboyai.security.keys.*.>".parse()?;
/// assert!(filter.matches("cowboyai.security.keys.operator.create"));
/// assert!(!filter.matches("cowboyai.security.keys.operator"));
/// assert!("cowboyai.>.create".parse::<SubjectFilter>().is_err());
/// # Ok::<(), cim_core::subject::FilterError>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[doc(alias = "wildcard")]
pub struct SubjectFilter(Arc<str>);

impl SubjectFilter {
    /// Takes `text` as a filter.
    ///
    /// # Errors
    ///
    /// [`FilterError::Token`] when a token is neither a token nor a wildcard,
    /// [`FilterError::PartialWildcard`] when a wildcard is only a part of one,
    /// [`FilterError::NotLast`] when something follows `>`, and [`FilterError::TooLong`].
    pub fn new(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_SUBJECT_LEN {
            return Err(FilterError::TooLong { length: text.len() });
        }
        let mut tokens = text.split('.');
        while let Some(token) = tokens.next() {
            match token {
                "*" => {}
                ">" if tokens.next().is_none() => return Ok(Self(Arc::from(text))),
                ">" => {
                    return Err(FilterError::NotLast {
                        filter: shorten(text),
                    });
                }
                _ if token.contains(['*', '>']) => {
                    let (filter, token) = (shorten(text), shorten(token));
                    return Err(FilterError::PartialWildcard { filter, token });
                }
                _ => {
                    if let Some(source) = token_fault(token) {
                        return Err(FilterError::Token {
                            filter: shorten(text),
                            source,
                        });
                    }
                }
            }
        }
        Ok(Self(Arc::from(text)))
    }

    /// The filter that matches every subject: `>`.
    pub fn all() -> Self {
        Self(Arc::from(">"))
    }

    /// Takes a text that was put together from tokens and wildcards.
    pub(super) fn from_checked(text: &str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "{text}");
        Self(Arc::from(text))
    }

    /// The text as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the filter matches `subject`.
    ///
    /// A text with an empty token is no subject of NATS, and nothing matches it.
    pub fn matches(&self, subject: impl AsRef<str>) -> bool {
        let mut tokens = subject.as_ref().split('.');
        for pattern in self.0.split('.') {
            let Some(token) = tokens.next().filter(|token| !token.is_empty()) else {
                return false;
            };
            match pattern {
                ">" => return tokens.all(|token| !token.is_empty()),
                "*" => {}
                literal if literal == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether there is a subject that both this filter and `other` match.
    ///
    /// `other` may be any filter of NATS, also one with tokens that ours cannot have.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::subject::SubjectFilter;
    ///
    /// let events: SubjectFilter = "o.u.d.*.*.*".parse()?;
    /// assert!(events.overlaps("o.u.*.key.>"));
    /// assert!(!events.overlaps("o.u.d.*.*"));
    /// # Ok::<(), cim_core::subject::FilterError>(())
    /// ```
    pub fn overlaps(&self, other: impl AsRef<str>) -> bool {
        patterns_overlap(&self.0, other.as_ref())
    }

    /// Whether this filter matches every subject that `other` matches.
    ///
    /// `other` may be any filter of NATS, also one with tokens that ours cannot have.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::subject::SubjectFilter;
    ///
    /// let events: SubjectFilter = "o.u.d.*.*.*".parse()?;
    /// assert!(events.covers("o.u.d.key.*.generated"));
    /// assert!(!events.covers("o.u.d.key.>"));
    /// # Ok::<(), cim_core::subject::FilterError>(())
    /// ```
    pub fn covers(&self, other: impl AsRef<str>) -> bool {
        pattern_covers(&self.0, other.as_ref())
    }
}

/// Whether there is a subject that both filters of NATS match, whatever their tokens.
pub fn patterns_overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether a filter of NATS matches every subject that `other` matches, whatever their tokens.
pub fn pattern_covers(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some(_), Some(">")) => return false,
            (Some("*"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

impl From<&Subject> for SubjectFilter {
    /// The filter that matches `subject` alone.
    fn from(subject: &Subject) -> Self {
        Self(Arc::clone(&subject.0))
    }
}

impl FromStr for SubjectFilter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::new(text)
    }
}

impl fmt::Display for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for SubjectFilter {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A text that is no subject filter.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FilterError {
    /// One of its tokens is neither a token nor a wildcard; the source says which and why.
    Token {
        /// The text, shortened if it is very long.
        filter: String,
        /// What is wrong with the token.
        source: NameError,
    },
    /// A wildcard is a part of a token; it must be a whole one.
    PartialWildcard {
        /// The text, shortened if it is very long.
        filter: String,
        /// The token.
        token: String,
    },
    /// Something follows `>`.
    NotLast {
        /// The text, shortened if it is very long.
        filter: String,
    },
    /// It is longer than [`MAX_SUBJECT_LEN`].
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl FilterError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "filter-invalid"
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { filter, .. } => write!(f, "`{filter}` is not a subject filter"),
            Self::PartialWildcard { filter, token } => write!(
                f,
                "`{filter}` is not a subject filter: a wildcard must be a whole token, found \
                 `{token}`"
            ),
            Self::NotLast { filter } => {
                write!(
                    f,
                    "`{filter}` is not a subject filter: `>` must be its last token"
                )
            }
            Self::TooLong { length } => write!(
                f,
                "the subject filter is too long: expected at most 1024 bytes, found {length}"
            ),
        }
    }
}

impl Error for FilterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token { source, .. } => Some(source),
            Self::PartialWildcard { .. } | Self::NotLast { .. } | Self::TooLong { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stand_for_whole_tokens() {
        for (filter, subject, expect) in [
            (">", "a.b.c", true),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*", "a", false),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.b.c", false),
            ("a.>", "a", false),
            ("a.>", "a.b.c.d", true),
            ("*.>", "a", false),
            ("a.*.>", "a.b.c", true),
            ("a", "A", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("a.b", "a", false),
            ("o.u.d.key.k1.>", "o.u.d.key.k11.generated", false),
            (">", "", false),
            (">", "a..b", false),
            ("a.*", "a.", false),
        ] {
            let parsed: SubjectFilter = filter.parse().expect("a filter");
            assert_eq!(parsed.matches(subject), expect, "`{filter}` on `{subject}`");
        }
    }

    #[test]
    fn a_subject_is_a_filter_of_itself() {
        let subject = Subject::new("a.b").expect("a subject");
        assert!(SubjectFilter::from(&subject).matches(&subject));
        assert!(SubjectFilter::all().matches(&subject));
    }

    #[test]
    fn refuses_what_the_server_would_take_for_a_token_or_not_at_all() {
        let long_token = "t".repeat(129) + ".>";
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            ">.a",
            "a.>.b",
            ">.>",
            "a.>.",
            "*.",
            "**",
            "*a",
            "a*b",
            "a.>b",
            "a.>>",
            "a b",
            "a.* ",
            "ä.>",
            "$JS.>",
            "a.{id}",
            &long_token,
        ] {
            let error = bad.parse::<SubjectFilter>().expect_err(bad);
            assert_eq!(error.code(), "filter-invalid", "{bad}");
        }
        let long = "a.".repeat(512) + ">";
        assert_eq!(
            SubjectFilter::new(&long),
            Err(FilterError::TooLong { length: 1025 })
        );
    }

    /// The definition, read aloud: recursive, over lists of tokens.
    fn model(filter: &[&str], subject: &[&str]) -> bool {
        match (filter, subject) {
            ([], []) => true,
            ([">"], rest) => !rest.is_empty(),
            (["*", filter @ ..], [_, subject @ ..]) => model(filter, subject),
            ([one, filter @ ..], [other, subject @ ..]) => one == other && model(filter, subject),
            ([], [_, ..]) | ([_, ..], []) => false,
        }
    }

    /// Every subject of one to five tokens from `a`, `b` and `c`: more than patterns of up to four
    /// tokens from `a` and `b` can tell apart.
    fn subjects() -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut longest = vec![String::new()];
        for _ in 0..5 {
            longest = longest
                .iter()
                .flat_map(|subject| ["a", "b", "c"].map(|token| format!("{subject}.{token}")))
                .collect();
            all.extend(longest.iter().map(|subject| subject[1..].to_owned()));
        }
        all
    }

    fn pattern() -> impl Strategy<Value = SubjectFilter> {
        (prop::collection::vec("[ab*]", 0..4), any::<bool>()).prop_map(|(mut tokens, open)| {
            if open || tokens.is_empty() {
                tokens.push(">".to_owned());
            }
            tokens.join(".").parse().expect("a filter")
        })
    }

    proptest! {
        #[test]
        fn filters_overlap_where_a_subject_matches_both(one in pattern(), other in pattern()) {
            let subjects = subjects();
            let both = subjects.iter().any(|text| one.matches(text) && other.matches(text));
            prop_assert_eq!(one.overlaps(&other), both);
            prop_assert_eq!(other.overlaps(&one), both);
        }

        #[test]
        fn a_filter_covers_what_matches_no_more(one in pattern(), other in pattern()) {
            let subjects = subjects();
            let all = subjects.iter().all(|text| one.matches(text) || !other.matches(text));
            prop_assert_eq!(one.covers(&other), all);
            prop_assert!(one.covers(&one));
        }

        #[test]
        fn matches_as_the_model_does(
            tokens in prop::collection::vec("[ab*]", 0..5), open: bool,
            subject in prop::collection::vec("[ab]", 1..6),
        ) {
            let mut pattern: Vec<&str> = tokens.iter().map(String::as_str).collect();
            if open || pattern.is_empty() {
                pattern.push(">");
            }
            let subject: Vec<&str> = subject.iter().map(String::as_str).collect();
            let filter: SubjectFilter = pattern.join(".").parse().expect("a filter");
            prop_assert_eq!(filter.matches(subject.join(".")), model(&pattern, &subject));
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text: String, subject: String) {
            if let Ok(filter) = SubjectFilter::new(&text) {
                prop_assert_eq!(filter.as_str(), &text);
                filter.matches(subject);
            }
        }

        #[test]
        fn every_subject_is_a_filter(text in "[a-z.*>]{0,8}", other in "[a-z.]{0,8}") {
            if let Ok(subject) = Subject::new(&text) {
                let filter = SubjectFilter::new(&text);
                prop_assert_eq!(filter.map(|filter| filter.matches(&other)), Ok(text == other));
                prop_assert!(SubjectFilter::from(&subject).matches(&subject));
            }
        }
    }
}
