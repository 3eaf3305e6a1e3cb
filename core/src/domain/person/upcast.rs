//! Events of schema version 1, read as those of today.
//!
//! Version 1 had three forms, one after the other, and histories may have all of them:
//!
//! - A: a person is registered at once (`PersonRegistered`), and its name is one text.
//! - B: names have parts, and each address and phone has events of its own.
//! - C: names as in B; what is known of a person beside them is a "component".
//!
//! The steps write the form of the version that they lead to and use no type of today's events, so that
//! a later version needs a step of its own and none of these changes. Ids of the person and times in a
//! body are dropped: the headers have them. What no step can keep has none, and is reported as an event
//! that cannot be read; nothing is lost in silence.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::id::EventType;
use crate::upcast::{Payload, StepError, Upcasters};
use crate::version::SchemaVersion;

/// An object of JSON.
type Object = Map<String, Value>;

/// What a step makes of a body: types, their versions and bodies.
type Made = Vec<(&'static str, u64, Value)>;

/// How events of version 1 are read.
pub fn upcasters() -> Upcasters {
    let one = |name: &'static str, step: fn(&Object) -> Result<Made, OldBodyError>| {
        (name, move |old: Payload| upcast(&old, step))
    };
    let steps = [
        one("PersonRegistered", registered),
        one("PersonCreated", created),
        one("PersonUpdated", updated),
        one("NameUpdated", name_updated),
        one("BirthDateSet", |old| {
            let birth_date = required(old, "birth_date")?;
            Ok(vec![(
                "BirthDateSet",
                2,
                json!({ "birth_date": birth_date }),
            )])
        }),
        one("DeathRecorded", |old| {
            let date_of_death = required(old, "date_of_death")?;
            let body = json!({ "date_of_death": date_of_death });
            Ok(vec![("DeathRecorded", 2, body)])
        }),
        one("PersonDeactivated", |old| {
            Ok(vec![("PersonSuspended", 1, reason(old)?)])
        }),
        one("PersonReactivated", |old| {
            Ok(vec![("PersonActivated", 1, reason(old)?)])
        }),
        one("PersonMergedInto", merged),
        one("EmailAdded", email_added),
        one("EmailVerified", |old| {
            let body = json!({ "email": required(old, "email")? });
            Ok(vec![("EmailVerified", 2, body)])
        }),
        one("EmailRemoved", |old| {
            let body = json!({ "email": required(old, "email")? });
            Ok(vec![("EmailRemoved", 2, body)])
        }),
        one("PhoneAdded", phone_added),
        one("PhoneRemoved", |old| {
            let body = json!({ "phone": required(old, "phone")? });
            Ok(vec![("PhoneRemoved", 2, body)])
        }),
        one("ExternalIdentifierAdded", identifier_added),
        one("EmploymentAdded", employment_added),
        // They say only that something is known of a kind, and not what.
        one("ComponentRegistered", |_| Ok(Vec::new())),
        one("ComponentUnregistered", |_| Ok(Vec::new())),
    ];
    let none = Upcasters::default();
    steps
        .into_iter()
        .fold(none, |all, (name, step)| all.with(name, 1, step))
}

/// Takes a step from a body to others.
fn upcast(
    old: &Payload,
    step: fn(&Object) -> Result<Made, OldBodyError>,
) -> Result<Vec<Payload>, StepError> {
    let body: Value = serde_json::from_slice(&old.body)?;
    let Value::Object(body) = body else {
        return Err(OldBodyError::NotAnObject.into());
    };
    let made = step(&body)?.into_iter().map(|(name, version, body)| {
        Ok(Payload {
            event_type: EventType::new(name)?,
            schema_version: SchemaVersion::new(version)?,
            body: body.to_string().into(),
        })
    });
    made.collect()
}

