//! How NATS is reached: servers, login, TLS, JetStream's API.
//!
//! [`NatsOptions::resolve`] gathers it, following the habits of the `nats` command. Of each of the
//! groups servers, login, authorities, client certificate and API, the first that says something
//! counts, whole:
//!
//! 1. the URL of the store;
//! 2. the variables `NATS_URL`, `NATS_USER` and `NATS_PASSWORD`, `NATS_CREDS`, `NATS_NKEY`,
//!    `NATS_JWT` and `NATS_SEED`, `NATS_TOKEN`, `NATS_CERT` and `NATS_KEY`, `NATS_CA`;
//! 3. the context of the `nats` command that `NATS_CONTEXT` names;
//! 4. `[nats]` and `[jetstream]` of `cim.toml`;
//! 5. the context that is selected (`nats context select`), unless it is for other servers than
//!    those that were named before: its password must not go to the servers that a `cim.toml` of
//!    somebody else names.

mod context;
mod error;
mod reference;
mod resolve;
#[cfg(test)]
mod tests;
mod url;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::error::{OptionsError, Origin};
pub use self::url::UrlFault;

use crate::config::Config;
use crate::secret::Secret;

/// Within which time a connection is made or found impossible. Who asks has an answer within 5 s,
/// with the start of the program and the time to say it.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);

/// How NATS is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct NatsOptions {
    servers: Vec<Server>,
    /// The stream that the store's URL names.
    pub stream: Option<String>,
    /// The name of the connection, as the server lists it; `cim` by default.
    pub name: String,
    /// Who we are.
    pub login: Login,
    /// Where the login was found; none without one.
    pub login_origin: Option<Origin>,
    /// Encryption.
    pub tls: Tls,
    /// Where JetStream's API is.
    pub api: Api,
    /// What the subjects of answers begin with; `_INBOX` by default.
    pub inbox_prefix: Option<String>,
    /// The time within which a first connection is made or found impossible, 4 s by default.
    pub connect_within: Duration,
    /// How long a call waits for its answer, 5 s by default.
    pub answer_within: Duration,
    /// The selected context that was left out since it is for other servers.
    pub(super) other_context: Option<String>,
}

/// The address of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Who we are to the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Login {
    /// Nobody in particular.
    None,
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// Whoever knows a token.
    Token(Secret),
    /// A user with a JWT and a seed, as `.creds` files have them. The file is read for each
    /// connection, so that it may be renewed.
    Creds(Source),
    /// A user with a seed alone.
    Nkey(Source),
}

/// Where the text of credentials is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// Here.
    Text(Secret),
}

/// Encryption.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// Whether a connection without it is refused. With it, servers that offer it are used with it
    /// all the same.
    pub required: bool,
    /// Whether it comes before the server's first word.
    pub first: bool,
    /// The file with the certificates of who may vouch for the servers; the system's without it.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub identity: Option<Identity>,
    /// The name that the servers' certificates are for; the host by default. It needs `ca`.
    pub server_name: Option<String>,
}

/// A client's certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The file with the certificate and those between it and its authority.
    pub cert: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
}

/// Where JetStream's API is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Api {
    /// At `$JS.API`.
    #[default]
    Default,
    /// In a domain, at `$JS.<domain>.API`.
    Domain(String),
    /// At these subjects, as an account that imports it has them.
    Prefix(String),
}

/// What surrounds the process. Tests bring their own.
pub trait Surroundings {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The user's folder.
    fn home(&self) -> Option<PathBuf>;
}

/// The surroundings of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }
}

impl NatsOptions {
    /// Takes a URL alone, `nats://[user:password@|token@]host[:port][,host[:port]…][/STREAM]`.
    ///
    /// # Errors
    ///
    /// [`OptionsError::Url`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_host::jetstream::NatsOptions;
    ///
    /// let options = NatsOptions::new("nats://user:secret@localhost/CIM-EVENTS")?;
    /// assert_eq!(options.url(), "nats://localhost:4222/CIM-EVENTS");
    /// # Ok::<(), cim_host::jetstream::OptionsError>(())
    /// ```
    pub fn new(url: &str) -> Result<Self, OptionsError> {
        struct Nothing;
        impl Surroundings for Nothing {
            fn variable(&self, _: &str) -> Option<String> {
                None
            }
            fn read(&self, _: &Path) -> io::Result<String> {
                Err(io::ErrorKind::NotFound.into())
            }
            fn home(&self) -> Option<PathBuf> {
                None
            }
        }
        Self::resolve(Some(url), &Config::default(), &Nothing)
    }

    /// Gathers what the store's URL, the environment, the `nats` command's contexts and `cim.toml`
    /// say; see the module's page. Without any of it, the server is `127.0.0.1:4222`.
    ///
    /// # Errors
    ///
    /// [`OptionsError`] with the place at fault.
    pub fn resolve(
        url: Option<&str>,
        config: &Config,
        around: &dyn Surroundings,
    ) -> Result<Self, OptionsError> {
        resolve::resolve(url, config, around)
    }

    /// The servers, at least one.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The URL without its secrets.
    pub fn url(&self) -> String {
        let servers: Vec<_> = self.servers.iter().map(Server::to_string).collect();
        let scheme = if self.tls.required { "tls" } else { "nats" };
        let stream = match &self.stream {
            Some(stream) => format!("/{stream}"),
            None => String::new(),
        };
        format!("{scheme}://{}{stream}", servers.join(","))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// What a message calls it; nothing secret.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("a user without login"),
            Self::Password { user, .. } => write!(f, "the user `{user}`"),
            Self::Token(_) => f.write_str("the token"),
            Self::Creds(Source::File(path)) => write!(f, "the creds `{}`", path.display()),
            Self::Creds(Source::Text(_)) => f.write_str("the creds"),
            Self::Nkey(Source::File(path)) => write!(f, "the nkey `{}`", path.display()),
            Self::Nkey(Source::Text(_)) => f.write_str("the nkey"),
        }
    }
}

impl Api {
    /// What the subjects of JetStream's API begin with.
    pub fn prefix(&self) -> String {
        match self {
            Self::Default => "$JS.API".to_owned(),
            Self::Domain(domain) => format!("$JS.{domain}.API"),
            Self::Prefix(prefix) => prefix.clone(),
        }
    }
}
