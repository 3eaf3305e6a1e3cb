//! Fields of bodies of version 1, and what is wrong with them.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

use crate::domain::label::MAX_LABEL_LEN;
use crate::domain::old_text::{line, line_of};
use crate::upcast::MAX_PAYLOADS;

/// An object of JSON.
pub(super) type Object = Map<String, Value>;

/// What stands for a text that must be there and that version 1 left blank.
pub(super) const NONE_GIVEN: &str = "(none given)";

/// An id as text: version 1 wrote some as `{"id": …}`.
pub(super) fn id(value: &Value) -> &Value {
    value.get("id").unwrap_or(value)
}

pub(super) fn required<'a>(
    old: &'a Object,
    field: &'static str,
) -> Result<&'a Value, OldBodyError> {
    old.get(field).ok_or(OldBodyError::Missing { field })
}

/// A text for people that must be there, within a limit.
pub(super) fn line_or_none_given(
    old: &Object,
    field: &'static str,
    limit: usize,
) -> Result<Value, OldBodyError> {
    let text = required(old, field)?
        .as_str()
        .ok_or(OldBodyError::Invalid { field })?;
    let text = line(text, limit);
    Ok(Value::from(text.as_deref().unwrap_or(NONE_GIVEN)))
}

/// As [`line_or_none_given`], within the limit of a label.
pub(super) fn label(old: &Object, field: &'static str) -> Result<Value, OldBodyError> {
    line_or_none_given(old, field, MAX_LABEL_LEN)
}

/// What may be absent, null or blank.
pub(super) fn given(old: &Object, field: &str, limit: usize) -> Option<Value> {
    old.get(field).and_then(|value| line_of(value, limit))
}

/// An address or a number, cleaned and never cut, since it would be another one; `None` if it is blank.
pub(super) fn address(old: &Object, field: &'static str) -> Result<Option<Value>, OldBodyError> {
    Ok(line_of(required(old, field)?, usize::MAX))
}

pub(super) fn is(old: &Object, field: &'static str) -> Result<bool, OldBodyError> {
    let invalid = OldBodyError::Invalid { field };
    required(old, field)?.as_bool().ok_or(invalid)
}

pub(super) fn object<'a>(old: &'a Object, field: &'static str) -> Result<&'a Object, OldBodyError> {
    let invalid = OldBodyError::Invalid { field };
    required(old, field)?.as_object().ok_or(invalid)
}

/// An object that may be absent or null.
pub(super) fn object_given<'a>(
    old: &'a Object,
    field: &'static str,
) -> Result<Option<&'a Object>, OldBodyError> {
    match old.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(Some(
            value.as_object().ok_or(OldBodyError::Invalid { field })?,
        )),
    }
}

/// The elements of a list that may be absent, so many at most as one event may become.
pub(super) fn list<'a>(old: &'a Object, field: &'static str) -> Result<&'a [Value], OldBodyError> {
    match old.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(elements)) if elements.len() > MAX_PAYLOADS => {
            Err(OldBodyError::TooMany { field })
        }
        Some(Value::Array(elements)) => Ok(elements),
        Some(_) => Err(OldBodyError::Invalid { field }),
    }
}

pub(super) fn objects<'a>(
    old: &'a Object,
    field: &'static str,
) -> Result<Vec<&'a Object>, OldBodyError> {
    let invalid = || OldBodyError::Invalid { field };
    let elements = list(old, field)?.iter();
    elements
        .map(|element| element.as_object().ok_or_else(invalid))
        .collect()
}

/// A body of version 1 that no step can read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OldBodyError {
    /// It is no object.
    NotAnObject,
    /// A field is not there.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A list has more elements than one event may become others, [`MAX_PAYLOADS`].
    TooMany {
        /// The field.
        field: &'static str,
    },
    /// A field has a value of another kind.
    Invalid {
        /// The field.
        field: &'static str,
    },
}

impl OldBodyError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "old-body-no-object",
            Self::Missing { .. } => "old-field-missing",
            Self::TooMany { .. } => "old-field-too-many",
            Self::Invalid { .. } => "old-field-invalid",
        }
    }
}

impl fmt::Display for OldBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("expected an object"),
            Self::Missing { field } => write!(f, "expected a field `{field}`, found none"),
            Self::TooMany { field } => write!(
                f,
                "the field `{field}` is too long: expected at most {MAX_PAYLOADS} elements"
            ),
            Self::Invalid { field } => write!(f, "the field `{field}` has a value of another kind"),
        }
    }
}

impl Error for OldBodyError {}
