//! Subjects, their templates and filters, and operation tokens.
//!
//! A template crosses the border as `{"subject":…,"constants":{…}}`, in each call anew.

use cim_core::id::{AggregateKey, Entity, EventType, Operation};
use cim_core::subject::{Field, StoreTemplate, Subject, SubjectFilter, SubjectTemplate};
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault::Fault;

/// Refuses a text that is not a subject.
#[wasm_bindgen(js_name = checkSubject)]
pub fn check_subject(text: &str) -> Result<(), Fault> {
    Subject::new(text)?;
    Ok(())
}

/// Refuses a template that does not parse; returns it as it is written canonically.
#[wasm_bindgen(js_name = checkTemplate)]
pub fn check_template(template: &str) -> Result<String, Fault> {
    Ok(json!(read_template(template)?).to_string())
}

/// Refuses a template that cannot store.
#[wasm_bindgen(js_name = checkStoreTemplate)]
pub fn check_store_template(template: &str) -> Result<(), Fault> {
    store_template(template)?;
    Ok(())
}

/// Builds the subject of an event.
#[wasm_bindgen(js_name = eventSubject)]
pub fn event_subject(
    template: &str,
    namespace: &str,
    entity: &str,
    id: &str,
    operation: &str,
) -> Result<String, Fault> {
    let aggregate = aggregate_key(namespace, entity, id)?;
    let subject = read_template(template)?.event_subject(&aggregate, &operation.parse()?)?;
    Ok(subject.to_string())
}

/// Builds the subject of a command.
#[wasm_bindgen(js_name = commandSubject)]
pub fn command_subject(
    template: &str,
    namespace: &str,
    entity: &str,
    operation: &str,
) -> Result<String, Fault> {
    let (namespace, entity) = (namespace.parse()?, entity.parse()?);
    let subject =
        read_template(template)?.command_subject(&namespace, &entity, &operation.parse()?)?;
    Ok(subject.to_string())
}

/// Reads the fields that a subject and the constants of its template tell.
#[wasm_bindgen(js_name = parseSubject)]
pub fn parse_subject(template: &str, subject: &str) -> Result<String, Fault> {
    let template = read_template(template)?;
    let fields = template.parse_subject(subject)?;
    let told = Field::ALL
        .iter()
        .filter_map(|&field| Some((field.name(), fields.get(field)?)));
    let told: Map<String, Value> = told
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect();
    Ok(Value::Object(told).to_string())
}

/// Whether a filter matches a subject.
#[wasm_bindgen(js_name = filterMatches)]
pub fn filter_matches(filter: &str, subject: &str) -> Result<bool, Fault> {
    Ok(SubjectFilter::new(filter)?.matches(subject))
}

/// The default operation token of an event's type.
#[wasm_bindgen(js_name = operationOfEvent)]
pub fn operation_of_event(event_type: &str, entity: &str) -> Result<String, Fault> {
    Ok(Operation::of_event(&EventType::new(event_type)?, &Entity::new(entity)?)?.to_string())
}

/// The default operation token of a command's type.
#[wasm_bindgen(js_name = operationOfCommand)]
pub fn operation_of_command(command_type: &str, entity: &str) -> Result<String, Fault> {
    Ok(Operation::of_command(&EventType::new(command_type)?, &Entity::new(entity)?)?.to_string())
}

/// Reads the template of a store.
pub(crate) fn store_template(template: &str) -> Result<StoreTemplate, Fault> {
    Ok(StoreTemplate::new(read_template(template)?)?)
}

/// Reads the key of an aggregate.
pub(crate) fn aggregate_key(
    namespace: &str,
    entity: &str,
    id: &str,
) -> Result<AggregateKey, Fault> {
    Ok(AggregateKey::new(
        namespace.parse()?,
        entity.parse()?,
        id.parse()?,
    ))
}

/// Reads the JSON here and not by `serde`, so that a broken rule keeps its code.
fn read_template(template: &str) -> Result<SubjectTemplate, Fault> {
    let malformed = || Fault::argument("a template is `{\"subject\":…,\"constants\":{…}}`");
    let template: Value = serde_json::from_str(template).map_err(|_| malformed())?;
    let subject = template["subject"].as_str().ok_or_else(malformed)?;
    let constants = template["constants"].as_object().ok_or_else(malformed)?;
    let constants: Option<Vec<_>> = constants
        .iter()
        .map(|(name, value)| Some((name, value.as_str()?)))
        .collect();
    Ok(SubjectTemplate::parse(
        subject,
        constants.ok_or_else(malformed)?,
    )?)
}
