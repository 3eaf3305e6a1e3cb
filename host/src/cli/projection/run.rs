//! `cim projection run`.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use cim_core::projection::Name;
use cim_core::projection::machine::{ParkedEvent, State};
use clap::Args;
use futures_util::future::BoxFuture;
use indicatif::ProgressBar;
use serde_json::json;

use super::{command, path};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, count, progress, say};
use crate::cli::place::{Absent, Place};
use crate::cli::show::plain;
use crate::plugin::{Interruption, Plugin, PluginError, PluginOptions};
use crate::projector::{
    Handler as _, Progress, Projector, ProjectorError, ProjectorOptions, Start, Until,
};
use crate::sqlite::ReadModel;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection run activity.wasm
  cim projection run activity.wasm --follow
  cim projection run activity.wasm --into sqlite:views.db --json
  cim projection run activity.wasm --restart

It goes on where it was. Documents and checkpoint are written together, so every event takes effect
exactly once, whatever is stopped when. An event that the plugin faults on is set aside, and so are
the later events of its aggregate; all others go on. Exit code 7 when the projection cannot go on.")]
pub(crate) struct Run {
    /// The plugin, a file `NAME.wasm`
    plugin: PathBuf,
    /// End when all is handled that was there at the start, as by default
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Handle new events as they are stored, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// The file for the documents, made if absent; by default the store's own
    #[arg(long, value_name = "URL")]
    into: Option<String>,
    /// What the plugin is told before the first event; `@FILE` reads it from a file, `-` from
    /// standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    config: Option<String>,
    /// Start over: throw the projection's documents and parked events away
    #[arg(long)]
    restart: bool,
    /// The time that a call of the plugin may take, besides 20 µs for each event; 250 by default
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=MAX_TIME_MS))]
    time_limit_ms: Option<u64>,
    /// Limit calls by what they compute instead, so that every machine stops the same ones: in
    /// units of fuel, besides 100 000 for each event; 1000000000 is some 250 ms
    #[arg(long, value_name = "UNITS", conflicts_with = "time_limit_ms", value_parser = clap::value_parser!(u64).range(1..=MAX_FUEL))]
    fuel: Option<u64>,
    /// The memory that the plugin may take, half of it for documents that it reads; 64 by default
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=MAX_MEMORY_MIB))]
    memory_limit_mib: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The longest time limit that is taken: an hour.
const MAX_TIME_MS: u64 = 3_600_000;

/// The most fuel that is taken: some hour, too.
const MAX_FUEL: u64 = 10_000_000_000_000;

/// The largest memory limit that is taken: all that 32 bits address.
const MAX_MEMORY_MIB: i64 = 4096;

impl Run {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let path = path(self.into.as_deref(), "--into", place)?;
        let config = self.config()?;
        let store = place.open(Absent::Refuse).await?;
        // A wrong plugin must not leave an empty file behind, so the file comes last.
        let plugin_options = self.options();
        let plugin = Plugin::load(&self.plugin, &plugin_options);
        let handler = plugin.and_then(|plugin| plugin.handler(config));
        let handler = handler.map_err(|error| self.refused(error))?;
        let read_model = ReadModel::open_or_create(&path)?;

