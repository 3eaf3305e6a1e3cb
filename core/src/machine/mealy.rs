//! Machines whose output is that of the transition they take.

use std::fmt;

use super::draft::Draft;
use super::mermaid;
use super::table::Table;
use super::{MachineError, Refused, Symbol};

/// A finite state machine with an output for each transition.
///
/// The output tells what happens on the way, such as the event that a command leads to. Where it
/// tells what holds in a state, take a [`Moore`](super::Moore) machine.
///
/// # Examples
///
/// ```
/// use std::fmt;
///
/// use cim_core::machine::Mealy;
///
/// #[derive(Clone, Copy, Debug, Eq, PartialEq)]
/// enum Lamp { Off, On }
/// #[derive(Clone, Copy, Debug, Eq, PartialEq)]
/// enum Command { Press }
///
/// impl fmt::Display for Lamp {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Lamp::Off => "off",
///             Lamp::On => "on",
///         })
///     }
/// }
///
/// impl fmt::Display for Command {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("press")
///     }
/// }
///
/// let lamp = Mealy::builder([Lamp::Off, Lamp::On], [Command::Press], Lamp::Off)
///     .transition(Lamp::Off, Command::Press, Lamp::On, "LampLit")
///     .transition(Lamp::On, Command::Press, Lamp::Off, "LampPutOut")
///     .build()?;
///
/// assert_eq!(lamp.step(lamp.initial(), Command::Press)?, (Lamp::On, "LampLit"));
/// assert_eq!(lamp.accepts(Lamp::On), [Command::Press]);
/// assert_eq!(
///     lamp.mermaid(),
///     r#"stateDiagram-v2
///     state "off" as s_off
///     state "on" as s_on
///     [*] --> s_off
///     s_off --> s_on: press / LampLit
///     s_on --> s_off: press / LampPutOut
/// "#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mealy<S, I, O> {
    table: Table<S, I, O>,
}

impl<S: Symbol, I: Symbol, O: Copy> Mealy<S, I, O> {
    /// Starts the description of a machine, with all its states, all its inputs and the state that
    /// it begins in.
    pub fn builder(
        states: impl IntoIterator<Item = S>,
        inputs: impl IntoIterator<Item = I>,
        initial: S,
    ) -> MealyBuilder<S, I, O> {
        MealyBuilder {
            draft: Draft::new(states, inputs, initial),
        }
    }

    /// The state that `input` leads to, and the output on the way.
    ///
    /// # Errors
    ///
    /// [`Refused`] when `state` does not take `input`, or one of them was not declared.
    pub fn step(&self, state: S, input: I) -> Result<(S, O), Refused<S, I>> {
        self.table.step(state, input)
    }

    /// The state that the machine begins in.
    pub fn initial(&self) -> S {
        self.table.initial
    }

    /// All states, in the order of their declaration.
    pub fn states(&self) -> &[S] {
        &self.table.states
    }

    /// All inputs, in the order of their declaration.
    pub fn inputs(&self) -> &[I] {
        &self.table.inputs
    }

    /// The inputs that `state` takes; none if it was not declared.
    pub fn accepts(&self, state: S) -> &[I] {
        self.table.accepts(state)
    }

    /// Whether `state` was declared and takes no input at all.
    pub fn is_final(&self, state: S) -> bool {
        self.table.is_final(state)
    }
}

impl<S: Symbol, I: Symbol, O: Copy + fmt::Display> Mealy<S, I, O> {
    /// The machine as a state diagram of Mermaid: transitions are named `input / output`.
    ///
    /// The same machine makes the same text. No name can break it, whatever it contains.
    pub fn mermaid(&self) -> String {
        mermaid::draw(&self.table, None::<&[O]>, |input, output| {
            format!("{input} / {output}")
        })
    }
}

/// The description of a [`Mealy`] machine. Nothing is judged before [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use = "a description does nothing before it is built"]
pub struct MealyBuilder<S, I, O> {
    draft: Draft<S, I, O>,
}

impl<S: Symbol, I: Symbol, O: Copy> MealyBuilder<S, I, O> {
    /// Lets `input` lead from one state to another, or to the same, with an output on the way.
    pub fn transition(mut self, from: S, input: I, to: S, output: O) -> Self {
        self.draft.transition(from, input, to, output);
        self
    }

    /// Refuses `inputs` in `state` on purpose.
    pub fn refuse(mut self, state: S, inputs: impl IntoIterator<Item = I>) -> Self {
        self.draft.refuse(state, inputs);
        self
    }

    /// Refuses all inputs in `state` on purpose.
    pub fn final_state(mut self, state: S) -> Self {
        self.draft.final_state(state);
        self
    }

    /// Checks the description and makes the machine.
    ///
    /// # Errors
    ///
    /// [`MachineError`], by its variant: something is declared twice or not at all; a pair of a
    /// state and an input is undecided or decided twice; a state cannot be reached.
    pub fn build(self) -> Result<Mealy<S, I, O>, MachineError<S, I>> {
        let table = self.draft.build(None)?;
        Ok(Mealy { table })
    }
}
