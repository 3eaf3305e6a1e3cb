//! Why a plugin refuses events.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why events, a configuration or a document were refused.
///
/// The host tries again where that may help; otherwise it finds the event that is at fault, sets it
/// aside with this failure, and goes on with the events of other aggregates. Fail only for what a
/// person should look at: an event that is of no interest is passed over with `Ok(())`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    code: Cow<'static, str>,
    message: String,
    retryable: bool,
}

impl Failure {
    /// A failure that would come again with the same events.
    ///
    /// `code` is for programs: stable, in kebab-case. `message` is for people: a sentence without a
    /// full stop.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: false,
        }
    }

    /// The failure as one that may be gone when the host tries again.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self {
            retryable: true,
            ..self
        }
    }

    /// The code: one of yours, or one of the [crate's](crate#when-something-is-wrong).
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The failure as it crosses the border.
    pub(crate) fn at(self, index: Option<usize>) -> crate::bindings::cim::plugin::types::Failure {
        crate::bindings::cim::plugin::types::Failure {
            index: index.and_then(|index| u32::try_from(index).ok()),
            code: self.code.into_owned(),
            message: self.message,
            retryable: self.retryable,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}
