//! A person as its history tells.

use serde::{Deserialize, Serialize};

use super::lifecycle::{self, CommandKind, EventKind};
use super::{
    Date, DialNumber, EmailAddress, Lifecycle, PersonEvent, PersonName, PhoneNumber, Reason,
};
use crate::domain::label::Label;
use crate::domain::reference::{IdentityId, LocationId, OrganizationId, PersonId};

/// The most addresses of e-mail that a person has; ours.
pub const MAX_EMAILS: usize = 32;

/// The most phones that a person has; ours.
pub const MAX_PHONES: usize = 32;

/// The most locations, employments, identities and external identifiers that a person has, of each; ours.
pub const MAX_LINKS: usize = 64;

/// A person as its history tells.
///
/// Its lists are bounded by [`MAX_EMAILS`], [`MAX_PHONES`] and [`MAX_LINKS`]. No command goes beyond
/// them; what a history from elsewhere has beyond them is passed over.
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "A person as its history tells.")
)]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PersonState {
    /// How far the record has come.
    pub lifecycle: Lifecycle,
    /// The name; `None` before the person is created.
    pub name: Option<PersonName>,
    /// Where the person is known from.
    pub source: Option<Label>,
    /// The day of birth.
    pub birth_date: Option<Date>,
    /// The day of death.
    pub death_date: Option<Date>,
    /// Why the person was suspended or the record was archived, as long as it is so.
    pub reason: Option<Reason>,
    /// The person whose record goes on, as long as this one is merged into it.
    pub merged_into: Option<PersonId>,
    /// Addresses of e-mail, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_EMAILS)))]
    pub emails: Vec<Email>,
    /// Phones, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_PHONES)))]
    pub phones: Vec<Phone>,
    /// Where the person is to be found, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_LINKS)))]
    pub locations: Vec<Location>,
    /// Whom the person works for, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_LINKS)))]
    pub employments: Vec<Employment>,
    /// Identities with which the person logs in, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_LINKS)))]
    pub identities: Vec<Identity>,
    /// What other systems call the person, the newest last.
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_LINKS)))]
    pub external_identifiers: Vec<ExternalIdentifier>,
}

/// An address of e-mail that a person has.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Email {
    /// The address.
    pub email: EmailAddress,
    /// Whether it is the person's indeed.
    pub verified: bool,
    /// Whether it is the one to use first.
    pub primary: bool,
}

/// A phone that a person has.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Phone {
    /// Its number.
    pub phone: PhoneNumber,
    /// Whether it is the one to use first.
    pub primary: bool,
}

/// Where a person is to be found.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Location {
    /// The location.
    pub location_id: LocationId,
    /// What it is to the person.
    pub location_type: Label,
}

/// Whom a person works for.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Employment {
    /// The organization.
    pub organization_id: OrganizationId,
    /// What the person does there.
    pub role: Label,
}

/// An identity with which a person logs in.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// The identity.
    pub identity_id: IdentityId,
    /// Its kind.
    pub identity_type: Label,
}

/// What another system calls a person.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ExternalIdentifier {
    /// The system.
    pub system: Label,
    /// What it calls the person.
    pub identifier: Label,
}

impl PersonState {
    /// The name as it is shown; `None` before the person is created.
    pub fn display_name(&self) -> Option<String> {
        self.name.as_ref().map(PersonName::display)
    }

    /// The address to use first: the primary one, or the first where none is.
    pub fn primary_email(&self) -> Option<&Email> {
        let primary = self.emails.iter().find(|it| it.primary);
        primary.or_else(|| self.emails.first())
    }

    /// The phone to use first: the primary one, or the first where none is.
    pub fn primary_phone(&self) -> Option<&Phone> {
        let primary = self.phones.iter().find(|it| it.primary);
        primary.or_else(|| self.phones.first())
    }

    /// Whether anything about the person may be changed: it was created, and the record has not ended.
    pub fn can_be_modified(&self) -> bool {
        // Each record that takes a change takes this one, and one that is not there yet takes none.
        let accepted = lifecycle::commands().accepts(self.lifecycle);
        accepted.contains(&CommandKind::SetBirthDate)
    }

    /// An address that the person has, however it is spelled.
    pub fn email(&self, email: &EmailAddress) -> Option<&Email> {
        self.emails.iter().find(|it| it.email.is_same(email))
    }

    /// A phone that the person has, however it is spelled.
    pub fn phone(&self, phone: &PhoneNumber) -> Option<&Phone> {
        self.phones.iter().find(|it| it.phone.is_same(phone))
    }

