//! Aggregates: what is decided on a command, and how a state follows from a history.
//!
//! An [`Aggregate`] is three pure functions. Nothing here reads or stores events, and time and
//! chance come with the command. [`HistorySummary`] is the state of a history whose domain is not
//! known.
//!
//! # How a domain is written
//!
//! 1. Its events are an enum with [`DomainEvent`](crate::payload::DomainEvent), its commands an enum too.
//! 2. Its rules are [`Aggregate`], by hand or by a state [machine](crate::machine).
//! 3. Its tests are sentences of the module `testing`, which the feature of that name has.
//! 4. `cim_host::repository::Repository` runs it on a store. From there on, events keep their form; one
//!    that must change gets a [`version`](macro@crate::payload::DomainEvent) and an
//!    [upcaster](crate::upcast::Upcasters::with).
//!
//! A rule that looks at another aggregate is not this one's to check: load the other first, and put what it
//! says into the command. It may have changed by the time the events are stored. Where that must not be,
//! both belong into one aggregate; where it may be mended afterwards, a second command, [caused
//! by](crate::command::Command::caused_by) the event, does so.

use std::collections::BTreeMap;

use crate::event::RecordedEvent;
use crate::id::EventType;
use crate::time::Timestamp;
use crate::upcast::Upcasters;
use crate::version::{Head, Version};

/// A consistency boundary of a domain, as three pure functions (a "decider").
///
/// `decide` judges a command by the state and answers with events; `evolve` takes one event into
/// the state. An event is a fact: `evolve` cannot refuse one and does not judge it again.
///
/// # Examples
///
/// ```
/// use cim_core::aggregate::{Aggregate, fold};
///
/// enum Command { Generate, Revoke { reason: String } }
/// #[derive(Debug, PartialEq)]
/// enum Event { Generated, Revoked { reason: String } }
/// #[derive(Debug, PartialEq)]
/// enum State { Absent, Active, Revoked }
/// #[derive(Debug, PartialEq)]
/// enum Refusal { AlreadyGenerated, NotActive }
///
/// struct Key;
///
/// impl Aggregate for Key {
///     type State = State;
///     type Event = Event;
///     type Command = Command;
///     type Error = Refusal;
///
///     fn initial_state() -> State {
///         State::Absent
///     }
///
///     fn evolve(_: State, event: &Event) -> State {
///         match event {
///             Event::Generated => State::Active,
///             Event::Revoked { .. } => State::Revoked,
///         }
///     }
///
///     fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal> {
///         match (state, command) {
///             (State::Absent, Command::Generate) => Ok(vec![Event::Generated]),
///             (_, Command::Generate) => Err(Refusal::AlreadyGenerated),
///             (State::Active, Command::Revoke { reason }) => Ok(vec![Event::Revoked { reason }]),
///             (_, Command::Revoke { .. }) => Err(Refusal::NotActive),
///         }
///     }
/// }
///
/// let mut history = Key::decide(&Key::initial_state(), Command::Generate)?;
/// let state = fold::<Key>(Key::initial_state(), &history);
/// history.extend(Key::decide(&state, Command::Revoke { reason: "lost".into() })?);
///
/// let state = fold::<Key>(Key::initial_state(), &history);
/// assert_eq!(state, State::Revoked);
/// assert_eq!(Key::decide(&state, Command::Generate), Err(Refusal::AlreadyGenerated));
/// # Ok::<(), Refusal>(())
/// ```
#[doc(alias = "decider")]
pub trait Aggregate {
    /// What the aggregate knows of itself in order to decide. A repository clones it; tests want `Debug`
    /// and `PartialEq`, as of events and errors.
    type State;
    /// What can happen to it: an enum with `derive(DomainEvent)`, if it is to be stored.
    type Event;
    /// What can be asked of it: any type. A repository clones it, and needs no `derive(DomainCommand)`.
    type Command;
    /// Why a command can be refused, with the facts that a caller needs. One that is a
    /// [`std::error::Error`] makes `?` work on what a repository answers.
    type Error;

    /// The version of [`State`](Self::State): count it up when a stored state no longer is what the
    /// history folds to, so that snapshots of it are not used.
    ///
    /// That is so when its form changes, and also when [`evolve`](Self::evolve) or an
    /// [upcaster](Self::upcasters) makes another state of the same history. A test that folds a fixed
    /// history of all event types and compares the state's JSON says when.
    const STATE_VERSION: u64 = 1;

    /// The state before the first event.
    fn initial_state() -> Self::State;

    /// The state after `event`.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// What happens on `command`; no event at all when there is nothing to do.
    ///
    /// # Errors
    ///
    /// The domain's own: the command is refused and nothing happens.
    fn decide(state: &Self::State, command: Self::Command)
    -> Result<Vec<Self::Event>, Self::Error>;

    /// How events of earlier schemas are read; by default there are none.
    fn upcasters() -> Upcasters {
        Upcasters::default()
    }
}

/// Takes a history, or a part of one, into a state.
///
/// It may be cut anywhere: folding `a` and then `b` is folding both in one go. So the state of a
/// snapshot, folded with the events after it, is the state of the whole history.
pub fn fold<'a, A: Aggregate>(
    state: A::State,
    events: impl IntoIterator<Item = &'a A::Event>,
) -> A::State
where
    A::Event: 'a,
{
    events.into_iter().fold(state, A::evolve)
}

