//! Why there is no connection to NATS, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use cim_core::time::Timestamp;

use super::super::options::{Origin, Server};

/// Why there is no connection to NATS.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// A file of the login or of TLS cannot be read.
    Unreadable {
        /// What it is, with its path.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file or a value of the login or of TLS is not what it should be.
    Invalid {
        /// What it is, with its path.
        what: String,
        /// What is wrong; nothing secret.
        why: String,
    },
    /// No address is known for a host.
    UnknownHost {
        /// The server.
        server: Server,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody listens.
    NotListening {
        /// The server.
        server: Server,
    },
    /// Nothing came back in time.
    NoAnswer {
        /// The server.
        server: Server,
        /// The time.
        within: Duration,
    },
    /// The server and we do not come to an encrypted connection.
    Tls {
        /// The server.
        server: Server,
        /// What is wrong.
        why: TlsFault,
    },
    /// The server does not take the login.
    NotAllowed {
        /// The server.
        server: Server,
        /// What the login is; nothing secret.
        login: String,
        /// What may be the matter with it.
        hint: LoginHint,
    },
    /// The server takes nobody at present, such as when it is full.
    TurnedAway {
        /// The server.
        server: Server,
        /// What it says.
        why: String,
    },
    /// Who listens there is no NATS server.
    NotNats {
        /// The server.
        server: Server,
    },
    /// The connection failed otherwise.
    Broken {
        /// The server.
        server: Server,
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There are several servers, and no connection to any.
    Several {
        /// What is wrong with each.
        faults: Vec<Self>,
    },
}

/// What is wrong with encryption.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The server speaks none.
    NotSpoken,
    /// Nobody whom we trust vouches for the server.
    UnknownIssuer,
    /// The server's certificate is for another name.
    OtherName,
    /// The server's certificate is not valid at this time.
    OutOfTime,
    /// The server wants a certificate of ours, or another one.
    OurCertificate,
    /// It failed otherwise.
    Handshake {
        /// What the library says.
        why: String,
    },
}

/// What may be the matter with a login.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LoginHint {
    /// There is none.
    NoLogin,
    /// There is one in the selected context, which is for other servers.
    OtherContext {
        /// The context's name.
        name: String,
    },
    /// It has ended.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// The server does not know it, or it is wrong.
    Wrong {
        /// Where it was found.
        origin: Option<Origin>,
    },
}

