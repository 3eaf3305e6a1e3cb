//! The domain `compute`: machines and devices of a network, what they are, whose, where, and where they
//! stand in their lives.
//!
//! One aggregate, [`Compute`], under the UUID of the resource. Its life cycle is two state machines in
//! [`lifecycle`], which both deciding and folding ask. Events of version 1 are read by upcasters.
//!
//! # Examples
//!
//! ```
//! use cim_core::aggregate::{Aggregate, fold};
//! use cim_core::domain::compute::{Compute, ComputeCommand, ResourceType, Status, Tags};
//! use cim_core::domain::hostname::Hostname;
//!
//! let register = ComputeCommand::RegisterResource {
//!     hostname: Hostname::new("server01.example.com")?,
//!     resource_type: ResourceType::PhysicalServer,
//!     tags: Tags::default(),
//! };
//! let state = Compute::initial_state();
//! let state = fold::<Compute>(state.clone(), &Compute::decide(&state, register)?);
//!
//! let rest = ComputeCommand::ChangeStatus { to_status: Status::Maintenance };
//! let refusal = Compute::decide(&state, rest).expect_err("it is not active yet");
//! assert_eq!(refusal.code(), "status-transition-invalid");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(any(test, feature = "testing"))]
pub mod arbitrary;
mod command;
mod decision;
mod error;
mod event;
pub mod lifecycle;
mod metadata;
mod readiness;
mod resource_type;
mod state;
mod status;
mod tags;
#[cfg(test)]
mod tests;
mod upcast;

pub use command::ComputeCommand;
pub use error::ComputeError;
pub use event::ComputeEvent;
pub use metadata::{MAX_METADATA_KEY_LEN, MAX_METADATA_VALUE_LEN, MetadataKey, MetadataValue};
pub use readiness::{Missing, readiness};
pub use resource_type::{ResourceCategory, ResourceType};
pub use state::{ComputeState, MAX_METADATA_KEYS, MAX_POLICIES, Resource};
pub use status::Status;
pub use tags::{MAX_TAG_LEN, MAX_TAGS, Tag, Tags, TagsError};

use crate::aggregate::Aggregate;
use crate::domain::model::{Diagram, Model};
use crate::upcast::Upcasters;
use lifecycle::{EventKind, Lifecycle};

/// A resource, under its UUID.
#[derive(Debug)]
pub struct Compute;

impl Aggregate for Compute {
    type State = ComputeState;
    type Event = ComputeEvent;
    type Command = ComputeCommand;
    type Error = ComputeError;

    fn initial_state() -> ComputeState {
        ComputeState::Absent
    }

    /// Before a resource is registered, nothing is known of it, whatever a foreign history says. A
    /// second registration says anew what the first one did, begins its life again, and leaves the rest.
    fn evolve(state: ComputeState, event: &ComputeEvent) -> ComputeState {
        let next = lifecycle::events().next(state.lifecycle(), EventKind::of(event));
        let Ok(Lifecycle::Known(status)) = next else {
            return state;
        };
        let mut resource = match state {
            ComputeState::Known(resource) => resource,
            ComputeState::Absent => match Resource::registered(event) {
                Some(resource) => Box::new(resource),
                None => return ComputeState::Absent,
            },
        };
        resource.take(event);
        resource.status = status;
        ComputeState::Known(resource)
    }

    /// What a resource is or has already makes no event.
    fn decide(
        state: &ComputeState,
        command: ComputeCommand,
    ) -> Result<Vec<ComputeEvent>, ComputeError> {
        let event = decision::decide(state, command)?;
        Ok(event.into_iter().collect())
    }

    fn upcasters() -> Upcasters {
        upcast::upcasters()
    }
}

impl Model for Compute {
    fn diagrams() -> Vec<Diagram> {
        vec![
            Diagram {
                title: "The life of a resource: what events say",
                mermaid: lifecycle::decided_events().mermaid(),
            },
            Diagram {
                title: "The life of a resource: what commands lead to",
                mermaid: lifecycle::commands().mermaid(),
            },
        ]
    }
}
