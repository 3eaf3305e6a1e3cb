//! Each command, accepted and refused.

use super::*;
use crate::domain::model::DomainError;
use crate::testing::given;

fn register(tags: Tags) -> ComputeCommand {
    ComputeCommand::RegisterResource {
        hostname: hostname(),
        resource_type: ResourceType::PhysicalServer,
        tags,
    }
}

fn change(to_status: Status) -> ComputeCommand {
    ComputeCommand::ChangeStatus { to_status }
}

#[test]
fn a_resource_is_registered_once() {
    given::<Compute>([])
        .when(register(tags(&["production"])))
        .then([registered()]);
    let exists = ComputeError::Exists {
        hostname: hostname(),
    };
    given::<Compute>([registered()])
        .when(register(Tags::default()))
        .then_refused(exists);
}

#[test]
fn nothing_is_asked_of_a_resource_that_is_not_registered() {
    let (key, value) = note(1, "x");
    for command in [
        ComputeCommand::AssignOrganization {
            organization_id: id(ORGANIZATION),
        },
        ComputeCommand::AssignLocation {
            location_id: id(LOCATION),
        },
        ComputeCommand::AssignOwner {
            owner_id: id(ORGANIZATION),
        },
        ComputeCommand::AddPolicy {
            policy_id: policy(1),
        },
        ComputeCommand::RemovePolicy {
            policy_id: policy(1),
        },
        ComputeCommand::AssignAccountConcept {
            concept_id: id(ORGANIZATION),
        },
        ComputeCommand::ClearAccountConcept {},
        ComputeCommand::SetHardwareDetails {
            manufacturer: None,
            model: None,
            serial_number: None,
        },
        ComputeCommand::AssignAssetTag {
            asset_tag: label("A-1"),
        },
        ComputeCommand::UpdateMetadata { key, value },
        change(Status::Provisioning),
        change(Status::Active),
        change(Status::Maintenance),
        change(Status::Decommissioned),
    ] {
        given::<Compute>([])
            .when(command)
            .then_refused(ComputeError::Absent);
    }
}

/// An event that the resource has the value of already is not repeated; one with another value is.
#[track_caller]
fn check_assignment(
    command: fn(&str) -> ComputeCommand,
    event: fn(&str) -> ComputeEvent,
    [one, other]: [&str; 2],
) {
    given::<Compute>([registered()])
        .when(command(one))
        .then([event(one)]);
    given::<Compute>([registered(), event(one)])
        .when(command(one))
        .then_nothing();
    given::<Compute>([registered(), event(one)])
        .when(command(other))
        .then([event(other)]);
}

#[test]
fn an_organization_is_assigned_when_it_is_another_one() {
    check_assignment(
        |it| ComputeCommand::AssignOrganization {
            organization_id: id(it),
        },
        |it| ComputeEvent::OrganizationAssigned {
            organization_id: id(it),
        },
        [ORGANIZATION, LOCATION],
    );
}

#[test]
fn a_location_is_assigned_when_it_is_another_one() {
    check_assignment(
        |it| ComputeCommand::AssignLocation {
            location_id: id(it),
        },
        |it| ComputeEvent::LocationAssigned {
            location_id: id(it),
        },
        [LOCATION, ORGANIZATION],
    );
}

#[test]
fn an_owner_is_assigned_when_it_is_another_one() {
    check_assignment(
        |it| ComputeCommand::AssignOwner { owner_id: id(it) },
        |it| ComputeEvent::OwnerAssigned { owner_id: id(it) },
        [LOCATION, ORGANIZATION],
    );
}

#[test]
fn an_asset_tag_is_assigned_when_it_is_another_one() {
    check_assignment(
        |it| ComputeCommand::AssignAssetTag {
            asset_tag: label(it),
        },
        |it| ComputeEvent::AssetTagAssigned {
            asset_tag: label(it),
        },
        ["A-1", "a-1"],
    );
}

#[test]
fn an_account_concept_is_assigned_and_cleared() {
    check_assignment(
        |it| ComputeCommand::AssignAccountConcept { concept_id: id(it) },
        |it| ComputeEvent::AccountConceptAssigned { concept_id: id(it) },
        [LOCATION, ORGANIZATION],
    );
    let assigned = ComputeEvent::AccountConceptAssigned {
        concept_id: id(LOCATION),
    };
    let cleared = ComputeEvent::AccountConceptCleared {};
    given::<Compute>([registered(), assigned.clone()])
        .when(ComputeCommand::ClearAccountConcept {})
        .then([cleared.clone()]);
    given::<Compute>([registered()])
        .when(ComputeCommand::ClearAccountConcept {})
        .then_nothing();
    given::<Compute>([registered(), assigned, cleared])
        .when(ComputeCommand::ClearAccountConcept {})
        .then_nothing();
}

