//! How events of version 1 are read.
//!
//! Their bodies repeated what headers say now, and came in up to three wrappings: the entry of a store
//! around the event of some aggregate around an event with its type beside its fields. The ids of other
//! aggregates were objects. Ten kinds of resources had names that a tool had made of abbreviations. Texts
//! had no limits: those for people are cleaned and cut to the limits of today.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};

use super::{ComputeEvent, MAX_METADATA_VALUE_LEN, MetadataValue};
use crate::domain::label::MAX_LABEL_LEN;
use crate::domain::old_text::{line, line_of};
use crate::payload::Typed as _;
use crate::text::shorten;
use crate::upcast::{Payload, StepError, Upcasters};

/// The steps from version 1 to 2 of all types.
pub(super) fn upcasters() -> Upcasters {
    let types = ComputeEvent::TYPES.iter();
    types.fold(Upcasters::default(), |upcasters, declared| {
        upcasters.with(declared.name, 1, step)
    })
}

/// What a body of version 1 said of the event itself.
const ENVELOPE: [&str; 7] = [
    "type",
    "event_version",
    "event_id",
    "aggregate_id",
    "timestamp",
    "correlation_id",
    "causation_id",
];

/// What the two wrappings of version 1 said of the event themselves.
const AROUND: [&str; 3] = ["aggregate_type", "event_type", "sequence"];

/// How version 1 wrote ten kinds of resources, and their names.
const SPELLINGS: [(&str, &str); 10] = [
    ("i_d_s", "ids"),
    ("v_p_n_gateway", "vpn_gateway"),
    ("w_a_f", "waf"),
    ("n_a_s", "nas"),
    ("s_a_n_switch", "san_switch"),
    ("k_v_m", "kvm"),
    ("io_t_gateway", "iot_gateway"),
    ("p_d_u", "pdu"),
    ("u_p_s", "ups"),
    ("p_b_x", "pbx"),
];

fn step(old: Payload) -> Result<Vec<Payload>, StepError> {
    let event_type = old.event_type.as_str();
    let mut body = object(None, serde_json::from_slice(&old.body)?)?;
    for wrapping in ["data", "event"] {
        if let Some(wrapped) = body.remove(wrapping) {
            let around = std::mem::replace(&mut body, object(Some(wrapping), wrapped)?);
            keep_unknown(around, &mut body)?;
        }
    }
    check_type(body.get("type"), event_type)?;
    body.retain(|field, _| !ENVELOPE.contains(&field.as_str()));
    body.values_mut().for_each(unwrap_id);
    if event_type == "ResourceRegistered" {
        register(&mut body)?;
    }
    bring_within_limits(&mut body);
    if event_type == "AssetTagAssigned" && body.get("asset_tag").is_some_and(Value::is_null) {
        // It was blank, and a resource cannot be known by that.
        return Ok(Vec::new());
    }
    Ok(vec![Payload {
        body: Value::Object(body).to_string().into(),
        ..old
    }])
}

fn object(field: Option<&'static str>, value: Value) -> Result<Map<String, Value>, BodyError> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(BodyError::NotObject { field })
        }
    }
}

/// Takes what a wrapping said and nobody knows into the body, where the schema of today finds it.
fn keep_unknown(
    around: Map<String, Value>,
    body: &mut Map<String, Value>,
) -> Result<(), BodyError> {
    for (field, value) in around {
        let is_known = ENVELOPE.contains(&field.as_str()) || AROUND.contains(&field.as_str());
        if is_known || field == "metadata" && value.is_null() {
            continue;
        }
        if body.contains_key(&field) {
            return Err(BodyError::Twice { field });
        }
        body.insert(field, value);
    }
    Ok(())
}

/// The type in a body, where there is one, is that of the event in snake case.
fn check_type(found: Option<&Value>, event_type: &str) -> Result<(), BodyError> {
    let expected = snake_case(event_type);
    match found {
        None => Ok(()),
        Some(found) if found.as_str() == Some(&expected) => Ok(()),
        Some(found) => Err(BodyError::OtherType {
            expected,
            found: shown(found),
        }),
    }
}

fn snake_case(event_type: &str) -> String {
    let mut snake = String::with_capacity(event_type.len() + 4);
    for char in event_type.chars() {
        if char.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

/// `{"id": x}` becomes `x`.
fn unwrap_id(value: &mut Value) {
    if let Value::Object(fields) = value
        && fields.len() == 1
        && let Some(id) = fields.remove("id")
    {
        *value = id;
    }
}

fn register(body: &mut Map<String, Value>) -> Result<(), BodyError> {
    let missing = |field| BodyError::MissingField { field };
    body.get("hostname").ok_or(missing("hostname"))?;
    let kind = body
        .get_mut("resource_type")
        .ok_or(missing("resource_type"))?;
    let Some(spelled) = kind.as_str() else {
        return Err(BodyError::InvalidValue {
            field: "resource_type",
            found: shown(kind),
        });
    };
    if let Some((_, name)) = SPELLINGS.iter().find(|(old, _)| *old == spelled) {
        *kind = Value::from(*name);
    }
    body.entry("tags")
        .or_insert_with(|| Value::Array(Vec::new()));
    Ok(())
}

/// Texts within the limits of today; one that is blank is null. Version 1 had none of the limits.
fn bring_within_limits(body: &mut Map<String, Value>) {
    for (field, limit) in LIMITS {
        if let Some(text) = body.get_mut(field) {
            *text = line_of(text, limit).unwrap_or_default();
        }
    }
    // A value may be empty and have white space around it.
    if let Some(Value::String(value)) = body.get_mut("value")
        && MetadataValue::new(value).is_err()
    {
        *value = line(value, MAX_METADATA_VALUE_LEN).unwrap_or_default();
    }
}

/// Fields that are texts for people, and their limits.
///
/// The name of a host and a key are not among them: cut, they would be another one's.
const LIMITS: [(&str, usize); 4] = [
    ("manufacturer", MAX_LABEL_LEN),
    ("model", MAX_LABEL_LEN),
    ("serial_number", MAX_LABEL_LEN),
    ("asset_tag", MAX_LABEL_LEN),
];

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => shorten(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            shorten(&value.to_string())
        }
    }
}

/// A body of version 1 that cannot be read.
#[derive(Debug, Eq, PartialEq)]
enum BodyError {
    NotObject { field: Option<&'static str> },
    OtherType { expected: String, found: String },
    MissingField { field: &'static str },
    InvalidValue { field: &'static str, found: String },
    Twice { field: String },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotObject { field: None } => f.write_str("the body is not an object"),
            Self::NotObject { field: Some(field) } => write!(f, "`{field}` is not an object"),
            Self::OtherType { expected, found } => write!(
                f,
                "the body is of another type: expected `{expected}`, found `{found}`"
            ),
            Self::MissingField { field } => write!(f, "the body has no `{field}`"),
            Self::InvalidValue { field, found } => {
                write!(f, "`{field}` has an invalid value, `{found}`")
            }
            Self::Twice { field } => {
                write!(f, "`{}` stands in the body and around it", shorten(field))
            }
        }
    }
}

impl Error for BodyError {}
