//! `cim keys operator`.

use cim_core::domain::keys::Directory;
use cim_core::jwt::OperatorClaims;
use clap::{Args, Subcommand};

use super::change::ChangeArgs;
use super::claims::claims;
use super::entities::{List, RotateKeys, Show, created};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::Draft;

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Make an operator with a signing key
    Create(CreateOperator),
    /// List operators
    #[command(after_help = "Example:\n  cim keys operator list --json")]
    List(List),
    /// Show an operator
    #[command(after_help = "Example:\n  cim keys operator show acme")]
    Show(Show),
    /// Make successors for an operator's signing keys
    #[command(after_help = "\
Examples, in this order:
  cim keys operator rotate acme
  cim keys server config
  cim keys server push

Between the last two, servers are restarted one by one: they read an operator's token at the start alone.
The old keys count on until `cim keys signing-key remove` takes them out; then the last two again. The
identity key itself cannot be changed.")]
    Rotate(RotateKeys),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys operator create acme
  cim keys operator create acme --strict --claims @operator.json")]
pub(crate) struct CreateOperator {
    /// Its name
    name: String,
    /// Let signing keys alone sign accounts and users; identity keys may then be kept elsewhere
    #[arg(long)]
    strict: bool,
    /// What its token is to say: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    claims: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

impl Operator {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let find = |directory: &Directory, text: &str| directory.find_operator(Some(text));
        match self {
            Self::Create(command) => command.run(place, out).await,
            Self::List(command) => {
                let all = |directory: &Directory, of: Option<&str>| match of {
                    None => Ok(directory.operators.keys().copied().collect()),
                    named => Ok(vec![directory.find_operator(named)?]),
                };
                command.run("operator", all, place, out).await
            }
            Self::Show(command) => command.run("operator", find, place, out).await,
            Self::Rotate(command) => command.run("operator", find, place, out).await,
        }
    }
}

impl CreateOperator {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let mut claims: OperatorClaims = claims(self.claims.as_deref())?;
        claims.is_strict |= self.strict;
        let create = |draft: &mut Draft<'_>| draft.create_operator(&self.name, claims.clone());
        let schema = "cim.keys.operator.create/v1";
        let run = self
            .change
            .run(place, out, schema, create, |identities, key| {
                Ok(created(
                    identities.directory(),
                    key,
                    "make accounts: `cim keys account create`",
                ))
            });
        run.await
    }
}
