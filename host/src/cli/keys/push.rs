//! `cim keys server push` and `diff`.

use std::path::PathBuf;

use cim_core::domain::keys::{self, Directory};
use cim_core::jwt::{AccountClaims, Token, Trust};
use cim_core::nkey::PublicKey;
use clap::Args;
use serde_json::{Value, json};

use super::change::with_schema;
use super::describe;
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, say};
use crate::cli::place::Place;
use crate::identity::{Identities, IdentityError, token_sha256};
use crate::jetstream::claims::{self, ClaimsError, Outcome, Pushed};
use crate::jetstream::{JetStreamClient, Login, NatsOptions, Process, Source};

/// How servers are reached.
#[derive(Args, Debug)]
pub(crate) struct SystemArgs {
    /// The operator, by name or key, where there are several
    #[arg(long)]
    operator: Option<String>,
    /// A server, for example `nats://localhost:4222`; else NATS_URL, else cim.toml, else the selected
    /// context of `nats`
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// The creds of a user of the system account; those that were written for one by default
    #[arg(long, value_name = "FILE")]
    creds: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys server push
  cim keys server push orders --nats nats://nats.acme.org --json

It goes to all servers of the cluster, and ends with 0 when all go by it. A token of a server that was
signed later is left alone.")]
pub(crate) struct Push {
    /// The accounts, by name or key; all by default
    accounts: Vec<String>,
    /// Let it take the place of a token that was signed later or in the same second
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    system: SystemArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys server diff
  cim keys server diff --nats nats://nats.acme.org --json

It ends with 0 when all servers have our accounts as they are, and no others; with 7 when not.")]
pub(crate) struct Diff {
    #[command(flatten)]
    system: SystemArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Our identities, and a connection to servers in the system account.
struct System {
    identities: Identities,
    operator: PublicKey,
    client: JetStreamClient,
}

impl SystemArgs {
    async fn connect(&self, place: &Place) -> Result<System, Failure> {
        let identities = self.folder.open(place).await?;
        let operator = identities
            .directory()
            .find_operator(self.operator.as_deref());
        let operator = operator.map_err(IdentityError::from)?;
        let creds = match &self.creds {
            Some(file) => file.clone(),
            None => self.written_creds(&identities, operator)?,
        };
        let mut options = NatsOptions::resolve(self.nats.as_deref(), &place.config, &Process)?;
        options.login = Login::Creds(Source::File(creds));
        let client = JetStreamClient::connect(&options).await?;
        Ok(System {
            identities,
            operator,
            client,
        })
    }

