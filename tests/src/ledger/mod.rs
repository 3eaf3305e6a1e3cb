//! A ledger: the domain of the tests of repositories.

mod crash;
mod misfits;
mod race;
mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cim_core::aggregate::Aggregate;
use cim_core::id::{AggregateId, Namespace};
use cim_core::payload::DomainEvent;
use cim_core::upcast::{Payload, Upcasters};
use cim_host::repository::{Repository, RepositoryOptions};
use cim_host::store::EventStore;
use serde::{Deserialize, Serialize};

pub use self::crash::{KEY, crashes, storm};
pub use self::misfits::misfits;
pub use self::race::race;
pub use self::schema::{past, schemas};

/// What happens in a ledger. In the first schema of a posting the amount was called `sum`.
#[derive(Clone, Debug, Deserialize, DomainEvent, Eq, PartialEq, Serialize)]
#[event(entity = "ledger")]
pub enum LedgerEvent {
    /// Something was posted to an account.
    #[event(version = 2)]
    LedgerPosted {
        /// The account.
        account: String,
        /// How much.
        amount: i64,
        /// What for.
        note: String,
    },
    /// The ledger has so much written into it that its state is so long.
    LedgerFilled {
        /// How many letters.
        letters: usize,
    },
    /// Nothing is posted any more.
    LedgerClosed {},
}

/// What can be asked of a ledger.
#[derive(Clone, Debug)]
pub enum LedgerCommand {
    /// Post something.
    Post {
        /// The account.
        account: String,
        /// How much.
        amount: i64,
    },
    /// Write so many letters.
    Fill(usize),
    /// Post nothing any more.
    Close,
}

impl LedgerCommand {
    /// Posts 1 to an account.
    pub fn post(account: &str) -> Self {
        Self::Post {
            account: account.to_owned(),
            amount: 1,
        }
    }
}

/// Why a ledger refuses a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedgerIsClosed;

impl fmt::Display for LedgerIsClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ledger is closed")
    }
}

impl std::error::Error for LedgerIsClosed {}

/// What a ledger knows of itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LedgerState {
    /// The sum of each account.
    pub accounts: BTreeMap<String, i64>,
    /// How often something was posted.
    pub postings: u64,
    /// What else is written into it.
    pub letters: String,
    /// Whether it is closed.
    pub is_closed: bool,
}

/// The aggregate.
#[derive(Debug)]
pub struct Ledger;

impl Aggregate for Ledger {
    type State = LedgerState;
    type Event = LedgerEvent;
    type Command = LedgerCommand;
    type Error = LedgerIsClosed;

    fn initial_state() -> LedgerState {
        LedgerState::default()
    }

    fn evolve(mut state: LedgerState, event: &LedgerEvent) -> LedgerState {
        match event {
            LedgerEvent::LedgerPosted {
                account, amount, ..
            } => {
                match state.accounts.get_mut(account) {
                    Some(sum) => *sum += amount,
                    None => {
                        state.accounts.insert(account.clone(), *amount);
                    }
                }
                state.postings += 1;
            }
            LedgerEvent::LedgerFilled { letters } => state.letters = "x".repeat(*letters),
            LedgerEvent::LedgerClosed {} => state.is_closed = true,
        }
        state
    }

    fn decide(
        state: &LedgerState,
        command: LedgerCommand,
    ) -> Result<Vec<LedgerEvent>, LedgerIsClosed> {
        match command {
            LedgerCommand::Post { .. } if state.is_closed => Err(LedgerIsClosed),
            LedgerCommand::Post { account, amount } => Ok(vec![LedgerEvent::LedgerPosted {
                note: format!("posting {} of this ledger", state.postings + 1),
                account,
                amount,
            }]),
            LedgerCommand::Fill(letters) if state.letters.len() == letters => Ok(Vec::new()),
            LedgerCommand::Fill(letters) => Ok(vec![LedgerEvent::LedgerFilled { letters }]),
            LedgerCommand::Close if state.is_closed => Ok(Vec::new()),
            LedgerCommand::Close => Ok(vec![LedgerEvent::LedgerClosed {}]),
        }
    }

    fn upcasters() -> Upcasters {
        Upcasters::default().with("LedgerPosted", 1, |old| {
            let mut body: serde_json::Value = serde_json::from_slice(&old.body)?;
            body["amount"] = body["sum"].take();
            let body = body.to_string().into();
            Ok(vec![Payload { body, ..old }])
        })
    }
}

/// The ledgers in a store, as another program has them: with a cache and queues of their own.
pub fn ledgers(store: &Arc<dyn EventStore>) -> Repository<Ledger> {
    Repository::new(Arc::clone(store), Namespace::default())
}

/// The same ledgers with an empty cache.
#[must_use]
pub fn forgetful(ledgers: &Repository<Ledger>) -> Repository<Ledger> {
    ledgers.clone().with_options(RepositoryOptions {
        cache_capacity: 0,
        ..RepositoryOptions::default()
    })
}

/// The id of the ledger with a number.
///
/// # Panics
///
/// Never: it is a token.
pub fn ledger_id(number: u64) -> AggregateId {
    AggregateId::new(&format!("ledger-{number}")).expect("a token")
}
