//! What can go wrong between us and the accounts of servers.

use std::error::Error;
use std::fmt;

use cim_core::jwt::{Finding, JwtError};
use cim_core::nkey::PublicKey;

use super::super::error::JetStreamError;
use super::servers::ServerIdentity;

/// Why accounts were not read from servers, or not pushed to them. Unless it says otherwise, no server
/// was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The token to be pushed is none of an account.
    Token(JwtError),
    /// A server would not go by the token, so that it was not sent.
    Refused {
        /// The account, as the token names it.
        account: String,
        /// Why it would not.
        findings: Vec<Finding>,
    },
    /// Servers run with an operator that does not trust who has signed, so that the token was not sent.
    NotTrusted {
        /// Who has signed.
        issuer: String,
        /// The servers.
        servers: Vec<ServerIdentity>,
    },
    /// A server has a token of the account that was signed later, so that ours was not sent.
    Newer {
        /// The account.
        account: PublicKey,
        /// The second in which ours was signed.
        ours: i64,
        /// The second in which the server's was.
        found: i64,
    },
    /// A server has another token of the account that was signed in the same second, so that ours was
    /// not sent: which one is meant is not to be seen.
    SameSecond {
        /// The account.
        account: PublicKey,
        /// The second.
        issued_at: i64,
    },
    /// No server stores accounts: they have them from their configuration.
    NoStore {
        /// The servers.
        servers: Vec<ServerIdentity>,
    },
    /// The user is none of the system account.
    NotSystemUser,
    /// A call failed. A push that was under way may have reached servers; it may be repeated.
    JetStream(JetStreamError),
}

impl ClaimsError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Refused { .. } => "claims-refused",
            Self::NotTrusted { .. } => "claims-not-trusted",
            Self::Newer { .. } => "claims-newer",
            Self::SameSecond { .. } => "claims-same-second",
            Self::NoStore { .. } => "claims-no-store",
            Self::NotSystemUser => "claims-not-system-user",
            Self::JetStream(error) => error.code(),
        }
    }

    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Token(_) => "push the token of an account",
            Self::Refused { .. } => "mend the account's claims and sign them again",
            Self::NotTrusted { .. } => {
                "write the operator's present token into the configuration of these servers and \
                 restart them, one after the other"
            }
            Self::Newer { .. } => {
                "take over the server's token first, or sign ours again, after looking at what \
                 would be lost"
            }
            Self::SameSecond { .. } => "look at both, and sign the one that is meant again",
            Self::NoStore { .. } => {
                "write the configuration of the servers anew with the account's token and let them \
                 reload it (`nats-server --signal reload`), or give them a resolver of the type \
                 `full`"
            }
            Self::NotSystemUser => "log in with the creds of a user of the system account",
            Self::JetStream(JetStreamError::NotAllowed { .. }) => {
                "let the user publish to `$SYS.REQ.SERVER.PING.*`, `$SYS.REQ.CLAIMS.*` and `$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP`"
            }
            Self::JetStream(_) => "try again",
        }
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("expected the token of an account"),
            Self::Refused { account, findings } => {
                write!(f, "servers would not go by the token of `{account}`")?;
                separated(f, findings.iter())
            }
            Self::NotTrusted { issuer, servers } => {
                write!(f, "servers do not trust `{issuer}`, who has signed")?;
                separated(f, servers.iter())
            }
            Self::Newer {
                account,
                ours,
                found,
            } => write!(
                f,
                "expected no newer token of `{account}` than that of second {ours}, found one of \
                 second {found}"
            ),
            Self::SameSecond { account, issued_at } => write!(
                f,
                "expected no other token of `{account}` of second {issued_at}, found one"
            ),
            Self::NoStore { servers } => {
                f.write_str("servers have their accounts from their configuration alone")?;
                separated(f, servers.iter())
            }
            Self::NotSystemUser => {
                f.write_str("expected a user of the system account, found another")
            }
            Self::JetStream(error) => fmt::Display::fmt(error, f),
        }
    }
}

fn separated<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    list: impl Iterator<Item = T>,
) -> fmt::Result {
    for (index, item) in list.enumerate() {
        f.write_str(if index == 0 { ": " } else { "; " })?;
        write!(f, "{item}")?;
    }
    Ok(())
}

impl Error for ClaimsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            // Its text is ours.
            Self::JetStream(error) => error.source(),
            Self::Refused { .. }
            | Self::NotTrusted { .. }
            | Self::Newer { .. }
            | Self::SameSecond { .. }
            | Self::NoStore { .. }
            | Self::NotSystemUser => None,
        }
    }
}

impl From<JetStreamError> for ClaimsError {
    fn from(error: JetStreamError) -> Self {
        Self::JetStream(error)
    }
}
