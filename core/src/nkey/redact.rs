//! Texts that are shown, without the seeds that somebody has put into them.

use std::borrow::Cow;

use super::codec::SEED_LEN;

/// The text with `…` in place of every word of 58 digits of base32 or more, which may be a seed.
///
/// A seed stands where a public key was meant, and an error would show it.
pub fn without_seeds(text: &str) -> Cow<'_, str> {
    let is_digit = |letter: char| matches!(letter, 'A'..='Z' | '2'..='7');
    let mut seeds = text
        .split(|letter| !is_digit(letter))
        .filter(|word| word.len() >= SEED_LEN)
        .peekable();
    if seeds.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let shown = seeds.fold(text.to_owned(), |shown, seed| shown.replace(seed, "…"));
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nkey::{KeyKind, Seed};

    #[test]
    fn seeds_are_left_out_and_keys_are_not() {
        let seed = Seed::new(KeyKind::User, [1; 32]);
        let (secret, public) = (seed.expose(), seed.public_key());
        let text = format!("`{}` of `{public}`, found {}", *secret, *secret);
        let shown = format!("`…` of `{public}`, found …");
        assert_eq!(without_seeds(&text), shown);
        assert_eq!(without_seeds(&shown), shown);
    }
}
