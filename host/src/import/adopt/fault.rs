//! Why the messages of a stream are not adopted.

use std::error::Error;
use std::fmt;

use cim_core::headers::HeaderError;
use cim_core::id::{AggregateKey, EventId};
use cim_core::subject::{OperationError, SubjectError, TemplateError};
use cim_core::time::Timestamp;

use crate::import::error::{ImportError, RowFault};
use crate::jetstream::JetStreamError;

/// Why a stream is not adopted. But for [`Gone`](Self::Gone) and [`Import`](Self::Import), and
/// [`Stream`](Self::Stream) while it is read again, nothing of it was written.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdoptError {
    /// Messages that cannot become events, or that the store cannot take. Mend or leave them out.
    Messages {
        /// The stream.
        stream: String,
        /// How many messages were read.
        read: u64,
        /// How many of them are bad.
        bad: u64,
        /// The first of them, at least one.
        first: Vec<BadMessage>,
    },
    /// What was there when the stream was checked is not there any more, or is another message.
    /// Adopt it again.
    Gone {
        /// The stream.
        stream: String,
        /// The sequence of what should have come next.
        sequence: u64,
    },
    /// The stream could not be read. Try again.
    Stream {
        /// The stream.
        stream: String,
        /// What went wrong.
        source: JetStreamError,
    },
    /// The store, as for other imports.
    Import(Box<ImportError>),
}

/// A message that cannot be adopted, or all that have one fault.
#[derive(Debug)]
pub struct BadMessage {
    /// The sequence in the stream; of several, the first.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// How many there are: more than one only where there is nothing more to say of them.
    pub count: u64,
    /// What is wrong.
    pub fault: MessageFault,
}

/// What is wrong with a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum MessageFault {
    /// It has no header of CIM.
    NoHeaders,
    /// It is an event of a store already.
    Chained,
    /// Its headers are not those of an event.
    Headers(HeaderError),
    /// Its subject has a token that ours cannot have.
    Subject(SubjectError),
    /// Its subject is built otherwise.
    Layout {
        /// How it should be built.
        template: String,
    },
    /// Its subject has no aggregate id, and no field of the body is said to have it.
    NoId,
    /// Its body, or the id in it.
    Row {
        /// The field, where it is one.
        field: Option<String>,
        /// What is wrong.
        fault: Box<RowFault>,
    },
    /// Its type has no operation.
    Operation(OperationError),
    /// The store cannot have events of its aggregate.
    Template(TemplateError),
    /// An earlier message has its event id and says something else.
    Repeated {
        /// The id.
        event: EventId,
        /// The sequence of the earlier message.
        sequence: u64,
    },
    /// The store has its event id for something else.
    Reused {
        /// The id.
        event: EventId,
    },
    /// It is new to the store and older than its aggregate's last event there.
    Late {
        /// Its aggregate.
        aggregate: AggregateKey,
        /// Its time.
        time: Timestamp,
        /// The time of the aggregate's last event.
        head: Timestamp,
    },
    /// It is new to the store, which has one that follows it in the stream.
    Behind {
        /// Its aggregate.
        aggregate: AggregateKey,
        /// The sequence of the message that the store has.
        sequence: u64,
    },
}

impl AdoptError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Messages { first, .. } => first[0].fault.code(),
            Self::Gone { .. } => "stream-changed",
            Self::Stream { source, .. } => source.code(),
            Self::Import(error) => error.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Messages { first, .. } => Some(first[0].fault.help()),
            Self::Gone { .. } => Some(
                "run the same import again: it checks the stream as it is now, and goes on where \
                 it stopped"
                    .to_owned(),
            ),
            Self::Import(error) => match **error {
                ImportError::Operations { .. } => Some(
                    "publish the events of one of the types on an operation of their own, in a \
                     new stream, and import that"
                        .to_owned(),
                ),
                _ => error.help(),
            },
            Self::Stream { .. } => None,
        }
    }
}

