//! The stream of a store: how it is set up, and what is written on it.

use std::error::Error;
use std::fmt;

use cim_core::id::Namespace;
use cim_core::subject::{StoreTemplate, SubjectFilter, TemplateError};
use cim_core::time::Timestamp;
use uuid::Uuid;

use super::DUPLICATE_WINDOW;
use crate::jetstream::{Discard, StreamConfig};

/// The metadata of a stream that is a store.
pub(crate) const STORE_ID: &str = "cim.store_id";
pub(crate) const TEMPLATE: &str = "cim.template";
pub(crate) const CREATED_AT: &str = "cim.created_at";

/// What is written on the stream of a store; it never changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreIdentity {
    /// The store's own id.
    pub store_id: Uuid,
    /// How subjects are built.
    pub template: StoreTemplate,
    /// When the store was made.
    pub created_at: Timestamp,
}

/// The stream of a new store, which takes the events of these namespaces; of all that its template
/// can build, if there are none.
///
/// It has no age limit: when a history has expired, its version 1 could be written again.
///
/// # Errors
///
/// [`TemplateError::OutsideConstants`] when a namespace disagrees with the template.
pub fn event_stream(
    name: &str,
    template: &StoreTemplate,
    namespaces: &[Namespace],
    replicas: u32,
    store_id: Uuid,
    created_at: Timestamp,
) -> Result<StreamConfig, TemplateError> {
    let mut config = settings(name, &subjects(template, namespaces)?, replicas);
    write(
        &mut config,
        &StoreIdentity {
            store_id,
            template: template.clone(),
            created_at,
        },
    );
    Ok(config)
}

/// What a store takes of these namespaces; all that its template can build, if there are none.
pub(super) fn subjects(
    template: &StoreTemplate,
    namespaces: &[Namespace],
) -> Result<Vec<SubjectFilter>, TemplateError> {
    let template = template.template();
    if namespaces.is_empty() {
        return Ok(vec![template.filter()]);
    }
    namespaces
        .iter()
        .map(|namespace| template.namespace_filter(namespace))
        .collect()
}

/// How the stream of a store is set up, without what makes it that of one store.
pub(super) fn settings(name: &str, subjects: &[SubjectFilter], replicas: u32) -> StreamConfig {
    let mut config = StreamConfig::new(name);
    config.subjects = subjects.iter().map(ToString::to_string).collect();
    config.num_replicas = replicas;
    config.discard = Discard::New;
    config.duplicate_window = super::nanos(DUPLICATE_WINDOW);
    config.deny_delete = true;
    config.deny_purge = true;
    config.allow_direct = true;
    config.allow_atomic = true;
    config
}

/// Writes on a stream what store it is.
pub(super) fn write(config: &mut StreamConfig, identity: &StoreIdentity) {
    config.metadata.extend([
        (STORE_ID.to_owned(), identity.store_id.to_string()),
        (TEMPLATE.to_owned(), template_text(&identity.template)),
        (CREATED_AT.to_owned(), identity.created_at.to_string()),
    ]);
}

pub(super) fn template_text(template: &StoreTemplate) -> String {
    serde_json::to_string(template).expect("a template is plain JSON")
}

/// Reads what store a stream is.
///
/// # Errors
///
/// [`NotAStore`] when one of the three entries is missing or none of ours.
pub fn parse_store(config: &StreamConfig) -> Result<StoreIdentity, NotAStore> {
    let value = |key: &'static str| {
        config.metadata.get(key).ok_or_else(|| NotAStore::Missing {
            stream: config.name.clone(),
            key,
        })
    };
    let strange = |key: &'static str, why: String| NotAStore::Strange {
        stream: config.name.clone(),
        key,
        why,
    };
    Ok(StoreIdentity {
        store_id: value(STORE_ID)?
            .parse()
            .map_err(|error: uuid::Error| strange(STORE_ID, error.to_string()))?,
        template: serde_json::from_str(value(TEMPLATE)?)
            .map_err(|error| strange(TEMPLATE, error.to_string()))?,
        created_at: value(CREATED_AT)?
            .parse()
            .map_err(|error: cim_core::time::TimeError| strange(CREATED_AT, error.to_string()))?,
    })
}

/// A stream that is no store of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotAStore {
    /// Its metadata lacks an entry.
    Missing {
        /// The stream.
        stream: String,
        /// The entry.
        key: &'static str,
    },
    /// An entry of its metadata is none of ours.
    Strange {
        /// The stream.
        stream: String,
        /// The entry.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for NotAStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { stream, key } => {
                write!(f, "the stream `{stream}` has no metadata `{key}`")
            }
            Self::Strange { stream, key, why } => {
                write!(f, "the metadata `{key}` of the stream `{stream}`: {why}")
            }
        }
    }
}

impl Error for NotAStore {}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(namespaces: &[&str]) -> StreamConfig {
        let namespaces: Vec<_> = namespaces
            .iter()
            .map(|text| Namespace::new(text).expect("three tokens"))
            .collect();
        event_stream(
            "CIM-EVENTS",
            &StoreTemplate::default(),
            &namespaces,
            3,
            Uuid::from_u128(7),
            "2026-11-21T10:00:00.000000Z".parse().expect("a time"),
        )
        .expect("no constants")
    }

    #[test]
    fn its_subjects_are_those_of_the_template() {
        assert_eq!(
            stream(&["o.u.d", "o.u.e"]).subjects,
            ["o.u.d.*.*.*", "o.u.e.*.*.*"]
        );
        assert_eq!(stream(&[]).subjects, ["*.*.*.*.*.*"]);
    }

    #[test]
    fn it_never_forgets() {
        let config = stream(&["o.u.d"]);
        assert_eq!((config.max_age, config.num_replicas), (0, 3));
        assert_eq!((config.max_msgs, config.max_bytes), (-1, -1));
        assert!(config.deny_delete && config.deny_purge && config.allow_atomic);
        assert_eq!(config.discard, Discard::New);
    }

    #[test]
    fn what_is_written_on_it_is_read_back() {
        let config = stream(&["o.u.d"]);
        let identity = parse_store(&config).expect("a store");
        assert_eq!(identity.store_id, Uuid::from_u128(7));
        assert_eq!(identity.template, StoreTemplate::default());
        for key in [STORE_ID, TEMPLATE, CREATED_AT] {
            let mut missing = config.clone();
            missing.metadata.remove(key);
            let error = parse_store(&missing).expect_err(key);
            let expect = format!("the stream `CIM-EVENTS` has no metadata `{key}`");
            assert_eq!(error.to_string(), expect);
            let mut strange = config.clone();
            strange.metadata.insert(key.to_owned(), "x".to_owned());
            let error = parse_store(&strange).expect_err(key);
            assert!(matches!(error, NotAStore::Strange { .. }), "{error}");
        }
    }
}
