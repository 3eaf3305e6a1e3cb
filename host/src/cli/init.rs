//! `cim init`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use cim_core::id::Namespace;
use clap::Args;

use super::failure::{Exit, Failure};
use super::output::{Output, say};
use super::place::{Absent, Place};
use crate::config::FILE_NAME;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cim init --namespace cowboyai.security.keys")]
pub(crate) struct Init {
    /// The namespace of the store's aggregates: organization.unit.domain
    #[arg(long, value_name = "ORG.UNIT.DOMAIN")]
    namespace: Option<Namespace>,
}

impl Init {
    pub(crate) fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        let url = store.unwrap_or_else(|| "sqlite:cim.db".to_owned());
        let path = super::place::sqlite_path(&url)?;
        if Path::new(FILE_NAME).exists() {
            return Err(Failure::new(
                Exit::Failed,
                "exists",
                format!("`{FILE_NAME}` is there already"),
            )
            .help("edit it, or run `cim init` in another folder"));
        }
        if path.exists() {
            return Err(Failure::new(
                Exit::Failed,
                "exists",
                format!("`{}` is there already", path.display()),
            )
            .help("name another file, for example `--store sqlite:other.db`"));
        }
        let namespace = self.namespace.unwrap_or_default();
        let text = format!("store = {}\nnamespace = \"{namespace}\"\n", toml::Value::from(&*url));
        let mut file = OpenOptions::new().write(true).create_new(true).open(FILE_NAME)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let store = Place::find(Some(url.clone()))?.open(Absent::Create)?;
        say(&format!("Wrote `{FILE_NAME}` and made the store `{url}` in `{namespace}`."));
        out.line(&store.info().store_id.to_string())
    }
}
