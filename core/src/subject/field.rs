//! The fields of a subject, and what was read from one.

use std::fmt;

use crate::id::{AggregateId, AggregateKey, Entity, Namespace, Operation};

/// A field of a subject.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// The first token of the namespace.
    Organization,
    /// The second token of the namespace.
    Unit,
    /// The third token of the namespace.
    Domain,
    /// The kind of the aggregate.
    Entity,
    /// The id of the aggregate.
    Id,
    /// What happened, or what is to be done.
    Operation,
}

impl Field {
    /// All fields, in the order of the canonical subject of an event.
    pub const ALL: [Self; 6] = [
        Self::Organization,
        Self::Unit,
        Self::Domain,
        Self::Entity,
        Self::Id,
        Self::Operation,
    ];

    /// The name by which templates call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Unit => "unit",
            Self::Domain => "domain",
            Self::Entity => "entity",
            Self::Id => "id",
            Self::Operation => "operation",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The fields of a subject that was read by a template, from the subject and from constants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubjectFields<'a>(pub(super) [Option<&'a str>; 6]);

impl<'a> SubjectFields<'a> {
    /// The value of `field`; `None` when the template does not tell it.
    pub fn get(&self, field: Field) -> Option<&'a str> {
        self.0[field as usize]
    }
}

/// The six fields of a stored event's subject, borrowed from it and from the template's constants.
///
/// It lets a reader of many events make a key only where the last one does not fit.
///
/// # Examples
///
/// ```
/// use cim_core::subject::{Field, StoreTemplate};
///
/// let template = StoreTemplate::default();
/// let first = template.event_fields("cowboyai.security.keys.key.k1.generated")?;
/// let aggregate = first.aggregate();
/// let second = template.event_fields("cowboyai.security.keys.key.k1.revoked")?;
/// assert!(second.is_of(&aggregate));
/// assert_eq!(second.get(Field::Operation), "revoked");
/// # Ok::<(), cim_core::subject::SubjectError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventFields<'a>(pub(super) [&'a str; 6]);

impl<'a> EventFields<'a> {
    /// The value of `field`.
    pub fn get(&self, field: Field) -> &'a str {
        self.0[field as usize]
    }

    /// Whether the event is one of `aggregate`.
    pub fn is_of(&self, aggregate: &AggregateKey) -> bool {
        let [_, _, _, entity, id, _] = self.0;
        *aggregate.id.as_str() == *id
            && *aggregate.entity.as_str() == *entity
            && self.is_in(&aggregate.namespace)
    }

    /// The key of the aggregate.
    pub fn aggregate(&self) -> AggregateKey {
        AggregateKey::new(self.namespace(), self.entity(), self.id())
    }

    /// The key of the aggregate, sharing with `other` the parts that are equal.
    pub fn aggregate_sharing(&self, other: &AggregateKey) -> AggregateKey {
        let [_, _, _, entity, id, _] = self.0;
        let namespace = &other.namespace;
        AggregateKey {
            namespace: if self.is_in(namespace) {
                namespace.clone()
            } else {
                self.namespace()
            },
            entity: if *other.entity.as_str() == *entity {
                other.entity.clone()
            } else {
                self.entity()
            },
            id: if *other.id.as_str() == *id {
                other.id.clone()
            } else {
                self.id()
            },
        }
    }

    /// The operation.
    pub fn operation(&self) -> Operation {
        Operation::new(self.get(Field::Operation)).expect(CHECKED)
    }

    fn is_in(&self, namespace: &Namespace) -> bool {
        let [organization, unit, domain, ..] = self.0;
        namespace.tokens() == [organization, unit, domain]
    }

    fn namespace(&self) -> Namespace {
        let [organization, unit, domain, ..] = self.0;
        Namespace::from_tokens(organization, unit, domain)
    }

    fn entity(&self) -> Entity {
        Entity::new(self.get(Field::Entity)).expect(CHECKED)
    }

    fn id(&self) -> AggregateId {
        AggregateId::new(self.get(Field::Id)).expect(CHECKED)
    }
}

/// Why the fields make names: the subject was checked token by token, the constants were too.
const CHECKED: &str = "the fields of a subject are tokens";
