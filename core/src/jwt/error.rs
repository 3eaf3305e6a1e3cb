//! What can be wrong with a token.

use std::error::Error;
use std::fmt;

use super::body::Kind;
use super::token::MAX_TOKEN_LEN;
use crate::nkey::NkeyError;
use crate::text::shorten;

/// A text that is no token, or none that its issuer has signed. No variant holds the token, which may
/// be a password.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JwtError {
    /// Longer than servers take.
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// Not three parts with full stops between them.
    Parts {
        /// How many there are.
        found: usize,
    },
    /// A part that is no base64url without padding.
    Base64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// A part that is not the JSON it should be.
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A header of another kind of token.
    Header {
        /// Its type; NATS has `JWT`.
        typ: String,
        /// Its algorithm; NATS has `ed25519-nkey`.
        alg: String,
    },
    /// Claims of a version that servers do not read.
    Version {
        /// The version; 0 where there is none.
        found: i64,
    },
    /// A token of another kind.
    Kind {
        /// What was expected; one that is known here, if nothing else.
        expected: Option<Kind>,
        /// What it is; empty where it does not say.
        found: String,
    },
    /// Not signed by the key that it names, or by a kind of key that may not.
    Issuer(NkeyError),
}

impl JwtError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "jwt-too-long",
            Self::Parts { .. } => "jwt-parts",
            Self::Base64 { .. } => "jwt-base64",
            Self::Json { .. } => "jwt-json",
            Self::Header { .. } => "jwt-header",
            Self::Version { .. } => "jwt-version",
            Self::Kind { .. } => "jwt-kind",
            Self::Issuer(_) => "jwt-issuer",
        }
    }
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid token: ")?;
        match self {
            Self::TooLong { found } => {
                write!(f, "expected at most {MAX_TOKEN_LEN} bytes, found {found}")
            }
            Self::Parts { found } => write!(
                f,
                "expected three parts with full stops between them, found {found}"
            ),
            Self::Base64 { part } => {
                write!(f, "the {part} is not base64url without padding")
            }
            Self::Json { part, why } => write!(f, "the {part} is not as it should be: {why}"),
            Self::Header { typ, alg } => write!(
                f,
                "expected the type `JWT` and the algorithm `ed25519-nkey`, found `{}` and `{}`",
                shorten(typ),
                shorten(alg)
            ),
            Self::Version { found } => {
                write!(f, "expected claims of version 1 or 2, found {found}")
            }
            Self::Kind { expected, found } => {
                match expected {
                    Some(kind) => write!(f, "expected one of the kind `{kind}`")?,
                    None => f.write_str("expected an operator, account, user or activation")?,
                }
                match found.as_str() {
                    "" => f.write_str(", found none"),
                    found => write!(f, ", found `{}`", shorten(found)),
                }
            }
            Self::Issuer(error) => write!(f, "who has signed it: {error}"),
        }
    }
}

impl Error for JwtError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Issuer(error) => Some(error),
            _ => None,
        }
    }
}
