//! What the commands of operators, accounts and users share: lists, descriptions, successors of keys.

use cim_core::domain::keys::{Directory, LookupError};
use cim_core::nkey::PublicKey;
use clap::Args;
use serde_json::{Value, json};

use super::change::{ChangeArgs, Told, with_schema};
use super::describe::{self, describe};
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::{Draft, IdentityError};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys account rotate orders
  cim keys server push orders
  cim keys user creds ann

The old keys count on until `cim keys signing-key remove` takes them out. Who an operator or account
is, its identity key, cannot be changed.")]
pub(crate) struct RotateKeys {
    /// Which, by name or key
    holder: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cim keys account list\n  cim keys user list orders --json")]
pub(crate) struct List {
    /// Only those of this operator or account
    of: Option<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cim keys account show orders\n  cim keys user show ann --json"
)]
pub(crate) struct Show {
    /// Which, by name or key
    which: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

type Found<T> = Result<T, LookupError>;

impl List {
    pub(super) async fn run(
        self,
        noun: &str,
        all: impl Fn(&Directory, Option<&str>) -> Found<Vec<PublicKey>>,
        place: &Place,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let directory = self.folder.read(place).await?;
        let keys = all(&directory, self.of.as_deref()).map_err(not_found)?;
        if self.json {
            let listed: Vec<Value> = keys.iter().map(|key| describe(&directory, *key)).collect();
            let mut document = json!({});
            document[format!("{noun}s")] = listed.into();
            return out.json(&with_schema(&format!("cim.keys.{noun}.list/v1"), document));
        }
        let mut lines: Vec<String> = keys
            .iter()
            .map(|key| {
                let state = directory.key(*key).name();
                format!("{}  {key}  {state}", path(&directory, *key))
            })
            .collect();
        lines.sort();
        lines.iter().try_for_each(|line| out.line(line))
    }
}

/// The name of an operator or account; that of a user behind its account's.
pub(crate) fn path(directory: &Directory, key: PublicKey) -> String {
    let name = describe::name(directory, key);
    let account = directory
        .users
        .get(&key)
        .and_then(|entry| entry.state.account);
    match account {
        Some(account) => format!("{}/{name}", describe::name(directory, account)),
        None => name,
    }
}

impl Show {
    pub(super) async fn run(
        self,
        noun: &str,
        find: impl Fn(&Directory, &str) -> Found<PublicKey>,
        place: &Place,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let directory = self.folder.read(place).await?;
        let key = find(&directory, &self.which).map_err(not_found)?;
        let document = describe(&directory, key);
        match self.json {
            true => out.json(&with_schema(&format!("cim.keys.{noun}.show/v1"), document)),
            false => describe::print(&document, out),
        }
    }
}

fn not_found(error: LookupError) -> Failure {
    IdentityError::from(error).into()
}

impl RotateKeys {
    pub(super) async fn run(
        self,
        noun: &str,
        find: impl Fn(&Directory, &str) -> Found<PublicKey>,
        place: &Place,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let rotate = |draft: &mut Draft<'_>| {
            let holder = find(draft.directory(), &self.holder)?;
            let directory = draft.directory();
            let keys: Vec<PublicKey> = match directory.accounts.get(&holder) {
                Some(entry) => {
                    let keys = entry.state.signing_keys.iter();
                    keys.filter_map(|key| key.key().parse().ok()).collect()
                }
                None => directory.operators[&holder].state.signing_keys.clone(),
            };
            // The oldest first, so that the newest stays the newest.
            let active: Vec<PublicKey> = keys
                .into_iter()
                .filter(|key| directory.key(*key).signer().is_ok())
                .collect();
            active
                .into_iter()
                .map(|key| Ok((key, draft.rotate_signing_key(key)?)))
                .collect::<Result<Vec<_>, IdentityError>>()
        };
        let schema = format!("cim.keys.{noun}.rotate/v1");
        let run = self.change.run(place, out, &schema, rotate, |_, rotated| {
            if rotated.is_empty() {
                let message = format!("`{}` has no signing key that signs", self.holder);
                return Err(
                    Failure::new(Exit::NotFound, "not-signing-key", message).help(format!(
                        "make one: `cim keys signing-key create {}`",
                        self.holder
                    )),
                );
            }
            Ok(super::signing_key::rotated(&rotated))
        });
        run.await
    }
}

/// What is said of what was made.
pub(crate) fn created(directory: &Directory, key: PublicKey, next: &str) -> Told {
    Told {
        document: describe(directory, key),
        lines: vec![format!("{}  {key}", path(directory, key))],
        next: Some(next.to_owned()),
    }
}
