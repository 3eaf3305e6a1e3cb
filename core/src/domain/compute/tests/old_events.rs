//! Events of version 1, in all their wrappings.

use super::*;
use crate::event::NewEvent;
use crate::id::EventType;
use crate::payload::{self, DeclaredType, Typed as _};
use crate::testing::{assert_golden, assert_upcasters, given_stored};
use crate::version::SchemaVersion;

/// What a body of version 1 said of its event, by the fixtures of the source.
const ENVELOPE: &str = concat!(
    r#""event_version":1,"event_id":"01934f4a-0001-7000-8000-000000000001","#,
    r#""aggregate_id":"01934f4a-1000-7000-8000-000000001000","#,
    r#""timestamp":"2026-01-19T12:00:00Z","#,
    r#""correlation_id":"01934f4a-c001-7000-8000-00000000c001","#,
    r#""causation_id":"01934f4a-a001-7000-8000-00000000a001""#
);

/// Fields of version 1, and the body that each type has now.
const BODIES: [(&str, &str, &str); 12] = [
    (
        "ResourceRegistered",
        r#""hostname":"server01.example.com","resource_type":"physical_server""#,
        r#"{"hostname":"server01.example.com","resource_type":"physical_server","tags":[]}"#,
    ),
    (
        "OrganizationAssigned",
        r#""organization_id":{"id":"01934f4a-2000-7000-8000-000000002000"}"#,
        r#"{"organization_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    (
        "LocationAssigned",
        r#""location_id":"01934f4a-3000-7000-8000-000000003000""#,
        r#"{"location_id":"01934f4a-3000-7000-8000-000000003000"}"#,
    ),
    (
        "OwnerAssigned",
        r#""owner_id":{"id":"01934f4a-2000-7000-8000-000000002000"}"#,
        r#"{"owner_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    (
        "PolicyAdded",
        r#""policy_id":{"id":"01934f4a-2000-7000-8000-000000002000"}"#,
        r#"{"policy_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    (
        "PolicyRemoved",
        r#""policy_id":"01934f4a-2000-7000-8000-000000002000""#,
        r#"{"policy_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    (
        "AccountConceptAssigned",
        r#""concept_id":{"id":"01934f4a-2000-7000-8000-000000002000"}"#,
        r#"{"concept_id":"01934f4a-2000-7000-8000-000000002000"}"#,
    ),
    ("AccountConceptCleared", "", "{}"),
    (
        "HardwareDetailsSet",
        r#""manufacturer":"Dell Inc.","model":null"#,
        r#"{"manufacturer":"Dell Inc.","model":null,"serial_number":null}"#,
    ),
    (
        "AssetTagAssigned",
        r#""asset_tag":"A-1""#,
        r#"{"asset_tag":"A-1"}"#,
    ),
    (
        "MetadataUpdated",
        r#""key":"rack_unit","value":"U12""#,
        r#"{"key":"rack_unit","value":"U12"}"#,
    ),
    (
        "StatusChanged",
        r#""from_status":"provisioning","to_status":"active""#,
        r#"{"from_status":"provisioning","to_status":"active"}"#,
    ),
];

fn old(event_type: &str, body: &str) -> NewEvent {
    NewEvent {
        event_type: EventType::new(event_type).expect("a type"),
        schema_version: SchemaVersion::FIRST,
        body: body.to_owned().into(),
        ..stored(&registered())
    }
}

fn read(event_type: &str, body: &str) -> Result<ComputeEvent, String> {
    let read = payload::read(&old(event_type, body), &Compute::upcasters());
    let mut events = read.map_err(|error| {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    })?;
    assert_eq!(events.len(), 1);
    Ok(events.remove(0))
}

