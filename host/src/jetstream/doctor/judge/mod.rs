//! What the facts mean for events.

mod server;
mod stream;
#[cfg(test)]
mod tests;

use super::facts::Facts;
use crate::doctor::{Finding, bytes, longest};

/// Judges the facts; the findings stand in the order in which they are to be read.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = server::version(facts);
    findings.extend(server::jetstream(facts));
    findings.extend(stream::durability(facts));
    findings.extend(stream::streams(facts));
    findings.extend(server::permissions(facts));
    findings.extend(server::clock(facts));
    if let Some(index) = &facts.index {
        findings.push(Finding::ok(
            "index",
            format!(
                "the local index `{}` takes {}",
                index.path.display(),
                bytes(index.bytes)
            ),
            "it can be deleted at any time: it is made again from the stream",
        ));
        if let Some((aggregate, events)) = &index.longest {
            findings.extend(longest(aggregate, *events, facts.max_events_per_aggregate));
        }
    }
    findings
}
