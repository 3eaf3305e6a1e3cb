//! A history read into the state of its aggregate, event by event.
//!
//! [`HistoryFold`] joins what each part of this crate does by itself: an event is verified, brought to
//! the schema of today, decoded and folded. It reads nothing: the events come from a store, a file or a
//! subscription.

use std::error::Error;
use std::fmt;
use std::mem;

use serde::de::DeserializeOwned;

use crate::aggregate::{Aggregate, fold};
use crate::chain::ChainError;
use crate::chain::verifier::ChainVerifier;
use crate::command::Command;
use crate::event::{NewEvent, RecordedEvent};
use crate::id::{AggregateKey, Entity};
use crate::payload::{self, DomainEvent, EventError, Typed as _};
use crate::snapshot::SnapshotError;
use crate::upcast::Upcasters;
use crate::version::{Head, Version};

/// The state of one aggregate, and the head of the history that it follows from.
///
/// # Examples
///
/// ```
/// use cim_core::aggregate::Aggregate;
/// use cim_core::command::Command;
/// use cim_core::event::RecordedEvent;
/// use cim_core::history::{HistoryError, HistoryFold};
/// use cim_core::payload::DomainEvent;
///
/// fn is_worth_doing<A: Aggregate<Event: DomainEvent>>(
///     history: &[RecordedEvent],
///     command: &Command<A::Command>,
/// ) -> Result<bool, HistoryError>
/// where
///     A::Command: Clone,
/// {
///     let mut fold = HistoryFold::<A>::new();
///     history.iter().try_for_each(|event| fold.push(event))?;
///     Ok(fold.decide(command).is_ok_and(|events| !events.is_empty()))
/// }
/// ```
pub struct HistoryFold<A: Aggregate> {
    state: A::State,
    /// `None` as long as it is not known whose history it is.
    verifier: Option<ChainVerifier>,
    upcasters: Upcasters,
}

impl<A: Aggregate<Event: DomainEvent>> HistoryFold<A> {
    /// Expects a history from its first event, which says whose it is.
    pub fn new() -> Self {
        Self {
            state: A::initial_state(),
            verifier: None,
            upcasters: A::upcasters(),
        }
    }

    /// Expects what follows `head`, where the state was `state`; the caller trusts both.
    ///
    /// # Errors
    ///
    /// [`HistoryError::WrongEntity`].
    pub fn from_head(
        aggregate: AggregateKey,
        head: Head,
        state: A::State,
    ) -> Result<Self, HistoryError> {
        check_entity::<A>(&aggregate)?;
        Ok(Self {
            state,
            verifier: Some(ChainVerifier::from_head(aggregate, head)),
            upcasters: A::upcasters(),
        })
    }

    /// Expects what follows `head`, where the state was what `state` says in JSON.
    ///
    /// The caller trusts all of it; a [`ChainVerifier`] has no means against a forged state.
    ///
    /// # Errors
    ///
    /// [`HistoryError::WrongEntity`], [`HistoryError::Snapshot`] when it is of another
    /// [`STATE_VERSION`](Aggregate::STATE_VERSION), [`HistoryError::State`] when it is no such state.
    pub fn restore(
        aggregate: AggregateKey,
        head: Head,
        state_version: u64,
        state: &str,
    ) -> Result<Self, HistoryError>
    where
        A::State: DeserializeOwned,
    {
        check_entity::<A>(&aggregate)?;
        if state_version != A::STATE_VERSION {
            return Err(HistoryError::Snapshot(SnapshotError::StateVersion {
                expected: A::STATE_VERSION,
                found: state_version,
            }));
        }
        let state = serde_json::from_str(state).map_err(HistoryError::State)?;
        Self::from_head(aggregate, head, state)
    }

