//! Streams that take the same subjects. The server refuses them with 10065 and does not say which.

use std::fmt;

use cim_core::subject::SubjectFilter;

use super::{PlanError, StreamPlan};
use crate::jetstream::StreamInfo;

/// What two streams take both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Overlap {
    /// The stream that is there.
    pub stream: String,
    /// What it takes.
    pub subject: String,
    /// What is to be taken by the other one.
    pub wanted: SubjectFilter,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stream,
            subject,
            wanted,
        } = self;
        write!(f, "`{wanted}`, and `{stream}` takes `{subject}`")
    }
}

/// Where a stream would take what others take already; its own present self does not count.
pub fn overlaps(found: &[StreamInfo], wanted: &StreamPlan) -> Vec<Overlap> {
    let mut overlaps = Vec::new();
    let others = found.iter().map(|info| &info.config);
    for other in others.filter(|other| other.name != wanted.name) {
        for subject in &other.subjects {
            for filter in &wanted.subjects {
                if filter.overlaps(subject) {
                    overlaps.push(Overlap {
                        stream: other.name.clone(),
                        subject: subject.clone(),
                        wanted: filter.clone(),
                    });
                }
            }
        }
    }
    overlaps
}

/// Refuses plans that cannot be carried out together.
pub(super) fn check(plans: &[StreamPlan]) -> Result<(), PlanError> {
    for (at, plan) in plans.iter().enumerate() {
        for (n, subject) in plan.subjects.iter().enumerate() {
            let rest = plan.subjects.iter().skip(n + 1);
            if let Some(also) = rest.into_iter().find(|also| subject.overlaps(also)) {
                return Err(same_subjects(plan, plan, subject, also));
            }
        }
        for other in plans.iter().skip(at + 1) {
            if plan.name == other.name {
                let stream = plan.name.clone();
                return Err(PlanError::SameName { stream });
            }
            for subject in &plan.subjects {
                if let Some(also) = other.subjects.iter().find(|also| subject.overlaps(also)) {
                    return Err(same_subjects(plan, other, subject, also));
                }
            }
        }
    }
    Ok(())
}

fn same_subjects(
    plan: &StreamPlan,
    other: &StreamPlan,
    subject: &SubjectFilter,
    also: &SubjectFilter,
) -> PlanError {
    PlanError::SameSubjects {
        stream: plan.name.clone(),
        other: other.name.clone(),
        subject: subject.clone(),
        also: also.clone(),
    }
}
