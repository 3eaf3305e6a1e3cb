//! What happens to a person on a command.

use super::lifecycle::{self, CommandKind, Effect};
use super::state::{Employment, ExternalIdentifier, Identity, Location};
use super::{
    Date, DialNumber, EmailAddress, Lifecycle, MAX_EMAILS, MAX_LINKS, MAX_PHONES, PersonCommand,
    PersonError, PersonEvent, PersonName, PersonState, PhoneNumber, Reason,
};

/// One event, or none where it is so already.
type Decided = Result<Option<PersonEvent>, PersonError>;

/// What happens, if anything.
///
/// The life cycle judges first: whether the record takes such a command at all.
pub(super) fn decide(state: &PersonState, command: PersonCommand) -> Decided {
    let kind = CommandKind::of(&command);
    let (_, effect) = lifecycle::commands()
        .step(state.lifecycle, kind)
        .map_err(|_| refusal(state, kind))?;
    match effect {
        Effect::Nothing => Ok(None),
        Effect::Event(_) => happens(state, command),
    }
}

/// Why a record does not take a command.
fn refusal(state: &PersonState, kind: CommandKind) -> PersonError {
    match (state.lifecycle, kind) {
        (Lifecycle::Draft, _) => PersonError::Absent,
        (_, CommandKind::Create) => PersonError::Exists,
        (Lifecycle::Active | Lifecycle::Suspended, _) => PersonError::NotActive {
            reason: state.reason.clone(),
        },
        (Lifecycle::Archived | Lifecycle::Deceased | Lifecycle::Merged, _) => PersonError::Ended {
            lifecycle: state.lifecycle,
            merged_into: state.merged_into,
        },
    }
}

/// What happens to a record that takes such a command.
fn happens(state: &PersonState, command: PersonCommand) -> Decided {
    match command {
        PersonCommand::CreatePerson { name, source } => {
            some(PersonEvent::PersonCreated { name, source })
        }
        PersonCommand::UpdateName { name, reason } => Ok(rename(state, name, reason)),
        PersonCommand::SetBirthDate { birth_date } => set_birth_date(state, birth_date),
        PersonCommand::RecordDeath { date_of_death } => record_death(state, date_of_death),
        PersonCommand::DeactivatePerson { reason } => some(PersonEvent::PersonSuspended { reason }),
        PersonCommand::ReactivatePerson { reason } => some(PersonEvent::PersonActivated { reason }),
        PersonCommand::ArchivePerson { reason } => some(PersonEvent::PersonArchived { reason }),
        PersonCommand::MergePersons {
            target_person_id,
            merge_reason,
        } => some(PersonEvent::PersonMerged {
            target_person_id,
            merge_reason,
        }),
        PersonCommand::AddEmail { email, primary } => add_email(state, email, primary),
        PersonCommand::VerifyEmail { email } => verify_email(state, email),
        PersonCommand::RemoveEmail { email } => remove_email(state, email),
        PersonCommand::AddPhone { phone, primary } => add_phone(state, phone, primary),
        PersonCommand::RemovePhone { phone } => remove_phone(state, phone),
        PersonCommand::AssignLocation {
            location_id,
            location_type,
        } => {
            let location = Location {
                location_id,
                location_type: location_type.clone(),
            };
            let assigned = PersonEvent::LocationAssigned {
                location_id,
                location_type,
            };
            link(&state.locations, &location, "locations", assigned)
        }
        PersonCommand::AddEmployment {
            organization_id,
            role,
        } => {
            let employment = Employment {
                organization_id,
                role: role.clone(),
            };
            let added = PersonEvent::EmploymentAdded {
                organization_id,
                role,
            };
            link(&state.employments, &employment, "employments", added)
        }
        PersonCommand::LinkIdentity {
            identity_id,
            identity_type,
        } => {
            let identity = Identity {
                identity_id,
                identity_type: identity_type.clone(),
            };
            let linked = PersonEvent::IdentityLinked {
                identity_id,
                identity_type,
            };
            link(&state.identities, &identity, "identities", linked)
        }
        PersonCommand::AddExternalIdentifier { system, identifier } => {
            let known = &state.external_identifiers;
            let external = ExternalIdentifier {
                system: system.clone(),
                identifier: identifier.clone(),
            };
            let added = PersonEvent::ExternalIdentifierAdded { system, identifier };
            link(known, &external, "external identifiers", added)
        }
    }
}

fn some(event: PersonEvent) -> Decided {
    Ok(Some(event))
}

fn rename(state: &PersonState, name: PersonName, reason: Option<Reason>) -> Option<PersonEvent> {
    (state.name.as_ref() != Some(&name)).then(|| PersonEvent::NameUpdated {
        old_name: state.name.clone(),
        new_name: name,
        change_reason: reason,
    })
}

fn set_birth_date(state: &PersonState, birth_date: Date) -> Decided {
    match state.birth_date {
        None => some(PersonEvent::BirthDateSet { birth_date }),
        Some(known) if known == birth_date => Ok(None),
        Some(birth_date) => Err(PersonError::BirthDateSet { birth_date }),
    }
}

fn record_death(state: &PersonState, date_of_death: Date) -> Decided {
    match state.birth_date {
        Some(birth_date) if date_of_death < birth_date => Err(PersonError::DeathBeforeBirth {
            birth_date,
            date_of_death,
        }),
        Some(_) | None => some(PersonEvent::DeathRecorded { date_of_death }),
    }
}

fn add_email(state: &PersonState, email: EmailAddress, primary: bool) -> Decided {
    if let Some(known) = state.email(&email) {
        let email = known.email.clone();
        return Err(PersonError::EmailExists { email });
    }
    check_room(state.emails.len(), MAX_EMAILS, "e-mail addresses")?;
    some(PersonEvent::EmailAdded { email, primary })
}

fn verify_email(state: &PersonState, email: EmailAddress) -> Decided {
    match state.email(&email) {
        None => Err(PersonError::EmailAbsent { email }),
        Some(known) if known.verified => Ok(None),
        Some(known) => {
            let email = known.email.clone();
            some(PersonEvent::EmailVerified { email })
        }
    }
}

fn remove_email(state: &PersonState, email: EmailAddress) -> Decided {
    let Some(known) = state.email(&email) else {
        return Err(PersonError::EmailAbsent { email });
    };
    let email = known.email.clone();
    some(PersonEvent::EmailRemoved { email })
}

fn add_phone(state: &PersonState, phone: PhoneNumber, primary: bool) -> Decided {
    if let Some(known) = state.phone(&phone) {
        let phone = known.phone.number().clone();
        return Err(PersonError::PhoneExists { phone });
    }
    check_room(state.phones.len(), MAX_PHONES, "phones")?;
    some(PersonEvent::PhoneAdded { phone, primary })
}

fn remove_phone(state: &PersonState, phone: DialNumber) -> Decided {
    let Some(known) = state.phone_dialled(&phone) else {
        return Err(PersonError::PhoneAbsent { phone });
    };
    let phone = known.phone.number().clone();
    some(PersonEvent::PhoneRemoved { phone })
}

/// The event that adds a link, unless it is known.
fn link<T: PartialEq>(known: &[T], new: &T, what: &'static str, event: PersonEvent) -> Decided {
    if known.contains(new) {
        return Ok(None);
    }
    check_room(known.len(), MAX_LINKS, what)?;
    some(event)
}

fn check_room(len: usize, limit: usize, what: &'static str) -> Result<(), PersonError> {
    match len < limit {
        true => Ok(()),
        false => Err(PersonError::TooMany { what, limit }),
    }
}
