//! `cim keys account`.

use cim_core::domain::keys::Directory;
use cim_core::jwt::{AccountClaims, Claims, JetStreamLimits};
use clap::{Args, Subcommand};

use super::change::ChangeArgs;
use super::claims::{claims, fields};
use super::entities::{List, RotateKeys, Show, created};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::Draft;

/// How people write what a token is to say.
const CLAIMS_HELP: &str = "\
Examples:
  cim keys account create orders --jetstream
  cim keys account create orders --claims '{\"limits\":{\"conn\":100},\"description\":\"Orders\"}'
  cim keys account create orders --claims @orders.json

Claims are what stands under `nats` in a token. What is not named is not limited.";

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make an account with a signing key
    Create(CreateAccount),
    /// List accounts
    #[command(after_help = "Examples:\n  cim keys account list\n  cim keys account list --json")]
    List(List),
    /// Show an account
    #[command(
        after_help = "Examples:\n  cim keys account show orders\n  cim keys account show orders --json"
    )]
    Show(Show),
    /// Change what an account's token says
    Set(SetAccount),
    /// Make successors for an account's signing keys
    Rotate(RotateKeys),
}

#[derive(Args, Debug)]
#[command(after_help = CLAIMS_HELP)]
pub(crate) struct CreateAccount {
    /// Its name
    name: String,
    /// Its operator, by name or key, where there are several
    #[arg(long)]
    operator: Option<String>,
    /// Let it use JetStream, without limits
    #[arg(long)]
    jetstream: bool,
    /// What its token is to say: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    claims: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys account set orders --claims '{\"limits\":{\"conn\":100}}'
  cim keys account set orders --claims @orders.json --dry-run

Claims are laid over those that are there; with `--replace` they take their place, and what is not
named is not limited. `cim keys account show orders --json` shows them.")]
pub(crate) struct SetAccount {
    /// The account, by name or key
    account: String,
    /// What its token is to say: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    claims: String,
    /// Let them take the place of all that is there, but for signing keys and revocations
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

impl Account {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let find = |directory: &Directory, text: &str| directory.find_account(text);
        match self {
            Self::Create(command) => command.run(place, out).await,
            Self::List(command) => {
                let all = |directory: &Directory, of: Option<&str>| match of {
                    None => Ok(directory.accounts.keys().copied().collect()),
                    Some(of) => {
                        let operator = directory.find_operator(Some(of))?;
                        Ok(directory.accounts_of(operator).collect())
                    }
                };
                command.run("account", all, place, out).await
            }
            Self::Show(command) => command.run("account", find, place, out).await,
            Self::Set(command) => command.run(place, out).await,
            Self::Rotate(command) => command.run("account", find, place, out).await,
        }
    }
}

impl CreateAccount {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let mut claims: AccountClaims = claims(self.claims.as_deref())?;
        if self.jetstream {
            claims.limits.jetstream = JetStreamLimits::unlimited();
        }
        let create = |draft: &mut Draft<'_>| {
            let operator = draft.directory().find_operator(self.operator.as_deref())?;
            draft.create_account(operator, &self.name, claims.clone())
        };
        let schema = "cim.keys.account.create/v1";
        let next = "Servers know it after `cim keys server push`.";
        let run = self
            .change
            .run(place, out, schema, create, |identities, key| {
                Ok(created(identities.directory(), key, next))
            });
        run.await
    }
}

impl SetAccount {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let fields = fields(&self.claims)?;
        let set = |draft: &mut Draft<'_>| {
            let account = draft.directory().find_account(&self.account)?;
            let state = draft.directory().accounts.get(&account);
            let present = state.map(|entry| entry.state.settings().clone());
            let claims: Claims<AccountClaims> = match present.filter(|_| !self.replace) {
                Some(present) => Claims::draft_over(present, account, "", fields.clone()),
                None => Claims::draft(account, "", fields.clone()),
            }?;
            draft.set_account(account, claims.body)?;
            Ok(account)
        };
        let schema = "cim.keys.account.set/v1";
        let next = "Servers know it after `cim keys server push`.";
        let run = self.change.run(place, out, schema, set, |identities, key| {
            Ok(created(identities.directory(), key, next))
        });
        run.await
    }
}
