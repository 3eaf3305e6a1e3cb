//! `cim projection run`.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures_util::FutureExt as _;
use serde_json::json;

use super::super::failure::Failure;
use super::super::output::{Output, count, progress, say};
use super::super::place::{Absent, Place, sqlite_path};
use crate::plugin::{Plugin, PluginOptions};
use crate::projector::{Progress, Projector, ProjectorOptions, Start, Until};
use crate::sqlite::ReadModel;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection run activity.wasm
  cim projection run activity.wasm --follow
  cim projection run activity.wasm --into sqlite:views.db --restart

Documents and checkpoint are committed together, so a run that was stopped goes on where it was and
every event takes effect once. An event that the plugin cannot handle is parked, and later events of
its aggregate wait behind it. A plugin whose file has changed is refused until --restart.")]
pub(crate) struct Run {
    /// The plugin, a WebAssembly component
    plugin: PathBuf,
    /// End when all that was there is handled; this is the default
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Go on with new events until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// The read model, `sqlite:FILE`, made if it is absent; by default the store's own file
    #[arg(long, value_name = "URL")]
    into: Option<String>,
    /// The plugin's configuration: text, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "TEXT", default_value = "")]
    config: String,
    /// Empty the projection's documents and start over
    #[arg(long)]
    restart: bool,
    /// The time of a call in milliseconds, besides 20 µs for each event
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    time_limit_ms: Option<u64>,
    /// The memory of the plugin in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=2048))]
    memory_limit_mib: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        // A plugin that cannot be run must not leave tables behind, so the read model comes last.
        let store = place.open(Absent::Refuse)?;
        let mut options = PluginOptions::default();
        if let Some(time) = self.time_limit_ms {
            options.limits.time = Duration::from_millis(time);
        }
        if let Some(memory) = self.memory_limit_mib {
            options.limits.memory_bytes = (memory as usize) << 20;
        }
        let plugin = Plugin::load(&self.plugin, &options)?;
        let handler = plugin.handler(self.config()?)?;
        let url = self.into.as_ref().unwrap_or(&place.url);
        let read_model = ReadModel::open_or_create(&sqlite_path(url)?)?;
        let options = ProjectorOptions {
            start: if self.restart {
                Start::Restart
            } else {
                Start::Resume
            },
            ..ProjectorOptions::default()
        };
        let bar = progress("projecting");
        let moved = bar.clone();
        let projector = Projector::new(store.clone(), Box::new(handler), read_model, options)
            .with_progress(move |progress| {
                let position = |position: Option<cim_core::version::Position>| {
                    position.map_or(0, |position| position.get())
                };
                moved.set_length(position(progress.last));
                moved.set_position(position(progress.position));
                moved.set_message(match progress.lag() {
                    0 => progress.state.to_string(),
                    lag => format!("{}, {lag} behind", progress.state),
                });
            });
        let until = if self.follow {
            say("Following; Ctrl-C ends it.");
            Until::Stopped(tokio::signal::ctrl_c().map(|_| ()).boxed())
        } else {
            Until::CaughtUp
        };
        let ended = projector.run(until).await;
        bar.finish_and_clear();
        let ended = ended?;
        let name = plugin.descriptor().name.as_str();
        self.report(name, &ended, out)?;
        Ok(store.close().await?)
    }

    fn config(&self) -> Result<Bytes, Failure> {
        if self.config == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            return Ok(bytes.into());
        }
        let Some(path) = self.config.strip_prefix('@') else {
            return Ok(Bytes::from(self.config.clone()));
        };
        std::fs::read(path).map(Bytes::from).map_err(|error| {
            Failure::file("read", path.as_ref(), &error)
                .help("`--config @FILE` reads the configuration from a file")
        })
    }

    fn report(&self, name: &str, ended: &Progress, out: &mut Output) -> Result<(), Failure> {
        let position = ended.position.map(|position| position.get());
        if self.json {
            return out.json(&json!({
                "schema": "cim.projection.run/v1",
                "projection": name,
                "state": ended.state.as_str(),
                "position": position,
                "events": ended.events,
                "lag": ended.lag(),
                "parked_aggregates": ended.parked_aggregates,
            }));
        }
        out.line(&format!(
            "{name}: {} handled, {}, at position {}, {} behind",
            count(ended.events, "event"),
            ended.state,
            position.unwrap_or(0),
            ended.lag(),
        ))?;
        out.flush()?;
        if ended.parked_aggregates > 0 {
            say(&format!(
                "{} parked: `cim projection parked {name}` shows why",
                count(ended.parked_aggregates as u64, "aggregate")
            ));
        }
        Ok(())
    }
}
