//! Why streams cannot be planned or made.

use std::error::Error;
use std::fmt;

use cim_core::subject::{SubjectFilter, TemplateError};

use super::{FieldChange, Overlap};
use crate::config::ConfigError;
use crate::jetstream::JetStreamError;

/// Why streams cannot be planned or made.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlanError {
    /// `cim.toml` has a fault.
    Config(ConfigError),
    /// The namespace disagrees with the template.
    Template {
        /// The stream.
        stream: String,
        /// How.
        source: TemplateError,
    },
    /// The stream of a store is to take what is no event of it.
    OutsideTemplate {
        /// The stream.
        stream: String,
        /// What it is to take.
        subject: SubjectFilter,
        /// How the subjects of its events are built, as people read it.
        template: String,
    },
    /// Two streams are to have one name.
    SameName {
        /// The name.
        stream: String,
    },
    /// Two streams, or one twice, are to take one subject. Mend the plan.
    SameSubjects {
        /// The first stream.
        stream: String,
        /// The second one; may be the same.
        other: String,
        /// What the first takes.
        subject: SubjectFilter,
        /// What the second takes.
        also: SubjectFilter,
    },
    /// Streams that are there take the same subjects. Nothing was changed.
    Overlaps {
        /// The stream that is planned.
        stream: String,
        /// What is in its way.
        overlaps: Vec<Overlap>,
    },
    /// The server cannot change a stream so. Nothing was changed.
    CannotChange {
        /// The stream.
        stream: String,
        /// What cannot be changed.
        changes: Vec<FieldChange>,
    },
    /// A change could lose messages, and that was not allowed. Nothing was changed.
    WouldLose {
        /// The stream.
        stream: String,
        /// What could lose messages.
        changes: Vec<FieldChange>,
    },
    /// A stream was changed by somebody else since it was looked at. Plan again.
    ChangedMeanwhile {
        /// The stream.
        stream: String,
    },
    /// The server failed or refused.
    JetStream {
        /// The stream; none when all were listed.
        stream: Option<String>,
        /// What it said.
        source: JetStreamError,
    },
}

impl PlanError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "config-invalid",
            Self::Template { .. } => "template-mismatch",
            Self::OutsideTemplate { .. } => "stream-outside-template",
            Self::SameName { .. } => "stream-same-name",
            Self::SameSubjects { .. } => "stream-same-subjects",
            Self::Overlaps { .. } => "stream-overlaps",
            Self::CannotChange { .. } => "stream-cannot-change",
            Self::WouldLose { .. } => "stream-would-lose",
            Self::ChangedMeanwhile { .. } => "stream-changed-meanwhile",
            Self::JetStream { source, .. } => source.code(),
        }
    }

    /// What to do next, where it is always the same.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Config(_) => None,
            Self::Template { .. } => Some("change `namespace` or `[template]` in `cim.toml`"),
            Self::OutsideTemplate { .. } => {
                Some("narrow `subjects` in `cim.toml`, or leave them out")
            }
            Self::SameName { .. } => Some("rename or remove one of them in `cim.toml`"),
            Self::SameSubjects { .. } => Some(
                "change `subjects` of one of them in `cim.toml`: one message goes to one stream",
            ),
            Self::Overlaps { .. } => Some(
                "change `subjects` in `cim.toml`, or those of the stream that is there; \
                 `cim stream info` shows all",
            ),
            Self::CannotChange { .. } => Some(
                "change `cim.toml` to what the stream has, or give the new stream another name and \
                 copy the events with `cim copy`",
            ),
            Self::WouldLose { .. } => Some(
                "`cim stream plan` shows it; if it is meant, run `cim stream apply --allow-loss`",
            ),
            Self::ChangedMeanwhile { .. } => Some("look with `cim stream plan`, then apply again"),
            Self::JetStream { source, .. } => match source.number() {
                Some(NOT_CLUSTERED) => Some(
                    "the server is in no cluster: set `replicas = 1` in `cim.toml`, \
                     or join servers",
                ),
                Some(NO_PEERS) => Some(
                    "fewer servers have JetStream and room than `replicas` in `cim.toml` asks for",
                ),
                Some(NO_STORAGE | NO_MEMORY | TOO_MANY_STREAMS) => {
                    Some("the account's limits are too low: `cim doctor` shows them")
                }
                _ => None,
            },
        }
    }
}

/// Numbers of the server's faults (`errors.json` of nats-server).
const NO_PEERS: u32 = 10005;
const TOO_MANY_STREAMS: u32 = 10027;
const NO_MEMORY: u32 = 10028;
const NO_STORAGE: u32 = 10047;
const NOT_CLUSTERED: u32 = 10074;

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Template { stream, .. } => {
                write!(f, "the stream `{stream}` cannot take the namespace")
            }
            Self::OutsideTemplate {
                stream,
                subject,
                template,
            } => write!(
                f,
                "the stream `{stream}` is to take `{subject}`, where the template `{template}` \
                 builds no events"
            ),
            Self::SameName { stream } => write!(f, "two streams are to have the name `{stream}`"),
            Self::SameSubjects {
                stream,
                other,
                subject,
                also,
            } if stream == other => write!(
                f,
                "the stream `{stream}` is to take the same subjects twice: `{subject}` and `{also}`"
            ),
            Self::SameSubjects {
                stream,
                other,
                subject,
                also,
            } => write!(
                f,
                "the streams `{stream}` and `{other}` are to take the same subjects: `{subject}` \
                 and `{also}`"
            ),
            Self::Overlaps { stream, overlaps } => {
                write!(f, "the stream `{stream}` is to take ")?;
                list(f, overlaps, |f, overlap| overlap.fmt(f))
            }
            Self::CannotChange { stream, changes } => {
                write!(f, "the stream `{stream}` cannot be changed so: ")?;
                list(f, changes, described)
            }
            Self::WouldLose { stream, changes } => {
                write!(f, "changing the stream `{stream}` could lose messages: ")?;
                list(f, changes, described)
            }
            Self::ChangedMeanwhile { stream } => {
                write!(
                    f,
                    "the stream `{stream}` was changed since it was looked at"
                )
            }
            Self::JetStream {
                stream: Some(stream),
                ..
            } => write!(f, "the stream `{stream}` cannot be made as planned"),
            Self::JetStream { stream: None, .. } => f.write_str("the streams cannot be looked at"),
        }
    }
}

/// A change with its reason.
fn described(f: &mut fmt::Formatter<'_>, change: &FieldChange) -> fmt::Result {
    write!(f, "{change}")?;
    match change.effect.why() {
        Some(why) => write!(f, " ({why})"),
        None => Ok(()),
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str("; ")?;
        }
        show(f, item)?;
    }
    Ok(())
}

impl Error for PlanError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            Self::Template { source, .. } => Some(source),
            Self::JetStream { source, .. } => Some(source),
            Self::OutsideTemplate { .. }
            | Self::SameName { .. }
            | Self::SameSubjects { .. }
            | Self::Overlaps { .. }
            | Self::CannotChange { .. }
            | Self::WouldLose { .. }
            | Self::ChangedMeanwhile { .. } => None,
        }
    }
}
