//! `cim plugin`.

use std::path::PathBuf;

use cim_core::projection::Name;
use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::output::Output;
use super::show::plain;
use crate::plugin::{Plugin as Loaded, PluginOptions};

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Load a plugin and show what it says of itself
    Inspect(Inspect),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim plugin inspect activity.wasm
  cim plugin inspect activity.wasm --json

A plugin is one WebAssembly component that imports nothing: it has no files, no network and no
clock. One that does is refused here as everywhere.")]
pub(crate) struct Inspect {
    /// The plugin, a file `NAME.wasm`
    plugin: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Plugin {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Inspect(command) => command.run(out),
        }
    }
}

impl Inspect {
    fn run(self, out: &mut Output) -> Result<(), Failure> {
        let plugin = Loaded::load(&self.plugin, &PluginOptions::default())?;
        let descriptor = plugin.descriptor();
        let types: Vec<_> = descriptor
            .event_types
            .iter()
            .map(|name| name.as_str())
            .collect();
        let collections: Vec<_> = descriptor.collections.iter().map(Name::as_str).collect();
        if self.json {
            // What imports anything is not loaded.
            let imports: [&str; 0] = [];
            return out.json(&json!({
                "schema": "cim.plugin.inspect/v1",
                "name": descriptor.name.as_str(),
                "version": descriptor.version,
                "event_types": types,
                "collections": collections,
                "hash": plugin.identity(),
                "bytes": plugin.bytes(),
                "compiled_code_cached": plugin.was_cached(),
                "imports": imports,
            }));
        }
        let code = if plugin.was_cached() {
            "taken from the cache"
        } else {
            "compiled now"
        };
        for (name, value) in [
            ("name", descriptor.name.to_string()),
            ("version", plain(&descriptor.version)),
            ("event types", or(&types, "all")),
            ("collections", or(&collections, "none")),
            ("hash", plugin.identity().to_owned()),
            ("bytes", plugin.bytes().to_string()),
            ("imports", "none".to_owned()),
            ("code", code.to_owned()),
        ] {
            out.line(&format!("{name:<11}  {value}"))?;
        }
        Ok(())
    }
}

/// The names, or what an empty list means.
fn or(names: &[&str], empty: &str) -> String {
    match names {
        [] => empty.to_owned(),
        names => names.join(", "),
    }
}
