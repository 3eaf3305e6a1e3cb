//! `cim projection`.

mod parked;
mod query;
#[cfg(feature = "plugin")]
mod run;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::Output;
use super::place::Place;
use crate::projector::ReadModelError;
use crate::secret::without_user;
use crate::sqlite::ReadModel;

#[derive(Debug, Subcommand)]
pub(crate) enum Projection {
    /// Run a plugin over the store's events
    #[cfg(feature = "plugin")]
    Run(run::Run),
    /// List projections, with their state and how far they are behind
    List(status::List),
    /// Show how a projection stands
    Show(status::Show),
    /// Print documents of a collection
    Query(query::Query),
    /// List the events that a projection has set aside, and why
    Parked(parked::Parked),
}

impl Projection {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "plugin")]
            Self::Run(command) => command.run(place, out).await,
            Self::List(command) => command.run(place, out).await,
            Self::Show(command) => command.run(place, out).await,
            Self::Query(command) => command.run(place, out),
            Self::Parked(command) => command.run(place, out),
        }
    }
}

/// Which file of read models a command reads.
#[derive(Args, Debug)]
struct Models {
    /// The file of the documents, for example `sqlite:views.db`; by default the store's own
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

impl Models {
    fn open(&self, place: &Place) -> Result<ReadModel, Failure> {
        Ok(ReadModel::open(&path(
            self.from.as_deref(),
            "--from",
            place,
        )?)?)
    }

    /// What went wrong, with a help that names this file.
    fn failure(&self, error: ReadModelError) -> Failure {
        let help = match &error {
            ReadModelError::NoProjection { .. } => Some(format!(
                "{} lists those that are there",
                self.command("list")
            )),
            ReadModelError::NoCollection {
                projection, known, ..
            } => known.first().map(|collection| {
                format!(
                    "name one of its own, for example {}",
                    self.command(&format!("query {projection} {collection}"))
                )
            }),
            _ => None,
        };
        let failure = Failure::from(error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }

    /// A command on the same file, to be typed.
    fn command(&self, rest: &str) -> String {
        command(rest, self.from.as_deref().map(|url| ("--from", url)))
    }
}

/// A command in the way it is typed.
fn command(rest: &str, option: Option<(&str, &str)>) -> String {
    match option {
        Some((option, value)) => format!("`cim projection {rest} {option} {value}`"),
        None => format!("`cim projection {rest}`"),
    }
}

/// The file of read models that `option` names, else the store's own.
fn path(url: Option<&str>, option: &str, place: &Place) -> Result<PathBuf, Failure> {
    let Some(url) = url else {
        return Ok(crate::open::sqlite_path(&place.url)?);
    };
    if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let shown = without_user(url);
    let failure = match url.split_once("://") {
        Some(("nats" | "tls" | "ws" | "wss", _)) => Failure::usage(format!(
            "`{shown}`: this version keeps documents in SQLite only"
        )),
        _ => Failure::usage(format!("`{shown}` is not the URL of a file of documents")),
    };
    Err(failure.help(format!(
        "write `sqlite:FILE`, for example `{option} sqlite:views.db`"
    )))
}
