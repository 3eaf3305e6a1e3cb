//! `cim keys permissions`.

use cim_core::domain::keys::Refusal;
use cim_core::jwt::Verdict;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::args::PermissionArgs;
use super::change::{ChangeArgs, Told, with_schema};
use super::describe::describe;
use super::entities::path;
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, say};
use crate::cli::place::Place;
use crate::identity::{Draft, Identities, IdentityError};

#[derive(Debug, Subcommand)]
pub(crate) enum Permissions {
    /// Set what a user, or the users of an account that say nothing of it, may publish and subscribe to
    Set(Set),
    /// Say whether a user may publish or subscribe to a subject, as a server would by its next creds
    Check(Check),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys permissions set ann --publish 'orders.>' --subscribe 'orders.>' --subscribe '_INBOX.>'
  cim keys permissions set --account orders --deny-publish 'audit.>'

It takes the place of all that was set before: without `--subscribe`, everything may be subscribed to.
A user's creds say so once they are
issued anew, an account's defaults once they are pushed.")]
pub(crate) struct Set {
    /// The user, by name, key, or ACCOUNT/NAME
    #[arg(required_unless_present = "account")]
    user: Option<String>,
    /// The account whose defaults are set, by name or key
    #[arg(long, conflicts_with = "user")]
    account: Option<String>,
    /// Everything
    #[arg(long, conflicts_with_all = ["publish", "deny_publish", "subscribe", "deny_subscribe", "responses"])]
    all: bool,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys permissions check ann publish orders.paid
  cim keys permissions check ann subscribe 'orders.>' --queue workers --json

It ends with 0 when it is allowed, and with 4 when not.")]
pub(crate) struct Check {
    /// The user, by name, key, or ACCOUNT/NAME
    user: String,
    /// What it would do
    #[arg(value_enum)]
    action: Action,
    /// Where
    subject: String,
    /// In which queue group it would subscribe
    #[arg(long)]
    queue: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Action {
    Publish,
    Subscribe,
}

impl Permissions {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Set(command) => command.run(place, out).await,
            Self::Check(command) => command.run(place, out).await,
        }
    }
}

impl Set {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        if self.permissions.is_empty() && !self.all {
            let message = "nothing is named that may be done";
            return Err(Failure::usage(message)
                .help("name subjects, such as `--publish 'orders.>'`, or `--all` for everything"));
        }
        let set = |draft: &mut Draft<'_>| {
            let of = match (&self.user, &self.account) {
                (Some(user), _) => draft.directory().find_user(user)?,
                (None, account) => {
                    let account = account.as_deref().unwrap_or_default();
                    draft.directory().find_account(account)?
                }
            };
            draft.set_permissions(of, self.permissions.permissions())?;
            Ok(of)
        };
        let schema = "cim.keys.permissions.set/v1";
        let run = self.change.run(place, out, schema, set, |identities, key| {
            let directory = identities.directory();
            let path = path(directory, key);
            let next = match self.user {
                Some(_) => format!("Its creds say so after `cim keys user creds {path}`."),
                None => "Servers know it after `cim keys server push`.".to_owned(),
            };
            Ok(Told {
                document: describe(directory, key),
                lines: vec![format!("{path}  {key}")],
                next: Some(next),
            })
        });
        run.await
    }
}

impl Check {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        if self.queue.is_some() && self.action == Action::Publish {
            let message = "there are no queue groups for what is published";
            return Err(Failure::usage(message).help("leave `--queue` out"));
        }
        if !is_subject(&self.subject) {
            let message = format!("`{}` is no subject", self.subject);
            return Err(Failure::usage(message).help(
                "subjects are tokens with full stops between them, none of them empty and without \
                 white space",
            ));
        }
        let directory = self.folder.read(place).await?;
        let user = directory.find_user(&self.user);
        let user = user.map_err(IdentityError::from)?;
        let verdict = match Identities::effective_of(&directory, user) {
            Ok(effective) => match self.action {
                Action::Publish => effective.may_publish(&self.subject),
                Action::Subscribe => effective.may_subscribe(&self.subject, self.queue.as_deref()),
            },
            Err(IdentityError::Refused(error @ Refusal::Revoked { .. })) => Verdict::Denied {
                why: error.to_string(),
            },
            Err(error) => return Err(error.into()),
        };
        // Servers go by the token that is out.
        let state = directory.users.get(&user).map(|entry| &entry.state);
        let is_changed = state.is_some_and(|state| state.is_changed && state.issued.is_some());
        let why = match &verdict {
            Verdict::Allowed => None,
            Verdict::AllowedAsAnswer => Some("as an answer alone".to_owned()),
            Verdict::Denied { why } => Some(why.clone()),
        };
        let word = match &verdict {
            Verdict::Allowed => "allowed",
            Verdict::AllowedAsAnswer => "allowed-as-answer",
            Verdict::Denied { .. } => "denied",
        };
        if self.json {
            let document = json!({
                "user": path(&directory, user),
                "verdict": word,
                "allowed": verdict.is_allowed(),
                "why": why,
                "creds_say_otherwise": is_changed,
            });
            out.json(&with_schema("cim.keys.permissions.check/v1", document))?;
        } else {
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            out.line(&format!("{word}{why}"))?;
        }
        out.flush()?;
        if is_changed && !self.json {
            let path = path(&directory, user);
            say(&format!(
                "The creds that are out are older, and may say something else: `cim keys user creds \
                 {path}` issues new ones."
            ));
        }
        if verdict.is_allowed() {
            return Ok(());
        }
        let mut failure = Failure::new(Exit::NotAllowed, "denied", "it is not allowed");
        // It was said on standard output.
        failure.quiet = true;
        Err(failure)
    }
}

/// Whether a server would take it as a subject.
fn is_subject(subject: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty()
            && !token.contains(|found: char| found.is_whitespace() || found.is_control())
    };
    subject.split('.').all(is_token)
}
