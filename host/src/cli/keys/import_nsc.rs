//! `cim keys import-nsc`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::change::with_schema;
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, count, say};
use crate::cli::place::Place;
use crate::identity::NscImport;
use crate::identity::nsc::{NscError, NscFolders, NscStore};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys import-nsc --dry-run
  cim keys import-nsc acme
  cim keys import-nsc acme --stores ~/nsc/stores --keys ~/nsc/keys

Takes an operator of nsc with its accounts and users, their keys, and the seeds that are found. Nothing of
nsc is changed. What is there already is passed over; what cannot be taken is named, and nothing is taken
then.")]
pub(crate) struct ImportNsc {
    /// The operator; the only one by default
    operator: Option<String>,
    /// The folder with a folder for each operator; where nsc has it by default
    #[arg(long, value_name = "DIR")]
    stores: Option<PathBuf>,
    /// The folder with the folders `keys` and `creds`; where nsc has it by default
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Show what would be taken, and take nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ImportNsc {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let folders = self.folders()?;
        let operator = match &self.operator {
            Some(operator) => operator.clone(),
            None => only_operator(&folders)?,
        };
        let store = NscStore::read(&folders, &operator)?;
        let mut identities = self.folder.open(place).await?;
        let import = match self.dry_run {
            true => identities.draft(|draft| draft.import_nsc(&store))?.1,
            false => identities.change(|draft| draft.import_nsc(&store)).await?,
        };
        if self.json {
            out.json(&document(&import, self.dry_run))?;
        } else {
            print(&import, out)?;
            self.tell(&import);
        }
        Ok(identities.store().close().await?)
    }

    fn folders(&self) -> Result<NscFolders, Failure> {
        let (stores, keys) = (self.stores.clone(), self.keys.clone());
        if let (Some(stores), Some(keys)) = (&stores, &keys) {
            return Ok(NscFolders {
                stores: stores.clone(),
                keys: keys.clone(),
            });
        }
        let usual = NscFolders::of_this_user().ok_or_else(|| {
            Failure::usage("it is not known where nsc keeps its folders: there is no HOME")
                .help("name both, `--stores DIR --keys DIR`")
        })?;
        Ok(NscFolders {
            stores: stores.unwrap_or(usual.stores),
            keys: keys.unwrap_or(usual.keys),
        })
    }

    fn tell(&self, import: &NscImport) {
        let new = import.items.iter().filter(|item| item.is_new).count() as u64;
        let seeds = count(import.seeds.len() as u64, "seed");
        let taken = match new {
            1 => "1 identity".to_owned(),
            _ => format!("{new} identities"),
        };
        let there = import.items.len() as u64 - new;
        say(&match (self.dry_run, new, import.seeds.len()) {
            (_, 0, 0) => "All of it is here already.".to_owned(),
            (true, ..) => {
                format!("Nothing was done: {taken} and {seeds} would be taken, {there} are here.")
            }
            (false, ..) => format!("Took {taken} and {seeds}; {there} were here already."),
        });
        for missing in &import.missing {
            say(&format!(
                "The seed of {} was not found: `{}`",
                missing.whose, missing.key
            ));
        }
        if !import.missing.is_empty() {
            say(
                "Nothing is signed with keys whose seeds are missing. Put them where nsc keeps them, and run this again.",
            );
        }
        for note in &import.notes {
            say(&format!("note: {note}"));
        }
    }
}

fn only_operator(folders: &NscFolders) -> Result<String, Failure> {
    let mut operators = folders.operators()?;
    match operators.len() {
        1 => Ok(operators.remove(0)),
        0 => {
            let folder = folders.stores.display();
            let message = format!("there is no operator of nsc in `{folder}`");
            Err(Failure::new(Exit::NotFound, "nsc-not-found", message)
                .help("name the folder with `--stores DIR`"))
        }
        _ => {
            let found = operators.join("`, `");
            let message = format!("nsc has several operators: `{found}`");
            Err(Failure::usage(message)
                .help(format!("name one, `cim keys import-nsc {}`", operators[0])))
        }
    }
}

fn print(import: &NscImport, out: &mut Output) -> Result<(), Failure> {
    for item in &import.items {
        let sign = if item.is_new { '+' } else { '=' };
        let kind = item.key.kind().name();
        out.line(&format!("{sign} {kind:<8}  {}  {}", item.key, item.name))?;
    }
    out.flush()
}

fn document(import: &NscImport, is_dry_run: bool) -> Value {
    let items = import.items.iter().map(|item| {
        json!({
            "kind": item.key.kind().name(),
            "name": item.name,
            "key": item.key,
            "new": item.is_new,
        })
    });
    let missing = import
        .missing
        .iter()
        .map(|missing| json!({"key": missing.key, "whose": missing.whose}));
    let document = json!({
        "dry_run": is_dry_run,
        "items": items.collect::<Vec<_>>(),
        "seeds": import.seeds,
        "missing": missing.collect::<Vec<_>>(),
        "notes": import.notes,
    });
    with_schema("cim.keys.import-nsc/v1", document)
}

impl From<NscError> for Failure {
    fn from(error: NscError) -> Self {
        let (exit, help) = match &error {
            NscError::NotFound { .. } => (
                Exit::NotFound,
                "name the folders with `--stores DIR --keys DIR`, and the operator as its folder is \
                 called",
            ),
            NscError::Link { .. } => (
                Exit::NotAllowed,
                "put in the place of the link what it stands for",
            ),
            NscError::Io { .. } => (Exit::Failed, "check that the folder may be read"),
            _ => (
                Exit::Broken,
                "mend it with nsc (`nsc validate`), or take it out of the folder",
            ),
        };
        Self::of(exit, error.code(), &error).help(help)
    }
}
