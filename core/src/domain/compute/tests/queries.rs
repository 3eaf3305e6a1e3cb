//! What is asked of a state.

use super::*;
use crate::aggregate::fold;

fn missing(history: &[ComputeEvent]) -> Vec<Missing> {
    readiness(&fold::<Compute>(Compute::initial_state(), history))
}

/// Everything that can be missing, but these.
fn all_but(known: &[Missing]) -> Vec<Missing> {
    let all = [
        Missing::Status,
        Missing::Organization,
        Missing::Location,
        Missing::Manufacturer,
        Missing::Model,
        Missing::SerialNumber,
    ];
    all.into_iter()
        .filter(|fact| !known.contains(fact))
        .collect()
}

fn hardware([manufacturer, model, serial_number]: [Option<&str>; 3]) -> ComputeEvent {
    ComputeEvent::HardwareDetailsSet {
        manufacturer: manufacturer.map(label),
        model: model.map(label),
        serial_number: serial_number.map(label),
    }
}

#[test]
fn each_fact_is_missing_until_it_is_known() {
    assert_eq!(missing(&[]), all_but(&[]));
    assert_eq!(missing(&[registered()]), all_but(&[]));
    let organization = ComputeEvent::OrganizationAssigned {
        organization_id: id(ORGANIZATION),
    };
    let location = ComputeEvent::LocationAssigned {
        location_id: id(LOCATION),
    };
    for (event, fact) in [
        (
            changed(Status::Provisioning, Status::Active),
            Missing::Status,
        ),
        (organization, Missing::Organization),
        (location, Missing::Location),
        (
            hardware([Some("Dell Inc."), None, None]),
            Missing::Manufacturer,
        ),
        (hardware([None, Some("R740"), None]), Missing::Model),
        (hardware([None, None, Some("7")]), Missing::SerialNumber),
    ] {
        assert_eq!(missing(&[registered(), event]), all_but(&[fact]));
    }
}

#[test]
fn a_resource_is_ready_without_a_serial_number_and_not_in_maintenance() {
    let mut history = vec![
        registered(),
        ComputeEvent::OrganizationAssigned {
            organization_id: id(ORGANIZATION),
        },
        ComputeEvent::LocationAssigned {
            location_id: id(LOCATION),
        },
        hardware([Some("Dell Inc."), Some("R740"), None]),
        changed(Status::Provisioning, Status::Active),
    ];
    let left = missing(&history);
    assert_eq!(left, [Missing::SerialNumber]);
    assert!(!left.iter().any(|missing| missing.is_required()));
    history.push(changed(Status::Active, Status::Maintenance));
    assert_eq!(missing(&history), [Missing::Status, Missing::SerialNumber]);
}

#[test]
fn what_is_missing_has_a_name_and_only_the_serial_number_is_not_required() {
    for fact in all_but(&[]) {
        assert_eq!(fact.is_required(), fact.as_str() != "serial_number");
    }
    assert_eq!(Missing::Organization.to_string(), "organization");
}
