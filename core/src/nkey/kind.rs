//! What a key is for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key is for. nats-server knows these kinds and no others.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Vouches for accounts: `O…`, seed `SO…`.
    Operator,
    /// Vouches for users: `A…`, seed `SA…`.
    Account,
    /// Logs in: `U…`, seed `SU…`.
    User,
    /// Names a server: `N…`, seed `SN…`.
    Server,
    /// Names a cluster: `C…`, seed `SC…`.
    Cluster,
    /// Seals and opens messages, and signs nothing: `X…`, seed `SX…`.
    Curve,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Operator,
        Self::Account,
        Self::User,
        Self::Server,
        Self::Cluster,
        Self::Curve,
    ];

    /// The letter that public keys of this kind begin with.
    pub fn letter(self) -> char {
        match self {
            Self::Operator => 'O',
            Self::Account => 'A',
            Self::User => 'U',
            Self::Server => 'N',
            Self::Cluster => 'C',
            Self::Curve => 'X',
        }
    }

    /// The kind as a word, `operator`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Curve => "curve",
        }
    }

    /// The first byte of public keys: the letter's five bits of base32, and three that are zero.
    pub(super) fn prefix(self) -> u8 {
        let digit = match self.letter() {
            letter @ 'A'..='Z' => letter as u8 - b'A',
            _ => unreachable!("all letters are of A to Z"),
        };
        digit << 3
    }

    pub(super) fn from_prefix(prefix: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
