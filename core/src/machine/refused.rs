//! What a machine says to an input that it does not take.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Symbol;
use super::error::list;

/// An input that a machine does not take in a state. Nothing happens.
///
/// It is also the answer to a state or an input that the machine does not have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused<S, I> {
    /// The state.
    pub state: S,
    /// The input.
    pub input: I,
    /// What the state takes instead; nothing in a final state.
    pub accepted: Arc<[I]>,
}

impl<S, I> Refused<S, I> {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "transition-refused"
    }
}

impl<S: Symbol, I: Symbol> fmt::Display for Refused<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        if self.accepted.is_empty() {
            f.write_str("nothing more")?;
        } else {
            list(f, self.accepted.iter().map(|input| format!("`{input}`")))?;
        }
        write!(f, " in state `{}`, found `{}`", self.state, self.input)
    }
}

impl<S: Symbol, I: Symbol> Error for Refused<S, I> {}
