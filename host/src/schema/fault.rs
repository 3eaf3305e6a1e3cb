//! What can be wrong with a stored event.

use std::fmt;

use cim_core::version::SchemaVersion;

/// Why a stored event does not fit what is known of its entity.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// The entity has no such type, and no upcaster from it.
    TypeUnknown,
    /// The schema is of a later version than is known.
    Newer {
        /// The latest version that is known.
        known: SchemaVersion,
    },
    /// The schema is of an earlier version, and no upcaster leads from there.
    UpcasterMissing {
        /// The version that none leads from.
        from: SchemaVersion,
        /// The latest version.
        latest: SchemaVersion,
    },
    /// An upcaster could not read the event, or went astray.
    UpcastFailed,
    /// The body is no JSON.
    NotJson,
    /// The body has a field that its type has not: what is in it would be lost.
    FieldRemoved,
    /// The body has not a field that its type needs.
    FieldRequired,
    /// A value is of another type.
    TypeChanged {
        /// What it is to be.
        expected: String,
        /// What it is.
        found: &'static str,
    },
    /// A value is none of those, or no variant, that its type has.
    ValueRemoved,
    /// A rule of the schema refuses a value.
    Narrowed {
        /// The keyword of JSON Schema that says so.
        keyword: String,
    },
    /// The schema lets it pass, and the domain cannot read it all the same.
    Unreadable,
}

impl Fault {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TypeUnknown => "event-type-unknown",
            Self::Newer { .. } => "schema-newer",
            Self::UpcasterMissing { .. } => "upcaster-missing",
            Self::UpcastFailed => "upcast-failed",
            Self::NotJson => "body-not-json",
            Self::FieldRemoved => "field-removed",
            Self::FieldRequired => "field-required",
            Self::TypeChanged { .. } => "type-changed",
            Self::ValueRemoved => "value-removed",
            Self::Narrowed { .. } => "value-narrowed",
            Self::Unreadable => "payload-invalid",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypeUnknown => {
                f.write_str("the entity has no such type, and no upcaster from it")
            }
            Self::Newer { known } => write!(
                f,
                "the version is too new: a program that knows it, or its list of schemas, is \
                 missing; known is version {known}"
            ),
            Self::UpcasterMissing { from, latest } => write!(
                f,
                "the upcaster from version {from} is missing, on the way to version {latest}"
            ),
            Self::UpcastFailed => f.write_str("an upcaster could not read it"),
            Self::NotJson => f.write_str("the body is no JSON"),
            Self::FieldRemoved => f.write_str("the field was removed: what it holds would be lost"),
            Self::FieldRequired => f.write_str("the field is required, and is not there"),
            Self::TypeChanged { expected, found } => {
                write!(
                    f,
                    "the type changed: expected `{expected}`, found `{found}`"
                )
            }
            Self::ValueRemoved => f.write_str("the value or the variant was removed"),
            Self::Narrowed { keyword } => write!(f, "`{keyword}` refuses the value"),
            Self::Unreadable => {
                f.write_str("the schema lets it pass, and the domain cannot read it")
            }
        }
    }
}
