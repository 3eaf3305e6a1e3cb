//! Which store a command works on, and what entities are called on the command line.

use std::path::Path;
use std::sync::Arc;

use cim_core::id::{AggregateId, AggregateKey, Entity, Namespace};
use cim_core::subject::{Field, StoreTemplate};

use super::failure::Failure;
use super::output::say;
use crate::config::Config;
use crate::open::{NewStore, Opened, open};
use crate::store::{EventStore, StoreError};

/// The store of a command that names none.
const DEFAULT_STORE: &str = "sqlite:cim.db";

/// Where a command works.
#[derive(Debug)]
pub(crate) struct Place {
    /// The URL of the store.
    pub(crate) url: String,
    /// Whether it was named with `--store` or `CIM_STORE`.
    #[cfg_attr(
        not(feature = "identity"),
        allow(dead_code, reason = "only `cim keys` asks")
    )]
    pub(crate) is_named: bool,
    /// What `cim.toml` says.
    pub(crate) config: Config,
}

/// Whether a command makes a store that is absent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Absent {
    Refuse,
    Create,
}

impl Place {
    /// Takes the store from `--store`, `CIM_STORE` (clap reads both), `cim.toml` or the default.
    pub(crate) fn find(store: Option<String>) -> Result<Self, Failure> {
        let config = Config::load(Path::new("."))?.unwrap_or_default();
        // A variable that is set to nothing names no store.
        let store = store.filter(|url| !url.is_empty());
        let is_named = store.is_some();
        let url = store.or_else(|| config.store.clone());
        Ok(Self {
            is_named,
            url: url.unwrap_or_else(|| DEFAULT_STORE.to_owned()),
            config,
        })
    }

    /// Opens the store.
    pub(crate) async fn open(&self, absent: Absent) -> Result<Arc<dyn EventStore>, Failure> {
        let template = match absent {
            Absent::Refuse => None,
            Absent::Create => Some(self.config.template()?.unwrap_or_default()),
        };
        self.checked(self.open_at(&self.url, template).await?)
    }

    /// Opens the store as it is, with what lies beside it.
    pub(crate) async fn open_whole(&self) -> Result<Opened, Failure> {
        let opened = opened(&self.url, &self.config, None).await?;
        self.checked(Arc::clone(&opened.store))?;
        Ok(opened)
    }

    /// Opens the store, or makes it with the template of `cim.toml`, or else with `template`.
    pub(crate) async fn open_or_create(
        &self,
        template: StoreTemplate,
    ) -> Result<Arc<dyn EventStore>, Failure> {
        let template = self.config.template()?.unwrap_or(template);
        self.checked(self.open_at(&self.url, Some(template)).await?)
    }

    /// Opens the store, or makes it with the template of `cim.toml` or the default, for events of
    /// these namespaces; without any, for those of the configured one.
    #[cfg(any(feature = "identity", feature = "jetstream"))]
    pub(crate) async fn open_or_create_for(
        &self,
        mut namespaces: Vec<Namespace>,
    ) -> Result<Arc<dyn EventStore>, Failure> {
        let template = self.config.template()?.unwrap_or_default();
        if namespaces.is_empty() {
            namespaces.push(self.namespace(&template)?);
        }
        let new = NewStore {
            template,
            namespaces,
        };
        self.checked(open_url(&self.url, &self.config, Some(new)).await?)
    }

    /// Opens the store at a URL as it is; makes an absent one if there is a template for it.
    pub(crate) async fn open_at(
        &self,
        url: &str,
        template: Option<StoreTemplate>,
    ) -> Result<Arc<dyn EventStore>, Failure> {
        let new = match template {
            None => None,
            Some(template) => {
                let namespace = self.namespace(&template)?;
                Some(NewStore {
                    template,
                    namespaces: vec![namespace],
                })
            }
        };
        open_url(url, &self.config, new).await
    }

    /// Refuses a store whose template is another than that of `cim.toml`.
    fn checked(&self, store: Arc<dyn EventStore>) -> Result<Arc<dyn EventStore>, Failure> {
        let wanted = self.config.template()?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != store.info().template) {
            let failure = Failure::from(StoreError::Mismatch {
                why: format!(
                    "`cim.toml` has the template `{wanted}`, the store has `{}`",
                    store.info().template
                ),
            });
            return Err(failure.help(
                "change `[template]` in `cim.toml`, or name another store with `--store URL`",
            ));
        }
        Ok(store)
    }

    /// The namespace of entities that are named alone.
    pub(crate) fn namespace(&self, template: &StoreTemplate) -> Result<Namespace, Failure> {
        let constants = [Field::Organization, Field::Unit, Field::Domain]
            .map(|field| template.template().constant(field));
        match constants {
            [Some(organization), Some(unit), Some(domain)] if self.config.namespace.is_none() => {
                Namespace::new(&format!("{organization}.{unit}.{domain}"))
                    .map_err(|error| Failure::usage(error.to_string()))
            }
            _ => Ok(self.config.namespace()?),
        }
    }

    /// Takes ENTITY as `entity`, `domain/entity` or `organization.unit.domain.entity`.
    pub(crate) fn entity(
        &self,
        text: &str,
        template: &StoreTemplate,
    ) -> Result<(Namespace, Entity), Failure> {
        let namespace = self.namespace(template)?;
        let [organization, unit, domain] = namespace.tokens();
        let whole = match (text.split_once('/'), text.matches('.').count()) {
            (Some((domain, entity)), 0) => format!("{organization}.{unit}.{domain}.{entity}"),
            (None, 0) => format!("{organization}.{unit}.{domain}.{text}"),
            _ => text.to_owned(),
        };
        whole
            .rsplit_once('.')
            .and_then(|(namespace, entity)| {
                Some((Namespace::new(namespace).ok()?, Entity::new(entity).ok()?))
            })
            .ok_or_else(|| {
                Failure::usage(format!("`{text}` is not an entity")).help(
                    "write `permit`, `domain/permit` or `organization.unit.domain.permit`; tokens \
                     are A-Z, a-z, 0-9, `_` and `-`",
                )
            })
    }

    /// Takes ENTITY and ID.
    pub(crate) fn aggregate(
        &self,
        entity: &str,
        id: &str,
        template: &StoreTemplate,
    ) -> Result<AggregateKey, Failure> {
        let (namespace, entity) = self.entity(entity, template)?;
        let id = AggregateId::new(id).map_err(|error| {
            Failure::usage(error.to_string())
                .help("ids are tokens of a subject; `cim import --id-encode` encodes others")
        })?;
        Ok(AggregateKey::new(namespace, entity, id))
    }
}

/// Opens the store at a URL; makes an absent one if it is told how.
pub(crate) async fn open_url(
    url: &str,
    config: &Config,
    new: Option<NewStore>,
) -> Result<Arc<dyn EventStore>, Failure> {
    Ok(opened(url, config, new).await?.store)
}

async fn opened(url: &str, config: &Config, new: Option<NewStore>) -> Result<Opened, Failure> {
    let opened = open(url, config, new).await?;
    if opened.has_gone_back {
        say(&format!(
            "Warning: `{}` has lost events that were read from it before, and has others in \
             their place. What was remembered of it is made again.",
            opened.store.info().url
        ));
    }
    Ok(opened)
}
