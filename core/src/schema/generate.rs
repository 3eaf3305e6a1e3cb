//! From Rust types to schemas: one for each variant of an enum of events or commands.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::closed::{close, referred};
use super::{CommandSchema, EventSchema};
use crate::id::{EventType, Operation};
use crate::payload::{self, DeclaredType, DomainCommand, DomainEvent, Typed};
use crate::version::SchemaVersion;

/// The closed schemas of an entity's event types, in the order of their declaration.
///
/// They say what is read: a field with a default is not required.
///
/// # Panics
///
/// When the schema of `E` is not what the derive of `JsonSchema` makes of an enum that the derive of
/// [`DomainEvent`] takes: a mistake in the domain.
pub fn events<E: DomainEvent + JsonSchema>() -> Vec<EventSchema> {
    let entity = payload::entity::<E>();
    let types = bodies::<E>().into_iter().map(|(declared, schema)| {
        let (event_type, schema_version, operation) = checked(declared);
        EventSchema {
            entity: entity.clone(),
            event_type,
            schema_version,
            operation,
            schema,
        }
    });
    types.collect()
}

/// The closed schemas of an entity's command types, in the order of their declaration.
///
/// # Panics
///
/// As [`events`].
pub fn commands<C: DomainCommand + JsonSchema>() -> Vec<CommandSchema> {
    let entity = payload::entity::<C>();
    let types = bodies::<C>().into_iter().map(|(declared, schema)| {
        let (command_type, schema_version, operation) = checked(declared);
        CommandSchema {
            entity: entity.clone(),
            command_type,
            schema_version,
            operation,
            schema,
        }
    });
    types.collect()
}

/// The closed schema of a state: of what it is written as, where every field that is always written is
/// required.
pub fn state<S: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let schema = generator.subschema_for::<S>().to_value();
    let definitions = generator.take_definitions(true);
    // A reference alone says nothing where it stands: show what it refers to.
    let name = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(referred);
    let named = name.and_then(|name| definitions.get(&name).cloned());
    close(named.unwrap_or(schema), &definitions)
}

fn checked(declared: &DeclaredType) -> (EventType, SchemaVersion, Operation) {
    (
        EventType::new(declared.name).expect("declared types have names"),
        SchemaVersion::new(declared.schema_version).expect("declared versions are from 1"),
        Operation::new(declared.operation).expect("declared operations are tokens"),
    )
}

/// The closed schema of each declared type's body.
fn bodies<T: Typed + JsonSchema>() -> Vec<(&'static DeclaredType, Value)> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let whole = T::json_schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    let bodies = T::TYPES.iter().map(|declared| {
        let body = body(&whole, declared.name)
            .unwrap_or_else(|| panic!("the schema of the enum has no variant `{}`", declared.name));
        (declared, close(body, &definitions))
    });
    bodies.collect()
}

/// The schema of what stands under the name of a variant, with what is said of the variant.
fn body(whole: &Value, name: &str) -> Option<Value> {
    let variants = whole.get("oneOf")?.as_array()?.iter();
    let mut variants = variants.filter_map(|variant| {
        let body = variant.get("properties")?.get(name)?;
        Some((variant, body))
    });
    let (variant, body) = variants.next()?;
    let mut body = body.clone();
    if let (Some(body), Some(said)) = (body.as_object_mut(), variant.get("description")) {
        body.insert("description".to_owned(), said.clone());
    }
    Some(body)
}
