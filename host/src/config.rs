//! `cim.toml`: what the command finds beside the data.
//!
//! Unknown keys are errors. The tables `[nats]`, `[jetstream]` and `[event_store]` have the keys of
//! the CIM family, and a few more; the store in SQLite uses `[event_store]
//! max_events_per_aggregate` alone, and the others are for the store on JetStream.

mod streams;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use cim_core::id::{NameError, Namespace};
use cim_core::subject::{Field, StoreTemplate, SubjectTemplate, TemplateError};
use serde::Deserialize;

pub use self::streams::{DEFAULT_RETENTION_DAYS, StreamKind, StreamPreset, StreamTable};

use crate::secret::{Secret, without_user};

/// The name of the file.
pub const FILE_NAME: &str = "cim.toml";

/// What `cim.toml` says; absent keys have their defaults.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The store's URL, `sqlite:cim.db` by default.
    pub store: Option<String>,
    /// The namespace, `organization.unit.domain`; `local.main.events` by default.
    pub namespace: Option<String>,
    /// The store's subject template, the canonical layout by default.
    pub template: Option<TemplateConfig>,
    /// How NATS is reached.
    pub nats: NatsConfig,
    /// Which JetStream.
    pub jetstream: JetstreamConfig,
    /// How events are stored.
    pub event_store: EventStoreConfig,
    /// Further streams.
    #[serde(rename = "stream")]
    pub streams: Vec<StreamTable>,
}

/// `[template]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    /// The layout, such as `infrastructure.compute.{id}.{operation}`.
    pub subject: String,
    /// The fields that the layout does not show.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
}

/// `[nats]`.
#[derive(Clone, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    /// The servers' URL.
    pub url: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The user's password; better left to `NATS_PASSWORD`.
    pub password: Option<Secret>,
    /// The file with the user's JWT and seed.
    pub creds: Option<PathBuf>,
    /// Whether a connection without TLS is refused.
    pub tls_required: bool,
    /// The file with the certificates of who may vouch for the servers; the system's by default.
    pub tls_ca: Option<PathBuf>,
    /// The file with our certificate.
    pub tls_cert: Option<PathBuf>,
    /// The file with our certificate's key.
    pub tls_key: Option<PathBuf>,
    /// The name that the servers' certificates are for, where it is not that of the URL.
    pub tls_server_name: Option<String>,
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            user,
            password,
            creds,
            tls_required,
            tls_ca,
            tls_cert,
            tls_key,
            tls_server_name,
        } = self;
        f.debug_struct("NatsConfig")
            .field("url", &url.as_deref().map(without_user))
            .field("user", user)
            .field("password", password)
            .field("creds", creds)
            .field("tls_required", tls_required)
            .field("tls_ca", tls_ca)
            .field("tls_cert", tls_cert)
            .field("tls_key", tls_key)
            .field("tls_server_name", tls_server_name)
            .finish()
    }
}

/// `[jetstream]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct JetstreamConfig {
    /// The JetStream domain.
    pub domain: Option<String>,
    /// The prefix of the JetStream API.
    pub prefix: Option<String>,
}

/// `[event_store]`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct EventStoreConfig {
    /// The stream that events are stored in.
    pub stream_name: String,
    /// How long events are kept at least.
    pub retention_days: u32,
    /// The length of a history that is warned about; nothing is ever deleted for it.
    pub max_events_per_aggregate: u64,
    /// After how many events a snapshot is taken.
    pub snapshot_threshold: u64,
    /// On how many servers the stream is kept.
    pub replicas: u32,
}

impl Default for EventStoreConfig {
    fn default() -> Self {
        Self {
            stream_name: "CIM-EVENTS".to_owned(),
            retention_days: 365,
            max_events_per_aggregate: 10_000,
            snapshot_threshold: 100,
            replicas: 1,
        }
    }
}

impl Config {
    /// Reads `cim.toml` of a folder; `None` where there is no such file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it cannot be read or has a fault.
    pub fn load(folder: &Path) -> Result<Option<Self>, ConfigError> {
        let path = folder.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        Self::parse(&text).map(Some)
    }

