//! What both machines look up: a cell for each pair of a state and an input.

use std::sync::Arc;

use super::{Refused, Symbol};

/// One way from state to state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition<S, I, O> {
    pub(super) from: S,
    pub(super) input: I,
    pub(super) to: S,
    pub(super) output: O,
}

/// The transitions by position: row by row, a row for each state, a cell for each input.
#[derive(Clone, Debug)]
pub(super) struct Table<S, I, O> {
    pub(super) initial: S,
    pub(super) states: Vec<S>,
    pub(super) inputs: Vec<I>,
    cells: Vec<Option<(S, O)>>,
    /// What each state takes. Shared with refusals, so that one allocates nothing.
    accepted: Vec<Arc<[I]>>,
}

impl<S: Symbol, I: Symbol, O: Copy> Table<S, I, O> {
    /// The first transition of each pair fills its cell; a draft was checked to have no second.
    pub(super) fn new(
        initial: S,
        states: Vec<S>,
        inputs: Vec<I>,
        transitions: &[Transition<S, I, O>],
    ) -> Self {
        let find = |from, input| {
            transitions
                .iter()
                .find(|transition| (transition.from, transition.input) == (from, input))
        };
        let mut cells = Vec::with_capacity(states.len() * inputs.len());
        let mut accepted = Vec::with_capacity(states.len());
        for &state in &states {
            let row: Vec<_> = inputs.iter().map(|&input| find(state, input)).collect();
            accepted.push(row.iter().flatten().map(|found| found.input).collect());
            cells.extend(
                row.iter()
                    .map(|cell| cell.map(|found| (found.to, found.output))),
            );
        }
        Self {
            initial,
            states,
            inputs,
            cells,
            accepted,
        }
    }

    pub(super) fn step(&self, state: S, input: I) -> Result<(S, O), Refused<S, I>> {
        self.cell(state, input).ok_or_else(|| Refused {
            state,
            input,
            accepted: self.accepted(state).cloned().unwrap_or_default(),
        })
    }

    /// What `state` takes; nothing where it was not declared.
    pub(super) fn accepts(&self, state: S) -> &[I] {
        self.accepted(state).map_or(&[], |accepted| accepted)
    }

    pub(super) fn is_final(&self, state: S) -> bool {
        self.accepted(state)
            .is_some_and(|accepted| accepted.is_empty())
    }

    /// Where `state` stands among the states.
    pub(super) fn position(&self, state: S) -> Option<usize> {
        self.states.iter().position(|&declared| declared == state)
    }

    /// All transitions, state by state.
    pub(super) fn transitions(&self) -> impl Iterator<Item = Transition<S, I, O>> {
        self.states.iter().flat_map(move |&from| {
            self.inputs.iter().filter_map(move |&input| {
                let (to, output) = self.cell(from, input)?;
                Some(Transition {
                    from,
                    input,
                    to,
                    output,
                })
            })
        })
    }

    /// The states that no row of inputs leads to from the initial state, in their order.
    pub(super) fn unreachable(&self) -> Vec<S> {
        let mut reached = vec![self.initial];
        let mut next = 0;
        while let Some(&state) = reached.get(next) {
            next += 1;
            for &input in self.accepts(state) {
                match self.cell(state, input) {
                    Some((to, _)) if !reached.contains(&to) => reached.push(to),
                    Some(_) | None => {}
                }
            }
        }
        let states = self.states.iter().copied();
        states.filter(|state| !reached.contains(state)).collect()
    }

    fn cell(&self, state: S, input: I) -> Option<(S, O)> {
        let column = self.inputs.iter().position(|&declared| declared == input)?;
        let row = self.position(state)?;
        self.cells[row * self.inputs.len() + column]
    }

    fn accepted(&self, state: S) -> Option<&Arc<[I]>> {
        self.accepted.get(self.position(state)?)
    }
}
