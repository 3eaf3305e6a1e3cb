//! A store in a file.

use std::path::{Path, PathBuf};

use super::{Finding, bytes, longest};
use crate::sqlite::{Health, health};
use crate::store::StoreError;

/// What is known of a store in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SqliteFacts {
    /// The file.
    pub path: PathBuf,
    /// The version of SQLite.
    pub sqlite: String,
    /// What SQLite's own check says: `ok`, or the first fault.
    pub check: String,
    /// The journal mode of the file.
    pub journal_mode: String,
    /// `synchronous` of the connection that writes; 2 is FULL.
    pub synchronous: i64,
    /// Bytes of the file and its log.
    pub bytes: u64,
    /// Bytes that are free on its disk, where that is known.
    pub free: Option<u64>,
    /// The longest history, and its events.
    pub longest: Option<(String, u64)>,
    /// `[event_store] max_events_per_aggregate`.
    pub max_events_per_aggregate: u64,
}

/// Gathers the facts.
pub(crate) fn examine(path: &Path, max_events: u64) -> Result<SqliteFacts, StoreError> {
    let Health {
        info: _,
        sqlite,
        check,
        journal_mode,
        synchronous,
        longest,
    } = health(path)?;
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let log = PathBuf::from(format!("{}-wal", path.display()));
    Ok(SqliteFacts {
        path: path.to_owned(),
        sqlite,
        check,
        journal_mode,
        synchronous,
        bytes: size(path) + size(&log),
        free: free(path),
        longest,
        max_events_per_aggregate: max_events,
    })
}

/// Bytes that are free where a file is.
#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Less free space than this is worth a look, whatever the store's size.
const LITTLE_SPACE: u64 = 1 << 30;

/// With less free space than this, the next import may fail.
const NO_SPACE: u64 = 64 << 20;

/// Judges the facts.
pub fn judge(facts: &SqliteFacts) -> Vec<Finding> {
    let path = facts.path.display();
    let mut findings = vec![Finding::ok(
        "version",
        format!("SQLite {}", facts.sqlite),
        "it is built in",
    )];
    findings.push(if facts.check == "ok" {
        Finding::ok(
            "integrity",
            "the file's pages are sound",
            "whether the events are, `cim verify` tells",
        )
    } else {
        Finding::risk(
            "integrity",
            format!("the file is damaged: {}", facts.check),
            "events may be unreadable",
            format!(
                "save what is sound with `cim copy --until-broken sqlite:{path} sqlite:saved.db`"
            ),
        )
    });
    findings.push(durability(facts));
    findings.extend(space(facts));
    if let Some((aggregate, events)) = &facts.longest {
        findings.extend(longest(aggregate, *events, facts.max_events_per_aggregate));
    }
    findings
}

/// `PRAGMA synchronous` of a connection that waits for the disk before it acknowledges.
const FULL: i64 = 2;

fn durability(facts: &SqliteFacts) -> Finding {
    let found = format!(
        "journal mode `{}`, synchronous {}",
        facts.journal_mode, facts.synchronous
    );
    if facts.journal_mode == "wal" && facts.synchronous >= FULL {
        return Finding::ok(
            "durability",
            found,
            "an acknowledged event survives `kill -9` and, as far as the disk keeps its promises, \
             power loss",
        );
    }
    let path = facts.path.display();
    Finding::risk(
        "durability",
        found,
        "an acknowledged event may be lost when the power fails",
        format!("run `sqlite3 {path} 'PRAGMA journal_mode = WAL'` while nothing else uses it"),
    )
}

fn space(facts: &SqliteFacts) -> Option<Finding> {
    let free = facts.free?;
    let what = format!(
        "the store takes {}, {} are free",
        bytes(facts.bytes),
        bytes(free)
    );
    let mend = "make room on the disk, or copy the store to another with `cim copy`";
    Some(if free < NO_SPACE {
        let meaning = "appends will soon be refused; what is stored stays";
        Finding::risk("space", what, meaning, mend)
    } else if free < LITTLE_SPACE || free < facts.bytes / 4 {
        let meaning = "there is little room for new events and for a copy";
        Finding::warning("space", what, meaning, mend)
    } else {
        Finding::ok("space", what, "there is room")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    fn facts() -> SqliteFacts {
        SqliteFacts {
            path: PathBuf::from("cim.db"),
            sqlite: "3.50.4".to_owned(),
            check: "ok".to_owned(),
            journal_mode: "wal".to_owned(),
            synchronous: 2,
            bytes: 1 << 20,
            free: Some(10 << 30),
            longest: Some(("o.u.d.key.k1".to_owned(), 10_000)),
            max_events_per_aggregate: 10_000,
        }
    }

    #[track_caller]
    fn check(code: &str, severity: Severity, set: impl FnOnce(&mut SqliteFacts)) {
        let mut facts = facts();
        set(&mut facts);
        let findings = judge(&facts);
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity != Severity::Ok)
            .map(|finding| (finding.code, finding.severity))
            .collect();
        assert_eq!(bad, [(code, severity)]);
    }

    #[test]
    fn a_store_as_we_make_it_is_well() {
        assert_eq!(crate::doctor::worst(&judge(&facts())), Severity::Ok);
    }

    #[test]
    fn what_is_not_well_is_told() {
        check("integrity", Severity::Unsafe, |facts| {
            facts.check = "row 3 missing from index events_by_id".to_owned();
        });
        check("durability", Severity::Unsafe, |facts| {
            facts.synchronous = 1
        });
        check("durability", Severity::Unsafe, |facts| {
            facts.journal_mode = "delete".to_owned();
        });
        check("space", Severity::Unsafe, |facts| facts.free = Some(1));
        check("space", Severity::Warning, |facts| {
            facts.bytes = 100 << 30;
        });
        check("long-history", Severity::Warning, |facts| {
            facts.max_events_per_aggregate = 9_999;
        });
    }

    #[test]
    fn a_new_store_is_examined() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cim.db");
        let template = cim_core::subject::StoreTemplate::default();
        drop(crate::sqlite::SqliteStore::create(&path, template).expect("a store"));
        let facts = examine(&path, 10_000).expect("facts");
        assert_eq!((&*facts.check, &*facts.journal_mode), ("ok", "wal"));
        assert_eq!((facts.synchronous, facts.longest), (2, None));
        assert!(facts.bytes > 0);
    }
}
