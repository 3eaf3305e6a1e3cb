//! What can be asked of a person.

use serde::{Deserialize, Serialize};

use super::{Date, DialNumber, EmailAddress, MergeReason, PersonName, PhoneNumber, Reason};
use crate::domain::label::Label;
use crate::domain::reference::{IdentityId, LocationId, OrganizationId, PersonId};
use crate::payload::DomainCommand;

/// What can be asked of a person.
///
/// A field that a command does not have is an error where it is read: misspelled, it would be lost.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, DomainCommand, Eq, PartialEq, Serialize)]
#[command(entity = "person")]
#[serde(deny_unknown_fields)]
pub enum PersonCommand {
    /// Take note of a person.
    CreatePerson {
        /// The name.
        name: PersonName,
        /// Where the person is known from.
        source: Label,
    },
    /// Take note of another name.
    UpdateName {
        /// The name from now on.
        name: PersonName,
        /// Why, for people.
        reason: Option<Reason>,
    },
    /// Take note of the day of birth, once and for all.
    SetBirthDate {
        /// The day.
        birth_date: Date,
    },
    /// Take note of the person's death. Nothing can be changed after that.
    RecordDeath {
        /// The day.
        date_of_death: Date,
    },
    /// Let the person take part no more for a while.
    DeactivatePerson {
        /// Why, for people.
        reason: Reason,
    },
    /// Let the person take part again.
    ReactivatePerson {
        /// Why, for people.
        reason: Reason,
    },
    /// Close the record. Nothing can be changed after that.
    ArchivePerson {
        /// Why, for people.
        reason: Reason,
    },
    /// Let the record of another person go on in place of this one. Nothing can be changed after that.
    ///
    /// That it is another one is not judged here: a person does not know its own id.
    MergePersons {
        /// The other one.
        target_person_id: PersonId,
        /// Why.
        merge_reason: MergeReason,
    },
    /// Take note of an address.
    AddEmail {
        /// The address.
        email: EmailAddress,
        /// Whether it is the one to use first.
        primary: bool,
    },
    /// Take note that an address is the person's indeed.
    VerifyEmail {
        /// The address.
        email: EmailAddress,
    },
    /// Forget an address.
    RemoveEmail {
        /// The address.
        email: EmailAddress,
    },
    /// Take note of a phone.
    AddPhone {
        /// Its number.
        phone: PhoneNumber,
        /// Whether it is the one to use first.
        primary: bool,
    },
    /// Forget a number, in whichever country and with whichever extension.
    RemovePhone {
        /// What was dialled.
        phone: DialNumber,
    },
    /// Take note of a location.
    AssignLocation {
        /// The location.
        location_id: LocationId,
        /// What it is to the person: `home`.
        location_type: Label,
    },
    /// Take note of an organization that the person works for.
    AddEmployment {
        /// The organization.
        organization_id: OrganizationId,
        /// What the person does there.
        role: Label,
    },
    /// Take note of an identity with which the person logs in.
    LinkIdentity {
        /// The identity.
        identity_id: IdentityId,
        /// Its kind.
        identity_type: Label,
    },
    /// Take note of what another system calls the person.
    AddExternalIdentifier {
        /// The system.
        system: Label,
        /// What it calls the person.
        identifier: Label,
    },
}
