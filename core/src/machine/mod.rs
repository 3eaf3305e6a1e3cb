//! Finite state machines as values: what a lifecycle allows, in one table that is checked and drawn.
//!
//! A [`Moore`] machine has an output for each state, a [`Mealy`] machine one for each transition.
//! Building one checks it: every state can be reached, and every pair of a state and an input leads
//! to one state or is refused on purpose. So what the diagram shows is all that can happen. A
//! machine holds no current state: an aggregate keeps that in its own state, and asks.
//!
//! Machines are small, tens of states and inputs. A lookup walks the list of the states and the list
//! of the inputs, and allocates nothing. A domain builds its machine once, in a `LazyLock`.

mod draft;
mod error;
mod mealy;
mod mermaid;
mod moore;
mod refused;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::error::MachineError;
pub use self::mealy::{Mealy, MealyBuilder};
pub use self::moore::{Moore, MooreBuilder};
pub use self::refused::Refused;

/// What a state or an input of a machine is: a small value, as a rule an enum, whose
/// [`Display`](fmt::Display) is its name for people.
///
/// Every type that has these traits is one; there is nothing to implement.
pub trait Symbol: Copy + Eq + fmt::Debug + fmt::Display {}

impl<T: Copy + Eq + fmt::Debug + fmt::Display> Symbol for T {}
