//! Why a machine cannot be built.

use std::error::Error;
use std::fmt;

use super::Symbol;

/// A machine that is not sound: a mistake in its description.
///
/// It is the first kind of mistake that there is, in the order of the variants, with all that are
/// of this kind.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MachineError<S, I> {
    /// No state was declared.
    NoStates,
    /// States or inputs were declared more than once; perhaps one stands where another should.
    Repeated {
        /// The states.
        states: Vec<S>,
        /// The inputs.
        inputs: Vec<I>,
    },
    /// States or inputs are named that were not declared.
    Undeclared {
        /// The states.
        states: Vec<S>,
        /// The inputs.
        inputs: Vec<I>,
    },
    /// A state has more than one transition for an input.
    Ambiguous {
        /// The states, each with the input.
        pairs: Vec<(S, I)>,
    },
    /// A state has a transition for an input that it refuses on purpose, or is final and has one.
    Contradictory {
        /// The states, each with the input.
        pairs: Vec<(S, I)>,
    },
    /// A state has no transition for an input, and does not refuse it on purpose.
    Incomplete {
        /// The states, each with the input.
        pairs: Vec<(S, I)>,
    },
    /// States of a Moore machine have no output.
    OutputMissing {
        /// The states.
        states: Vec<S>,
    },
    /// States of a Moore machine have more than one output.
    OutputRepeated {
        /// The states.
        states: Vec<S>,
    },
    /// No row of inputs leads from the initial state to these.
    Unreachable {
        /// The states.
        states: Vec<S>,
    },
}

impl<S, I> MachineError<S, I> {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoStates => "machine-without-states",
            Self::Repeated { .. } => "machine-repeated",
            Self::Undeclared { .. } => "machine-undeclared",
            Self::Ambiguous { .. } => "machine-ambiguous",
            Self::Contradictory { .. } => "machine-contradictory",
            Self::Incomplete { .. } => "machine-incomplete",
            Self::OutputMissing { .. } => "machine-output-missing",
            Self::OutputRepeated { .. } => "machine-output-repeated",
            Self::Unreachable { .. } => "machine-unreachable",
        }
    }
}

impl<S: Symbol, I: Symbol> fmt::Display for MachineError<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStates => f.write_str("a machine has at least one state"),
            Self::Repeated { states, inputs } => {
                f.write_str("declared more than once: ")?;
                symbols(f, states, inputs)
            }
            Self::Undeclared { states, inputs } => {
                f.write_str("not declared: ")?;
                symbols(f, states, inputs)
            }
            Self::Ambiguous { pairs } => {
                f.write_str("more than one transition: ")?;
                list(f, pairs.iter().map(shown))
            }
            Self::Contradictory { pairs } => {
                f.write_str("refused on purpose, and yet a transition: ")?;
                list(f, pairs.iter().map(shown))
            }
            Self::Incomplete { pairs } => {
                f.write_str("neither a transition nor refused on purpose: ")?;
                list(f, pairs.iter().map(shown))
            }
            Self::OutputMissing { states } => {
                f.write_str("no output: ")?;
                symbols::<S, I>(f, states, &[])
            }
            Self::OutputRepeated { states } => {
                f.write_str("more than one output: ")?;
                symbols::<S, I>(f, states, &[])
            }
            Self::Unreachable { states } => {
                f.write_str("not reachable from the initial state: ")?;
                symbols::<S, I>(f, states, &[])
            }
        }
    }
}

impl<S: Symbol, I: Symbol> Error for MachineError<S, I> {}

fn symbols<S: Symbol, I: Symbol>(
    f: &mut fmt::Formatter<'_>,
    states: &[S],
    inputs: &[I],
) -> fmt::Result {
    let states = states.iter().map(|state| format!("state `{state}`"));
    list(
        f,
        states.chain(inputs.iter().map(|input| format!("input `{input}`"))),
    )
}

fn shown<S: Symbol, I: Symbol>((state, input): &(S, I)) -> String {
    format!("state `{state}` on `{input}`")
}

/// Writes texts with commas between them.
pub(super) fn list(f: &mut fmt::Formatter<'_>, texts: impl Iterator<Item = String>) -> fmt::Result {
    f.write_str(&texts.collect::<Vec<_>>().join(", "))
}
