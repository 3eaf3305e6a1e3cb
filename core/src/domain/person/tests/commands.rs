//! Each command about a person and its life, accepted and refused.

use super::*;
use crate::domain::model::DomainError;
use crate::testing::given;

fn create() -> PersonCommand {
    PersonCommand::CreatePerson {
        name: name("Lovelace"),
        source: label("crm"),
    }
}

fn rename(family: &str) -> PersonCommand {
    PersonCommand::UpdateName {
        name: name(family),
        reason: Some(reason("married")),
    }
}

fn set_birth(day: &str) -> PersonCommand {
    PersonCommand::SetBirthDate {
        birth_date: date(day),
    }
}

fn record_death(day: &str) -> PersonCommand {
    PersonCommand::RecordDeath {
        date_of_death: date(day),
    }
}

fn deactivate() -> PersonCommand {
    PersonCommand::DeactivatePerson {
        reason: reason("on leave"),
    }
}

fn reactivate() -> PersonCommand {
    PersonCommand::ReactivatePerson {
        reason: reason("back"),
    }
}

fn archive() -> PersonCommand {
    PersonCommand::ArchivePerson {
        reason: reason("gone"),
    }
}

fn merge() -> PersonCommand {
    PersonCommand::MergePersons {
        target_person_id: id(OTHER),
        merge_reason: MergeReason::DuplicateIdentity,
    }
}

/// One command of each kind but the creation: those that a suspended person takes, and the others.
fn commands() -> (Vec<PersonCommand>, Vec<PersonCommand>) {
    let taken = vec![
        set_birth("1815-12-10"),
        record_death("1852-11-27"),
        deactivate(),
        reactivate(),
        archive(),
    ];
    let not_taken = vec![
        rename("King"),
        merge(),
        PersonCommand::AddEmail {
            email: email("ada@example.org"),
            primary: false,
        },
        PersonCommand::VerifyEmail {
            email: email("ada@example.org"),
        },
        PersonCommand::RemoveEmail {
            email: email("ada@example.org"),
        },
        PersonCommand::AddPhone {
            phone: phone("112"),
            primary: false,
        },
        PersonCommand::RemovePhone {
            phone: number("112"),
        },
        PersonCommand::AssignLocation {
            location_id: id(OTHER),
            location_type: label("home"),
        },
        PersonCommand::AddEmployment {
            organization_id: id(ORGANIZATION),
            role: label("clerk"),
        },
        PersonCommand::LinkIdentity {
            identity_id: id(OTHER),
            identity_type: label("login"),
        },
        PersonCommand::AddExternalIdentifier {
            system: label("crm"),
            identifier: label("7"),
        },
    ];
    (taken, not_taken)
}

#[test]
fn a_person_is_created_once() {
    given::<Person>([]).when(create()).then([created()]);
    for history in [
        vec![created()],
        vec![created(), suspended()],
        vec![created(), archived()],
        vec![created(), died("1852-11-27")],
        vec![created(), merged()],
    ] {
        given::<Person>(history)
            .when(create())
            .then_refused(PersonError::Exists);
    }
}

#[test]
fn nothing_is_asked_of_a_person_that_was_not_created() {
    let (taken, not_taken) = commands();
    for command in taken.into_iter().chain(not_taken) {
        given::<Person>([])
            .when(command)
            .then_refused(PersonError::Absent);
    }
}

#[test]
fn a_record_that_has_ended_takes_nothing_more() {
    for (end, lifecycle, merged_into) in [
        (archived(), Lifecycle::Archived, None),
        (died("1852-11-27"), Lifecycle::Deceased, None),
        (merged(), Lifecycle::Merged, Some(id(OTHER))),
    ] {
        let (taken, not_taken) = commands();
        for command in taken.into_iter().chain(not_taken) {
            given::<Person>([created(), end.clone()])
                .when(command)
                .then_refused(PersonError::Ended {
                    lifecycle,
                    merged_into,
                });
        }
    }
}

#[test]
fn a_suspended_person_takes_only_what_is_about_its_life() {
    let (taken, not_taken) = commands();
    for command in not_taken {
        given::<Person>([created(), suspended()])
            .when(command)
            .then_refused(PersonError::NotActive {
                reason: Some(reason("on leave")),
            });
    }
    let events = [
        vec![born("1815-12-10")],
        vec![died("1852-11-27")],
        vec![],
        vec![activated()],
        vec![archived()],
    ];
    for (command, events) in taken.into_iter().zip(events) {
        given::<Person>([created(), suspended()])
            .when(command)
            .then(events);
    }
}

