//! Why an aggregate cannot be loaded, asked or stored.

use std::error::Error;
use std::fmt;

use cim_core::append::{AppendError, Receipt};
use cim_core::id::{AggregateKey, EventId, Operation};
use cim_core::payload::EventError;
use cim_core::version::{Position, Version};

use crate::store::StoreError;

/// Why an aggregate cannot be loaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The store could not answer.
    Store(StoreError),
    /// The history is altered or not whole. Only this aggregate is stuck.
    Broken {
        /// Whose history it is.
        aggregate: AggregateKey,
        /// Where the event stands that does not fit.
        position: Position,
        /// The stable code of the fault: `wrong-cid`, `broken-link`, `gap` …
        code: &'static str,
        /// Why it does not fit: a [`ChainError`](cim_core::chain::ChainError), or what the store says of
        /// what is no event.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The domain cannot read an event. A later version of the program may.
    Unreadable {
        /// Whose event it is.
        aggregate: AggregateKey,
        /// Which event.
        event: EventId,
        /// Its version; `None` when it is not stored yet, and then it is not.
        version: Option<Version>,
        /// Why it cannot be read.
        source: EventError,
    },
    /// The operation of a new event is not the one that its type declares.
    WrongOperation {
        /// Which event.
        event: EventId,
        /// What its type declares.
        expected: &'static str,
        /// What it has.
        found: Operation,
    },
    /// The history is shorter than the version that was asked for.
    NoSuchVersion {
        /// Whose history it is.
        aggregate: AggregateKey,
        /// The version that was asked for.
        expected: Version,
        /// The last version that there is; `None` without any event.
        found: Option<Version>,
    },
}

impl RepositoryError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Broken { code, .. } => code,
            Self::Unreadable { source, .. } => source.code(),
            Self::WrongOperation { .. } => "operation-mismatch",
            Self::NoSuchVersion { .. } => "version-not-found",
        }
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Broken {
                aggregate,
                position,
                ..
            } => write!(
                f,
                "the history of `{aggregate}` is broken at position {position}"
            ),
            Self::Unreadable {
                aggregate,
                event,
                version: Some(version),
                ..
            } => write!(
                f,
                "event `{event}` (version {version} of `{aggregate}`) cannot be read"
            ),
            Self::Unreadable {
                aggregate,
                event,
                version: None,
                ..
            } => write!(
                f,
                "event `{event}` of `{aggregate}` is not stored: it could not be read again"
            ),
            Self::WrongOperation {
                event,
                expected,
                found,
            } => write!(
                f,
                "event `{event}` is not stored: expected the operation `{expected}` of its type, \
                 found `{found}`"
            ),
            Self::NoSuchVersion {
                aggregate,
                expected,
                found: Some(found),
            } => write!(
                f,
                "`{aggregate}` has no version {expected}: the last is {found}"
            ),
            Self::NoSuchVersion {
                aggregate,
                expected,
                found: None,
            } => write!(
                f,
                "`{aggregate}` has no version {expected}: it has no events"
            ),
        }
    }
}

impl Error for RepositoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is the store's, so its source is too.
            Self::Store(error) => error.source(),
            Self::Broken { source, .. } => Some(source.as_ref()),
            Self::Unreadable { source, .. } => Some(source),
            Self::WrongOperation { .. } | Self::NoSuchVersion { .. } => None,
        }
    }
}

impl From<StoreError> for RepositoryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why events that were made elsewhere are not stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// The domain could not read one of them, or its operation is another than declared.
    Repository(RepositoryError),
    /// The store did not take them, or it is not known.
    Append(AppendError),
}

impl SaveError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repository(error) => error.code(),
            Self::Append(error) => error.code(),
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
        }
    }
}

impl Error for SaveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Repository(error) => error.source(),
            Self::Append(error) => error.source(),
        }
    }
}

impl From<RepositoryError> for SaveError {
    fn from(error: RepositoryError) -> Self {
        Self::Repository(error)
    }
}

/// Why a command was not executed; `E` is the domain's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecuteError<E> {
    /// The domain refused it. Nothing happened.
    Refused(E),
    /// Other writers were faster each time. Nothing happened; execute the same command again.
    Contended {
        /// The aggregate.
        aggregate: AggregateKey,
        /// How often it was decided.
        attempts: u32,
    },
    /// The aggregate could not be loaded, or what was decided cannot be read again.
    Repository(RepositoryError),
    /// The store did not take what was decided; after [`AppendError::Unknown`], it may have. Executing
    /// the same command again, with its id, is safe and tells; for that the caller must have made it.
    Append(AppendError),
    /// It is stored, but on another history than it was decided on: that one was replaced meanwhile, as
    /// when a server comes back with a copy. Look at what is there now; executing the same command again
    /// stores nothing more.
    Replaced {
        /// The aggregate.
        aggregate: AggregateKey,
        /// Where the events are stored.
        receipt: Receipt,
    },
}

impl<E> ExecuteError<E> {
    /// The stable code of this fault; of a refusal `command-refused`, whatever the domain's own.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "command-refused",
            Self::Contended { .. } => "version-conflict",
            Self::Repository(error) => error.code(),
            Self::Append(error) => error.code(),
            Self::Replaced { .. } => "history-replaced",
        }
    }
}

impl<E: fmt::Display> fmt::Display for ExecuteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Contended {
                aggregate,
                attempts,
            } => write!(
                f,
                "others changed `{aggregate}` {attempts} times while a command was decided"
            ),
            Self::Repository(error) => error.fmt(f),
            Self::Append(error) => error.fmt(f),
            Self::Replaced { aggregate, receipt } => write!(
                f,
                "what was decided is stored up to version {} of `{aggregate}`, but on another history \
                 than it was decided on",
                receipt.version
            ),
        }
    }
}

impl<E: Error> Error for ExecuteError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The texts are those of the errors within, so their sources are too.
        match self {
            Self::Refused(error) => error.source(),
            Self::Contended { .. } | Self::Replaced { .. } => None,
            Self::Repository(error) => error.source(),
            Self::Append(error) => error.source(),
        }
    }
}

impl<E> From<RepositoryError> for ExecuteError<E> {
    fn from(error: RepositoryError) -> Self {
        Self::Repository(error)
    }
}