#[test]
fn hardware_is_described_as_a_whole() {
    let command = |model: Option<&str>| ComputeCommand::SetHardwareDetails {
        manufacturer: Some(label("Dell Inc.")),
        model: model.map(label),
        serial_number: None,
    };
    let event = |model: Option<&str>| ComputeEvent::HardwareDetailsSet {
        manufacturer: Some(label("Dell Inc.")),
        model: model.map(label),
        serial_number: None,
    };
    given::<Compute>([registered()])
        .when(command(Some("R740")))
        .then([event(Some("R740"))]);
    given::<Compute>([registered(), event(Some("R740"))])
        .when(command(Some("R740")))
        .then_nothing();
    given::<Compute>([registered(), event(Some("R740"))])
        .when(command(None))
        .then([event(None)]);
    let nothing = ComputeCommand::SetHardwareDetails {
        manufacturer: None,
        model: None,
        serial_number: None,
    };
    given::<Compute>([registered()])
        .when(nothing)
        .then_nothing();
}

#[test]
fn a_policy_is_added_once_and_removed_once() {
    let (policy_id, other) = (policy(1), policy(2));
    let added = ComputeEvent::PolicyAdded { policy_id };
    let removed = ComputeEvent::PolicyRemoved { policy_id };
    given::<Compute>([registered()])
        .when(ComputeCommand::AddPolicy { policy_id })
        .then([added.clone()]);
    given::<Compute>([registered(), added.clone()])
        .when(ComputeCommand::AddPolicy { policy_id })
        .then_refused(ComputeError::PolicyAlreadyAdded { policy_id });
    given::<Compute>([registered(), added.clone()])
        .when(ComputeCommand::AddPolicy { policy_id: other })
        .then([ComputeEvent::PolicyAdded { policy_id: other }]);
    given::<Compute>([registered(), added.clone()])
        .when(ComputeCommand::RemovePolicy { policy_id })
        .then([removed.clone()]);
    given::<Compute>([registered(), added.clone()])
        .when(ComputeCommand::RemovePolicy { policy_id: other })
        .then_refused(ComputeError::PolicyNotFound { policy_id: other });
    given::<Compute>([registered(), added, removed])
        .when(ComputeCommand::RemovePolicy { policy_id })
        .then_refused(ComputeError::PolicyNotFound { policy_id });
}

#[test]
fn policies_are_at_most_64() {
    let added = |number| ComputeEvent::PolicyAdded {
        policy_id: policy(number),
    };
    let history = |count| [registered()].into_iter().chain((0..count).map(added));
    let add = |number| ComputeCommand::AddPolicy {
        policy_id: policy(number),
    };
    given::<Compute>(history(63))
        .when(add(63))
        .then([added(63)]);
    given::<Compute>(history(64))
        .when(add(64))
        .then_refused(ComputeError::TooMany {
            what: "policies",
            limit: 64,
        });
    given::<Compute>(history(64))
        .when(add(0))
        .then_refused(ComputeError::PolicyAlreadyAdded {
            policy_id: policy(0),
        });
}

#[test]
fn metadata_is_updated_when_it_is_another_value() {
    let update = |number, value| {
        let (key, value) = note(number, value);
        ComputeCommand::UpdateMetadata { key, value }
    };
    given::<Compute>([registered()])
        .when(update(1, ""))
        .then([noted(1, "")]);
    given::<Compute>([registered(), noted(1, "a")])
        .when(update(1, "a"))
        .then_nothing();
    given::<Compute>([registered(), noted(1, "a")])
        .when(update(1, "b"))
        .then([noted(1, "b")]);
    let history = |count| {
        [registered()]
            .into_iter()
            .chain((0..count).map(|at| noted(at, "a")))
    };
    given::<Compute>(history(63))
        .when(update(63, "a"))
        .then([noted(63, "a")]);
    given::<Compute>(history(64))
        .when(update(63, "b"))
        .then([noted(63, "b")]);
    given::<Compute>(history(64))
        .when(update(64, "a"))
        .then_refused(ComputeError::TooMany {
            what: "metadata keys",
            limit: 64,
        });
}

