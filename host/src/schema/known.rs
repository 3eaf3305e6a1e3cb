//! What is known of the events of entities: by this program, or by lists of schemas.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use cim_core::domain::registry;
use cim_core::id::{Entity, EventType};
use cim_core::schema::{SchemaError, SchemaList};
use cim_core::upcast::EventReader;
use cim_core::version::SchemaVersion;

use super::validate::BodySchema;

/// What is known of the events of each entity.
///
/// An entity that a list of schemas has types of is known by that list, also if this program has a
/// domain of that name: the list is of the program that writes its events.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What is known, as one list.
    schemas: SchemaList,
    /// How events are read, of the entities that this program has a domain for.
    readers: BTreeMap<Entity, EventReader>,
}

impl Known {
    /// What this program knows by itself.
    pub fn built_in() -> Self {
        let mut known = Self::default();
        for model in registry::schemas() {
            if let Some(reader) = registry::reader(model.entity.as_str()) {
                known.readers.insert(model.entity.clone(), reader);
            }
            let merged = known.schemas.merge(SchemaList::from(model));
            merged.expect("an entity has one model");
        }
        known
    }

    /// What these lists know, and this program of other entities.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Differs`], when two lists disagree.
    pub fn with(
        mut self,
        lists: impl IntoIterator<Item = SchemaList>,
    ) -> Result<Self, SchemaError> {
        let mut listed = SchemaList::default();
        for list in lists {
            listed.merge(list)?;
        }
        self.readers.retain(|entity, _| !listed.knows(entity));
        self.schemas.types.retain(|it| !listed.knows(&it.entity));
        self.schemas
            .upcasters
            .retain(|it| !listed.knows(&it.entity));
        self.schemas.merge(listed)?;
        Ok(self)
    }

    /// All that is known, as one list.
    pub fn schemas(&self) -> &SchemaList {
        &self.schemas
    }

    /// Makes ready to look at events.
    pub(super) fn into_entities(self) -> Result<BTreeMap<Entity, KnownEntity>, KnownError> {
        let Self { schemas, readers } = self;
        let mut entities: BTreeMap<Entity, KnownEntity> = BTreeMap::new();
        for it in schemas.types {
            let schema = BodySchema::new(&it.schema).map_err(|why| KnownError {
                entity: it.entity.clone(),
                event_type: it.event_type.clone(),
                schema_version: it.schema_version,
                why,
            })?;
            let entity = entities.entry(it.entity).or_default();
            let known = entity.types.entry(it.event_type).or_default();
            known.schemas.insert(it.schema_version, schema);
        }
        for it in schemas.upcasters {
            let entity = entities.entry(it.entity).or_default();
            let known = entity.types.entry(it.event_type).or_default();
            known.upcasters.push(it.from);
        }
        for (name, reader) in readers {
            entities.entry(name).or_default().reader = Some(reader);
        }
        Ok(entities)
    }
}

/// What is known of the events of one entity.
#[derive(Debug, Default)]
pub(super) struct KnownEntity {
    /// How they are read, if this program has the domain.
    pub(super) reader: Option<EventReader>,
    /// The types, also those that only upcasters lead from.
    pub(super) types: BTreeMap<EventType, KnownType>,
}

/// What is known of one type.
#[derive(Debug, Default)]
pub(super) struct KnownType {
    /// The schemas of its versions.
    pub(super) schemas: BTreeMap<SchemaVersion, BodySchema>,
    /// The versions that upcasters lead from.
    pub(super) upcasters: Vec<SchemaVersion>,
}

impl KnownType {
    /// The latest version.
    pub(super) fn latest(&self) -> Option<SchemaVersion> {
        self.schemas.keys().next_back().copied()
    }
}

/// A schema that bodies cannot be checked against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownError {
    /// The entity.
    pub entity: Entity,
    /// The type.
    pub event_type: EventType,
    /// The version.
    pub schema_version: SchemaVersion,
    /// What is wrong with the schema.
    pub why: String,
}

impl KnownError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "schema-invalid"
    }
}

impl fmt::Display for KnownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entity,
            event_type,
            schema_version,
            why,
        } = self;
        write!(
            f,
            "the schema of version {schema_version} of `{event_type}` of `{entity}` cannot be used: \
             {why}"
        )
    }
}

impl Error for KnownError {}
