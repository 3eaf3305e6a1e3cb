//! Batches of random lengths.

use cim_core::event::RecordedEvent;
use cim_core::version::Position;

use super::harness::{Contents, Harness};
use crate::Projection;

/// Shows that the documents of a plugin do not depend on how its events are cut into batches: all at
/// once, one by one, and in random cuts, each batch with a fresh instance.
///
/// # Panics
///
/// When documents differ, with the first that does; when the plugin fails.
///
/// # Examples
///
/// See the [crate's documentation](crate#test-it).
#[track_caller]
pub fn assert_cuts_agree<P: Projection>(config: &[u8], events: &[(Position, RecordedEvent)]) {
    let mut whole = Harness::<P>::new(config);
    whole
        .apply(events)
        .unwrap_or_else(|fault| panic!("all events at once: {}: {fault}", fault.code));

    let mut single = Harness::<P>::new(config);
    for event in events {
        single
            .apply(std::slice::from_ref(event))
            .unwrap_or_else(|fault| panic!("position {}: {}: {fault}", event.0, fault.code));
    }
    assert_same("one by one", whole.documents(), single.documents());

    for seed in 0..RANDOM_ROUNDS {
        let mut cut = Harness::<P>::new(config);
        cut.apply_in_random_cuts(events, seed)
            .unwrap_or_else(|fault| panic!("seed {seed}: {}: {fault}", fault.code));
        assert_same(&format!("seed {seed}"), whole.documents(), cut.documents());
    }
}

#[track_caller]
fn assert_same(how: &str, whole: &Contents, cut: &Contents) {
    let differs = |key: &&(String, String)| whole.get(*key) != cut.get(*key);
    let mut keys = whole.keys().chain(cut.keys());
    if let Some(key) = keys.find(differs) {
        panic!(
            "the document `{}` of `{}` depends on the batches: all at once {:?}, {how} {:?}",
            key.1,
            key.0,
            whole.get(key),
            cut.get(key)
        );
    }
}

/// How many random cuts are tried.
const RANDOM_ROUNDS: u64 = 16;

/// Consecutive parts of events; their lengths are random up to a bound that is random too.
pub(super) struct Cuts<'a> {
    rest: &'a [(Position, RecordedEvent)],
    state: u64,
    longest: u64,
}

impl<'a> Cuts<'a> {
    pub(super) fn new(events: &'a [(Position, RecordedEvent)], seed: u64) -> Self {
        let mut cuts = Self {
            rest: events,
            state: seed,
            longest: 1,
        };
        cuts.longest = 2 << (cuts.random() % 8);
        cuts
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.state;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

impl<'a> Iterator for Cuts<'a> {
    type Item = &'a [(Position, RecordedEvent)];

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let length = (1 + self.random() % self.longest) as usize;
        let (batch, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        Some(batch)
    }
}
