//! How a command fails: an error, its causes, what to do next, and an exit code.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use cim_core::append::{AppendError, Rejection};
use cim_core::chain::ChainError;
use serde_json::json;

use super::show::plain;
use crate::config::ConfigError;
use crate::import::ImportError;
#[cfg(feature = "jetstream")]
use crate::jetstream::{ConnectError, OptionsError};
use crate::open::OpenError;
#[cfg(feature = "plugin")]
use crate::plugin::PluginError;
use crate::projector::{BUSY_HELP, ProjectorError, ReadModelError};
use crate::store::StoreError;

/// The exit codes of the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    Conflict = 5,
    Broken = 6,
    Unhealthy = 7,
    Unknown = 9,
}

/// Why a command ends.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) help: Option<String>,
    /// All was said on standard output already.
    pub(crate) quiet: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        let (message, causes) = (message.into(), Vec::new());
        Self {
            exit,
            code,
            message,
            causes,
            help: None,
            quiet: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn of(exit: Exit, code: &'static str, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, code, error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            failure.causes.push(error.to_string());
            cause = error.source();
        }
        failure
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let mut failure = Self::of(exit_of(error), "io", error);
        failure.causes.insert(0, failure.message);
        failure.message = format!("cannot {doing} `{}`", path.display());
        failure
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The three parts as people read them.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for (number, cause) in self.causes.iter().enumerate() {
            let number = number + 1;
            let _ = if self.causes.len() == 1 {
                writeln!(text, "caused by: {}", cause.trim_end())
            } else {
                writeln!(text, "caused by: {number}. {}", cause.trim_end())
            };
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "help: {help}");
        }
        shown(text)
    }

    /// The same as one JSON document.
    pub(crate) fn json(&self) -> String {
        let document = json!({
            "schema": "cim.error/v1",
            "code": self.code,
            "message": self.message,
            "causes": self.causes,
            "help": self.help,
            "exit": self.exit as u8,
        });
        shown(format!("{document}\n"))
    }
}

/// A text to be shown: a seed may have been typed in place of a name.
/// A text without seeds and, since a terminal obeys them, without control characters but for new lines.
fn shown(text: String) -> String {
    let lines = text.split('\n').map(plain);
    let text = lines.collect::<Vec<_>>().join("\n");
    #[cfg(feature = "identity")]
    let text = cim_core::nkey::without_seeds(&text).into_owned();
    text
}

/// What the system said decides how a command ends.
pub(super) fn exit_of(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Exit::NotAllowed,
        _ => Exit::Failed,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of(exit_of(&error), "io", &error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::NotFound { .. } => Exit::NotFound,
            StoreError::Foreign { .. }
            | StoreError::Newer { .. }
            | StoreError::Mismatch { .. }
            | StoreError::ServerTooOld { .. }
            | StoreError::Io { .. }
            | StoreError::Closed => Exit::Failed,
            StoreError::Unreachable { .. } => Exit::Unknown,
            StoreError::NotAllowed { .. } => Exit::NotAllowed,
            StoreError::Invalid(_) => Exit::Broken,
        };
        let failure = Self::of(exit, error.code(), &error);
        match &error {
            StoreError::NotFound { .. } => failure.help(
                "make one with `cim init` or `cim import`, or name another with `--store URL`",
            ),
            StoreError::Foreign { .. } => {
                failure.help("name another file, for example `--store sqlite:cim.db`")
            }
            StoreError::Newer { .. } => failure.help("use a newer `cim`"),
            StoreError::NotAllowed { .. } => failure.help(
                "a store is only read where its file and folder may be written, for the log's \
                 index: copy the file to a folder of yours, or ask for the right to write",
            ),
            StoreError::Invalid(_) => failure.help(
                "`cim verify` looks at the whole store; `cim copy --until-broken FROM TO` saves \
                 what is sound",
            ),
            StoreError::Mismatch { .. } => failure.help(
                "see with `cim stats` what is there now, or name another store with `--store URL`",
            ),
            StoreError::ServerTooOld { .. } => failure.help(help_of_store(error.code())),
            StoreError::Unreachable { .. } => {
                failure.help("check that the server runs and is reached, then try again")
            }
            StoreError::Io { .. } | StoreError::Closed => {
                failure.help("check that the file and its folder are there and may be written")
            }
        }
    }
}

