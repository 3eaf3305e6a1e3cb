//! `cim keys init`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cim_core::append::AppendError;
use cim_core::creds::Creds;
use cim_core::id::Namespace;
use cim_core::jwt::{AccountClaims, JetStreamLimits, OperatorClaims};
use cim_core::nkey::PublicKey;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::PermissionArgs;
use super::change::{Told, would};
use super::folder::{FolderArgs, namespace};
use super::server_file::ServerFileArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::place::{Absent, Place};
use crate::files::{check_writable, write_private};
use crate::identity::keystore::{KeystoreKind, MemoryKeystore};
use crate::identity::{Draft, Identities, IdentityError, namespace_beside};
use crate::memory::MemoryStore;
use crate::store::EventStore;

const SCHEMA: &str = "cim.keys.init/v1";

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys init
  nats-server -c identity/nats-server.conf
  nats --creds identity/creds/APP/app.creds pub hello world

  cim keys init --operator acme --account orders --user ann --publish 'orders.>' --json

  cim keys init --empty && cim keys apply identity.toml

Makes an operator, a system account with a user, and an account with a user; writes the creds of both
users, and the configuration of a server. Its events go to the event store, which is made if there is
none. The passphrase of the keystore is that of --passphrase-file or CIM_PASSPHRASE, else it is asked for.")]
pub(crate) struct Init {
    /// The operator's name; the organization of the namespace by default
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// The account's name
    #[arg(long, value_name = "NAME", default_value = "APP")]
    account: String,
    /// The user's name
    #[arg(long, value_name = "NAME", default_value = "app")]
    user: String,
    /// Make the keystore alone, for `cim keys apply` or `cim keys import-nsc` to fill
    #[arg(long, conflicts_with_all = [
        "operator", "account", "user", "dry_run", "publish", "deny_publish", "subscribe",
        "deny_subscribe", "responses", "file", "resolver", "listen", "server_name", "server_dir",
        "no_jetstream",
    ])]
    empty: bool,
    /// How seeds are kept: sealed with a passphrase, or in plain files for machines whose disk is trusted
    #[arg(long, value_enum, default_value = "encrypted")]
    keystore: Kind,
    #[command(flatten)]
    permissions: PermissionArgs,
    #[command(flatten)]
    server: ServerFileArgs,
    #[command(flatten)]
    folder: FolderArgs,
    /// Show what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    Encrypted,
    Plain,
}

impl From<Kind> for KeystoreKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Encrypted => Self::Encrypted,
            Kind::Plain => Self::Plain,
        }
    }
}

/// What was made.
struct Made {
    operator: PublicKey,
    system: PublicKey,
    account: PublicKey,
    creds: [(PathBuf, Creds); 2],
}

