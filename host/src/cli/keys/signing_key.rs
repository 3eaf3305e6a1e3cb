//! `cim keys signing-key`.

use cim_core::domain::keys::{Directory, KeyRole};
use cim_core::nkey::PublicKey;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::LimitArgs;
use super::change::{ChangeArgs, Told, with_schema};
use super::describe::{self, describe};
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::{Draft, IdentityError};

#[derive(Debug, Subcommand)]
pub(crate) enum SigningKey {
    /// Make another signing key for an operator or account
    Create(Create),
    /// List signing keys
    List(List),
    /// Show a signing key
    Show(Show),
    /// Make a successor for a signing key
    Rotate(Rotate),
    /// Take a signing key out: what it has signed counts no more
    Remove(Remove),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys signing-key create orders
  cim keys signing-key create orders --role reader --subscribe 'orders.>' --deny-publish '>'
  cim keys signing-key create orders --role member --publish 'team.{{tag(team)}}.>'

All users of a role may do what its key says. In its subjects stand {{name()}}, {{subject()}},
{{account-name()}}, {{account-subject()}}, {{tag(NAME)}} and {{account-tag(NAME)}} for each user's own.")]
pub(crate) struct Create {
    /// The operator or account, by name or key
    holder: String,
    /// The role of users that it signs
    #[arg(long)]
    role: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cim keys signing-key list\n  cim keys signing-key list orders --json"
)]
pub(crate) struct List {
    /// Only those of this operator or account
    holder: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  cim keys signing-key show ACOLHZTPHNEXLCO5BWGWZT7KRHZCZ33S4E2RLMTQIXBMRX77MEWC5LF5"
)]
pub(crate) struct Show {
    /// The key
    key: PublicKey,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example, without anybody losing their connection:
  cim keys signing-key rotate ACOLHZTPHNEXLCO5BWGWZT7KRHZCZ33S4E2RLMTQIXBMRX77MEWC5LF5
  cim keys server push orders
  cim keys user creds ann
  cim keys signing-key remove ACOLHZTPHNEXLCO5BWGWZT7KRHZCZ33S4E2RLMTQIXBMRX77MEWC5LF5
  cim keys server push orders")]
pub(crate) struct Rotate {
    /// The key
    key: PublicKey,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  cim keys signing-key remove ACOLHZTPHNEXLCO5BWGWZT7KRHZCZ33S4E2RLMTQIXBMRX77MEWC5LF5"
)]
pub(crate) struct Remove {
    /// The key
    key: PublicKey,
    /// Why, for people
    #[arg(long, default_value = "removed")]
    reason: String,
    #[command(flatten)]
    change: ChangeArgs,
}

impl SigningKey {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(place, out).await,
            Self::List(command) => command.run(place, out).await,
            Self::Show(command) => command.run(place, out).await,
            Self::Rotate(command) => command.run(place, out).await,
            Self::Remove(command) => command.run(place, out).await,
        }
    }
}

impl Create {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        if self.role.is_none() && !self.limits.is_empty() {
            let message = "a signing key without a role does not limit what it signs";
            return Err(Failure::usage(message).help("name its `--role`, or leave the limits out"));
        }
        let create = |draft: &mut Draft<'_>| {
            let holder = holder(draft.directory(), &self.holder)?;
            let role = self.role.as_deref();
            let role = role.map(|role| (role, self.limits.limits()));
            draft.add_signing_key(holder, role)
        };
        let schema = "cim.keys.signing-key.create/v1";
        let run = self
            .change
            .run(place, out, schema, create, |identities, key| {
                Ok(Told {
                    document: describe(identities.directory(), key),
                    lines: vec![key.to_string()],
                    next: Some(next(key).to_owned()),
                })
            });
        run.await
    }
}

impl List {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let directory = self.folder.read(place).await?;
        let of = self.holder.as_deref();
        let of = of.map(|of| holder(&directory, of)).transpose()?;
        let keys = directory.keys.iter().filter(|(_, entry)| {
            let facts = entry.state.facts();
            facts.is_some_and(|facts| {
                facts.role == KeyRole::Signing && of.is_none_or(|of| facts.holder == of)
            })
        });
        let listed: Vec<Value> = keys.map(|(key, _)| describe(&directory, *key)).collect();
        if self.json {
            let document = json!({"signing_keys": listed});
            return out.json(&with_schema("cim.keys.signing-key.list/v1", document));
        }
        for key in listed {
            let text = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
            out.line(&format!(
                "{}  {}  {}  {}",
                text("holder"),
                text("key"),
                text("state"),
                text("role")
            ))?;
        }
        Ok(())
    }
}

impl Show {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let directory = self.folder.read(place).await?;
        let state = directory.key(self.key);
        if state
            .facts()
            .is_none_or(|facts| facts.role != KeyRole::Signing)
        {
            let message = format!("there is no signing key `{}`", self.key);
            return Err(Failure::new(Exit::NotFound, "not-signing-key", message)
                .help("see `cim keys signing-key list`"));
        }
        let document = describe(&directory, self.key);
        match self.json {
            true => out.json(&with_schema("cim.keys.signing-key.show/v1", document)),
            false => describe::print(&document, out),
        }
    }
}

impl Rotate {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let rotate = |draft: &mut Draft<'_>| draft.rotate_signing_key(self.key);
        let schema = "cim.keys.signing-key.rotate/v1";
        let run = self.change.run(place, out, schema, rotate, |_, successor| {
            Ok(rotated(&[(self.key, successor)]))
        });
        run.await
    }
}

impl Remove {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let remove = |draft: &mut Draft<'_>| draft.remove_signing_key(self.key, &self.reason);
        let schema = "cim.keys.signing-key.remove/v1";
        let run = self
            .change
            .run(place, out, schema, remove, |identities, ()| {
                Ok(Told {
                    document: describe(identities.directory(), self.key),
                    lines: vec![self.key.to_string()],
                    next: Some(next(self.key).to_owned()),
                })
            });
        run.await
    }
}

/// What is said of keys and their successors.
pub(crate) fn rotated(keys: &[(PublicKey, PublicKey)]) -> Told {
    let rotated: Vec<Value> = keys
        .iter()
        .map(|(key, successor)| json!({"key": key, "successor": successor}))
        .collect();
    let lines = keys
        .iter()
        .map(|(key, successor)| format!("{key}  {successor}"));
    Told {
        document: json!({"rotated": rotated}),
        lines: lines.collect(),
        next: keys.first().map(|(key, _)| {
            format!(
                "{} Then issue new creds, and take the old key out with `cim keys signing-key \
                 remove {key}`.",
                next(*key)
            )
        }),
    }
}

/// How servers come to know.
fn next(key: PublicKey) -> &'static str {
    match key.kind() {
        cim_core::nkey::KeyKind::Operator => {
            "Write the servers' configuration anew with `cim keys server config`, restart them one by \
             one, then `cim keys server push`."
        }
        _ => "Servers know it after `cim keys server push`.",
    }
}

/// An account or an operator, by name or key.
fn holder(directory: &Directory, text: &str) -> Result<PublicKey, IdentityError> {
    match directory.find_account(text) {
        Ok(account) => Ok(account),
        Err(error) => match directory.find_operator(Some(text)) {
            Ok(operator) => Ok(operator),
            Err(_) => Err(error.into()),
        },
    }
}