/// What any history tells without knowledge of its domain.
///
/// It is folded like the state of an [`Aggregate`], from [`initial_state`](Self::initial_state) by
/// [`evolve`](Self::evolve).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HistorySummary {
    /// How many events there are of each type.
    pub event_types: BTreeMap<EventType, u64>,
    /// When the first event happened, by its own account.
    pub first_time: Option<Timestamp>,
    /// When the last event happened, by its own account.
    pub last_time: Option<Timestamp>,
    /// Version and CID of the last event.
    pub head: Option<Head>,
}

impl HistorySummary {
    /// The summary of no event.
    pub fn initial_state() -> Self {
        Self::default()
    }

    /// The summary after `recorded`.
    #[must_use]
    pub fn evolve(mut self, recorded: &RecordedEvent) -> Self {
        let event = &recorded.event;
        match self.event_types.get_mut(&event.event_type) {
            Some(count) => *count += 1,
            None => {
                self.event_types.insert(event.event_type.clone(), 1);
            }
        }
        self.first_time = self.first_time.or(Some(event.timestamp));
        self.last_time = Some(event.timestamp);
        self.head = Some(recorded.head());
        self
    }

    /// The version of the last event.
    pub fn version(&self) -> Option<Version> {
        self.head.map(|head| head.version)
    }

    /// How many events were taken in; the version, if it began with the first.
    pub fn events(&self) -> u64 {
        self.event_types.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cid::Cid;
    use crate::event::NewEvent;
    use crate::id::{Entity, EventId};
    use crate::text::Text;

    /// An account whose state keeps the order of its events.
    struct Account;

    #[derive(Debug, PartialEq)]
    struct Overdrawn {
        balance: u64,
    }

    impl Aggregate for Account {
        type State = (u64, Vec<i32>);
        type Event = i32;
        type Command = i32;
        type Error = Overdrawn;

        fn initial_state() -> Self::State {
            (0, Vec::new())
        }

        fn evolve((balance, mut order): Self::State, event: &i32) -> Self::State {
            order.push(*event);
            (balance.saturating_add_signed(i64::from(*event)), order)
        }

        fn decide((balance, _): &Self::State, command: i32) -> Result<Vec<i32>, Overdrawn> {
            match balance.checked_add_signed(i64::from(command)) {
                Some(_) if command == 0 => Ok(Vec::new()),
                Some(_) => Ok(vec![command]),
                None => Err(Overdrawn { balance: *balance }),
            }
        }
    }

    fn recorded(number: u64, event_type: &str, second: u64) -> RecordedEvent {
        let timestamp = Timestamp::from_micros(second * 1_000_000).expect("in range");
        RecordedEvent {
            aggregate: "o.u.d.key.k1".parse().expect("a key"),
            version: Version::new(number).expect("a version"),
            previous: None,
            cid: Cid::of_block(&number.to_be_bytes()),
            event: NewEvent::json(
                EventId::from_parts(timestamp, [0; 10]),
                &Entity::new("key").expect("a token"),
                EventType::new(event_type).expect("an event type"),
                timestamp,
                Text::new("test").expect("clean text"),
                "{}",
            )
            .expect("a short operation"),
        }
    }

    #[test]
    fn a_refused_command_makes_no_event() {
        let state = fold::<Account>(Account::initial_state(), &[5, -2]);
        assert_eq!(Account::decide(&state, -3), Ok(vec![-3]));
        assert_eq!(Account::decide(&state, 0), Ok(Vec::new()));
        assert_eq!(Account::decide(&state, -4), Err(Overdrawn { balance: 3 }));
    }

    #[test]
    fn a_summary_counts_and_keeps_both_ends() {
        // The second event is older by its own account, as after a clock went back.
        let history = [
            recorded(1, "Made", 9),
            recorded(2, "Used", 3),
            recorded(3, "Used", 7),
        ];
        let summary = history
            .iter()
            .fold(HistorySummary::initial_state(), HistorySummary::evolve);
        let counts: Vec<_> = summary
            .event_types
            .iter()
            .map(|(t, n)| (t.as_str(), *n))
            .collect();
        assert_eq!(counts, [("Made", 1), ("Used", 2)]);
        assert_eq!(summary.first_time, Some(history[0].event.timestamp));
        assert_eq!(summary.last_time, Some(history[2].event.timestamp));
        assert_eq!(summary.head, Some(history[2].head()));
        assert_eq!(
            (summary.version(), summary.events()),
            (Version::new(3).ok(), 3)
        );
        assert_eq!(HistorySummary::initial_state().version(), None);
    }

    proptest! {
        #[test]
        fn a_history_may_be_folded_in_parts(history: Vec<i32>, cut: prop::sample::Index) {
            let (before, after) = history.split_at(cut.index(history.len() + 1));
            let whole = fold::<Account>(Account::initial_state(), &history);
            let part = fold::<Account>(Account::initial_state(), before);
            prop_assert_eq!(fold::<Account>(part, after), whole);
        }

        #[test]
        fn a_summary_may_be_folded_in_parts(
            history in prop::collection::vec(("[AB]", 0..100_u64), 0..8), cut: prop::sample::Index,
        ) {
            let history: Vec<_> =
                (1..).zip(&history).map(|(n, (name, second))| recorded(n, name, *second)).collect();
            let (before, after) = history.split_at(cut.index(history.len() + 1));
            let whole = history.iter().fold(HistorySummary::default(), HistorySummary::evolve);
            let part = before.iter().fold(HistorySummary::default(), HistorySummary::evolve);
            prop_assert_eq!(after.iter().fold(part, HistorySummary::evolve), whole);
        }
    }
}
