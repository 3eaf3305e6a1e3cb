//! `cim keys operator`, `account` and `user`.

use std::path::PathBuf;

use cim_core::domain::keys::Directory;
use cim_core::jwt::{AccountClaims, Claims, JetStreamLimits, OperatorClaims, UserLimits};
use cim_core::nkey::PublicKey;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::args::{LimitArgs, Until, text_or_file, until};
use super::change::{ChangeArgs, Told, with_schema};
use super::describe::{self, describe};
use super::folder::FolderArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::place::Place;
use crate::identity::{check_writable, write_private};

const CLAIMS_FORM: &str = "write what stands under `nats` in a token, for example `--claims \
                           '{\"limits\":{\"conn\":100}}'`";

/// How people write what a token is to say.
const CLAIMS_HELP: &str = "\
Examples:
  cim keys account create orders --jetstream
  cim keys account create orders --claims '{\"limits\":{\"conn\":100},\"description\":\"Orders\"}'
  cim keys account create orders --claims @orders.json

Claims are what stands under `nats` in a token. What is not named is not limited.";

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Make an operator with a signing key
    Create(CreateOperator),
    /// List operators
    List(List),
    /// Show an operator
    Show(Show),
    /// Make successors for an operator's signing keys
    Rotate(RotateKeys),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make an account with a signing key
    Create(CreateAccount),
    /// List accounts
    List(List),
    /// Show an account
    Show(Show),
    /// Change what an account's token says
    Set(SetAccount),
    /// Make successors for an account's signing keys
    Rotate(RotateKeys),
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user
    Create(Box<CreateUser>),
    /// List users
    List(List),
    /// Show a user
    Show(Show),
    /// Issue a token to a user, and write it to a file with the user's seed
    Creds(Creds),
    /// Revoke a user, and make one of the same name in its place
    Rotate(RotateUser),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys operator create acme
  cim keys operator create acme --strict --claims '{\"operator_service_urls\":[\"nats://nats.acme.org\"]}'")]
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

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys user create ann --account orders --publish 'orders.>' --subscribe '_INBOX.>'
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

impl Operator {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(place, out).await,
            Self::List(command) => {
                let all = |directory: &Directory, _: Option<&str>| {
                    Ok(directory.operators.keys().copied().collect())
                };
                command.run("operator", all, place, out).await
            }
            Self::Show(command) => {
                let find = |directory: &Directory, text: &str| directory.find_operator(Some(text));
                command.run("operator", find, place, out).await
            }
            Self::Rotate(command) => {
                let find = |directory: &Directory, text: &str| directory.find_operator(Some(text));
                command.run("operator", find, place, out).await
            }
        }
    }
}

impl Account {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
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
            Self::Show(command) => {
                let find = |directory: &Directory, text: &str| directory.find_account(text);
                command.run("account", find, place, out).await
            }
            Self::Set(command) => command.run(place, out).await,
            Self::Rotate(command) => {
                let find = |directory: &Directory, text: &str| directory.find_account(text);
                command.run("account", find, place, out).await
            }
        }
    }
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

type Found<T> = Result<T, cim_core::domain::keys::LookupError>;

impl List {
    async fn run(
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
    async fn run(
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

fn not_found(error: cim_core::domain::keys::LookupError) -> Failure {
    crate::identity::IdentityError::from(error).into()
}

impl CreateOperator {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let mut claims: OperatorClaims = claims(self.claims.as_deref())?;
        claims.is_strict |= self.strict;
        let create = |draft: &mut crate::identity::Draft<'_>| {
            draft.create_operator(&self.name, claims.clone())
        };
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

impl CreateAccount {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let mut claims: AccountClaims = claims(self.claims.as_deref())?;
        if self.jetstream {
            claims.limits.jetstream = JetStreamLimits::unlimited();
        }
        let create = |draft: &mut crate::identity::Draft<'_>| {
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
        let set = |draft: &mut crate::identity::Draft<'_>| {
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
        let create = |draft: &mut crate::identity::Draft<'_>| {
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
        let issue = |draft: &mut crate::identity::Draft<'_>| {
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
        let rotate = |draft: &mut crate::identity::Draft<'_>| {
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

impl RotateKeys {
    async fn run(
        self,
        noun: &str,
        find: impl Fn(&Directory, &str) -> Found<PublicKey>,
        place: &Place,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let rotate = |draft: &mut crate::identity::Draft<'_>| {
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
                .collect::<Result<Vec<_>, crate::identity::IdentityError>>()
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
fn created(directory: &Directory, key: PublicKey, next: &str) -> Told {
    Told {
        document: describe(directory, key),
        lines: vec![format!("{}  {key}", path(directory, key))],
        next: Some(next.to_owned()),
    }
}

/// Claims as they are written on the command line.
pub(crate) fn claims<B: cim_core::jwt::Body + Default>(text: Option<&str>) -> Result<B, Failure> {
    let Some(text) = text else {
        return Ok(B::default());
    };
    let fields = fields(text)?;
    // The key is not known yet, and says nothing of the claims.
    let someone = cim_core::nkey::Seed::new(B::KIND.subject(), [0; 32]).public_key();
    let drafted: Claims<B> = Claims::draft(someone, "", fields)
        .map_err(|error| Failure::of(Exit::Usage, error.code(), &error).help(CLAIMS_FORM))?;
    Ok(drafted.body)
}

/// The fields of claims, as text or in a file.
fn fields(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(&text_or_file(text)?).map_err(|error| {
        Failure::usage(format!("the claims are no JSON object: {error}")).help(CLAIMS_FORM)
    })
}