#[test]
fn a_name_is_updated_when_it_is_another_one() {
    let renamed = PersonEvent::NameUpdated {
        old_name: Some(name("Lovelace")),
        new_name: name("King"),
        change_reason: Some(reason("married")),
    };
    given::<Person>([created()])
        .when(rename("King"))
        .then([renamed.clone()]);
    given::<Person>([created(), renamed])
        .when(rename("King"))
        .then_nothing();
    given::<Person>([created()])
        .when(rename("Lovelace"))
        .then_nothing();
}

#[test]
fn a_day_of_birth_is_set_once() {
    given::<Person>([created()])
        .when(set_birth("1815-12-10"))
        .then([born("1815-12-10")]);
    let history = [created(), born("1815-12-10")];
    given::<Person>(history.clone())
        .when(set_birth("1815-12-10"))
        .then_nothing();
    given::<Person>(history)
        .when(set_birth("1815-12-11"))
        .then_refused(PersonError::BirthDateSet {
            birth_date: date("1815-12-10"),
        });
}

#[test]
fn nobody_dies_before_being_born() {
    given::<Person>([created()])
        .when(record_death("1852-11-27"))
        .then([died("1852-11-27")]);
    let history = [created(), born("1815-12-10")];
    given::<Person>(history.clone())
        .when(record_death("1815-12-10"))
        .then([died("1815-12-10")]);
    given::<Person>(history)
        .when(record_death("1815-12-09"))
        .then_refused(PersonError::DeathBeforeBirth {
            birth_date: date("1815-12-10"),
            date_of_death: date("1815-12-09"),
        });
}

#[test]
fn a_person_is_suspended_and_taken_back() {
    given::<Person>([created()])
        .when(deactivate())
        .then([suspended()]);
    given::<Person>([created(), suspended()])
        .when(deactivate())
        .then_nothing();
    given::<Person>([created()])
        .when(reactivate())
        .then_nothing();
    given::<Person>([created(), suspended()])
        .when(reactivate())
        .then([activated()]);
    given::<Person>([created(), suspended(), activated()])
        .when(deactivate())
        .then([suspended()]);
}

#[test]
fn a_record_is_archived_or_merged() {
    given::<Person>([created()])
        .when(archive())
        .then([archived()]);
    given::<Person>([created()]).when(merge()).then([merged()]);
}

#[test]
fn a_link_is_made_once() {
    let [ours, other]: [OrganizationId; 2] = [id(ORGANIZATION), id(OTHER)];
    let employ = |organization_id, role| PersonCommand::AddEmployment {
        organization_id,
        role: label(role),
    };
    let employed = |organization_id, role| PersonEvent::EmploymentAdded {
        organization_id,
        role: label(role),
    };
    check_link(
        [
            employ(ours, "clerk"),
            employ(other, "clerk"),
            employ(ours, "cook"),
        ],
        [
            employed(ours, "clerk"),
            employed(other, "clerk"),
            employed(ours, "cook"),
        ],
    );
    let [ours, other]: [LocationId; 2] = [id(ORGANIZATION), id(OTHER)];
    let assign = |location_id, kind| PersonCommand::AssignLocation {
        location_id,
        location_type: label(kind),
    };
    let assigned = |location_id, kind| PersonEvent::LocationAssigned {
        location_id,
        location_type: label(kind),
    };
    check_link(
        [
            assign(ours, "home"),
            assign(other, "home"),
            assign(ours, "work"),
        ],
        [
            assigned(ours, "home"),
            assigned(other, "home"),
            assigned(ours, "work"),
        ],
    );
    let [ours, other]: [IdentityId; 2] = [id(ORGANIZATION), id(OTHER)];
    let link = |identity_id, kind| PersonCommand::LinkIdentity {
        identity_id,
        identity_type: label(kind),
    };
    let linked = |identity_id, kind| PersonEvent::IdentityLinked {
        identity_id,
        identity_type: label(kind),
    };
    check_link(
        [
            link(ours, "login"),
            link(other, "login"),
            link(ours, "badge"),
        ],
        [
            linked(ours, "login"),
            linked(other, "login"),
            linked(ours, "badge"),
        ],
    );
    let add = |system, identifier| PersonCommand::AddExternalIdentifier {
        system: label(system),
        identifier: label(identifier),
    };
    let added = |system, identifier| PersonEvent::ExternalIdentifierAdded {
        system: label(system),
        identifier: label(identifier),
    };
    check_link(
        [add("crm", "7"), add("erp", "7"), add("crm", "8")],
        [added("crm", "7"), added("erp", "7"), added("crm", "8")],
    );
}

