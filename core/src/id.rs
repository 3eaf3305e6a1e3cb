//! Names and ids: what a subject's tokens, an aggregate, an event and its type may be called.
//!
//! Every type here is checked when it is made, so that a value of it is always valid. The rules
//! are those of the wire format, version 1: tokens are `[A-Za-z0-9_-]{1,128}`, event types are
//! `[A-Z][A-Za-z0-9]*` of at most 128 characters, event ids are UUIDs of version 7.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::{Uuid, Variant};

use crate::naming::{has_token_characters, is_pascal_case};
use crate::text::shorten;
use crate::time::Timestamp;

/// The longest token and the longest event type, in characters (which are bytes here).
pub const MAX_TOKEN_LEN: usize = crate::naming::MAX_TOKEN_LEN;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Takes `text` as ", $what, ".")]
            ///
            /// # Errors
            ///
            /// [`NameError`], with the text and the rule that it breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                match $check(text) {
                    Ok(()) => Ok(Self(Arc::from(text))),
                    Err(rule) => Err(NameError { what: $what, text: shorten(text), rule }),
                }
            }

            /// The text as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The kind of an aggregate, as the subject says it: `key`, `person`, `permit`.
    #[doc(alias = "aggregate type")]
    Entity, "an entity", check_token
);
name_type!(
    /// The id of one aggregate within its namespace and entity: a token, `[A-Za-z0-9_-]{1,128}`, such as a UUID.
    AggregateId, "an aggregate id", check_token
);
name_type!(
    /// What happened, as the subject's last token says it: `generated`, `t06-determine`.
    Operation, "an operation", check_token
);
name_type!(
    /// The full name of an event's (or a command's) type: `KeyGenerated`.
    EventType, "an event type", check_event_type
);

/// The first three tokens of a canonical subject: `organization.unit.domain`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// Takes `text` as a namespace: exactly three tokens, joined by full stops.
    ///
    /// # Errors
    ///
    /// [`NameError`] when there are not three tokens, or one of them is no token.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::id::Namespace;
    ///
    /// let namespace = Namespace::new("cowboyai.security.keys")?;
    /// assert_eq!(namespace.tokens(), ["cowboyai", "security", "keys"]);
    /// assert!(Namespace::new("cowboyai.security").is_err());
    /// # Ok::<(), cim_core::id::NameError>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fault = |rule| NameError {
            what: "a namespace",
            text: shorten(text),
            rule,
        };
        if text.split('.').count() != 3 {
            return Err(fault(NameRule::ThreeTokens));
        }
        text.split('.').try_for_each(check_token).map_err(fault)?;
        Ok(Self(Arc::from(text)))
    }

    /// Joins three tokens that were checked before.
    pub(crate) fn from_tokens(organization: &str, unit: &str, domain: &str) -> Self {
        Self(Arc::from(format!("{organization}.{unit}.{domain}")))
    }

    /// The text, `organization.unit.domain`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Organization, unit and domain.
    pub fn tokens(&self) -> [&str; 3] {
        let mut tokens = self.0.split('.');
        std::array::from_fn(|_| tokens.next().unwrap_or_default())
    }
}

impl Default for Namespace {
    /// `local.main.events`: the namespace of a store that nobody named.
    fn default() -> Self {
        Self(Arc::from("local.main.events"))
    }
}

impl FromStr for Namespace {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The full key of an aggregate: the boundary within which events are ordered, chained and
/// checked for conflicts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AggregateKey {
    /// Whose aggregate it is.
    pub namespace: Namespace,
    /// What kind of thing it is.
    pub entity: Entity,
    /// Which one.
    pub id: AggregateId,
}

impl AggregateKey {
    /// Puts the three parts together.
    pub fn new(namespace: Namespace, entity: Entity, id: AggregateId) -> Self {
        Self {
            namespace,
            entity,
            id,
        }
    }
}

impl FromStr for AggregateKey {
    type Err = NameError;
    /// Takes `organization.unit.domain.entity.id`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let fault = || NameError {
            what: "an aggregate key",
            text: shorten(text),
            rule: NameRule::FiveTokens,
        };
        let (rest, id) = text.rsplit_once('.').ok_or_else(fault)?;
        let (namespace, entity) = rest.rsplit_once('.').ok_or_else(fault)?;
        Ok(Self::new(namespace.parse()?, entity.parse()?, id.parse()?))
    }
}

impl fmt::Display for AggregateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.namespace, self.entity, self.id)
    }
}

/// The id of an event or a command: a UUID of version 7 (RFC 9562, 5.7).
///
/// It is also the message id (`Nats-Msg-Id`) by which a server recognises a repeat.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventId(Uuid);

impl EventId {
    /// Takes a UUID as an event id.
    ///
    /// # Errors
    ///
    /// [`NameError`] when it is not of version 7 and of the variant of RFC 9562.
    pub fn from_uuid(uuid: Uuid) -> Result<Self, NameError> {
        if uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122 {
            return Ok(Self(uuid));
        }
        Err(NameError {
            what: "an event id",
            text: uuid.to_string(),
            rule: NameRule::Version7,
        })
    }

    /// Makes an id of a time and of entropy: the time's milliseconds fill the first 48 bits, the
    /// entropy the other 80, then version and variant are set.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::id::EventId;
    /// use cim_core::time::Timestamp;
    ///
    /// let time: Timestamp = "2026-11-21T08:00:00.000000Z".parse()?;
    /// let id = EventId::from_parts(time, [0xff; 10]);
    /// assert_eq!(id.to_string(), "01a1fd1e-8c00-7fff-bfff-ffffffffffff");
    /// # Ok::<(), cim_core::time::TimeError>(())
    /// ```
    pub fn from_parts(time: Timestamp, entropy: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&entropy);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// The id as a UUID.
    pub fn as_uuid(&self) -> &Uuid {
        &self.0
    }

