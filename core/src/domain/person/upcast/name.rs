//! Names in the forms that they had in version 1.

use serde_json::{Value, json};

use super::fields::{NONE_GIVEN, Object, OldBodyError, given, list, required};
use crate::domain::old_text::{line, line_of};
use crate::domain::person::{MAX_NAME_LEN, MAX_PART_LEN, MAX_PARTS};

/// A name in any of the forms that it had; `None` if it is null.
pub(super) fn name_given(old: &Object, field: &'static str) -> Result<Option<Value>, OldBodyError> {
    match required(old, field)? {
        Value::Null => Ok(None),
        Value::Object(name) => Ok(Some(match name.get("components") {
            Some(Value::Object(parts)) => of_today(name, parts)?,
            // Its type says what is wrong.
            Some(_) => Value::Object(name.clone()),
            None => in_parts(name)?,
        })),
        Value::String(text) => Ok(Some(whole_name(text, None))),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(OldBodyError::Invalid { field }),
    }
}

/// A name in any of the forms that it had.
pub(super) fn name(old: &Object, field: &'static str) -> Result<Value, OldBodyError> {
    name_given(old, field)?.ok_or(OldBodyError::Invalid { field })
}

/// A name that is one text. It is not taken apart: a wrong split could not be told from a right one.
pub(super) fn whole_name(text: &str, preferred_form: Option<Value>) -> Value {
    let mut room = Room::default();
    let name = Parts {
        given_names: vec![Value::from(text)],
        preferred_form,
        ..Parts::default()
    };
    name.written(&mut room, &json!("Mononymic"), true)
}

/// B and C: parts of which each has a field.
fn in_parts(old: &Object) -> Result<Value, OldBodyError> {
    let one = |field: &str| Vec::from_iter(given(old, field, MAX_PART_LEN));
    let mut given_names = one("given_name");
    given_names.extend_from_slice(list(old, "middle_names")?);
    let prefix = given(old, "honorific", MAX_PART_LEN);
    let name = Parts {
        given_names,
        family_names: one("family_name"),
        prefixes: Vec::from_iter(prefix.or_else(|| given(old, "title", MAX_PART_LEN))),
        suffixes: one("suffix"),
        preferred_form: old.get("preferred_name").cloned(),
        ..Parts::default()
    };
    let is_told = old.contains_key("given_name") || old.contains_key("family_name");
    Ok(name.written(&mut Room::default(), &json!("Western"), is_told))
}

/// The form of today, which version 1 had in the end, without its limits.
fn of_today(old: &Object, parts: &Object) -> Result<Value, OldBodyError> {
    let all = |field| Ok(list(parts, field)?.to_vec());
    let name = Parts {
        given_names: all("given_names")?,
        family_names: all("family_names")?,
        prefixes: all("prefixes")?,
        suffixes: all("suffixes")?,
        patronymic: parts.get("patronymic").cloned(),
        matronymic: parts.get("matronymic").cloned(),
        preferred_form: old.get("preferred_form").cloned(),
    };
    let convention = old.get("naming_convention").cloned();
    let convention = convention.unwrap_or_else(|| json!("Western"));
    let is_told = parts.contains_key("given_names") || parts.contains_key("family_names");
    Ok(name.written(&mut Room::default(), &convention, is_told))
}

/// What a name consists of, as it was written.
#[derive(Default)]
struct Parts {
    given_names: Vec<Value>,
    family_names: Vec<Value>,
    patronymic: Option<Value>,
    matronymic: Option<Value>,
    prefixes: Vec<Value>,
    suffixes: Vec<Value>,
    preferred_form: Option<Value>,
}

impl Parts {
    /// The name within the limits of today. What is told last has the room that is left: with the
    /// family name first, a long row of given names leaves the rest whole.
    ///
    /// If all of it is blank that was told, something stands for it.
    fn written(self, room: &mut Room, convention: &Value, is_told: bool) -> Value {
        let family_names = room.all(&self.family_names);
        let preferred_form = room.one(self.preferred_form);
        let (patronymic, matronymic) = (room.one(self.patronymic), room.one(self.matronymic));
        let (prefixes, suffixes) = (room.all(&self.prefixes), room.all(&self.suffixes));
        let mut given_names = room.all(&self.given_names);
        if is_told && given_names.is_empty() && family_names.is_empty() {
            given_names.extend(room.one(Some(json!(NONE_GIVEN))));
        }
        json!({
            "components": {
                "given_names": given_names,
                "family_names": family_names,
                "patronymic": patronymic,
                "matronymic": matronymic,
                "prefixes": prefixes,
                "suffixes": suffixes,
            },
            "preferred_form": preferred_form,
            "naming_convention": convention,
        })
    }
}

/// The bytes that a name has left.
struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_NAME_LEN)
    }
}

impl Room {
    fn one(&mut self, part: Option<Value>) -> Option<Value> {
        let part = line_of(&part?, MAX_PART_LEN.min(self.0))?;
        self.0 = self.0.saturating_sub(part.as_str().map_or(0, str::len));
        Some(part)
    }

    /// The parts of a list. Those that it has no place for are one with the last.
    fn all(&mut self, parts: &[Value]) -> Vec<Value> {
        let mut kept: Vec<Value> = parts
            .iter()
            .filter_map(|part| line_of(part, MAX_PART_LEN))
            .collect();
        if kept.len() > MAX_PARTS && kept.iter().all(Value::is_string) {
            let rest = kept.split_off(MAX_PARTS - 1);
            let rest = Vec::from_iter(rest.iter().filter_map(Value::as_str)).join(" ");
            kept.extend(line(&rest, MAX_PART_LEN).map(Value::from));
        }
        let kept = kept.into_iter().filter_map(|part| self.one(Some(part)));
        kept.collect()
    }
}
