//! People: what they decide, how their histories fold, and how old events are read.

mod commands;
mod contacts;
mod folded;
mod histories;
mod machines;
mod old_events;
mod old_histories;
mod queries;
#[cfg(feature = "schema")]
mod schemas;

use super::*;
use crate::domain::label::Label;
use crate::domain::reference::{IdentityId, LocationId, OrganizationId};
use crate::event::NewEvent;
use crate::id::EventId;
use crate::payload;
use crate::text::Text;
use crate::time::Timestamp;

const ORGANIZATION: &str = "01934f4a-2000-7000-8000-000000002000";
const OTHER: &str = "01934f4a-5000-7000-8000-000000005000";

fn created() -> PersonEvent {
    PersonEvent::PersonCreated {
        name: name("Lovelace"),
        source: label("crm"),
    }
}

fn suspended() -> PersonEvent {
    PersonEvent::PersonSuspended {
        reason: reason("on leave"),
    }
}

fn activated() -> PersonEvent {
    PersonEvent::PersonActivated {
        reason: reason("back"),
    }
}

fn archived() -> PersonEvent {
    PersonEvent::PersonArchived {
        reason: reason("gone"),
    }
}

fn died(day: &str) -> PersonEvent {
    PersonEvent::DeathRecorded {
        date_of_death: date(day),
    }
}

fn merged() -> PersonEvent {
    PersonEvent::PersonMerged {
        target_person_id: id(OTHER),
        merge_reason: MergeReason::DuplicateIdentity,
    }
}

fn born(day: &str) -> PersonEvent {
    PersonEvent::BirthDateSet {
        birth_date: date(day),
    }
}

fn email_added(text: &str, primary: bool) -> PersonEvent {
    PersonEvent::EmailAdded {
        email: email(text),
        primary,
    }
}

fn email_verified(text: &str) -> PersonEvent {
    PersonEvent::EmailVerified { email: email(text) }
}

fn email_removed(text: &str) -> PersonEvent {
    PersonEvent::EmailRemoved { email: email(text) }
}

fn phone_added(text: &str, primary: bool) -> PersonEvent {
    PersonEvent::PhoneAdded {
        phone: phone(text),
        primary,
    }
}

fn phone_removed(text: &str) -> PersonEvent {
    PersonEvent::PhoneRemoved {
        phone: number(text),
    }
}

/// Ada, of this family.
fn name(family: &str) -> PersonName {
    PersonName::western("Ada", family).expect("a name")
}

fn label(text: &str) -> Label {
    Label::new(text).expect("a label")
}

fn reason(text: &str) -> Reason {
    Reason::new(text).expect("a reason")
}

fn date(text: &str) -> Date {
    text.parse().expect("a day")
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::new(text).expect("an address")
}

fn number(text: &str) -> DialNumber {
    DialNumber::new(text).expect("a number")
}

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::new(number(text), None, None).expect("a phone")
}

/// An id of whichever kind, by its text.
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// An event as it is stored.
fn stored(event: &PersonEvent) -> NewEvent {
    let now = Timestamp::from_micros(0).expect("in range");
    let source = Text::new("test").expect("clean text");
    payload::new_event(event, EventId::from_parts(now, [7; 10]), now, source)
}