    /// Takes the text of a `cim.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], with the line where TOML tells it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            // The parser shows the line itself, which may hold a password; its number is enough.
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or_default();
            ConfigError::Syntax {
                line: 1 + before.matches('\n').count(),
                column: 1 + before
                    .rsplit('\n')
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .count(),
                why: error.message().to_owned(),
            }
        })?;
        config.namespace()?;
        config.template()?;
        config.check_values()?;
        Ok(config)
    }

    /// Checks what only the store on JetStream uses, so that a fault is not found on the day of
    /// the move.
    fn check_values(&self) -> Result<(), ConfigError> {
        let fault = |key, found: String, expected| ConfigError::Value {
            key,
            found,
            expected,
        };
        if let Some(url) = &self.nats.url
            && !url
                .split_once("://")
                .is_some_and(|(scheme, host)| matches!(scheme, "nats" | "tls") && !host.is_empty())
        {
            // A URL may hold a password too.
            return Err(fault(
                "[nats] url",
                "…".to_owned(),
                "a URL such as `nats://host:4222`",
            ));
        }
        let EventStoreConfig { stream_name, .. } = &self.event_store;
        if !is_name(stream_name) {
            return Err(fault(
                "[event_store] stream_name",
                stream_name.clone(),
                NAME,
            ));
        }
        if let Some(domain) = self
            .jetstream
            .domain
            .as_ref()
            .filter(|domain| !is_name(domain))
        {
            return Err(fault("[jetstream] domain", domain.clone(), NAME));
        }
        if let Some(prefix) = self
            .jetstream
            .prefix
            .as_ref()
            .filter(|prefix| !is_prefix(prefix))
        {
            return Err(fault("[jetstream] prefix", prefix.clone(), PREFIX));
        }
        let store = &self.event_store;
        if !(1..=MAX_REPLICAS).contains(&store.replicas) {
            let found = store.replicas.to_string();
            return Err(fault("[event_store] replicas", found, "1 to 5"));
        }
        for (key, value) in [
            (
                "[event_store] retention_days",
                u64::from(store.retention_days),
            ),
            (
                "[event_store] max_events_per_aggregate",
                store.max_events_per_aggregate,
            ),
            ("[event_store] snapshot_threshold", store.snapshot_threshold),
        ] {
            if value == 0 {
                return Err(fault(key, value.to_string(), "at least 1"));
            }
        }
        Ok(())
    }

    /// The namespace of entities that are named alone.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Namespace`].
    pub fn namespace(&self) -> Result<Namespace, ConfigError> {
        match &self.namespace {
            None => Ok(Namespace::default()),
            Some(text) => Namespace::new(text).map_err(ConfigError::Namespace),
        }
    }

    /// The template that a new store gets, and that a present one must have if it is given.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Template`].
    pub fn template(&self) -> Result<Option<StoreTemplate>, ConfigError> {
        let Some(config) = &self.template else {
            return Ok(None);
        };
        let template = SubjectTemplate::parse(&config.subject, &config.constants)
            .and_then(StoreTemplate::new)
            .map_err(ConfigError::Template)?;
        let namespace = self.namespace()?;
        let fields = [Field::Organization, Field::Unit, Field::Domain];
        for (field, token) in fields.into_iter().zip(namespace.tokens()) {
            if self.namespace.is_some()
                && template
                    .template()
                    .constant(field)
                    .is_some_and(|constant| constant != token)
            {
                return Err(ConfigError::Disagreement { field });
            }
        }
        Ok(Some(template))
    }
}

/// Whether NATS takes it as the name of a stream or a domain.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c))
}

/// Whether it can stand before the subjects of an API.
pub(crate) fn is_prefix(text: &str) -> bool {
    let token = |token: &str| {
        !token.is_empty() && !token.contains(|c: char| c.is_whitespace() || "*>".contains(c))
    };
    text.split('.').all(token)
}

/// What [`is_name`] takes.
pub(crate) const NAME: &str = "a name without white space, `.`, `*`, `>`, `/` and `\\`";
/// What [`is_prefix`] takes.
pub(crate) const PREFIX: &str = "tokens such as `$JS.hub.API`, without wildcards";
/// JetStream keeps a stream on five servers at most.
const MAX_REPLICAS: u32 = 5;

