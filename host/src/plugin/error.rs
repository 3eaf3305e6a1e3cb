//! Why a plugin is not loaded.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use cim_core::projection::Fault;

/// Why a plugin is not loaded. Nothing of it has run but, for [`Fault`](Self::Fault), `describe`
/// or `init`.
#[derive(Debug)]
#[non_exhaustive]
pub enum PluginError {
    /// The file cannot be read.
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is too large.
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is no component.
    NotComponent {
        /// Its path.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// The component wants something of its host.
    Imports {
        /// Its path.
        path: PathBuf,
        /// The names of what it imports.
        imports: Vec<String>,
    },
    /// The component does not have the exports of a projection.
    OtherWorld {
        /// Its path.
        path: PathBuf,
        /// The export that it lacks, or that has another type.
        missing: String,
    },
    /// The component does not compile.
    Invalid {
        /// Its path.
        path: PathBuf,
        /// What the compiler says.
        why: String,
    },
    /// What the plugin says of itself cannot be taken.
    Descriptor {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A call of the plugin failed.
    Fault {
        /// Its path.
        path: PathBuf,
        /// The function.
        doing: &'static str,
        /// What went wrong.
        fault: Fault,
    },
    /// The host has no room for another instance. Drop handlers of this plugin that are done.
    NoInstance {
        /// Its path.
        path: PathBuf,
        /// What is lacking.
        fault: Fault,
    },
    /// The engine for plugins does not start with these limits.
    Engine {
        /// What it says.
        why: String,
    },
}

impl PluginError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "plugin-unreadable",
            Self::TooLarge { .. } => "plugin-too-large",
            Self::NotComponent { .. } => "plugin-not-component",
            Self::Imports { .. } => "plugin-imports",
            Self::OtherWorld { .. } => "plugin-other-world",
            Self::Invalid { .. } => "plugin-invalid",
            Self::Descriptor { .. } => "plugin-descriptor",
            Self::Fault { .. } => "plugin-faulted",
            Self::NoInstance { .. } => "plugin-no-instance",
            Self::Engine { .. } => "plugin-engine",
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Read { .. } => "give the path of a plugin, a file `NAME.wasm`",
            Self::TooLarge { .. } => {
                "build the plugin optimised and stripped, as the documentation of `cim-plugin` says"
            }
            Self::NotComponent { .. } | Self::OtherWorld { .. } => {
                "build the plugin as a component of the world `cim:plugin/projection-plugin`, as \
                 the documentation of `cim-plugin` says"
            }
            Self::Imports { .. } => {
                "a plugin imports nothing: build it for `wasm32-unknown-unknown`, without WASI"
            }
            Self::Invalid { .. } | Self::Descriptor { .. } => "ask the plugin's author to mend it",
            Self::Fault { doing: "init", .. } => "see what configuration the plugin takes",
            Self::Fault { .. } => "ask the plugin's author to mend it",
            Self::NoInstance { .. } => {
                "drop handlers of this plugin that are done, or free memory on this machine"
            }
            Self::Engine { .. } => return None,
        })
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } => write!(f, "cannot read `{}`", path.display()),
            Self::TooLarge { path, found, limit } => write!(
                f,
                "the plugin `{}` has {found} bytes: expected at most {limit}",
                path.display()
            ),
            Self::NotComponent { path, why } => {
                write!(f, "`{}` is no plugin: it is {why}", path.display())
            }
            Self::Imports { path, imports } => {
                let shown: Vec<_> = imports
                    .iter()
                    .take(MAX_SHOWN)
                    .map(|name| format!("`{name}`"))
                    .collect();
                write!(
                    f,
                    "the plugin `{}` imports {}",
                    path.display(),
                    shown.join(", ")
                )?;
                match imports.len().saturating_sub(MAX_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::OtherWorld { path, missing } => write!(
                f,
                "`{}` is no plugin for projections: it does not export {missing}",
                path.display()
            ),
            Self::Invalid { path, why } => {
                write!(f, "the plugin `{}` is not valid: {why}", path.display())
            }
            Self::Descriptor { path, why } => write!(
                f,
                "what the plugin `{}` says of itself cannot be taken: {why}",
                path.display()
            ),
            Self::Fault { path, doing, fault } => write!(
                f,
                "the function `{doing}` of the plugin `{}` failed: {fault}",
                path.display()
            ),
            Self::NoInstance { path, fault } => {
                write!(f, "the plugin `{}` cannot be run: {fault}", path.display())
            }
            Self::Engine { why } => write!(f, "plugins cannot be run: {why}"),
        }
    }
}

impl Error for PluginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The most imports that a message shows.
const MAX_SHOWN: usize = 5;