/// What to do about a store that takes no append.
fn help_of_store(code: &str) -> &'static str {
    match code {
        "stream-not-allowed" => {
            "ask for the right to publish to this subject; `cim doctor` shows what this user may do"
        }
        "store-not-allowed" => "ask for the right; `cim doctor` shows what this user may do",
        "store-not-found" | "store-mismatch" => {
            "nothing was appended; see with `cim stats` and `cim stream info` what is there now"
        }
        "stream-full" => "raise the limits of the stream; `cim doctor` shows them",
        "message-too-large" => {
            "raise the server's `max_payload`, or store large content elsewhere and append its \
             address or hash"
        }
        "server-too-old" => {
            "install a later nats-server; `cim doctor` shows the version of each, and events can be \
             read meanwhile"
        }
        "subject-not-taken" => {
            "add the subject to those of the stream, or name another namespace or another store"
        }
        _ => "`cim doctor` tells what is wrong with the stream and how to mend it",
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Url { .. } | OpenError::NotInFile { .. } => Self::usage(error.to_string())
                .help(
                    "write `sqlite:FILE` or `nats://HOST[:PORT][/STREAM]`, for example `--store \
                     sqlite:cim.db`",
                ),
            OpenError::Template(error) => Self::usage(error.to_string()),
            #[cfg(feature = "jetstream")]
            OpenError::Options(error) => error.into(),
            #[cfg(feature = "jetstream")]
            OpenError::Connect(error) => error.into(),
            OpenError::NoCacheFolder => {
                Self::of(Exit::Failed, error.code(), &error).help("set HOME or XDG_CACHE_HOME")
            }
            OpenError::Store(error) => error.into(),
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        let exit = match &error {
            AppendError::Conflict { .. } => Exit::Conflict,
            AppendError::Rejected {
                why: Rejection::Store { code, .. },
            } if matches!(*code, "stream-not-allowed" | "store-not-allowed") => Exit::NotAllowed,
            AppendError::Rejected {
                why:
                    Rejection::Store {
                        code: "store-not-found",
                        ..
                    },
            } => Exit::NotFound,
            AppendError::Rejected {
                why: Rejection::Store { .. },
            } => Exit::Failed,
            AppendError::Rejected { .. } => Exit::Usage,
            AppendError::Broken { .. } => Exit::Broken,
            _ => Exit::Unknown,
        };
        let failure = Self::of(exit, error.code(), &error);
        match &error {
            AppendError::Conflict { aggregate, .. } => failure.help(format!(
                "look at what is there with `cim read {}.{} {}`, decide anew, and append again",
                aggregate.namespace, aggregate.entity, aggregate.id
            )),
            AppendError::Rejected {
                why: Rejection::EventIdReused { event },
            } => failure.help(format!(
                "see what has this id with `cim event show {event}`"
            )),
            AppendError::Rejected {
                why: Rejection::EventTooLarge { .. },
            } => failure.help("store large content elsewhere and append its address or hash"),
            AppendError::Rejected {
                why: Rejection::Template(_),
            } => failure.help("name another entity, or another store with `--store URL`"),
            AppendError::Rejected {
                why: Rejection::Store { code, .. },
            } => failure.help(help_of_store(code)),
            AppendError::Broken { .. } => failure
                .help("`cim copy --until-broken FROM TO` saves what is sound into a new store"),
            AppendError::Unknown { .. } => failure.help(
                "run the same command again with the same `--event-id`: it is stored once at most",
            ),
            _ => failure,
        }
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        Self::of(Exit::Broken, error.code(), &error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(Exit::Usage, "config-invalid", &error)
            .help("mend `cim.toml`; `cim init --help` shows one")
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let help = error.help();
        let mut failure = match error {
            ImportError::Append(error) => Self::from(error),
            ImportError::Store(error) => Self::from(error),
            ImportError::Export(_) => Self::of(Exit::Broken, error.code(), &error),
            ImportError::Differs { .. } => Self::of(Exit::Conflict, error.code(), &error),
            other => Self::of(Exit::Failed, other.code(), &other),
        };
        failure.help = help.or(failure.help);
        failure
    }
}

