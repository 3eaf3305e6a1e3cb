//! What nats-server would refuse about claims.
//!
//! The rules are those of nats-io/jwt 2.8, of which every nats-server has one version built in. They
//! are lenient in places where one would not expect it, and the checks here are as lenient: the aim is
//! the server's verdict.

pub(super) mod account;
pub(super) mod activation;
mod exchange;
pub(super) mod operator;
mod subject;
#[cfg(test)]
mod tests;
mod url;
pub(super) mod user;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub(super) use subject::{contains, is_valid, reference};
pub(super) use user::{is_in_network, time_of_day};

use super::body::Body;
use super::claims::Claims;
use super::error::JwtError;
use crate::nkey::without_seeds;
use crate::time::Timestamp;

/// The version of a nats-server, which decides which rules hold.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServerVersion {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl ServerVersion {
    /// The first version whose rules are known here.
    pub const OLDEST: Self = Self::new(2, 12, 0);

    /// The version whose verdicts are tried.
    pub const TRIED: Self = Self::new(2, 15, 1);

    /// A version.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Whether it has nats-io/jwt 2.8.0, before mappings and service imports were counted otherwise.
    fn has_jwt_2_8_0(self) -> bool {
        self < Self::new(2, 12, 6)
    }
}

impl Default for ServerVersion {
    fn default() -> Self {
        Self::TRIED
    }
}

impl FromStr for ServerVersion {
    type Err = ();

    /// Three numbers with full stops between them.
    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Vec<u32> = text
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| ())?;
        match numbers[..] {
            [major, minor, patch] => Ok(Self::new(major, minor, patch)),
            _ => Err(()),
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The code of what is refused before its time.
pub(super) const NOT_YET_VALID: &str = "not-yet-valid";

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The server refuses such claims.
    Error,
    /// The server refuses them at this time.
    Time,
    /// The server takes them, and they may not do what they seem to.
    Warning,
}

impl Level {
    /// The level as a word, `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Time => "time",
            Self::Warning => "warning",
        }
    }
}

/// Something about claims that a server refuses or that is doubtful.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The stable code of this kind of finding.
    pub code: &'static str,
    /// Where it is, with the names of the fields in the token: `nats.exports[2].subject`.
    pub path: String,
    /// What is wrong, and what was expected.
    pub text: String,
}

impl Finding {
    /// Whether a server refuses claims with this finding.
    pub fn is_refused(&self) -> bool {
        self.level != Level::Warning
    }
}

impl From<&JwtError> for Finding {
    /// That it is no token is a finding too.
    fn from(error: &JwtError) -> Self {
        Self {
            level: Level::Error,
            code: error.code(),
            path: String::new(),
            text: error.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// What was found so far.
#[derive(Debug)]
pub struct Findings {
    server: ServerVersion,
    found: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(server: ServerVersion) -> Self {
        Self {
            server,
            found: Vec::new(),
        }
    }

    pub(super) fn into_list(self) -> Vec<Finding> {
        self.found
    }

    /// Takes what was found elsewhere, with the name of that place before its paths.
    pub(super) fn extend(&mut self, place: &str, found: Vec<Finding>) {
        self.found.extend(found.into_iter().map(|finding| Finding {
            path: format!("{place}{}", finding.path),
            ..finding
        }));
    }

    fn add(&mut self, level: Level, code: &'static str, path: &str, text: impl Into<String>) {
        self.found.push(Finding {
            level,
            code,
            path: without_seeds(path).into_owned(),
            text: without_seeds(&text.into()).into_owned(),
        });
    }

    pub(super) fn error(&mut self, code: &'static str, path: &str, text: impl Into<String>) {
        self.add(Level::Error, code, path, text);
    }

    pub(super) fn time(&mut self, code: &'static str, path: &str, text: impl Into<String>) {
        self.add(Level::Time, code, path, text);
    }

    pub(super) fn warning(&mut self, code: &'static str, path: &str, text: impl Into<String>) {
        self.add(Level::Warning, code, path, text);
    }

    /// The time limits that every token may have. It ends behind its last second.
    fn times(&mut self, expires: i64, not_before: i64, at: Timestamp) {
        let now = at.seconds();
        if expires > 0 && now > expires {
            let text = format!("the token has ended at {}", second(expires));
            self.time("expired", "exp", text);
        }
        if not_before > 0 && not_before > now {
            let text = format!("the token begins at {}", second(not_before));
            self.time(NOT_YET_VALID, "nbf", text);
        }
    }
}

impl<B: Body> Claims<B> {
    /// What a server of a version finds wrong with these claims alone, whoever has signed them; at a
    /// time, or whenever.
    pub fn findings(&self, server: ServerVersion, at: Option<Timestamp>) -> Vec<Finding> {
        let mut findings = Findings::new(server);
        if let Some(at) = at {
            findings.times(self.expires, self.not_before, at);
        }
        B::check(self, &mut findings);
        findings.into_list()
    }
}

/// A second for people.
fn second(number: i64) -> String {
    match Timestamp::from_seconds(number) {
        Some(at) => at.to_string(),
        None => format!("second {number}"),
    }
}
