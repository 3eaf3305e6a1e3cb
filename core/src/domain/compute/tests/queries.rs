//! What is asked of a state.

use super::*;
use crate::aggregate::fold;

fn missing(history: &[ComputeEvent]) -> Vec<Missing> {
    readiness(&fold::<Compute>(Compute::initial_state(), history))
}

#[test]
fn a_resource_is_ready_when_all_that_is_required_is_known() {
    let all = [
        Missing::Status,
        Missing::Organization,
        Missing::Location,
        Missing::Manufacturer,
        Missing::Model,
        Missing::SerialNumber,
    ];
    assert_eq!(missing(&[]), all);
    assert_eq!(missing(&[registered()]), all);
    let mut history = vec![
        registered(),
        ComputeEvent::OrganizationAssigned {
            organization_id: id(ORGANIZATION),
        },
        changed(Status::Provisioning, Status::Active),
        ComputeEvent::HardwareDetailsSet {
            manufacturer: Some(label("Dell Inc.")),
            model: Some(label("R740")),
            serial_number: None,
        },
    ];
    assert_eq!(
        missing(&history),
        [Missing::Location, Missing::SerialNumber]
    );
    history.push(ComputeEvent::LocationAssigned {
        location_id: id(LOCATION),
    });
    let left = missing(&history);
    assert_eq!(left, [Missing::SerialNumber]);
    assert!(!left.iter().any(|missing| missing.is_required()));
    history.push(changed(Status::Active, Status::Maintenance));
    assert_eq!(missing(&history), [Missing::Status, Missing::SerialNumber]);
    assert_eq!(Missing::SerialNumber.to_string(), "serial_number");
}
