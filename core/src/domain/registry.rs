//! Which model an entity has, for programs that learn the entity's name only when they run.
//!
//! These are the domains of this crate. A domain of your own is not among them and needs nothing of this
//! module: [`Aggregate`](crate::aggregate::Aggregate) and a repository are all that a service works with.

use crate::domain::compute::Compute;
use crate::domain::model::Model;
use crate::domain::person::Person;
use crate::upcast::EventReader;

pub use super::unknown_entity::UnknownEntity;

/// What is done with a model, whichever it is.
pub trait ModelVisitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<M: Model>(self) -> Self::Output;
}

/// The entities that have a model, in the order of the alphabet.
pub const ENTITIES: &[&str] = &["compute", "person"];

/// Does something with the model of an entity; `None` when it has none.
pub fn visit<V: ModelVisitor>(entity: &str, visitor: V) -> Option<V::Output> {
    match entity {
        "compute" => Some(visitor.visit::<Compute>()),
        "person" => Some(visitor.visit::<Person>()),
        _ => None,
    }
}

/// How the events of an entity are read; `None` when it has no model.
pub fn reader(entity: &str) -> Option<EventReader> {
    struct Reader;
    impl ModelVisitor for Reader {
        type Output = EventReader;
        fn visit<M: Model>(self) -> EventReader {
            EventReader::new::<M::Event>(M::upcasters())
        }
    }
    visit(entity, Reader)
}

/// The schemas of all models, in the order of [`ENTITIES`].
#[cfg(feature = "schema")]
pub fn schemas() -> Vec<crate::schema::ModelSchemas> {
    use crate::schema::ModelSchemas;

    struct Schemas;
    impl ModelVisitor for Schemas {
        type Output = ModelSchemas;
        fn visit<M: Model>(self) -> ModelSchemas {
            ModelSchemas::of::<M>()
        }
    }
    let models = ENTITIES.iter().filter_map(|entity| visit(entity, Schemas));
    models.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Typed;

    struct Check;

    impl ModelVisitor for Check {
        type Output = &'static str;

        /// The entity of a model that is whole: old events lead to what is declared, and it is drawn.
        fn visit<M: Model>(self) -> &'static str {
            let entity = <M::Event as Typed>::ENTITY;
            assert_eq!(<M::Command as Typed>::ENTITY, entity);
            assert!(!M::diagrams().is_empty(), "{entity}");
            crate::testing::assert_upcasters::<M>();
            entity
        }
    }

    #[test]
    fn every_entity_has_its_model_and_no_other_name_has_one() {
        assert!(ENTITIES.is_sorted());
        for entity in ENTITIES {
            assert_eq!(visit(entity, Check), Some(*entity));
        }
        for other in ["", "Compute", "key", "lamp"] {
            assert_eq!(visit(other, Check), None, "{other}");
        }
    }
}
