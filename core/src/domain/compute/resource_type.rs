//! What kind of thing a resource is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of thing a resource is.
///
/// A text that names none of them is no kind: [`Unknown`](Self::Unknown) is what somebody has said, and
/// never a guess.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A server that can be touched.
    PhysicalServer,
    /// A machine within another one.
    VirtualMachine,
    /// A machine that runs containers.
    ContainerHost,
    /// What runs virtual machines.
    Hypervisor,
    /// Joins networks.
    Router,
    /// Joins the machines of one network.
    Switch,
    /// A switch that routes too.
    Layer3Switch,
    /// Joins machines to a network by radio.
    AccessPoint,
    /// Spreads requests over machines.
    LoadBalancer,
    /// Lets through what may pass.
    Firewall,
    /// An intrusion detection system.
    Ids,
    /// The end of private tunnels.
    VpnGateway,
    /// A firewall for applications on the web.
    Waf,
    /// Watches a place.
    Camera,
    /// Many disks as one.
    StorageArray,
    /// Storage for files on a network.
    Nas,
    /// A switch of a network for storage.
    SanSwitch,
    /// A device for one job.
    Appliance,
    /// A device that keeps copies.
    BackupAppliance,
    /// A device that watches others.
    MonitoringAppliance,
    /// Says who somebody is.
    AuthServer,
    /// A switch of keyboard, screen and mouse.
    Kvm,
    /// A screen.
    Monitor,
    /// A machine near what it serves.
    EdgeDevice,
    /// Joins things to a network.
    IotGateway,
    /// Measures something.
    Sensor,
    /// A power distribution unit.
    Pdu,
    /// A power supply that outlasts a failure of the mains.
    Ups,
    /// Watches temperature and moisture.
    EnvironmentalMonitor,
    /// A private branch exchange, for telephones.
    Pbx,
    /// Shows people to each other.
    VideoConference,
    /// None of these.
    Other,
    /// Nobody has said.
    Unknown,
}

/// What kinds of things have in common.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ResourceCategory {
    /// Does the computing.
    Compute,
    /// Carries what others say.
    Network,
    /// Keeps others safe.
    Security,
    /// Keeps data.
    Storage,
    /// Does one job, as it was bought.
    Appliance,
    /// Stands where things happen.
    Edge,
    /// Feeds and cools others.
    Power,
    /// Lets people talk.
    Telecom,
    /// Anything else.
    Other,
}

impl ResourceType {
    /// Each of them, category by category.
    pub const ALL: [Self; 33] = [
        Self::PhysicalServer,
        Self::VirtualMachine,
        Self::ContainerHost,
        Self::Hypervisor,
        Self::Router,
        Self::Switch,
        Self::Layer3Switch,
        Self::AccessPoint,
        Self::LoadBalancer,
        Self::Firewall,
        Self::Ids,
        Self::VpnGateway,
        Self::Waf,
        Self::Camera,
        Self::StorageArray,
        Self::Nas,
        Self::SanSwitch,
        Self::Appliance,
        Self::BackupAppliance,
        Self::MonitoringAppliance,
        Self::AuthServer,
        Self::Kvm,
        Self::Monitor,
        Self::EdgeDevice,
        Self::IotGateway,
        Self::Sensor,
        Self::Pdu,
        Self::Ups,
        Self::EnvironmentalMonitor,
        Self::Pbx,
        Self::VideoConference,
        Self::Other,
        Self::Unknown,
    ];

    /// Its name in events, `physical_server`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PhysicalServer => "physical_server",
            Self::VirtualMachine => "virtual_machine",
            Self::ContainerHost => "container_host",
            Self::Hypervisor => "hypervisor",
            Self::Router => "router",
            Self::Switch => "switch",
            Self::Layer3Switch => "layer3_switch",
            Self::AccessPoint => "access_point",
            Self::LoadBalancer => "load_balancer",
            Self::Firewall => "firewall",
            Self::Ids => "ids",
            Self::VpnGateway => "vpn_gateway",
            Self::Waf => "waf",
            Self::Camera => "camera",
            Self::StorageArray => "storage_array",
            Self::Nas => "nas",
            Self::SanSwitch => "san_switch",
            Self::Appliance => "appliance",
            Self::BackupAppliance => "backup_appliance",
            Self::MonitoringAppliance => "monitoring_appliance",
            Self::AuthServer => "auth_server",
            Self::Kvm => "kvm",
            Self::Monitor => "monitor",
            Self::EdgeDevice => "edge_device",
            Self::IotGateway => "iot_gateway",
            Self::Sensor => "sensor",
            Self::Pdu => "pdu",
            Self::Ups => "ups",
            Self::EnvironmentalMonitor => "environmental_monitor",
            Self::Pbx => "pbx",
            Self::VideoConference => "video_conference",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }

    /// What it has in common with others.
    pub fn category(self) -> ResourceCategory {
        match self {
            Self::PhysicalServer
            | Self::VirtualMachine
            | Self::ContainerHost
            | Self::Hypervisor => ResourceCategory::Compute,
            Self::Router
            | Self::Switch
            | Self::Layer3Switch
            | Self::AccessPoint
            | Self::LoadBalancer => ResourceCategory::Network,
            Self::Firewall | Self::Ids | Self::VpnGateway | Self::Waf | Self::Camera => {
                ResourceCategory::Security
            }
            Self::StorageArray | Self::Nas | Self::SanSwitch => ResourceCategory::Storage,
            Self::Appliance
            | Self::BackupAppliance
            | Self::MonitoringAppliance
            | Self::AuthServer
            | Self::Kvm
            | Self::Monitor => ResourceCategory::Appliance,
            Self::EdgeDevice | Self::IotGateway | Self::Sensor => ResourceCategory::Edge,
            Self::Pdu | Self::Ups | Self::EnvironmentalMonitor => ResourceCategory::Power,
            Self::Pbx | Self::VideoConference => ResourceCategory::Telecom,
            Self::Other | Self::Unknown => ResourceCategory::Other,
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ResourceCategory {
    /// Its name, `compute`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Security => "security",
            Self::Storage => "storage",
            Self::Appliance => "appliance",
            Self::Edge => "edge",
            Self::Power => "power",
            Self::Telecom => "telecom",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ResourceCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_name_is_what_is_stored() {
        for kind in ResourceType::ALL {
            let json = serde_json::to_string(&kind).expect("JSON");
            assert_eq!(json, format!("\"{kind}\""));
            let read: ResourceType = serde_json::from_str(&json).expect("ours");
            assert_eq!(read, kind);
        }
        let distinct: BTreeSet<_> = ResourceType::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(distinct.len(), ResourceType::ALL.len());
    }

    #[test]
    fn an_unknown_text_is_refused_and_not_taken_for_unknown() {
        for bad in ["toaster", "Router", "i_d_s", ""] {
            let json = format!("\"{bad}\"");
            assert!(
                serde_json::from_str::<ResourceType>(&json).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn each_kind_is_of_a_category() {
        assert_eq!(ResourceType::Kvm.category(), ResourceCategory::Appliance);
        let categories: BTreeSet<_> = ResourceType::ALL.iter().map(|it| it.category()).collect();
        let names = categories.into_iter().map(ResourceCategory::as_str);
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "compute",
                "network",
                "security",
                "storage",
                "appliance",
                "edge",
                "power",
                "telecom",
                "other"
            ]
        );
    }
}