/// Three links, the second and third of which differ from the first in one field each.
#[track_caller]
fn check_link(commands: [PersonCommand; 3], events: [PersonEvent; 3]) {
    for (command, event) in commands.iter().zip(&events) {
        let command = command.clone();
        given::<Person>([created()])
            .when(command.clone())
            .then([event.clone()]);
        given::<Person>([created(), event.clone()])
            .when(command.clone())
            .then_nothing();
        let others = events.iter().filter(|it| *it != event).cloned();
        given::<Person>([created()].into_iter().chain(others))
            .when(command)
            .then([event.clone()]);
    }
}

#[test]
fn there_are_no_more_links_than_the_limit() {
    let system = |number: usize| label(&format!("system-{number}"));
    let added = |number| PersonEvent::ExternalIdentifierAdded {
        system: system(number),
        identifier: label("7"),
    };
    let add = |number| PersonCommand::AddExternalIdentifier {
        system: system(number),
        identifier: label("7"),
    };
    let history = |count| [created()].into_iter().chain((0..count).map(added));
    given::<Person>(history(MAX_LINKS - 1))
        .when(add(MAX_LINKS))
        .then([added(MAX_LINKS)]);
    given::<Person>(history(MAX_LINKS))
        .when(add(MAX_LINKS))
        .then_refused(PersonError::TooMany {
            what: "external identifiers",
            limit: MAX_LINKS,
        });
    given::<Person>(history(MAX_LINKS))
        .when(add(0))
        .then_nothing();
}

#[test]
fn refusals_have_codes_and_say_what_is_so() {
    let errors = [
        PersonError::Exists,
        PersonError::Absent,
        PersonError::Ended {
            lifecycle: Lifecycle::Merged,
            merged_into: Some(id(OTHER)),
        },
        PersonError::Ended {
            lifecycle: Lifecycle::Deceased,
            merged_into: None,
        },
        PersonError::NotActive {
            reason: Some(reason("on leave")),
        },
        PersonError::BirthDateSet {
            birth_date: date("1815-12-10"),
        },
        PersonError::DeathBeforeBirth {
            birth_date: date("1815-12-10"),
            date_of_death: date("1815-12-09"),
        },
        PersonError::EmailExists {
            email: email("ada@example.org"),
        },
        PersonError::EmailAbsent {
            email: email("ada@example.org"),
        },
        PersonError::PhoneExists {
            phone: number("112"),
        },
        PersonError::PhoneAbsent {
            phone: number("112"),
        },
        PersonError::TooMany {
            what: "phones",
            limit: 32,
        },
    ];
    let shown = errors.map(|error| format!("{}: {error}", DomainError::code(&error)));
    assert_eq!(
        shown,
        [
            "person-exists: there is such a person already",
            "person-absent: there is no such person",
            "person-ended: nothing can be changed any more: the person is merged, and \
             `01934f4a-5000-7000-8000-000000005000` goes on",
            "person-ended: nothing can be changed any more: the person is deceased",
            "person-not-active: the person is suspended: on leave",
            "birth-date-set: the day of birth is known and cannot be changed: `1815-12-10`",
            "death-before-birth: expected a day of death after the birth on `1815-12-10`, found \
             `1815-12-09`",
            "email-exists: the person has `ada@example.org` already",
            "email-absent: the person does not have `ada@example.org`",
            "phone-exists: the person has the phone `112` already",
            "phone-absent: the person does not have the phone `112`",
            "too-many: the person has 32 phones already, the most there can be",
        ]
    );
}

#[test]
fn a_field_that_a_command_does_not_have_is_refused() {
    let command = r#"{"UpdateName":{"name":{"components":{"given_names":["Ada"]},"preferred_form":null},"reasn":"x"}}"#;
    let error = serde_json::from_str::<PersonCommand>(command).expect_err("misspelled");
    assert!(
        error.to_string().contains("unknown field `reasn`"),
        "{error}"
    );
    serde_json::from_str::<PersonCommand>(&command.replace("reasn", "reason")).expect("spelled");
}
