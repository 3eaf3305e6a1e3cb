//! Commands and events for tests: which ones follows from a seed alone, on every platform.
//!
//! Values come from small pools, so that some of the commands are accepted, some change nothing, and some
//! are refused.

use uuid::Uuid;

use super::{
    Date, DialNumber, EmailAddress, MergeReason, NameComponents, NamingConvention, PersonCommand,
    PersonEvent, PersonName, PhoneNumber, Reason,
};
use crate::domain::chance::Chance;
use crate::domain::label::Label;
use crate::domain::reference::{IdentityId, LocationId, OrganizationId, PersonId};

/// So many commands for one person, who is created by one of the first few as a rule.
pub fn commands(seed: u64, count: usize) -> Vec<PersonCommand> {
    let mut chance = Chance::new(seed);
    let mut commands = Vec::with_capacity(count);
    for place in 0..count {
        commands.push(match place < 4 && chance.once_in(2) {
            true => create(&mut chance),
            false => command(&mut chance),
        });
    }
    commands
}

/// So many events, as a foreign history may have them: in any order.
pub fn events(seed: u64, count: usize) -> Vec<PersonEvent> {
    let mut chance = Chance::new(seed);
    (0..count).map(|_| event(&mut chance)).collect()
}

/// Any command. Those that end a record are rare, so that lives go on.
pub fn command(chance: &mut Chance) -> PersonCommand {
    match chance.below(16) {
        0 if chance.once_in(4) => end(chance),
        0 => create(chance),
        1 => PersonCommand::UpdateName {
            name: name(chance),
            reason: chance.once_in(2).then(|| reason(chance)),
        },
        2 => PersonCommand::SetBirthDate {
            birth_date: date(chance),
        },
        3 => PersonCommand::DeactivatePerson {
            reason: reason(chance),
        },
        4 | 5 => PersonCommand::ReactivatePerson {
            reason: reason(chance),
        },
        6 | 7 => PersonCommand::AddEmail {
            email: email(chance),
            primary: chance.once_in(3),
        },
        8 => PersonCommand::VerifyEmail {
            email: email(chance),
        },
        9 => PersonCommand::RemoveEmail {
            email: email(chance),
        },
        10 => PersonCommand::AddPhone {
            phone: phone(chance),
            primary: chance.once_in(3),
        },
        11 => PersonCommand::RemovePhone {
            phone: number(chance),
        },
        12 => PersonCommand::AssignLocation {
            location_id: LocationId::from_uuid(uuid(chance)),
            location_type: label(chance),
        },
        13 => PersonCommand::AddEmployment {
            organization_id: OrganizationId::from_uuid(uuid(chance)),
            role: label(chance),
        },
        14 => PersonCommand::LinkIdentity {
            identity_id: IdentityId::from_uuid(uuid(chance)),
            identity_type: label(chance),
        },
        _ => PersonCommand::AddExternalIdentifier {
            system: label(chance),
            identifier: label(chance),
        },
    }
}

/// Any event.
pub fn event(chance: &mut Chance) -> PersonEvent {
    match chance.below(17) {
        0 => PersonEvent::PersonCreated {
            name: name(chance),
            source: label(chance),
        },
        1 => PersonEvent::NameUpdated {
            old_name: chance.once_in(2).then(|| name(chance)),
            new_name: name(chance),
            change_reason: chance.once_in(2).then(|| reason(chance)),
        },
        2 => PersonEvent::BirthDateSet {
            birth_date: date(chance),
        },
        3 => PersonEvent::DeathRecorded {
            date_of_death: date(chance),
        },
        4 => PersonEvent::PersonActivated {
            reason: reason(chance),
        },
        5 => PersonEvent::PersonSuspended {
            reason: reason(chance),
        },
        6 => PersonEvent::PersonArchived {
            reason: reason(chance),
        },
        7 => PersonEvent::PersonMerged {
            target_person_id: PersonId::from_uuid(uuid(chance)),
            merge_reason: merge_reason(chance),
        },
        8 => PersonEvent::EmailAdded {
            email: email(chance),
            primary: chance.once_in(3),
        },
        9 => PersonEvent::EmailVerified {
            email: email(chance),
        },
        10 => PersonEvent::EmailRemoved {
            email: email(chance),
        },
        11 => PersonEvent::PhoneAdded {
            phone: phone(chance),
            primary: chance.once_in(3),
        },
        12 => PersonEvent::PhoneRemoved {
            phone: number(chance),
        },
        13 => PersonEvent::LocationAssigned {
            location_id: LocationId::from_uuid(uuid(chance)),
            location_type: label(chance),
        },
        14 => PersonEvent::EmploymentAdded {
            organization_id: OrganizationId::from_uuid(uuid(chance)),
            role: label(chance),
        },
        15 => PersonEvent::IdentityLinked {
            identity_id: IdentityId::from_uuid(uuid(chance)),
            identity_type: label(chance),
        },
        _ => PersonEvent::ExternalIdentifierAdded {
            system: label(chance),
            identifier: label(chance),
        },
    }
}

