//! The same question answered by trying every order (Wing and Gong 1993): slow, and plainly right.

use super::{Answer, Call, Event, Operation, Part};

/// Whether some order of the calls explains every answer and ends with what is stored.
pub(super) fn is_linearizable(operations: &[Operation], stored: &[Event]) -> bool {
    Search { operations, stored }.go_on(&mut vec![false; operations.len()], 0)
}

struct Search<'a> {
    operations: &'a [Operation],
    stored: &'a [Event],
}

impl Search<'_> {
    /// Goes on with the calls that are not done, `there` events being stored.
    fn go_on(&self, done: &mut [bool], there: usize) -> bool {
        let left = |(at, _): &(usize, &Operation)| !done[*at];
        let waiting: Vec<_> = self.operations.iter().enumerate().filter(left).collect();
        if waiting.is_empty() {
            return there == self.stored.len();
        }
        // Whoever began after another one's answer cannot come before it.
        let first_end = waiting.iter().map(|(_, operation)| end(operation)).min();
        waiting
            .into_iter()
            .filter(|(_, operation)| Some(operation.begun) <= first_end)
            .any(|(at, operation)| {
                self.outcomes(operation, there).into_iter().any(|there| {
                    done[at] = true;
                    let is_found = self.go_on(done, there);
                    done[at] = false;
                    is_found
                })
            })
    }

    /// How much can be stored after a call that is answered like this.
    fn outcomes(&self, operation: &Operation, there: usize) -> Vec<usize> {
        let now = &self.stored[..there];
        let (parts, answer) = match &operation.call {
            Call::Head { aggregate, found } => {
                let last = now.iter().rfind(|event| event.aggregate == *aggregate);
                let is_it = last.map(|event| (event.version, event.cid))
                    == found.map(|head| (head.version.get(), head.cid));
                return if is_it { vec![there] } else { vec![] };
            }
            Call::Append { parts, answer } => (parts, answer),
        };
        let ids = || parts.iter().flat_map(|part| &part.events);
        let used = ids()
            .filter(|id| now.iter().any(|event| event.id == **id))
            .count();
        let version = |part: &Part| {
            let of_it = now.iter().filter(|event| event.aggregate == part.aggregate);
            of_it.count() as u64
        };
        let is_met = |part: &Part| {
            part.expected_version()
                .is_none_or(|expected| expected == version(part))
        };
        let after = there + ids().count();
        let can_store = used == 0
            && parts.iter().all(is_met)
            && self
                .stored
                .get(there..after)
                .is_some_and(|next| ids().eq(next.iter().map(|event| &event.id)));
        let is_right = match answer {
            Answer::Committed(_) => return if can_store { vec![after] } else { vec![] },
            Answer::AlreadyCommitted(_) if can_store => return vec![after],
            Answer::AlreadyCommitted(_) => used == ids().count(),
            Answer::Conflict {
                aggregate, actual, ..
            } => {
                let part = parts.iter().find(|part| part.aggregate == *aggregate);
                used == 0
                    && part.is_some_and(|part| {
                        !is_met(part)
                            && version(part) == actual.map_or(0, cim_core::version::Version::get)
                    })
            }
            Answer::Reused(_) => used > 0,
            Answer::Refused(_) => true,
            Answer::Unknown if can_store => return vec![there, after],
            Answer::Unknown => true,
        };
        if is_right { vec![there] } else { vec![] }
    }
}

/// What nobody was told may take effect at any time later.
fn end(operation: &Operation) -> u64 {
    match &operation.call {
        Call::Append {
            answer: Answer::Unknown,
            ..
        } => u64::MAX,
        _ => operation.ended,
    }
}
