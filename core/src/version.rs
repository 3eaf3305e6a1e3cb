//! The numbers of a history: versions, expectations, positions, heads.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::cid::Cid;
use crate::text::shorten;

/// The largest integer of the wire format, 2^53 − 1: what a JavaScript number holds exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// The first: 1.
            pub const FIRST: Self = Self(NonZeroU64::MIN);

            #[doc = concat!("Takes `number` as ", $what, ".")]
            ///
            /// # Errors
            ///
            /// [`NumberError`] for 0 and for what is over [`MAX_INTEGER`].
            pub fn new(number: u64) -> Result<Self, NumberError> {
                match NonZeroU64::new(number) {
                    Some(valid) if number <= MAX_INTEGER => Ok(Self(valid)),
                    _ => Err(NumberError { what: $what, text: number.to_string() }),
                }
            }

            /// The number.
            pub fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl FromStr for $name {
            type Err = NumberError;
            /// Takes decimal digits alone, without sign or leading zero.
            fn from_str(text: &str) -> Result<Self, NumberError> {
                parse_integer(text)
                    .and_then(|number| Self::new(number).ok())
                    .ok_or_else(|| NumberError { what: $what, text: shorten(text) })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_type!(
    /// The place of an event in its aggregate's history: 1, 2, 3 … without gaps.
    Version, "a version"
);
number_type!(
    /// The version of a payload's schema, from 1.
    SchemaVersion, "a schema version"
);
number_type!(
    /// A place in a store's order: increasing, with gaps allowed, not hashed, changed by a copy.
    ///
    /// SQLite's row number, JetStream's stream sequence. A checkpoint is a position.
    #[doc(alias = "checkpoint")]
    Position, "a position"
);

impl Version {
    /// The version after this one.
    ///
    /// # Errors
    ///
    /// [`NumberError`] past [`MAX_INTEGER`].
    pub fn next(self) -> Result<Self, NumberError> {
        Self::new(self.get() + 1)
    }

    /// The version that follows `head`, or the first.
    ///
    /// # Errors
    ///
    /// [`NumberError`] past [`MAX_INTEGER`].
    pub fn after(head: Option<&Head>) -> Result<Self, NumberError> {
        head.map_or(Ok(Self::FIRST), |head| head.version.next())
    }
}

/// The last event of a history: what the next one links to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Head {
    /// Its version, which is the count of the history's events.
    pub version: Version,
    /// Its CID.
    pub cid: Cid,
}

/// What an append expects of the aggregate's history: the condition of optimistic concurrency.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[doc(alias = "concurrency")]
pub enum ExpectedVersion {
    /// Nothing: the events go behind whatever is there.
    #[default]
    Any,
    /// That there is no event yet.
    NoStream,
    /// That exactly this version is the last.
    Exact(Version),
}

impl ExpectedVersion {
    /// The version that is expected: `None` for no check, `Some(None)` for no event.
    pub fn version(self) -> Option<Option<Version>> {
        match self {
            Self::Any => None,
            Self::NoStream => Some(None),
            Self::Exact(version) => Some(Some(version)),
        }
    }

    /// Whether a history whose last version is `actual` meets the expectation.
    pub fn is_met_by(self, actual: Option<Version>) -> bool {
        self.version().is_none_or(|expected| expected == actual)
    }
}

impl FromStr for ExpectedVersion {
    type Err = NumberError;
    /// Takes `any`, `none` or a version.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        match text {
            "any" => Ok(Self::Any),
            "none" => Ok(Self::NoStream),
            number => number
                .parse()
                .map(Self::Exact)
                .map_err(|error: NumberError| NumberError {
                    what: "an expected version (`any`, `none` or a version)",
                    ..error
                }),
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("none"),
            Self::Exact(version) => version.fmt(f),
        }
    }
}

/// A number that is 0, too large or spelled otherwise than in plain decimal digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberError {
    /// What it was to be, with its article.
    pub what: &'static str,
    /// The text.
    pub text: String,
}

impl NumberError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "number-invalid"
    }
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, text } = self;
        write!(
            f,
            "`{text}` is not {what}: expected an integer from 1 to {MAX_INTEGER}, in digits"
        )
    }
}

impl std::error::Error for NumberError {}

/// Reads the one spelling of an integer: decimal, no sign, no leading zero, ≤ [`MAX_INTEGER`].
fn parse_integer(text: &str) -> Option<u64> {
    let digits = text.as_bytes();
    let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..])
        && digits.len() <= 16
        && digits.iter().all(u8::is_ascii_digit);
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_one_spelling() {
        assert_eq!(
            "9007199254740991".parse::<Version>().map(Version::get),
            Ok(MAX_INTEGER)
        );
        for bad in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1.0",
            "1e3",
            "9007199254740992",
            "１",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expectation_is_met_by_its_version_alone() {
        let three = Version::new(3).ok();
        assert!(ExpectedVersion::Any.is_met_by(None) && ExpectedVersion::Any.is_met_by(three));
        assert!(ExpectedVersion::NoStream.is_met_by(None));
        assert!(!ExpectedVersion::NoStream.is_met_by(three));
        assert_eq!(
            "3".parse().map(|e: ExpectedVersion| e.is_met_by(three)),
            Ok(true)
        );
        assert_eq!(
            "2".parse().map(|e: ExpectedVersion| e.is_met_by(three)),
            Ok(false)
        );
        assert!("exists".parse::<ExpectedVersion>().is_err());
    }
}
