//! What can happen to a person.

use serde::{Deserialize, Serialize};

use super::{Date, DialNumber, EmailAddress, PersonName, PhoneNumber, Reason};
use crate::domain::label::Label;
use crate::domain::reference::{IdentityId, LocationId, OrganizationId, PersonId};
use crate::payload::DomainEvent;

/// Why two records are one person's.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MergeReason {
    /// Somebody was recorded twice.
    DuplicateIdentity,
    /// The data was bad.
    DataQualityIssue,
    /// The person asked for it.
    UserRequested,
    /// A rule demanded it.
    PolicyDetermined,
}

/// What can happen to a person.
///
/// A body holds no id of the person, no time and no correlation: the event's headers do. In version 1 of
/// the schema it did, so that types which there were then are of version 2, and are
/// [read from it](super::upcasters).
#[doc(alias = "PersonEventV2")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, DomainEvent, Eq, PartialEq, Serialize)]
#[event(entity = "person")]
pub enum PersonEvent {
    /// The person is known from now on.
    #[event(version = 2)]
    PersonCreated {
        /// The name.
        name: PersonName,
        /// Where the person is known from.
        source: Label,
    },
    /// The name is another one.
    #[event(version = 2)]
    NameUpdated {
        /// The name before, where it is known.
        old_name: Option<PersonName>,
        /// The name from now on.
        new_name: PersonName,
        /// Why, for people.
        change_reason: Option<Reason>,
    },
    /// The day of birth is known.
    #[event(version = 2)]
    BirthDateSet {
        /// The day.
        birth_date: Date,
    },
    /// The person died.
    #[event(version = 2)]
    DeathRecorded {
        /// The day.
        date_of_death: Date,
    },
    /// The person takes part again.
    PersonActivated {
        /// Why, for people.
        reason: Reason,
    },
    /// The person takes part no more for a while.
    PersonSuspended {
        /// Why, for people.
        reason: Reason,
    },
    /// The record is closed.
    PersonArchived {
        /// Why, for people.
        reason: Reason,
    },
    /// The record of another person goes on in place of this one.
    PersonMerged {
        /// The other one.
        target_person_id: PersonId,
        /// Why.
        merge_reason: MergeReason,
    },
    /// Mail reaches the person at an address.
    #[event(version = 2)]
    EmailAdded {
        /// The address.
        email: EmailAddress,
        /// Whether it is the one to use first.
        primary: bool,
    },
    /// The address is the person's indeed.
    #[event(version = 2)]
    EmailVerified {
        /// The address.
        email: EmailAddress,
    },
    /// Mail reaches the person at an address no more.
    #[event(version = 2)]
    EmailRemoved {
        /// The address.
        email: EmailAddress,
    },
    /// The person answers a phone.
    #[event(version = 2)]
    PhoneAdded {
        /// Its number.
        phone: PhoneNumber,
        /// Whether it is the one to use first.
        primary: bool,
    },
    /// The person answers a number no more, in whichever country and with whichever extension.
    #[event(version = 2)]
    PhoneRemoved {
        /// What was dialled.
        phone: DialNumber,
    },
    /// The person is to be found at a location.
    LocationAssigned {
        /// The location.
        location_id: LocationId,
        /// What it is to the person: `home`.
        location_type: Label,
    },
    /// The person works for an organization.
    #[event(version = 2)]
    EmploymentAdded {
        /// The organization.
        organization_id: OrganizationId,
        /// What the person does there.
        role: Label,
    },
    /// The person has an identity with which to log in.
    IdentityLinked {
        /// The identity.
        identity_id: IdentityId,
        /// Its kind.
        identity_type: Label,
    },
    /// Another system knows the person by an identifier.
    #[event(version = 2)]
    ExternalIdentifierAdded {
        /// The system.
        system: Label,
        /// What it calls the person.
        identifier: Label,
    },
}
