//! The configuration file of a server, as it is written for an operator.

use std::path::{Path, PathBuf};

use cim_core::nkey::PublicKey;
use clap::{Args, ValueEnum};

use crate::cli::failure::{Exit, Failure};
use crate::files::{check_writable, write_public};
use crate::identity::server_config::{KnownAccount, Resolver, ServerConfig};
use crate::identity::{Identities, IdentityError};

/// What a server is told beside its identities.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerFileArgs {
    /// The file; nats-server.conf in the folder of identities by default
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the server keeps accounts: in files that a push changes, or in memory
    #[arg(long, value_enum, default_value = "full")]
    resolver: Kind,
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222")]
    listen: String,
    /// The server's name
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// The server's own folder, of accounts and JetStream; the folder of identities by default
    #[arg(long, value_name = "DIR")]
    server_dir: Option<PathBuf>,
    /// Leave JetStream off
    #[arg(long)]
    no_jetstream: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Kind {
    Full,
    Memory,
}

impl ServerFileArgs {
    /// Whether the file can be written.
    pub(crate) fn check(&self, dir: &Path) -> Result<(), Failure> {
        let file = self.path(dir);
        check_writable(&file).map_err(|error| Failure::file("write", &file, &error))
    }

    fn path(&self, dir: &Path) -> PathBuf {
        let file = self.file.clone();
        file.unwrap_or_else(|| dir.join("nats-server.conf"))
    }

    /// Writes the file, and gives its path.
    pub(crate) fn write(
        &self,
        identities: &Identities,
        operator: PublicKey,
        dir: &Path,
    ) -> Result<PathBuf, Failure> {
        let file = self.path(dir);
        let text = self.text(identities, operator, dir)?;
        // It has no secrets, and servers run as other users.
        write_public(&file, text.as_bytes())
            .map_err(|error| Failure::file("write", &file, &error))?;
        Ok(file)
    }

    fn text(
        &self,
        identities: &Identities,
        operator: PublicKey,
        dir: &Path,
    ) -> Result<String, Failure> {
        let claims = identities.operator_claims(operator)?;
        let named = &claims.body.system_account;
        let system: PublicKey = named.parse().map_err(|_| {
            let message = format!("the operator `{}` has no system account", claims.name);
            Failure::new(Exit::Failed, "system-account-unknown", message).help(
                "name it in `identity.toml`, `system_account` of `[operator]`, with an account of \
                 that name, and run `cim keys apply`",
            )
        })?;
        let directory = identities.directory();
        let accounts = directory.accounts_of(operator).map(|key| {
            Ok(KnownAccount {
                key,
                name: directory.accounts[&key].state.name.clone(),
                token: identities.account_token(key)?,
            })
        });
        let accounts: Result<Vec<KnownAccount>, IdentityError> = accounts.collect();
        let dir = self.server_dir.as_deref().unwrap_or(dir);
        // Servers take paths from where they are started.
        let dir = std::path::absolute(dir).map_err(|error| Failure::file("find", dir, &error))?;
        let resolver = match self.resolver {
            Kind::Memory => Resolver::Memory,
            Kind::Full => Resolver::Full {
                dir: dir.join("accounts"),
            },
        };
        let token = identities.operator_token(operator)?;
        let mut config = ServerConfig::new(token, system, accounts?, resolver);
        config.listen = Some(self.listen.clone());
        config.server_name.clone_from(&self.server_name);
        config.jetstream = (!self.no_jetstream).then(|| dir.join("jetstream"));
        config
            .text()
            .map_err(|error| Failure::of(Exit::Failed, error.code(), &error))
    }
}
