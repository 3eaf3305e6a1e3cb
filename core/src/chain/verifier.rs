//! Verifiers: they take events one by one and name the first bad one, and why.
//!
//! [`ChainVerifier`] is for the history of one aggregate, [`StoreVerifier`] for a whole store.

use std::collections::HashMap;

use super::{ChainError, EventPlace, block};
use crate::cid::Cid;
use crate::event::RecordedEvent;
use crate::id::AggregateKey;
use crate::version::{Head, Version};

/// Verifies the history of one aggregate, from its first event or from a head that is trusted.
///
/// An event that is refused changes nothing: the head stays where it was.
///
/// # Examples
///
/// ```
/// use cim_core::chain::ChainError;
/// use cim_core::chain::verifier::ChainVerifier;
/// use cim_core::event::RecordedEvent;
///
/// fn verify(history: &[RecordedEvent]) -> Result<(), ChainError> {
///     let Some(first) = history.first() else { return Ok(()) };
///     let mut verifier = ChainVerifier::from_genesis(first.aggregate.clone());
///     history.iter().try_for_each(|event| verifier.push(event))
/// }
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "verify_event_chain")]
pub struct ChainVerifier {
    aggregate: AggregateKey,
    head: Option<Head>,
    hasher: BlockHasher,
}

impl ChainVerifier {
    /// Expects the whole history of `aggregate`, from version 1.
    pub fn from_genesis(aggregate: AggregateKey) -> Self {
        Self {
            aggregate,
            head: None,
            hasher: BlockHasher::default(),
        }
    }

    /// Expects what follows `head`, which the caller trusts.
    pub fn from_head(aggregate: AggregateKey, head: Head) -> Self {
        Self {
            aggregate,
            head: Some(head),
            hasher: BlockHasher::default(),
        }
    }

    /// Verifies the next event.
    ///
    /// # Errors
    ///
    /// [`ChainError`]; of several faults, the first in the order of its variants.
    pub fn push(&mut self, event: &RecordedEvent) -> Result<(), ChainError> {
        self.hasher.check(event)?;
        if !is_same(&self.aggregate, &event.aggregate) {
            let expected = Box::new(self.aggregate.clone());
            return Err(ChainError::WrongAggregate {
                place: EventPlace::of(event),
                expected,
            });
        }
        check_link(self.head, event)?;
        self.head = Some(event.head());
        Ok(())
    }

    /// Whose history it is.
    pub fn aggregate(&self) -> &AggregateKey {
        &self.aggregate
    }

    /// The last event that was verified, or the trusted head, or `None` at the genesis.
    pub fn head(&self) -> Option<Head> {
        self.head
    }
}

/// Verifies a whole store: every aggregate from its first event, whatever stands between.
///
/// An event that is refused changes nothing and is not counted.
#[derive(Clone, Debug)]
pub struct StoreVerifier {
    heads: HashMap<AggregateKey, Head>,
    links: bool,
    events: u64,
    digest: blake3::Hasher,
    hasher: BlockHasher,
}

impl StoreVerifier {
    /// Expects all events of a store, in its order.
    pub fn new() -> Self {
        Self {
            heads: HashMap::new(),
            links: true,
            events: 0,
            digest: blake3::Hasher::new(),
            hasher: BlockHasher::default(),
        }
    }

    /// Expects some events of a store and checks only their CIDs: where events are left out by a
    /// filter, links prove nothing.
    pub fn cids_only() -> Self {
        Self {
            links: false,
            ..Self::new()
        }
    }

    /// Verifies the next event.
    ///
    /// # Errors
    ///
    /// [`ChainError`]; of several faults, the first in the order of its variants.
    pub fn push(&mut self, event: &RecordedEvent) -> Result<(), ChainError> {
        self.hasher.check(event)?;
        match self.heads.get_mut(&event.aggregate) {
            Some(head) => {
                if self.links {
                    check_link(Some(*head), event)?;
                }
                *head = event.head();
            }
            None => {
                if self.links {
                    check_link(None, event)?;
                }
                self.heads.insert(event.aggregate.clone(), event.head());
            }
        }
        self.events += 1;
        self.digest.update(&event.cid.to_bytes());
        Ok(())
    }

    /// The last event of an aggregate that was verified.
    pub fn head(&self, aggregate: &AggregateKey) -> Option<Head> {
        self.heads.get(aggregate).copied()
    }

    /// Says what was verified.
    pub fn finish(self) -> StoreSummary {
        StoreSummary {
            events: self.events,
            aggregates: self.heads.len() as u64,
            digest: hex(&self.digest),
            heads: self.links.then(|| digest_of_heads(&self.heads)),
        }
    }
}

impl Default for StoreVerifier {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`StoreVerifier`] has seen. Two stores with the same events in the same order have equal
/// summaries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreSummary {
    /// The count of events.
    pub events: u64,
    /// The count of aggregates.
    pub aggregates: u64,
    /// The BLAKE3 digest of the binary CIDs (36 bytes each) in order, in lower-case hex.
    pub digest: String,
    /// The BLAKE3 digest of all heads, in lower-case hex, which does not depend on the order of the
    /// store: a line `<organization.unit.domain.entity.id> <version> <cid>\n` each, sorted by their
    /// bytes. `None` where links were not checked.
    pub heads: Option<String>,
}

fn digest_of_heads(heads: &HashMap<AggregateKey, Head>) -> String {
    let lines = heads
        .iter()
        .map(|(key, head)| format!("{key} {} {}\n", head.version, head.cid));
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    let mut digest = blake3::Hasher::new();
    for line in &lines {
        digest.update(line.as_bytes());
    }
    hex(&digest)
}

fn hex(digest: &blake3::Hasher) -> String {
    data_encoding::HEXLOWER.encode(digest.finalize().as_bytes())
}

/// Checks place and link of an event that is to follow `head`.
fn check_link(head: Option<Head>, event: &RecordedEvent) -> Result<(), ChainError> {
    if let Some(head) = head
        && event.version <= head.version
    {
        return Err(ChainError::Duplicate {
            place: EventPlace::of(event),
            head: head.version,
        });
    }
    let expected = Version::after(head.as_ref()).ok();
    if let Some(expected) = expected
        && event.version != expected
    {
        return Err(ChainError::Gap {
            place: EventPlace::of(event),
            expected,
        });
    }
    let expected = head.map(|head| head.cid);
    if event.previous != expected {
        let found = event.previous;
        return Err(ChainError::BrokenLink {
            place: EventPlace::of(event),
            expected,
            found,
        });
    }
    Ok(())
}

/// Compares keys, by their pointers first: events of one history often share them.
fn is_same(one: &AggregateKey, other: &AggregateKey) -> bool {
    let same = |one: &str, other: &str| std::ptr::eq(one, other) || one == other;
    same(one.id.as_str(), other.id.as_str())
        && same(one.entity.as_str(), other.entity.as_str())
        && same(one.namespace.as_str(), other.namespace.as_str())
}

/// Computes CIDs with one buffer for all blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockHasher(Vec<u8>);

impl BlockHasher {
    pub(super) fn cid_of(&mut self, event: &RecordedEvent) -> Cid {
        self.0.clear();
        block::encode_into(event, &mut self.0);
        Cid::of_block(&self.0)
    }

    pub(super) fn check(&mut self, event: &RecordedEvent) -> Result<(), ChainError> {
        let expected = self.cid_of(event);
        if event.cid == expected {
            return Ok(());
        }
        Err(ChainError::WrongCid {
            place: EventPlace::of(event),
            expected,
            found: event.cid,
        })
    }
}
