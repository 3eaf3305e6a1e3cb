//! A small source of numbers for tests: the same seed gives the same ones on every platform.

/// Numbers that follow from a seed (SplitMix64). They are good enough to choose among a few things, and
/// nothing that somebody must not guess may be made of them.
///
/// # Examples
///
/// ```
/// use cim_core::domain::chance::Chance;
///
/// let dice = |seed| {
///     let mut chance = Chance::new(seed);
///     [(); 5].map(|()| chance.below(6) + 1)
/// };
/// assert_eq!(dice(7), dice(7));
/// ```
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 that is less than `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // The remainder favours small ones by less than one in 2^32 for the limits of tests.
        let number = self.number().checked_rem(limit as u64).unwrap_or(0);
        usize::try_from(number).expect("less than a usize")
    }

    /// One of several things.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let place = self.below(things.len());
        &things[place]
    }

    /// Yes, once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // The first three of seed 1234567, as published with the generator's reference code.
        let mut chance = Chance::new(1_234_567);
        let numbers = [(); 3].map(|()| chance.number());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn every_choice_comes_up() {
        let mut chance = Chance::new(1);
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[chance.below(4)] += 1;
        }
        assert!(
            seen.iter().all(|count| (60..140).contains(count)),
            "{seen:?}"
        );
        assert_eq!(chance.below(0), 0);
    }
}
