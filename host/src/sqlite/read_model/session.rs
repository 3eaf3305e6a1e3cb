//! A projector's hold on its projection: it begins where the last one ended, and commits.
//!
//! Each session takes a new epoch, and every write has the epoch and the last checkpoint as its
//! condition. So of two projectors the one that began later goes on, and the other one's next write
//! finds that it is fenced off. Without the epoch, a projector that starts over could be overtaken
//! by an old one that stands where the new one has just come to.
//!
//! Commits are not synced one by one (`synchronous=NORMAL`): changes and checkpoint are one
//! transaction, so a power cut takes some last commits as a whole, and what they did is done again
//! from the checkpoint that is left. In a store's file, that setting is the session's own: the
//! store's writer still syncs each of its commits.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use cim_core::projection::machine::{Commit, Failure, ParkReason, ParkedEvent, State};
use cim_core::projection::{Change, DocumentKey, Fault, Limits, Name};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, TransactionBehavior, params};

use super::super::connection::BUSY_TIMEOUT;
use super::{io, is_busy, micros, number, position};
use crate::projector::{ProjectorError, ReadModelError};

/// Why a commit is not written.
#[derive(Debug)]
pub(crate) enum NotCommitted {
    Fenced(ProjectorError),
    /// The database did not take it, or it is not known.
    Fault(Fault),
}

/// One projector's connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) connection: Connection,
    pub(super) name: Name,
    pub(super) epoch: i64,
    pub(super) checkpoint: Option<Position>,
    pub(super) statements: HashMap<Name, Statements>,
}

/// The statements of a collection.
#[derive(Debug)]
pub(super) struct Statements {
    get: String,
    put: String,
    delete: String,
}

impl Statements {
    pub(super) fn new(table: &str) -> Self {
        Self {
            get: format!("SELECT document FROM \"{table}\" WHERE key = ?1"),
            put: format!(
                "INSERT INTO \"{table}\" (key, document) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET document = excluded.document"
            ),
            delete: format!("DELETE FROM \"{table}\" WHERE key = ?1"),
        }
    }
}

impl Session {
    /// The committed documents under these keys, in their order; `None` also for a collection that
    /// is not declared. A document that is asked for several times is read once and shared. Where
    /// there are more than a call may read, reading stops: that is the handler's fault.
    pub(crate) fn documents(
        &self,
        keys: &[DocumentKey],
        limits: &Limits,
    ) -> Result<Result<Vec<Option<Bytes>>, Fault>, ProjectorError> {
        let mut statements = HashMap::new();
        let mut known = HashMap::<&DocumentKey, Option<Bytes>>::with_capacity(keys.len());
        let mut documents = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for key in keys {
            let document = match known.get(key) {
                Some(document) => document.clone(),
                None => {
                    let read = self.document(key, &mut statements);
                    let document = read.map_err(|error| self.unread(error))?;
                    known.insert(key, document.clone());
                    document
                }
            };
            bytes += document.as_ref().map_or(0, Bytes::len);
            if let Err(fault) = limits.check_read(bytes) {
                return Ok(Err(fault));
            }
            documents.push(document);
        }
        Ok(Ok(documents))
    }

    /// Why documents cannot be read: a projector that starts over takes the tables away.
    fn unread(&self, error: rusqlite::Error) -> ProjectorError {
        match self.found() {
            Ok(Some((epoch, checkpoint))) if epoch != self.epoch => self.fenced(checkpoint),
            Ok(_) | Err(_) => io("reading documents", error).into(),
        }
    }