impl Init {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        if self.dry_run {
            return self.would(place, out).await;
        }
        if self.keystore == Kind::Encrypted {
            // What is missing is better known before there is an event store.
            self.folder.check_passphrase()?;
        }
        let store = open_or_create(place).await?;
        let namespace = namespace(place, &*store)?;
        let directory = Identities::read(&*store, &namespace).await?;
        if let Some(entry) = directory.operators.values().next() {
            let message = format!("there is an operator already: `{}`", entry.state.name);
            return Err(Failure::new(Exit::Failed, "exists", message).help(
                "go on with `cim keys account create`; if creds or the configuration are missing: `cim \
                 keys user list`, `cim keys user creds USER`, `cim keys server config`",
            ));
        }
        let keystore = self.folder.keystore_or_new(self.keystore.into(), &*store)?;
        let mut identities = Identities::open(store, keystore, &namespace).await?;
        self.folder.begin_in(&identities)?;
        let told = match self.empty {
            true => self.told_empty(),
            false => self.fill(&mut identities, &namespace).await?,
        };
        told.print(SCHEMA, self.json, out)?;
        Ok(identities.store().close().await?)
    }

    /// What would happen; also where there is no event store yet.
    async fn would(&self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store: Arc<dyn EventStore> = match place.open(Absent::Refuse).await {
            Err(failure) if failure.exit == Exit::NotFound => Arc::new(MemoryStore::new(
                place.config.template()?.unwrap_or_default(),
            )),
            opened => opened?,
        };
        let namespace = namespace(place, &*store)?;
        let keystore = Box::new(MemoryKeystore::new(store.info().store_id));
        let identities = Identities::open(store, keystore, &namespace).await?;
        let name = self.operator_name(&namespace);
        let (change, _) = identities.draft(|draft| self.make(draft, &name))?;
        would(SCHEMA, &change, self.json, out)
    }

    fn operator_name(&self, namespace: &Namespace) -> String {
        let given = self.operator.clone();
        given.unwrap_or_else(|| namespace.tokens()[0].to_owned())
    }

    /// Makes everything, and writes creds and configuration.
    async fn fill(
        &self,
        identities: &mut Identities,
        namespace: &Namespace,
    ) -> Result<Told, Failure> {
        // What cannot be written is better known before there is an operator.
        let system_creds = self.folder.creds("SYS", "sys");
        for file in [system_creds, self.folder.creds(&self.account, &self.user)] {
            check_writable(&file).map_err(|error| Failure::file("write", &file, &error))?;
        }
        self.server.check(&self.folder.dir)?;
        let name = self.operator_name(namespace);
        let made = identities.change(|draft| self.make(draft, &name)).await;
        let made = made.map_err(|error| refused(error, identities))?;
        for (file, creds) in &made.creds {
            write_private(file, creds.expose().as_bytes())
                .map_err(|error| Failure::file("write", file, &error))?;
        }
        let config = self
            .server
            .write(identities, made.operator, &self.folder.dir)?;
        Ok(self.told(&made, &name, &config))
    }

    fn make(&self, draft: &mut Draft<'_>, name: &str) -> Result<Made, IdentityError> {
        // Another process may have been faster.
        if let Some((by, entry)) = draft.directory().operators.iter().next() {
            let (name, by) = (entry.state.name.clone(), *by);
            return Err(IdentityError::NameTaken { name, by });
        }
        let operator = draft.create_operator(name, OperatorClaims::default())?;
        let system = draft.create_account(operator, "SYS", AccountClaims::default())?;
        // Identity keys are for emergencies: signing keys do the daily work.
        let claims = OperatorClaims {
            system_account: system.to_string(),
            is_strict: true,
            ..OperatorClaims::default()
        };
        draft.set_operator(operator, claims)?;
        let mut claims = AccountClaims::default();
        claims.limits.jetstream = JetStreamLimits::unlimited();
        let account = draft.create_account(operator, &self.account, claims)?;
        let limits = Default::default;
        let administrator = draft.create_user(system, "sys", None, limits(), Vec::new())?;
        let user = draft.create_user(account, &self.user, None, limits(), Vec::new())?;
        if !self.permissions.is_empty() {
            draft.set_permissions(user, self.permissions.permissions())?;
        }
        let file = |account: &str, user: &str| self.folder.creds(account, user);
        Ok(Made {
            operator,
            system,
            account,
            creds: [
                (
                    file("SYS", "sys"),
                    draft.generate_credentials(administrator, 0)?,
                ),
                (
                    file(&self.account, &self.user),
                    draft.generate_credentials(user, 0)?,
                ),
            ],
        })
    }

    fn told_empty(&self) -> Told {
        let keystore = self.folder.keystore();
        Told {
            lines: vec![format!("keystore  {}", keystore.display())],
            document: json!({"keystore": keystore}),
            next: Some(
                "Go on with `cim keys apply identity.toml`, `cim keys import-nsc` or `cim keys operator \
                 create`."
                    .to_owned(),
            ),
        }
    }

    fn told(&self, made: &Made, operator: &str, config: &Path) -> Told {
        let [(system_creds, system_user), (creds, user)] = &made.creds;
        let keystore = self.folder.keystore();
        let user_path = format!("{}/{}", self.account, self.user);
        let lines = [
            ("operator", operator, made.operator.to_string()),
            ("account", "SYS", made.system.to_string()),
            ("user", "SYS/sys", system_user.user().to_string()),
            ("account", &self.account, made.account.to_string()),
            ("user", &user_path, user.user().to_string()),
            ("keystore", "", keystore.display().to_string()),
            ("creds", "SYS/sys", system_creds.display().to_string()),
            ("creds", &user_path, creds.display().to_string()),
            ("config", "", config.display().to_string()),
        ];
        let lines = lines
            .iter()
            .map(|(what, name, value)| match name.is_empty() {
                true => format!("{what:<8}  {value}"),
                false => format!("{what:<8}  {name}  {value}"),
            });
        Told {
            document: json!({
                "operator": {"name": operator, "key": made.operator},
                "system_account": {"name": "SYS", "key": made.system},
                "account": {"name": self.account, "key": made.account},
                "users": [
                    {"name": "SYS/sys", "key": system_user.user(), "creds": system_creds},
                    {"name": user_path, "key": user.user(), "creds": creds},
                ],
                "keystore": keystore,
                "config": config,
            }),
            lines: lines.collect(),
            next: Some(format!(
                "Run `nats-server -c {}`, and connect with `--creds {}`.",
                config.display(),
                creds.display()
            )),
        }
    }
}

/// Opens the event store. Where there is none, makes one that takes these events too.
async fn open_or_create(place: &Place) -> Result<Arc<dyn EventStore>, Failure> {
    match place.open(Absent::Refuse).await {
        Err(failure) if failure.exit == Exit::NotFound => {
            let template = place.config.template()?.unwrap_or_default();
            let namespace = place.namespace(&template)?;
            let beside = namespace_beside(&namespace);
            place.open_or_create_for(vec![namespace, beside]).await
        }
        opened => opened,
    }
}

/// A stream that was made before may not take these events.
fn refused(error: IdentityError, identities: &Identities) -> Failure {
    let is_rejected = matches!(&error, IdentityError::Append(AppendError::Rejected { .. }));
    let failure = Failure::from(error);
    match is_rejected {
        true => failure.help(format!(
            "let the stream take `{}.*.*.*` as well, or keep these events in a file: `--store \
             sqlite:identity.db`",
            identities.namespace()
        )),
        false => failure,
    }
}
