//! The domain `person`: who somebody is, how they are reached, and where they belong.
//!
//! One aggregate, [`Person`], under an id that says nothing about who it is. Its life is drawn as state
//! machines in [`lifecycle`]. What it is told is made of types that cannot be built invalid, so that
//! `decide` judges a person's history and nothing else; a reader refuses what such a type is not.
//!
//! Old events still load: [`upcasters`] reads those of schema version 1, in each of the three forms that
//! it had. A person knows neither its own id nor the time, so that no rule compares with either.

#[cfg(any(test, feature = "testing"))]
pub mod arbitrary;
mod command;
mod date;
mod decide;
mod email;
mod event;
pub mod lifecycle;
mod name;
mod phone;
mod reason;
mod refusal;
mod state;
#[cfg(test)]
mod tests;
mod upcast;

pub use command::PersonCommand;
pub use date::Date;
pub use email::{EmailAddress, MAX_EMAIL_LEN, MAX_LOCAL_LEN};
pub use event::{MergeReason, PersonEvent};
pub use lifecycle::Lifecycle;
pub use name::{
    MAX_NAME_LEN, MAX_PART_LEN, MAX_PARTS, NameComponents, NamingConvention, PersonName,
};
pub use phone::{DialNumber, MAX_NUMBER_LEN, MIN_DIGITS, PhoneNumber};
pub use reason::{MAX_REASON_LEN, Reason};
pub use refusal::PersonError;
pub use state::{
    Email, Employment, ExternalIdentifier, Identity, Location, MAX_EMAILS, MAX_LINKS, MAX_PHONES,
    PersonState, Phone,
};
pub use upcast::{OldBodyError, upcasters};

use super::model::{Diagram, Model};
use crate::aggregate::Aggregate;
use crate::upcast::Upcasters;

/// A person.
///
/// # Examples
///
/// ```
/// use cim_core::aggregate::{Aggregate, fold};
/// use cim_core::domain::label::Label;
/// use cim_core::domain::person::{Person, PersonCommand, PersonName};
///
/// let create = PersonCommand::CreatePerson {
///     name: PersonName::western("Ada", "Lovelace")?,
///     source: Label::new("registration")?,
/// };
/// let events = Person::decide(&Person::initial_state(), create.clone())?;
/// let state = fold::<Person>(Person::initial_state(), &events);
/// assert_eq!(state.display_name().as_deref(), Some("Ada Lovelace"));
///
/// let refused = Person::decide(&state, create).expect_err("she is known");
/// assert_eq!(refused.code(), "person-exists");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Person;

impl Aggregate for Person {
    type State = PersonState;
    type Event = PersonEvent;
    type Command = PersonCommand;
    type Error = PersonError;

    // 2: phones are told from each other by country and extension too, and ended employments are none.
    const STATE_VERSION: u64 = 2;

    fn initial_state() -> PersonState {
        PersonState::default()
    }

    fn evolve(state: PersonState, event: &PersonEvent) -> PersonState {
        state.after(event)
    }

    fn decide(
        state: &PersonState,
        command: PersonCommand,
    ) -> Result<Vec<PersonEvent>, PersonError> {
        Ok(decide::decide(state, command)?.into_iter().collect())
    }

    fn upcasters() -> Upcasters {
        upcast::upcasters()
    }
}

impl Model for Person {
    fn diagrams() -> Vec<Diagram> {
        vec![
            Diagram {
                title: "What is asked of a person, and what comes of it",
                mermaid: lifecycle::commands().mermaid(),
            },
            Diagram {
                title: "What happens to a person, and how its record stands then",
                mermaid: lifecycle::decided_events().mermaid(),
            },
        ]
    }
}