    /// The 16 bytes of the UUID.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for EventId {
    type Err = NameError;
    /// Takes the canonical text alone: lower case, with hyphens.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::from_uuid(parse_uuid(text)?)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Takes a UUID in its canonical text alone: 36 characters, lower case, with hyphens.
///
/// # Errors
///
/// [`NameError`] for any other spelling; those of the `uuid` crate (upper case, braces, `urn:`,
/// without hyphens) are refused too, since a second spelling of one id would be a second id.
pub fn parse_uuid(text: &str) -> Result<Uuid, NameError> {
    let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match Uuid::try_parse(text) {
        Ok(uuid) if canonical => Ok(uuid),
        _ => Err(NameError {
            what: "a UUID",
            text: shorten(text),
            rule: NameRule::Uuid,
        }),
    }
}

/// Says whether `text` is a token of a subject.
pub fn is_token(text: &str) -> bool {
    check_token(text).is_ok()
}

/// A name or id that breaks its rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NameError {
    /// What the text was to be, with its article.
    pub what: &'static str,
    /// The text, shortened if it is very long.
    pub text: String,
    /// The rule that it breaks.
    pub rule: NameRule,
}

/// The rule that a name or id breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NameRule {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_TOKEN_LEN`].
    TooLong,
    /// It has a character outside `[A-Za-z0-9_-]`.
    TokenCharacters,
    /// It is not `[A-Z][A-Za-z0-9]*`.
    PascalCase,
    /// It has not exactly three tokens.
    ThreeTokens,
    /// It has not exactly five tokens.
    FiveTokens,
    /// It is not a UUID in canonical text.
    Uuid,
    /// It is a UUID, but not of version 7.
    Version7,
}

impl NameError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self.rule {
            NameRule::PascalCase => "event-type-invalid",
            _ if self.what == "an event type" => "event-type-invalid",
            NameRule::Uuid | NameRule::Version7 => "id-invalid",
            _ => "name-invalid",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            NameRule::Empty => "it is empty",
            NameRule::TooLong => "it is longer than 128 characters",
            NameRule::TokenCharacters => "only A-Z, a-z, 0-9, `_` and `-` may be in it",
            NameRule::PascalCase => "it must begin with A-Z and have only A-Z, a-z and 0-9",
            NameRule::ThreeTokens => "it must be three tokens, `organization.unit.domain`",
            NameRule::FiveTokens => "it must be `organization.unit.domain.entity.id`",
            NameRule::Uuid => "it must be 36 characters, lower case, with hyphens",
            NameRule::Version7 => "it must be a UUID of version 7",
        };
        write!(f, "`{}` is not {}: {rule}", self.text, self.what)
    }
}

impl std::error::Error for NameError {}

fn check_token(text: &str) -> Result<(), NameRule> {
    match text.len() {
        0 => Err(NameRule::Empty),
        _ if !has_token_characters(text) => Err(NameRule::TokenCharacters),
        1..=MAX_TOKEN_LEN => Ok(()),
        _ => Err(NameRule::TooLong),
    }
}

fn check_event_type(text: &str) -> Result<(), NameRule> {
    match text.len() {
        0 => Err(NameRule::Empty),
        _ if !is_pascal_case(text) => Err(NameRule::PascalCase),
        1..=MAX_TOKEN_LEN => Ok(()),
        _ => Err(NameRule::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_ascii_words_of_at_most_128() {
        for good in ["a", "A_b-9", &"x".repeat(128)] {
            assert!(is_token(good), "{good}");
        }
        for bad in ["", "a.b", "a b", "*", ">", "é", "a\n", &"x".repeat(129)] {
            assert!(!is_token(bad), "{bad}");
        }
    }

    #[test]
    fn event_types_are_pascal_case() {
        for good in ["A", "KeyGenerated", "T06Determine", &"X".repeat(128)] {
            assert!(EventType::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "keyGenerated",
            "Key-Generated",
            "9Lives",
            "Schlüssel",
            &"X".repeat(129),
        ] {
            assert!(EventType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_uuid_has_one_spelling() {
        let text = "01934f4a-5678-7abc-8def-0123456789ab";
        assert_eq!(
            text.parse::<EventId>().map(|id| id.to_string()),
            Ok(text.to_owned())
        );
        for other in [
            "01934F4A-5678-7ABC-8DEF-0123456789AB",
            "01934f4a56787abc8def0123456789ab",
            "{01934f4a-5678-7abc-8def-0123456789ab}",
            "urn:uuid:01934f4a-5678-7abc-8def-0123456789ab",
            "01934f4a-5678-4abc-8def-0123456789ab",
            "01934f4a-5678-7abc-cdef-0123456789ab",
        ] {
            assert!(other.parse::<EventId>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_key_is_written_and_read() {
        let text = "cowboyai.security.keys.key.01934f4a";
        let key: AggregateKey = text.parse().expect("a valid key");
        assert_eq!(key.to_string(), text);
        assert_eq!(key.namespace.as_str(), "cowboyai.security.keys");
        for bad in ["", "a.b.c.d", "a.b.c.d.e.f", "a.b..d.e"] {
            assert!(bad.parse::<AggregateKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_the_text_shortened_and_escaped() {
        let error = Entity::new(&"é\n".repeat(200)).expect_err("not a token");
        assert!(error.text.len() < 700 && error.text.ends_with('…'));
        assert!(!error.to_string().contains('\n'));
    }
}
