//! A resource as its history tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lifecycle::Lifecycle;
use super::{ComputeEvent, MetadataKey, MetadataValue, ResourceType, Status, Tags};
use crate::domain::hostname::Hostname;
use crate::domain::label::Label;
use crate::domain::reference::{ConceptId, LocationId, OrganizationId, PersonId, PolicyId};

/// The most policies that hold for a resource; ours, so that its state stays small.
pub const MAX_POLICIES: usize = 64;

/// The most keys of metadata that a resource has; ours, so that its state stays small.
pub const MAX_METADATA_KEYS: usize = 64;

/// A resource as its history tells.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputeState {
    /// It was not registered.
    #[default]
    Absent,
    /// It was registered.
    Known(Box<Resource>),
}

/// What is known of a resource.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resource {
    /// Its name in the network.
    pub hostname: Hostname,
    /// What kind of thing it is.
    pub resource_type: ResourceType,
    /// Words that it is found by.
    pub tags: Tags,
    /// The organization that it belongs to.
    pub organization_id: Option<OrganizationId>,
    /// The place where it stands.
    pub location_id: Option<LocationId>,
    /// Who answers for it.
    pub owner_id: Option<PersonId>,
    /// The policies that hold for it, at most [`MAX_POLICIES`].
    #[cfg_attr(feature = "schema", schemars(extend("maxItems" = MAX_POLICIES)))]
    pub policies: BTreeSet<PolicyId>,
    /// The concept of accounts that it stands for.
    pub account_concept_id: Option<ConceptId>,
    /// Who made it.
    pub manufacturer: Option<Label>,
    /// What its maker calls it.
    pub model: Option<Label>,
    /// Which of them it is.
    pub serial_number: Option<Label>,
    /// The number by which the owner's books know it.
    pub asset_tag: Option<Label>,
    /// What people keep with it, under at most [`MAX_METADATA_KEYS`] keys.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_METADATA_KEYS)))]
    pub metadata: BTreeMap<MetadataKey, MetadataValue>,
    /// Where it stands in its life.
    pub status: Status,
}

impl ComputeState {
    /// What is known of it; `None` before it is registered.
    pub fn resource(&self) -> Option<&Resource> {
        match self {
            Self::Absent => None,
            Self::Known(resource) => Some(resource),
        }
    }

    /// The state of its life cycle.
    pub fn lifecycle(&self) -> Lifecycle {
        match self {
            Self::Absent => Lifecycle::Absent,
            Self::Known(resource) => Lifecycle::Known(resource.status),
        }
    }
}

impl Resource {
    /// A resource of which nothing is known but its registration; `None` if the event is another one.
    pub(super) fn registered(event: &ComputeEvent) -> Option<Self> {
        let ComputeEvent::ResourceRegistered {
            hostname,
            resource_type,
            tags,
        } = event
        else {
            return None;
        };
        Some(Self {
            hostname: hostname.clone(),
            resource_type: *resource_type,
            tags: tags.clone(),
            organization_id: None,
            location_id: None,
            owner_id: None,
            policies: BTreeSet::new(),
            account_concept_id: None,
            manufacturer: None,
            model: None,
            serial_number: None,
            asset_tag: None,
            metadata: BTreeMap::new(),
            status: Status::Provisioning,
        })
    }

    /// Whether there is room for another policy.
    pub(super) fn has_room_for_policy(&self) -> bool {
        self.policies.len() < MAX_POLICIES
    }

    /// Whether there is room for a value under `key`.
    pub(super) fn has_room_for(&self, key: &MetadataKey) -> bool {
        self.metadata.len() < MAX_METADATA_KEYS || self.metadata.contains_key(key)
    }

    /// Takes in what an event says, all but the status, which the life cycle knows.
    ///
    /// What a foreign history has beyond the limits is left out, so that no history makes a state that
    /// is larger.
    pub(super) fn take(&mut self, event: &ComputeEvent) {
        match event {
            ComputeEvent::ResourceRegistered {
                hostname,
                resource_type,
                tags,
            } => {
                self.hostname.clone_from(hostname);
                self.resource_type = *resource_type;
                self.tags.clone_from(tags);
            }
            ComputeEvent::OrganizationAssigned { organization_id } => {
                self.organization_id = Some(*organization_id);
            }
            ComputeEvent::LocationAssigned { location_id } => {
                self.location_id = Some(*location_id);
            }
            ComputeEvent::OwnerAssigned { owner_id } => self.owner_id = Some(*owner_id),
            ComputeEvent::PolicyAdded { policy_id } => {
                if self.has_room_for_policy() {
                    self.policies.insert(*policy_id);
                }
            }
            ComputeEvent::PolicyRemoved { policy_id } => {
                self.policies.remove(policy_id);
            }
            ComputeEvent::AccountConceptAssigned { concept_id } => {
                self.account_concept_id = Some(*concept_id);
            }
            ComputeEvent::AccountConceptCleared {} => self.account_concept_id = None,
            ComputeEvent::HardwareDetailsSet {
                manufacturer,
                model,
                serial_number,
            } => {
                self.manufacturer.clone_from(manufacturer);
                self.model.clone_from(model);
                self.serial_number.clone_from(serial_number);
            }
            ComputeEvent::AssetTagAssigned { asset_tag } => {
                self.asset_tag = Some(asset_tag.clone());
            }
            ComputeEvent::MetadataUpdated { key, value } => {
                if self.has_room_for(key) {
                    self.metadata.insert(key.clone(), value.clone());
                }
            }
            ComputeEvent::StatusChanged { .. } => {}
        }
    }
}
