//! A lending library as a newcomer writes it; `tests/library.rs` says its rules in sentences.
//! What happened last to a book or a member is all that the rules ask for, so it is the state.

use std::fmt;

use cim_core::{aggregate::Aggregate, payload::DomainEvent, upcast::Upcasters};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug)]
pub enum BookCommand {
    Acquire,
    Lend { to: u64, days: u64 },
    Return,
    Lose,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "book")]
pub enum BookEvent {
    BookAcquired {},
    #[event(version = 2)]
    BookLent {
        to: u64,
        days: u64,
    },
    BookReturned {},
    BookLost {},
}

/// Why nothing happens.
#[derive(Debug, PartialEq)]
pub enum Refusal<E> {
    NotAfter(Option<E>),
    TooLong { days: u64, most: u64 },
}

impl<E: fmt::Debug> fmt::Display for Refusal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAfter(last) => write!(f, "that cannot follow on {last:?}"),
            Self::TooLong { days, most } => write!(f, "{days} days, but {most} are allowed"),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for Refusal<E> {}

#[derive(Debug)]
pub struct Book;

impl Aggregate for Book {
    type State = Option<BookEvent>;
    type Event = BookEvent;
    type Command = BookCommand;
    type Error = Refusal<BookEvent>;

    fn initial_state() -> Option<BookEvent> {
        None
    }

    fn evolve(_: Option<BookEvent>, event: &BookEvent) -> Option<BookEvent> {
        Some(*event)
    }

    fn decide(last: &Self::State, command: BookCommand) -> Result<Vec<BookEvent>, Self::Error> {
        Ok(match (last, command) {
            (None, Acquire) => vec![BookAcquired {}],
            (Some(BookAcquired {} | BookReturned {}), Lend { to, days }) => match days {
                ..=28 => vec![BookLent { to, days }],
                _ => return Err(Refusal::TooLong { days, most: 28 }),
            },
            (Some(BookLent { .. } | BookLost {}), Return) => vec![BookReturned {}],
            (Some(BookAcquired {} | BookReturned {} | BookLent { .. }), Lose) => vec![BookLost {}],
            (last, _) => return Err(Refusal::NotAfter(*last)),
        })
    }

    fn upcasters() -> Upcasters {
        Upcasters::default()
            .with("BookDusted", 1, |_| Ok(Vec::new())) // Nobody asks for it any more.
            .with("BookLent", 1, |mut old| {
                let body: serde_json::Value = serde_json::from_slice(&old.body)?;
                let weeks = body["weeks"].as_u64().ok_or("expected `weeks`")?;
                let body = serde_json::json!({ "to": body["to"], "days": weeks.saturating_mul(7) });
                old.body = body.to_string().into();
                Ok(vec![old])
            })
    }
}

#[derive(Clone, Copy, Debug)]
pub enum MemberCommand {
    Join,
    Suspend,
    Reinstate,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "member")]
pub enum MemberEvent {
    MemberJoined {},
    MemberSuspended {},
    MemberReinstated {},
}
pub use {BookCommand::*, BookEvent::*, MemberCommand::*, MemberEvent::*};

#[derive(Debug)]
pub struct Member;

impl Aggregate for Member {
    type State = Option<MemberEvent>;
    type Event = MemberEvent;
    type Command = MemberCommand;
    type Error = Refusal<MemberEvent>;

    fn initial_state() -> Option<MemberEvent> {
        None
    }

    fn evolve(_: Option<MemberEvent>, event: &MemberEvent) -> Option<MemberEvent> {
        Some(*event)
    }

    fn decide(last: &Self::State, command: MemberCommand) -> Result<Vec<MemberEvent>, Self::Error> {
        Ok(vec![match (last, command) {
            (None, Join) => MemberJoined {},
            (Some(MemberJoined {} | MemberReinstated {}), Suspend) => MemberSuspended {},
            (Some(MemberSuspended {}), Reinstate) => MemberReinstated {},
            (last, _) => return Err(Refusal::NotAfter(*last)),
        }])
    }
}
