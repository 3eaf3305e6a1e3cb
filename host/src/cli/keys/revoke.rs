//! `cim keys revoke`.

use clap::Args;
use serde_json::json;

use super::change::{ChangeArgs, Told};
use super::describe::{self, describe};
use super::entities::path;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::Draft;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys revoke ann --reason 'laptop lost' && cim keys server push orders
  cim keys revoke --all-of orders

A user that was revoked is made anew with `cim keys user rotate`. With `--all-of`, all tokens of an
account that were issued until now count no more; its users stay, and get new creds.")]
pub(crate) struct Revoke {
    /// The user, by name, key, or ACCOUNT/NAME
    #[arg(required_unless_present = "all_of")]
    user: Option<String>,
    /// All users of an account, by name or key
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "user")]
    all_of: Option<String>,
    /// Why, for people
    #[arg(long, default_value = "revoked")]
    reason: String,
    #[command(flatten)]
    change: ChangeArgs,
}

impl Revoke {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let revoke = |draft: &mut Draft<'_>| match (&self.user, &self.all_of) {
            (Some(user), _) => {
                let user = draft.directory().find_user(user)?;
                draft.revoke_user(user, &self.reason)?;
                Ok(user)
            }
            (None, account) => {
                let account = account.as_deref().unwrap_or_default();
                let account = draft.directory().find_account(account)?;
                draft.revoke_all(account)?;
                Ok(account)
            }
        };
        let schema = "cim.keys.revoke/v1";
        let run = self
            .change
            .run(place, out, schema, revoke, |identities, key| {
                let directory = identities.directory();
                let account = directory
                    .users
                    .get(&key)
                    .and_then(|entry| entry.state.account);
                let account = path(directory, account.unwrap_or(key));
                let creds = self
                    .change
                    .folder
                    .creds(&account, &describe::name(directory, key));
                let left = match self.user.is_some() && creds.exists() {
                    true => format!(" Its creds are in `{}` still.", creds.display()),
                    false => String::new(),
                };
                Ok(Told {
                    document: json!({"revoked": describe(directory, key)}),
                    lines: vec![format!("{}  {key}", path(directory, key))],
                    next: Some(format!(
                        "Servers throw them out after `cim keys server push {account}`.{left}"
                    )),
                })
            });
        run.await
    }
}