/// A: all that is known of a person in one event.
fn registered(old: &Object) -> Result<Made, OldBodyError> {
    let identity = object(old, "identity")?;
    let name = whole_name(
        trimmed(identity, "legal_name")?,
        given(identity, "preferred_name"),
    );
    let mut made = vec![(
        "PersonCreated",
        2,
        json!({ "name": name, "source": "registration" }),
    )];
    if let Some(birth_date) = given(identity, "date_of_birth") {
        made.push(("BirthDateSet", 2, json!({ "birth_date": birth_date })));
    }
    if let Some(identifier) = given(identity, "government_id") {
        let body = json!({ "system": "government", "identifier": identifier });
        made.push(("ExternalIdentifierAdded", 2, body));
    }
    let Some(contact) = given(old, "contact") else {
        return Ok(made);
    };
    let contact = contact
        .as_object()
        .ok_or(OldBodyError::Invalid { field: "contact" })?;
    for email in objects(contact, "emails")? {
        let (address, primary) = (required(email, "email")?, is(email, "is_primary")?);
        let body = json!({ "email": address, "primary": primary });
        made.push(("EmailAdded", 2, body));
        if is(email, "is_verified")? {
            made.push(("EmailVerified", 2, json!({ "email": address })));
        }
    }
    for phone in objects(contact, "phones")? {
        let body = json!({
            "phone": {
                "number": required(phone, "number")?,
                "country_code": null,
                "extension": null,
            },
            "primary": is(phone, "is_primary")?,
        });
        made.push(("PhoneAdded", 2, body));
    }
    for address in list(contact, "addresses")? {
        let body = json!({ "location_id": id(address), "location_type": "address" });
        made.push(("LocationAssigned", 1, body));
    }
    Ok(made)
}

fn created(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({ "name": name(old, "name")?, "source": trimmed(old, "source")? });
    Ok(vec![("PersonCreated", 2, body)])
}

/// C: it told of the name alone, and not of the one before.
fn updated(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({ "old_name": null, "new_name": name(old, "name")?, "change_reason": null });
    Ok(vec![("NameUpdated", 2, body)])
}

fn name_updated(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({
        "old_name": name(old, "old_name")?,
        "new_name": name(old, "new_name")?,
        "change_reason": given(old, "reason"),
    });
    Ok(vec![("NameUpdated", 2, body)])
}

fn merged(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({
        "target_person_id": id(required(old, "merged_into_id")?),
        "merge_reason": required(old, "merge_reason")?,
    });
    Ok(vec![("PersonMerged", 1, body)])
}

/// B: that an address was verified was said of the address itself.
fn email_added(old: &Object) -> Result<Made, OldBodyError> {
    let email = object(old, "email")?;
    let (address, primary) = (required(email, "address")?, is(old, "primary")?);
    let body = json!({ "email": address, "primary": primary });
    let mut made = vec![("EmailAdded", 2, body)];
    if is(email, "verified")? {
        made.push(("EmailVerified", 2, json!({ "email": address })));
    }
    Ok(made)
}

/// B: beside the number it said whether messages arrive there, which nobody asks.
fn phone_added(old: &Object) -> Result<Made, OldBodyError> {
    let phone = object(old, "phone")?;
    let body = json!({
        "phone": {
            "number": required(phone, "number")?,
            "country_code": given(phone, "country_code"),
            "extension": given(phone, "extension"),
        },
        "primary": is(old, "primary")?,
    });
    Ok(vec![("PhoneAdded", 2, body)])
}

fn identifier_added(old: &Object) -> Result<Made, OldBodyError> {
    let (system, identifier) = (required(old, "system")?, required(old, "identifier")?);
    let body = json!({ "system": system, "identifier": identifier });
    Ok(vec![("ExternalIdentifierAdded", 2, body)])
}

/// The role is the title in A, the position in B.
fn employment_added(old: &Object) -> Result<Made, OldBodyError> {
    let employment = object(old, "employment")?;
    let role = match given(employment, "title") {
        Some(title) => title,
        None => trimmed(employment, "position")?,
    };
    let organization_id = id(required(employment, "organization_id")?);
    let body = json!({ "organization_id": organization_id, "role": role });
    Ok(vec![("EmploymentAdded", 2, body)])
}

