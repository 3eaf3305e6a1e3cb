//! `cim keys server`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::change::Told;
use super::folder::FolderArgs;
#[cfg(feature = "jetstream")]
use super::push;
use super::server_file::ServerFileArgs;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::IdentityError;

#[derive(Debug, Subcommand)]
pub(crate) enum Server {
    /// Write the configuration of a server
    Config(Config),
    /// Bring accounts to running servers
    #[cfg(feature = "jetstream")]
    Push(push::Push),
    /// Compare the accounts of running servers with ours
    #[cfg(feature = "jetstream")]
    Diff(push::Diff),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys server config && nats-server -c identity/nats-server.conf
  cim keys server config --resolver memory --config /etc/nats/nats-server.conf

A server with accounts in memory knows a change after this and `nats-server --signal reload`. The
operator's token is read when a server starts.")]
pub(crate) struct Config {
    /// The operator, by name or key, where there are several
    #[arg(long)]
    operator: Option<String>,
    #[command(flatten)]
    server: ServerFileArgs,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Server {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Config(command) => command.run(place, out).await,
            #[cfg(feature = "jetstream")]
            Self::Push(command) => command.run(place, out).await,
            #[cfg(feature = "jetstream")]
            Self::Diff(command) => command.run(place, out).await,
        }
    }
}

impl Config {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let identities = self.folder.open(place).await?;
        let operator = identities
            .directory()
            .find_operator(self.operator.as_deref());
        let operator = operator.map_err(IdentityError::from)?;
        let file = self.server.write(&identities, operator, &self.folder.dir)?;
        let told = Told {
            document: json!({"config": file}),
            lines: vec![file.display().to_string()],
            next: Some(format!("Run `nats-server -c {}`.", file.display())),
        };
        told.print("cim.keys.server.config/v1", self.json, out)
    }
}
