//! `cim plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::Output;
use crate::plugin::{Plugin as Loaded, PluginError, PluginOptions};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Load a plugin and show what it is; no event is handed to it
    Inspect(Inspect),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim plugin inspect activity.wasm
  cim plugin inspect activity.wasm --json")]
pub(crate) struct Inspect {
    /// The plugin, a WebAssembly component
    plugin: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Plugin {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        let Self::Inspect(Inspect { plugin, json }) = self;
        let plugin = Loaded::load(&plugin, &PluginOptions::default())?;
        let descriptor = plugin.descriptor();
        let event_types: Vec<_> = descriptor.event_types.iter().map(|t| t.as_str()).collect();
        let collections: Vec<_> = descriptor.collections.iter().map(|c| c.as_str()).collect();
        if json {
            return out.json(&json!({
                "schema": "cim.plugin.inspect/v1",
                "name": descriptor.name.as_str(),
                "version": descriptor.version,
                "event_types": event_types,
                "collections": collections,
                "hash": plugin.identity(),
                "bytes": plugin.bytes(),
                "imports": [],
                "compiled_code_cached": plugin.was_cached(),
            }));
        }
        let all = if event_types.is_empty() {
            "all".to_owned()
        } else {
            event_types.join(" ")
        };
        let code = if plugin.was_cached() {
            "taken from the cache"
        } else {
            "compiled now"
        };
        for (name, value) in [
            ("name", descriptor.name.to_string()),
            ("version", descriptor.version.clone()),
            ("event types", all),
            ("collections", collections.join(" ")),
            ("hash", plugin.identity().to_owned()),
            ("bytes", plugin.bytes().to_string()),
            ("imports", "none".to_owned()),
            ("code", code.to_owned()),
        ] {
            out.line(&format!("{name:<12} {value}"))?;
        }
        Ok(())
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        let mut failure = match &error {
            PluginError::Read { path, source } => Self::file("read", path, source),
            _ => Self::of(Exit::Failed, error.code(), &error),
        };
        failure.code = error.code();
        failure.help = error.help().map(str::to_owned);
        failure
    }
}