/// A body of version 1 as it was written: alone, with its type, in its aggregate's event, in a store.
fn wrappings(event_type: &str, fields: &str) -> [String; 4] {
    let comma = if fields.is_empty() { "" } else { "," };
    let snake = snake_case(event_type);
    let bare = format!("{{{ENVELOPE}{comma}{fields}}}");
    let tagged = format!(r#"{{"type":"{snake}",{ENVELOPE}{comma}{fields}}}"#);
    let of_aggregate = format!(r#"{{"aggregate_type":"compute_resource","event":{tagged}}}"#);
    let stored = format!(
        r#"{{{},"sequence":7,"event_type":"{event_type}","data":{of_aggregate},"metadata":null}}"#,
        // The store put the id of the aggregate where that of the event belongs.
        ENVELOPE.replace(r#""event_version":1,"#, "").replace(
            "01934f4a-0001-7000-8000-000000000001",
            "01934f4a-1000-7000-8000-000000001000"
        )
    );
    [bare, tagged, of_aggregate, stored]
}

fn snake_case(event_type: &str) -> String {
    let parts = event_type.split_inclusive(|_| true).map(|char| match char {
        upper if upper.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            format!("_{}", upper.to_ascii_lowercase())
        }
        lower => lower.to_owned(),
    });
    parts.collect::<String>().trim_start_matches('_').to_owned()
}

#[test]
fn what_version_1_wrote_is_read_as_it_is_written_down() {
    assert_golden::<Compute>(include_str!("version_1.golden.json"));
}

#[test]
fn every_type_of_version_1_is_read_in_each_wrapping() {
    let declared: Vec<_> = ComputeEvent::TYPES.iter().map(|it| it.name).collect();
    assert_eq!(declared, BODIES.map(|(event_type, _, _)| event_type));
    for (event_type, fields, expected) in BODIES {
        for body in wrappings(event_type, fields) {
            let event = read(event_type, &body).expect(&body);
            let (name, now) = payload::encode(&event);
            assert_eq!((name.as_str(), &now[..]), (event_type, expected.as_bytes()));
        }
    }
}

#[test]
fn a_history_of_version_1_folds() {
    let history = BODIES.map(|(event_type, fields, _)| {
        let [.., body] = wrappings(event_type, fields);
        (event_type, 1, body)
    });
    let given = given_stored::<Compute>(history);
    let state = given.state();
    let resource = state.resource().expect("registered");
    assert_eq!(resource.hostname.as_str(), "server01.example.com");
    assert_eq!(resource.organization_id, Some(id(ORGANIZATION)));
    assert_eq!(resource.status, Status::Active);
    assert!(resource.policies.is_empty() && resource.account_concept_id.is_none());
}

#[test]
fn the_names_that_a_tool_had_made_of_abbreviations_are_read() {
    for (spelled, kind) in [
        ("i_d_s", ResourceType::Ids),
        ("v_p_n_gateway", ResourceType::VpnGateway),
        ("w_a_f", ResourceType::Waf),
        ("n_a_s", ResourceType::Nas),
        ("s_a_n_switch", ResourceType::SanSwitch),
        ("k_v_m", ResourceType::Kvm),
        ("io_t_gateway", ResourceType::IotGateway),
        ("p_d_u", ResourceType::Pdu),
        ("u_p_s", ResourceType::Ups),
        ("p_b_x", ResourceType::Pbx),
    ] {
        check_kind(spelled, kind);
    }
    for kind in ResourceType::ALL {
        check_kind(kind.as_str(), kind);
    }
}

#[track_caller]
fn check_kind(spelled: &str, kind: ResourceType) {
    let body = format!(r#"{{"hostname":"a","resource_type":"{spelled}"}}"#);
    let expected = ComputeEvent::ResourceRegistered {
        hostname: Hostname::new("a").expect("the name of a host"),
        resource_type: kind,
        tags: Tags::default(),
    };
    assert_eq!(read("ResourceRegistered", &body), Ok(expected));
}

#[test]
fn what_version_1_cannot_have_written_is_refused_with_the_reason() {
    let cases = [
        ("AccountConceptCleared", "[]", "the body is not an object"),
        ("AccountConceptCleared", "{", "EOF while parsing"),
        ("PolicyAdded", r#"{"data":null}"#, "`data` is not an object"),
        (
            "PolicyAdded",
            r#"{"data":{"event":7}}"#,
            "`event` is not an object",
        ),
        (
            "PolicyAdded",
            r#"{"type":"policy_removed"}"#,
            "expected `policy_added`, found `policy_removed`",
        ),
        ("PolicyAdded", r#"{"type":null}"#, "found `null`"),
        ("PolicyAdded", "{}", "missing field `policy_id`"),
        (
            "ResourceRegistered",
            r#"{"resource_type":"router"}"#,
            "the body has no `hostname`",
        ),
        (
            "ResourceRegistered",
            r#"{"hostname":"a"}"#,
            "the body has no `resource_type`",
        ),
        (
            "ResourceRegistered",
            r#"{"hostname":"a","resource_type":7}"#,
            "`resource_type` has an invalid value, `7`",
        ),
        (
            "ResourceRegistered",
            r#"{"hostname":"a","resource_type":"toaster"}"#,
            "unknown variant `toaster`",
        ),
        (
            "ResourceRegistered",
            r#"{"hostname":"a_b","resource_type":"router"}"#,
            "`a_b` is not the name of a host",
        ),
    ];
    for (event_type, body, expected) in cases {
        let error = read(event_type, body).expect_err(body);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_body_that_is_cut_is_refused_wherever_it_is_cut() {
    for (event_type, fields, _) in BODIES {
        let body = &wrappings(event_type, fields)[3];
        for end in 0..body.len() {
            read(event_type, &body[..end]).expect_err(&body[..end]);
        }
    }
}

#[test]
fn a_current_event_is_read_as_it_stands() {
    let event = stored(&registered());
    assert_eq!(event.schema_version.get(), 2);
    assert_eq!(event.operation.as_str(), "resourceregistered");
    let read = payload::read::<ComputeEvent>(&event, &Compute::upcasters());
    assert_eq!(read.expect("ours"), [registered()]);
}

#[test]
fn every_type_has_a_step_and_its_name_as_operation() {
    assert_upcasters::<Compute>();
    let upcasters = Compute::upcasters();
    assert_eq!(upcasters.steps().count(), ComputeEvent::TYPES.len());
    for DeclaredType {
        name,
        operation,
        schema_version,
    } in ComputeEvent::TYPES
    {
        assert_eq!(*operation, name.to_ascii_lowercase());
        assert_eq!(*schema_version, 2);
    }
}

#[test]
fn what_a_wrapping_says_and_nobody_knows_is_kept() {
    let upcast = |body: &str| {
        let old = crate::upcast::Payload {
            event_type: EventType::new("AssetTagAssigned").expect("a type"),
            schema_version: SchemaVersion::FIRST,
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        };
        Compute::upcasters().upcast(old)
    };
    let known = r#"{"sequence":7,"metadata":null,"site":"Berlin","data":{"aggregate_type":"compute_resource","event":{"asset_tag":"A 7"}}}"#;
    let body = &upcast(known).expect("readable")[0].body;
    let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({"asset_tag": "A 7", "site": "Berlin"})
    );
    let twice = r#"{"asset_tag":"B","data":{"asset_tag":"A 7"}}"#;
    let error = upcast(twice).expect_err("said twice");
    let source = std::error::Error::source(&error).expect("why");
    assert_eq!(
        source.to_string(),
        "`asset_tag` stands in the body and around it"
    );
}
