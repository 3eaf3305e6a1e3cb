//! The configuration of a nats-server that trusts an operator: `nats-server -c FILE` runs with its text
//! and nothing else.
//!
//! It is text alone: nothing is read or written here. Tokens are checked as far as they would keep the
//! server from starting; whether it takes an account is for
//! [`findings_for`](cim_core::jwt::Claims::findings_for) to say.
//!
//! # Examples
//!
//! ```
//! use cim_core::jwt::{AccountClaims, Claims, OperatorClaims};
//! use cim_core::nkey::{KeyKind, Seed};
//! use cim_core::time::Timestamp;
//! use cim_host::identity::server_config::{KnownAccount, Resolver, ServerConfig};
//!
//! let now = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
//! let operator = Seed::new(KeyKind::Operator, [1; 32]);
//! let system = Seed::new(KeyKind::Account, [2; 32]).public_key();
//! let claims = OperatorClaims { system_account: system.to_string(), ..OperatorClaims::default() };
//! let mut claims = Claims::new(operator.public_key(), "acme", claims);
//! let token = claims.sign(&operator, now).expect("operators sign themselves");
//! let mut account = Claims::new(system, "SYS", AccountClaims::default());
//! let account = KnownAccount {
//!     key: system,
//!     name: "SYS".to_owned(),
//!     token: account.sign(&operator, now).expect("operators sign accounts"),
//! };
//!
//! let dir = "/var/lib/nats/accounts".into();
//! let config = ServerConfig::new(token, system, vec![account], Resolver::Full { dir });
//! assert!(config.text().expect("tokens").contains("type: full"));
//! ```

use std::error::Error;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use cim_core::jwt::{AccountClaims, Body, Claims, JwtError, OperatorClaims, Token};
use cim_core::nkey::PublicKey;

/// What a server is told. What is not set is left to the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// The operator's token.
    pub operator: String,
    /// The account that servers speak of themselves in; one of `accounts`.
    pub system_account: PublicKey,
    /// The accounts that the server knows when it starts.
    pub accounts: Vec<KnownAccount>,
    /// Where it keeps accounts.
    pub resolver: Resolver,
    /// Its name, without spaces; its id by default.
    pub server_name: Option<String>,
    /// Where it listens for clients, `127.0.0.1:4222`; at port 4222 of every address by default.
    pub listen: Option<String>,
    /// JetStream's folder; JetStream is off without one.
    pub jetstream: Option<PathBuf>,
}

/// An account with its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownAccount {
    /// Its key.
    pub key: PublicKey,
    /// A name for people.
    pub name: String,
    /// Its token.
    pub token: String,
}

/// Where a server keeps accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Resolver {
    /// In memory: it knows those of its configuration, and others when that is written anew and it is
    /// told to reload it.
    Memory,
    /// In a folder of its own: it takes what is pushed to it, shares it with the other servers of its
    /// cluster, and has it after a restart. Accounts of the configuration go there at the start,
    /// unless the folder has a newer token of the account.
    Full {
        /// The folder, which no other server may have.
        dir: PathBuf,
    },
}

impl ServerConfig {
    /// A server with these identities.
    pub fn new(
        operator: String,
        system_account: PublicKey,
        accounts: Vec<KnownAccount>,
        resolver: Resolver,
    ) -> Self {
        Self {
            operator,
            system_account,
            accounts,
            resolver,
            server_name: None,
            listen: None,
            jetstream: None,
        }
    }

    /// The text of the configuration file.
    ///
    /// # Errors
    ///
    /// [`ServerConfigError`] for what would keep the server from starting, or let it know another
    /// account than was meant.
    pub fn text(&self) -> Result<String, ServerConfigError> {
        let operator = self.checked_operator()?;
        if let Some(name) = self.server_name.as_ref().filter(|name| name.contains(' ')) {
            return Err(ServerConfigError::ServerName { name: name.clone() });
        }
        for account in &self.accounts {
            account.check()?;
        }
        let system = self.account(&self.system_account);
        let system = system.ok_or(ServerConfigError::SystemAccountUnknown {
            key: self.system_account,
        })?;
        let mut text = "# A nats-server with operator, accounts and users: `nats-server -c` and \
                        this file.\n\n"
            .to_owned();
        self.write_server(&mut text);
        let name = in_comment(&operator.name);
        write(
            &mut text,
            format_args!("# The operator {name}, `{}`.", operator.subject),
        );
        write(
            &mut text,
            format_args!("operator: {}\n", quoted(&self.operator)),
        );
        let name = in_comment(&system.name);
        write(
            &mut text,
            format_args!("# {name}, in which servers speak of themselves."),
        );
        write(
            &mut text,
            format_args!("system_account: {}\n", self.system_account),
        );
        self.resolver.write(&mut text);
        write(&mut text, format_args!("resolver_preload {{"));
        for account in &self.accounts {
            write(&mut text, format_args!("  # {}", in_comment(&account.name)));
            let token = quoted(&account.token);
            write(&mut text, format_args!("  {}: {token}", account.key));
        }
        write(&mut text, format_args!("}}"));
        Ok(text)
    }

    fn checked_operator(&self) -> Result<Claims<OperatorClaims>, ServerConfigError> {
        let claims = claims::<OperatorClaims>(&self.operator);
        let claims = claims.map_err(ServerConfigError::Operator)?;
        let named = &claims.body.system_account;
        if !named.is_empty() && *named != self.system_account.as_str() {
            return Err(ServerConfigError::SystemAccountDiffers {
                operator: named.clone(),
                found: self.system_account,
            });
        }
        Ok(claims)
    }

