//! Lives of aggregates: commands, drawn by their domain's generator, and what comes of them natively.

use std::fmt;

use cim_core::aggregate::fold;
use cim_core::append;
use cim_core::command::Command;
use cim_core::domain::compute::{self, Compute};
use cim_core::domain::model::{DomainError as _, Model};
use cim_core::domain::person::{self, Person};
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, EventId};
use cim_core::payload::Typed as _;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::Head;

/// A model whose commands can be drawn.
pub(crate) trait Drawn: Model<State: fmt::Debug + PartialEq> {
    /// So many commands that follow from `seed`.
    fn draw(seed: u64, count: usize) -> Vec<Self::Command>;
}

impl Drawn for Compute {
    fn draw(seed: u64, count: usize) -> Vec<Self::Command> {
        compute::arbitrary::commands(seed, count)
    }
}

impl Drawn for Person {
    fn draw(seed: u64, count: usize) -> Vec<Self::Command> {
        person::arbitrary::commands(seed, count)
    }
}

/// What became of a command.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was accepted: its events, and the state after them.
    Events(Vec<RecordedEvent>),
    /// It was refused with a code and a message.
    Refused(&'static str, String),
}

/// Commands and what comes of them, where nothing is read that was written.
#[derive(Debug)]
pub(crate) struct Life<M: Model> {
    pub(crate) aggregate: AggregateKey,
    pub(crate) commands: Vec<Command<M::Command>>,
    /// One for each command.
    pub(crate) answers: Vec<Answer>,
    pub(crate) state: M::State,
}

impl<M: Model> Life<M> {
    /// Before its first command.
    pub(crate) fn begin() -> Self {
        let key = format!("acme.lab.assets.{}.{ID}", M::Event::ENTITY);
        Self {
            aggregate: key.parse().expect("a key"),
            commands: Vec::new(),
            answers: Vec::new(),
            state: M::initial_state(),
        }
    }

    /// The next command, with an id and a time of its own.
    pub(crate) fn next(&self, payload: M::Command) -> Command<M::Command> {
        let number = self.commands.len() as u64;
        let time = time(number);
        let entropy = [u8::try_from(number % 251).expect("below 251"); 10];
        let source = Text::new("cim-tests").expect("clean text");
        Command::new(payload, EventId::from_parts(time, entropy), time, source)
    }

    /// Decides a command, and takes in what happens.
    pub(crate) fn take(&mut self, command: Command<M::Command>) {
        let answer = match M::decide(&self.state, command.payload.clone()) {
            Ok(decided) => {
                self.state = fold::<M>(self.state.clone(), &decided);
                let events = command.events(&decided);
                let recorded = append::record(&self.aggregate, self.head(), &events);
                Answer::Events(recorded.expect("a history has room"))
            }
            Err(refusal) => Answer::Refused(refusal.code(), refusal.to_string()),
        };
        self.commands.push(command);
        self.answers.push(answer);
    }

    /// All events, in order.
    pub(crate) fn history(&self) -> Vec<RecordedEvent> {
        let events = self.answers.iter().flat_map(|answer| match answer {
            Answer::Events(events) => events.as_slice(),
            Answer::Refused(..) => &[],
        });
        events.cloned().collect()
    }

    pub(crate) fn head(&self) -> Option<Head> {
        self.history().last().map(RecordedEvent::head)
    }
}

/// A second and a microsecond after the one before.
pub(crate) fn time(number: u64) -> Timestamp {
    Timestamp::from_micros(BEGIN + number * 1_000_001).expect("in range")
}

const ID: &str = "01934f4a-1000-7000-8000-000000001000";

/// In microseconds: 2026-11-21T08:00:00Z.
const BEGIN: u64 = 1_795_248_000_000_000;