    /// The first phone that a number dials, in whichever country and with whichever extension.
    pub fn phone_dialled(&self, number: &DialNumber) -> Option<&Phone> {
        let mut phones = self.phones.iter();
        phones.find(|it| it.phone.number().is_same(number))
    }

    /// The state after an event. Before the creation nothing else counts.
    pub(super) fn after(mut self, event: &PersonEvent) -> Self {
        let kind = EventKind::of(event);
        let Ok(lifecycle) = lifecycle::events().next(self.lifecycle, kind) else {
            return self;
        };
        self.lifecycle = lifecycle;
        if kind.leads_to().is_some() {
            // They are about the state that has ended.
            self.reason = None;
            self.merged_into = None;
        }
        match event {
            PersonEvent::PersonCreated { name, source } => {
                self.name = Some(name.clone());
                self.source = Some(source.clone());
            }
            PersonEvent::NameUpdated { new_name, .. } => self.name = Some(new_name.clone()),
            PersonEvent::BirthDateSet { birth_date } => self.birth_date = Some(*birth_date),
            PersonEvent::DeathRecorded { date_of_death } => self.death_date = Some(*date_of_death),
            PersonEvent::PersonActivated { .. } => {}
            PersonEvent::PersonSuspended { reason } | PersonEvent::PersonArchived { reason } => {
                self.reason = Some(reason.clone());
            }
            PersonEvent::PersonMerged {
                target_person_id, ..
            } => self.merged_into = Some(*target_person_id),
            PersonEvent::EmailAdded { email, primary } => self.add_email(email, *primary),
            PersonEvent::EmailVerified { email } => {
                let known = self.emails.iter_mut().filter(|it| it.email.is_same(email));
                known.for_each(|it| it.verified = true);
            }
            PersonEvent::EmailRemoved { email } => {
                self.emails.retain(|it| !it.email.is_same(email));
            }
            PersonEvent::PhoneAdded { phone, primary } => self.add_phone(phone, *primary),
            PersonEvent::PhoneRemoved { phone } => {
                self.phones.retain(|it| !it.phone.number().is_same(phone));
            }
            PersonEvent::LocationAssigned {
                location_id,
                location_type,
            } => add(
                &mut self.locations,
                Location {
                    location_id: *location_id,
                    location_type: location_type.clone(),
                },
            ),
            PersonEvent::EmploymentAdded {
                organization_id,
                role,
            } => add(
                &mut self.employments,
                Employment {
                    organization_id: *organization_id,
                    role: role.clone(),
                },
            ),
            PersonEvent::IdentityLinked {
                identity_id,
                identity_type,
            } => add(
                &mut self.identities,
                Identity {
                    identity_id: *identity_id,
                    identity_type: identity_type.clone(),
                },
            ),
            PersonEvent::ExternalIdentifierAdded { system, identifier } => add(
                &mut self.external_identifiers,
                ExternalIdentifier {
                    system: system.clone(),
                    identifier: identifier.clone(),
                },
            ),
        }
        self
    }

    /// Adds an address, or replaces what is known of it.
    fn add_email(&mut self, email: &EmailAddress, primary: bool) {
        let place = self.emails.iter().position(|it| it.email.is_same(email));
        if place.is_none() && self.emails.len() >= MAX_EMAILS {
            return;
        }
        if primary {
            self.emails.iter_mut().for_each(|it| it.primary = false);
        }
        let added = Email {
            email: email.clone(),
            verified: false,
            primary,
        };
        match place {
            Some(place) => self.emails[place] = added,
            None => self.emails.push(added),
        }
    }

    /// Adds a phone, or replaces what is known of it.
    fn add_phone(&mut self, phone: &PhoneNumber, primary: bool) {
        let place = self.phones.iter().position(|it| it.phone.is_same(phone));
        if place.is_none() && self.phones.len() >= MAX_PHONES {
            return;
        }
        if primary {
            self.phones.iter_mut().for_each(|it| it.primary = false);
        }
        let added = Phone {
            phone: phone.clone(),
            primary,
        };
        match place {
            Some(place) => self.phones[place] = added,
            None => self.phones.push(added),
        }
    }
}

/// Adds to a list what is not in it, as long as there is room.
fn add<T: PartialEq>(list: &mut Vec<T>, link: T) {
    if list.len() < MAX_LINKS && !list.contains(&link) {
        list.push(link);
    }
}
