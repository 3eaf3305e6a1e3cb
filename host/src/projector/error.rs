//! Why a read model cannot be read, and why a projector ends.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use cim_core::projection::Name;
use cim_core::projection::machine::Failure;
use cim_core::version::Position;
use uuid::Uuid;

use crate::store::StoreError;

/// Why a read model cannot be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadModelError {
    /// There is no file. A projector makes it.
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is none of ours, or of a version that this program does not know.
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// No projection has this name.
    NoProjection {
        /// The name.
        name: Name,
    },
    /// The projection has no such collection.
    NoCollection {
        /// The projection.
        projection: Name,
        /// The name.
        collection: Name,
        /// The collections that it has.
        known: Vec<Name>,
    },
    /// The table of a collection belongs to another one. Rename one of them.
    TableTaken {
        /// The table.
        table: String,
        /// The projection that asked for it.
        projection: Name,
        /// Its collection.
        collection: Name,
    },
    /// The table of a collection was taken away. Start over.
    TableGone {
        /// The table.
        table: String,
        /// The projection.
        projection: Name,
        /// Its collection.
        collection: Name,
    },
    /// Another program holds the file for longer than is waited for. Try again.
    Busy {
        /// What was being done.
        doing: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The disk or the database failed.
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ReadModelError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "read-model-not-found",
            Self::Foreign { .. } => "read-model-foreign",
            Self::NoProjection { .. } => "projection-not-found",
            Self::NoCollection { .. } => "collection-not-found",
            Self::TableTaken { .. } => "table-taken",
            Self::TableGone { .. } => "table-gone",
            Self::Busy { .. } => "read-model-busy",
            Self::Io { .. } => "read-model-io",
        }
    }
}

impl fmt::Display for ReadModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path } => {
                write!(f, "there is no read model at `sqlite:{}`", path.display())
            }
            Self::Foreign { path, why } => {
                write!(f, "`sqlite:{}` is no read model: {why}", path.display())
            }
            Self::NoProjection { name } => write!(f, "there is no projection `{name}`"),
            Self::NoCollection {
                projection,
                collection,
                known,
            } => {
                write!(f, "`{projection}` has no collection `{collection}`")?;
                for (at, name) in known.iter().enumerate() {
                    write!(f, "{} `{name}`", if at == 0 { ", only" } else { "," })?;
                }
                Ok(())
            }
            Self::TableTaken {
                table,
                projection,
                collection,
            } => write!(
                f,
                "the table `{table}` of collection `{collection}` of `{projection}` belongs to \
                 another collection"
            ),
            Self::TableGone {
                table,
                projection,
                collection,
            } => write!(
                f,
                "the table `{table}` of collection `{collection}` of `{projection}` is not there \
                 any more"
            ),
            Self::Busy { doing, .. } => write!(f, "the read model was busy while {doing}"),
            Self::Io { doing, .. } => write!(f, "the read model failed while {doing}"),
        }
    }
}

impl Error for ReadModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Busy { source, .. } | Self::Io { source, .. } => Some(source.as_ref()),
            Self::NotFound { .. }
            | Self::Foreign { .. }
            | Self::NoProjection { .. }
            | Self::NoCollection { .. }
            | Self::TableTaken { .. }
            | Self::TableGone { .. } => None,
        }
    }
}

/// Why a projector does not start, or ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProjectorError {
    /// Another projector took the projection over. Stop one of the two.
    Fenced {
        /// The projection.
        name: Name,
        /// Where this projector stood.
        expected: Option<Position>,
        /// Where the other one stands; `None` where it has not handled any event.
        found: Option<Position>,
    },
    /// The documents were made by another handler. Start over.
    HandlerChanged {
        /// The projection.
        name: Name,
        /// The identity of the handler that made the documents.
        stored: String,
        /// The identity of this handler.
        found: String,
    },
    /// The documents were made by this handler, but with another configuration. Start over, or go
    /// back to that configuration.
    ConfigurationChanged {
        /// The projection.
        name: Name,
        /// The hash of the configuration that the documents were made with; empty without one.
        stored: String,
        /// The hash of this configuration; empty without one.
        found: String,
    },
    /// The documents are of another store's events. Start over.
    OtherStore {
        /// The projection.
        name: Name,
        /// The store that the documents are of.
        stored: Uuid,
        /// This store.
        found: Uuid,
    },
    /// The checkpoint lies behind the store's end: the store was cut or put back. Start over.
    AheadOfStore {
        /// The projection.
        name: Name,
        /// The checkpoint.
        checkpoint: Position,
        /// The store's last position.
        last: Option<Position>,
    },
    /// The projection cannot go on.
    Failed {
        /// The projection.
        name: Name,
        /// Why.
        failure: Failure,
    },
    /// The read model cannot be read or written.
    ReadModel(ReadModelError),
    /// The store cannot be read.
    Store(StoreError),
}

