//! Lists of schemas as documents.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{EventSchema, SchemaError, SchemaList, UpcasterFrom};
use crate::id::{Entity, EventType, Operation};
use crate::text::shorten;
use crate::version::SchemaVersion;

/// What a document with a list of schemas says that it is.
pub const DOCUMENT: &str = "cim.schema.list/v1";

/// The longest document that is read, in bytes: thousands of types, and still in memory at once.
pub const MAX_DOCUMENT_LEN: usize = 64 << 20;

impl SchemaList {
    /// The list as a document, with its types and upcasters in the order of entity, type and version.
    pub fn document(&self) -> Value {
        let mut types: Vec<&EventSchema> = self.types.iter().collect();
        types.sort_by_key(|it| (&it.entity, &it.event_type, it.schema_version));
        let types = types.into_iter().map(|it| {
            json!({
                "entity": it.entity.as_str(),
                "type": it.event_type.as_str(),
                "schema_version": it.schema_version.get(),
                "operation": it.operation.as_str(),
                "schema": it.schema,
            })
        });
        let mut upcasters: Vec<&UpcasterFrom> = self.upcasters.iter().collect();
        upcasters.sort();
        let upcasters = upcasters.into_iter().map(|it| {
            json!({
                "entity": it.entity.as_str(),
                "type": it.event_type.as_str(),
                "from": it.from.get(),
            })
        });
        json!({
            "schema": DOCUMENT,
            "types": types.collect::<Vec<_>>(),
            "upcasters": upcasters.collect::<Vec<_>>(),
        })
    }

    /// Reads a document. Whatever is not of its form is refused.
    ///
    /// # Errors
    ///
    /// [`SchemaError`], with the first fault.
    pub fn parse(text: &[u8]) -> Result<Self, SchemaError> {
        if text.len() > MAX_DOCUMENT_LEN {
            return Err(SchemaError::TooLong);
        }
        let json = |source| SchemaError::Json { source };
        // A document of another kind has other fields, and is told by its name.
        let Kind { schema } = serde_json::from_slice(text).map_err(json)?;
        if schema != DOCUMENT {
            let found = shorten(&schema);
            return Err(SchemaError::Format { found });
        }
        let document: Document = serde_json::from_slice(text).map_err(json)?;
        let mut list = Self::default();
        for entry in document.types {
            let next = entry.check()?;
            let (entity, event_type) = (&next.entity, &next.event_type);
            if list.find(entity, event_type, next.schema_version).is_some() {
                return Err(SchemaError::Repeated {
                    entity: next.entity,
                    event_type: next.event_type,
                    schema_version: next.schema_version,
                });
            }
            list.types.push(next);
        }
        for entry in document.upcasters {
            let next = entry.check()?;
            if list.upcasters.contains(&next) {
                return Err(SchemaError::Repeated {
                    entity: next.entity,
                    event_type: next.event_type,
                    schema_version: next.from,
                });
            }
            list.upcasters.push(next);
        }
        Ok(list)
    }
}

#[derive(Deserialize)]
struct Kind {
    schema: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "schema")]
    _schema: String,
    types: Vec<TypeEntry>,
    #[serde(default)]
    upcasters: Vec<UpcasterEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeEntry {
    entity: String,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: u64,
    operation: String,
    schema: Value,
}

impl TypeEntry {
    fn check(self) -> Result<EventSchema, SchemaError> {
        let entity = Entity::new(&self.entity).map_err(SchemaError::Name)?;
        let event_type = EventType::new(&self.event_type).map_err(SchemaError::Name)?;
        match self.schema {
            Value::Object(_) | Value::Bool(_) => {}
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(SchemaError::NoSchema { entity, event_type });
            }
        }
        Ok(EventSchema {
            schema_version: SchemaVersion::new(self.schema_version)
                .map_err(SchemaError::Version)?,
            operation: Operation::new(&self.operation).map_err(SchemaError::Name)?,
            entity,
            event_type,
            schema: self.schema,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpcasterEntry {
    entity: String,
    #[serde(rename = "type")]
    event_type: String,
    from: u64,
}

impl UpcasterEntry {
    fn check(self) -> Result<UpcasterFrom, SchemaError> {
        Ok(UpcasterFrom {
            entity: Entity::new(&self.entity).map_err(SchemaError::Name)?,
            event_type: EventType::new(&self.event_type).map_err(SchemaError::Name)?,
            from: SchemaVersion::new(self.from).map_err(SchemaError::Version)?,
        })
    }
}