/// A name in any of the forms that it had.
fn name(old: &Object, field: &'static str) -> Result<Value, OldBodyError> {
    let old = match required(old, field)? {
        Value::Object(name) if name.contains_key("components") => {
            return Ok(Value::Object(name.clone()));
        }
        Value::Object(name) => name,
        Value::String(text) => return Ok(whole_name(text.trim().into(), None)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(OldBodyError::Invalid { field });
        }
    };
    let mut given_names: Vec<Value> = given(old, "given_name").into_iter().collect();
    for middle in list(old, "middle_names")? {
        given_names.extend(not_blank(middle));
    }
    let one = |field| Vec::from_iter(given(old, field));
    let prefix = given(old, "honorific").or_else(|| given(old, "title"));
    Ok(json!({
        "components": {
            "given_names": given_names,
            "family_names": one("family_name"),
            "patronymic": null,
            "matronymic": null,
            "prefixes": Vec::from_iter(prefix),
            "suffixes": one("suffix"),
        },
        "preferred_form": given(old, "preferred_name"),
        "naming_convention": "Western",
    }))
}

/// A name that is one text. It is not taken apart: a wrong split could not be told from a right one.
fn whole_name(text: Value, preferred_form: Option<Value>) -> Value {
    json!({
        "components": {
            "given_names": [text],
            "family_names": [],
            "patronymic": null,
            "matronymic": null,
            "prefixes": [],
            "suffixes": [],
        },
        "preferred_form": preferred_form,
        "naming_convention": "Mononymic",
    })
}

/// The reason of an event; version 1 let it be empty.
fn reason(old: &Object) -> Result<Value, OldBodyError> {
    required(old, "reason")?;
    let reason = given(old, "reason").unwrap_or_else(|| json!(NO_REASON));
    Ok(json!({ "reason": reason }))
}

/// What stands for a reason that version 1 left empty.
const NO_REASON: &str = "(none given)";

/// An id as text: version 1 wrote some as `{"id": …}`.
fn id(value: &Value) -> &Value {
    value.get("id").unwrap_or(value)
}

fn required<'a>(old: &'a Object, field: &'static str) -> Result<&'a Value, OldBodyError> {
    old.get(field).ok_or(OldBodyError::Missing { field })
}

/// A text without white space around it, which version 1 let be.
fn trimmed(old: &Object, field: &'static str) -> Result<Value, OldBodyError> {
    match required(old, field)? {
        Value::String(text) => Ok(json!(text.trim())),
        _ => Err(OldBodyError::Invalid { field }),
    }
}

/// What may be absent, null or blank; a text without white space around it.
fn given(old: &Object, field: &str) -> Option<Value> {
    old.get(field).and_then(not_blank)
}

fn not_blank(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(Value::from),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.clone())
        }
    }
}

fn is(old: &Object, field: &'static str) -> Result<bool, OldBodyError> {
    let invalid = OldBodyError::Invalid { field };
    required(old, field)?.as_bool().ok_or(invalid)
}

fn object<'a>(old: &'a Object, field: &'static str) -> Result<&'a Object, OldBodyError> {
    let invalid = OldBodyError::Invalid { field };
    required(old, field)?.as_object().ok_or(invalid)
}

/// The elements of a list that may be absent.
fn list<'a>(old: &'a Object, field: &'static str) -> Result<&'a [Value], OldBodyError> {
    match old.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(elements)) => Ok(elements),
        Some(_) => Err(OldBodyError::Invalid { field }),
    }
}

fn objects<'a>(old: &'a Object, field: &'static str) -> Result<Vec<&'a Object>, OldBodyError> {
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
            Self::Invalid { .. } => "old-field-invalid",
        }
    }
}

impl fmt::Display for OldBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("expected an object"),
            Self::Missing { field } => write!(f, "expected a field `{field}`, found none"),
            Self::Invalid { field } => write!(f, "the field `{field}` has a value of another kind"),
        }
    }
}

impl Error for OldBodyError {}
