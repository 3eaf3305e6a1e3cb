//! Seeds that are where they must not be.

use cim_core::nkey::Seed;

/// The length of a seed as text.
const SEED_LEN: usize = 58;

/// The first seed of NATS in some bytes; a text that only looks like one is none, by its checksum.
pub fn seed_in(bytes: &[u8]) -> Option<String> {
    bytes
        .windows(SEED_LEN)
        .filter(|window| window[0] == b'S' && b"OAUNCX".contains(&window[1]))
        .filter_map(|window| std::str::from_utf8(window).ok())
        .find(|text| Seed::parse(text).is_ok())
        .map(str::to_owned)
}

/// Checks that there is no seed in what a program has said.
///
/// # Panics
///
/// When there is one. It is not shown whole.
#[track_caller]
pub fn check(place: &str, bytes: &[u8]) {
    if let Some(seed) = seed_in(bytes) {
        panic!("{place} holds the seed {}…", &seed[..6]);
    }
}

#[cfg(test)]
mod tests {
    use cim_core::nkey::KeyKind;

    use super::*;

    #[test]
    fn seeds_are_found_wherever_they_stand() {
        let seed = Seed::new(KeyKind::User, [7; 32]);
        let text = seed.expose();
        let around = [b"\0S\"", text.as_bytes(), b"SUA"].concat();
        assert_eq!(seed_in(&around).as_deref(), Some(text.as_str()));
        assert_eq!(seed_in(&around[..40]), None);
        assert_eq!(seed_in(seed.public_key().as_str().as_bytes()), None);
        let mut altered = text.as_bytes().to_vec();
        altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
        assert_eq!(seed_in(&altered), None);
    }
}