impl ConnectError {
    /// The stable code of this fault; of several, that of the one which tells most.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "nats-file-unreadable",
            Self::Invalid { .. } => "nats-file-invalid",
            Self::UnknownHost { .. } => "nats-host-unknown",
            Self::NotListening { .. } => "nats-not-listening",
            Self::NoAnswer { .. } => "nats-connect-timeout",
            Self::Tls { .. } => "nats-tls",
            Self::NotAllowed { .. } => "nats-login-refused",
            Self::TurnedAway { .. } => "nats-turned-away",
            Self::NotNats { .. } => "nats-not-nats",
            Self::Broken { .. } => "nats-connection-broken",
            Self::Several { .. } => self.telling().map_or("nats-connection-broken", Self::code),
        }
    }

    /// Whether it is the login that must change.
    pub fn is_not_allowed(&self) -> bool {
        match self {
            Self::Several { .. } => self.telling().is_some_and(Self::is_not_allowed),
            fault => matches!(fault, Self::NotAllowed { .. }),
        }
    }

    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that the file is there and may be read".to_owned(),
            Self::Invalid { .. } => "name another file, or make it anew".to_owned(),
            Self::UnknownHost { .. } => {
                "check the name, or write the address in its place".to_owned()
            }
            Self::NotListening { .. } => "start a server there with `nats-server --jetstream`, or \
                                          name another with `--store nats://HOST:PORT/STREAM`"
                .to_owned(),
            Self::NoAnswer { .. } => "check the address, and that the network and its firewalls \
                                      let us through to it"
                .to_owned(),
            Self::Tls { why, .. } => why.help().to_owned(),
            Self::NotAllowed { hint, .. } => hint.help(),
            Self::TurnedAway { .. } => "try again later, and look into the server's log".to_owned(),
            Self::NotNats { .. } => {
                "check the port: clients of NATS have 4222 by default".to_owned()
            }
            Self::Broken { .. } => "look into the server's log".to_owned(),
            Self::Several { .. } => self.telling().map_or_else(String::new, Self::help),
        }
    }

    /// Of several the one that came furthest: who refuses a login can be reached.
    fn telling(&self) -> Option<&Self> {
        let Self::Several { faults } = self else {
            return Some(self);
        };
        faults.iter().max_by_key(|fault| match fault {
            Self::Several { .. } => 0,
            Self::UnknownHost { .. } => 1,
            Self::NoAnswer { .. } => 2,
            Self::NotListening { .. } => 3,
            Self::Broken { .. } | Self::NotNats { .. } => 4,
            Self::Tls { .. } => 5,
            Self::TurnedAway { .. } => 6,
            Self::NotAllowed { .. } => 7,
            Self::Unreadable { .. } | Self::Invalid { .. } => 8,
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { what, .. } => write!(f, "{what} cannot be read"),
            Self::Invalid { what, why } => write!(f, "{what}: {why}"),
            Self::UnknownHost { server, .. } => {
                write!(f, "no address is known for the host of `{server}`")
            }
            Self::NotListening { server } => write!(f, "nobody listens at `{server}`"),
            Self::NoAnswer { server, within } => {
                let seconds = within.as_secs_f64();
                write!(f, "no answer from `{server}` within {seconds} s")
            }
            Self::Tls { server, why } => {
                write!(f, "no encrypted connection to `{server}`: {why}")
            }
            Self::NotAllowed { server, login, .. } => write!(f, "`{server}` refuses {login}"),
            Self::TurnedAway { server, why } => {
                write!(f, "`{server}` turns us away, saying `{why}`")
            }
            Self::NotNats { server } => {
                write!(f, "who answers at `{server}` is no NATS server")
            }
            Self::Broken { server, .. } => write!(f, "the connection to `{server}` broke"),
            Self::Several { faults } => {
                write!(
                    f,
                    "there is no connection to any of {} servers",
                    faults.len()
                )?;
                for (index, fault) in faults.iter().enumerate() {
                    f.write_str(if index == 0 { ": " } else { "; " })?;
                    write!(f, "{fault}")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } | Self::UnknownHost { source, .. } => Some(source),
            Self::Broken { source, .. } => Some(source.as_ref()),
            Self::Several { .. } => self.telling().and_then(Error::source),
            Self::Invalid { .. }
            | Self::NotListening { .. }
            | Self::NoAnswer { .. }
            | Self::Tls { .. }
            | Self::NotAllowed { .. }
            | Self::TurnedAway { .. }
            | Self::NotNats { .. } => None,
        }
    }
}

impl TlsFault {
    fn help(&self) -> &'static str {
        match self {
            Self::NotSpoken => {
                "write `nats://` in place of `tls://` and leave certificates and `tls_required` \
                 away, or let the server speak TLS"
            }
            Self::UnknownIssuer => {
                "name the file with the certificate of the server's authority: `NATS_CA`, or \
                 `[nats] tls_ca` in `cim.toml`"
            }
            Self::OtherName => {
                "name the server as its certificate does, or set `[nats] tls_server_name` in \
                 `cim.toml`"
            }
            Self::OutOfTime => "renew the server's certificate, or set the clock right",
            Self::OurCertificate => {
                "name the files of a certificate that the server takes: `NATS_CERT` and \
                 `NATS_KEY`, or `[nats] tls_cert` and `tls_key` in `cim.toml`"
            }
            Self::Handshake { .. } => "look into the server's log",
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSpoken => f.write_str("the server speaks no TLS"),
            Self::UnknownIssuer => {
                f.write_str("nobody whom we trust vouches for the server's certificate")
            }
            Self::OtherName => f.write_str("the server's certificate is for another name"),
            Self::OutOfTime => f.write_str("the server's certificate is not valid at this time"),
            Self::OurCertificate => f.write_str("the server does not take our certificate"),
            Self::Handshake { why } => f.write_str(why),
        }
    }
}

impl LoginHint {
    fn help(&self) -> String {
        match self {
            Self::NoLogin => "the server wants a login: set `NATS_CREDS`, or `NATS_USER` and \
                              `NATS_PASSWORD`, or select a context with `NATS_CONTEXT`"
                .to_owned(),
            Self::OtherContext { name } => format!(
                "the selected context `{name}` is for other servers; to use its login here, set \
                 `NATS_CONTEXT={name}`"
            ),
            Self::Expired { at } => format!("it ended at {at}: get a new one"),
            Self::Wrong {
                origin: Some(origin),
            } => format!("check {origin}, and that the server knows the user"),
            Self::Wrong { origin: None } => "check that the server knows the user".to_owned(),
        }
    }
}
