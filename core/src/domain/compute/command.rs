//! What can be asked of a resource.

use serde::{Deserialize, Serialize};

use super::{MetadataKey, MetadataValue, ResourceType, Status, Tags};
use crate::domain::hostname::Hostname;
use crate::domain::label::Label;
use crate::domain::reference::{ConceptId, LocationId, OrganizationId, PersonId, PolicyId};
use crate::payload::DomainCommand;

/// What can be asked of a resource.
///
/// A field that a command does not have is an error where it is read: misspelled, it would be lost.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, DomainCommand, Eq, PartialEq, Serialize)]
#[command(entity = "compute")]
#[serde(deny_unknown_fields)]
pub enum ComputeCommand {
    /// Have it from now on.
    RegisterResource {
        /// Its name in the network.
        hostname: Hostname,
        /// What kind of thing it is.
        resource_type: ResourceType,
        /// Words that it is found by.
        #[serde(default)]
        tags: Tags,
    },
    /// Let it belong to an organization.
    AssignOrganization {
        /// Which.
        organization_id: OrganizationId,
    },
    /// Have it in a place.
    AssignLocation {
        /// Which.
        location_id: LocationId,
    },
    /// Let a person answer for it.
    AssignOwner {
        /// Who.
        owner_id: PersonId,
    },
    /// Let a policy hold for it.
    AddPolicy {
        /// Which.
        policy_id: PolicyId,
    },
    /// Let a policy no longer hold for it.
    RemovePolicy {
        /// Which.
        policy_id: PolicyId,
    },
    /// Let it stand for a concept of accounts.
    AssignAccountConcept {
        /// Which.
        concept_id: ConceptId,
    },
    /// Let it stand for no concept of accounts.
    ClearAccountConcept {},
    /// Know its hardware by these; what is `None` is not known any more.
    SetHardwareDetails {
        /// Who made it.
        manufacturer: Option<Label>,
        /// What its maker calls it.
        model: Option<Label>,
        /// Which of them it is.
        serial_number: Option<Label>,
    },
    /// Know it by a number of the owner's books.
    AssignAssetTag {
        /// The number.
        asset_tag: Label,
    },
    /// Keep a value with it, in place of the one under that key.
    UpdateMetadata {
        /// What it is kept under.
        key: MetadataKey,
        /// The value.
        value: MetadataValue,
    },
    /// Let it stand elsewhere in its life.
    ChangeStatus {
        /// Where.
        to_status: Status,
    },
}
