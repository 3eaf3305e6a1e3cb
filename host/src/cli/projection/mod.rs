//! `cim projection`.

mod list;
mod parked;
mod query;
#[cfg(feature = "plugin")]
mod run;
mod show;

use cim_core::projection::Name;
use clap::{Args, Subcommand};

use super::failure::{Exit, Failure};
use super::output::Output;
use super::place::{Place, sqlite_path};
use crate::projector::{ProjectorError, ReadModelError};
use crate::sqlite::ReadModel;

#[derive(Debug, Subcommand)]
pub(crate) enum Projection {
    /// Run a plugin over the store's events into a read model
    #[cfg(feature = "plugin")]
    Run(run::Run),
    /// List the projections of a read model
    List(list::List),
    /// Show how a projection stands
    Show(show::Show),
    /// Read documents of a projection
    Query(query::Query),
    /// List the events that a projection has set aside
    Parked(parked::Parked),
}

/// Where the read model is.
#[derive(Args, Debug)]
pub(crate) struct From {
    /// The read model, `sqlite:FILE`; by default it is in the store's own file
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

impl From {
    fn open(&self, place: &Place) -> Result<ReadModel, Failure> {
        let url = self.from.as_ref().unwrap_or(&place.url);
        Ok(ReadModel::open(&sqlite_path(url)?)?)
    }
}

impl Projection {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "plugin")]
            Self::Run(command) => command.run(place, out).await,
            Self::List(command) => command.run(place, out),
            Self::Show(command) => command.run(place, out).await,
            Self::Query(command) => command.run(place, out),
            Self::Parked(command) => command.run(place, out),
        }
    }
}

impl std::convert::From<ReadModelError> for Failure {
    fn from(error: ReadModelError) -> Self {
        let (exit, help) = match &error {
            ReadModelError::NotFound { .. } => (
                Exit::NotFound,
                "`cim projection run PLUGIN` makes one; name another with `--from URL`",
            ),
            ReadModelError::NoProjection { .. } => (
                Exit::NotFound,
                "`cim projection list` shows those that are there; `--from URL` names another \
                 read model",
            ),
            ReadModelError::NoCollection { .. } => {
                (Exit::NotFound, "name a collection of the projection")
            }
            ReadModelError::TableTaken { .. } => (
                Exit::Failed,
                "keep one of the projections in another file: `--into sqlite:FILE`",
            ),
            ReadModelError::Foreign { .. } => (
                Exit::Failed,
                "name another file, for example `sqlite:views.db`",
            ),
            ReadModelError::Io { .. } => (
                Exit::Failed,
                "check that the file and its folder are there and may be written",
            ),
        };
        Self::of(exit, error.code(), &error).help(help)
    }
}

impl std::convert::From<ProjectorError> for Failure {
    fn from(error: ProjectorError) -> Self {
        let help = error.help();
        let code = error.code();
        match error {
            ProjectorError::ReadModel(error) => error.into(),
            ProjectorError::Store(error) => error.into(),
            ProjectorError::Failed { ref name, .. } => Self::of(Exit::Unhealthy, code, &error)
                .help(format!(
                    "`cim projection parked {name}` shows what is set aside; mend the plugin, \
                     then run it with `--restart`"
                )),
            other => {
                let failure = Self::of(Exit::Failed, code, &other);
                match help {
                    Some(help) => failure.help(help),
                    None => failure,
                }
            }
        }
    }
}

/// Takes the name of a projection or a collection.
fn name(text: &str) -> Result<Name, cim_core::projection::ProjectionNameError> {
    Name::new(text)
}
