//! `cim keys plan` and `cim keys apply`.

use std::path::PathBuf;

use cim_core::creds::Creds;
use clap::Args;
use serde_json::{Value, json};

use super::change::with_schema;
use super::describe;
use super::folder::FolderArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, say};
use crate::cli::place::Place;
use crate::files::write_private;
use crate::identity::Identities;
use crate::identity::plan::{Action, EntityKind, Planned, Spec, Step, Then, Unlisted};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys plan
  cim keys plan identity.toml --prune --json

The file describes one operator, with its accounts, and their roles and users:

  [operator]                         # or operator = \"acme\"
  name = \"acme\"
  system_account = \"SYS\"

  [account.SYS]
  [account.SYS.user.sys]

  [account.orders]
  jetstream = { disk = \"10GiB\" }     # or true
  limits = { connections = 100 }
  exports = [{ subject = \"orders.>\", type = \"stream\" }]

  [account.orders.role.reader]
  subscribe = [\"orders.>\"]           # or { allow = [], deny = [] }

  [account.orders.user.ann]
  role = \"reader\"

  [account.orders.user.bob]
  publish = [\"orders.>\"]
  max_payload = \"1MiB\"

What is absent is not limited, but for JetStream, which is off. What has no name here is set with
`claims = { … }`, in the fields of tokens.")]
pub(crate) struct Plan {
    #[command(flatten)]
    spec: SpecArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys apply
  cim keys apply identity.toml --creds
  cim keys apply --prune

`cim keys plan` shows what it would do, and how the file is written. Applied again, it does nothing.")]
pub(crate) struct Apply {
    #[command(flatten)]
    spec: SpecArgs,
    /// Also write the creds of users that are made
    #[arg(long)]
    creds: bool,
}

#[derive(Args, Debug)]
struct SpecArgs {
    /// The file
    #[arg(value_name = "FILE", default_value = "identity.toml")]
    file: PathBuf,
    /// Also revoke users, and remove the signing keys of roles, that are not in the file
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl SpecArgs {
    fn spec(&self) -> Result<(Spec, Unlisted), Failure> {
        let unlisted = match self.prune {
            true => Unlisted::Remove,
            false => Unlisted::Leave,
        };
        let spec = Spec::load(&self.file).map_err(crate::identity::IdentityError::from)?;
        Ok((spec, unlisted))
    }
}

impl Plan {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let Self { spec: args } = self;
        let (spec, unlisted) = args.spec()?;
        let identities = args.folder.open_without_seeds(place).await?;
        let planned = identities.plan(&spec, unlisted)?;
        if args.json {
            return out.json(&document("cim.keys.plan/v1", &planned, &[]));
        }
        print(&planned, out)?;
        match planned.is_done() {
            true => say("Nothing to change."),
            false => say(&format!(
                "{} to make, {} to change, {} to remove; `cim keys apply` does it.",
                planned.count(Action::Create),
                planned.count(Action::Change),
                planned.count(Action::Remove)
            )),
        }
        next(&planned);
        Ok(())
    }
}

impl Apply {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let Self {
            spec: args,
            creds: is_with_creds,
        } = self;
        let (spec, unlisted) = args.spec()?;
        let mut identities = args.folder.open(place).await?;
        let applied = identities.change(|draft| {
            let mut planned = draft.follow(&spec, unlisted)?;
            let mut creds = Vec::new();
            if is_with_creds {
                for step in &mut planned.steps {
                    if let (Action::Create, EntityKind::User, Some(user)) =
                        (step.action, step.kind, step.key)
                    {
                        creds.push(draft.generate_credentials(user, 0)?);
                        step.then.clear();
                    }
                }
            }
            Ok((planned, creds))
        });
        let (planned, creds) = applied.await?;
        let files = write(&identities, &args.folder, &creds)?;
        if args.json {
            out.json(&document("cim.keys.apply/v1", &planned, &files))?;
        } else {
            print(&planned, out)?;
            match planned.is_done() {
                true => say("Nothing to change."),
                false => say(&format!(
                    "Made {}, changed {}, removed {}.",
                    planned.count(Action::Create),
                    planned.count(Action::Change),
                    planned.count(Action::Remove)
                )),
            }
            for file in &files {
                say(&format!("Wrote creds to `{}`", file.display()));
            }
            next(&planned);
        }
        Ok(identities.store().close().await?)
    }
}

/// Writes creds of users, each to its place in the folder.
fn write(
    identities: &Identities,
    folder: &FolderArgs,
    creds: &[Creds],
) -> Result<Vec<PathBuf>, Failure> {
    let directory = identities.directory();
    let mut files = Vec::new();
    for creds in creds {
        let user = creds.user();
        let account = directory.users[&user].state.account;
        let account = account.map_or(String::new(), |key| describe::name(directory, key));
        let file = folder.creds(&account, &describe::name(directory, user));
        write_private(&file, creds.expose().as_bytes()).map_err(|error| {
            Failure::file("write", &file, &error).help(
                "what was planned is done; write creds with `cim keys user creds ACCOUNT/USER`",
            )
        })?;
        files.push(file);
    }
    Ok(files)
}

fn print(planned: &Planned, out: &mut Output) -> Result<(), Failure> {
    for step in &planned.steps {
        let notes = match &step.notes[..] {
            [] => String::new(),
            notes => format!("   {}", notes.join("; ")),
        };
        let (sign, kind) = (step.action.sign(), step.kind.as_str());
        out.line(&format!("{sign} {kind:<8}  {}{notes}", step.name))?;
        for change in &step.changes {
            out.line(&format!("        {change}"))?;
        }
    }
    out.flush()
}

/// Says what is to be done by hand, each thing once.
fn next(planned: &Planned) {
    let commands = planned
        .steps
        .iter()
        .flat_map(|step| &step.then)
        .map(command);
    let mut said: Vec<String> = Vec::new();
    for command in commands {
        if !said.contains(&command) {
            said.push(command);
        }
    }
    if !said.is_empty() {
        say(&format!("Then:\n  {}", said.join("\n  ")));
    }
    let is_pushed =
        |step: &&Step| step.action != Action::Leave && step.kind != EntityKind::Operator;
    if planned.steps.iter().any(|step| is_pushed(&step)) {
        say("Servers learn of accounts with `cim keys server push` or `cim keys server config`.");
    }
}

fn command(then: &Then) -> String {
    match then {
        Then::IssueCreds { user } => format!("cim keys user creds {}", quoted(user)),
        Then::RemoveSigningKey { key } => format!("cim keys signing-key remove {key}"),
    }
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let is_plain = |found: char| found.is_ascii_alphanumeric() || "/-_.:@".contains(found);
    match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

fn document(schema: &str, planned: &Planned, files: &[PathBuf]) -> Value {
    let steps: Vec<Value> = planned.steps.iter().map(step_json).collect();
    let mut document = json!({
        "operator": planned.operator,
        "done": planned.is_done(),
        "steps": steps,
    });
    if !files.is_empty() {
        document["creds"] = json!(files);
    }
    with_schema(schema, document)
}

fn step_json(step: &Step) -> Value {
    let changes = step.changes.iter().map(
        |change| json!({"field": change.field, "before": change.before, "after": change.after}),
    );
    json!({
        "action": step.action.as_str(),
        "kind": step.kind.as_str(),
        "name": step.name,
        "key": step.key,
        "changes": changes.collect::<Vec<_>>(),
        "notes": step.notes,
        "next": step.then.iter().map(command).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_shells() {
        assert_eq!(quoted("orders/ann"), "orders/ann");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
