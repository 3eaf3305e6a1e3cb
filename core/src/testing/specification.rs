//! Given events, when a command, then events: assertions on what an aggregate decides.

use std::error::Error;
use std::fmt;

use super::report::{self, Report, shown};
use crate::aggregate::{Aggregate, fold};
use crate::id::EventType;
use crate::payload::{self, DomainEvent};
use crate::upcast::{Payload, Upcasters};
use crate::version::SchemaVersion;

/// A history of these events, to which a command is given next.
///
/// # Examples
///
/// The [example of the module](super#examples).
#[must_use = "it asserts nothing yet: go on with `when` or `then_state`"]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let events = Vec::from_iter(events);
    Given {
        state: fold::<A>(A::initial_state(), &events),
        history: events.into_iter().map(Past::Event).collect(),
    }
}

/// A history of events as they were stored: type, version of the schema, and body in JSON.
///
/// They are read as a repository reads them, through [`Aggregate::upcasters`] and
/// [`payload::read`], so that a test can begin with events of schemas that the domain has given up.
///
/// # Panics
///
/// When one cannot be read, with what [`EventError`](payload::EventError) says.
///
/// # Examples
///
/// ```
/// use cim_core::aggregate::Aggregate;
/// use cim_core::payload::DomainEvent;
/// use cim_core::testing::given_stored;
/// use cim_core::upcast::Upcasters;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
/// #[event(entity = "lamp")]
/// enum LampEvent {
///     #[event(version = 2)]
///     LampLit { milliwatts: u64 },
/// }
///
/// struct Lamp;
///
/// impl Aggregate for Lamp {
///     type State = u64;
///     type Event = LampEvent;
///     type Command = ();
///     type Error = ();
///
///     fn initial_state() -> u64 {
///         0
///     }
///
///     fn evolve(_: u64, event: &LampEvent) -> u64 {
///         let LampEvent::LampLit { milliwatts } = event;
///         *milliwatts
///     }
///
///     fn decide(_: &u64, (): ()) -> Result<Vec<LampEvent>, ()> {
///         Ok(Vec::new())
///     }
///
///     fn upcasters() -> Upcasters {
///         Upcasters::default().with("LampLit", 1, |mut old| {
///             let body: serde_json::Value = serde_json::from_slice(&old.body)?;
///             let watts = body["watts"].as_u64().ok_or("expected `watts`")?;
///             let body = serde_json::json!({ "milliwatts": watts * 1000 });
///             old.body = body.to_string().into();
///             Ok(vec![old])
///         })
///     }
/// }
///
/// given_stored::<Lamp>([
///     ("LampLit", 1, r#"{"watts":40}"#),
///     ("LampLit", 2, r#"{"milliwatts":500}"#),
/// ])
/// .then_state(500);
/// ```
#[must_use = "it asserts only that the events can be read: go on with `when` or `then_state`"]
#[track_caller]
pub fn given_stored<'a, A: Aggregate<Event: DomainEvent>>(
    events: impl IntoIterator<Item = (&'a str, u64, impl ToString)>,
) -> Given<A> {
    let upcasters = A::upcasters();
    let mut state = A::initial_state();
    let mut history = Vec::new();
    for (number, (event_type, schema_version, body)) in (1..).zip(events) {
        let body = body.to_string();
        let stored = format!("{event_type}, version {schema_version}: {body}");
        match read(event_type, schema_version, body, &upcasters) {
            Ok(read) => {
                state = fold::<A>(state, &read);
                history.push(Past::Stored { stored, read });
            }
            Err(error) => {
                let report = Report::new(&format!("stored event {number} cannot be read"))
                    .section("stored", stored)
                    .section("error", report::chain(&*error));
                panic!("{}", report.text());
            }
        }
    }
    Given { history, state }
}

fn read<E: DomainEvent>(
    event_type: &str,
    schema_version: u64,
    body: String,
    upcasters: &Upcasters,
) -> Result<Vec<E>, Box<dyn Error>> {
    let stored = Payload {
        event_type: EventType::new(event_type)?,
        schema_version: SchemaVersion::new(schema_version)?,
        body: body.into(),
    };
    Ok(payload::read_payload(stored, upcasters)?)
}

/// A history, and the state that follows from it.
pub struct Given<A: Aggregate> {
    history: Vec<Past<A::Event>>,
    state: A::State,
}

/// What was given.
enum Past<E> {
    Event(E),
    Stored { stored: String, read: Vec<E> },
}

impl<A: Aggregate> Given<A> {
    /// Lets the aggregate decide on a command.
    pub fn when(self, command: A::Command) -> When<A>
    where
        A::Command: fmt::Debug,
    {
        When {
            command: shown(&command),
            answer: A::decide(&self.state, command),
            given: self,
        }
    }

