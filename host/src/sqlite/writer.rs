//! The one thread of a process that writes: it commits appends that wait at the same time
//! together.
//!
//! After a failure the state of the file on disk is not known: a failed sync may have dropped what
//! it was to write. So the thread reopens the file and moves the whole log into it, which writes
//! and syncs everything anew, before it believes anything that it reads.

use std::sync::Arc;
use std::time::Duration;

use cim_core::append::{self, Append, AppendError, Appended, Judgement, Receipt, RetryToken};
use cim_core::event::RecordedEvent;
use cim_core::subject::StoreTemplate;
use rusqlite::{CachedStatement, Connection, TransactionBehavior};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Connections;
use super::histories::{Ids, Memory, SqliteHistories};
use super::row;
use crate::clock;

/// The most events that are committed together, so that a group's log stays small beside the
/// automatic checkpoint's 4 MiB.
const MAX_GROUP_EVENTS: usize = 4000;

/// The longest wait for as many appends as the last group had.
const MAX_LINGER: Duration = Duration::from_millis(1);

/// How long the idle writer looks out for the next append before it sleeps.
const LOOK_OUT: Duration = Duration::from_micros(100);

/// How many appends may wait for the writer before `append` itself waits.
pub(super) const MAX_WAITING: usize = 1024;

pub(super) type Answer = Result<Vec<Appended>, AppendError>;

/// Appends that wait for the writer.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) appends: Vec<Append>,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// The writer's side of the store.
pub(super) struct Writer {
    pub(super) connections: Arc<Connections>,
    pub(super) template: StoreTemplate,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) committed: watch::Sender<()>,
    /// `None` after a failure, until the file is reopened and its log moved.
    pub(super) connection: Option<Connection>,
}

impl Writer {
    /// Serves requests until nobody can send any more.
    pub(super) fn run(mut self) {
        let mut memory = Memory::default();
        let mut last_group = (1, Duration::ZERO);
        while let Some(first) = self.next() {
            let group = self.gather(first, last_group);
            let started = clock::moment();
            let answers = self.commit(&group, &mut memory);
            last_group = (group.len(), started.elapsed());
            self.committed.send_replace(());
            for (request, answer) in group.into_iter().zip(answers) {
                // Nobody waits any more for an answer that cannot be delivered.
                let _ = request.reply.send(answer);
            }
        }
    }

    /// The next request. A sender that has just got its answer often sends again at once; looking
    /// out for that for a moment saves both threads a sleep and a wake.
    fn next(&mut self) -> Option<Request> {
        let deadline = clock::moment() + LOOK_OUT;
        loop {
            match self.requests.try_recv() {
                Ok(request) => return Some(request),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if clock::moment() < deadline => std::thread::yield_now(),
                Err(TryRecvError::Empty) => return self.requests.blocking_recv(),
            }
        }
    }

    /// Takes what waits. Where the last group had several appends, their senders are likely about
    /// to send again: waiting for them a fraction of a commit's time saves whole commits.
    fn gather(&mut self, first: Request, (last_len, last_time): (usize, Duration)) -> Vec<Request> {
        let deadline = clock::moment() + (last_time / 4).min(MAX_LINGER);
        let mut events = count(&first.appends);
        let mut group = vec![first];
        while events < MAX_GROUP_EVENTS {
            match self.requests.try_recv() {
                Ok(request) => {
                    events += count(&request.appends);
                    group.push(request);
                }
                Err(_) if group.len() < last_len && clock::moment() < deadline => {
                    std::thread::yield_now();
                }
                Err(_) => break,
            }
        }
        group
    }

    fn commit(&mut self, group: &[Request], memory: &mut Memory) -> Vec<Answer> {
        let mut judged = Vec::with_capacity(group.len());
        match self.try_commit(group, memory, &mut judged) {
            Ok(()) => judged,
            Err(error) => {
                *memory = Memory::default();
                self.connection = None;
                self.find_out(group, &judged, error)
            }
        }
    }

    /// Commits the group in one transaction. Each append is judged against heads that include
    /// those before it; one that is refused is left out. The answers hold if the commit does.
    fn try_commit(
        &mut self,
        group: &[Request],
        memory: &mut Memory,
        answers: &mut Vec<Answer>,
    ) -> rusqlite::Result<()> {
        let template = self.template.clone();
        let connection = self.connection()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut histories = SqliteHistories::new(&transaction, memory)?;
        let mut insert = row::prepare_insert(&transaction)?;
        let mut written = false;
        for request in group {
            let answer = append_one(&mut histories, &mut insert, &template, &request.appends)?;
            written |= matches!(&answer, Ok(appended) if appended.iter().any(is_new));
            answers.push(answer);
        }
        drop(insert);
        if written {
            transaction.commit()?;
        }
        Ok(())
    }

