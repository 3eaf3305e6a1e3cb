//! `cim init`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use cim_core::id::Namespace;
use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::{Output, say};
use super::place::{Absent, Place};
use super::snapshot::no_key;
use crate::config::FILE_NAME;
use crate::open::sqlite_path;
use crate::secret::without_user;
use crate::snapshot::{KEY_FILE_NAME, SnapshotKey, SnapshotKeyError};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim init
  cim init --namespace cowboyai.security.keys

Writes a cim.toml such as

  store = \"sqlite:cim.db\"
  namespace = \"cowboyai.security.keys\"

and beside it `snapshot.key`, which its owner alone may read and which seals snapshots; a key that
is there already is kept. Leave it out of version control.

A cim.toml that is there already is kept, and the store is made as it says; so write one first for
a store with subjects of its own:

  [template]
  subject = \"infrastructure.compute.{id}.{operation}\"
  constants = { organization = \"acme\", unit = \"it\", domain = \"infra\", entity = \"compute\" }")]
pub(crate) struct Init {
    /// The namespace of the store's aggregates: organization.unit.domain
    #[arg(long, value_name = "ORG.UNIT.DOMAIN")]
    namespace: Option<Namespace>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(crate) async fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        let mut place = Place::find(store)?;
        if let Some(there) = is_there(&place).await? {
            let message = format!("there is a store already: `{there}`");
            return Err(Failure::new(Exit::Failed, "exists", message).help(
                "look at it with `cim stats`, or name another one: `--store sqlite:other.db`",
            ));
        }
        let config = Path::new(FILE_NAME);
        let written = !config.exists();
        let namespace = match self.namespace {
            Some(given) if !written && place.config.namespace()? != given => {
                let message = format!(
                    "`{FILE_NAME}` is there already and has the namespace `{}`",
                    place.config.namespace()?
                );
                return Err(Failure::new(Exit::Failed, "exists", message)
                    .help(format!("edit `{FILE_NAME}`, or leave `--namespace` out")));
            }
            Some(given) => given,
            None => place.namespace(&place.config.template()?.unwrap_or_default())?,
        };
        // A stream takes the events of its namespaces alone.
        place.config.namespace = Some(namespace.to_string());
        // The store first: a `cim.toml` that names none would be in the way of the next attempt.
        let store = place.open(Absent::Create).await?;
        // A login has no place in a file that others read and that is committed with the code.
        let url = &store.info().url;
        let has_login = without_user(&place.url) != place.url;
        if written {
            let url = toml::Value::from(url.as_str());
            let text = format!("store = {url}\nnamespace = \"{namespace}\"\n");
            let made = OpenOptions::new().write(true).create_new(true).open(config);
            made.and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .map_err(|error| Failure::file("write", config, &error))?;
        }
        let key_written = write_key();
        let store_id = store.info().store_id.to_string();
        if self.json {
            return out.json(&json!({
                "schema": "cim.init/v1",
                "store_id": store_id,
                "url": url,
                "namespace": namespace.as_str(),
                "config_written": written,
                "snapshot_key_written": key_written,
            }));
        }
        let done = if written {
            format!("Wrote `{FILE_NAME}` and made")
        } else {
            "Made".to_owned()
        };
        say(&format!("{done} the store `{url}` for `{namespace}`."));
        if key_written {
            say(&format!(
                "Wrote `{KEY_FILE_NAME}`, which seals snapshots: keep it out of version control."
            ));
        }
        if written && has_login {
            say(
                "The login of the URL is not written: give it as NATS_USER and NATS_PASSWORD, or NATS_CREDS.",
            );
        }
        out.line(&store_id)
    }
}

/// Makes the key of snapshots, unless there is one; tells whether it did. The store is made, and works
/// without a key too.
fn write_key() -> bool {
    match SnapshotKey::create(Path::new(KEY_FILE_NAME)) {
        Ok(_) => true,
        Err(SnapshotKeyError::Exists { .. }) => false,
        Err(error) => {
            say(&no_key(&error));
            false
        }
    }
}

/// What is already where the store is to be made.
async fn is_there(place: &Place) -> Result<Option<String>, Failure> {
    if let Ok(path) = sqlite_path(&place.url) {
        return Ok(path.exists().then(|| path.display().to_string()));
    }
    match place.open(Absent::Refuse).await {
        Ok(store) => Ok(Some(store.info().url.clone())),
        Err(failure) if failure.exit == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
