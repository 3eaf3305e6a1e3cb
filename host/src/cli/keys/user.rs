//! `cim keys user`.

use std::path::PathBuf;

use cim_core::domain::keys::Directory;
use cim_core::jwt::UserLimits;
use clap::{Args, Subcommand};
use serde_json::json;

use super::args::{LimitArgs, Until, until};
use super::change::{ChangeArgs, Told};
use super::describe;
use super::entities::{List, Show, created, path};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::files::{check_writable, write_private};
use crate::identity::Draft;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user
    Create(Box<CreateUser>),
    /// List users
    #[command(after_help = "Examples:\n  cim keys user list\n  cim keys user list orders --json")]
    List(List),
    /// Show a user
    #[command(
        after_help = "Examples:\n  cim keys user show ann\n  cim keys user show orders/ann --json"
    )]
    Show(Show),
    /// Issue a token to a user, and write it to a file with the user's seed
    Creds(Creds),
    /// Revoke a user, and make one of the same name in its place
    Rotate(RotateUser),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys user create ann --account orders --publish 'orders.>' --subscribe '_INBOX.>'
  cim keys signing-key create orders --role reader --subscribe 'orders.>'
  cim keys user create bob --account orders --role reader --tag team:blue
  cim keys user creds ann")]
pub(crate) struct CreateUser {
    /// Its name
    name: String,
    /// Its account, by name or key
    #[arg(long)]
    account: String,
    /// The role that says what it may do, of a signing key of the account
    #[arg(long)]
    role: Option<String>,
    /// A word that roles use in subjects, `name:value`; may be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys user creds ann
  cim keys user creds orders/ann --expires 30d --out ann.creds

The file is for its owner alone. A token that was issued before counts on until it ends or the user
is revoked.")]
pub(crate) struct Creds {
    /// The user, by name, key, or ACCOUNT/NAME
    user: String,
    /// The file; creds/ACCOUNT/USER.creds in the folder of identities by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// When the token ends: a duration such as 12h or 30d, or a time; never by default
    #[arg(long, value_name = "DURATION|TIME", value_parser = until)]
    expires: Option<Until>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys user rotate ann
  cim keys user creds ann && cim keys server push orders")]
pub(crate) struct RotateUser {
    /// The user, by name, key, or ACCOUNT/NAME
    user: String,
    #[command(flatten)]
    change: ChangeArgs,
}

impl User {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(place, out).await,
            Self::List(command) => {
                let all = |directory: &Directory, of: Option<&str>| match of {
                    None => Ok(directory.users.keys().copied().collect()),
                    Some(of) => {
                        let account = directory.find_account(of)?;
                        Ok(directory.users_of(account).collect())
                    }
                };
                command.run("user", all, place, out).await
            }
            Self::Show(command) => {
                let find = |directory: &Directory, text: &str| directory.find_user(text);
                command.run("user", find, place, out).await
            }
            Self::Creds(command) => command.run(place, out).await,
            Self::Rotate(command) => command.run(place, out).await,
        }
    }
}

impl CreateUser {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let limits = match &self.role {
            Some(_) if !self.limits.is_empty() => {
                let message = "a user with a role has no permissions and limits of its own";
                return Err(Failure::usage(message).help("leave `--role` out, or the others"));
            }
            Some(_) => UserLimits::none(),
            None => self.limits.limits(),
        };
        let create = |draft: &mut Draft<'_>| {
            let account = draft.directory().find_account(&self.account)?;
            let (role, tags) = (self.role.as_deref(), self.tag.clone());
            draft.create_user(account, &self.name, role, limits.clone(), tags)
        };
        let schema = "cim.keys.user.create/v1";
        let run = self
            .change
            .run(place, out, schema, create, |identities, key| {
                let directory = identities.directory();
                let next = format!(
                    "Log in with `cim keys user creds {}`.",
                    path(directory, key)
                );
                Ok(created(directory, key, &next))
            });
        run.await
    }
}

impl Creds {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let expires = Until::second(self.expires)?;
        // A token that cannot be written is better not issued.
        if let Some(file) = &self.out {
            check_writable(file).map_err(|error| Failure::file("write", file, &error))?;
        }
        let issue = |draft: &mut Draft<'_>| {
            let user = draft.directory().find_user(&self.user)?;
            draft.generate_credentials(user, expires)
        };
        let schema = "cim.keys.user.creds/v1";
        let run = self
            .change
            .run(place, out, schema, issue, |identities, creds| {
                let directory = identities.directory();
                let file = self.out.clone().unwrap_or_else(|| {
                    let account = directory.users[&creds.user()].state.account;
                    let account =
                        account.map_or(String::new(), |key| describe::name(directory, key));
                    let name = describe::name(directory, creds.user());
                    self.change.folder.creds(&account, &name)
                });
                write_private(&file, creds.expose().as_bytes())
                    .map_err(|error| Failure::file("write", &file, &error))?;
                let user = path(directory, creds.user());
                Ok(Told {
                    document: json!({"user": user, "key": creds.user(), "file": file}),
                    lines: vec![file.display().to_string()],
                    next: None,
                })
            });
        run.await
    }
}

impl RotateUser {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let rotate = |draft: &mut Draft<'_>| {
            let user = draft.directory().find_user(&self.user)?;
            draft.rotate_user(user)
        };
        let schema = "cim.keys.user.rotate/v1";
        let run = self.change.run(place, out, schema, rotate, |identities, key| {
            let directory = identities.directory();
            let next = format!(
                "The old tokens count until `cim keys server push`. Log in with `cim keys user creds \
                 {}`.",
                path(directory, key)
            );
            Ok(created(directory, key, &next))
        });
        run.await
    }
}
