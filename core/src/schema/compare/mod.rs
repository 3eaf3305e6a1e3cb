//! Whether a later list of schemas still reads what an earlier one stored.
//!
//! A version of a type has one schema, which may only grow wider: what was valid stays valid. Everything
//! else is a new version, with an upcaster from the old one. Where two schemas cannot be compared, that
//! is said and counts as a break: nothing that might lose data passes for compatible.

mod alternatives;
mod widening;

use std::fmt;

use super::{EventSchema, SchemaList};
use crate::id::{Entity, EventType};
use crate::version::SchemaVersion;

/// The most breaks that are told of one type: after so many it is another type.
const MAX_BREAKS: usize = 100;

/// Something that breaks events that an earlier release stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Break {
    /// The entity.
    pub entity: Entity,
    /// The type.
    pub event_type: EventType,
    /// The version of the events that break.
    pub schema_version: SchemaVersion,
    /// Where in the body, as a JSON pointer with `*` for every item or key; empty for the whole.
    pub path: String,
    /// What breaks them.
    pub what: Breakage,
}

/// What breaks stored events.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Breakage {
    /// There is no such type any more, and no upcaster from it.
    TypeRemoved,
    /// The latest version of the type is an earlier one.
    VersionLowered {
        /// The latest version.
        latest: SchemaVersion,
    },
    /// There is a later version, and an upcaster on the way to it is missing.
    UpcasterMissing {
        /// The version that no upcaster leads from.
        from: SchemaVersion,
        /// The latest version.
        latest: SchemaVersion,
    },
    /// The earlier release read this version by an upcaster, and there is none any more.
    UpcasterRemoved,
    /// A field is gone.
    FieldRemoved,
    /// A field is required that stored events need not have.
    FieldRequired,
    /// A value has another type.
    TypeChanged {
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// A value or a variant is gone.
    ValueRemoved {
        /// The value, as JSON, or the variant's name.
        value: String,
    },
    /// A rule refuses values that were valid.
    Narrowed {
        /// The keyword of JSON Schema that says so.
        keyword: String,
    },
    /// The schemas differ in a way that is not understood.
    Incomparable,
}

impl Breakage {
    /// The stable code of this break.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TypeRemoved => "type-removed",
            Self::VersionLowered { .. } => "version-lowered",
            Self::UpcasterMissing { .. } => "upcaster-missing",
            Self::UpcasterRemoved => "upcaster-removed",
            Self::FieldRemoved => "field-removed",
            Self::FieldRequired => "field-required",
            Self::TypeChanged { .. } => "type-changed",
            Self::ValueRemoved { .. } => "value-removed",
            Self::Narrowed { .. } => "value-narrowed",
            Self::Incomparable => "schema-incomparable",
        }
    }
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypeRemoved => f.write_str("the type was removed, and no upcaster leads from it"),
            Self::VersionLowered { latest } => {
                write!(f, "the version went down: the latest is {latest}")
            }
            Self::UpcasterMissing { from, latest } => write!(
                f,
                "version {latest} was declared, and no upcaster leads from version {from}"
            ),
            Self::UpcasterRemoved => f.write_str("the upcaster from this version was removed"),
            Self::FieldRemoved => f.write_str("the field was removed"),
            Self::FieldRequired => {
                f.write_str("the field is required, and stored events need not have it")
            }
            Self::TypeChanged { before, after } => {
                write!(f, "the type changed: expected `{before}`, found `{after}`")
            }
            Self::ValueRemoved { value } => write!(f, "the value `{value}` was removed"),
            Self::Narrowed { keyword } => {
                write!(f, "`{keyword}` refuses values that were valid")
            }
            Self::Incomparable => {
                f.write_str("the schemas differ in a way that cannot be compared")
            }
        }
    }
}

impl SchemaList {
    /// What of `self`, the list of a later release, breaks events of the types of an earlier one.
    ///
    /// Types, versions and optional fields that only `self` has break nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::schema::{SchemaError, SchemaList};
    ///
    /// fn list(fields: &str, required: &str) -> Result<SchemaList, SchemaError> {
    ///     let text = format!(
    ///         r#"{{"schema":"cim.schema.list/v1","types":[{{"entity":"lamp","type":"LampLit",
    ///         "schema_version":1,"operation":"lit","schema":{{"type":"object",
    ///         "properties":{fields},"required":{required},"additionalProperties":false}}}}]}}"#
    ///     );
    ///     SchemaList::parse(text.as_bytes())
    /// }
    ///
    /// let earlier = list(r#"{"watts":{"type":"integer"}}"#, r#"["watts"]"#)?;
    /// let both = r#"{"watts":{"type":"integer"},"room":{"type":"string"}}"#;
    /// assert_eq!(list(both, r#"["watts"]"#)?.breaks(&earlier), []);
    /// let breaks = list(both, r#"["watts","room"]"#)?.breaks(&earlier);
    /// assert_eq!((&*breaks[0].path, breaks[0].what.code()), ("/room", "field-required"));
    /// # Ok::<(), SchemaError>(())
    /// ```
    pub fn breaks(&self, earlier: &Self) -> Vec<Break> {
        let removed = earlier.upcasters.iter().filter(|it| {
            !self.upcasters.contains(it) && self.find(&it.entity, &it.event_type, it.from).is_none()
        });
        let removed = removed.map(|it| Break {
            entity: it.entity.clone(),
            event_type: it.event_type.clone(),
            schema_version: it.from,
            path: String::new(),
            what: Breakage::UpcasterRemoved,
        });
        let breaks = earlier.types.iter().flat_map(|old| {
            let found = self.breaks_of(old).into_iter().take(MAX_BREAKS);
            found.map(|(path, what)| Break {
                entity: old.entity.clone(),
                event_type: old.event_type.clone(),
                schema_version: old.schema_version,
                path,
                what,
            })
        });
        breaks.chain(removed).collect()
    }

    fn breaks_of(&self, old: &EventSchema) -> Vec<(String, Breakage)> {
        let (entity, event_type, version) = (&old.entity, &old.event_type, old.schema_version);
        if let Some(new) = self.find(entity, event_type, version) {
            return widening::breaks(&old.schema, &new.schema);
        }
        let whole = |what| vec![(String::new(), what)];
        let Some(latest) = self.latest(entity, event_type) else {
            // The upcaster may lead to another type, or to none: only events can tell.
            return match self.has_upcaster(entity, event_type, version) {
                true => Vec::new(),
                false => whole(Breakage::TypeRemoved),
            };
        };
        let latest = latest.schema_version;
        if latest < version {
            return whole(Breakage::VersionLowered { latest });
        }
        let versions = (version.get()..latest.get()).map_while(|it| SchemaVersion::new(it).ok());
        // The first is enough, however far apart the versions are.
        let missing = versions
            .into_iter()
            .find(|from| !self.has_upcaster(entity, event_type, *from));
        missing.map_or_else(Vec::new, |from| {
            whole(Breakage::UpcasterMissing { from, latest })
        })
    }
}

#[cfg(test)]
mod tests;