/// A command that creates a person.
pub fn create(chance: &mut Chance) -> PersonCommand {
    PersonCommand::CreatePerson {
        name: name(chance),
        source: label(chance),
    }
}

/// A command that ends a record.
pub fn end(chance: &mut Chance) -> PersonCommand {
    match chance.below(3) {
        0 => PersonCommand::RecordDeath {
            date_of_death: date(chance),
        },
        1 => PersonCommand::ArchivePerson {
            reason: reason(chance),
        },
        _ => PersonCommand::MergePersons {
            target_person_id: PersonId::from_uuid(uuid(chance)),
            merge_reason: merge_reason(chance),
        },
    }
}

fn name(chance: &mut Chance) -> PersonName {
    let given = *chance.pick(&["Ada", "Grace", "Émilie", "\"Quoted\"", "明"]);
    let family = *chance.pick(&["Lovelace", "Hopper", "du Châtelet", "黒澤"]);
    let convention = *chance.pick(&[
        NamingConvention::Western,
        NamingConvention::EastAsian,
        NamingConvention::Patronymic,
    ]);
    let components = NameComponents {
        given_names: vec![given.to_owned()],
        family_names: match chance.once_in(4) {
            true => Vec::new(),
            false => vec![family.to_owned()],
        },
        patronymic: chance.once_in(8).then(|| "Byronova".to_owned()),
        prefixes: Vec::from_iter(chance.once_in(4).then(|| "Dr".to_owned())),
        ..NameComponents::default()
    };
    let preferred = chance.once_in(4).then(|| given.to_owned());
    PersonName::new(components, preferred, convention).expect("names of the pool are good")
}

fn email(chance: &mut Chance) -> EmailAddress {
    // Two of them are one mailbox.
    let pool = [
        "ada@example.org",
        "ADA@example.org",
        "grace@mail.example.com",
        "emilie@163.com",
    ];
    EmailAddress::new(chance.pick::<&str>(&pool)).expect("addresses of the pool are good")
}

fn number(chance: &mut Chance) -> DialNumber {
    // Two of them have the same digits.
    let pool = ["555-0100", "(555) 0100", "+1-555-123-4567", "112"];
    DialNumber::new(chance.pick::<&str>(&pool)).expect("numbers of the pool are good")
}

fn phone(chance: &mut Chance) -> PhoneNumber {
    let country = *chance.pick(&[None, Some("1"), Some("US")]);
    let extension = *chance.pick(&[None, Some("7")]);
    PhoneNumber::new(number(chance), country, extension).expect("phones of the pool are good")
}

fn date(chance: &mut Chance) -> Date {
    let pool = [(1815, 12, 10), (1852, 11, 27), (2024, 2, 29)];
    let (year, month, day) = *chance.pick(&pool);
    Date::new(year, month, day).expect("days of the pool are good")
}

fn reason(chance: &mut Chance) -> Reason {
    Reason::new(chance.pick::<&str>(&["asked for it", "größer", "\\ \" {}"]))
        .expect("reasons of the pool are good")
}

fn label(chance: &mut Chance) -> Label {
    Label::new(chance.pick::<&str>(&["home", "work", "crm", "größe"]))
        .expect("labels of the pool are good")
}

fn merge_reason(chance: &mut Chance) -> MergeReason {
    *chance.pick(&[
        MergeReason::DuplicateIdentity,
        MergeReason::DataQualityIssue,
        MergeReason::UserRequested,
        MergeReason::PolicyDetermined,
    ])
}

fn uuid(chance: &mut Chance) -> Uuid {
    let last = chance.below(3) as u128;
    Uuid::from_u128(0x0193_4f4a_5000_7000_8000_0000_0000_5000 + last)
}
