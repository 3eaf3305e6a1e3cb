//! The rules of names, on plain text.
//!
//! The derive macros are compiled from this file too, so that a name is judged by one rule when a program
//! is compiled and when it runs. So it uses nothing of the crate.

/// The longest token and the longest event type, in characters (which are bytes here).
///
/// NATS sets no limit; 128 keeps a subject of six tokens below its practical limit of 1 KiB.
pub(crate) const MAX_TOKEN_LEN: usize = 128;

/// Whether a text has the characters of a token, `[A-Za-z0-9_-]`, whatever its length.
pub(crate) fn has_token_characters(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a text is `[A-Z][A-Za-z0-9]*`, whatever its length.
pub(crate) fn is_pascal_case(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The default operation of an event: the entity is dropped at the beginning, once, unless nothing would
/// be left. It may be longer than a token.
pub(crate) fn operation_of_event(event_type: &str, entity: &str) -> String {
    let words = words(event_type);
    let entity_len = (1..words.len()).find(|&n| says(&words[..n], entity));
    join(&words[entity_len.unwrap_or(0)..])
}

/// The default operation of a command: the entity is dropped at the end, once, unless nothing would be
/// left. It may be longer than a token.
pub(crate) fn operation_of_command(command_type: &str, entity: &str) -> String {
    let words = words(command_type);
    let entity_at = (1..words.len()).find(|&n| says(&words[n..], entity));
    join(&words[..entity_at.unwrap_or(words.len())])
}

/// Splits before an upper-case letter that follows a lower-case letter or a digit, and before the
/// last of several upper-case letters if a lower-case letter follows; nowhere else.
fn words(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let begins_word = |at: usize| {
        bytes[at].is_ascii_uppercase()
            && (!bytes[at - 1].is_ascii_uppercase()
                || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase))
    };
    let mut words = Vec::new();
    let mut start = 0;
    for at in (1..bytes.len()).filter(|&at| begins_word(at)) {
        words.push(&name[start..at]);
        start = at;
    }
    words.push(&name[start..]);
    words
}

/// Whether the words, joined, are the entity: ignoring case, `-` and `_`.
fn says(words: &[&str], entity: &str) -> bool {
    let said = words.iter().flat_map(|word| word.bytes());
    let named = entity.bytes().filter(|byte| !matches!(byte, b'-' | b'_'));
    said.map(|byte| byte.to_ascii_lowercase())
        .eq(named.map(|byte| byte.to_ascii_lowercase()))
}

fn join(words: &[&str]) -> String {
    words.join("-").to_ascii_lowercase()
}
