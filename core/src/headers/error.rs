//! What can be wrong with headers.

use std::fmt;

use super::{BLOCK, EVENT_TYPE};
use crate::cid::CidError;
use crate::id::{EventId, NameError};
use crate::metadata::MetadataError;
use crate::text::TextRule;
use crate::time::TimeError;
use crate::version::NumberError;

/// Headers that cannot be taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HeaderError {
    /// A required header is not there.
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A header stands there twice, whatever its values.
    Repeated {
        /// Its name.
        name: String,
    },
    /// A name begins with `CIM-`, in whatever case, and is none of ours.
    Unknown {
        /// The name.
        name: String,
    },
    /// The message is of a later version of the format.
    BlockVersion {
        /// The value of `CIM-Block`.
        found: String,
    },
    /// A value breaks the rules that hold for all values.
    Value {
        /// The header's name.
        name: String,
        /// The value.
        value: String,
        /// The rule.
        rule: TextRule,
    },
    /// A value is not the one spelling of a value of its header.
    Spelling {
        /// The header's name.
        name: &'static str,
        /// What is wrong with the value.
        why: SpellingError,
    },
    /// A header is there that this message must not have.
    Unexpected {
        /// Its name.
        name: &'static str,
    },
    /// The event type is none.
    EventType(NameError),
    /// Metadata with a bad name, or twice.
    Metadata(MetadataError),
    /// The message id is not the event's id.
    MessageId {
        /// The event's id.
        expected: EventId,
        /// The message id.
        found: String,
    },
}

/// Why a value is not what its header holds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SpellingError {
    /// It is no id.
    Id(NameError),
    /// It is no time.
    Time(TimeError),
    /// It is no number.
    Number(NumberError),
    /// It is no CID.
    Cid(CidError),
}

impl HeaderError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "header-missing",
            Self::Repeated { .. } => "header-repeated",
            Self::Unknown { .. } => "header-unknown",
            Self::BlockVersion { .. } => "block-version",
            Self::Value { .. } => "header-value",
            Self::Spelling { .. } => "header-spelling",
            Self::Unexpected { .. } => "header-unexpected",
            Self::EventType(error) => error.code(),
            Self::Metadata(error) => error.code(),
            Self::MessageId { .. } => "message-id-mismatch",
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(f, "the header `{name}` is missing"),
            Self::Repeated { name } => write!(f, "the header `{name}` is there twice"),
            Self::Unknown { name } => write!(
                f,
                "the header `{name}` is not known (names that begin with `CIM-` are reserved)"
            ),
            Self::BlockVersion { found } => write!(
                f,
                "the message is of a later version of the format: `{BLOCK}` is `{found}`"
            ),
            Self::Value { name, value, rule } => {
                write!(
                    f,
                    "the value `{value}` of the header `{name}` is not valid: {rule}"
                )
            }
            Self::Spelling { name, why } => write!(f, "in the header `{name}`: {why}"),
            Self::Unexpected { name } => write!(f, "the header `{name}` must not be there"),
            Self::EventType(error) => write!(f, "in the header `{EVENT_TYPE}`: {error}"),
            Self::Metadata(error) => error.fmt(f),
            Self::MessageId { expected, found } => write!(
                f,
                "the message id is not the event's id: expected `{expected}`, found `{found}`"
            ),
        }
    }
}

impl fmt::Display for SpellingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => error.fmt(f),
            Self::Time(error) => error.fmt(f),
            Self::Number(error) => error.fmt(f),
            Self::Cid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HeaderError {}

impl From<NameError> for SpellingError {
    fn from(error: NameError) -> Self {
        Self::Id(error)
    }
}

impl From<TimeError> for SpellingError {
    fn from(error: TimeError) -> Self {
        Self::Time(error)
    }
}

impl From<NumberError> for SpellingError {
    fn from(error: NumberError) -> Self {
        Self::Number(error)
    }
}

impl From<CidError> for SpellingError {
    fn from(error: CidError) -> Self {
        Self::Cid(error)
    }
}
