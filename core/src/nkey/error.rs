//! What can be wrong with a key, its text or what it has signed.

use std::error::Error;
use std::fmt;

use super::codec::SEED_LEN;
use super::kind::KeyKind;

/// What is wrong. No variant holds anything of a seed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NkeyError {
    /// A text that is no public key.
    PublicKey {
        /// The text, shortened if it is long; `…` where it may be a secret.
        text: String,
    },
    /// A seed of another length than 58 characters.
    SeedLength {
        /// How many bytes it has.
        found: usize,
    },
    /// A seed with characters that are no digits of base32, `A` to `Z` and `2` to `7`.
    SeedDigits,
    /// A seed whose checksum is not its own: a character is wrong.
    SeedChecksum,
    /// A seed of a kind that NATS does not know.
    SeedKind,
    /// A key of another kind than this needs.
    Kind {
        /// What is needed.
        expected: &'static str,
        /// What it is.
        found: KeyKind,
    },
    /// A signature that the key has not made for this message.
    Signature,
    /// A sealed message that cannot be opened with these keys, or was altered.
    Sealed,
}

impl NkeyError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicKey { .. } => "public-key-invalid",
            Self::SeedLength { .. } | Self::SeedDigits | Self::SeedChecksum | Self::SeedKind => {
                "seed-invalid"
            }
            Self::Kind { .. } => "key-kind-wrong",
            Self::Signature => "signature-wrong",
            Self::Sealed => "sealed-wrong",
        }
    }
}

impl fmt::Display for NkeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicKey { text } => write!(
                f,
                "invalid public key `{text}`: expected 56 characters that begin with O, A, U, N, C \
                 or X and end with their checksum"
            ),
            Self::SeedLength { found } => write!(
                f,
                "invalid seed: expected {SEED_LEN} characters, found {found}"
            ),
            Self::SeedDigits => f.write_str("invalid seed: expected the digits A to Z and 2 to 7"),
            Self::SeedChecksum => {
                f.write_str("invalid seed: the checksum is wrong, so that a character must be")
            }
            Self::SeedKind => f.write_str(
                "invalid seed: expected one of an operator, account, user, server, cluster or curve",
            ),
            Self::Kind { expected, found } => {
                write!(f, "wrong kind of key: expected {expected}, found {found}")
            }
            Self::Signature => f.write_str("wrong signature: it is not by this key for this text"),
            Self::Sealed => {
                f.write_str("cannot be opened: it was sealed for or by other keys, or altered")
            }
        }
    }
}

impl Error for NkeyError {}
