//! Names of hosts, as DNS and mail have them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::shorten;

/// The longest name in bytes: RFC 1035 section 2.3.4, less the length byte and the root.
pub const MAX_HOSTNAME_LEN: usize = 253;

/// The longest label in bytes: RFC 1035 section 2.3.4.
pub const MAX_DNS_LABEL_LEN: usize = 63;

/// Labels of 1 to [`MAX_DNS_LABEL_LEN`] without a hyphen at either end; not that the last is more than
/// digits.
#[cfg(feature = "schema")]
const PATTERN: &str = concat!(
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
);

/// The name of a host: labels with dots between them, `server01.example.com`.
///
/// A label has `A-Z`, `a-z`, `0-9` and `-`, the hyphen neither first nor at its end. The last label is not
/// of digits alone, so that an IPv4 address is no name (RFC 3696 section 2). How it was spelled is kept; two spellings that differ in
/// the case of letters are the same name (RFC 4343).
///
/// # Examples
///
/// ```
/// use cim_core::domain::hostname::Hostname;
///
/// let name = Hostname::new("Server01.example.com")?;
/// assert_eq!(name.as_str(), "Server01.example.com");
/// assert_eq!(name, Hostname::new("server01.EXAMPLE.com")?);
/// assert_eq!(Hostname::new("10.0.0.1").expect_err("an address").code(), "hostname-invalid");
/// # Ok::<(), cim_core::domain::hostname::HostnameError>(())
/// ```
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "The name of a host. Its last label is not of digits alone."),
    schemars(extend("maxLength" = MAX_HOSTNAME_LEN, "pattern" = PATTERN))
)]
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

impl Hostname {
    /// Takes `text` as the name of a host.
    ///
    /// # Errors
    ///
    /// [`HostnameError`], with the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, HostnameError> {
        Self::try_from(text.to_owned())
    }

    /// The name as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for Hostname {
    /// Whether they are the same name, however it is spelled.
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Hostname {}

impl Hash for Hostname {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.folded().for_each(|byte| hasher.write_u8(byte));
        // No name has this byte, so that two names after each other are told from one.
        hasher.write_u8(0xff);
    }
}

impl Ord for Hostname {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Hostname {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for Hostname {
    type Error = HostnameError;

    fn try_from(text: String) -> Result<Self, HostnameError> {
        match check(&text) {
            Ok(()) => Ok(Self(text)),
            Err(rule) => Err(HostnameError {
                found: shorten(&text),
                rule,
            }),
        }
    }
}

impl From<Hostname> for String {
    fn from(name: Hostname) -> Self {
        name.0
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        Self::new(text)
    }
}

impl AsRef<str> for Hostname {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A text that is not the name of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostnameError {
    /// The text, shortened if it is very long.
    pub found: String,
    /// The rule that it breaks, the first one from the left.
    pub rule: HostnameRule,
}

/// The rule that the name of a host breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HostnameRule {
    /// It is longer than [`MAX_HOSTNAME_LEN`].
    TooLong,
    /// A label is empty, or there is none.
    LabelEmpty,
    /// A label is longer than [`MAX_DNS_LABEL_LEN`].
    LabelTooLong,
    /// A label has a character outside `[A-Za-z0-9-]`.
    Characters,
    /// A label begins or ends with a hyphen.
    OuterHyphen,
    /// The last label has digits alone.
    Digits,
}

impl HostnameError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "hostname-invalid"
    }
}

impl fmt::Display for HostnameRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is longer than 253 bytes",
            Self::LabelEmpty => "a label is empty",
            Self::LabelTooLong => "a label is longer than 63 bytes",
            Self::Characters => "only A-Z, a-z, 0-9 and `-` may be in a label",
            Self::OuterHyphen => "a label begins or ends with `-`",
            Self::Digits => "the last label has digits alone",
        })
    }
}

impl fmt::Display for HostnameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not the name of a host: {}",
            self.found, self.rule
        )
    }
}

impl std::error::Error for HostnameError {}

fn check(text: &str) -> Result<(), HostnameRule> {
    if text.len() > MAX_HOSTNAME_LEN {
        return Err(HostnameRule::TooLong);
    }
    text.split('.').try_for_each(check_label)?;
    let last = text.rsplit('.').next().unwrap_or(text);
    match last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(HostnameRule::Digits),
        false => Ok(()),
    }
}

fn check_label(label: &str) -> Result<(), HostnameRule> {
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if label.is_empty() {
        Err(HostnameRule::LabelEmpty)
    } else if label.len() > MAX_DNS_LABEL_LEN {
        Err(HostnameRule::LabelTooLong)
    } else if !label.bytes().all(is_of_label) {
        Err(HostnameRule::Characters)
    } else if label.starts_with('-') || label.ends_with('-') {
        Err(HostnameRule::OuterHyphen)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn names_are_labels_with_dots() {
        let label = "x".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "y".repeat(61));
        assert_eq!(longest.len(), MAX_HOSTNAME_LEN);
        for good in [
            "a",
            "server01",
            "a-b.example.com",
            "3com.com",
            "163.com",
            "12.rack.example.com",
            "0x7f",
            &longest,
        ] {
            let name = Hostname::new(good).expect(good);
            assert_eq!((name.as_str(), name.to_string()), (good, good.to_owned()));
        }
        check(&format!("{longest}y"), HostnameRule::TooLong);
        for bad in ["", ".", "a.", ".a", "a..b"] {
            check(bad, HostnameRule::LabelEmpty);
        }
        check(&"x".repeat(64), HostnameRule::LabelTooLong);
        for bad in ["a_b", "a b", "größe", "a/b", "a:80", "::1", "a\n", "*.a"] {
            check(bad, HostnameRule::Characters);
        }
        for bad in ["-a", "a-", "a.-b", "-"] {
            check(bad, HostnameRule::OuterHyphen);
        }
        for bad in ["10.0.0.1", "1", "a.b.12"] {
            check(bad, HostnameRule::Digits);
        }
    }

    #[track_caller]
    fn check(text: &str, rule: HostnameRule) {
        let error = Hostname::new(text).expect_err(text);
        assert_eq!((error.rule, error.code()), (rule, "hostname-invalid"));
    }

    #[test]
    fn spellings_of_one_name_are_equal_however_they_are_compared() {
        let names = ["A.example", "a.EXAMPLE", "b.example"].map(|it| Hostname::new(it).expect(it));
        assert_eq!(names[0], names[1]);
        assert_ne!(names[0], names[2]);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 2);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 2);
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        let name: Hostname = serde_json::from_str(r#""Web.example""#).expect("a name");
        assert_eq!(
            serde_json::to_string(&name).expect("JSON"),
            r#""Web.example""#
        );
        let error = serde_json::from_str::<Hostname>(r#""web_1""#).expect_err("no name");
        assert!(
            error
                .to_string()
                .starts_with("`web_1` is not the name of a host: only")
        );
        assert!(serde_json::from_str::<Hostname>("7").is_err());
    }

    #[test]
    fn an_error_shows_a_long_text_shortened() {
        let error = Hostname::new(&"é\n".repeat(500)).expect_err("no name");
        assert!(error.found.len() < 1_000 && !error.to_string().contains('\n'));
    }
}
