//! The plan of an import: rows as events, in the order in which they will be stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cim_core::event::NewEvent;
use cim_core::id::{AggregateId, AggregateKey, Entity, EventId, Namespace, Operation};
use cim_core::message::{MAX_EVENT_SIZE, event_size};
use cim_core::metadata::Metadata;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::version::SchemaVersion;

use super::error::{ImportError, RowFault};
use super::event_ids::Origin;
use super::rows::{Mapping, Row, Rows};

/// The source of imported events.
pub const SOURCE: &str = "cim-import";

/// The events of a file, checked as far as that is possible without the store.
#[derive(Debug)]
pub struct Plan {
    pub(super) namespace: Namespace,
    pub(super) entity: Entity,
    /// By time; events of the same time in the order of the file.
    pub(super) events: Vec<Planned>,
    types: u64,
    aggregates: u64,
    times_without_offset: u64,
}

/// An event with its row and its aggregate.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) line: u64,
    pub(super) id: AggregateId,
    pub(super) event: NewEvent,
}

impl Plan {
    /// Makes the events of rows.
    ///
    /// # Errors
    ///
    /// [`ImportError`] when event types or operations collide, when an event is too large, or when
    /// a store of this template cannot have the entity.
    pub fn new(
        rows: Rows,
        mapping: &Mapping,
        template: &StoreTemplate,
    ) -> Result<Self, ImportError> {
        let Mapping {
            namespace, entity, ..
        } = mapping;
        template
            .template()
            .entity_filter(namespace, entity)
            .map_err(ImportError::Template)?;
        let collisions = rows.names.collisions();
        if !collisions.is_empty() {
            return Err(ImportError::Types { collisions });
        }
        let types = rows.names.types();
        check_operations(entity, &types)?;
        let Rows {
            mut rows,
            without_offset,
            ..
        } = rows;
        rows.sort_by_key(|row| row.time);
        let mut ordinals = HashMap::new();
        let events = rows
            .into_iter()
            .map(|row| planned(row, mapping, &mut ordinals));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            namespace: namespace.clone(),
            entity: entity.clone(),
            aggregates: events
                .iter()
                .map(|planned| &planned.id)
                .collect::<HashSet<_>>()
                .len() as u64,
            events,
            types: types.len() as u64,
            times_without_offset: without_offset,
        })
    }

    /// How many events there are.
    pub fn events(&self) -> u64 {
        self.events.len() as u64
    }

    /// How many aggregates they belong to.
    pub fn aggregates(&self) -> u64 {
        self.aggregates
    }

    /// How many event types there are.
    pub fn types(&self) -> u64 {
        self.types
    }

    /// How many times had no offset and were read as UTC, which should be said.
    pub fn times_without_offset(&self) -> u64 {
        self.times_without_offset
    }

    pub(super) fn key(&self, id: &AggregateId) -> AggregateKey {
        AggregateKey::new(self.namespace.clone(), self.entity.clone(), id.clone())
    }
}

/// Refuses two types with one operation: their events would have one subject.
fn check_operations(entity: &Entity, types: &[cim_core::id::EventType]) -> Result<(), ImportError> {
    let mut by_operation: BTreeMap<Operation, BTreeSet<_>> = BTreeMap::new();
    for event_type in types {
        if let Ok(operation) = Operation::of_event(event_type, entity) {
            by_operation
                .entry(operation)
                .or_default()
                .insert(event_type.clone());
        }
    }
    let collisions: Vec<_> = by_operation
        .into_iter()
        .filter(|(_, types)| types.len() > 1)
        .map(|(operation, types)| (operation, types.into_iter().collect()))
        .collect();
    if collisions.is_empty() {
        return Ok(());
    }
    Err(ImportError::Operations {
        entity: entity.clone(),
        collisions,
    })
}

fn planned(
    row: Row,
    mapping: &Mapping,
    ordinals: &mut HashMap<EventId, u64>,
) -> Result<Planned, ImportError> {
    let mut origin = Origin {
        namespace: &mapping.namespace,
        entity: &mapping.entity,
        id: &row.id,
        event_type: &row.event_type,
        time: row.time,
        payload: &row.payload,
        ordinal: 0,
    };
    let first = origin.event_id();
    // Rows with one first id are identical, since it is a digest of all that is compared.
    let ordinal = ordinals.entry(first).or_default();
    origin.ordinal = *ordinal;
    let id = if *ordinal == 0 {
        first
    } else {
        origin.event_id()
    };
    *ordinal += 1;
    let event = NewEvent {
        id,
        correlation: *id.as_uuid(),
        causation: None,
        event_type: row.event_type,
        operation: row.operation,
        schema_version: SchemaVersion::FIRST,
        timestamp: row.time,
        source: Text::new(SOURCE).expect("the source is plain text"),
        content_type: Text::json(),
        metadata: Metadata::default(),
        trace: None,
        body: row.payload,
    };
    let size = event_size(&event);
    if size > MAX_EVENT_SIZE {
        return Err(ImportError::row(
            row.line,
            None,
            RowFault::TooLarge { size },
        ));
    }
    Ok(Planned {
        line: row.line,
        id: row.id,
        event,
    })
}

#[cfg(test)]
mod tests {
    use super::super::csv::read_csv;
    use super::*;

    fn plan(rows: &str) -> Result<Plan, ImportError> {
        let mapping = Mapping {
            namespace: "o.u.d".parse().expect("a namespace"),
            entity: "key".parse().expect("an entity"),
            id_field: "id".to_owned(),
            type_field: "type".to_owned(),
            time_field: "at".to_owned(),
            id_encode: false,
        };
        let rows = read_csv(format!("id,type,at\n{rows}").as_bytes(), &mapping)?;
        Plan::new(rows, &mapping, &StoreTemplate::default())
    }

    #[test]
    fn rows_are_ordered_by_time_and_stable() {
        let plan = plan(
            "a,C,2020-01-01 00:00:02\nb,B,2020-01-01 00:00:01\na,A,2020-01-01 00:00:01\n\
             a,B,2020-01-01 00:00:00Z\n",
        )
        .expect("a plan");
        assert_eq!(
            plan.events
                .iter()
                .map(|event| event.line)
                .collect::<Vec<_>>(),
            [5, 3, 4, 2]
        );
        assert_eq!((plan.events(), plan.aggregates(), plan.types()), (4, 2, 3));
        assert_eq!(plan.times_without_offset(), 3);
    }

    #[test]
    fn identical_rows_are_different_events() {
        let row = "a,Made,2020-01-01T00:00:00Z\n";
        let events = plan(&row.repeat(3)).expect("a plan").events;
        let ids: HashSet<_> = events.iter().map(|planned| planned.event.id).collect();
        assert_eq!(ids.len(), 3);
        let again = plan(&row.repeat(2)).expect("a plan").events;
        assert!(again.iter().all(|planned| ids.contains(&planned.event.id)));
    }

    #[test]
    fn collisions_are_listed() {
        let at = "2020-01-01T00:00:00Z";
        let error = plan(&format!("a,key made,{at}\na,Key-made,{at}\n")).expect_err("a collision");
        assert_eq!(
            error.to_string(),
            "different texts would become one event type; `Key-made` and `key made` → `KeyMade`"
        );
        let error = plan(&format!("a,KeyMade,{at}\na,Made,{at}\n")).expect_err("a collision");
        assert_eq!(
            error.to_string(),
            "different event types of `key` would have one operation; `KeyMade` and `Made` → `made`"
        );
    }
}
