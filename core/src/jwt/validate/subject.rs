//! Subjects as nats-io/jwt sees them: with fewer rules than the server has.

use super::Findings;

/// Checks a subject of claims (`Subject.Validate`). What is not a wildcard in its place is let pass.
pub(super) fn check(subject: &str, path: &str, findings: &mut Findings) {
    if subject.is_empty() {
        findings.error("subject-empty", path, "expected a subject, found none");
        return;
    }
    if subject.contains(' ') {
        let text = format!("the subject `{subject}` has a space in it");
        findings.error("subject-space", path, text);
    }
    if subject.starts_with('.') || subject.ends_with('.') || subject.contains("..") {
        let text = format!("the subject `{subject}` has an empty token");
        findings.error("subject-token-empty", path, text);
    }
}

/// Whether it has wildcards in their places (`Subject.HasWildCards`).
pub(super) fn has_wildcards(subject: &str) -> bool {
    subject == "*"
        || subject == ">"
        || subject.starts_with("*.")
        || subject.contains(".*.")
        || subject.ends_with(".*")
        || subject.ends_with(".>")
}

/// How many tokens of it are `*`.
fn wildcards(subject: &str) -> usize {
    subject.split('.').filter(|token| *token == "*").count()
}

/// Whether every subject that matches `inner` matches `outer` too (`Subject.IsContainedIn`); `*` takes a
/// last `>` for one token, as there.
pub(in crate::jwt) fn contains(outer: &str, inner: &str) -> bool {
    let outer: Vec<&str> = outer.split('.').collect();
    let inner: Vec<&str> = inner.split('.').collect();
    if inner.len() < outer.len() || (inner.len() > outer.len() && outer.last() != Some(&">")) {
        return false;
    }
    for (at, token) in outer.iter().enumerate() {
        if *token == ">" && at + 1 == outer.len() {
            return true;
        }
        if *token != "*" && *token != inner[at] {
            return false;
        }
    }
    true
}

/// Whether the server takes it for a subject (`IsValidSubject`): tokens without white space, none
/// empty, and `>` only as the last one.
pub(in crate::jwt) fn is_valid(subject: &str) -> bool {
    let is_clean = !subject.contains([' ', '\t', '\n', '\u{c}', '\r']);
    let mut tokens = subject.split('.').peekable();
    let mut is_whole = true;
    while let Some(token) = tokens.next() {
        is_whole &= !token.is_empty() && (token != ">" || tokens.peek().is_none());
    }
    is_clean && is_whole
}

/// The place of a wildcard that a token of a renamed subject stands for: `$2`.
pub(in crate::jwt) fn reference(token: &str) -> Option<i64> {
    let number = token
        .strip_prefix('$')
        .filter(|number| !number.is_empty())?;
    // Go's Atoi takes a sign.
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}

/// The subject with a wildcard in the place of each reference.
pub(super) fn without_references(subject: &str) -> String {
    let tokens: Vec<&str> = subject
        .split('.')
        .map(|token| reference(token).map_or(token, |_| "*"))
        .collect();
    tokens.join(".")
}

/// Checks the subject that an import is renamed to (`RenamingSubject.Validate`).
pub(super) fn check_renamed(renamed: &str, from: &str, path: &str, findings: &mut Findings) {
    check(renamed, path, findings);
    let is_open = |subject: &str| subject == ">" || subject.ends_with(".>");
    if from.is_empty() {
        findings.error(
            "subject-empty",
            path,
            "expected the subject that is renamed, found none",
        );
    }
    if is_open(renamed) != is_open(from) {
        let text = format!("`{renamed}` and `{from}` must both end with `>`, or neither");
        findings.error("rename-open", path, text);
    }
    let wanted = wildcards(from);
    let mut count = 0;
    for token in renamed.split('.') {
        match (token, reference(token)) {
            ("*", _) => count += 1,
            (_, Some(place)) if place > i64::try_from(wanted).unwrap_or(i64::MAX) => {
                let text = format!("`{token}` of `{renamed}` is no wildcard of `{from}`");
                findings.error("rename-reference", path, text);
            }
            (_, Some(_)) => count += 1,
            (_, None) => {}
        }
    }
    if count != wanted {
        let text =
            format!("`{renamed}` must have as many wildcards as `{from}`: {wanted}, found {count}");
        findings.error("rename-wildcards", path, text);
    }
}