impl From<ReadModelError> for Failure {
    fn from(error: ReadModelError) -> Self {
        let exit = match &error {
            ReadModelError::NotFound { .. }
            | ReadModelError::NoProjection { .. }
            | ReadModelError::NoCollection { .. } => Exit::NotFound,
            ReadModelError::Foreign { .. }
            | ReadModelError::TableTaken { .. }
            | ReadModelError::TableGone { .. }
            | ReadModelError::Busy { .. }
            | ReadModelError::Io { .. } => Exit::Failed,
        };
        let failure = Self::of(exit, error.code(), &error);
        match &error {
            ReadModelError::NotFound { .. } => failure.help(
                "make one with `cim projection run PLUGIN.wasm`, or name another with `--from URL`",
            ),
            ReadModelError::Foreign { .. } => failure
                .help("name another file, for example `sqlite:views.db`, or use a newer `cim`"),
            ReadModelError::NoProjection { .. } => {
                failure.help("`cim projection list` lists those that are there")
            }
            ReadModelError::NoCollection { projection, .. } => failure.help(format!(
                "`cim projection show {projection}` lists those that are there"
            )),
            ReadModelError::TableTaken { .. } => {
                failure.help("rename the projection or the collection, or keep it in another file")
            }
            ReadModelError::TableGone { projection, .. } => failure.help(format!(
                "make it again from the first event: run the plugin of `{projection}` with \
                 `--restart`"
            )),
            ReadModelError::Busy { .. } => failure.help(BUSY_HELP),
            ReadModelError::Io { .. } => {
                failure.help("check that the file and its folder are there and may be written")
            }
        }
    }
}

impl From<ProjectorError> for Failure {
    fn from(error: ProjectorError) -> Self {
        let help = error.help();
        let mut failure = match error {
            ProjectorError::ReadModel(error) => Self::from(error),
            ProjectorError::Store(error) => Self::from(error),
            ProjectorError::Failed { ref name, .. } => {
                Self::of(Exit::Unhealthy, error.code(), &error).help(format!(
                    "`cim projection show {name}` tells where it stands; `cim verify` looks at the \
                     whole store"
                ))
            }
            other => Self::of(Exit::Failed, other.code(), &other),
        };
        failure.help = help.map(str::to_owned).or(failure.help);
        failure
    }
}

#[cfg(feature = "jetstream")]
impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        let exit = match &error {
            OptionsError::NoContext { .. } => Exit::NotFound,
            OptionsError::Read { source, .. } => exit_of(source),
            _ => Exit::Usage,
        };
        Self::of(exit, error.code(), &error).help(error.help())
    }
}

#[cfg(feature = "jetstream")]
impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::Unreadable { source, .. } => exit_of(source),
            ConnectError::Invalid { .. } => Exit::Failed,
            error if error.is_not_allowed() => Exit::NotAllowed,
            _ => Exit::Unknown,
        };
        Self::of(exit, error.code(), &error).help(error.help())
    }
}

#[cfg(feature = "plugin")]
impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        let exit = match &error {
            PluginError::Read { source, .. } => exit_of(source),
            _ => Exit::Failed,
        };
        let mut failure = Self::of(exit, error.code(), &error);
        failure.help = error.help().map(str::to_owned);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded_by_what_is_quoted() {
        let failure = Failure::usage("`\u{1b}[31mred\u{7}`\nsecond line");
        let text = failure.text();
        assert!(text.contains("second line"), "{text}");
        assert!(
            !text.chars().any(|it| it.is_control() && it != '\n'),
            "{text:?}"
        );
    }

    #[test]
    fn what_the_system_says_decides_the_exit_code() {
        let exit = |kind| Failure::file("write", Path::new("x"), &io::Error::from(kind)).exit;
        assert_eq!(exit(io::ErrorKind::NotFound), Exit::NotFound);
        assert_eq!(exit(io::ErrorKind::PermissionDenied), Exit::NotAllowed);
        assert_eq!(exit(io::ErrorKind::ReadOnlyFilesystem), Exit::NotAllowed);
        assert_eq!(exit(io::ErrorKind::StorageFull), Exit::Failed);
    }
}
