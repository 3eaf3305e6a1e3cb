//! What differs between two claims, field by field.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its name in tokens, `limits.conn`.
    pub field: String,
    /// What it is; `None` where it is absent.
    pub before: Option<Value>,
    /// What it is to be.
    pub after: Option<Value>,
}

/// The fields in which two differ, those of objects one by one.
pub(super) fn changes<T: Serialize>(before: &T, after: &T) -> Vec<FieldChange> {
    let json = |value: &T| serde_json::to_value(value).expect("keys are texts");
    let mut found = Vec::new();
    compare("", Some(&json(before)), Some(&json(after)), &mut found);
    found
}

fn compare(
    field: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<FieldChange>,
) {
    if before == after {
        return;
    }
    let empty = serde_json::Map::new();
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let (old, new) = (fields(before), fields(after));
    let is_object = |value: Option<&Value>| value.is_none_or(Value::is_object);
    if !is_object(before) || !is_object(after) {
        found.push(FieldChange {
            field: field.to_owned(),
            before: before.cloned(),
            after: after.cloned(),
        });
        return;
    }
    let (old, new) = (
        old.as_ref().unwrap_or(&empty),
        new.as_ref().unwrap_or(&empty),
    );
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let field = match field {
            "" => name.clone(),
            field => format!("{field}.{name}"),
        };
        compare(&field, old.get(name), new.get(name), found);
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_number = [&self.before, &self.after]
            .into_iter()
            .flatten()
            .any(Value::is_number);
        let shown = |value: &Option<Value>| match value {
            // A number that is absent in a token is zero, and -1 no limit.
            None if is_number => "0".to_owned(),
            None => "none".to_owned(),
            Some(value) if value.as_i64() == Some(-1) => "unlimited".to_owned(),
            Some(value) => value.to_string(),
        };
        write!(
            f,
            "{}: {} -> {}",
            self.field,
            shown(&self.before),
            shown(&self.after)
        )
    }
}
