//! Why something about identities was not done.

use std::error::Error;
use std::fmt;

use cim_core::append::AppendError;
use cim_core::chain::ChainError;
use cim_core::creds::CredsError;
use cim_core::domain::keys::{LookupError, Refusal, UnreadableEvent};
use cim_core::jwt::{Finding, IssueError};
use cim_core::nkey::PublicKey;
use uuid::Uuid;

use super::keystore::KeystoreError;
use super::plan::SpecError;
use crate::store::StoreError;

/// Why something about identities was not done. Unless it says otherwise, nothing has changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdentityError {
    /// A rule of the domain forbids it.
    Refused(Refusal),
    /// There is none by that name, or several.
    Lookup(LookupError),
    /// A name that another one has.
    NameTaken {
        /// The name.
        name: String,
        /// The other one.
        by: PublicKey,
    },
    /// What could be written as an event and not be read again: claims that are nested too deeply.
    Unstorable {
        /// The type of the event.
        event_type: String,
        /// What is wrong with it.
        why: String,
    },
    /// A text that holds a seed, which would be for everybody to read in an event.
    SeedInText {
        /// The type of the event.
        event_type: String,
    },
    /// None of the keys that may sign has its seed in the keystore.
    NoSeed {
        /// What is to be signed: `the account …`.
        what: String,
        /// The keys that may.
        keys: Vec<PublicKey>,
    },
    /// Servers would refuse what was to be signed.
    Unsigned {
        /// What is to be signed.
        what: String,
        /// Why, at least one finding.
        findings: Vec<Finding>,
    },
    /// Claims could not be signed.
    Issue(IssueError),
    /// A token and a seed make no creds.
    Creds(CredsError),
    /// Some of what `nsc` has made cannot be taken.
    NscRefused {
        /// What, and why; at least one thing.
        problems: Vec<NscProblem>,
    },
    /// A description of identities cannot be followed.
    Spec(SpecError),
    /// The keystore belongs to another event store.
    AnotherStore {
        /// The id of the event store.
        store: Uuid,
        /// The id that the keystore has.
        keystore: Uuid,
    },
    /// The keystore failed.
    Keystore(KeystoreError),
    /// The event store failed.
    Store(StoreError),
    /// The events were not stored, or it is not known whether they were.
    Append(AppendError),
    /// An event is not what its CID says, or does not link.
    Broken(ChainError),
    /// An event of the domain cannot be read.
    Unreadable(UnreadableEvent),
    /// Others changed the same identities again and again. Try again.
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
}

/// What of `nsc` cannot be taken.
#[derive(Debug)]
pub struct NscProblem {
    /// What, ``account `orders` ``.
    pub whose: String,
    /// Why.
    pub source: Box<IdentityError>,
}

impl fmt::Display for NscProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.whose, self.source)
    }
}

impl IdentityError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.code(),
            Self::Lookup(error) => error.code(),
            Self::NameTaken { .. } => "name-taken",
            Self::Unstorable { .. } => "event-unstorable",
            Self::SeedInText { .. } => "seed-in-text",
            Self::NoSeed { .. } => "seed-missing",
            Self::Unsigned { .. } => "claims-refused",
            Self::Issue(error) => error.code(),
            Self::Creds(error) => error.code(),
            Self::NscRefused { .. } => "nsc-refused",
            Self::Spec(error) => error.code(),
            Self::AnotherStore { .. } => "keystore-of-another-store",
            Self::Keystore(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Append(error) => error.code(),
            Self::Broken(error) => error.code(),
            Self::Unreadable(error) => error.code(),
            Self::Contended { .. } => "version-conflict",
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Lookup(error) => error.fmt(f),
            Self::NameTaken { name, by } => write!(f, "the name `{name}` is that of `{by}`"),
            Self::Unstorable { event_type, why } => {
                write!(f, "`{event_type}` could not be read again: {why}")
            }
            Self::SeedInText { event_type } => write!(
                f,
                "what looks like a seed stands in a text of `{event_type}`, which everybody can read"
            ),
            Self::NoSeed { what, keys } => {
                write!(f, "nothing signs {what}: expected the seed of ")?;
                list(f, keys)?;
                f.write_str(" in the keystore, found none")
            }
            Self::Unsigned { what, findings } => {
                write!(f, "a server would refuse {what}: ")?;
                for (index, finding) in findings.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{finding}")?;
                }
                Ok(())
            }
            Self::Issue(error) => error.fmt(f),
            Self::Creds(error) => error.fmt(f),
            Self::NscRefused { problems } => {
                f.write_str("nothing of nsc was taken: ")?;
                for (index, problem) in problems.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{problem}")?;
                }
                Ok(())
            }
            Self::Spec(error) => error.fmt(f),
            Self::AnotherStore { store, keystore } => write!(
                f,
                "the keystore belongs to the event store `{keystore}`, this is `{store}`"
            ),
            Self::Keystore(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
            Self::Broken(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
            Self::Contended { attempts } => {
                write!(f, "others changed the same identities {attempts} times")
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, keys: &[PublicKey]) -> fmt::Result {
    if keys.is_empty() {
        return f.write_str("a key that may");
    }
    for (index, key) in keys.iter().enumerate() {
        let separator = if index == 0 { "" } else { " or " };
        write!(f, "{separator}`{key}`")?;
    }
    Ok(())
}

impl Error for IdentityError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => error.source(),
            Self::Lookup(error) => error.source(),
            Self::Issue(error) => error.source(),
            Self::Creds(error) => error.source(),
            Self::Spec(error) => error.source(),
            Self::Keystore(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::Append(error) => error.source(),
            Self::Broken(error) => error.source(),
            Self::Unreadable(error) => error.source(),
            Self::NameTaken { .. }
            | Self::Unstorable { .. }
            | Self::SeedInText { .. }
            | Self::NoSeed { .. }
            | Self::Unsigned { .. }
            | Self::NscRefused { .. }
            | Self::AnotherStore { .. }
            | Self::Contended { .. } => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {$(
        impl From<$error> for IdentityError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(
    Refused(Refusal),
    Lookup(LookupError),
    Issue(IssueError),
    Creds(CredsError),
    Keystore(KeystoreError),
    Spec(SpecError),
    Store(StoreError),
    Append(AppendError),
    Broken(ChainError),
    Unreadable(UnreadableEvent),
);
