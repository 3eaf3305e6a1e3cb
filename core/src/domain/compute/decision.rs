//! What happens on a command: the life cycle judges it first, then its own rules.

use super::lifecycle::{self, CommandKind, Effect, Lifecycle};
use super::{
    ComputeCommand, ComputeError, ComputeEvent, ComputeState, MAX_METADATA_KEYS, MAX_POLICIES,
    Resource,
};
use crate::machine::Refused;

pub(super) fn decide(
    state: &ComputeState,
    command: ComputeCommand,
) -> Result<Option<ComputeEvent>, ComputeError> {
    let (life, kind) = (state.lifecycle(), CommandKind::of(&command));
    let (_, effect) = lifecycle::commands()
        .step(life, kind)
        .map_err(|refused| refuse(state, &refused))?;
    if effect == Effect::Nothing {
        return Ok(None);
    }
    let event = event(life, command)?;
    let is_new = match state {
        ComputeState::Absent => true,
        ComputeState::Known(resource) => is_new(resource, &event)?,
    };
    Ok(is_new.then_some(event))
}

/// What a refusal of the life cycle says of a resource.
fn refuse(state: &ComputeState, refused: &Refused<Lifecycle, CommandKind>) -> ComputeError {
    let ComputeState::Known(resource) = state else {
        return ComputeError::Absent;
    };
    match refused.input {
        CommandKind::ChangeStatus(to) => {
            let from = resource.status;
            let accepted = refused.accepted.iter().filter_map(|input| match input {
                // To stay is no change.
                CommandKind::ChangeStatus(to) if *to != from => Some(*to),
                CommandKind::ChangeStatus(_)
                | CommandKind::RegisterResource
                | CommandKind::Other => None,
            });
            ComputeError::StatusTransition {
                from,
                to,
                allowed: accepted.collect(),
            }
        }
        // The life of a resource that is there refuses no other command.
        CommandKind::RegisterResource | CommandKind::Other => ComputeError::Exists {
            hostname: resource.hostname.clone(),
        },
    }
}

/// The event that a command asks for.
fn event(life: Lifecycle, command: ComputeCommand) -> Result<ComputeEvent, ComputeError> {
    Ok(match command {
        ComputeCommand::RegisterResource {
            hostname,
            resource_type,
            tags,
        } => ComputeEvent::ResourceRegistered {
            hostname,
            resource_type,
            tags,
        },
        ComputeCommand::AssignOrganization { organization_id } => {
            ComputeEvent::OrganizationAssigned { organization_id }
        }
        ComputeCommand::AssignLocation { location_id } => {
            ComputeEvent::LocationAssigned { location_id }
        }
        ComputeCommand::AssignOwner { owner_id } => ComputeEvent::OwnerAssigned { owner_id },
        ComputeCommand::AddPolicy { policy_id } => ComputeEvent::PolicyAdded { policy_id },
        ComputeCommand::RemovePolicy { policy_id } => ComputeEvent::PolicyRemoved { policy_id },
        ComputeCommand::AssignAccountConcept { concept_id } => {
            ComputeEvent::AccountConceptAssigned { concept_id }
        }
        ComputeCommand::ClearAccountConcept {} => ComputeEvent::AccountConceptCleared {},
        ComputeCommand::SetHardwareDetails {
            manufacturer,
            model,
            serial_number,
        } => ComputeEvent::HardwareDetailsSet {
            manufacturer,
            model,
            serial_number,
        },
        ComputeCommand::AssignAssetTag { asset_tag } => {
            ComputeEvent::AssetTagAssigned { asset_tag }
        }
        ComputeCommand::UpdateMetadata { key, value } => {
            ComputeEvent::MetadataUpdated { key, value }
        }
        ComputeCommand::ChangeStatus { to_status } => match life {
            Lifecycle::Absent => return Err(ComputeError::Absent),
            Lifecycle::Known(from_status) => ComputeEvent::StatusChanged {
                from_status,
                to_status,
            },
        },
    })
}

/// Whether an event would say anything that is not so already; or why it may not happen.
fn is_new(resource: &Resource, event: &ComputeEvent) -> Result<bool, ComputeError> {
    Ok(match event {
        // The life cycle has judged these.
        ComputeEvent::ResourceRegistered { .. } | ComputeEvent::StatusChanged { .. } => true,
        ComputeEvent::OrganizationAssigned { organization_id } => {
            resource.organization_id != Some(*organization_id)
        }
        ComputeEvent::LocationAssigned { location_id } => {
            resource.location_id != Some(*location_id)
        }
        ComputeEvent::OwnerAssigned { owner_id } => resource.owner_id != Some(*owner_id),
        ComputeEvent::PolicyAdded { policy_id } => {
            if resource.policies.contains(policy_id) {
                return Err(ComputeError::PolicyAlreadyAdded {
                    policy_id: *policy_id,
                });
            }
            if !resource.has_room_for_policy() {
                return Err(ComputeError::TooMany {
                    what: "policies",
                    limit: MAX_POLICIES,
                });
            }
            true
        }
        ComputeEvent::PolicyRemoved { policy_id } => {
            if !resource.policies.contains(policy_id) {
                return Err(ComputeError::PolicyNotFound {
                    policy_id: *policy_id,
                });
            }
            true
        }
        ComputeEvent::AccountConceptAssigned { concept_id } => {
            resource.account_concept_id != Some(*concept_id)
        }
        ComputeEvent::AccountConceptCleared {} => resource.account_concept_id.is_some(),
        ComputeEvent::HardwareDetailsSet {
            manufacturer,
            model,
            serial_number,
        } => {
            (manufacturer, model, serial_number)
                != (
                    &resource.manufacturer,
                    &resource.model,
                    &resource.serial_number,
                )
        }
        ComputeEvent::AssetTagAssigned { asset_tag } => {
            resource.asset_tag.as_ref() != Some(asset_tag)
        }
        ComputeEvent::MetadataUpdated { key, value } => {
            if !resource.has_room_for(key) {
                return Err(ComputeError::TooMany {
                    what: "metadata keys",
                    limit: MAX_METADATA_KEYS,
                });
            }
            resource.metadata.get(key) != Some(value)
        }
    })
}
