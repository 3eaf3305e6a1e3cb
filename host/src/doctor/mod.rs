//! What `cim doctor` finds: findings as data.
//!
//! Facts are gathered in one place and judged in another, so that every judgement is a pure
//! function. Those about NATS are in `jetstream::doctor`.

mod sqlite;

use std::fmt;

pub(crate) use self::sqlite::examine;
pub use self::sqlite::{SqliteFacts, judge};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Nothing is lost by it, but somebody should look.
    Warning,
    /// What was acknowledged can be lost, or the store cannot do its work.
    Unsafe,
}

impl Severity {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unsafe => "unsafe",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at; stable.
    pub code: &'static str,
    /// What was found.
    pub what: String,
    /// What it means for events.
    pub meaning: String,
    /// The command or the line of a configuration that mends it; none where nothing has to be.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well.
    pub(crate) fn ok(
        code: &'static str,
        what: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Ok,
            code,
            what: what.into(),
            meaning: meaning.into(),
            mend: None,
        }
    }

    /// Somebody should look.
    pub(crate) fn warning(
        code: &'static str,
        what: impl Into<String>,
        meaning: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            mend: Some(mend.into()),
            ..Self::ok(code, what, meaning)
        }
    }

    /// Events can be lost, or not stored.
    pub(crate) fn risk(
        code: &'static str,
        what: impl Into<String>,
        meaning: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Unsafe,
            ..Self::warning(code, what, meaning, mend)
        }
    }
}

/// The worst of them; well where there is none.
pub fn worst(findings: &[Finding]) -> Severity {
    let severities = findings.iter().map(|finding| finding.severity);
    severities.max().unwrap_or(Severity::Ok)
}

/// A number of bytes as people read it.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes / (unit / 10).max(1);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

/// The longest history, against the length that is warned about. Nothing is ever deleted for it.
pub(crate) fn longest(aggregate: &str, events: u64, max: u64) -> Option<Finding> {
    (events > max).then(|| {
        Finding::warning(
            "long-history",
            format!("`{aggregate}` has {events} events; `max_events_per_aggregate` is {max}"),
            "every append to it is as fast as before, but loading it takes longer and longer",
            "take snapshots, split the aggregate, or raise `[event_store] \
             max_events_per_aggregate` in `cim.toml`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_largest_unit() {
        let shown = [0, 1023, 1024, 1536, 1 << 20, 5 << 30].map(bytes);
        assert_eq!(
            shown,
            [
                "0 bytes",
                "1023 bytes",
                "1.0 KiB",
                "1.5 KiB",
                "1.0 MiB",
                "5.0 GiB"
            ]
        );
    }

    #[test]
    fn the_worst_counts() {
        let ok = Finding::ok("a", "", "");
        let warning = Finding::warning("b", "", "", "");
        assert_eq!(worst(&[]), Severity::Ok);
        assert_eq!(worst(&[warning.clone(), ok.clone()]), Severity::Warning);
        let risk = Finding::risk("c", "", "", "");
        assert_eq!(worst(&[warning, risk, ok]), Severity::Unsafe);
    }
}