    /// Takes the next event. One that is refused changes nothing.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]: it is of another entity, does not continue the chain, or says what the domain
    /// cannot read.
    pub fn push(&mut self, recorded: &RecordedEvent) -> Result<(), HistoryError> {
        let mut verifier = match &self.verifier {
            Some(verifier) => verifier.clone(),
            None => {
                check_entity::<A>(&recorded.aggregate)?;
                ChainVerifier::from_genesis(recorded.aggregate.clone())
            }
        };
        verifier.push(recorded).map_err(HistoryError::Chain)?;
        let events: Vec<A::Event> =
            payload::read(&recorded.event, &self.upcasters).map_err(HistoryError::Event)?;
        let state = mem::replace(&mut self.state, A::initial_state());
        self.state = fold::<A>(state, &events);
        self.verifier = Some(verifier);
        Ok(())
    }

    /// The state after the last event.
    pub fn state(&self) -> &A::State {
        &self.state
    }

    /// Whose history it is; `None` before the first event.
    pub fn aggregate(&self) -> Option<&AggregateKey> {
        self.verifier.as_ref().map(ChainVerifier::aggregate)
    }

    /// Version and CID of the last event; `None` before the first.
    pub fn head(&self) -> Option<Head> {
        self.verifier.as_ref().and_then(ChainVerifier::head)
    }

    /// The version of the last event; `None` before the first.
    pub fn version(&self) -> Option<Version> {
        self.head().map(|head| head.version)
    }

    /// What happens on `command`, as events that can be stored. The state stays what it is.
    ///
    /// # Errors
    ///
    /// The domain's own: the command is refused.
    pub fn decide(&self, command: &Command<A::Command>) -> Result<Vec<NewEvent>, A::Error>
    where
        A::Command: Clone,
    {
        let decided = A::decide(&self.state, command.payload.clone())?;
        Ok(command.events(&decided))
    }
}

impl<A: Aggregate<Event: DomainEvent>> Default for HistoryFold<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Aggregate<Event: DomainEvent>> fmt::Debug for HistoryFold<A> {
    /// The state may have no such form, or be long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryFold")
            .field("entity", &A::Event::ENTITY)
            .field("aggregate", &self.aggregate())
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

fn check_entity<A: Aggregate<Event: DomainEvent>>(
    aggregate: &AggregateKey,
) -> Result<(), HistoryError> {
    if aggregate.entity.as_str() == A::Event::ENTITY {
        return Ok(());
    }
    Err(HistoryError::WrongEntity {
        expected: A::Event::ENTITY,
        found: aggregate.entity.clone(),
    })
}

/// An event that a history cannot go on with, or a state that it cannot go on from.
#[derive(Debug)]
#[non_exhaustive]
pub enum HistoryError {
    /// It is of an aggregate of another kind.
    WrongEntity {
        /// The entity that the domain is about.
        expected: &'static str,
        /// The aggregate's.
        found: Entity,
    },
    /// It is not what its CID says, or does not continue the chain.
    Chain(ChainError),
    /// The domain cannot read it.
    Event(EventError),
    /// The state is of another form than this program has: fold the history from its first event.
    Snapshot(SnapshotError),
    /// The JSON is no state of the aggregate.
    State(serde_json::Error),
}

impl HistoryError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongEntity { .. } => "wrong-entity",
            Self::Chain(error) => error.code(),
            Self::Event(error) => error.code(),
            Self::Snapshot(error) => error.code(),
            Self::State(_) => "state-invalid",
        }
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEntity { expected, found } => write!(
                f,
                "an aggregate of another entity: expected `{expected}`, found `{found}`"
            ),
            Self::Chain(error) => error.fmt(f),
            Self::Event(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::State(_) => f.write_str("the JSON is no state of the aggregate"),
        }
    }
}

