//! Why a command to a resource is refused.

use std::error::Error;
use std::fmt;

use super::Status;
use crate::domain::hostname::Hostname;
use crate::domain::model::DomainError;
use crate::domain::reference::PolicyId;

/// Why a command is refused: nothing happens.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ComputeError {
    /// It is registered already.
    Exists {
        /// The name that it has.
        hostname: Hostname,
    },
    /// It is not registered, or not yet.
    Absent,
    /// The policy holds for it already.
    PolicyAlreadyAdded {
        /// The policy.
        policy_id: PolicyId,
    },
    /// The policy does not hold for it.
    PolicyNotFound {
        /// The policy.
        policy_id: PolicyId,
    },
    /// Its life does not lead there from where it stands.
    StatusTransition {
        /// Where it stands.
        from: Status,
        /// Where it was to stand.
        to: Status,
        /// Where it may stand next; nowhere at the end of its life.
        allowed: Vec<Status>,
    },
    /// It has as many as it may have. Remove one first, or replace one.
    TooMany {
        /// Of what: `policies` or `metadata keys`.
        what: &'static str,
        /// The most that it may have.
        limit: usize,
    },
}

impl ComputeError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "resource-exists",
            Self::Absent => "resource-absent",
            Self::PolicyAlreadyAdded { .. } => "policy-already-added",
            Self::PolicyNotFound { .. } => "policy-not-found",
            Self::StatusTransition { .. } => "status-transition-invalid",
            Self::TooMany { .. } => "too-many",
        }
    }
}

impl DomainError for ComputeError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

impl fmt::Display for ComputeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { hostname } => {
                write!(f, "the resource is registered already, as `{hostname}`")
            }
            Self::Absent => f.write_str("the resource is not registered"),
            Self::PolicyAlreadyAdded { policy_id } => {
                write!(f, "the policy `{policy_id}` holds for the resource already")
            }
            Self::PolicyNotFound { policy_id } => {
                write!(f, "the policy `{policy_id}` does not hold for the resource")
            }
            Self::StatusTransition { from, to, allowed } => {
                let allowed: Vec<_> = allowed.iter().map(|status| format!("`{status}`")).collect();
                let allowed = match allowed.is_empty() {
                    true => "nothing more".to_owned(),
                    false => allowed.join(" or "),
                };
                write!(f, "expected {allowed} after `{from}`, found `{to}`")
            }
            Self::TooMany { what, limit } => {
                write!(
                    f,
                    "too many {what}: the resource has {limit}, and may have no more"
                )
            }
        }
    }
}

impl Error for ComputeError {}