    /// The creds of a user of the system account.
    fn written_creds(
        &self,
        identities: &Identities,
        operator: PublicKey,
    ) -> Result<PathBuf, Failure> {
        let claims = identities.operator_claims(operator)?;
        let directory: &Directory = identities.directory();
        let system: Option<PublicKey> = claims.body.system_account.parse().ok();
        let users = system
            .into_iter()
            .flat_map(|system| directory.users_of(system));
        let name = |key| describe::name(directory, key);
        let mut files = users
            .filter(|user| !directory.key(*user).is_revoked())
            .map(|user| {
                self.folder
                    .creds(&system.map_or(String::new(), name), &name(user))
            });
        files.find(|file| file.exists()).ok_or_else(|| {
            let message = "there are no creds of a user of the system account";
            Failure::new(Exit::NotFound, "creds-not-found", message).help(
                "write some with `cim keys user creds SYS/sys`, or name a file with `--creds FILE`",
            )
        })
    }
}

impl System {
    fn accounts(&self, named: &[String]) -> Result<Vec<PublicKey>, Failure> {
        let directory = self.identities.directory();
        if named.is_empty() {
            return Ok(directory.accounts_of(self.operator).collect());
        }
        let found = named.iter().map(|text| directory.find_account(text));
        let found: Result<Vec<PublicKey>, _> = found.collect();
        Ok(found.map_err(IdentityError::from)?)
    }
}

impl Push {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let mut system = self.system.connect(place).await?;
        let trust = Trust::of(&system.identities.operator_claims(system.operator)?);
        let mut documents = Vec::new();
        let mut failed: Vec<Failure> = Vec::new();
        let mut is_everywhere = true;
        for account in system.accounts(&self.accounts)? {
            let token = system.identities.account_token(account)?;
            let push = claims::Push {
                replace: self.replace,
                ..claims::Push::new(token.clone(), trust.clone())
            };
            let name = describe::name(system.identities.directory(), account);
            let pushed = match system.client.push_claims(&push).await {
                Ok(pushed) => pushed,
                // What is wrong with one is not in the way of the others.
                Err(error) => {
                    let failure = named(&name, error);
                    if self.json {
                        documents.push(json!({
                            "account": name,
                            "key": account,
                            "code": failure.code,
                            "error": failure.message,
                        }));
                    }
                    failed.push(failure);
                    continue;
                }
            };
            is_everywhere &= pushed.is_everywhere();
            take_note(&mut system.identities, &pushed, &token).await?;
            match self.json {
                true => documents.push(document(&name, &pushed)),
                false => print(&name, &pushed, out)?,
            }
        }
        if self.json {
            let is_everywhere = is_everywhere && failed.is_empty();
            let document = json!({"everywhere": is_everywhere, "accounts": documents});
            out.json(&with_schema("cim.keys.server.push/v1", document))?;
        }
        out.flush()?;
        system.identities.store().close().await?;
        if let Some(mut failure) = failed.pop() {
            for other in &failed {
                say(&format!("error: {}", other.message));
            }
            failure.quiet = self.json;
            return Err(failure);
        }
        match is_everywhere {
            true => Ok(()),
            false => Err(elsewhere(self.json)),
        }
    }
}

fn elsewhere(json: bool) -> Failure {
    let message = "not all servers go by our accounts";
    let mut failure = Failure::new(Exit::Unhealthy, "claims-not-everywhere", message)
        .help("see which with `cim keys server diff`, and push again once they are back");
    failure.quiet = json;
    failure
}

fn named(account: &str, error: ClaimsError) -> Failure {
    let mut failure = Failure::from(error);
    failure.message = format!("account `{account}`: {}", failure.message);
    failure
}

/// Takes note of the servers that have the token.
async fn take_note(
    identities: &mut Identities,
    pushed: &Pushed,
    token: &str,
) -> Result<(), Failure> {
    let claims = Token::read(token).and_then(|token| token.claims::<AccountClaims>());
    let token_issued_at = claims.map_or(0, |claims| claims.issued_at);
    let have = pushed
        .servers
        .iter()
        .filter(|server| matches!(server.outcome, Outcome::Updated | Outcome::Unchanged));
    let notes: Vec<keys::Push> = have
        .map(|server| keys::Push {
            server: server.server.id.clone(),
            server_name: server.server.name.clone(),
            token_sha256: token_sha256(token),
            token_issued_at,
        })
        .collect();
    let note = identities.change(|draft| {
        notes
            .iter()
            .try_for_each(|note| draft.take_note_of_push(pushed.account, note.clone()))
    });
    Ok(note.await?)
}

fn document(name: &str, pushed: &Pushed) -> Value {
    let servers: Vec<Value> = pushed
        .servers
        .iter()
        .map(|server| {
            json!({
                "server": server.server.name,
                "id": server.server.id,
                "outcome": server.outcome.code(),
                "text": server.outcome.to_string(),
            })
        })
        .collect();
    json!({
        "account": name,
        "key": pushed.account,
        "servers": servers,
        "missing_servers": pushed.missing,
    })
}

fn print(name: &str, pushed: &Pushed, out: &mut Output) -> Result<(), Failure> {
    for server in &pushed.servers {
        out.line(&format!(
            "{name}  {}  {}",
            server.server.name, server.outcome
        ))?;
    }
    if pushed.missing > 0 {
        out.flush()?;
        say(&format!(
            "warning: servers know of {} more that did not answer",
            pushed.missing
        ));
    }
    Ok(())
}

impl Diff {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let system = self.system.connect(place).await?;
        let accounts = system.accounts(&[])?;
        let tokens = accounts.iter();
        let tokens = tokens.map(|account| system.identities.account_token(*account));
        let tokens: Result<Vec<String>, IdentityError> = tokens.collect();
        let found = system.client.compare_claims(&tokens?).await?;
        let directory = system.identities.directory();
        if self.json {
            let accounts: Vec<Value> = found
                .accounts
                .iter()
                .map(|account| {
                    let servers = account.servers.iter();
                    let servers: Vec<Value> = servers
                        .map(|(server, held)| {
                            json!({"server": server.name, "id": server.id, "held": held.code()})
                        })
                        .collect();
                    json!({
                        "account": describe::name(directory, account.account),
                        "key": account.account,
                        "servers": servers,
                    })
                })
                .collect();
            let foreign: Vec<Value> = found
                .foreign
                .iter()
                .map(|account| {
                    let servers: Vec<_> =
                        account.servers.iter().map(|server| &server.name).collect();
                    json!({"key": account.account, "servers": servers})
                })
                .collect();
            let document = json!({
                "same": found.is_empty(),
                "accounts": accounts,
                "foreign": foreign,
                "missing_servers": found.missing,
            });
            out.json(&with_schema("cim.keys.server.diff/v1", document))?;
        } else {
            for account in &found.accounts {
                let name = describe::name(directory, account.account);
                for (server, held) in &account.servers {
                    out.line(&format!("{name}  {}  {}", server.name, held.code()))?;
                }
            }
            for account in &found.foreign {
                for server in &account.servers {
                    out.line(&format!("{}  {}  not ours", account.account, server.name))?;
                }
            }
        }
        out.flush()?;
        match found.is_empty() {
            true => Ok(()),
            false => {
                let message = "servers and we differ";
                let mut failure = Failure::new(Exit::Unhealthy, "claims-differ", message)
                    .help("`cim keys server push` brings ours to them");
                failure.quiet = self.json;
                Err(failure)
            }
        }
    }
}

impl From<ClaimsError> for Failure {
    fn from(error: ClaimsError) -> Self {
        let exit = match error {
            ClaimsError::JetStream(error) => return error.into(),
            ClaimsError::Token(_) | ClaimsError::Refused { .. } => Exit::Broken,
            ClaimsError::NotTrusted { .. } | ClaimsError::NotSystemUser => Exit::NotAllowed,
            ClaimsError::Newer { .. } | ClaimsError::SameSecond { .. } => Exit::Conflict,
            ClaimsError::NoStore { .. } => Exit::Failed,
        };
        Self::of(exit, error.code(), &error).help(error.help())
    }
}