    /// Asserts that the state is this one.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn then_state(self, expected: A::State) -> Self
    where
        A::State: fmt::Debug + PartialEq,
        A::Event: fmt::Debug,
    {
        if self.state != expected {
            let report = self
                .report("the state is not as expected")
                .section("expected", shown(&expected))
                .section("found", shown(&self.state))
                .difference(&report::lines(&[&expected]), &report::lines(&[&self.state]));
            panic!("{}", report.text());
        }
        self
    }

    /// The state, for assertions on a part of it.
    pub fn state(&self) -> &A::State {
        &self.state
    }

    fn report(&self, fault: &str) -> Report
    where
        A::Event: fmt::Debug,
    {
        let events = self.history.iter().map(|past| match past {
            Past::Event(event) => shown(event),
            Past::Stored { stored, read } => {
                let read = match read.is_empty() {
                    true => "nothing".to_owned(),
                    false => Vec::from_iter(read.iter().map(shown)).join(", "),
                };
                format!("{stored}\nread as {read}")
            }
        });
        Report::new(fault).list("given", "event", &Vec::from_iter(events))
    }
}

impl<A: Aggregate> fmt::Debug for Given<A> {
    /// Only how many events were given: they need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("events", &self.history.len())
            .finish_non_exhaustive()
    }
}

/// What an aggregate answered to a command.
///
/// Each `then…` asserts one thing of it and gives back the history as it is after the command, so that a
/// test can go on with the next one.
#[must_use = "it asserts nothing yet: go on with one of `then…`"]
pub struct When<A: Aggregate> {
    given: Given<A>,
    command: String,
    answer: Result<Vec<A::Event>, A::Error>,
}

impl<A: Aggregate> When<A> {
    /// Asserts that these events were decided, in this order.
    ///
    /// # Panics
    ///
    /// When others were, or the command was refused.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A>
    where
        A::Event: fmt::Debug + PartialEq,
        A::Error: fmt::Debug,
    {
        let expected = Vec::from_iter(expected);
        match &self.answer {
            Ok(found) if *found == expected => self.happened(),
            answer => {
                let report = self.report().list("expected", "event", &all(&expected));
                let report = self.found(report);
                let report = match answer {
                    Ok(found) => {
                        report.difference(&report::lines(&expected), &report::lines(found))
                    }
                    Err(_) => report,
                };
                panic!("{}", report.text());
            }
        }
    }

    /// Asserts that the command was refused with this error.
    ///
    /// # Panics
    ///
    /// When it was refused with another one, or not refused.
    #[track_caller]
    pub fn then_refused(self, expected: A::Error) -> Given<A>
    where
        A::Event: fmt::Debug,
        A::Error: fmt::Debug + PartialEq,
    {
        match &self.answer {
            Err(found) if *found == expected => self.given,
            answer => {
                let report = self
                    .report()
                    .section("expected a refusal", shown(&expected));
                let report = self.found(report);
                let report = match answer {
                    Err(found) => {
                        report.difference(&report::lines(&[&expected]), &report::lines(&[found]))
                    }
                    Ok(_) => report,
                };
                panic!("{}", report.text());
            }
        }
    }

    /// Asserts that the command was taken and nothing happened: there was nothing to do.
    ///
    /// # Panics
    ///
    /// When an event was decided, or the command was refused.
    #[track_caller]
    pub fn then_nothing(self) -> Given<A>
    where
        A::Event: fmt::Debug,
        A::Error: fmt::Debug,
    {
        match &self.answer {
            Ok(found) if found.is_empty() => self.given,
            Ok(_) | Err(_) => {
                let report = self.report().list("expected", "event", &[]);
                panic!("{}", self.found(report).text());
            }
        }
    }

    /// What was answered, for what the assertions here do not say.
    ///
    /// # Errors
    ///
    /// The refusal of the domain.
    pub fn answer(self) -> Result<Vec<A::Event>, A::Error> {
        self.answer
    }

    /// The history with what was decided.
    fn happened(self) -> Given<A> {
        let Given { mut history, state } = self.given;
        let decided = self.answer.unwrap_or_default();
        let state = fold::<A>(state, &decided);
        history.extend(decided.into_iter().map(Past::Event));
        Given { history, state }
    }

    fn report(&self) -> Report
    where
        A::Event: fmt::Debug,
    {
        self.given
            .report("the command was not decided as expected")
            .section("when", &self.command)
    }

    fn found(&self, report: Report) -> Report
    where
        A::Event: fmt::Debug,
        A::Error: fmt::Debug,
    {
        match &self.answer {
            Ok(events) => report.list("found", "event", &all(events)),
            Err(error) => report.section("found a refusal", shown(error)),
        }
    }
}

impl<A: Aggregate> fmt::Debug for When<A> {
    /// Without the answer: it need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When")
            .field("given", &self.given)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

fn all(events: &[impl fmt::Debug]) -> Vec<String> {
    events.iter().map(shown).collect()
}
