//! A kit for tests of domains: given events, when a command, then events or a refusal.
//!
//! With the feature `testing`, for `[dev-dependencies]`. What is compared is `PartialEq` and `Debug`: events,
//! errors and, for [`then_state`](Given::then_state), the state; commands are `Debug`. [`given`] tests what an aggregate decides,
//! [`given_stored`] that it still does so on events of old schemas, [`assert_golden`] what those are read
//! as, [`assert_upcasters`] that each of them is read; [`Ticks`] is time and chance for tests. Nothing here reads a file or a clock. A store in memory is
//! `cim_host::memory::MemoryStore`.
//!
//! # Examples
//!
//! ```
//! use cim_core::aggregate::Aggregate;
//! use cim_core::testing::given;
//!
//! #[derive(Debug, PartialEq)]
//! enum Command { Open, Withdraw { cents: u64 } }
//! #[derive(Debug, PartialEq)]
//! enum Event { Opened { cents: u64 }, Withdrawn { cents: u64 } }
//! #[derive(Debug, PartialEq)]
//! enum Refusal { NotOpen, Overdrawn { cents: u64 } }
//!
//! struct Account;
//!
//! impl Aggregate for Account {
//!     type State = Option<u64>;
//!     type Event = Event;
//!     type Command = Command;
//!     type Error = Refusal;
//!
//!     fn initial_state() -> Option<u64> {
//!         None
//!     }
//!
//!     fn evolve(state: Option<u64>, event: &Event) -> Option<u64> {
//!         match event {
//!             Event::Opened { cents } => Some(*cents),
//!             Event::Withdrawn { cents } => state.map(|balance| balance - cents),
//!         }
//!     }
//!
//!     fn decide(state: &Option<u64>, command: Command) -> Result<Vec<Event>, Refusal> {
//!         match (state, command) {
//!             (None, Command::Open) => Ok(vec![Event::Opened { cents: 0 }]),
//!             (Some(_), Command::Open) => Ok(Vec::new()),
//!             (None, Command::Withdraw { .. }) => Err(Refusal::NotOpen),
//!             (Some(balance), Command::Withdraw { cents }) if cents > *balance => {
//!                 Err(Refusal::Overdrawn { cents: cents - balance })
//!             }
//!             (Some(_), Command::Withdraw { cents }) => Ok(vec![Event::Withdrawn { cents }]),
//!         }
//!     }
//! }
//!
//! given::<Account>([Event::Opened { cents: 50 }])
//!     .when(Command::Withdraw { cents: 40 })
//!     .then([Event::Withdrawn { cents: 40 }])
//!     .then_state(Some(10))
//!     .when(Command::Withdraw { cents: 40 })
//!     .then_refused(Refusal::Overdrawn { cents: 30 });
//! given::<Account>([]).when(Command::Withdraw { cents: 1 }).then_refused(Refusal::NotOpen);
//! given::<Account>([Event::Opened { cents: 50 }]).when(Command::Open).then_nothing();
//! ```

mod difference;
mod golden;
mod report;
mod specification;
mod ticks;
mod upcasters;

pub use golden::assert_golden;
pub use specification::{Given, When, given, given_stored};
pub use ticks::Ticks;
pub use upcasters::assert_upcasters;