impl ProjectorError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "projector-fenced",
            Self::HandlerChanged { .. } => "handler-changed",
            Self::ConfigurationChanged { .. } => "configuration-changed",
            Self::OtherStore { .. } => "other-store",
            Self::AheadOfStore { .. } => "ahead-of-store",
            Self::Failed { failure, .. } => failure.code(),
            Self::ReadModel(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// What is wrong and its causes, as one line.
    pub(super) fn with_causes(&self) -> String {
        let mut told = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            told.push_str(": ");
            told.push_str(&error.to_string());
            cause = error.source();
        }
        told
    }

    /// What to do about it, as a sentence without a full stop; `None` where nothing general helps.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Fenced { .. } => Some("stop the other projector, or leave the work to it"),
            Self::HandlerChanged { .. }
            | Self::OtherStore { .. }
            | Self::AheadOfStore { .. }
            | Self::ReadModel(ReadModelError::TableGone { .. }) => {
                Some("start over with `--restart`, which empties the projection's documents")
            }
            Self::ConfigurationChanged { .. } => Some(
                "give the configuration that they were made with, or start over with `--restart`, \
                 which empties the projection's documents",
            ),
            Self::Failed {
                failure: Failure::NotCalled(_),
                ..
            } => Some("free memory on this machine, then run this again: what was done is kept"),
            // The only fault of a commit that may pass.
            Self::Failed {
                failure: Failure::Commit(fault),
                ..
            } if fault.retryable => Some(BUSY_HELP),
            Self::ReadModel(ReadModelError::Busy { .. }) => Some(BUSY_HELP),
            Self::ReadModel(ReadModelError::TableTaken { .. }) => {
                Some("rename the projection or the collection, or keep it in another file")
            }
            Self::Failed { .. } | Self::ReadModel(_) | Self::Store(_) => None,
        }
    }
}

impl fmt::Display for ProjectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced {
                name,
                expected,
                found,
            } => write!(
                f,
                "another projector took `{name}` over, which stands at {} now; this one had come to {}",
                Place(*found),
                Place(*expected)
            ),
            Self::HandlerChanged {
                name,
                stored,
                found,
            } => write!(
                f,
                "the documents of `{name}` were made by another handler: expected `{stored}`, \
                 found `{found}`"
            ),
            Self::ConfigurationChanged {
                name,
                stored,
                found,
            } => write!(
                f,
                "the documents of `{name}` were made by this handler, but with another \
                 configuration: expected {}, found {}",
                Configuration(stored),
                Configuration(found)
            ),
            Self::OtherStore {
                name,
                stored,
                found,
            } => write!(
                f,
                "the documents of `{name}` are of another store: expected `{stored}`, found \
                 `{found}`"
            ),
            Self::AheadOfStore {
                name,
                checkpoint,
                last,
            } => write!(
                f,
                "`{name}` has handled more than there is in the store: it stands at position \
                 {checkpoint}, the store ends at {}",
                Place(*last)
            ),
            Self::Failed { name, failure } => {
                write!(f, "the projection `{name}` cannot go on: {failure}")
            }
            Self::ReadModel(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for ProjectorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ReadModel(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::Fenced { .. }
            | Self::HandlerChanged { .. }
            | Self::ConfigurationChanged { .. }
            | Self::OtherStore { .. }
            | Self::AheadOfStore { .. }
            | Self::Failed { .. } => None,
        }
    }
}

impl From<ReadModelError> for ProjectorError {
    fn from(error: ReadModelError) -> Self {
        Self::ReadModel(error)
    }
}

impl From<StoreError> for ProjectorError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What to do about a file that another program holds.
pub(crate) const BUSY_HELP: &str =
    "another program holds the file locked: let it end, then run this again";

/// A checkpoint as people read it.
struct Place(Option<Position>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(position) => write!(f, "position {position}"),
            None => f.write_str("the start"),
        }
    }
}

/// The hash of a configuration as people read it.
struct Configuration<'a>(&'a str);

impl fmt::Display for Configuration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("none"),
            hash => write!(f, "`{hash}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_was_expected_and_what_was_found() {
        let name = Name::new("activity").expect("a name");
        let fenced = ProjectorError::Fenced {
            name: name.clone(),
            expected: None,
            found: Position::new(512).ok(),
        };
        assert_eq!(
            fenced.to_string(),
            "another projector took `activity` over, which stands at position 512 now; this one \
             had come to the start"
        );
        let missing = ReadModelError::NoCollection {
            projection: name,
            collection: Name::new("pears").expect("a name"),
            known: ["pairs", "types"]
                .map(|name| Name::new(name).expect("a name"))
                .to_vec(),
        };
        assert_eq!(
            missing.to_string(),
            "`activity` has no collection `pears`, only `pairs`, `types`"
        );
    }
}
