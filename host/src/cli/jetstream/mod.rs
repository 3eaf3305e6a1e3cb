//! The commands that look at NATS itself: streams and consumers.

mod consumer;
mod grid;
mod stream;

use clap::Args;

pub(crate) use self::consumer::Consumer;
pub(crate) use self::stream::Stream;

use super::failure::{Exit, Failure};
use super::place::Place;
use crate::config::Config;
use crate::jetstream::plan::PlanError;
use crate::jetstream::{JetStreamClient, JetStreamError, NatsOptions, Process};
use crate::open;

/// Which server a command works on.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// The server, for example `nats://localhost:4222`; by default that of the store, else
    /// NATS_URL, else cim.toml, else the selected context of `nats`
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
}

/// A server with a connection to it.
pub(crate) struct Server {
    pub(crate) client: JetStreamClient,
    pub(crate) options: NatsOptions,
}

impl ServerArgs {
    /// How the server is reached: what was named, else where the store is.
    fn options(&self, place: &Place) -> Result<NatsOptions, Failure> {
        let store = Some(&place.url).filter(|url| open::is_nats_url(url));
        let url = self.nats.as_ref().or(store);
        let options = NatsOptions::resolve(url.map(String::as_str), &place.config, &Process)?;
        Ok(options)
    }

    /// Whether a server was named, not only a store.
    pub(crate) fn is_given(&self) -> bool {
        self.nats.is_some()
    }

    pub(crate) async fn connect(&self, place: &Place) -> Result<Server, Failure> {
        let options = self.options(place)?;
        let client = JetStreamClient::connect(&options).await?;
        Ok(Server { client, options })
    }
}

impl Server {
    /// The stream of the store.
    pub(crate) fn store_stream(&self, config: &Config) -> String {
        open::stream_name(&self.options, config)
    }

    /// The URL without the stream and without secrets.
    pub(crate) fn url(&self) -> String {
        let mut options = self.options.clone();
        options.stream = None;
        options.url()
    }
}

impl From<JetStreamError> for Failure {
    fn from(error: JetStreamError) -> Self {
        let failure = Self::of(exit_of(&error), error.code(), &error);
        match help_of(&error) {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let exit = match &error {
            PlanError::Config(_)
            | PlanError::Template { .. }
            | PlanError::OutsideTemplate { .. }
            | PlanError::SameName { .. }
            | PlanError::SameSubjects { .. } => Exit::Usage,
            PlanError::WouldLose { .. } => Exit::NotAllowed,
            PlanError::JetStream { source, .. } => exit_of(source),
            PlanError::Overlaps { .. }
            | PlanError::CannotChange { .. }
            | PlanError::ChangedMeanwhile { .. } => Exit::Failed,
        };
        let failure = Self::of(exit, error.code(), &error);
        let source = match &error {
            PlanError::JetStream { source, .. } => help_of(source),
            _ => None,
        };
        match error.help().or(source) {
            Some(help) => failure.help(help),
            None => failure.help("mend `cim.toml`; `cim init --help` shows one"),
        }
    }
}

fn exit_of(error: &JetStreamError) -> Exit {
    match error {
        JetStreamError::NotAllowed { .. } => Exit::NotAllowed,
        JetStreamError::NoAnswer { .. }
        | JetStreamError::ConnectionLost { .. }
        | JetStreamError::CircuitOpen { .. }
        | JetStreamError::NobodyListens { .. }
        | JetStreamError::Closed
        | JetStreamError::Connection { .. } => Exit::Unknown,
        JetStreamError::Refused { .. }
        | JetStreamError::AnotherStream { .. }
        | JetStreamError::TooLarge { .. }
        | JetStreamError::Answer { .. } => Exit::Failed,
    }
}

fn help_of(error: &JetStreamError) -> Option<&'static str> {
    match error {
        JetStreamError::NotAllowed { .. } => Some(
            "use another user (`NATS_CREDS`, `[nats]` in `cim.toml`), or let this one publish \
             there; `cim doctor` lists what it needs",
        ),
        JetStreamError::NobodyListens { .. } => Some(
            "switch JetStream on, with `jetstream {}` in the configuration of nats-server and for \
             the account; or name the right `[jetstream] domain` in `cim.toml`",
        ),
        JetStreamError::Refused { number, .. } => match *number {
            OFF | OFF_FOR_ACCOUNT => Some(
                "switch JetStream on, with `jetstream {}` in the configuration of nats-server and \
                 for the account",
            ),
            _ => Some("`cim doctor` looks at the server and the account"),
        },
        JetStreamError::NoAnswer { .. }
        | JetStreamError::ConnectionLost { .. }
        | JetStreamError::CircuitOpen { .. }
        | JetStreamError::Closed
        | JetStreamError::Connection { .. } => {
            Some("check that the server runs and is reached, then try again")
        }
        JetStreamError::TooLarge { .. }
        | JetStreamError::AnotherStream { .. }
        | JetStreamError::Answer { .. } => Some("`cim doctor` looks at the server and its version"),
    }
}

/// Numbers of the server's faults (`errors.json` of nats-server).
const OFF_FOR_ACCOUNT: u32 = 10039;
const OFF: u32 = 10076;