    fn document<'c>(
        &'c self,
        key: &DocumentKey,
        statements: &mut HashMap<&'c str, CachedStatement<'c>>,
    ) -> rusqlite::Result<Option<Bytes>> {
        let Some(of) = self.statements.get(&key.collection) else {
            return Ok(None);
        };
        prepared(&self.connection, statements, &of.get)?
            .query_row([&*key.key], |row| {
                let text = row.get_ref(0)?.as_str()?;
                Ok(Bytes::copy_from_slice(text.as_bytes()))
            })
            .optional()
    }

    /// Writes changes, parked events and the checkpoint in one transaction. What was written
    /// before by this session counts as committed.
    pub(crate) fn commit(
        &mut self,
        commit: &Commit,
        caught_up_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), NotCommitted> {
        match self.try_commit(commit, caught_up_at, now) {
            Ok(true) => {
                self.checkpoint = Some(commit.checkpoint);
                Ok(())
            }
            Ok(false) => match self.found() {
                Ok(found) if found == Some((self.epoch, Some(commit.checkpoint))) => {
                    self.checkpoint = Some(commit.checkpoint);
                    Ok(())
                }
                Ok(found) => Err(NotCommitted::Fenced(
                    self.fenced(found.and_then(|(_, checkpoint)| checkpoint)),
                )),
                Err(error) => Err(NotCommitted::Fault(fault_of(&error))),
            },
            Err(error) => Err(NotCommitted::Fault(fault_of(&error))),
        }
    }

    /// Says whether the condition held.
    fn try_commit(
        &mut self,
        commit: &Commit,
        caught_up_at: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let moved = transaction
            .prepare_cached(
                "UPDATE projections SET position = ?1, state = ?2, events = events + ?3, \
                 updated_at = ?4, caught_up_at = coalesce(?5, caught_up_at) \
                 WHERE name = ?6 AND epoch = ?7 AND position = ?8",
            )?
            .execute(params![
                number(Some(commit.checkpoint)),
                commit.state.as_str(),
                i64::try_from(commit.events).unwrap_or(i64::MAX),
                micros(now),
                caught_up_at.map(micros),
                self.name.as_str(),
                self.epoch,
                number(commit.before),
            ])?;
        if moved == 0 {
            return Ok(false);
        }
        let mut statements = HashMap::new();
        for change in &commit.changes {
            let of = self
                .statements
                .get(&change.key().collection)
                .expect("changes are checked before they are committed");
            match change {
                Change::Put { key, document } => {
                    let text = std::str::from_utf8(document)
                        .expect("changes are checked before they are committed");
                    prepared(&transaction, &mut statements, &of.put)?.execute([&*key.key, text])?
                }
                Change::Delete { key } => {
                    prepared(&transaction, &mut statements, &of.delete)?.execute([&*key.key])?
                }
            };
        }
        drop(statements);
        for event in &commit.parked {
            insert_parked(&transaction, &self.name, event, now)?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Gives a sign of life, and the state where it has changed; says whether it could. Another
    /// process's commit is not waited for: the sign may come later, but work may not.
    pub(crate) fn beat(
        &mut self,
        state: State,
        caught_up_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, ProjectorError> {
        let fault = |error| io("giving a sign of life", error);
        self.connection
            .busy_timeout(Duration::ZERO)
            .map_err(fault)?;
        let written = self.try_beat(state, caught_up_at, now);
        self.connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
        match written {
            Ok(true) => Ok(true),
            Ok(false) => {
                let found = self.found().map_err(fault)?;
                Err(self.fenced(found.and_then(|(_, checkpoint)| checkpoint)))
            }
            Err(error) if is_busy(&error) => Ok(false),
            Err(error) => Err(fault(error).into()),
        }
    }

    /// Says whether the condition held.
    fn try_beat(
        &mut self,
        state: State,
        caught_up_at: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let written = self
            .connection
            .prepare_cached(
                "UPDATE projections SET state = ?1, updated_at = ?2, \
                 caught_up_at = coalesce(?3, caught_up_at) WHERE name = ?4 AND epoch = ?5",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    state.as_str(),
                    micros(now),
                    caught_up_at.map(micros),
                    self.name.as_str(),
                    self.epoch,
                ])
            })?;
        Ok(written > 0)
    }

    /// Says that the projector ends by itself, in which state, and why if it failed. A projector
    /// that is fenced off changes nothing.
    pub(crate) fn end(
        &mut self,
        state: State,
        caught_up_at: Option<Timestamp>,
        failed: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<(), ReadModelError> {
        let (code, message) = failed.unzip();
        self.connection
            .execute(
                "UPDATE projections SET updated_at = ?1, stopped_at = ?1, state = ?2, \
                 caught_up_at = coalesce(?3, caught_up_at), error_code = ?4, error_message = ?5 \
                 WHERE name = ?6 AND epoch = ?7",
                params![
                    micros(now),
                    state.as_str(),
                    caught_up_at.map(micros),
                    code,
                    message,
                    self.name.as_str(),
                    self.epoch,
                ],
            )
            .map(|_| ())
            .map_err(|error| io("writing how it ended", error))
    }

    /// The failure of this projection.
    pub(crate) fn failed(&self, failure: Failure) -> ProjectorError {
        ProjectorError::Failed {
            name: self.name.clone(),
            failure,
        }
    }

    fn found(&self) -> rusqlite::Result<Option<(i64, Option<Position>)>> {
        self.connection
            .prepare_cached("SELECT epoch, position FROM projections WHERE name = ?1")?
            .query_row([self.name.as_str()], |row| {
                Ok((row.get(0)?, position(row.get(1)?)))
            })
            .optional()
    }

    fn fenced(&self, found: Option<Position>) -> ProjectorError {
        ProjectorError::Fenced {
            name: self.name.clone(),
            expected: self.checkpoint,
            found,
        }
    }
}

fn insert_parked(
    connection: &Connection,
    projection: &Name,
    event: &ParkedEvent,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let reason = match event.reason {
        ParkReason::Fault { .. } => "fault",
        ParkReason::Invalid { .. } => "invalid",
        ParkReason::Diverted => "diverted",
    };
    let (code, message) = event.reason.cause().unzip();
    connection
        .prepare_cached(
            "INSERT INTO parked (projection, aggregate, position, version, event_id, cid, reason, \
             code, message, parked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            projection.as_str(),
            event.aggregate.to_string(),
            number(Some(event.position)),
            event
                .version
                .map(|version| i64::try_from(version.get()).unwrap_or(i64::MAX)),
            event.event.as_ref().map(|id| *id.as_bytes()),
            event.cid.map(|cid| cid.to_bytes()),
            reason,
            code,
            message,
            micros(now),
        ])?;
    Ok(())
}

/// The statement of `sql`, prepared once for all its uses in a loop.
fn prepared<'a, 'c, 's>(
    connection: &'c Connection,
    statements: &'a mut HashMap<&'s str, CachedStatement<'c>>,
    sql: &'s str,
) -> rusqlite::Result<&'a mut CachedStatement<'c>> {
    use std::collections::hash_map::Entry;
    Ok(match statements.entry(sql) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(connection.prepare_cached(sql)?),
    })
}

fn fault_of(error: &rusqlite::Error) -> Fault {
    let retryable = is_busy(error);
    let code = if retryable {
        "read-model-busy"
    } else {
        "read-model-io"
    };
    Fault {
        code: code.to_owned(),
        message: error.to_string(),
        index: None,
        retryable,
    }
}
