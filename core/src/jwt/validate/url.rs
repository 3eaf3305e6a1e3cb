//! URLs as far as claims have rules for them, read as Go's `net/url` reads them.

/// The parts of a URL that there are rules for.
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    pub(super) has_user: bool,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
}

impl<'a> Url<'a> {
    /// `None` for what Go cannot parse.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.is_empty() || text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (text, _fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = scheme(text)?;
        let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
        let Some(rest) = rest.strip_prefix("//") else {
            // A first segment with a colon would be a scheme.
            let first = rest.split('/').next().unwrap_or_default();
            let is_ambiguous = scheme.is_empty() && first.contains(':');
            return (!is_ambiguous && is_escaped(rest)).then_some(Self {
                scheme,
                has_user: false,
                host: "",
                path: rest,
            });
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let is_valid = user.is_none_or(is_escaped) && is_host(host) && is_escaped(path);
        is_valid.then_some(Self {
            scheme,
            has_user: user.is_some(),
            host,
            path,
        })
    }
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Some(("", text))
}

/// A name or an address, and a port of digits.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.split_at(host.rfind(':').unwrap_or(host.len())),
    };
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = name.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_.~!$&'()*+,;=:<>\"%".contains(&byte)
    });
    is_port && is_name
}

/// Whether every `%` has two digits behind it.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}
