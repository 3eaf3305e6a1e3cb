//! Machines whose output is that of the state they are in.

use std::fmt;

use super::draft::Draft;
use super::mermaid;
use super::table::Table;
use super::{MachineError, Refused, Symbol};

/// A finite state machine with an output for each state.
///
/// The output tells what holds as long as the state lasts, such as whether a key may sign. Where it
/// tells what happens on the way from state to state, take a [`Mealy`](super::Mealy) machine.
///
/// # Examples
///
/// ```
/// use std::fmt;
/// use std::sync::LazyLock;
///
/// use cim_core::machine::Moore;
///
/// #[derive(Clone, Copy, Debug, Eq, PartialEq)]
/// enum Key { Absent, Active, Revoked }
/// #[derive(Clone, Copy, Debug, Eq, PartialEq)]
/// enum Input { Generate, Revoke }
///
/// impl fmt::Display for Key {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Key::Absent => "absent",
///             Key::Active => "active",
///             Key::Revoked => "revoked",
///         })
///     }
/// }
///
/// impl fmt::Display for Input {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(match self {
///             Input::Generate => "generate",
///             Input::Revoke => "revoke",
///         })
///     }
/// }
///
/// static KEY: LazyLock<Moore<Key, Input, &str>> = LazyLock::new(|| {
///     let states = [Key::Absent, Key::Active, Key::Revoked];
///     Moore::builder(states, [Input::Generate, Input::Revoke], Key::Absent)
///         .output(Key::Absent, "signs nothing")
///         .output(Key::Active, "may sign")
///         .output(Key::Revoked, "signs nothing more")
///         .transition(Key::Absent, Input::Generate, Key::Active)
///         .refuse(Key::Absent, [Input::Revoke])
///         .transition(Key::Active, Input::Revoke, Key::Revoked)
///         .refuse(Key::Active, [Input::Generate])
///         .final_state(Key::Revoked)
///         .build()
///         .expect("every pair is decided and every state reachable")
/// });
///
/// let state = KEY.next(KEY.initial(), Input::Generate)?;
/// assert_eq!((state, KEY.output(state)), (Key::Active, "may sign"));
///
/// let refused = KEY.next(state, Input::Generate).expect_err("there is a key");
/// assert_eq!(refused.to_string(), "expected `revoke` in state `active`, found `generate`");
/// # Ok::<(), cim_core::machine::Refused<Key, Input>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Moore<S, I, O> {
    table: Table<S, I, ()>,
    /// The output of each state, by the state's position.
    outputs: Vec<O>,
}

impl<S: Symbol, I: Symbol, O: Copy> Moore<S, I, O> {
    /// Starts the description of a machine, with all its states, all its inputs and the state that
    /// it begins in.
    pub fn builder(
        states: impl IntoIterator<Item = S>,
        inputs: impl IntoIterator<Item = I>,
        initial: S,
    ) -> MooreBuilder<S, I, O> {
        MooreBuilder {
            draft: Draft::new(states, inputs, initial),
            outputs: Vec::new(),
        }
    }

    /// The state that `input` leads to.
    ///
    /// # Errors
    ///
    /// [`Refused`] when `state` does not take `input`, or one of them was not declared.
    pub fn next(&self, state: S, input: I) -> Result<S, Refused<S, I>> {
        self.table.step(state, input).map(|(to, ())| to)
    }

    /// The output of `state`.
    ///
    /// # Panics
    ///
    /// If `state` was not declared: the machine was built without a variant of its enum.
    pub fn output(&self, state: S) -> O {
        match self.table.position(state) {
            Some(position) => self.outputs[position],
            None => panic!("the machine has no state `{state}`"),
        }
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

impl<S: Symbol, I: Symbol, O: Copy + fmt::Display> Moore<S, I, O> {
    /// The machine as a state diagram of Mermaid: transitions are named for their input, and each
    /// state is described by its output.
    ///
    /// The same machine makes the same text. No name can break it, whatever it contains.
    pub fn mermaid(&self) -> String {
        mermaid::draw(&self.table, Some(&self.outputs), |input, ()| {
            input.to_string()
        })
    }
}

/// The description of a [`Moore`] machine. Nothing is judged before [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use = "a description does nothing before it is built"]
pub struct MooreBuilder<S, I, O> {
    draft: Draft<S, I, ()>,
    outputs: Vec<(S, O)>,
}

impl<S: Symbol, I: Symbol, O: Copy> MooreBuilder<S, I, O> {
    /// Gives `state` its output. Every state has one.
    pub fn output(mut self, state: S, output: O) -> Self {
        self.outputs.push((state, output));
        self
    }

    /// Lets `input` lead from one state to another, or to the same.
    pub fn transition(mut self, from: S, input: I, to: S) -> Self {
        self.draft.transition(from, input, to, ());
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
    /// state and an input is undecided or decided twice; a state has no output or several; a state
    /// cannot be reached.
    pub fn build(self) -> Result<Moore<S, I, O>, MachineError<S, I>> {
        let with_output: Vec<S> = self.outputs.iter().map(|&(state, _)| state).collect();
        let table = self.draft.build(Some(&with_output))?;
        let mut outputs = self.outputs;
        // Every state has exactly one, so that they stand in the order of the states now.
        outputs.sort_by_key(|&(state, _)| table.position(state));
        Ok(Moore {
            table,
            outputs: outputs.into_iter().map(|(_, output)| output).collect(),
        })
    }
}
