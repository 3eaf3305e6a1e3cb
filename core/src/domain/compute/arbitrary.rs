//! Commands and events for tests: which ones follows from a seed alone, on every platform.
//!
//! Values come from small pools, so that some of the commands are accepted, some change nothing, and some
//! are refused.

use uuid::Uuid;

use super::{
    ComputeCommand, ComputeEvent, MetadataKey, MetadataValue, ResourceType, Status, Tag, Tags,
};
use crate::domain::chance::Chance;
use crate::domain::hostname::Hostname;
use crate::domain::label::Label;
use crate::domain::reference::{ConceptId, LocationId, OrganizationId, PersonId, PolicyId};

/// So many commands for one resource, which is registered by one of the first few as a rule.
pub fn commands(seed: u64, count: usize) -> Vec<ComputeCommand> {
    let mut chance = Chance::new(seed);
    let mut commands = Vec::with_capacity(count);
    for place in 0..count {
        commands.push(match place < 4 && chance.once_in(2) {
            true => register(&mut chance),
            false => command(&mut chance),
        });
    }
    commands
}

/// So many events, as a foreign history may have them: in any order.
pub fn events(seed: u64, count: usize) -> Vec<ComputeEvent> {
    let mut chance = Chance::new(seed);
    (0..count).map(|_| event(&mut chance)).collect()
}

/// Any command.
pub fn command(chance: &mut Chance) -> ComputeCommand {
    match chance.below(14) {
        0 => register(chance),
        1 => ComputeCommand::AssignOrganization {
            organization_id: OrganizationId::from_uuid(uuid(chance)),
        },
        2 => ComputeCommand::AssignLocation {
            location_id: LocationId::from_uuid(uuid(chance)),
        },
        3 => ComputeCommand::AssignOwner {
            owner_id: PersonId::from_uuid(uuid(chance)),
        },
        4 => ComputeCommand::AddPolicy {
            policy_id: PolicyId::from_uuid(uuid(chance)),
        },
        5 => ComputeCommand::RemovePolicy {
            policy_id: PolicyId::from_uuid(uuid(chance)),
        },
        6 => ComputeCommand::AssignAccountConcept {
            concept_id: ConceptId::from_uuid(uuid(chance)),
        },
        7 => ComputeCommand::ClearAccountConcept {},
        8 => ComputeCommand::SetHardwareDetails {
            manufacturer: maybe_label(chance),
            model: maybe_label(chance),
            serial_number: maybe_label(chance),
        },
        9 => ComputeCommand::AssignAssetTag {
            asset_tag: label(chance),
        },
        10 => ComputeCommand::UpdateMetadata {
            key: key(chance),
            value: value(chance),
        },
        // Three in fourteen, so that lives go on.
        _ => ComputeCommand::ChangeStatus {
            to_status: status(chance),
        },
    }
}

/// Any event.
pub fn event(chance: &mut Chance) -> ComputeEvent {
    match chance.below(13) {
        0 => ComputeEvent::ResourceRegistered {
            hostname: hostname(chance),
            resource_type: *chance.pick(&ResourceType::ALL),
            tags: tags(chance),
        },
        1 => ComputeEvent::OrganizationAssigned {
            organization_id: OrganizationId::from_uuid(uuid(chance)),
        },
        2 => ComputeEvent::LocationAssigned {
            location_id: LocationId::from_uuid(uuid(chance)),
        },
        3 => ComputeEvent::OwnerAssigned {
            owner_id: PersonId::from_uuid(uuid(chance)),
        },
        4 => ComputeEvent::PolicyAdded {
            policy_id: PolicyId::from_uuid(uuid(chance)),
        },
        5 => ComputeEvent::PolicyRemoved {
            policy_id: PolicyId::from_uuid(uuid(chance)),
        },
        6 => ComputeEvent::AccountConceptAssigned {
            concept_id: ConceptId::from_uuid(uuid(chance)),
        },
        7 => ComputeEvent::AccountConceptCleared {},
        8 => ComputeEvent::HardwareDetailsSet {
            manufacturer: maybe_label(chance),
            model: maybe_label(chance),
            serial_number: maybe_label(chance),
        },
        9 => ComputeEvent::AssetTagAssigned {
            asset_tag: label(chance),
        },
        10 => ComputeEvent::MetadataUpdated {
            key: key(chance),
            value: value(chance),
        },
        _ => ComputeEvent::StatusChanged {
            from_status: status(chance),
            to_status: status(chance),
        },
    }
}

fn register(chance: &mut Chance) -> ComputeCommand {
    ComputeCommand::RegisterResource {
        hostname: hostname(chance),
        resource_type: *chance.pick(&ResourceType::ALL),
        tags: tags(chance),
    }
}

fn hostname(chance: &mut Chance) -> Hostname {
    let name = chance.pick(&["server01.example.com", "SERVER01.example.com", "db-2", "x"]);
    Hostname::new(name).expect("the name of a host")
}

fn tags(chance: &mut Chance) -> Tags {
    let mut words = vec!["production", "web-server", "7", "a-"];
    words.rotate_left(chance.below(4));
    words.truncate(chance.below(5));
    let tags = words.into_iter().map(|word| Tag::new(word).expect("a tag"));
    Tags::new(tags.collect()).expect("few distinct tags")
}

/// One of five, of whichever kind of thing.
fn uuid(chance: &mut Chance) -> Uuid {
    const FIRST: u128 = 0x0193_4f4a_2000_7000_8000_0000_0000_2000;
    Uuid::from_u128(FIRST + chance.below(5) as u128)
}

fn label(chance: &mut Chance) -> Label {
    let text = chance.pick(&["Dell Inc.", "R740", "größe \"2\"", "x"]);
    Label::new(text).expect("a label")
}

fn maybe_label(chance: &mut Chance) -> Option<Label> {
    match chance.once_in(3) {
        true => None,
        false => Some(label(chance)),
    }
}

fn key(chance: &mut Chance) -> MetadataKey {
    let text = chance.pick(&["rack_unit", "bios", "_", "7"]);
    MetadataKey::new(text).expect("a key")
}

fn value(chance: &mut Chance) -> MetadataValue {
    let text = chance.pick(&["", "U12", " \u{2028}\"\\", "größe"]);
    MetadataValue::new(text).expect("a value")
}

fn status(chance: &mut Chance) -> Status {
    *chance.pick(&Status::ALL)
}
