//! Finding an operator, an account or a user by its key or its name.

use std::error::Error;
use std::fmt;

use super::{Directory, KeyState};
use crate::nkey::{KeyKind, PublicKey};
use crate::text::shorten;

impl Directory {
    /// The operator of a key or a name; without either, the only one.
    ///
    /// # Errors
    ///
    /// [`LookupError`].
    pub fn find_operator(&self, text: Option<&str>) -> Result<PublicKey, LookupError> {
        let named = self
            .operators
            .iter()
            .filter(|(key, entry)| text.is_none_or(|text| is(text, key, &entry.state.name)))
            .map(|(key, _)| *key);
        self.one(KeyKind::Operator, text.unwrap_or_default(), named)
    }

    /// The account of a key or a name.
    ///
    /// # Errors
    ///
    /// [`LookupError`].
    pub fn find_account(&self, text: &str) -> Result<PublicKey, LookupError> {
        let named = self
            .accounts
            .iter()
            .filter(|(key, entry)| is(text, key, &entry.state.name))
            .map(|(key, _)| *key);
        self.one(KeyKind::Account, text, named)
    }

    /// The user of a key, of a name, or of an account's key or name and its own name behind a `/`.
    ///
    /// Users that were revoked are found by their names too, where no other one has it.
    ///
    /// # Errors
    ///
    /// [`LookupError`].
    pub fn find_user(&self, text: &str) -> Result<PublicKey, LookupError> {
        let (account, name) = match text.split_once('/') {
            Some((account, name)) => (Some(self.find_account(account)?), name),
            None => (None, text),
        };
        let named = self
            .users
            .iter()
            .filter(|(key, entry)| {
                is(name, key, &entry.state.name)
                    && account.is_none_or(|account| entry.state.account == Some(account))
            })
            .map(|(key, _)| *key);
        self.one(KeyKind::User, text, named)
    }

    /// The accounts of an operator.
    pub fn accounts_of(&self, operator: PublicKey) -> impl Iterator<Item = PublicKey> {
        self.accounts
            .iter()
            .filter(move |(_, entry)| entry.state.operator == Some(operator))
            .map(|(key, _)| *key)
    }

    /// The users of an account, the revoked ones too.
    pub fn users_of(&self, account: PublicKey) -> impl Iterator<Item = PublicKey> {
        self.users
            .iter()
            .filter(move |(_, entry)| entry.state.account == Some(account))
            .map(|(key, _)| *key)
    }

    /// Whether a key may sign, and whose it is.
    pub fn key(&self, key: PublicKey) -> &KeyState {
        static ABSENT: KeyState = KeyState::Absent;
        self.keys.get(&key).map_or(&ABSENT, |entry| &entry.state)
    }

    fn one(
        &self,
        kind: KeyKind,
        text: &str,
        found: impl Iterator<Item = PublicKey>,
    ) -> Result<PublicKey, LookupError> {
        let (active, revoked): (Vec<_>, Vec<_>) =
            found.partition(|key| !self.key(*key).is_revoked());
        match (&active[..], &revoked[..]) {
            ([one], _) | ([], [one]) => Ok(*one),
            ([], []) => Err(LookupError::Absent {
                kind,
                text: shorten(text),
            }),
            ([], found) | (found, _) => Err(LookupError::Ambiguous {
                kind,
                text: shorten(text),
                found: found.to_vec(),
            }),
        }
    }
}

fn is(text: &str, key: &PublicKey, name: &str) -> bool {
    name == text || key.as_str() == text
}

/// Why nothing is found by a key or a name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LookupError {
    /// Nothing is called so.
    Absent {
        /// What was looked for.
        kind: KeyKind,
        /// By which key or name; empty for whatever there is.
        text: String,
    },
    /// Several are called so. Take the key of one.
    Ambiguous {
        /// What was looked for.
        kind: KeyKind,
        /// By which name; empty for whatever there is.
        text: String,
        /// The keys.
        found: Vec<PublicKey>,
    },
}

impl LookupError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "identity-not-found",
            Self::Ambiguous { .. } => "identity-ambiguous",
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { kind, text } if text.is_empty() => write!(f, "there is no {kind}"),
            Self::Absent { kind, text } => write!(f, "there is no {kind} `{text}`"),
            Self::Ambiguous { kind, text, found } => {
                write!(f, "there are {} {kind}s", found.len())?;
                if !text.is_empty() {
                    write!(f, " `{text}`")?;
                }
                f.write_str(": ")?;
                for (index, key) in found.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}`{key}`")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for LookupError {}
