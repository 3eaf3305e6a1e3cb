//! A machine on the way: what was said of it, and what is wrong with that.

use super::table::{Table, Transition};
use super::{MachineError, Symbol};

/// What both builders collect. Nothing is judged before [`build`](Self::build), so that all faults
/// of a kind are told at once.
#[derive(Clone, Debug)]
pub(super) struct Draft<S, I, O> {
    initial: S,
    states: Vec<S>,
    inputs: Vec<I>,
    transitions: Vec<Transition<S, I, O>>,
    refused: Vec<(S, I)>,
    final_states: Vec<S>,
}

impl<S: Symbol, I: Symbol, O: Copy> Draft<S, I, O> {
    pub(super) fn new(
        states: impl IntoIterator<Item = S>,
        inputs: impl IntoIterator<Item = I>,
        initial: S,
    ) -> Self {
        Self {
            initial,
            states: states.into_iter().collect(),
            inputs: inputs.into_iter().collect(),
            transitions: Vec::new(),
            refused: Vec::new(),
            final_states: Vec::new(),
        }
    }

    pub(super) fn transition(&mut self, from: S, input: I, to: S, output: O) {
        self.transitions.push(Transition {
            from,
            input,
            to,
            output,
        });
    }

    pub(super) fn refuse(&mut self, state: S, inputs: impl IntoIterator<Item = I>) {
        let pairs = inputs.into_iter().map(|input| (state, input));
        self.refused.extend(pairs);
    }

    pub(super) fn final_state(&mut self, state: S) {
        self.final_states.push(state);
    }

    /// Checks it all; `outputs` are the states that a Moore machine has an output for, as often as
    /// it was given one, and `None` stands for a machine without.
    pub(super) fn build(self, outputs: Option<&[S]>) -> Result<Table<S, I, O>, MachineError<S, I>> {
        self.check_declarations(outputs.unwrap_or_default())?;
        self.check_pairs()?;
        if let Some(outputs) = outputs {
            self.check_outputs(outputs)?;
        }
        let table = Table::new(self.initial, self.states, self.inputs, &self.transitions);
        let states = table.unreachable();
        if states.is_empty() {
            Ok(table)
        } else {
            Err(MachineError::Unreachable { states })
        }
    }

    fn check_declarations(&self, outputs: &[S]) -> Result<(), MachineError<S, I>> {
        if self.states.is_empty() {
            return Err(MachineError::NoStates);
        }
        let (states, inputs) = (repeated(&self.states), repeated(&self.inputs));
        if !(states.is_empty() && inputs.is_empty()) {
            return Err(MachineError::Repeated { states, inputs });
        }
        let transitions = self.transitions.iter();
        let named = [self.initial]
            .into_iter()
            .chain(transitions.clone().flat_map(|found| [found.from, found.to]))
            .chain(self.refused.iter().map(|&(state, _)| state))
            .chain(self.final_states.iter().copied())
            .chain(outputs.iter().copied());
        let states = distinct(named.filter(|state| !self.states.contains(state)));
        let named = transitions
            .map(|found| found.input)
            .chain(self.refused.iter().map(|&(_, input)| input));
        let inputs = distinct(named.filter(|input| !self.inputs.contains(input)));
        if !(states.is_empty() && inputs.is_empty()) {
            return Err(MachineError::Undeclared { states, inputs });
        }
        Ok(())
    }

    fn check_pairs(&self) -> Result<(), MachineError<S, I>> {
        let pairs = self.pairs_where(|n_transitions, _| n_transitions > 1);
        if !pairs.is_empty() {
            return Err(MachineError::Ambiguous { pairs });
        }
        let pairs = self.pairs_where(|n_transitions, refused| n_transitions > 0 && refused);
        if !pairs.is_empty() {
            return Err(MachineError::Contradictory { pairs });
        }
        let pairs = self.pairs_where(|n_transitions, refused| n_transitions == 0 && !refused);
        if !pairs.is_empty() {
            return Err(MachineError::Incomplete { pairs });
        }
        Ok(())
    }

    fn check_outputs(&self, outputs: &[S]) -> Result<(), MachineError<S, I>> {
        let states = self.states.iter().copied();
        let states = Vec::from_iter(states.filter(|state| !outputs.contains(state)));
        if !states.is_empty() {
            return Err(MachineError::OutputMissing { states });
        }
        let states = repeated(outputs);
        if !states.is_empty() {
            return Err(MachineError::OutputRepeated { states });
        }
        Ok(())
    }

    /// The pairs for which `fault` says so, by the number of their transitions and whether they are
    /// refused on purpose.
    fn pairs_where(&self, fault: impl Fn(usize, bool) -> bool) -> Vec<(S, I)> {
        let states = self.states.iter();
        let pairs = states.flat_map(|&state| self.inputs.iter().map(move |&input| (state, input)));
        pairs
            .filter(|pair| {
                let transitions = self.transitions.iter();
                let of_pair = transitions.filter(|found| (found.from, found.input) == *pair);
                let refused = self.refused.contains(pair) || self.final_states.contains(&pair.0);
                fault(of_pair.count(), refused)
            })
            .collect()
    }
}

/// The items that are there more than once, each once.
fn repeated<T: Copy + Eq>(items: &[T]) -> Vec<T> {
    let repeats = items.iter().enumerate();
    distinct(
        repeats
            .filter(|&(at, item)| items[..at].contains(item))
            .map(|(_, &item)| item),
    )
}

/// The items, each once, in the order in which they first come.
fn distinct<T: Copy + Eq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}
