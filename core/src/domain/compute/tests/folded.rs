//! What a history folds to does not change by the way.

use super::*;
use crate::payload::Typed as _;
use crate::testing::given_stored;

/// Events of all types, of which some are of version 1.
const HISTORY: [(&str, u64, &str); 19] = [
    (
        "ResourceRegistered",
        1,
        r#"{"hostname":"Server01.example.com","resource_type":"i_d_s"}"#,
    ),
    (
        "ResourceRegistered",
        2,
        r#"{"hostname":"12.rack.example.com","resource_type":"physical_server","tags":["production"]}"#,
    ),
    (
        "OrganizationAssigned",
        2,
        r#"{"organization_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    (
        "LocationAssigned",
        2,
        r#"{"location_id":"01934f4a-3000-7000-8000-000000003000"}"#,
    ),
    (
        "OwnerAssigned",
        2,
        r#"{"owner_id":"01934f4a-5000-7000-8000-000000005000"}"#,
    ),
    (
        "PolicyAdded",
        2,
        r#"{"policy_id":"01934f4a-4000-7000-8000-000000000002"}"#,
    ),
    (
        "PolicyAdded",
        2,
        r#"{"policy_id":"01934f4a-4000-7000-8000-000000000001"}"#,
    ),
    (
        "PolicyAdded",
        2,
        r#"{"policy_id":"01934f4a-4000-7000-8000-000000000003"}"#,
    ),
    (
        "PolicyRemoved",
        2,
        r#"{"policy_id":"01934f4a-4000-7000-8000-000000000002"}"#,
    ),
    (
        "AccountConceptAssigned",
        2,
        r#"{"concept_id":"01934f4a-4000-7000-8000-000000000009"}"#,
    ),
    ("AccountConceptCleared", 2, r#"{}"#),
    (
        "AccountConceptAssigned",
        2,
        r#"{"concept_id":"01934f4a-4000-7000-8000-000000000008"}"#,
    ),
    (
        "HardwareDetailsSet",
        1,
        r#"{"manufacturer":"","model":"R750 ","serial_number":"S1"}"#,
    ),
    ("AssetTagAssigned", 1, r#"{"asset_tag":" A-1 "}"#),
    ("MetadataUpdated", 2, r#"{"key":"rack_unit","value":"U12"}"#),
    ("MetadataUpdated", 2, r#"{"key":"note","value":"a"}"#),
    ("MetadataUpdated", 2, r#"{"key":"note","value":" b"}"#),
    (
        "StatusChanged",
        2,
        r#"{"from_status":"provisioning","to_status":"active"}"#,
    ),
    (
        "StatusChanged",
        2,
        r#"{"from_status":"active","to_status":"maintenance"}"#,
    ),
];

/// What a failure says first.
const COUNT_UP: &str = "a fixed history folds to another state: if that is meant, count \
    `STATE_VERSION` up, or states of snapshots are taken for what the history says, and then replace \
    `folded.golden.json` by this";

#[test]
fn a_fixed_history_of_all_types_folds_to_the_same_state_for_ever() {
    let types: std::collections::BTreeSet<_> = HISTORY.iter().map(|it| it.0).collect();
    for declared in ComputeEvent::TYPES {
        assert!(types.contains(declared.name), "{}", declared.name);
    }
    let given = given_stored::<Compute>(HISTORY.iter().copied());
    let found = serde_json::to_string_pretty(given.state()).expect("states are written as JSON");
    let expected = include_str!("folded.golden.json").trim_end();
    assert!(found == expected, "{COUNT_UP}:\n{found}");
    assert_eq!(Compute::STATE_VERSION, 1, "the version that the file is of");
}