        let name = handler.descriptor().name.clone();
        let options = ProjectorOptions {
            start: if self.restart {
                Start::Restart
            } else {
                Start::Resume
            },
            limits: plugin_options.limits.answers,
            ..ProjectorOptions::default()
        };
        let until = if self.follow {
            Until::Stopped(asked_to_stop()?)
        } else {
            Until::CaughtUp
        };
        let bar = progress("projecting");
        let mut talk = Talk {
            name: name.clone(),
            follow: self.follow,
            bar: bar.clone(),
            caught_up: false,
        };
        let projector = Projector::new(store.clone(), Box::new(handler), read_model, options)
            .with_progress(move |progress| talk.tell(progress));
        let ended = projector.run(until).await;
        bar.finish_and_clear();
        let progress = ended.map_err(|error| self.failure(error))?;
        self.report(&name, &progress, out)?;
        Ok(store.close().await?)
    }

    fn options(&self) -> PluginOptions {
        let mut options = PluginOptions::default();
        if let Some(limit) = self.time_limit_ms {
            options.limits.time = Duration::from_millis(limit);
        }
        if let Some(fuel) = self.fuel {
            options.interruption = Interruption::Fuel;
            options.limits.fuel = fuel;
        }
        if let Some(limit) = self.memory_limit_mib {
            let bytes = u64::from(limit) << 20;
            options.limits.memory_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            // The plugin has to hold what it reads.
            options.limits.answers.read_bytes = options.limits.memory_bytes / 2;
        }
        options
    }

    fn config(&self) -> Result<Bytes, Failure> {
        let Some(text) = &self.config else {
            return Ok(Bytes::new());
        };
        let bytes = if text == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            bytes.into()
        } else if let Some(path) = text.strip_prefix('@') {
            std::fs::read(path).map(Bytes::from).map_err(|error| {
                Failure::file("read", path.as_ref(), &error)
                    .help("`--config @FILE` reads the configuration from a file")
            })?
        } else {
            Bytes::from(text.clone())
        };
        match serde_json::from_slice::<serde::de::IgnoredAny>(&bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(
                Failure::usage(format!("the configuration is no JSON: {error}"))
                    .help("quote it for the shell, for example `--config '{\"depth\":2}'`"),
            ),
        }
    }

    /// Why the plugin is not loaded. A limit can be raised here.
    fn refused(&self, error: PluginError) -> Failure {
        let help = match &error {
            PluginError::Fault { fault, .. } if fault.code == "out-of-time" => {
                Some("allow more with `--time-limit-ms`")
            }
            PluginError::Fault { fault, .. } if fault.code == "out-of-fuel" => {
                Some("allow more with `--fuel`")
            }
            PluginError::Fault { fault, .. } if fault.code == "out-of-memory" => {
                Some("allow more with `--memory-limit-mib`")
            }
            // A plugin may need more from the start.
            PluginError::Invalid { .. } if self.memory_limit_mib.is_some() => {
                Some("try it without `--memory-limit-mib`")
            }
            _ => None,
        };
        let failure = Failure::from(error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }

    /// A command on the documents of this run.
    fn command(&self, rest: &str) -> String {
        command(rest, self.into.as_deref().map(|url| ("--from", url)))
    }

    /// Why it ended, with what to do next.
    fn failure(&self, error: ProjectorError) -> Failure {
        let parked = match &error {
            ProjectorError::Failed { name, .. } => Some(self.command(&format!("parked {name}"))),
            _ => None,
        };
        let failure = Failure::from(error);
        match parked {
            Some(parked) if failure.code == "too-many-parked" => failure.help(format!(
                "{parked} tells why; mend the plugin and start over with `--restart`"
            )),
            _ => failure,
        }
    }

    fn report(&self, name: &Name, progress: &Progress, out: &mut Output) -> Result<(), Failure> {
        let position = progress.position.map(|position| position.get());
        if self.json {
            out.json(&json!({
                "schema": "cim.projection.run/v1",
                "projection": name.as_str(),
                "state": progress.state.as_str(),
                "position": position,
                "events": progress.events,
                "lag": {"events": progress.lag()},
                "parked_aggregates": progress.parked_aggregates,
            }))?;
        } else {
            out.line(&format!(
                "{name}: {}, position {}, {}, {} behind",
                count(progress.events, "event"),
                position.unwrap_or(0),
                progress.state,
                progress.lag(),
            ))?;
        }
        out.flush()?;
        if progress.parked_aggregates > 0 {
            say(&format!(
                "warning: {}; {} tells which events, and why",
                stand_still(progress.parked_aggregates),
                self.command(&format!("parked {name}")),
            ));
        }
        Ok(())
    }
}

/// What people are told while it runs.
struct Talk {
    name: Name,
    follow: bool,
    bar: ProgressBar,
    /// Whether it was told so last.
    caught_up: bool,
}

impl Talk {
    fn tell(&mut self, progress: &Progress) {
        let lag = progress.lag();
        self.bar.set_length(progress.events + lag);
        self.bar.set_position(progress.events);
        self.bar
            .set_message(format!("{}: {}, {lag} behind", self.name, progress.state));
        // A run that has an end tells all of it there.
        if !self.follow {
            return;
        }
        for event in &progress.newly_parked {
            let ParkedEvent {
                aggregate,
                position,
                reason,
                ..
            } = event;
            self.say(&plain(&format!(
                "warning: `{aggregate}` is parked, and its documents stand still: the event at \
                 position {position} {reason}"
            )));
        }
        let caught_up = progress.state != State::CatchingUp;
        if caught_up && !self.caught_up {
            self.say("Caught up; new events follow.");
            if progress.parked_aggregates > 0 {
                let parked = stand_still(progress.parked_aggregates);
                self.say(&format!("warning: {parked}"));
            }
        }
        self.caught_up = caught_up;
    }

    /// Says it above the bar.
    fn say(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }
}

fn stand_still(aggregates: usize) -> String {
    match aggregates {
        1 => "1 aggregate is parked: its documents stand still".to_owned(),
        more => format!("{more} aggregates are parked: their documents stand still"),
    }
}

/// Ready when the person or the system asks for the end.
fn asked_to_stop() -> Result<BoxFuture<'static, ()>, Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Registered now, so that no signal of the run's start is missed.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(Box::pin(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }))
    }
    #[cfg(not(unix))]
    {
        Ok(Box::pin(async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }))
    }
}
