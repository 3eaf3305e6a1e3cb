//! Why it cannot be told how NATS is reached.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::url::UrlFault;

/// Where a setting was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// The URL of the store.
    Url,
    /// A variable of the environment.
    Variable(&'static str),
    /// A key of a context of the `nats` command.
    Context {
        /// The context's name.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// A key of `cim.toml`, with its table.
    Config(&'static str),
}

/// Settings that cannot be taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum OptionsError {
    /// It is no address of servers.
    Url {
        /// Where it stands.
        origin: Origin,
        /// What is wrong.
        why: UrlFault,
    },
    /// A value is none of those expected.
    Value {
        /// Where it stands.
        origin: Origin,
        /// What was found; left out where it is secret.
        found: Option<String>,
        /// What was expected.
        expected: &'static str,
    },
    /// A setting needs another one.
    Missing {
        /// Where the first stands.
        origin: Origin,
        /// The other.
        needs: &'static str,
    },
    /// Two settings exclude each other.
    Both {
        /// Where the one stands.
        origin: Origin,
        /// The other.
        other: &'static str,
    },
    /// A setting that the `nats` command has, and we do not follow.
    Unsupported {
        /// Where it stands.
        origin: Origin,
        /// What it asks for.
        what: &'static str,
    },
    /// There is no such context.
    NoContext {
        /// Its name.
        name: String,
        /// The file that it would be; none for a name that no file has.
        path: Option<PathBuf>,
    },
    /// A file cannot be read.
    Read {
        /// Who names it.
        origin: Origin,
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file of a context is not what `nats` writes.
    ContextSyntax {
        /// Its path.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
    },
}

impl OptionsError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "nats-url-invalid",
            Self::Value { .. } => "nats-setting-invalid",
            Self::Missing { .. } => "nats-setting-missing",
            Self::Both { .. } => "nats-settings-exclude",
            Self::Unsupported { .. } => "nats-setting-unsupported",
            Self::NoContext { .. } => "nats-context-not-found",
            Self::Read { .. } => "nats-setting-unreadable",
            Self::ContextSyntax { .. } => "nats-context-invalid",
        }
    }

    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::Url { origin, .. } => match origin {
                Origin::Url => "write `nats://host:4222/STREAM`, for example `--store \
                                nats://127.0.0.1:4222/CIM-EVENTS`"
                    .to_owned(),
                _ => "write `nats://host:4222`; several hosts stand one after the other with \
                      commas between"
                    .to_owned(),
            },
            Self::Value {
                origin, expected, ..
            } => format!("set {origin} to {expected}"),
            Self::Missing { origin, needs } => format!("set {needs}, or take {origin} away"),
            Self::Both { origin, other } => format!("take {origin} or {other} away"),
            Self::Unsupported { origin, .. } => format!(
                "take {origin} away, or name servers and credentials with `--store`, `NATS_URL` \
                 and `NATS_CREDS`"
            ),
            Self::NoContext { name, .. } => format!(
                "`nats context ls` lists those that are there; `nats context add {name}` makes \
                 this one"
            ),
            Self::Read { path, .. } => {
                format!("check that `{}` is there and may be read", path.display())
            }
            Self::ContextSyntax { path, .. } => {
                format!(
                    "mend `{}`, or make it anew with `nats context add`",
                    path.display()
                )
            }
        }
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { origin, why } => write!(f, "{origin} is no address of NATS: {why}"),
            Self::Value {
                origin,
                found,
                expected,
            } => {
                write!(f, "{origin}: expected {expected}")?;
                match found {
                    Some(found) => write!(f, ", found `{found}`"),
                    None => Ok(()),
                }
            }
            Self::Missing { origin, needs } => write!(f, "{origin} needs {needs}"),
            Self::Both { origin, other } => write!(f, "{origin} and {other} exclude each other"),
            Self::Unsupported { origin, what } => {
                write!(f, "{origin} asks for {what}, which `cim` does not know")
            }
            Self::NoContext { name, path } => match path {
                Some(path) => {
                    let path = path.display();
                    write!(f, "there is no context `{name}`: expected it in `{path}`")
                }
                None => write!(f, "there is no context `{name}`"),
            },
            Self::Read { origin, path, .. } => {
                write!(
                    f,
                    "`{}`, which {origin} names, cannot be read",
                    path.display()
                )
            }
            Self::ContextSyntax { path, line, column } => write!(
                f,
                "`{}`, line {line}, column {column}: not what a context of the `nats` command has \
                 there",
                path.display()
            ),
        }
    }
}

impl Error for OptionsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Url { .. }
            | Self::Value { .. }
            | Self::Missing { .. }
            | Self::Both { .. }
            | Self::Unsupported { .. }
            | Self::NoContext { .. }
            | Self::ContextSyntax { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the store's URL"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Context { name, key } => write!(f, "`{key}` of the context `{name}`"),
            Self::Config(key) => write!(f, "`{key}` in `cim.toml`"),
        }
    }
}
