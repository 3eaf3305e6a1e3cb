//! What can go wrong between us and JetStream.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why JetStream did not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum JetStreamError {
    /// The server refused, with a number that tells why.
    Refused {
        /// What was asked, as `making the stream` or `publishing`.
        doing: &'static str,
        /// The status: 400, 404, 500, 503 …
        status: u16,
        /// The server's own number of the fault, such as 10071 (`errors.json` of nats-server).
        number: u32,
        /// What the server says.
        description: String,
    },
    /// No answer came before the time-out. What was published may be stored or not.
    NoAnswer {
        /// What was asked.
        doing: &'static str,
    },
    /// The connection was lost before the answer came; there may be another by now. What was
    /// published may be stored or not.
    ConnectionLost {
        /// What was asked.
        doing: &'static str,
    },
    /// Too many calls before had no answer, so this one was not made.
    CircuitOpen {
        /// What was to be asked.
        doing: &'static str,
        /// How long until the next call may be made.
        wait: Duration,
    },
    /// Nobody listens: JetStream is off for the account, or no stream takes the subject.
    NobodyListens {
        /// What was asked.
        doing: &'static str,
        /// The subject.
        subject: String,
    },
    /// The user may not publish or subscribe to a subject.
    NotAllowed {
        /// What was asked.
        doing: &'static str,
        /// What the server said, with the subject.
        why: String,
    },
    /// The message does not go through: it is larger than the server takes.
    TooLarge {
        /// The server's limit in bytes.
        limit: usize,
    },
    /// The answer is none that JetStream gives.
    Answer {
        /// What was asked.
        doing: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The stream was deleted or made anew, or has gone back, while it was followed.
    AnotherStream {
        /// The stream's name.
        stream: String,
        /// How that shows.
        why: String,
    },
    /// The connection was closed.
    Closed,
    /// The connection failed otherwise.
    Connection {
        /// What was asked.
        doing: &'static str,
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl JetStreamError {
    /// The server's own number of the fault, where it refused.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Refused { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "nats-refused",
            Self::NoAnswer { .. } => "nats-no-answer",
            Self::ConnectionLost { .. } => "nats-connection-lost",
            Self::CircuitOpen { .. } => "nats-circuit-open",
            Self::NobodyListens { .. } => "nats-nobody-listens",
            Self::NotAllowed { .. } => "nats-not-allowed",
            Self::TooLarge { .. } => "nats-too-large",
            Self::Answer { .. } => "nats-answer",
            Self::AnotherStream { .. } => "nats-another-stream",
            Self::Closed => "nats-closed",
            Self::Connection { .. } => "nats-connection",
        }
    }
}

impl fmt::Display for JetStreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                doing,
                number,
                description,
                ..
            } => write!(f, "NATS refused {doing}: {description} ({number})"),
            Self::NoAnswer { doing } => write!(f, "no answer from NATS while {doing}"),
            Self::ConnectionLost { doing } => {
                write!(f, "the connection to NATS was lost while {doing}")
            }
            Self::CircuitOpen { doing, wait } => write!(
                f,
                "NATS has not answered for long: {doing} is tried again in {} ms at the earliest",
                wait.as_millis()
            ),
            Self::NobodyListens { doing, subject } => {
                write!(f, "nobody answers on `{subject}` while {doing}")
            }
            Self::NotAllowed { doing, why } => write!(f, "not allowed while {doing}: {why}"),
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "the message is larger than the server's limit of {limit} bytes"
                )
            }
            Self::Answer { doing, why } => write!(f, "the answer while {doing} is wrong: {why}"),
            Self::AnotherStream { stream, why } => write!(f, "the stream `{stream}` {why}"),
            Self::Closed => f.write_str("the connection to NATS is closed"),
            Self::Connection { doing, .. } => {
                write!(f, "the connection to NATS failed while {doing}")
            }
        }
    }
}

impl Error for JetStreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connection { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
