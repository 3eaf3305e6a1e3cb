//! Bodies against JSON schemas, by the crate `jsonschema`.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::fault::Fault;
use super::path::{below, place};

/// The most faults that are told of one body: after so many it is of another type.
const MAX_FAULTS: usize = 50;

/// How many faults of one body are looked at; a long list may have one in each place.
const MAX_LOOKED_AT: usize = 1_000;

/// A schema that is ready to check bodies.
#[derive(Debug)]
pub(super) struct BodySchema(Validator);

impl BodySchema {
    /// Takes a schema of JSON Schema 2020-12. What it refers to must be in it: nothing is fetched.
    ///
    /// # Errors
    ///
    /// What is wrong with the schema.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            // An engine without backtracking: a pattern of a list must not hold up a check.
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Where a body does not fit, and why; empty where it does.
    pub(super) fn faults(&self, body: &Value) -> Vec<(String, Fault)> {
        if self.0.is_valid(body) {
            return Vec::new();
        }
        let errors: Vec<_> = self.0.iter_errors(body).take(MAX_LOOKED_AT).collect();
        let mut found = faults_of(&errors);
        found.truncate(MAX_FAULTS);
        found
    }
}

fn faults_of(errors: &[ValidationError<'_>]) -> Vec<(String, Fault)> {
    let (mut found, mut unevaluated) = (Vec::new(), Vec::new());
    for error in errors {
        let path = place(error.instance_path(), error.evaluation_path());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let names = unexpected.iter();
                found.extend(names.map(|name| (below(&path, name), Fault::FieldRemoved)));
            }
            ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unevaluated.push((path, unexpected));
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                found.push((below(&path, name), Fault::FieldRequired));
            }
            ValidationErrorKind::FalseSchema => found.push((path, Fault::FieldRemoved)),
            ValidationErrorKind::Type { kind } => found.push((path, type_changed(kind, error))),
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => {
                found.push((path, Fault::ValueRemoved));
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context } => {
                found.extend(faults_of_union(error, &path, context));
            }
            kind => {
                let keyword = kind.keyword().to_owned();
                found.push((path, Fault::Narrowed { keyword }));
            }
        }
    }
    // A part that does not fit evaluates nothing, and then all of its fields seem to be unknown.
    for (path, names) in unevaluated {
        let within = format!("{path}/");
        let is_explained = found
            .iter()
            .any(|(other, _)| *other == path || other.starts_with(&within));
        if !is_explained {
            let names = names.iter();
            found.extend(names.map(|name| (below(&path, name), Fault::FieldRemoved)));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What is wrong with a value that is none of several: the faults of the one that it seems to be.
fn faults_of_union(
    error: &ValidationError<'_>,
    path: &str,
    branches: &[Vec<ValidationError<'static>>],
) -> Vec<(String, Fault)> {
    let fitting = branches.iter().filter(|errors| seems_to_be(error, errors));
    let fitting = fitting.map(|errors| faults_of(errors));
    if let Some(found) = fitting.min_by_key(Vec::len) {
        return found;
    }
    let types: Option<Vec<String>> = branches.iter().map(|it| other_type(error, it)).collect();
    let fault = match types {
        Some(mut types) if !types.is_empty() => {
            types.sort();
            types.dedup();
            Fault::TypeChanged {
                expected: types.join(" or "),
                found: type_name(error.instance()),
            }
        }
        Some(_) | None => Fault::ValueRemoved,
    };
    vec![(path.to_owned(), fault)]
}

/// Whether a branch that a value does not fit is the one that it was written for: of its type, with its
/// tag.
fn seems_to_be(union: &ValidationError<'_>, errors: &[ValidationError<'static>]) -> bool {
    let depth = |error: &ValidationError<'_>| error.instance_path().segments().count();
    let here = depth(union);
    let is_here = |error: &ValidationError<'_>| depth(error) == here;
    let has = |is: fn(&ValidationErrorKind) -> bool| {
        errors
            .iter()
            .any(|error| is_here(error) && is(error.kind()))
    };
    let is_other_value = errors.iter().any(|error| match error.kind() {
        ValidationErrorKind::Type { .. } | ValidationErrorKind::Enum { .. } => is_here(error),
        // The tag is a field of the object.
        ValidationErrorKind::Constant { .. } => depth(error) <= here + 1,
        _ => false,
    });
    // Or the tag is the name of the only field.
    let is_one_field = union.instance().as_object().is_some_and(|it| it.len() == 1);
    let is_other_name = is_one_field
        && has(|kind| matches!(kind, ValidationErrorKind::Required { .. }))
        && has(|kind| matches!(kind, ValidationErrorKind::AdditionalProperties { .. }));
    !is_other_value && !is_other_name
}

/// The type that a branch is of, where the value is of another.
fn other_type(union: &ValidationError<'_>, errors: &[ValidationError<'static>]) -> Option<String> {
    let here = union.instance_path();
    errors.iter().find_map(|error| match error.kind() {
        ValidationErrorKind::Type { kind } if error.instance_path() == here => Some(types(kind)),
        _ => None,
    })
}

fn type_changed(kind: &TypeKind, error: &ValidationError<'_>) -> Fault {
    Fault::TypeChanged {
        expected: types(kind),
        found: type_name(error.instance()),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(name) => name.to_string(),
        TypeKind::Multiple(names) => {
            let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
            names.join(" or ")
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
