//! What can be wrong with an export, and where.

use std::error::Error;
use std::fmt;

use crate::chain::ChainError;
use crate::id::{AggregateKey, EventId};
use crate::message::MessageError;
use crate::time::TimeError;
use crate::version::Version;

use super::{FORMAT, MAX_LINE_LEN};

/// The first fault of an export: the line, the event as far as it is known, and the reason.
#[derive(Debug)]
pub struct ExportError {
    /// The line, counted from 1.
    pub line: u64,
    /// The event of that line.
    pub event: Option<EventId>,
    /// Whose event it says it is.
    pub aggregate: Option<AggregateKey>,
    /// The version that it says it has.
    pub version: Option<Version>,
    /// What is wrong.
    pub fault: Box<ExportFault>,
}

/// What is wrong with an export.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportFault {
    /// The line is longer than [`MAX_LINE_LEN`].
    LongLine,
    /// The first line is not that of an export.
    NoExport,
    /// It is an export of another format than [`FORMAT`].
    Format {
        /// The format that it names.
        found: String,
    },
    /// The line is not JSON, or has a field that does not belong there.
    Json {
        /// What the parser says.
        why: String,
        /// The byte of the line at which it says so, counted from 1.
        column: usize,
    },
    /// The time of the first line is none.
    Time {
        /// Why.
        source: TimeError,
    },
    /// The line is neither an event nor the last line.
    Shape,
    /// The event has not exactly one of `body` and `body_base64`.
    Body,
    /// The base64 of the body is not canonical, or stands for UTF-8, which has to be text.
    Base64,
    /// A header that exports do not have.
    ForeignHeader {
        /// Its name.
        name: String,
    },
    /// A header that stands twice.
    RepeatedHeader {
        /// Its name.
        name: String,
    },
    /// Subject, headers and body do not make an event.
    Message {
        /// Why.
        source: MessageError,
    },
    /// The event does not fit the events before it.
    Chain {
        /// Why.
        source: ChainError,
    },
    /// The file ends before its last line.
    Cut,
    /// There are bytes behind the last line.
    Trailing,
    /// The last line does not agree with the lines before it: lines are missing, added, exchanged.
    Summary {
        /// What does not agree.
        what: &'static str,
        /// What the last line says.
        expected: String,
        /// What the lines before it have.
        found: String,
    },
    /// Reading had stopped at an earlier fault.
    Stopped,
}

impl ExportFault {
    /// The stable code of this fault; for a message and a chain, that of the fault within.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LongLine => "export-line-too-long",
            Self::NoExport => "export-not-one",
            Self::Format { .. } => "export-format",
            Self::Json { .. } => "export-json",
            Self::Time { source } => source.code(),
            Self::Shape => "export-line-invalid",
            Self::Body => "export-body",
            Self::Base64 => "export-base64",
            Self::ForeignHeader { .. } => "export-header-foreign",
            Self::RepeatedHeader { .. } => "header-repeated",
            Self::Message { source } => source.code(),
            Self::Chain { source } => source.code(),
            Self::Cut => "export-cut",
            Self::Trailing => "export-trailing",
            Self::Summary { .. } => "export-summary",
            Self::Stopped => "export-stopped",
        }
    }

    /// Puts the fault on a line.
    pub(super) fn at(self, line: u64) -> ExportError {
        ExportError {
            line,
            event: None,
            aggregate: None,
            version: None,
            fault: Box::new(self),
        }
    }
}

impl ExportError {
    /// The stable code of the fault.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The whole message in one line, sources included.
    pub fn message(&self) -> String {
        let mut message = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            message += &format!(": {error}");
            source = error.source();
        }
        message
    }

    /// Puts a fault of the chain on a line.
    pub(super) fn of_chain(line: u64, source: ChainError) -> Self {
        Self {
            line,
            event: Some(source.event()),
            aggregate: Some(source.aggregate().clone()),
            version: Some(source.version()),
            fault: Box::new(ExportFault::Chain { source }),
        }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        // A fault of the chain names its event itself.
        if let Some(event) = self.event
            && !matches!(*self.fault, ExportFault::Chain { .. })
        {
            write!(f, ", event `{event}`")?;
            if let (Some(version), Some(aggregate)) = (self.version, &self.aggregate) {
                write!(f, " (version {version} of `{aggregate}`)")?;
            }
        }
        write!(f, ": {}", self.fault)
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

impl fmt::Display for ExportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLine => write!(f, "the line is longer than {MAX_LINE_LEN} bytes"),
            Self::NoExport => write!(f, "this is no export: expected a first line of `{FORMAT}`"),
            Self::Format { found } => {
                write!(
                    f,
                    "the format of this export is not known: expected `{FORMAT}`, found `{found}`"
                )
            }
            Self::Json { why, column } => {
                write!(f, "the line cannot be read: {why} (byte {column})")
            }
            Self::Time { .. } => f.write_str("the time `exported_at` is not valid"),
            Self::Shape => f.write_str("the line is neither an event nor the last line"),
            Self::Body => f.write_str("expected exactly one of `body` and `body_base64`"),
            Self::Base64 => {
                f.write_str("`body_base64` is not canonical base64 of bytes that are no UTF-8")
            }
            Self::ForeignHeader { name } => write!(f, "the header `{name}` is none of an export"),
            Self::RepeatedHeader { name } => write!(f, "the header `{name}` stands twice"),
            // Their sources are faults of the same event; this is but their place.
            Self::Message { source } => source.fmt(f),
            Self::Chain { source } => source.fmt(f),
            Self::Cut => f.write_str("the last line is missing: the file is cut"),
            Self::Trailing => f.write_str("there are bytes behind the last line"),
            Self::Summary {
                what,
                expected,
                found,
            } => write!(
                f,
                "the last line disagrees with the lines before it about {what}: expected \
                 `{expected}`, found `{found}`"
            ),
            Self::Stopped => f.write_str("reading stopped at an earlier fault"),
        }
    }
}

impl Error for ExportFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Time { source } => Some(source),
            Self::Message { source } => source.source(),
            Self::Chain { source } => source.source(),
            _ => None,
        }
    }
}
