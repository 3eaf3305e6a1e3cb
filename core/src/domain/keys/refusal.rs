//! Why a command about keys is refused.

use std::error::Error;
use std::fmt;

use crate::jwt::Finding;
use crate::nkey::{KeyKind, PublicKey};

/// Why a command is refused: nothing happens.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is there already.
    Exists {
        /// What.
        key: PublicKey,
    },
    /// It was not made, or not yet.
    Absent {
        /// What is missing: `operator`, `account`, `user` or `key`.
        what: &'static str,
    },
    /// A name that is empty, too long, or has control characters or white space around it.
    Name {
        /// The name.
        found: String,
    },
    /// A key of another kind.
    Kind {
        /// What was expected.
        expected: KeyKind,
        /// The key.
        found: PublicKey,
    },
    /// The key was revoked, and signs nothing more.
    Revoked {
        /// The key.
        key: PublicKey,
    },
    /// The key has a successor, which signs in its place.
    Rotated {
        /// The key.
        key: PublicKey,
        /// The other one.
        successor: PublicKey,
    },
    /// No signing key of the operator or account.
    NotSigningKey {
        /// The key.
        key: PublicKey,
    },
    /// The only signing key where nothing else may sign. Make another one first.
    LastSigningKey {
        /// The key.
        key: PublicKey,
    },
    /// A role that no signing key of the account has.
    RoleUnknown {
        /// The role.
        role: String,
    },
    /// Two signing keys of one role that allow different things.
    RoleTwice {
        /// The role.
        role: String,
    },
    /// Permissions or limits for a user whose role has them.
    LimitsOfRole {
        /// The role.
        role: String,
    },
    /// Claims that a server would refuse.
    Claims {
        /// What is wrong with them, at least one thing.
        findings: Vec<Finding>,
    },
}

impl Refusal {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "identity-exists",
            Self::Absent { .. } => "identity-absent",
            Self::Name { .. } => "name-invalid",
            Self::Kind { .. } => "key-kind-wrong",
            Self::Revoked { .. } => "key-revoked",
            Self::Rotated { .. } => "key-rotated",
            Self::NotSigningKey { .. } => "not-signing-key",
            Self::LastSigningKey { .. } => "last-signing-key",
            Self::RoleUnknown { .. } => "role-unknown",
            Self::RoleTwice { .. } => "role-twice",
            Self::LimitsOfRole { .. } => "limits-of-role",
            Self::Claims { .. } => "claims-refused",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { key } => write!(f, "there is `{key}` already"),
            Self::Absent { what } => write!(f, "there is no such {what}"),
            Self::Name { found } => write!(
                f,
                "expected a name of 1 to {} bytes without control characters or white space around \
                 it, found `{found}`",
                super::MAX_NAME_LEN
            ),
            Self::Kind { expected, found } => {
                write!(f, "expected the key of an {expected}, found `{found}`")
            }
            Self::Revoked { key } => write!(f, "`{key}` was revoked"),
            Self::Rotated { key, successor } => {
                write!(f, "`{key}` was rotated: `{successor}` signs in its place")
            }
            Self::NotSigningKey { key } => write!(f, "`{key}` is no signing key of it"),
            Self::LastSigningKey { key } => write!(
                f,
                "`{key}` is the only signing key, and the operator lets nothing else sign"
            ),
            Self::RoleUnknown { role } => {
                write!(f, "no signing key of the account has the role `{role}`")
            }
            Self::RoleTwice { role } => write!(
                f,
                "two signing keys have the role `{role}`, and allow different things"
            ),
            Self::LimitsOfRole { role } => write!(
                f,
                "what the user may do comes from its role `{role}`, beside which nothing may be said"
            ),
            Self::Claims { findings } => {
                f.write_str("a server would refuse these claims: ")?;
                for (index, finding) in findings.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{finding}")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for Refusal {}
