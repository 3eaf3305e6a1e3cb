//! What can happen to a resource.

use serde::{Deserialize, Serialize};

use super::{MetadataKey, MetadataValue, ResourceType, Status, Tags};
use crate::domain::hostname::Hostname;
use crate::domain::label::Label;
use crate::domain::reference::{ConceptId, LocationId, OrganizationId, PersonId, PolicyId};
use crate::payload::DomainEvent;

/// What can happen to a resource.
///
/// A body says which fact, and nothing of the event itself: whose it is, when and why it happened are
/// in the headers. So it was not in version 1, which [upcasters](super::Compute) read.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, DomainEvent, Eq, PartialEq, Serialize)]
#[event(entity = "compute")]
pub enum ComputeEvent {
    /// It is there from now on, and is being provisioned.
    #[event(version = 2, operation = "resourceregistered")]
    ResourceRegistered {
        /// Its name in the network.
        hostname: Hostname,
        /// What kind of thing it is.
        resource_type: ResourceType,
        /// Words that it is found by.
        tags: Tags,
    },
    /// It belongs to an organization.
    #[event(version = 2, operation = "organizationassigned")]
    OrganizationAssigned {
        /// Which.
        organization_id: OrganizationId,
    },
    /// It stands in a place.
    #[event(version = 2, operation = "locationassigned")]
    LocationAssigned {
        /// Which.
        location_id: LocationId,
    },
    /// A person answers for it.
    #[event(version = 2, operation = "ownerassigned")]
    OwnerAssigned {
        /// Who.
        owner_id: PersonId,
    },
    /// A policy holds for it.
    #[event(version = 2, operation = "policyadded")]
    PolicyAdded {
        /// Which.
        policy_id: PolicyId,
    },
    /// A policy no longer holds for it.
    #[event(version = 2, operation = "policyremoved")]
    PolicyRemoved {
        /// Which.
        policy_id: PolicyId,
    },
    /// It stands for a concept of accounts.
    #[event(version = 2, operation = "accountconceptassigned")]
    AccountConceptAssigned {
        /// Which.
        concept_id: ConceptId,
    },
    /// It no longer stands for a concept of accounts.
    #[event(version = 2, operation = "accountconceptcleared")]
    AccountConceptCleared {},
    /// Its maker, model and serial number are these; what is `None` is not known any more.
    #[event(version = 2, operation = "hardwaredetailsset")]
    HardwareDetailsSet {
        /// Who made it.
        manufacturer: Option<Label>,
        /// What its maker calls it.
        model: Option<Label>,
        /// Which of them it is.
        serial_number: Option<Label>,
    },
    /// The owner's books know it by a number.
    #[event(version = 2, operation = "assettagassigned")]
    AssetTagAssigned {
        /// The number.
        asset_tag: Label,
    },
    /// A value is kept with it, in place of the one under that key.
    #[event(version = 2, operation = "metadataupdated")]
    MetadataUpdated {
        /// What it is kept under.
        key: MetadataKey,
        /// The value.
        value: MetadataValue,
    },
    /// It stands elsewhere in its life.
    #[event(version = 2, operation = "statuschanged")]
    StatusChanged {
        /// Where it stood.
        from_status: Status,
        /// Where it stands.
        to_status: Status,
    },
}
