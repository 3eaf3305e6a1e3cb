//! Heads that are remembered between appends.
//!
//! A head here may be old: an append that rests on it is then refused by the server, and looks
//! again. That holds as long as a sequence stands for one message, so all heads are forgotten when
//! the connection was lost: a server that lost messages at its end gives their sequences again. A
//! stream that goes back under a connection that stays (restored from a copy, or led by a server
//! that we are not connected to) is found out when the index is fed next.

use std::sync::Mutex;

use cim_core::append::HeadFound;
use cim_core::id::AggregateKey;
use cim_core::version::Head;

use super::halves::Halves;

/// The most heads of a half: two halves together bound what is remembered.
const MAX_HALF: usize = 50_000;

/// The last event of a history: its place in the stream, and in the history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KnownHead {
    pub(super) sequence: u64,
    pub(super) head: Head,
    /// Whether the ids of all events up to it are in the index or remembered beside it.
    pub(super) is_known: bool,
}

/// Heads by aggregate; those that are not used for long are forgotten.
#[derive(Debug)]
pub(super) struct Heads(Mutex<Halves<KnownHead>>);

impl Default for Heads {
    fn default() -> Self {
        Self(Mutex::new(Halves::new(MAX_HALF)))
    }
}

impl Heads {
    pub(super) fn get(&self, aggregate: &AggregateKey) -> Option<KnownHead> {
        self.lock().get(aggregate).copied()
    }

    /// Remembers the last message of an aggregate, as it was found, if it is sound.
    pub(super) fn saw(&self, aggregate: &AggregateKey, sequence: u64, found: &HeadFound) {
        if let HeadFound::Sound(head) = *found {
            let known = KnownHead {
                sequence,
                head,
                is_known: false,
            };
            self.put(aggregate, known);
        }
    }

    /// Remembers a head, unless a later one is known.
    pub(super) fn put(&self, aggregate: &AggregateKey, head: KnownHead) {
        let mut halves = self.lock();
        let known = halves.get(aggregate);
        if known.is_none_or(|known| is_later(&head, known)) {
            halves.put(aggregate.clone(), head, 1);
        }
    }

    /// Forgets a head that has turned out to be old.
    pub(super) fn forget(&self, aggregate: &AggregateKey) {
        self.lock().remove(aggregate);
    }

    /// Forgets every head.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Halves<KnownHead>> {
        self.0
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

/// Whether a head takes the place of a known one: of the same twice, what is known counts.
fn is_later(head: &KnownHead, known: &KnownHead) -> bool {
    (head.sequence, head.is_known) > (known.sequence, known.is_known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cim_core::cid::Cid;
    use cim_core::version::Version;

    fn known(sequence: u64) -> KnownHead {
        let version = Version::new(sequence).expect("from 1");
        KnownHead {
            sequence,
            head: Head {
                version,
                cid: Cid::of_block(&sequence.to_be_bytes()),
            },
            is_known: false,
        }
    }

    fn key(number: usize) -> AggregateKey {
        format!("o.u.d.key.k{number}").parse().expect("a key")
    }

    #[test]
    fn a_later_head_stays() {
        let heads = Heads::default();
        heads.put(&key(1), known(7));
        heads.put(&key(1), known(5));
        assert_eq!(heads.get(&key(1)), Some(known(7)));
        heads.forget(&key(1));
        assert_eq!(heads.get(&key(1)), None);
    }

    #[test]
    fn that_a_history_is_known_stays() {
        let heads = Heads::default();
        let all_known = |sequence| KnownHead {
            is_known: true,
            ..known(sequence)
        };
        for (first, second) in [(known(7), all_known(7)), (all_known(7), known(7))] {
            heads.put(&key(1), first);
            heads.put(&key(1), second);
            assert_eq!(heads.get(&key(1)), Some(all_known(7)));
            heads.forget(&key(1));
        }
        heads.put(&key(1), all_known(7));
        heads.put(&key(1), known(8));
        assert_eq!(heads.get(&key(1)), Some(known(8)));
    }
}