/// A `cim.toml` that cannot be taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no TOML, has an unknown key or a value of another kind.
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What the parser says.
        why: String,
    },
    /// A value is out of its range.
    Value {
        /// The key, with its table.
        key: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// `namespace` is none.
    Namespace(NameError),
    /// `[template]` is none that can store.
    Template(TemplateError),
    /// `namespace` and a constant of `[template]` differ.
    Disagreement {
        /// The field.
        field: Field,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "`{}` cannot be read", path.display()),
            Self::Syntax { line, column, why } => {
                write!(f, "`{FILE_NAME}`, line {line}, column {column}: {why}")
            }
            Self::Value {
                key,
                found,
                expected,
            } => {
                write!(
                    f,
                    "`{key}` in `{FILE_NAME}`: expected {expected}, found `{found}`"
                )
            }
            Self::Namespace(_) => f.write_str("`namespace` in `cim.toml` is not valid"),
            Self::Template(_) => f.write_str("`[template]` in `cim.toml` is not valid"),
            Self::Disagreement { field } => write!(
                f,
                "in `cim.toml`, `namespace` and the constant `{field}` of `[template]` differ"
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Namespace(source) => Some(source),
            Self::Template(source) => Some(source),
            Self::Syntax { .. } | Self::Value { .. } | Self::Disagreement { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_s_keys_are_taken() {
        let text = r#"
            store = "sqlite:events.db"
            namespace = "cowboyai.security.keys"
            [nats]
            url = "nats://hunter:hunter1@localhost:4222"
            user = "u"
            password = "hunter2"
            tls_required = true
            [jetstream]
            domain = "hub"
            prefix = "JS"
            [event_store]
            stream_name = "CIM-EVENTS"
            retention_days = 365
            max_events_per_aggregate = 10000
            snapshot_threshold = 100
        "#;
        let config = Config::parse(text).expect("valid");
        assert_eq!(config.event_store, EventStoreConfig::default());
        let password = config.nats.password.as_ref().map(Secret::expose);
        assert_eq!(password, Some("hunter2"));
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn faults_are_named() {
        #[track_caller]
        fn refused(text: &str, expect: &str) {
            assert_eq!(Config::parse(text).expect_err(text).to_string(), expect);
        }
        refused(
            "\nstor = 1",
            "`cim.toml`, line 2, column 1: unknown field `stor`, expected one of `store`, \
             `namespace`, `template`, `nats`, `jetstream`, `event_store`, `stream`",
        );
        refused(
            "[nats]\npassword = \"secret",
            "`cim.toml`, line 2, column 19: invalid basic string, expected `\"`",
        );
        refused(
            "namespace = \"a.b\"",
            "`namespace` in `cim.toml` is not valid",
        );
        refused(
            "template = { subject = \"a.{operation}\" }",
            "`[template]` in `cim.toml` is not valid",
        );
        refused(
            "[event_store]\nretention_days = 0",
            "`[event_store] retention_days` in `cim.toml`: expected at least 1, found `0`",
        );
        refused(
            "[event_store]\nstream_name = \"a.b\"",
            "`[event_store] stream_name` in `cim.toml`: expected a name without white space, `.`, \
             `*`, `>`, `/` and `\\`, found `a.b`",
        );
        refused(
            "[event_store]\nreplicas = 6",
            "`[event_store] replicas` in `cim.toml`: expected 1 to 5, found `6`",
        );
        refused(
            "[jetstream]\nprefix = \"$JS.*.API\"",
            "`[jetstream] prefix` in `cim.toml`: expected tokens such as `$JS.hub.API`, without \
             wildcards, found `$JS.*.API`",
        );
        refused(
            "[nats]\nurl = \"http://u:p@h\"",
            "`[nats] url` in `cim.toml`: expected a URL such as `nats://host:4222`, found `…`",
        );
        for text in ["[nats]\nurls = 1", "[event_store]\nmax = 1", "[templates]"] {
            assert!(
                matches!(Config::parse(text), Err(ConfigError::Syntax { .. })),
                "{text}"
            );
        }
    }
}
