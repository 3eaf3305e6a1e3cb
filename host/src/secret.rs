//! Texts that nobody may see: passwords, tokens, seeds.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

/// A text that is never printed and wiped from memory when it is dropped.
///
/// Copies that a library makes of it are that library's matter.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself, for the one who needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is no text is refused without saying what it is: serde's own message would show it.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(text.into())
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
                Err(E::custom("expected a text in quotes"))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
                self.visit_bool(true)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
                self.visit_bool(true)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
                self.visit_bool(true)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A URL without the user information that it may hold, to be shown.
///
/// All between `//` and the last `@` goes, so that a password that should have been encoded does
/// not stay behind in part.
pub fn without_user(url: &str) -> String {
    let Some((hidden, shown)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    let scheme = hidden
        .split_once("://")
        .map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    format!("{scheme}…@{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "…");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn what_is_no_text_is_refused_without_being_shown() {
        for json in ["12345", "-12345", "123.45", "true"] {
            let error = serde_json::from_str::<Secret>(json).expect_err(json);
            let shown = error.to_string();
            assert!(shown.starts_with("expected a text in quotes"), "{shown}");
            assert!(!shown.contains("123"), "{shown}");
        }
        let secret: Secret = serde_json::from_str("\"a\\nb\"").expect("a text");
        assert_eq!(secret.expose(), "a\nb");
    }

    #[test]
    fn user_information_is_left_out_of_urls() {
        for (url, expect) in [
            ("nats://h:4222/S", "nats://h:4222/S"),
            ("nats://user:pass@h", "nats://…@h"),
            ("nats://token@h,h2", "nats://…@h,h2"),
            ("nats://u:p,w/x@h", "nats://…@h"),
            ("nats://u:p@h,nats://u:p@h2", "nats://…@h2"),
            ("u:p@h", "…@h"),
        ] {
            assert_eq!(without_user(url), expect);
        }
    }
}