impl Error for HistoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::WrongEntity { .. } => None,
            Self::State(source) => Some(source),
            // Their texts are told here, so their sources are too.
            Self::Chain(error) => error.source(),
            Self::Event(error) => error.source(),
            Self::Snapshot(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::append;
    use crate::id::EventId;
    use crate::payload::DomainCommand;
    use crate::text::Text;
    use crate::time::Timestamp;
    use crate::version::SchemaVersion;

    #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
    #[event(entity = "lamp")]
    enum LampEvent {
        #[event(version = 2)]
        LampLit {
            watts: u32,
        },
        LampOut {},
    }

    #[derive(Clone, Serialize, Deserialize, DomainCommand)]
    #[command(entity = "lamp")]
    enum LampCommand {
        LightLamp { watts: u32 },
    }

    #[derive(Debug, PartialEq)]
    struct AlreadyLit;

    /// Its state is the power, and the powers that it had.
    struct Lamp;

    impl Aggregate for Lamp {
        type State = (Option<u32>, Vec<u32>);
        type Event = LampEvent;
        type Command = LampCommand;
        type Error = AlreadyLit;

        const STATE_VERSION: u64 = 3;

        fn initial_state() -> Self::State {
            (None, Vec::new())
        }

        fn evolve((_, mut had): Self::State, event: &LampEvent) -> Self::State {
            match event {
                LampEvent::LampLit { watts } => {
                    had.push(*watts);
                    (Some(*watts), had)
                }
                LampEvent::LampOut {} => (None, had),
            }
        }

        fn decide(
            (lit, _): &Self::State,
            command: LampCommand,
        ) -> Result<Vec<LampEvent>, AlreadyLit> {
            let LampCommand::LightLamp { watts } = command;
            match lit {
                None => Ok(vec![LampEvent::LampLit { watts }]),
                Some(lit) if *lit == watts => Ok(Vec::new()),
                Some(_) => Err(AlreadyLit),
            }
        }

        fn upcasters() -> Upcasters {
            Upcasters::default().with("LampLit", 1, |old| {
                let body = old.body.to_ascii_lowercase().into();
                Ok(vec![crate::upcast::Payload { body, ..old }])
            })
        }
    }

    fn key(text: &str) -> AggregateKey {
        text.parse().expect("a key")
    }

    fn time(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).expect("in range")
    }

    fn event(number: u8, event: &LampEvent) -> NewEvent {
        let id = EventId::from_parts(time(u64::from(number)), [number; 10]);
        payload::new_event(event, id, time(1), Text::new("test").expect("clean text"))
    }

    fn history() -> Vec<RecordedEvent> {
        let mut old = event(1, &LampEvent::LampLit { watts: 40 });
        old.schema_version = SchemaVersion::FIRST;
        old.body = r#"{"WATTS":40}"#.into();
        let events = [
            old,
            event(2, &LampEvent::LampOut {}),
            event(3, &LampEvent::LampLit { watts: 60 }),
        ];
        append::record(&key("o.u.d.lamp.hall"), None, &events).expect("room for three")
    }

    fn folded(history: &[RecordedEvent]) -> HistoryFold<Lamp> {
        let mut fold = HistoryFold::new();
        for event in history {
            fold.push(event).expect("it continues");
        }
        fold
    }

    /// That an event is refused with this code, and that nothing is changed by it.
    #[track_caller]
    fn check_refused(mut fold: HistoryFold<Lamp>, event: &RecordedEvent, code: &str) {
        let before = (fold.state().clone(), fold.head(), fold.aggregate().cloned());
        let error = fold.push(event).expect_err(code);
        assert_eq!(error.code(), code, "{error}");
        let after = (fold.state().clone(), fold.head(), fold.aggregate().cloned());
        assert_eq!(after, before);
    }

    #[test]
    fn a_history_is_upcast_and_folded() {
        let history = history();
        let mut fold = HistoryFold::<Lamp>::new();
        assert_eq!(
            (fold.state(), fold.head(), fold.aggregate()),
            (&(None, vec![]), None, None)
        );
        for event in &history {
            fold.push(event).expect("it continues");
            assert_eq!(fold.head(), Some(event.head()));
        }
        assert_eq!(fold.state(), &(Some(60), vec![40, 60]));
        assert_eq!(fold.aggregate(), Some(&history[0].aggregate));
        assert_eq!(fold.version().map(Version::get), Some(3));
    }

    #[test]
    fn a_state_goes_on_where_it_was_taken() {
        let history = history();
        for cut in 1..=history.len() {
            let (before, after) = history.split_at(cut);
            let half = folded(before);
            let state = serde_json::to_string(half.state()).expect("a state is JSON");
            let head = half.head().expect("one event at least");
            let aggregate = history[0].aggregate.clone();
            let mut fold =
                HistoryFold::<Lamp>::restore(aggregate, head, 3, &state).expect("its own");
            for event in after {
                fold.push(event).expect("it continues");
            }
            assert_eq!(fold.state(), folded(&history).state());
            assert_eq!(fold.head(), history.last().map(RecordedEvent::head));
        }
    }

    #[test]
    fn a_state_that_is_not_the_aggregates_is_refused() {
        let head = history()[0].head();
        let restore = |entity: &str, version, state: &str| {
            let key = key(&format!("o.u.d.{entity}.hall"));
            HistoryFold::<Lamp>::restore(key, head, version, state)
                .err()
                .map(|error| error.code())
        };
        assert_eq!(restore("lamp", 3, "[40,[40]]"), None);
        assert_eq!(restore("key", 3, "[40,[40]]"), Some("wrong-entity"));
        assert_eq!(
            restore("lamp", 2, "[40,[40]]"),
            Some("snapshot-state-version")
        );
        assert_eq!(restore("lamp", 3, "[40]"), Some("state-invalid"));
        assert_eq!(restore("lamp", 3, "[40,[40]]]"), Some("state-invalid"));
    }

    #[test]
    fn an_event_that_is_refused_changes_nothing() {
        let history = history();
        let record = |events: &[NewEvent]| {
            append::record(&history[0].aggregate, None, events).expect("room")
        };
        check_refused(HistoryFold::new(), &history[1], "gap");
        check_refused(folded(&history[..1]), &history[2], "gap");
        check_refused(folded(&history[..1]), &history[0], "duplicate");
        let mut altered = history[1].clone();
        altered.event.body = r#"{"by":"nobody"}"#.into();
        check_refused(folded(&history[..1]), &altered, "wrong-cid");
        let other = append::record(&key("o.u.d.key.hall"), None, &[history[0].event.clone()]);
        check_refused(HistoryFold::new(), &other.expect("room")[0], "wrong-entity");

        let out = event(1, &LampEvent::LampOut {});
        let mut foreign = out.clone();
        foreign.event_type = "LampSold".parse().expect("a type");
        check_refused(
            HistoryFold::new(),
            &record(&[foreign])[0],
            "event-type-unknown",
        );
        let mut newer = out.clone();
        newer.schema_version = SchemaVersion::new(2).expect("a version");
        check_refused(HistoryFold::new(), &record(&[newer])[0], "schema-newer");
        let mut broken = out;
        broken.body = "[]".into();
        check_refused(HistoryFold::new(), &record(&[broken])[0], "payload-invalid");
    }

    #[test]
    fn a_decision_is_made_on_the_state_and_leaves_it() {
        let fold = folded(&history()[..2]);
        let command = |watts| {
            let id = EventId::from_parts(time(9), [9; 10]);
            let source = Text::new("test").expect("clean text");
            Command::new(LampCommand::LightLamp { watts }, id, time(9), source)
        };
        let events = fold.decide(&command(60)).expect("it is out");
        assert_eq!(
            events,
            command(60).events(&[LampEvent::LampLit { watts: 60 }])
        );
        assert_eq!(fold.state(), &(None, vec![40]));

        let fold = folded(&history());
        assert_eq!(fold.decide(&command(60)), Ok(Vec::new()));
        assert_eq!(fold.decide(&command(40)), Err(AlreadyLit));
    }
}
