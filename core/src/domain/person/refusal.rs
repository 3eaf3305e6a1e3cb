//! Why a command about a person is refused.

use std::error::Error;
use std::fmt;

use super::{Date, DialNumber, EmailAddress, Lifecycle, Reason};
use crate::domain::model::DomainError;
use crate::domain::reference::PersonId;

/// Why a command is refused: nothing happens.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PersonError {
    /// There is such a person already.
    Exists,
    /// There is no such person, or not yet.
    Absent,
    /// The record has come to its end, and nothing can be changed.
    Ended {
        /// Which end.
        lifecycle: Lifecycle,
        /// The person whose record goes on, when it was merged.
        merged_into: Option<PersonId>,
    },
    /// The person is suspended. Reactivate it first.
    NotActive {
        /// Why it is suspended.
        reason: Option<Reason>,
    },
    /// The day of birth is known, and stays.
    BirthDateSet {
        /// The day.
        birth_date: Date,
    },
    /// Nobody dies before being born.
    DeathBeforeBirth {
        /// The day of birth.
        birth_date: Date,
        /// The day of death.
        date_of_death: Date,
    },
    /// The person has the address already.
    EmailExists {
        /// The address, as it is known.
        email: EmailAddress,
    },
    /// The person does not have the address.
    EmailAbsent {
        /// The address.
        email: EmailAddress,
    },
    /// The person has a phone with these digits already.
    PhoneExists {
        /// The number, as it is known.
        phone: DialNumber,
    },
    /// The person does not have the phone.
    PhoneAbsent {
        /// The number.
        phone: DialNumber,
    },
    /// The person has as many as there can be.
    TooMany {
        /// What: `e-mail addresses`.
        what: &'static str,
        /// How many there can be.
        limit: usize,
    },
}

impl PersonError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists => "person-exists",
            Self::Absent => "person-absent",
            Self::Ended { .. } => "person-ended",
            Self::NotActive { .. } => "person-not-active",
            Self::BirthDateSet { .. } => "birth-date-set",
            Self::DeathBeforeBirth { .. } => "death-before-birth",
            Self::EmailExists { .. } => "email-exists",
            Self::EmailAbsent { .. } => "email-absent",
            Self::PhoneExists { .. } => "phone-exists",
            Self::PhoneAbsent { .. } => "phone-absent",
            Self::TooMany { .. } => "too-many",
        }
    }
}

impl DomainError for PersonError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

impl fmt::Display for PersonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("there is such a person already"),
            Self::Absent => f.write_str("there is no such person"),
            Self::Ended {
                lifecycle,
                merged_into: Some(target),
            } => write!(
                f,
                "nothing can be changed any more: the person is {lifecycle}, and `{target}` goes on"
            ),
            Self::Ended {
                lifecycle,
                merged_into: None,
            } => write!(
                f,
                "nothing can be changed any more: the person is {lifecycle}"
            ),
            Self::NotActive {
                reason: Some(reason),
            } => write!(f, "the person is suspended: {reason}"),
            Self::NotActive { reason: None } => f.write_str("the person is suspended"),
            Self::BirthDateSet { birth_date } => write!(
                f,
                "the day of birth is known and cannot be changed: `{birth_date}`"
            ),
            Self::DeathBeforeBirth {
                birth_date,
                date_of_death,
            } => write!(
                f,
                "expected a day of death after the birth on `{birth_date}`, found `{date_of_death}`"
            ),
            Self::EmailExists { email } => write!(f, "the person has `{email}` already"),
            Self::EmailAbsent { email } => write!(f, "the person does not have `{email}`"),
            Self::PhoneExists { phone } => write!(f, "the person has the phone `{phone}` already"),
            Self::PhoneAbsent { phone } => {
                write!(f, "the person does not have the phone `{phone}`")
            }
            Self::TooMany { what, limit } => {
                write!(
                    f,
                    "the person has {limit} {what} already, the most there can be"
                )
            }
        }
    }
}

impl Error for PersonError {}