#[test]
fn a_status_changes_along_a_life_and_no_other_way() {
    use Status::{Active, Decommissioned, Maintenance, Provisioning};
    let cases: [(Status, &[Status]); 4] = [
        (Provisioning, &[Active, Decommissioned]),
        (Active, &[Maintenance, Decommissioned]),
        (Maintenance, &[Active, Decommissioned]),
        (Decommissioned, &[]),
    ];
    for (from, allowed) in cases {
        // How it came there does not matter.
        let history = [registered(), changed(Provisioning, from)];
        for to in Status::ALL {
            let then = given::<Compute>(history.clone()).when(change(to));
            if from == to {
                then.then_nothing();
            } else if allowed.contains(&to) {
                then.then([changed(from, to)]);
            } else {
                then.then_refused(ComputeError::StatusTransition {
                    from,
                    to,
                    allowed: allowed.to_vec(),
                });
            }
        }
    }
}

#[test]
fn a_decommissioned_resource_is_still_described() {
    let history = [
        registered(),
        changed(Status::Provisioning, Status::Decommissioned),
    ];
    let asset_tag = label("scrapped");
    given::<Compute>(history)
        .when(ComputeCommand::AssignAssetTag {
            asset_tag: asset_tag.clone(),
        })
        .then([ComputeEvent::AssetTagAssigned { asset_tag }]);
}

#[test]
fn a_refusal_says_what_was_expected() {
    let policy_id = policy(1);
    let transition = |from, allowed| ComputeError::StatusTransition {
        from,
        to: Status::Provisioning,
        allowed,
    };
    let cases = [
        (
            ComputeError::Exists {
                hostname: hostname(),
            },
            "resource-exists",
            "the resource is registered already, as `server01.example.com`",
        ),
        (
            ComputeError::Absent,
            "resource-absent",
            "the resource is not registered",
        ),
        (
            ComputeError::PolicyAlreadyAdded { policy_id },
            "policy-already-added",
            "the policy `01934f4a-4000-7000-8000-000000000001` holds for the resource already",
        ),
        (
            ComputeError::PolicyNotFound { policy_id },
            "policy-not-found",
            "the policy `01934f4a-4000-7000-8000-000000000001` does not hold for the resource",
        ),
        (
            transition(
                Status::Active,
                vec![Status::Maintenance, Status::Decommissioned],
            ),
            "status-transition-invalid",
            "expected `maintenance` or `decommissioned` after `active`, found `provisioning`",
        ),
        (
            transition(Status::Decommissioned, Vec::new()),
            "status-transition-invalid",
            "expected nothing more after `decommissioned`, found `provisioning`",
        ),
        (
            ComputeError::TooMany {
                what: "policies",
                limit: 64,
            },
            "too-many",
            "too many policies: the resource has 64, and may have no more",
        ),
    ];
    for (error, code, text) in cases {
        assert_eq!(DomainError::code(&error), code);
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_command_is_read_as_it_is_written_and_with_nothing_unknown() {
    let read = |json| serde_json::from_str::<ComputeCommand>(json);
    let command = read(
        r#"{"RegisterResource":{"hostname":"server01.example.com","resource_type":"physical_server"}}"#,
    );
    assert_eq!(
        command.expect("tags may be left out"),
        register(Tags::default())
    );
    let json = r#"{"SetHardwareDetails":{"model":"R740"}}"#;
    let ComputeCommand::SetHardwareDetails {
        manufacturer: None, ..
    } = read(json).expect("what is not known may be left out")
    else {
        panic!("{json}");
    };
    for bad in [
        r#"{"SetHardwareDetails":{"modell":"R740"}}"#,
        r#"{"ClearAccountConcept":{"concept_id":null}}"#,
        r#"{"ClearAccountConcept":null}"#,
        r#"{"ChangeStatus":{"to_status":"broken"}}"#,
        r#"{"AddPolicy":{"policy_id":"7"}}"#,
        r#"{"AssignAssetTag":{"asset_tag":" "}}"#,
        r#"{"AssignAssetTag":{}}"#,
        r#"{"UpdateMetadata":{"key":"Rack","value":"1"}}"#,
        r#"{"RegisterResource":{"hostname":"a b","resource_type":"router"}}"#,
        r#"{"RegisterResource":{"hostname":"a","resource_type":"toaster"}}"#,
        r#"{"RegisterResource":{"hostname":"a","resource_type":"router","tags":["x","x"]}}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