    fn account(&self, key: &PublicKey) -> Option<&KnownAccount> {
        self.accounts.iter().find(|account| account.key == *key)
    }

    fn write_server(&self, text: &mut String) {
        if let Some(name) = &self.server_name {
            write(text, format_args!("server_name: {}", quoted(name)));
        }
        if let Some(listen) = &self.listen {
            write(text, format_args!("listen: {}", quoted(listen)));
        }
        if let Some(folder) = &self.jetstream {
            let folder = quoted(folder);
            write(
                text,
                format_args!("jetstream {{\n  store_dir: {folder}\n}}"),
            );
        }
        if !text.ends_with("\n\n") {
            text.push('\n');
        }
    }
}

impl Resolver {
    fn write(&self, text: &mut String) {
        match self {
            Self::Memory => {
                let say = "# Accounts stand in this file. To change one: write it anew, then \
                           `nats-server --signal reload`.\nresolver: MEMORY\n";
                write(text, format_args!("{say}"));
            }
            Self::Full { dir } => {
                let dir = quoted(dir);
                write(
                    text,
                    format_args!(
                        "# Accounts stand in files, which a push changes on all servers. What is \
                         loaded below\n# at the start does not replace a newer token of the \
                         folder.\nresolver {{\n  type: full\n  dir: {dir}\n  allow_delete: \
                         false\n  # How often servers compare what they have.\n  interval: \
                         {INTERVAL}\n  # How long others are asked for an account that is not \
                         here.\n  timeout: {TIMEOUT}\n}}\n"
                    ),
                );
            }
        }
    }
}

impl KnownAccount {
    fn check(&self) -> Result<(), ServerConfigError> {
        let key = self.key;
        let claims = claims::<AccountClaims>(&self.token);
        let claims = claims.map_err(|source| ServerConfigError::Account { key, source })?;
        match claims.subject == key.as_str() {
            true => Ok(()),
            false => Err(ServerConfigError::AnotherAccount {
                expected: key,
                found: claims.subject,
            }),
        }
    }
}

fn claims<B: Body>(token: &str) -> Result<Claims<B>, JwtError> {
    Token::read(token)?.claims()
}

/// A line; a `String` takes all that is written.
fn write(text: &mut String, line: fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}

/// A text between quotes as nats-server reads it (`conf/lex.go`): nothing of it ends the text, and it
/// may be any bytes.
fn quoted(text: impl AsRef<OsStr>) -> String {
    let mut quoted = "\"".to_owned();
    for part in text.as_ref().as_encoded_bytes().utf8_chunks() {
        for found in part.valid().chars() {
            match found {
                '"' | '\\' => quoted.extend(['\\', found]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '\0'..' ' | '\u{7f}' => {
                    let _ = write!(quoted, "\\x{:02x}", u32::from(found));
                }
                _ => quoted.push(found),
            }
        }
        for byte in part.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// A name of somebody else in a comment: on its line, and in the order in which it was written.
fn in_comment(name: &str) -> String {
    let is_odd = |found: char| {
        found.is_control()
            || matches!(found, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let mut shown = "`".to_owned();
    for found in name.chars() {
        match is_odd(found) {
            true => shown.extend(found.escape_unicode()),
            false => shown.push(found),
        }
    }
    shown.push('`');
    shown
}

/// How often servers compare what they have; their own default is a minute.
const INTERVAL: &str = "\"2m\"";

/// How long others are asked: a bit less than the two seconds that a login may take.
const TIMEOUT: &str = "\"1.9s\"";

/// What would keep a server from starting, or let it know another account than was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ServerConfigError {
    /// The operator's token is none.
    Operator(JwtError),
    /// An account's token is none.
    Account {
        /// The account.
        key: PublicKey,
        /// What is wrong with it.
        source: JwtError,
    },
    /// An account's token is about another one.
    AnotherAccount {
        /// The account.
        expected: PublicKey,
        /// Whom the token is about.
        found: String,
    },
    /// The system account is none of the accounts.
    SystemAccountUnknown {
        /// The system account.
        key: PublicKey,
    },
    /// The server's name has a space in it.
    ServerName {
        /// The name.
        name: String,
    },
    /// The operator names another system account.
    SystemAccountDiffers {
        /// The one that the operator names.
        operator: String,
        /// The one that was to be written.
        found: PublicKey,
    },
}

impl ServerConfigError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Operator(error) | Self::Account { source: error, .. } => error.code(),
            Self::AnotherAccount { .. } => "account-another",
            Self::ServerName { .. } => "server-name-invalid",
            Self::SystemAccountUnknown { .. } => "system-account-unknown",
            Self::SystemAccountDiffers { .. } => "system-account-differs",
        }
    }
}

impl fmt::Display for ServerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(_) => f.write_str("the operator's token is of no use"),
            Self::Account { key, .. } => write!(f, "the token of the account `{key}` is of no use"),
            Self::AnotherAccount { expected, found } => {
                write!(
                    f,
                    "expected a token about `{expected}`, found one about `{found}`"
                )
            }
            Self::ServerName { name } => {
                write!(f, "expected a server name without spaces, found `{name}`")
            }
            Self::SystemAccountUnknown { key } => write!(
                f,
                "expected the system account `{key}` among the accounts, did not find it"
            ),
            Self::SystemAccountDiffers { operator, found } => write!(
                f,
                "expected the system account `{operator}` that the operator names, found `{found}`"
            ),
        }
    }
}

impl Error for ServerConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Operator(error) | Self::Account { source: error, .. } => Some(error),
            Self::AnotherAccount { .. }
            | Self::ServerName { .. }
            | Self::SystemAccountUnknown { .. }
            | Self::SystemAccountDiffers { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
