//! Words that a resource is found by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::value::{ValueRule, check_len, checked_text};

/// The longest tag in bytes.
pub const MAX_TAG_LEN: usize = 63;

/// The most tags that a resource has.
pub const MAX_TAGS: usize = 32;

checked_text! {
    /// A word that a resource is found by, `web-server`: 1 to [`MAX_TAG_LEN`] of `a-z`, `0-9` and `-`,
    /// not `-` first.
    Tag {
        what: "a tag",
        code: "tag-invalid",
        check: check_tag,
        schema: (
            description = "A word that a resource is found by.",
            extend("pattern" = "^[a-z0-9][a-z0-9-]{0,62}$")
        ),
    }
}

fn check_tag(text: &str) -> Result<(), ValueRule> {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    check_len(text, MAX_TAG_LEN)?;
    if !text
        .bytes()
        .all(|byte| is_alphanumeric(byte) || byte == b'-')
    {
        return Err(ValueRule::Characters {
            allowed: "a-z, 0-9 and `-`",
        });
    }
    match text.bytes().next().is_some_and(is_alphanumeric) {
        true => Ok(()),
        false => Err(ValueRule::First {
            allowed: "a-z or 0-9",
        }),
    }
}

/// The tags of a resource, in the order in which they were given: at most [`MAX_TAGS`], none twice.
///
/// # Examples
///
/// ```
/// use cim_core::domain::compute::{Tag, Tags};
///
/// let tags = Tags::new(vec![Tag::new("production")?, Tag::new("web-server")?])?;
/// assert!(tags.contains("web-server"));
/// let twice = vec![Tag::new("web")?, Tag::new("web")?];
/// assert_eq!(Tags::new(twice).expect_err("twice").code(), "tag-invalid");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "Tags in their order, none twice."),
    schemars(extend("maxItems" = MAX_TAGS, "uniqueItems" = true))
)]
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "Vec<Tag>", into = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Takes tags as those of a resource.
    ///
    /// # Errors
    ///
    /// [`TagsError`] when they are too many, or one is there twice.
    pub fn new(tags: Vec<Tag>) -> Result<Self, TagsError> {
        if tags.len() > MAX_TAGS {
            return Err(TagsError::TooMany { found: tags.len() });
        }
        let mut places = tags.iter().enumerate();
        match places.find(|&(place, tag)| tags[..place].contains(tag)) {
            Some((_, tag)) => Err(TagsError::Repeated { tag: tag.clone() }),
            None => Ok(Self(tags)),
        }
    }

    /// The tags.
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// Whether a word is among them.
    pub fn contains(&self, word: &str) -> bool {
        self.0.iter().any(|tag| tag.as_str() == word)
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = TagsError;

    fn try_from(tags: Vec<Tag>) -> Result<Self, TagsError> {
        Self::new(tags)
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

/// Tags that a resource cannot have together.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TagsError {
    /// There are more than [`MAX_TAGS`].
    TooMany {
        /// How many.
        found: usize,
    },
    /// A tag is there twice.
    Repeated {
        /// Which.
        tag: Tag,
    },
}

impl TagsError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => "too-many",
            Self::Repeated { .. } => "tag-invalid",
        }
    }
}

impl fmt::Display for TagsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { found } => {
                write!(
                    f,
                    "too many tags: expected at most {MAX_TAGS}, found {found}"
                )
            }
            Self::Repeated { tag } => write!(f, "the tag `{tag}` is there twice"),
        }
    }
}

impl std::error::Error for TagsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        Tag::new(text).expect("a tag")
    }

    #[test]
    fn a_tag_is_a_word_of_lower_case() {
        for good in ["a", "7", "web-server", "a-", &"x".repeat(63)] {
            assert!(Tag::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "Web", "a b", "a_b", "é", &"x".repeat(64)] {
            let error = Tag::new(bad).expect_err(bad);
            assert_eq!(error.code(), "tag-invalid");
        }
    }

    #[test]
    fn tags_keep_their_order_and_are_few_and_distinct() {
        let json = r#"["web","a","production"]"#;
        let tags: Tags = serde_json::from_str(json).expect("tags");
        assert_eq!(serde_json::to_string(&tags).expect("JSON"), json);
        assert_eq!(
            Tags::new(vec![tag("a"), tag("b"), tag("a")]),
            Err(TagsError::Repeated { tag: tag("a") })
        );
        let many = |count: usize| (0..count).map(|at| tag(&at.to_string())).collect();
        assert_eq!(
            Tags::new(many(32)).map(|tags| tags.as_slice().len()),
            Ok(32)
        );
        let error = Tags::new(many(33)).expect_err("too many");
        assert_eq!(
            (error.code(), error),
            ("too-many", TagsError::TooMany { found: 33 })
        );
        for bad in [r#"["a","a"]"#, r#"["A"]"#, "\"a\"", "null"] {
            assert!(serde_json::from_str::<Tags>(bad).is_err(), "{bad}");
        }
    }
}