    /// After a failure: answers for what turns out to be stored, `Unknown` for the rest. What the
    /// failed transaction had written itself is committed now; the rest was there before.
    fn find_out(
        &mut self,
        group: &[Request],
        judged: &[Answer],
        error: rusqlite::Error,
    ) -> Vec<Answer> {
        let cause: Arc<dyn std::error::Error + Send + Sync> = Arc::new(error);
        let stored = self
            .look_up(group)
            .unwrap_or_else(|_| vec![None; group.len()]);
        let was_written = |at: usize| {
            let answer = judged.get(at).and_then(|answer| answer.as_ref().ok());
            answer.is_some_and(|appended| appended.iter().all(is_new))
        };
        group
            .iter()
            .zip(stored)
            .enumerate()
            .map(|(at, (request, stored))| match stored {
                Some(receipts) if was_written(at) => {
                    Ok(receipts.into_iter().map(Appended::Committed).collect())
                }
                Some(receipts) => Ok(receipts
                    .into_iter()
                    .map(Appended::AlreadyCommitted)
                    .collect()),
                None => Err(AppendError::Unknown {
                    retry_token: RetryToken::new(request.appends.clone()),
                    cause: Some(Arc::clone(&cause)),
                }),
            })
            .collect()
    }

    fn look_up(&mut self, group: &[Request]) -> rusqlite::Result<Vec<Option<Vec<Receipt>>>> {
        let template = self.template.clone();
        let transaction = self.connection()?.transaction()?;
        let mut memory = Memory::default();
        let mut histories = SqliteHistories::new(&transaction, &mut memory)?;
        let mut stored = Vec::with_capacity(group.len());
        for request in group {
            stored.push(
                match append::judge(&mut histories, &template, &request.appends)? {
                    Judgement::AlreadyCommitted(receipts) => Some(receipts),
                    Judgement::Write(_) | Judgement::Refuse(_) => None,
                },
            );
        }
        Ok(stored)
    }

    /// The connection, reopened after a failure.
    fn connection(&mut self) -> rusqlite::Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = self.connections.open_for_writing()?;
                move_log(&connection)?;
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }
}

/// Writes and syncs the whole log into the database file and empties it.
fn move_log(connection: &Connection) -> rusqlite::Result<()> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    let why = "a reader keeps the log from being moved after a failure".to_owned();
    Err(rusqlite::Error::SqliteFailure(code, Some(why)))
}

/// Judges one append and writes it.
///
/// Nearly every append is new and meets its expectation, so it is first judged as if its ids were
/// new. What is refused then, or what the unique index of ids stops, is judged again with its ids
/// looked up.
fn append_one(
    histories: &mut SqliteHistories<'_>,
    insert: &mut CachedStatement<'_>,
    template: &StoreTemplate,
    appends: &[Append],
) -> rusqlite::Result<Answer> {
    if let Judgement::Write(events) =
        append::judge(histories.with_ids(Ids::Unchecked), template, appends)?
    {
        histories.begin_append();
        match write(histories, insert, &events) {
            Ok(receipts) => return Ok(Ok(receipts)),
            Err(error) if is_constraint(&error) => histories.take_back()?,
            Err(error) => return Err(error),
        }
    }
    Ok(
        match append::judge(histories.with_ids(Ids::Checked), template, appends)? {
            Judgement::Refuse(error) => Err(error),
            Judgement::AlreadyCommitted(receipts) => Ok(receipts
                .into_iter()
                .map(Appended::AlreadyCommitted)
                .collect()),
            Judgement::Write(events) => Ok(write(histories, insert, &events)?),
        },
    )
}

/// Writes judged events; the heads are remembered once all of them are written.
fn write(
    histories: &mut SqliteHistories<'_>,
    insert: &mut CachedStatement<'_>,
    appends: &[Vec<RecordedEvent>],
) -> rusqlite::Result<Vec<Appended>> {
    let mut answers = Vec::with_capacity(appends.len());
    for events in appends {
        let last = events.last().expect("a judged append has events");
        let aggregate = histories.make_aggregate(&last.aggregate)?;
        for event in events {
            row::insert(insert, aggregate, event)?;
            histories.wrote_event();
        }
        let position = histories.last_position();
        answers.push(Appended::Committed(Receipt {
            version: last.version,
            head: last.cid,
            position,
        }));
    }
    for last in appends.iter().filter_map(|events| events.last()) {
        histories.remember_head(last);
    }
    Ok(answers)
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn is_new(appended: &Appended) -> bool {
    matches!(appended, Appended::Committed(_))
}

fn count(appends: &[Append]) -> usize {
    appends.iter().map(|append| append.events.len()).sum()
}