impl MessageFault {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHeaders => "message-no-headers",
            Self::Chained => "message-chained",
            Self::Headers(error) => error.code(),
            Self::Subject(error) => error.code(),
            Self::Layout { .. } => "subject-mismatch",
            Self::NoId => "subject-no-id",
            Self::Row { fault, .. } => fault.code(),
            Self::Operation(error) => error.code(),
            Self::Template(error) => error.code(),
            Self::Repeated { .. } => "event-id-repeated",
            Self::Reused { .. } => "event-id-reused",
            Self::Late { .. } | Self::Behind { .. } => "row-late",
        }
    }

    /// Whether all messages with this fault are told as one.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::NoHeaders | Self::Chained)
    }

    fn help(&self) -> String {
        match self {
            Self::NoHeaders => {
                "to leave out what is no event, name the subjects of the events with `--filter \
                 SUBJECT`"
            }
            Self::Chained => {
                "events that have their CIDs are copied with them: `cim copy FROM-URL TO-URL`"
            }
            Self::Headers(HeaderError::Missing { .. }) => {
                "an event has the headers CIM-Event-Id, CIM-Correlation-Id, CIM-Event-Type, \
                 CIM-Timestamp, CIM-Source and Nats-Msg-Id; to leave others out, use `--filter \
                 SUBJECT`"
            }
            Self::Layout { .. } => {
                "say how the subjects are built with `--subject TEMPLATE`, for example `--subject \
                 'keys.events.{entity}.{operation}'`, or leave others out with `--filter SUBJECT`"
            }
            Self::NoId => {
                "name the field of the body that has the id, for example `--id-field /key_id`"
            }
            Self::Row { fault, .. } => match **fault {
                RowFault::Missing | RowFault::Kind { .. } | RowFault::Json(_) => {
                    "`--id-field` names a field at the top of the body, or is a JSON pointer such \
                     as `/data/id`"
                }
                RowFault::Id(_) => "to encode every id in base64url, run it with `--id-encode`",
                RowFault::LongId(_) => "an id of more than 96 bytes cannot be encoded",
                _ => ELSE,
            },
            Self::Template(_) => "name another store with `--store URL`",
            Self::Reused { event } => {
                return format!("see what has this id with `cim event show {event}`");
            }
            Self::Late { .. } | Self::Behind { .. } => {
                "to store late events behind the others, run it with `--late append`"
            }
            Self::Headers(_) | Self::Subject(_) | Self::Operation(_) | Self::Repeated { .. } => {
                ELSE
            }
        }
        .to_owned()
    }
}

/// What to do about a message that nothing on the command line mends.
const ELSE: &str = "nothing was imported: leave the message out with `--filter SUBJECT`, or publish \
                    the events as they should be in a new stream, and import that";

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages {
                stream, read, bad, ..
            } => write!(
                f,
                "{bad} of {read} messages of the stream `{stream}` cannot be imported"
            ),
            Self::Gone { stream, sequence } => write!(
                f,
                "the stream `{stream}` changed while it was read: message {sequence} is gone or \
                 another one"
            ),
            Self::Stream { stream, .. } => write!(f, "the stream `{stream}` cannot be read"),
            Self::Import(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            subject,
            count,
            fault,
        } = self;
        write!(f, "message {sequence} on `{subject}`: {fault}")?;
        if *count > 1 {
            write!(f, " ({count} such messages)")?;
        }
        Ok(())
    }
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeaders => f.write_str("no header begins with `CIM-`"),
            Self::Chained => f.write_str("it is an event with a CID, of a store"),
            Self::Headers(error) => error.fmt(f),
            Self::Subject(error) => match error.source() {
                Some(source) => write!(f, "{source}"),
                None => error.fmt(f),
            },
            Self::Layout { template } => write!(f, "expected a subject like `{template}`"),
            Self::NoId => f.write_str("the subject has no aggregate id"),
            Self::Row { field, fault } => {
                if let Some(field) = field {
                    write!(f, "field `{field}`: ")?;
                }
                fault.fmt(f)
            }
            Self::Operation(error) => error.fmt(f),
            Self::Template(error) => error.fmt(f),
            Self::Repeated { event, sequence } => write!(
                f,
                "the event id `{event}` is that of message {sequence}, which says something else"
            ),
            Self::Reused { event } => write!(
                f,
                "the store has the event id `{event}` already, for something else"
            ),
            Self::Late {
                aggregate,
                time,
                head,
            } => write!(
                f,
                "the event is new, but older than the last one of `{aggregate}` in the store: \
                 expected a time from `{head}` on, found `{time}`"
            ),
            Self::Behind {
                aggregate,
                sequence,
            } => write!(
                f,
                "the event is new, but the store has a later one of `{aggregate}`: message \
                 {sequence}"
            ),
        }
    }
}

impl Error for AdoptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Messages { first, .. } => first.first().map(|bad| bad as _),
            Self::Gone { .. } => None,
            Self::Stream { source, .. } => Some(source),
            Self::Import(error) => error.source(),
        }
    }
}

impl Error for BadMessage {}

impl From<ImportError> for AdoptError {
    fn from(error: ImportError) -> Self {
        Self::Import(Box::new(error))
    }
}
