//! Finite state machines as values: what a lifecycle allows, in one table that is checked and drawn.
//!
//! A [`Moore`] machine has an output for each state, a [`Mealy`] machine one for each transition.
//! Building one checks it: every state can be reached, and every pair of a state and an input leads
//! to one state or is refused on purpose. So what the diagram shows is all that can happen. A
//! machine holds no current state: an aggregate keeps that in its own state, and asks.
//!
//! Machines are small, tens of states and inputs. A lookup walks the list of the states and the list
//! of the inputs, and allocates nothing. A domain builds its machine once, in a `LazyLock`.
//!
//! # Examples
//!
//! An aggregate that is a machine: commands are its inputs, events its outputs, and what it does not take
//! is the error. `evolve` does not ask it, since an event has happened, whatever the table says by now.
//!
//! ```
//! use std::fmt;
//! use std::sync::LazyLock;
//!
//! use cim_core::aggregate::Aggregate;
//! use cim_core::machine::{Mealy, Refused};
//!
//! #[derive(Clone, Copy, Debug, Eq, PartialEq)]
//! enum Standing { Stranger, Good, Bad }
//!
//! #[derive(Clone, Copy, Debug, Eq, PartialEq)]
//! enum Ask { Join, Suspend, Reinstate }
//!
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! enum Event { Joined, Suspended, Reinstated }
//!
//! // Machines show their names to people; here those of the variants will do.
//! impl fmt::Display for Standing {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         fmt::Debug::fmt(self, f)
//!     }
//! }
//! impl fmt::Display for Ask {
//!     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//!         fmt::Debug::fmt(self, f)
//!     }
//! }
//!
//! static LIFE: LazyLock<Mealy<Standing, Ask, Event>> = LazyLock::new(|| {
//!     use {Ask::*, Standing::*};
//!     Mealy::builder([Stranger, Good, Bad], [Join, Suspend, Reinstate], Stranger)
//!         .transition(Stranger, Join, Good, Event::Joined)
//!         .refuse(Stranger, [Suspend, Reinstate])
//!         .transition(Good, Suspend, Bad, Event::Suspended)
//!         .refuse(Good, [Join, Reinstate])
//!         .transition(Bad, Reinstate, Good, Event::Reinstated)
//!         .refuse(Bad, [Join, Suspend])
//!         .build()
//!         .expect("every pair is decided and every state reachable")
//! });
//!
//! struct Member;
//!
//! impl Aggregate for Member {
//!     type State = Standing;
//!     type Event = Event;
//!     type Command = Ask;
//!     type Error = Refused<Standing, Ask>;
//!
//!     fn initial_state() -> Standing {
//!         LIFE.initial()
//!     }
//!     fn evolve(_: Standing, event: &Event) -> Standing {
//!         match event {
//!             Event::Joined | Event::Reinstated => Standing::Good,
//!             Event::Suspended => Standing::Bad,
//!         }
//!     }
//!     fn decide(standing: &Standing, ask: Ask) -> Result<Vec<Event>, Self::Error> {
//!         LIFE.step(*standing, ask).map(|(_, event)| vec![event])
//!     }
//! }
//!
//! assert_eq!(Member::decide(&Standing::Good, Ask::Suspend), Ok(vec![Event::Suspended]));
//! let refused = Member::decide(&Standing::Good, Ask::Join).expect_err("a member already");
//! assert_eq!(*refused.accepted, [Ask::Suspend]);
//! assert_eq!(refused.to_string(), "expected `Suspend` in state `Good`, found `Join`");
//! ```

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
